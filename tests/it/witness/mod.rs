//! A witness at its door: real HTTP, real keys, its state on a real disk; and the log's side, asking.

mod asking;
mod log;
mod process;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use time::{Duration, OffsetDateTime};
use tokio::net::TcpListener;
use yinxin::crypto::{KeyAlgorithm, sha256};
use yinxin::http::{serve, witness_router};
use yinxin::keys::{HomeSettings, KeySettings, Keyring, Mode};
use yinxin::pki::certificate::Certificate;
use yinxin::pki::install::{InstallFault, check_installable};
use yinxin::pki::issue::{self, IssueFault, Period, Serial};
use yinxin::pki::name::{Attribute, Name};
use yinxin::store::witness::{NotRecorded, WitnessBook};
use yinxin::tlog::checkpoint::{Checkpoint, cosigned};
use yinxin::tlog::note::{Line, Note, VerifierKey};
use yinxin::tlog::tree::Hash;
use yinxin::tlog::witness::{AddCheckpoint, Refused};
use yinxin::witness::{NotCosigned, Office, Witness};

use self::log::Log;
use crate::bureau::NOW;

const LOG: &str = "seal.example/log";

/// An office with a key home and settings; its witness is made with `begin`.
struct Place {
    folder: tempfile::TempDir,
    keyring: Arc<Keyring>,
    office: Office,
}

impl Place {
    fn new(name: &str, log: &Log) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let passphrase = folder.path().join("passphrase");
        fs::write(&passphrase, "correct horse battery staple").unwrap();
        fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o600)).unwrap();
        let home = HomeSettings::Soft {
            directory: folder.path().join("keys"),
            passphrase_file: passphrase,
            soft_keys_in_production: None,
        };
        let keyring = Arc::new(Keyring::open(&KeySettings { mode: Mode::Trial, home }).unwrap());
        let office = Office {
            name: name.into(),
            key: "witness".into(),
            state: folder.path().join("state"),
            logs: vec![log.key.clone()],
        };
        Self { folder, keyring, office }
    }

    fn begun(name: &str, log: &Log) -> Self {
        let place = Self::new(name, log);
        Witness::begin(&place.office, &place.keyring).unwrap();
        place
    }

    fn open_at(&self, now: OffsetDateTime) -> Result<Witness, NotCosigned> {
        Witness::open(&self.office, &self.keyring, Arc::new(move || now))
    }

    fn book(&self) -> WitnessBook {
        let key = self.open_at(NOW).unwrap().key().clone();
        WitnessBook::open(&self.office.state, key, "witness", self.office.logs.clone()).unwrap()
    }

    fn state_file(&self) -> PathBuf {
        self.office.state.join("witness.state")
    }
}

/// Lets a witness answer, until the test ends.
async fn door(witness: Witness) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, witness_router(Arc::new(witness)), std::future::pending()));
    address
}

/// Status, content type, body.
fn call(request: ureq::RequestBuilder<ureq::typestate::WithBody>, body: &str) -> (u16, String, String) {
    let mut answer = request.config().http_status_as_error(false).build().send(body).unwrap();
    let kind = answer.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned()).unwrap_or_default();
    (answer.status().as_u16(), kind, answer.body_mut().read_to_string().unwrap())
}

fn ask(door: SocketAddr, body: &str) -> (u16, String, String) {
    call(ureq::post(format!("http://{door}/add-checkpoint")), body)
}

fn read(door: SocketAddr, path: &str) -> (u16, String) {
    let mut answer =
        ureq::get(format!("http://{door}{path}")).config().http_status_as_error(false).build().call().unwrap();
    (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
}

/// The line holds over this head, at this time.
#[track_caller]
fn assert_holds(line: &str, head: &Note, witness: &VerifierKey, now: OffsetDateTime) {
    let mut note = head.clone();
    note.sign(Line::read(line.strip_suffix('\n').unwrap()).unwrap());
    let held = cosigned(&note, std::slice::from_ref(witness)).unwrap();
    assert_eq!(held.len(), 1, "{line}");
    assert_eq!(held[0].seconds, now.unix_timestamp() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_the_protocols() {
    let log = Log::new(LOG, 1);
    let (other_face, impostor) = (log.other_face(LOG, 1), Log::new(LOG, 9));
    let place = Place::begun("witness.example/w1", &log);
    let witness = place.open_at(NOW).unwrap();
    let key = witness.key().clone();
    let door = door(witness).await;
    let size = |(status, kind, body): (u16, String, String)| {
        assert_eq!((status, kind.as_str()), (409, "text/x.tlog.size"), "{body}");
        body
    };
    let shown = format!("/{}/checkpoint", hex::encode(sha256(LOG.as_bytes())));
    assert_eq!(read(door, &shown).0, 404, "nothing seen yet");

    let (status, _, line) = ask(door, &log.request(0, 5));
    assert_eq!(status, 200, "{line}");
    assert_holds(&line, &log.head(5), &key, NOW);
    let (status, _, line) = ask(door, &log.request(5, 8));
    assert_eq!(status, 200, "{line}");
    assert_holds(&line, &log.head(8), &key, NOW);

    // Stale, or without any idea: it is told where to begin. The very same head again is no harm.
    assert_eq!(size(ask(door, &log.request(5, 12))), "8\n");
    assert_eq!(size(ask(door, &log.request(0, 12))), "8\n");
    assert_eq!(ask(door, &log.request(8, 8)).0, 200);
    // Two faces: of the same size, and grown from another.
    assert_eq!(size(ask(door, &other_face.request(8, 8))), "8\n");
    assert_eq!(ask(door, &other_face.request(8, 12)).0, 422);
    // A proof too much or too little.
    let padded = AddCheckpoint { old: 8, proof: vec![Hash([0; 32])], head: log.head(8) };
    assert_eq!(ask(door, &padded.to_string()).0, 422);
    assert_eq!(ask(door, &AddCheckpoint { old: 8, proof: vec![], head: log.head(12) }.to_string()).0, 422);
    // Smaller than before.
    assert_eq!(ask(door, &log.request(9, 8)).0, 400);
    assert_eq!(size(ask(door, &log.request(5, 7))), "8\n");
    // Whose log?
    assert_eq!(ask(door, &Log::new("other.example/log", 1).request(0, 5)).0, 404);
    assert_eq!(ask(door, &impostor.request(8, 12)).0, 403);
    assert_eq!(ask(door, &log.request(8, 12).replace("\n12\n", "\n13\n")).0, 403);
    // What is no request.
    let good = log.request(8, 12);
    let many = AddCheckpoint { old: 8, proof: vec![Hash([0; 32]); 64], head: log.head(12) }.to_string();
    for bad in ["", "old", "old 08\n", &good[1..], &good.replace("old 8", "old 08"), &good.replace("\n\n", "\n"), &many]
    {
        let (status, kind, body) = ask(door, bad);
        assert_eq!((status, kind.as_str()), (400, "application/problem+json"), "{bad:?}: {body}");
    }
    assert_eq!(ask(door, &"x".repeat(97 * 1024)).0, 413);
    assert_eq!(read(door, "/add-checkpoint").0, 405);

    // None of it moved anything: what is shown is the last good head with the line, and the log goes on from it.
    let (status, text) = read(door, &shown);
    assert_eq!(status, 200);
    let note = Note::read(text.as_bytes()).unwrap();
    assert_eq!(Checkpoint::open(&note, &log.key).unwrap().size, 8);
    assert_eq!(cosigned(&note, std::slice::from_ref(&key)).unwrap().len(), 1);
    assert_eq!(ask(door, &good).0, 200);
    assert_eq!(read(door, "/readyz"), (200, "ready\n".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_empty_tree_is_one() {
    let log = Log::new(LOG, 1);
    let place = Place::begun("witness.example/w1", &log);
    let door = door(place.open_at(NOW).unwrap()).await;
    let false_one = AddCheckpoint { old: 0, proof: vec![], head: log.say(Checkpoint::new(LOG, 0, Hash([7; 32]))) };
    assert_eq!(ask(door, &false_one.to_string()).0, 422);
    assert_eq!(ask(door, &log.request(0, 0)).0, 200);
    assert_eq!(ask(door, &log.request(0, 3)).0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_at_once_never_take_it_back() {
    let log = Arc::new(Log::new(LOG, 1));
    let place = Place::begun("witness.example/w1", &log);
    let door = door(place.open_at(NOW).unwrap()).await;
    let newest = Arc::new(AtomicU64::new(0));
    let callers: Vec<_> = (0..8u64)
        .map(|caller| {
            let (log, newest) = (log.clone(), newest.clone());
            tokio::task::spawn_blocking(move || {
                let (mut old, mut cosigned, mut refused) = (0, 0, 0);
                for round in 0..40 {
                    let new = old + 1 + (caller + round) % 3;
                    let before = newest.load(Ordering::SeqCst);
                    let (status, _, body) = ask(door, &log.request(old, new));
                    match status {
                        200 => {
                            assert!(before <= new, "{new} was cosigned when {before} had been");
                            newest.fetch_max(new, Ordering::SeqCst);
                            (old, cosigned) = (new, cosigned + 1);
                        }
                        409 => {
                            old = body.trim_end().parse().unwrap();
                            assert!(old >= before, "{old} was told when {before} had been cosigned");
                            refused += 1;
                        }
                        status => panic!("{status}: {body}"),
                    }
                }
                (cosigned, refused)
            })
        })
        .collect();
    let mut sum = (0, 0);
    for caller in callers {
        let (cosigned, refused) = caller.await.unwrap();
        sum = (sum.0 + cosigned, sum.1 + refused);
    }
    assert!(sum.0 >= 40 && sum.1 >= 8, "{sum:?}");
    let (_, text) = read(door, &format!("/{}/checkpoint", hex::encode(sha256(LOG.as_bytes()))));
    let shown = Checkpoint::open(&Note::read(text.as_bytes()).unwrap(), &log.key).unwrap();
    assert_eq!(shown.size, newest.load(Ordering::SeqCst));
}

#[test]
fn what_is_written_down_is_never_forgotten() {
    let log = Log::new(LOG, 1);
    let place = Place::begun("witness.example/w1", &log);
    let request = |old, new| AddCheckpoint::read(log.request(old, new).as_bytes()).unwrap();
    let book = place.book();
    drop(book.record(&request(0, 5), NOW).unwrap());
    // One process alone.
    assert!(matches!(place.open_at(NOW), Err(NotCosigned::State(error)) if error.message().id == "witness.in-use"));
    // The plug is pulled after the head was written down and before it was signed: the leave is lost, the head is not.
    let leave = book.record(&request(5, 9), NOW).unwrap();
    assert_eq!(leave.order.key(), "witness");
    drop((leave, book));
    let book = place.book();
    assert!(matches!(book.record(&request(5, 12), NOW), Err(NotRecorded::Refused(Refused::Conflict(9)))));
    assert!(matches!(
        book.record(&AddCheckpoint::read(log.other_face(LOG, 1).request(5, 9).as_bytes()).unwrap(), NOW),
        Err(NotRecorded::Refused(Refused::Conflict(9)))
    ));
    // The log asks again and has its cosignature.
    book.record(&request(9, 9), NOW).unwrap();
    drop(book);
    let witness = place.open_at(NOW).unwrap();
    let line = witness.add_checkpoint(log.request(9, 9).as_bytes()).unwrap();
    assert_holds(&line, &log.head(9), witness.key(), NOW);
    // What it said last, it says again when it starts.
    let shown = witness.checkpoint(&hex::encode(sha256(LOG.as_bytes()))).unwrap();
    assert!(cosigned(&Note::read(shown.as_bytes()).unwrap(), &[witness.key().clone()]).unwrap().len() == 1);
}

#[test]
fn time_never_goes_back() {
    let log = Log::new(LOG, 1);
    let place = Place::begun("witness.example/w1", &log);
    let request = |old, new| AddCheckpoint::read(log.request(old, new).as_bytes()).unwrap();
    let book = place.book();
    let seconds = book.record(&request(0, 5), NOW).unwrap().seconds;
    // A step of NTP's is passed over; a clock that is an hour behind is not believed, also after a restart.
    assert_eq!(book.record(&request(5, 6), NOW - Duration::seconds(2)).unwrap().seconds, seconds);
    drop(book);
    assert!(matches!(place.open_at(NOW - Duration::HOUR), Err(NotCosigned::Clock)));
    assert!(matches!(place.book().record(&request(6, 7), NOW - Duration::HOUR), Err(NotRecorded::Clock)));
    assert_eq!(place.book().record(&request(6, 7), NOW + Duration::HOUR).unwrap().seconds, seconds + 3600);
}

/// Anybody can show a head that is public: within a minute the same line does for all of them, and the key is left alone. Later
/// it is said anew, and when is on the disk before it is said.
#[test]
fn one_cosignature_does_for_all_who_ask() {
    let log = Log::new(LOG, 1);
    let place = Place::begun("witness.example/w1", &log);
    let late = Arc::new(AtomicU64::new(0));
    let clock = late.clone();
    let clock = Arc::new(move || NOW + Duration::seconds(clock.load(Ordering::SeqCst) as i64));
    let witness = Witness::open(&place.office, &place.keyring, clock).unwrap();
    let said = |old| witness.add_checkpoint(log.request(old, 5).as_bytes()).unwrap();
    let first = said(0);
    let written = fs::read(place.state_file()).unwrap();
    for seconds in [0, 1, 59] {
        late.store(seconds, Ordering::SeqCst);
        assert_eq!(said(5), first, "{seconds}");
        assert_eq!(fs::read(place.state_file()).unwrap(), written);
    }
    late.store(60, Ordering::SeqCst);
    let second = said(5);
    assert_ne!(second, first);
    assert_holds(&second, &log.head(5), witness.key(), NOW + Duration::MINUTE);
    late.store(3600, Ordering::SeqCst);
    assert_holds(&said(5), &log.head(5), witness.key(), NOW + Duration::HOUR);
    assert_eq!(said(5), said(5));
    // A restart forgets neither: it is not said as of a time before.
    drop(witness);
    assert!(matches!(place.open_at(NOW), Err(NotCosigned::Clock)));
    let again = place.open_at(NOW + Duration::HOUR + Duration::MINUTE).unwrap();
    drop(again);
    assert!(matches!(place.open_at(NOW + Duration::HOUR - Duration::minutes(5)), Err(NotCosigned::Clock)));
}

#[test]
fn state_that_is_not_what_was_written_stops_it() {
    let log = Log::new(LOG, 1);
    let place = Place::begun("witness.example/w1", &log);
    let before = fs::read(place.state_file()).unwrap();
    place.open_at(NOW).unwrap().add_checkpoint(log.request(0, 5).as_bytes()).unwrap();
    let whole = fs::read(place.state_file()).unwrap();
    assert_ne!(before, whole);
    let key = place.open_at(NOW).unwrap().key().clone();
    let open = || WitnessBook::open(&place.office.state, key.clone(), "witness", place.office.logs.clone());
    let kept = || open().map(|book| book.head(LOG).map(|head| head.text().to_owned()));
    let seen = kept().unwrap();
    // Whatever byte is another, or wherever it is cut off: it does not open, or it says the same of the log.
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(place.state_file(), &changed).unwrap();
        assert!(kept().is_err() || kept().unwrap() == seen, "byte {at}");
        fs::write(place.state_file(), &whole[..at]).unwrap();
        assert!(kept().is_err() || at == whole.len() - 1, "cut at {at}");
    }
    let id = |outcome: Result<_, NotCosigned>| outcome.map(|_: Witness| ()).unwrap_err().message().id;
    // A head that the log did not sign, whole in all else.
    let forged = Log::new(LOG, 9).head(5).to_string();
    let altered = String::from_utf8(whole.clone()).unwrap();
    let own = serde_json::to_string(&log.head(5).to_string()).unwrap();
    assert!(altered.contains(&own));
    fs::write(place.state_file(), altered.replace(&own, &serde_json::to_string(&forged).unwrap())).unwrap();
    assert_eq!(id(place.open_at(NOW)), "witness.state-unreadable");
    // The settings name another key for the log. One that is no longer followed is remembered all the same.
    fs::write(place.state_file(), &whole).unwrap();
    let follows = |log: Log| Office { logs: vec![log.key], ..place.office.clone() };
    let open_as = |office: &Office| Witness::open(office, &place.keyring, Arc::new(|| NOW));
    assert_eq!(id(open_as(&follows(Log::new(LOG, 9)))), "witness.other-log-key");
    let elsewhere = open_as(&follows(Log::new("other.example/log", 1))).unwrap();
    elsewhere.add_checkpoint(Log::new("other.example/log", 1).request(0, 2).as_bytes()).unwrap();
    drop(elsewhere);
    assert_eq!(kept().unwrap(), seen);
    // Taken away: nothing begins anew by itself, nor by `init`.
    fs::remove_file(place.state_file()).unwrap();
    assert_eq!(id(place.open_at(NOW)), "witness.no-state");
    let again = Witness::begin(&place.office, &place.keyring).unwrap_err();
    assert_eq!(again.message().id, "witness.forgotten");
    fs::write(place.state_file(), &whole).unwrap();
    let again = Witness::begin(&place.office, &place.keyring).unwrap_err();
    assert_eq!(again.message().id, "witness.state-there");
    // Another witness's, by name or by key.
    let renamed = Office { name: "witness.example/w2".into(), ..place.office.clone() };
    assert_eq!(id(Witness::open(&renamed, &place.keyring, Arc::new(|| NOW))), "witness.other-state");
    place.keyring.generate("second", KeyAlgorithm::Ed25519).unwrap();
    let rekeyed = Office { key: "second".into(), ..place.office.clone() };
    assert_eq!(id(Witness::open(&rekeyed, &place.keyring, Arc::new(|| NOW))), "witness.other-state");
    // A seal's key signs no heads.
    place.keyring.generate("seal-1", KeyAlgorithm::EcdsaP256).unwrap();
    let wrong = Office { key: "seal-1".into(), ..place.office.clone() };
    assert_eq!(id(Witness::open(&wrong, &place.keyring, Arc::new(|| NOW))), "keys.not-for-notes");
    assert!(place.open_at(NOW).is_ok());
}

#[test]
fn a_logs_key_is_nobodys_seal() {
    let place = Place::new("witness.example/w1", &Log::new(LOG, 1));
    let key = place.keyring.generate("log", KeyAlgorithm::Ed25519).unwrap();
    let name = Name::of(&[(Attribute::CommonName, "x")]).unwrap();
    let period = Period { not_before: NOW, not_after: NOW + Duration::DAY };
    let root = issue::root(&name, &key, Serial::from_random([1; 16]), period);
    for made in [root, issue::request(&name, &key)] {
        assert_eq!(made.map(|_| ()).unwrap_err(), IssueFault::LogKey);
    }
    // Nor is one taken from an outside authority that would make it.
    let outside = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
    params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    let certificate = Certificate::read(params.self_signed(&outside).unwrap().der()).unwrap();
    let anchors = [certificate.clone()];
    let installed = check_installable(&anchors, &certificate.public_key, &anchors, NOW);
    assert_eq!(installed.unwrap_err(), InstallFault::LogKey);
}

#[test]
fn disk_that_refuses_leaves_all_as_it_was() {
    let log = Log::new(LOG, 1);
    let place = Place::begun("witness.example/w1", &log);
    let witness = place.open_at(NOW).unwrap();
    witness.add_checkpoint(log.request(0, 5).as_bytes()).unwrap();
    // A folder in the way of the file to be written: root, as whom tests may run, is stopped by nothing less.
    let way = place.office.state.join("witness.state.unfinished");
    fs::create_dir(&way).unwrap();
    let refused = witness.add_checkpoint(log.request(5, 8).as_bytes()).unwrap_err();
    assert_eq!(refused.message().id, "witness.disk");
    assert!(matches!(
        witness.add_checkpoint(log.request(8, 9).as_bytes()),
        Err(NotCosigned::Refused(Refused::Conflict(5)))
    ));
    fs::remove_dir(&way).unwrap();
    witness.add_checkpoint(log.request(5, 8).as_bytes()).unwrap();
    assert!(place.folder.path().exists());
}
