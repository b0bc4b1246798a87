//! A key ceremony as it is held: the built program, two officers with their passwords, a script; what it writes down, and
//! what anyone can check of it afterwards.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::cli::{Place, Ran, private, program};

const PASSWORDS: [(&str, &str); 3] =
    [("spj-seal-1", "first officer's password"), ("spj-seal-2", "second officer's password"), ("spj-chief", "x")];
const BUREAU: &str = "51322100000002";

/// A bureau without keys, whose officers have passwords in files of their own.
pub fn founded() -> Place {
    let place = Place::new("sqlite:data/yinxin.sqlite");
    place.run(&["migrate"]).good();
    let sample = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/demo/wenchuan.json");
    place.run(&["import", sample.to_str().unwrap(), "--by", "zf-seal-1", "--second", "zf-seal-2"]).good();
    for (officer, password) in PASSWORDS {
        private(&place.folder.path().join(officer), password);
        place.run(&["officer", "password", officer, "--password-file", officer]).good();
    }
    place
}

pub fn script(place: &Place, name: &str, officers: [&str; 2], steps: &str) -> String {
    let mut text = String::from("title = \"年度密钥仪式\"\ndocument = \"仪〔2026〕1号\"\nplace = \"机房\"\n");
    for officer in officers {
        text += &format!("[[officer]]\nid = \"{officer}\"\npassword_file = \"{officer}\"\n");
    }
    fs::write(place.folder.path().join(name), text + steps).unwrap();
    name.to_owned()
}

pub fn transcript(place: &Place, name: &str) -> Value {
    serde_json::from_slice(&fs::read(place.folder.path().join(name)).unwrap()).unwrap()
}

const FOUNDING: &str = "[[step]]\ndo = \"init-authorities\"\norganisation = \"示例\"\n\
    [[step]]\ndo = \"make-seal-key\"\nseal = \"51322100000002\"\n";

#[test]
fn two_officers_found_rekey_and_destroy_and_anyone_can_check_it() {
    let place = founded();
    let both = ["spj-seal-1", "spj-seal-2"];
    let founding = script(&place, "founding.toml", both, FOUNDING);
    let planned = place.run(&["ceremony", "--dry-run", &founding]).good();
    assert!(planned.contains("建立根证书") && planned.contains("nothing was done"), "{planned}");
    place.run(&["ca", "export", "trust"]).good();
    assert!(
        !place.folder.path().join("trust/root.pem").exists()
            && !place.folder.path().join("founding.transcript.json").exists()
    );

    // Not one alone, not with a wrong password, not without the duty; nothing is made then.
    for (officers, why) in
        [(["spj-seal-1", "spj-seal-1"], "officer.two-administrators"), (["spj-seal-1", "spj-chief"], "officer.duty")]
    {
        let refused = script(&place, "refused.toml", officers, FOUNDING);
        place.run(&["ceremony", &refused]).complains(1, why);
    }
    private(&place.folder.path().join("wrong"), "a guess");
    let text = fs::read_to_string(place.folder.path().join(&founding)).unwrap();
    let wrong = text.replace("password_file = \"spj-seal-2\"", "password_file = \"wrong\"");
    fs::write(place.folder.path().join("wrong.toml"), wrong).unwrap();
    place.run(&["ceremony", "wrong.toml"]).complains(1, "ceremony.not-proven");
    fs::write(place.folder.path().join("odd.toml"), text.replace("organisation", "organization")).unwrap();
    let odd = place.run(&["ceremony", "odd.toml"]);
    odd.complains(1, "ceremony.script");
    assert!(place.run(&["seal", "show", BUREAU]).good().contains("\"certificates\": []"));

    assert!(place.run(&["ceremony", &founding]).good().contains("全部完成"));
    let made = transcript(&place, "founding.transcript.json");
    assert_eq!(made["outcome"], "completed");
    assert_eq!(made["officers"][1]["id"], "spj-seal-2");
    let step = &made["steps"][1];
    assert_eq!(step["state"], "done");
    assert_eq!(step["keys_made"][0]["label"], format!("seal-{BUREAU}-1"));
    assert_eq!(step["keys_made"][0]["public_key_sha256"], step["certificates_made"][0]["public_key_sha256"]);
    assert_eq!(made["steps"][0]["certificates_made"].as_array().unwrap().len(), 2);
    assert_eq!(made["home"]["home"], "soft");
    let text = made.to_string();
    assert!(!text.contains("officer's password"), "no password in it");
    let page = fs::read_to_string(place.folder.path().join("founding.transcript.html")).unwrap();
    assert!(page.contains("密钥仪式记录") && page.contains("签字"), "{page}");
    place.run(&["ceremony", &founding]).complains(1, "ceremony.transcript-there");

    // With the root alone, from another folder and without settings; with openssl too.
    place.run(&["ca", "export", "trust"]).good();
    let at = |name: &str| place.folder.path().join(name).to_str().unwrap().to_owned();
    let check = |file: &str| {
        let mut command = program();
        command.args(["ceremony", "--check", &at(file), "--root", &at("trust/root.pem")]).current_dir("/");
        Ran::of(&command.output().unwrap())
    };
    assert!(check("founding.transcript.json").good().contains("真实完整"));
    let openssl = std::process::Command::new("openssl")
        .args([
            "cms",
            "-verify",
            "-binary",
            "-inform",
            "DER",
            "-purpose",
            "any",
            "-in",
            &at("founding.transcript.json.p7s"),
        ])
        .args(["-content", &at("founding.transcript.json"), "-CAfile", &at("trust/root.pem"), "-out", "/dev/null"])
        .output()
        .unwrap();
    assert!(openssl.status.success(), "{}", String::from_utf8_lossy(&openssl.stderr));
    // One letter changed, and another's certificate.
    let changed = fs::read_to_string(at("founding.transcript.json")).unwrap().replace("机房", "机库");
    fs::write(at("changed.json"), changed).unwrap();
    fs::copy(at("founding.transcript.json.p7s"), at("changed.json.p7s")).unwrap();
    check("changed.json").complains(1, "cms.digest-differs");
    // The key that signed it is gone.
    let doctor = place.run(&["doctor"]).out;
    assert!(doctor.contains(&format!("seal-{BUREAU}-1")) && !doctor.contains("ceremony-"), "{doctor}");

    // Rekeyed, and the old key destroyed by the same two.
    let second = "[[step]]\ndo = \"rekey\"\nseal = \"51322100000002\"\nkeep_old_key = true\n\
        [[step]]\ndo = \"destroy\"\nseal = \"51322100000002\"\nkey = \"seal-51322100000002-1\"\n";
    let second = script(&place, "second.toml", both, second);
    place.run(&["ceremony", &second]).good();
    let made = transcript(&place, "second.transcript.json");
    assert_eq!(made["steps"][1]["keys_destroyed"][0]["label"], format!("seal-{BUREAU}-1"));
    assert_eq!(made["steps"][1]["revoked"].as_array().unwrap().len(), 1);
    assert!(check("second.transcript.json").good().contains("年度密钥仪式"));
    let shown = place.json(&["seal", "show", BUREAU]);
    assert_eq!(shown["certificates"][0]["revoked"], "cessation-of-operation");
    assert_eq!(shown["certificates"][1]["in_use"], true);
}

/// The next issuing authority, and a request for an outside one; the authority that is in force keeps its keys.
#[test]
fn the_next_authority_and_a_request_are_made_in_a_ceremony() {
    let place = founded();
    let both = ["spj-seal-1", "spj-seal-2"];
    let next = "[[step]]\ndo = \"rekey-issuing\"\n";
    place.run(&["ceremony", &script(&place, "early.toml", both, next)]).complains(1, "ca.missing");
    place.run(&["ceremony", &script(&place, "founding.toml", both, FOUNDING)]).good();
    let steps = format!("{next}[[step]]\ndo = \"request\"\nseal = \"{BUREAU}\"\nalgorithm = \"ecdsa-p256\"\n");
    place.run(&["ceremony", &script(&place, "next.toml", both, &steps)]).good();
    let made = transcript(&place, "next.transcript.json");
    assert_eq!(made["steps"][0]["certificates_made"][0]["key"], "issuing-2", "{made}");
    assert_eq!(made["steps"][1]["keys_made"][0]["label"], format!("seal-{BUREAU}-2"));
    assert_eq!(made["steps"][1]["said"]["id"], "ceremony.request");
    let request = fs::read_to_string(place.folder.path().join("next.transcript.request-2.pem")).unwrap();
    assert_eq!(made["steps"][1]["request"], request.as_str());
    assert!(request.starts_with("-----BEGIN CERTIFICATE REQUEST-----"));
    place.run(&["ca", "export", "trust"]).good();
    assert!(place.folder.path().join("trust/issuing-2.crl").exists());
    let checked = place.run(&["ceremony", "--check", "next.transcript.json", "--root", "trust/root.pem"]).good();
    assert!(checked.contains("全部完成"), "{checked}");
    let doctor = place.run(&["doctor"]).out;
    assert!(
        doctor.contains("[doctor.authority-followed]") && doctor.matches("[doctor.responder]").count() == 2,
        "{doctor}"
    );
    let early = "[[step]]\ndo = \"destroy-issuing\"\nauthority = \"issuing\"\n";
    place.run(&["ceremony", &script(&place, "end.toml", both, early)]).complains(1, "ca.not-ended");
}

/// After a step that fails none is begun, and what was done is in the transcript and signed.
#[test]
fn a_step_that_fails_stops_the_ceremony_and_is_told() {
    let place = founded();
    let both = ["spj-seal-1", "spj-seal-2"];
    place.run(&["ceremony", &script(&place, "founding.toml", both, FOUNDING)]).good();
    let steps = "[[step]]\ndo = \"rekey\"\nseal = \"51322100000002\"\nkeep_old_key = true\n\
        [[step]]\ndo = \"destroy\"\nseal = \"51322100000002\"\nkey = \"seal-51322100000002-9\"\n\
        [[step]]\ndo = \"destroy\"\nseal = \"51322100000002\"\nkey = \"seal-51322100000002-1\"\n";
    let ran = place.run(&["ceremony", &script(&place, "half.toml", both, steps)]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("life.no-key") && ran.out.contains("未完成"), "{}{}", ran.out, ran.err);
    let made = transcript(&place, "half.transcript.json");
    let states: Vec<_> = made["steps"].as_array().unwrap().iter().map(|step| step["state"].as_str().unwrap()).collect();
    assert_eq!((made["outcome"].as_str().unwrap(), states), ("stopped", vec!["done", "failed", "not-begun"]));
    assert_eq!(made["steps"][1]["said"]["id"], "life.no-key");
    place.run(&["ca", "export", "trust"]).good();
    let checked = place.run(&["ceremony", "--check", "half.transcript.json", "--root", "trust/root.pem"]).good();
    assert!(checked.contains("未完成"), "{checked}");
    // What cannot be done at all is refused before the first step.
    let others = "[[step]]\ndo = \"make-seal-key\"\nseal = \"51322100000110\"\n";
    let others = script(&place, "others.toml", both, others);
    place.run(&["ceremony", &others]).complains(1, "officer.not-your-seal");
    assert!(!place.folder.path().join("others.transcript.json").exists());
}

/// The authorities on SM2 are founded beside the others by a step of the same kind, once; whoever follows one says which.
#[test]
fn a_second_line_of_authorities_is_founded_in_a_ceremony() {
    let place = founded();
    let both = ["spj-seal-1", "spj-seal-2"];
    let init = |algorithm: &str| {
        format!("[[step]]\ndo = \"init-authorities\"\norganisation = \"示例\"\nalgorithm = \"{algorithm}\"\n")
    };
    // Each family once, also within one script; a successor under one of them, named.
    let rekey = "[[step]]\ndo = \"rekey-issuing\"\n";
    for (steps, why) in [
        ([init("ecdsa-p256"), init("rsa-3072")].concat(), "ca.exists"),
        ([init("sm2"), init("sm2")].concat(), "ca.exists"),
        ([init("ecdsa-p256"), init("sm2"), rekey.to_owned()].concat(), "ca.which-line"),
        ([init("ecdsa-p256"), rekey.to_owned(), "algorithm = \"sm2\"\n".to_owned()].concat(), "ca.other-family"),
    ] {
        let refused = script(&place, "refused.toml", both, &steps);
        place.run(&["ceremony", &refused]).complains(1, why);
    }
    let seal = format!("[[step]]\ndo = \"make-seal-key\"\nseal = \"{BUREAU}\"\nalgorithm = \"sm2\"\n");
    let founding = script(&place, "both.toml", both, &[init("ecdsa-p256"), init("sm2"), seal].concat());
    place.run(&["ceremony", &founding]).good();
    let made = transcript(&place, "both.transcript.json");
    let certificates = made["steps"][1]["certificates_made"].as_array().unwrap();
    let mut second: Vec<_> = certificates.iter().map(|one| one["key"].as_str().unwrap()).collect();
    second.sort_unstable();
    assert_eq!(second, ["issuing-sm2", "root-sm2"]);
    assert!(certificates.iter().all(|one| one["subject"].as_str().unwrap().contains("yinxin SM2 ")), "{made:#}");

    // Others get both, and check the transcript by the root that all their tools know.
    let written = place.json(&["ca", "export", "trust"])["files"].to_string();
    for file in ["root.pem", "root-sm2.pem", "issuing-sm2.pem", "root-sm2.crl", "issuing-sm2.crl"] {
        assert!(written.contains(&format!("\"{file}\"")), "{written}");
    }
    place.run(&["ceremony", "--check", "both.transcript.json", "--root", "trust/root.pem"]).good();
    place.run(&["ca", "init", "--organisation", "示例", "--algorithm", "sm2"]).complains(1, "ca.exists");
    let units = place.json(&["ca", "stamping"]);
    assert_eq!((units[0]["label"].as_str(), units[1]["label"].as_str()), (Some("stamping-1"), Some("stamping-sm2-1")));
    let doctor = place.run(&["doctor"]).out;
    for label in ["root-sm2", "issuing-sm2", "stamping-sm2-1"] {
        assert!(doctor.contains(label), "{label}: {doctor}");
    }
    assert!(!doctor.contains("doctor.authority-followed"), "each line's newest is in use: {doctor}");
}

/// In production nobody makes or ends keys alone at a prompt.
#[test]
fn production_makes_and_ends_keys_in_a_ceremony_alone() {
    let place = founded();
    let settings = fs::read_to_string(&place.settings).unwrap();
    let earnest = "mode = \"production\"\nsoft_keys_in_production = \"i-accept-that-keys-can-be-copied\"\n\
        [http]\npublic_url = \"https://seal.example\"\n";
    fs::write(&place.settings, format!("{earnest}{settings}")).unwrap();
    let two = ["--by", "spj-seal-1", "--second", "spj-seal-2"];
    for command in [
        &["ca", "init", "--organisation", "示例"][..],
        &["ca", "rekey"],
        &[&["seal", "make-cert", BUREAU], &two[..]].concat(),
        &[&["seal", "csr", BUREAU, "--out", "x.pem"], &two[..]].concat(),
        &[&["seal", "rekey", BUREAU, "--document", "1"], &two[..]].concat(),
        &[&["seal", "destroy-key", BUREAU, "--key", "k", "--document", "1"], &two[..]].concat(),
    ] {
        place.run(command).complains(1, "ceremony.needed");
    }
    let both = ["spj-seal-1", "spj-seal-2"];
    place.run(&["ceremony", &script(&place, "founding.toml", both, FOUNDING)]).good();
}

/// A password need not lie on a disk: it comes through a descriptor that whoever starts the ceremony opened.
#[test]
fn a_password_comes_through_a_descriptor() {
    let place = founded();
    let founding = script(&place, "founding.toml", ["spj-seal-1", "spj-seal-2"], FOUNDING);
    let path: PathBuf = place.folder.path().join(&founding);
    let text = fs::read_to_string(&path).unwrap();
    let text = text.replace("password_file = \"spj-seal-1\"", "password_fd = 3");
    fs::write(&path, text.replace("password_file = \"spj-seal-2\"", "password_fd = 4")).unwrap();
    let line = format!(
        "{} --config {} ceremony {founding} 3< <(printf %s \"first officer's password\") 4<spj-seal-2",
        env!("CARGO_BIN_EXE_yinxin"),
        place.settings.display()
    );
    let ran = std::process::Command::new("bash").args(["-c", &line]).current_dir(place.folder.path()).output().unwrap();
    Ran::of(&ran).good();
    let made = transcript(&place, "founding.transcript.json");
    assert_eq!(made["officers"][0]["proven_by"], "password-descriptor");
}
