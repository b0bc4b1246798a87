//! The log's side: witnesses that answer, and others that are away, slow, lying, behind, ahead, or of another opinion.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration as Budget, Instant};

use ring::signature::Ed25519KeyPair;
use time::Duration;
use yinxin::tlog::checkpoint::{cosignature, cosigned, cosigned_message};
use yinxin::tlog::note::{Kind, Note, VerifierKey};
use yinxin::tlog::tree::Hash;
use yinxin::tlog::witness::AddCheckpoint;
use yinxin::witnesses::{Cosignatures, Fault, WitnessSettings, Witnesses, WitnessesSettings};

use super::log::{Log, pair};
use super::{LOG, Place, ask, door};
use crate::bureau::NOW;

/// What a false witness does with a request.
#[derive(Debug, Clone, Copy)]
enum Does {
    /// Cosigns whatever it is shown.
    Cosign,
    Slow(u64),
    /// A bit of the value is another.
    BrokenSignature,
    /// Cosigns another head than the one it was shown.
    AnotherHead,
    /// Signs with a key that nobody knows.
    AnotherKey,
    /// Signs a time so many seconds from now.
    AnotherTime(i64),
    Says(u16, &'static str),
    /// Always another size.
    NeverContent,
    Huge,
}

/// A false witness; it ends with the process.
struct False {
    settings: WitnessSettings,
    asked: Arc<AtomicUsize>,
}

impl False {
    fn new(name: &str, seed: u8, does: Does) -> Self {
        let (pair, key) = pair(name, Kind::Cosignature, seed);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let (pair, own, counted) = (Arc::new(pair), key.clone(), asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (pair, key, number) = (pair.clone(), own.clone(), counted.fetch_add(1, Ordering::SeqCst));
                std::thread::spawn(move || answer(stream.unwrap(), does, &pair, &key, number));
            }
        });
        Self { settings: WitnessSettings { url, key }, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn answer(mut stream: TcpStream, does: Does, pair: &Ed25519KeyPair, key: &VerifierKey, number: usize) {
    let body = body_of(&mut stream);
    let head = AddCheckpoint::read(&body).unwrap().head;
    let line = |pair: &Ed25519KeyPair, key: &VerifierKey, head: &Note, off: i64, broken: u8| {
        let seconds = (NOW.unix_timestamp() + off) as u64;
        let mut value: [u8; 64] =
            pair.sign(cosigned_message(seconds, head.text()).as_bytes()).as_ref().try_into().unwrap();
        value[7] ^= broken;
        cosignature(key, seconds, &value).to_string()
    };
    let (status, said) = match does {
        Does::Cosign => (200, line(pair, key, &head, 0, 0)),
        Does::Slow(milliseconds) => {
            std::thread::sleep(Budget::from_millis(milliseconds));
            (200, line(pair, key, &head, 0, 0))
        }
        Does::BrokenSignature => (200, line(pair, key, &head, 0, 1)),
        Does::AnotherHead => (200, line(pair, key, &Log::new(LOG, 1).head(3), 0, 0)),
        Does::AnotherKey => {
            let (pair, key) = super::log::pair(key.name(), Kind::Cosignature, 77);
            (200, line(&pair, &key, &head, 0, 0))
        }
        Does::AnotherTime(off) => (200, line(pair, key, &head, off, 0)),
        Does::Says(status, said) => (status, said.to_owned()),
        Does::NeverContent => (409, format!("{}\n", 1 + number % 5)),
        Does::Huge => (200, "x".repeat(70 * 1024)),
    };
    let _ =
        write!(stream, "HTTP/1.1 {status} Said\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{said}", said.len());
}

fn body_of(stream: &mut TcpStream) -> Vec<u8> {
    let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut buffer).unwrap();
        seen.extend_from_slice(&buffer[..read]);
        let Some(end) = seen.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let headers = String::from_utf8_lossy(&seen[..end]).to_lowercase();
        let length = headers.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if seen.len() >= end + 4 + length.parse::<usize>().unwrap() {
            return seen.split_off(end + 4);
        }
    }
}

fn asking(each: &[&WitnessSettings], needed: usize) -> Witnesses {
    let each = each.iter().map(|one| (*one).clone()).collect();
    Witnesses::of(WitnessesSettings { each, needed, deadline: Budget::from_secs(2) })
}

/// Shows them a head of this log; counts how often a proof was asked for.
async fn show(witnesses: &Witnesses, log: &Log, size: u64, proofs: &AtomicUsize) -> Cosignatures {
    show_at(witnesses, log, size, proofs, NOW).await
}

async fn show_at(
    witnesses: &Witnesses,
    log: &Log,
    size: u64,
    proofs: &AtomicUsize,
    now: time::OffsetDateTime,
) -> Cosignatures {
    let prove = async |old| {
        proofs.fetch_add(1, Ordering::SeqCst);
        Ok::<Vec<Hash>, String>(log.proof(old, size))
    };
    let got = witnesses.cosign(&log.head(size), size, now, prove).await;
    // Whatever came holds.
    let mut note = log.head(size);
    got.lines.iter().for_each(|line| note.sign(line.clone()));
    assert_eq!(cosigned(&note, &witnesses.keys()).unwrap(), got.seen_by);
    assert_eq!(got.lines.len(), got.seen_by.len());
    got
}

fn faults(got: &Cosignatures) -> Vec<(&str, &Fault)> {
    let mut faults: Vec<_> = got.faults.iter().map(|(name, fault)| (name.as_str(), fault)).collect();
    faults.sort_by_key(|(name, _)| *name);
    faults
}

/// A real witness behind a real door.
async fn real(name: &str, log: &Log) -> (Place, WitnessSettings, SocketAddr) {
    let place = Place::begun(name, log);
    let witness = place.open_at(NOW).unwrap();
    let key = witness.key().clone();
    let door = door(witness).await;
    (place, WitnessSettings { url: format!("http://{door}"), key }, door)
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_are_cosigned_and_sizes_remembered() {
    let log = Log::new(LOG, 1);
    let (_a, first, _) = real("witness.example/w1", &log).await;
    let (_b, second, elsewhere) = real("witness.example/w2", &log).await;
    let (witnesses, proofs) = (asking(&[&first, &second], 2), AtomicUsize::new(0));
    let got = show(&witnesses, &log, 5, &proofs).await;
    assert!(got.is_enough() && got.faults.is_empty(), "{got:?}");
    assert_eq!(proofs.load(Ordering::SeqCst), 0, "nothing is proven about no tree");
    let got = show(&witnesses, &log, 9, &proofs).await;
    assert!(got.is_enough() && got.faults.is_empty(), "{got:?}");
    assert_eq!(proofs.load(Ordering::SeqCst), 1, "one proof for both");

    // Another process of ours showed one of them more: it is asked again from there.
    assert_eq!(ask(elsewhere, &log.request(9, 11)).0, 200);
    let got = show(&witnesses, &log, 12, &proofs).await;
    assert!(got.is_enough(), "{got:?}");
    assert_eq!(proofs.load(Ordering::SeqCst), 3, "from 9 and from 11");
    // And one that just began remembers nothing.
    let anew = asking(&[&first, &second], 2);
    assert!(show(&anew, &log, 14, &proofs).await.is_enough());
    assert_eq!(anew.standing(NOW).iter().map(|one| one.size).collect::<Vec<_>>(), [Some(14), Some(14)]);

    // A head that is older than what they saw: a newer one must be shown.
    let got = show(&anew, &log, 13, &proofs).await;
    let ahead = Fault::Ahead(14);
    assert_eq!(faults(&got), [("witness.example/w1", &ahead), ("witness.example/w2", &ahead)]);
    assert!(!got.is_enough());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_two_faces_is_told_so() {
    let log = Log::new(LOG, 1);
    let other = log.other_face(LOG, 1);
    let (_place, one, _) = real("witness.example/w1", &log).await;
    let (witnesses, proofs) = (asking(&[&one], 1), AtomicUsize::new(0));
    assert!(show(&witnesses, &log, 8, &proofs).await.is_enough());
    for (size, expected) in [(8, Fault::OtherRoot), (12, Fault::Inconsistent)] {
        let got = show(&witnesses, &other, size, &proofs).await;
        assert_eq!(faults(&got), [("witness.example/w1", &expected)]);
        assert!(expected.is_alarming() && !got.is_enough());
    }
    assert!(show(&witnesses, &log, 9, &proofs).await.is_enough());
    // One that does not follow us, and one that knows another key.
    let (stranger, impostor) = (Log::new("other.example/log", 1), Log::new(LOG, 9));
    for (log, status) in [(stranger, 404), (impostor, 403)] {
        let got = show(&witnesses, &log, 12, &proofs).await;
        assert_eq!(faults(&got), [("witness.example/w1", &Fault::Status(status))]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn some_are_away_slow_or_lying() {
    let log = Log::new(LOG, 1);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = WitnessSettings { url: format!("http://{closed}"), key: pair("away", Kind::Cosignature, 20).1 };
    let liars = [
        ("another-head", Does::AnotherHead, Fault::Unsigned),
        ("another-key", Does::AnotherKey, Fault::Unsigned),
        ("another-time", Does::AnotherTime(-3600), Fault::Clock),
        ("broken", Does::BrokenSignature, Fault::Unsigned),
        ("empty", Does::Says(200, ""), Fault::Unreadable),
        ("failing", Does::Says(500, ""), Fault::Status(500)),
        ("garbage", Does::Says(200, "yes\n"), Fault::Unreadable),
        ("huge", Does::Huge, Fault::TooLarge),
        ("never-content", Does::NeverContent, Fault::Unreadable),
        ("no-size", Does::Says(409, "8 or so\n"), Fault::Unreadable),
        ("redirecting", Does::Says(302, ""), Fault::Status(302)),
    ];
    let liars: Vec<_> =
        (30..).zip(liars).map(|(seed, (name, does, fault))| (False::new(name, seed, does), fault)).collect();
    let slow = False::new("slow", 21, Does::Slow(5_000));
    let good = [False::new("w1", 22, Does::Cosign), False::new("w2", 23, Does::Cosign)];
    let mut each: Vec<&WitnessSettings> = liars.iter().map(|(liar, _)| &liar.settings).collect();
    each.extend([&away, &slow.settings, &good[0].settings, &good[1].settings]);
    let proofs = AtomicUsize::new(0);

    // Two are enough, and nobody waits for the slow one.
    let witnesses = asking(&each, 2);
    let begun = Instant::now();
    let got = show(&witnesses, &log, 8, &proofs).await;
    assert!(got.is_enough() && begun.elapsed() < Budget::from_millis(1_500), "{:?} {got:?}", begun.elapsed());
    let mut names: Vec<_> = got.seen_by.iter().map(|seen| seen.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["w1", "w2"]);

    // Three are not to be had: each says why, within the deadline.
    let witnesses = asking(&each, 3);
    let begun = Instant::now();
    let got = show(&witnesses, &log, 8, &proofs).await;
    assert!(!got.is_enough() && got.lines.len() == 2, "{got:?}");
    assert!((1_900..2_900).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    let said = faults(&got);
    for (liar, fault) in &liars {
        let name = liar.settings.key.name();
        assert!(said.contains(&(name, fault)), "{name}: {said:?}");
    }
    assert!(said.contains(&("slow", &Fault::Late)), "{said:?}");
    assert!(said.iter().any(|(name, fault)| *name == "away" && matches!(fault, Fault::Unreachable(_))), "{said:?}");
    assert_eq!(said.len(), liars.len() + 2, "each once: {said:?}");

    // Those that failed rest while the others suffice, and are asked when they do not.
    let two = asking(&[&liars[0].0.settings, &good[0].settings, &good[1].settings], 2);
    show(&two, &log, 8, &proofs).await;
    let waited = Instant::now();
    while two.standing(NOW).iter().all(|one| one.rests_until.is_none()) {
        assert!(waited.elapsed() < Budget::from_secs(5), "the liar's answer is remembered though not waited for");
        tokio::time::sleep(Budget::from_millis(10)).await;
    }
    let asked = liars[0].0.asked();
    let got = show(&two, &log, 9, &proofs).await;
    assert!(got.is_enough() && matches!(faults(&got)[..], [("another-head", Fault::Resting(_))]), "{got:?}");
    assert_eq!(liars[0].0.asked(), asked, "left alone");
    show_at(&two, &log, 9, &proofs, NOW + Duration::MINUTE).await;
    // Nobody waits for its answer, so the asking may come after all is done.
    let waited = Instant::now();
    while liars[0].0.asked() == asked {
        assert!(waited.elapsed() < Budget::from_secs(5), "it has rested, and is asked again");
        tokio::time::sleep(Budget::from_millis(10)).await;
    }
    let three = asking(&[&liars[0].0.settings, &good[0].settings], 2);
    for _ in 0..2 {
        let before = liars[0].0.asked();
        assert!(!show(&three, &log, 9, &proofs).await.is_enough());
        assert_eq!(liars[0].0.asked(), before + 1, "too few without it, so it is asked at once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_whose_state_was_put_back_is_not_counted() {
    let log = Log::new(LOG, 1);
    let place = Place::begun("witness.example/w1", &log);
    let older = std::fs::read(place.state_file()).unwrap();
    let witness = place.open_at(NOW).unwrap();
    let (key, listener) = (witness.key().clone(), tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(yinxin::http::serve(listener, yinxin::http::witness_router(Arc::new(witness)), async {
        let _ = stopped.await;
    }));
    let settings = WitnessSettings { url: format!("http://{address}"), key };
    let (witnesses, proofs) = (asking(&[&settings], 1), AtomicUsize::new(0));
    assert!(show(&witnesses, &log, 8, &proofs).await.is_enough());

    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    // The process ends, somebody puts the folder's older copy back, and it starts again.
    let waited = Instant::now();
    std::fs::write(place.state_file(), older).unwrap();
    let witness = loop {
        match place.open_at(NOW) {
            Ok(witness) => break witness,
            Err(why) => assert!(waited.elapsed() < Budget::from_secs(5), "{why}"),
        }
        tokio::time::sleep(Budget::from_millis(20)).await;
    };
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    tokio::spawn(yinxin::http::serve(
        listener,
        yinxin::http::witness_router(Arc::new(witness)),
        std::future::pending(),
    ));
    let got = show(&witnesses, &log, 9, &proofs).await;
    assert_eq!(faults(&got), [("witness.example/w1", &Fault::WentBack(0))]);
    assert!(!got.is_enough() && Fault::WentBack(0).is_alarming());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_proof_nobody_is_asked() {
    let log = Log::new(LOG, 1);
    let witness = False::new("w", 40, Does::Says(409, "3\n"));
    let witnesses = asking(&[&witness.settings], 1);
    let got = witnesses.cosign(&log.head(8), 8, NOW, async |_| Err::<Vec<Hash>, _>("no tiles")).await;
    assert_eq!(faults(&got), [("w", &Fault::NoProof("no tiles".into()))]);
    assert_eq!(witness.asked(), 1);
    // Nobody to ask, and nobody needed.
    assert!(show(&asking(&[], 0), &log, 8, &AtomicUsize::new(0)).await.is_enough());
}
