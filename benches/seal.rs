//! SEAL alone: an update over the tail, one signature, the CMS, the closed hole, documents per CPU-second beside pyHanko
//! with the same key on the same page in the same run; beside the bare key, in software and in a token, with 1 to 8
//! callers; and a file of 105 MB from disk to disk with its CPU time and memory. Figures are printed, never asserted.
//! `--seconds N` sets the time for each line.
#![expect(clippy::unwrap_used, reason = "a benchmark ends at the first thing that is not so")]

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use ring::rand::SystemRandom;
use ring::rsa;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256};
use time::Duration;
use yinxin::cms;
use yinxin::crypto::{Digest, KeyAlgorithm};
use yinxin::impression::Place;
use yinxin::issue::{UploadPlace, UploadRequest, issue, seal_upload};
use yinxin::keys::{Keyring, Signer};
use yinxin::pdf::appearance::Appearance;
use yinxin::pdf::seal::{Certification, Prepared, SealPlan, prepare};
use yinxin::pdf::source::{Elsewhere, ReadAt, Source};
use yinxin::pki::certificate::{Certificate, from_pem_or_der, to_pem};
use yinxin::pki::issue::{Period, Serial, root};
use yinxin::pki::name::{Attribute, Name};
use yinxin::store::{Act, Order, OrderKind, Store};
use yinxin::verify::{Evidence, Trust, judge};

mod measure;
mod token;

#[path = "../tests/it/bureau.rs"]
#[expect(dead_code, reason = "the stories' bureau, of which a benchmark needs a part")]
mod bureau;
mod db {
    /// As the stories' bureau knows a database.
    pub struct Database {
        pub url: String,
    }
}

use bureau::{BUREAU_SEAL, Bureau, NOW, decision, licence, number};
use measure::{cpu_seconds, line, print_line, scanned};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1)).cloned();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    // The same program again, for what needs a process of its own.
    if let Some(folder) = value("--large") {
        return large(Path::new(&folder), &runtime);
    }
    let seconds = value("--seconds").and_then(|n| n.parse().ok()).unwrap_or(3.0);
    if let Some(folder) = value("--token") {
        return token::child(Path::new(&folder), &runtime, seconds);
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let bureau = runtime.block_on(Bureau::found(&database(folder), folder));
    let desk = &bureau.desk;

    let request = licence("许准〔2026〕0号", NOW - Duration::days(3));
    let first = runtime.block_on(issue(desk, &bureau.chief, request.clone(), NOW)).unwrap();
    let data = runtime.block_on(desk.store.order(&first.order)).unwrap().unwrap().licence.unwrap().data;
    let page = desk.renderer.render(&request.template, &data, "bench", NOW).unwrap().pdf;
    let seal = runtime.block_on(desk.store.seal(&number(BUREAU_SEAL))).unwrap().unwrap();
    let appearance = runtime.block_on(desk.parts(&seal, None)).unwrap().appearance.clone();
    std::fs::write(folder.join("draft.pdf"), &page).unwrap();

    let kilobytes = page.len() as f64 / 1e3;
    println!("{:<52} {:>12} {:>12}", format!("one page, {kilobytes:.0} kB"), "per CPU-s", "CPU ms each");
    line("prepare (update over the tail, digest)", seconds, || {
        prepare(&page, &plan(&appearance, 2048)).unwrap();
    });
    for kind in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Rsa2048] {
        let pkcs8 = new_key(kind);
        let name = if kind == KeyAlgorithm::EcdsaP256 { "P-256" } else { "RSA-2048" };
        let label = name.to_lowercase();
        let bare = Bare::of(kind, &pkcs8);
        let bare = line(&format!("the bare key, ring, {name}"), seconds, || bare.sign(&page[..200]));
        desk.keyring.import_pkcs8(&label, &pkcs8).unwrap();
        let parts = Parts::of(&desk.keyring, &label, appearance.clone(), &desk.store, &runtime);
        parts.check(&page, &desk.store, &runtime);
        let ours = parts.line(&format!("sealed, soft {name}"), seconds, &page, &desk.store, &runtime);
        println!("  {:.0} % of the bare key's rate", ours / bare * 100.0);
        if kind == KeyAlgorithm::EcdsaP256 {
            std::fs::write(folder.join("key.pem"), to_pem("PRIVATE KEY", &pkcs8)).unwrap();
            std::fs::write(folder.join("cert.pem"), to_pem("CERTIFICATE", &parts.chain[0])).unwrap();
            if let Some(theirs) = pyhanko(folder, seconds) {
                println!("  yinxin is {:.0} times pyHanko", ours / theirs);
            }
        }
    }
    let mut n = 0;
    line("end to end, upload to stored (soft P-256, SQLite)", seconds, || {
        n += 1;
        let request = UploadRequest {
            decision: decision(&format!("许准〔2026〕{n}号"), NOW - Duration::days(3)),
            seal: number(BUREAU_SEAL),
            title: "准予行政许可决定书".into(),
            place: UploadPlace::At { page: 1, x_mm: 100.0, y_mm: 100.0 },
            more_places: vec![],
            straddle_mm: None,
        };
        runtime.block_on(seal_upload(desk, &bureau.chief, request, page.clone(), NOW)).unwrap();
    });
    token::compare(folder, &page, seconds);
    own_process(folder);
}

fn database(folder: &Path) -> db::Database {
    db::Database { url: format!("sqlite:{}", folder.join("bench.sqlite").display()) }
}

/// What sealing with one key needs and no document changes, as the desk keeps it for each seal.
struct Parts {
    label: String,
    chain: Vec<Vec<u8>>,
    signer: Arc<dyn Signer>,
    appearance: Appearance,
    room: usize,
}

fn plan(appearance: &Appearance, reserve: usize) -> SealPlan<'_> {
    SealPlan {
        appearance,
        places: &[Place::On { page: 0, centre_mm: (100.0, 100.0) }],
        signer_name: "示例县行政审批局",
        reason: "许准〔2026〕1号",
        location: "",
        at: NOW,
        certify: Some(Certification::NoChanges),
        reserve,
    }
}

impl Parts {
    /// With a certificate that the key makes for itself.
    fn of(
        keyring: &Keyring,
        label: &str,
        appearance: Appearance,
        store: &Store,
        runtime: &tokio::runtime::Runtime,
    ) -> Self {
        let signer = keyring.signer(label).unwrap();
        let name = Name::of(&[(Attribute::Country, "CN"), (Attribute::CommonName, label)]).unwrap();
        let period = Period { not_before: NOW - Duration::DAY, not_after: NOW + Duration::days(3650) };
        let unsigned = root(&name, signer.public_key(), Serial::from_random([7; 16]), period).unwrap();
        let order = orders(store, runtime, label, unsigned.to_be_signed(), 1).remove(0);
        let certificate = unsigned.signed(signer.sign(order).unwrap().value()).unwrap();
        let chain = vec![certificate];
        let room = cms::room(signer.algorithm(), &chain, 0, 0).unwrap();
        Self { label: label.into(), chain, signer, appearance, room }
    }

    fn prepare<'a>(&self, draft: impl Into<Source<'a>>) -> Prepared {
        prepare(draft, &plan(&self.appearance, self.room)).unwrap()
    }

    fn to_be_signed(&self, prepared: &Prepared) -> Vec<u8> {
        cms::signed_attributes(Digest::Sha256, &prepared.digest(), &self.chain[0], None)
    }

    /// What is appended to the draft: the steps of the product between the draft and the store.
    fn seal(&self, draft: &[u8], order: Order) -> Vec<u8> {
        let prepared = self.prepare(draft);
        let attributes = self.to_be_signed(&prepared);
        assert_eq!(order.to_be_signed(), attributes);
        self.close(&prepared, &attributes, order)
    }

    fn close(&self, prepared: &Prepared, attributes: &[u8], order: Order) -> Vec<u8> {
        let signature = self.signer.sign(order).unwrap();
        let cms = cms::assemble(attributes, signature.value(), signature.algorithm(), &self.chain, None).unwrap();
        prepared.close(&cms).unwrap()
    }

    /// The judge finds a signature of this certificate over the whole file.
    fn check(&self, draft: &[u8], store: &Store, runtime: &tokio::runtime::Runtime) {
        let order = orders(store, runtime, &self.label, &self.to_be_signed(&self.prepare(draft)), 1).remove(0);
        let sealed = [draft, &self.seal(draft, order)].concat();
        let anchors = vec![Certificate::read(&self.chain[0]).unwrap()];
        let trust = Trust { anchors, ..Trust::default() };
        let report = judge(&Evidence::open("bench", &sealed, Arc::new(trust), NOW));
        assert!(report.signatures[0].intact, "{report:#?}");
    }

    /// Orders are written down before the clock starts: one document, many times over.
    fn line(&self, what: &str, seconds: f64, draft: &[u8], store: &Store, runtime: &tokio::runtime::Runtime) -> f64 {
        let to_be_signed = self.to_be_signed(&self.prepare(draft));
        let enough = (seconds * 700.0) as usize;
        let mut waiting: VecDeque<Order> = orders(store, runtime, &self.label, &to_be_signed, enough).into();
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

/// Leave to sign, so many times: only the store gives any.
fn orders(
    store: &Store,
    runtime: &tokio::runtime::Runtime,
    key_label: &str,
    to_be_signed: &[u8],
    count: usize,
) -> Vec<Order> {
    let act = || Act {
        kind: OrderKind::Certificate,
        key_label,
        title: "bench",
        to_be_signed: to_be_signed.to_vec(),
        who: "bench",
        now: NOW,
    };
    (0..count).map(|_| runtime.block_on(store.write_down_act(act())).unwrap()).collect()
}

/// PKCS#8, from openssl: ring makes no RSA keys.
fn new_key(kind: KeyAlgorithm) -> Vec<u8> {
    let arguments: &[&str] = match kind {
        KeyAlgorithm::EcdsaP256 => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        _ => &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    };
    let pem = Command::new("openssl").arg("genpkey").args(arguments).output().unwrap().stdout;
    from_pem_or_der("PRIVATE KEY", &pem).remove(0)
}

/// The key as ring has it, with nothing around it.
enum Bare {
    Ecdsa(EcdsaKeyPair),
    Rsa(rsa::KeyPair),
}

impl Bare {
    fn of(kind: KeyAlgorithm, pkcs8: &[u8]) -> Self {
        match kind {
            KeyAlgorithm::EcdsaP256 => {
                let scheme = &ECDSA_P256_SHA256_ASN1_SIGNING;
                Self::Ecdsa(EcdsaKeyPair::from_pkcs8(scheme, pkcs8, &SystemRandom::new()).unwrap())
            }
            _ => Self::Rsa(rsa::KeyPair::from_pkcs8(pkcs8).unwrap()),
        }
    }

    fn sign(&self, message: &[u8]) {
        let random = SystemRandom::new();
        match self {
            Self::Ecdsa(pair) => {
                pair.sign(&random, message).unwrap();
            }
            Self::Rsa(pair) => {
                let mut value = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut value).unwrap();
            }
        }
    }
}

/// pyHanko on the same page with the same P-256 key in one process, as many times as fit; in a CPU-second.
fn pyhanko(folder: &Path, seconds: f64) -> Option<f64> {
    let Ok(peers) = std::env::var("YINXIN_PEERS") else {
        println!("pyHanko: left out (YINXIN_PEERS is unset; scripts/bench sets it)");
        return None;
    };
    std::fs::write(folder.join("seal.py"), include_str!("pyhanko_seal.py")).unwrap();
    let python = Path::new(&peers).join("bin/python");
    let output = Command::new(python).current_dir(folder).args(["seal.py", &seconds.to_string()]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let figures: Vec<f64> = text.split_whitespace().filter_map(|w| w.parse().ok()).collect();
    let [times, cpu] = figures[..] else {
        println!("pyHanko: failed: {}", String::from_utf8_lossy(&output.stderr));
        return None;
    };
    print_line("pyHanko, the same page and key, in one process", times, cpu);
    Some(times / cpu)
}

// — a large file, from disk to disk

fn own_process(folder: &Path) {
    std::fs::write(folder.join("large.pdf"), scanned(200, 525_000)).unwrap();
    let output = Command::new(std::env::current_exe().unwrap()).arg("--large").arg(folder).output().unwrap();
    print!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}

struct OnDisk(File, usize);

impl ReadAt for OnDisk {
    fn length(&self) -> usize {
        self.1
    }

    fn read_at(&self, offset: usize, into: &mut [u8]) -> std::io::Result<()> {
        self.0.read_exact_at(into, offset as u64)
    }
}

fn large(folder: &Path, runtime: &tokio::runtime::Runtime) {
    let store = runtime.block_on(bureau::open(&database(folder)));
    let keyring = bureau::keyring(folder);
    let picture = yinxin::pdf::appearance::Appearance::of(&ring_of_40_mm());
    let parts = Parts::of(&keyring, "p-256", picture, &store, runtime);
    let size = std::fs::metadata(folder.join("large.pdf")).unwrap().len();
    for turn in 0..5 {
        // Starts the count of the most memory held anew (proc(5)): opening the keys took more.
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let held = resident();
        let (before, start) = (cpu_seconds().0, Instant::now());
        let draft = OnDisk(File::open(folder.join("large.pdf")).unwrap(), size as usize);
        let elsewhere = Elsewhere::new(&draft);
        let prepared = parts.prepare(&elsewhere);
        elsewhere.trouble().unwrap();
        let attributes = parts.to_be_signed(&prepared);
        let order = orders(&store, runtime, "p-256", &attributes, 1).remove(0);
        let tail = parts.close(&prepared, &attributes, order);
        let out = folder.join("sealed.pdf");
        std::fs::copy(folder.join("large.pdf"), &out).unwrap();
        let mut file = File::options().append(true).open(&out).unwrap();
        file.write_all(&tail).unwrap();
        file.sync_data().unwrap();
        let cpu = cpu_seconds().0 - before;
        println!(
            "{:.1} MB from disk to disk, turn {turn}: {:.0} ms CPU, {:.0} ms in all, peak {:.1} MiB resident ({:.1} before)",
            size as f64 / 1e6,
            cpu * 1e3,
            start.elapsed().as_secs_f64() * 1e3,
            resident(),
            held
        );
    }
    let sealed = std::fs::read(folder.join("sealed.pdf")).unwrap();
    let trust = Trust { anchors: vec![Certificate::read(&parts.chain[0]).unwrap()], ..Trust::default() };
    let report = judge(&Evidence::open("bench", &sealed, Arc::new(trust), NOW));
    assert!(report.signatures[0].intact);
}

/// The most memory held since it was last asked to begin anew, MiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let kilobytes = status.lines().find_map(|l| l.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
    kilobytes.map_or(0.0, |k: f64| k / 1024.0)
}

fn ring_of_40_mm() -> yinxin::impression::Impression {
    use yinxin::impression::{Impression, Picture, Segment, Shape};
    let segments = vec![
        Segment::Move(0.0, 0.0),
        Segment::Line(40.0, 0.0),
        Segment::Line(40.0, 40.0),
        Segment::Line(0.0, 40.0),
        Segment::Close,
    ];
    Impression { width_mm: 40.0, height_mm: 40.0, picture: Picture::Vector(vec![Shape { rgb: [214, 0, 0], segments }]) }
}

/// Work shared out among callers that begin together; how much in a second of the clock.
fn callers<T: Send>(count: usize, work: Vec<T>, act: impl Fn(T) + Sync) -> f64 {
    let times = work.len() as f64;
    let work = Mutex::new(VecDeque::from(work));
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..count {
            scope.spawn(|| {
                loop {
                    let next = work.lock().unwrap().pop_front();
                    let Some(next) = next else { break };
                    act(next);
                }
            });
        }
    });
    times / start.elapsed().as_secs_f64()
}
