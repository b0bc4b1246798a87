//! VERIFY alone: documents per CPU-second beside pyHanko and pdfsig on the same file in the same run, a file of 105 MB in
//! the program itself with its memory, and files with many signatures. Figures are printed, never asserted.
//! `--seconds N` sets the time for each line.
#![expect(clippy::unwrap_used, reason = "a benchmark ends at the first thing that is not so")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use time::Duration;
use yinxin::issue::{UploadPlace, UploadRequest, issue, seal_upload};
use yinxin::verify::gather::{gather, house_trust};
use yinxin::verify::{Evidence, Trust, judge};

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

use bureau::{BUREAU_SEAL, Bureau, NOW, decision, licence, number};
use measure::{cpu_seconds, line, print_line, scanned};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let seconds =
        arguments.iter().position(|a| a == "--seconds").and_then(|i| arguments.get(i + 1)?.parse().ok()).unwrap_or(3.0);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let database = db::Database { url: format!("sqlite:{}", folder.path().join("bench.sqlite").display()) };
    let bureau = runtime.block_on(Bureau::found(&database, folder.path()));
    let store = &bureau.desk.store;
    let document = |digest: &str| runtime.block_on(store.document(digest)).unwrap().unwrap().bytes;

    let pages: Vec<Vec<u8>> = (0..8)
        .map(|n| {
            let request = licence(&format!("许准〔2026〕{}号", 2000 + n), NOW - Duration::days(3));
            document(&runtime.block_on(issue(&bureau.desk, &bureau.chief, request, NOW)).unwrap().document)
        })
        .collect();
    let page = &pages[0];
    let sealed = |draft: Vec<u8>, name: &str| {
        let request = UploadRequest {
            decision: decision(name, NOW - Duration::days(3)),
            seal: number(BUREAU_SEAL),
            title: "准予行政许可决定书".into(),
            place: UploadPlace::At { page: 1, x_mm: 100.0, y_mm: 100.0 },
            more_places: vec![],
            straddle_mm: None,
        };
        let done = runtime.block_on(seal_upload(&bureau.desk, &bureau.chief, request, draft, NOW)).unwrap();
        document(&done.document)
    };
    let mut many = include_bytes!("../src/cli/demo/draft.pdf").to_vec();
    let (mut five, mut large) = (Vec::new(), sealed(scanned(200, 525_000), "许准〔2026〕1000号"));
    for n in 1..=50 {
        many = sealed(many, &format!("许准〔2026〕{n}号"));
        if n == 5 {
            five.clone_from(&many);
        }
    }
    let trust = Arc::new(runtime.block_on(house_trust(store)).unwrap());

    println!("{:<52} {:>12} {:>12}", "verification, P-256, own root and lists", "per CPU-s", "CPU ms each");
    let verify = |bytes: &[u8]| {
        let report = judge(&Evidence::open("bench", bytes, trust.clone(), NOW));
        assert!(report.verdict.is_genuine(), "{report:#?}");
    };
    let what = format!("one page, {} kB, one signature; eight in turn", page.len() / 1000);
    let mut in_turn = pages.iter().cycle();
    let ours = line(&what, seconds, || verify(in_turn.next().unwrap()));
    line("the same with nothing known of chain, list or log", seconds, || {
        let trust = Trust { known: Arc::default(), heads: Arc::default(), ..Trust::clone(&trust) };
        let report = judge(&Evidence::open("bench", in_turn.next().unwrap(), Arc::new(trust), NOW));
        assert!(report.verdict.is_genuine(), "{report:#?}");
    });
    line("the same with the register's word (SQLite)", seconds, || {
        judge(&runtime.block_on(gather(Some(store), trust.clone(), "bench", page.clone(), NOW)).unwrap());
    });
    let (of_five, of_fifty) = (
        line(&format!("{} kB, 5 signatures", five.len() / 1000), seconds, || verify(&five)),
        line(&format!("{} kB, 50 signatures", many.len() / 1000), seconds, || verify(&many)),
    );
    println!("ms a signature: {:.3} of 1, {:.3} of 5, {:.3} of 50", 1e3 / ours, 200.0 / of_five, 20.0 / of_fifty);

    let files = folder.path().join("files");
    std::fs::create_dir_all(&files).unwrap();
    write_trust(&files, &trust);
    std::fs::write(files.join("page.pdf"), page).unwrap();
    std::fs::write(files.join("large.pdf"), std::mem::take(&mut large)).unwrap();
    own_program(&files);
    if let Some(theirs) = pyhanko(&files, seconds) {
        println!("yinxin is {:.0} times pyHanko", ours / theirs);
    }
    pdfsig(&files, seconds);
}

fn write_trust(folder: &Path, trust: &Trust) {
    let place = folder.join("trust");
    std::fs::create_dir_all(&place).unwrap();
    let certificates = trust.anchors.iter().chain(&trust.intermediates).map(|c| c.der().to_vec());
    let lists = trust.lists.iter().map(|l| l.der().to_vec());
    for (n, der) in certificates.chain(lists).enumerate() {
        std::fs::write(place.join(format!("{n}.der")), der).unwrap();
    }
    std::fs::write(folder.join("root.der"), trust.anchors[0].der()).unwrap();
}

/// The program itself on the large file, from disk: its CPU time, and the most memory it held.
fn own_program(folder: &Path) {
    let size = std::fs::metadata(folder.join("large.pdf")).unwrap().len();
    let run = |file: &str| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_yinxin"))
            .current_dir(folder)
            .args(["verify", "--json", "--trust", "trust", "--at", "2026-11-21T08:00:00Z", file])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Only while it runs does the system tell; it is asked until the end, and the figure never falls (VmHWM).
        let status = format!("/proc/{}/status", child.id());
        let mut most = 0u64;
        let code = loop {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let held = text.lines().find_map(|l| l.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
            most = most.max(held.unwrap_or(0));
            if let Some(code) = child.try_wait().unwrap() {
                break code;
            }
            std::thread::sleep(std::time::Duration::from_micros(500));
        };
        (most, code)
    };
    const TIMES: u32 = 10;
    for (what, file) in [("yinxin verify, one page", "page.pdf"), ("yinxin verify, the large file", "large.pdf")] {
        let before = cpu_seconds().1;
        let runs: Vec<_> = (0..TIMES).map(|_| run(file)).collect();
        let cpu = cpu_seconds().1 - before;
        print_line(what, f64::from(TIMES), cpu);
        let most = runs.iter().map(|(most, _)| *most).max().unwrap();
        println!("  peak {:.1} MiB resident, {}", most as f64 / 1024.0, runs[0].1);
    }
    println!("  the large file has {:.1} MB", size as f64 / 1e6);
}

/// pyHanko on the same page in one process, as many times as fit; in a CPU-second.
fn pyhanko(folder: &Path, seconds: f64) -> Option<f64> {
    let Ok(peers) = std::env::var("YINXIN_PEERS").map(PathBuf::from) else {
        println!("pyHanko: left out (YINXIN_PEERS is unset; scripts/bench sets it)");
        return None;
    };
    std::fs::write(folder.join("verify.py"), include_str!("pyhanko_verify.py")).unwrap();
    let output =
        Command::new(peers.join("bin/python")).current_dir(folder).arg("verify.py").arg(seconds.to_string()).output();
    let output = output.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let figures: Vec<f64> = text.split_whitespace().filter_map(|w| w.parse().ok()).collect();
    let [times, cpu] = figures[..] else {
        println!("pyHanko: failed: {}", String::from_utf8_lossy(&output.stderr));
        return None;
    };
    print_line("pyHanko, one page, in one process", times, cpu);
    Some(times / cpu)
}

/// pdfsig takes one file a process and has no root to trust here.
fn pdfsig(folder: &Path, seconds: f64) {
    let run = || Command::new("pdfsig").current_dir(folder).args(["-nocert", "page.pdf"]).output();
    match run() {
        Err(error) => println!("pdfsig: not run: {error}"),
        Ok(output) if !String::from_utf8_lossy(&output.stdout).contains("Signature is Valid") => {
            println!("pdfsig: {}", String::from_utf8_lossy(&output.stdout));
        }
        Ok(_) => {
            let (start, before, mut times) = (Instant::now(), cpu_seconds().1, 0u32);
            while start.elapsed().as_secs_f64() < seconds {
                run().unwrap();
                times += 1;
            }
            print_line("pdfsig, one page, a process each, no path", f64::from(times), cpu_seconds().1 - before);
        }
    }
}
