//! Documents per CPU-second for each stage of ISSUE and VERIFY, and end to end through SQLite, beside pyHanko sealing
//! the same page in the same run. Figures are printed, never asserted. `--seconds N` sets the time for each line.
#![expect(clippy::unwrap_used, reason = "a benchmark ends at the first thing that is not so")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use time::Duration;
use yinxin::crypto::Digest;
use yinxin::issue::issue;
use yinxin::pdf::seal::{Certification, SealPlan, prepare};
use yinxin::verify::{Evidence, judge};

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

use bureau::{Bureau, NOW, licence};
use measure::{line, print_line};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let seconds =
        arguments.iter().position(|a| a == "--seconds").and_then(|i| arguments.get(i + 1)?.parse().ok()).unwrap_or(3.0);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let database = db::Database { url: format!("sqlite:{}", folder.path().join("bench.sqlite").display()) };
    let bureau = runtime.block_on(Bureau::found(&database, folder.path()));
    let desk = &bureau.desk;

    let request = licence("许准〔2026〕0号", NOW - Duration::days(3));
    // The first one fills the facts in; its data is what the renderer gets.
    let first = runtime.block_on(issue(desk, &bureau.chief, request.clone(), NOW)).unwrap();
    let order = runtime.block_on(desk.store.order(&first.order)).unwrap().unwrap();
    let mut data = order.licence.unwrap().data;
    let draft = desk.renderer.render(&request.template, &data, "bench", NOW).unwrap();
    let seal = runtime.block_on(desk.store.seal(&request.seal)).unwrap().unwrap();
    let parts = runtime.block_on(desk.parts(&seal, None)).unwrap();
    let plan = SealPlan {
        appearance: &parts.appearance,
        places: &[draft.seal_place.on()],
        signer_name: "示例县行政审批局",
        reason: "bench",
        location: "",
        at: NOW,
        certify: Some(Certification::NoChanges),
        reserve: parts.room,
    };
    let sealed = runtime.block_on(desk.store.document(&first.document)).unwrap().unwrap().bytes;
    let trust = Arc::new(runtime.block_on(yinxin::verify::gather::house_trust(&desk.store)).unwrap());

    println!("{:<44} {:>12} {:>12}", "食品经营许可证, one page", "per CPU-s", "CPU ms each");
    let mut n = 0u64;
    line("render (Typst, PDF/A-3b)", seconds, || {
        n += 1;
        data["operator_name"] = format!("示例餐饮店第{n}号").into();
        desk.renderer.render(&request.template, &data, "bench", NOW).unwrap();
    });
    line("prepare (update over the tail, digest)", seconds, || {
        prepare(&draft.pdf, &plan).unwrap();
    });
    line("verify (open, judge with the house's trust)", seconds, || {
        judge(&Evidence::open("bench", sealed.clone(), trust.clone(), NOW));
    });
    line("time stamp (our own: key, check, two commits)", seconds, || {
        runtime.block_on(desk.stamp(Digest::Sha256, &[7; 32])).unwrap();
    });
    line("end to end (decision to stored, SQLite FULL)", seconds, || {
        n += 1;
        let request = licence(&format!("许准〔2026〕{n}号"), NOW - Duration::days(3));
        runtime.block_on(issue(desk, &bureau.chief, request, NOW)).unwrap();
    });
    println!(
        "sealing alone (key, CMS, self-check, two commits) is end to end less render; soft P-256 key, draft {} kB",
        draft.pdf.len() / 1024
    );
    pyhanko(folder.path(), &draft.pdf, seconds);
}

/// pyHanko on the same draft with a P-256 key, in one process, as many times as fit.
fn pyhanko(folder: &Path, draft: &[u8], seconds: f64) {
    let Ok(peers) = std::env::var("YINXIN_PEERS").map(PathBuf::from) else {
        println!("pyHanko: left out (YINXIN_PEERS is unset; scripts/bench sets it)");
        return;
    };
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["bench.example".into()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(folder.join("draft.pdf"), draft).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    std::fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
    std::fs::write(folder.join("seal.py"), include_str!("pyhanko_seal.py")).unwrap();
    let output =
        Command::new(peers.join("bin/python")).current_dir(folder).arg("seal.py").arg(seconds.to_string()).output();
    match output {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout);
            let figures: Vec<f64> = text.split_whitespace().filter_map(|w| w.parse().ok()).collect();
            if let [times, cpu] = figures[..] {
                print_line("pyHanko: seal the same page", times, cpu);
            }
        }
        Ok(output) => println!("pyHanko: failed: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => println!("pyHanko: not run: {error}"),
    }
}
