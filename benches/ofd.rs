//! OFD under SM2: sealing and verifying, documents per CPU-second, beside the bare key (the sm2 crate) and gmssl (Python) in the
//! same run. Every key is SM2, from the root to the time stamps. Figures are printed, never asserted. `--seconds N` sets the
//! time for each line.
//!
//! Documents of one page of some 100 kB: a scan, and our own licence, which unpacks to 260 kB of text and fonts; the licence also
//! under the seal whose picture has 600 dots an inch and lies in the package twice.
#![expect(clippy::unwrap_used, reason = "a benchmark ends at the first thing that is not so")]

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use sm2::SecretKey;
use sm2::dsa::signature::{Signer as _, Verifier as _};
use sm2::dsa::{Signature, SigningKey};
use sm2::elliptic_curve::sec1::ToSec1Point;
use time::Duration;
use yinxin::ca::making::as_page;
use yinxin::crypto::{Digest, KeyAlgorithm};
use yinxin::desk::{self, OfdParts};
use yinxin::impression::Place;
use yinxin::issue::issue;
use yinxin::ofd::package::Package;
use yinxin::ofd::seal::{SealPlan, prepare};
use yinxin::ofd::write::{Attachment, Document, Page, write};
use yinxin::ses::{Picture, write as ses};
use yinxin::store::{Act, Order, OrderKind, Store};
use yinxin::verify::gather::{gather, house_trust};
use yinxin::verify::{Evidence, Trust, judge};

#[expect(dead_code, reason = "measures for several benchmarks, of which this one needs a part")]
mod measure;

#[path = "../tests/it/bureau.rs"]
#[expect(dead_code, reason = "the stories' bureau, of which a benchmark needs a part")]
mod bureau;
mod db {
    /// As the stories' bureau knows a database.
    pub struct Database {
        pub url: String,
    }
}

use bureau::{BUREAU_SEAL, Bureau, NOW, keyring, licence, number, person};
use measure::{cpu_seconds, line, print_line};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let seconds =
        arguments.iter().position(|a| a == "--seconds").and_then(|i| arguments.get(i + 1)?.parse().ok()).unwrap_or(3.0);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let database = db::Database { url: format!("sqlite:{}", folder.join("bench.sqlite").display()) };
    let bureau = runtime.block_on(Bureau::found_on(&database, Arc::new(keyring(folder)), KeyAlgorithm::Sm2));
    let (desk, store) = (&bureau.desk, &bureau.desk.store);

    println!("{:<52} {:>12} {:>12}", "OFD, SM2 from the root down, one page", "per CPU-s", "CPU ms each");
    let (sign, check) = bare(folder, seconds);
    gmssl(folder, seconds);
    let hash = line("SM3, 100 kB", seconds, || {
        Digest::Sm3.over(&[&[7; 100_000]]);
    });

    // The same seal in both forms of its picture; the newer one is the desk's.
    let mut made = Vec::new();
    let filed = runtime.block_on(store.seal(&number(BUREAU_SEAL))).unwrap().unwrap();
    let impression = desk::impression(&desk.renderer, &filed.impression).unwrap();
    let early = NOW - Duration::HOUR;
    for (picture, at) in
        [(as_page(&filed.seal, &impression, early), early), (Picture::in_dots(&impression), early + Duration::MINUTE)]
    {
        let two = (&person("admin-1"), &person("admin-2"));
        runtime.block_on(bureau.authority().make_seal(&filed.seal, picture, two, at)).unwrap();
        made.push(runtime.block_on(desk.ofd_parts_in_force(&filed, NOW)).unwrap().unwrap());
    }
    runtime.block_on(bureau.authority().refresh("bench", NOW)).unwrap();
    let request = licence("许准〔2026〕0号", NOW - Duration::days(3));
    let issued = runtime.block_on(issue(desk, &bureau.chief, request.clone(), NOW)).unwrap();
    let data = runtime.block_on(store.order(&issued.order)).unwrap().unwrap().licence.unwrap().data;
    let licence = desk.renderer.render_ofd(&request.template, &data, "bench", NOW).unwrap().ofd;
    let trust = Arc::new(runtime.block_on(house_trust(store)).unwrap());

    let [drawn, dots] = [&made[0], &made[1]];
    for (with, what, draft) in [
        (drawn, "a scan, its seal drawn", &scanned(100_000)),
        (drawn, "a licence, its seal drawn", &licence),
        (dots, "a licence, its seal in dots", &licence),
    ] {
        let parts = Parts { with };
        let order = parts.orders(draft, store, &runtime, 1).remove(0);
        let sealed = parts.seal(draft, order);
        let verify = |trust: &Arc<Trust>| judge(&Evidence::open("bench", &sealed, trust.clone(), NOW));
        assert!(verify(&trust).signatures[0].intact, "{:#?}", verify(&trust));
        // What nobody can leave out: every file is digested once, what is signed once for each use of a key; a new value is
        // checked before it leaves the keys' room.
        let files: usize = Package::open(&sealed).unwrap().entries().iter().map(|entry| entry.size).sum();
        let signed = parts.to_be_signed(draft).1.len();
        println!(
            "{what}: {} kB drafted, {} kB sealed, {} kB unpacked, of which {} kB are signed directly",
            draft.len() / 1000,
            sealed.len() / 1000,
            files / 1000,
            signed / 1000
        );
        let digested = |bytes: usize| bytes as f64 / 1e5 / hash;
        let share =
            |rate: f64, least: f64| println!("    {:.0} % of these digests and the bare key", rate * least * 100.0);
        let rate = parts.line("  sealed (prepare, sign, close)", seconds, draft, store, &runtime);
        share(rate, digested(files + signed) + 1.0 / sign + 1.0 / check);
        let rate = line("  verified, own root and lists", seconds, || {
            verify(&trust);
        });
        share(rate, digested(files) + 1.0 / check);
    }

    // What an office waits for: rendered, both files sealed, entered, checked, stored.
    let mut n = 0;
    line("end to end, a licence as PDF and OFD (SQLite)", seconds, || {
        n += 1;
        let request = bureau::licence(&format!("许准〔2026〕{n}号"), NOW - Duration::days(3));
        assert!(runtime.block_on(issue(desk, &bureau.chief, request, NOW)).unwrap().ofd.is_some());
    });
    let ofd = runtime.block_on(store.document(&issued.ofd.unwrap())).unwrap().unwrap().bytes;
    let known = || judge(&runtime.block_on(gather(Some(store), trust.clone(), "bench", ofd.clone(), NOW)).unwrap());
    assert!(known().verdict.is_genuine(), "{:#?}", known());
    line("a licence verified with the register's word", seconds, || {
        known();
    });
}

/// A page with a file beside it that does not compress, as a scan does not.
fn scanned(bytes: usize) -> Vec<u8> {
    let mut state = 1u64;
    let noise = (0..bytes).map(|_| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 56) as u8
    });
    write(&Document {
        id: [7; 16],
        title: "准予行政许可决定书".into(),
        author: "示例县行政审批局".into(),
        made_on: NOW.date(),
        data: Vec::new(),
        faces: Vec::new(),
        pictures: Vec::new(),
        pages: vec![Page { width_mm: 210.0, height_mm: 297.0, objects: Vec::new() }],
        attachments: vec![Attachment { name: "scan.bin".into(), usage: "scan".into(), file: noise.collect() }],
    })
}

/// What sealing with one key needs and no document changes, as the desk keeps it for each seal.
struct Parts<'p> {
    with: &'p OfdParts,
}

impl Parts<'_> {
    fn to_be_signed(&self, draft: &[u8]) -> (yinxin::ofd::seal::Prepared, Vec<u8>) {
        let places = [Place::On { page: 0, centre_mm: (100.0, 100.0) }];
        let plan = SealPlan { seal: &self.with.seal, places: &places, at: NOW, lock: false };
        let prepared = prepare(draft, &plan).unwrap();
        let (digest, property) = (prepared.digest(), prepared.property());
        let used = ses::Use { seal: prepared.seal(), at: NOW, digest: &digest, property: &property, extensions: &[] };
        let to_be_signed = ses::to_be_signed(&used).unwrap();
        (prepared, to_be_signed)
    }

    /// The sealed package: the steps of the product between the draft and the store.
    fn seal(&self, draft: &[u8], order: Order) -> Vec<u8> {
        let (prepared, to_be_signed) = self.to_be_signed(draft);
        assert_eq!(order.to_be_signed(), to_be_signed);
        let (parts, signature) = (&self.with.parts, self.with.parts.signer.sign(order).unwrap());
        let signer = &parts.certificate.certificate;
        prepared.close(&ses::assemble(&to_be_signed, signer, signature.value(), None).unwrap()).unwrap()
    }

    /// Written down before the clock starts: one document, many times over. There is no other way to an order.
    fn orders(&self, draft: &[u8], store: &Store, runtime: &tokio::runtime::Runtime, count: usize) -> Vec<Order> {
        let to_be_signed = self.to_be_signed(draft).1;
        let act = || Act {
            kind: OrderKind::Certificate,
            key_label: &self.with.parts.certificate.key_label,
            title: "bench",
            to_be_signed: to_be_signed.clone(),
            who: "bench",
            now: NOW,
        };
        (0..count).map(|_| runtime.block_on(store.write_down_act(act())).unwrap()).collect()
    }

    fn line(&self, what: &str, seconds: f64, draft: &[u8], store: &Store, runtime: &tokio::runtime::Runtime) -> f64 {
        let mut waiting: VecDeque<Order> = self.orders(draft, store, runtime, (seconds * 300.0) as usize).into();
        let (before, mut times) = (cpu_seconds().0, 0u32);
        while let Some(order) = waiting.pop_front() {
            self.seal(draft, order);
            times += 1;
        }
        let cpu = cpu_seconds().0 - before;
        print_line(what, f64::from(times), cpu);
        f64::from(times) / cpu
    }
}

/// The key as the sm2 crate has it, with nothing around it: signatures and verifications in a CPU-second.
fn bare(folder: &Path, seconds: f64) -> (f64, f64) {
    let secret = SecretKey::from_slice(&[7; 32]).unwrap();
    let key = SigningKey::new("1234567812345678", &secret).unwrap();
    let message = [7; 200];
    let value: Signature = key.sign(&message);
    let point = secret.public_key().to_sec1_point(false);
    std::fs::write(folder.join("key.hex"), format!("{} {}", hex::encode([7; 32]), hex::encode(&point.as_bytes()[1..])))
        .unwrap();
    std::fs::write(folder.join("message.bin"), message).unwrap();
    std::fs::write(folder.join("value.hex"), hex::encode(value.to_der().as_bytes())).unwrap();
    let sign = line("the bare key, sm2 crate: signed", seconds, || {
        let _: Signature = key.sign(&message);
    });
    let check = line("the bare key, sm2 crate: verified", seconds, || {
        key.verifying_key().verify(&message, &value).unwrap();
    });
    (sign, check)
}

/// gmssl with the same key over the same message in one process, as many times as fit.
fn gmssl(folder: &Path, seconds: f64) {
    let Ok(peers) = std::env::var("YINXIN_PEERS").map(PathBuf::from) else {
        return println!("gmssl: left out (YINXIN_PEERS is unset; scripts/bench sets it)");
    };
    std::fs::write(folder.join("sm2.py"), include_str!("gmssl_sm2.py")).unwrap();
    let python = peers.join("bin/python");
    let output = Command::new(python).current_dir(folder).args(["sm2.py", &seconds.to_string()]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let figures: Vec<f64> = text.split_whitespace().filter_map(|w| w.parse().ok()).collect();
    let [signed, of_signing, verified, of_verifying] = figures[..] else {
        return println!("gmssl: failed: {}", String::from_utf8_lossy(&output.stderr));
    };
    print_line("gmssl (Python): signed", signed, of_signing);
    print_line("gmssl (Python): verified", verified, of_verifying);
}
