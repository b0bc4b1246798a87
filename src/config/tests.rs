use time::Duration;

use super::*;

fn read(text: &str) -> Result<Settings, ConfigError> {
    let file = Path::new("/etc/yinxin/yinxin.toml");
    check(text, file).map_err(|what| ConfigError { file: file.into(), what })
}

/// Identifier and both sentences of the complaint.
fn complaint(text: &str) -> (&'static str, String) {
    let message = read(text).unwrap_err().message();
    (message.id, format!("{} {}", message.zh, message.en))
}

#[test]
fn nothing_written_is_a_trial_with_defaults() {
    let settings = read("").unwrap();
    assert_eq!(settings.mode, Mode::Trial);
    assert_eq!(settings.store, Store::Sqlite { file: "/etc/yinxin/data/yinxin.sqlite".into() });
    assert_eq!(settings.http.public_url, "http://127.0.0.1:8080");
    assert_eq!(settings.render.fonts, [PathBuf::from("/usr/share/fonts/opentype/noto")]);
}

#[test]
fn the_sample_in_docs_is_taken() {
    let settings = read(include_str!("../../docs/yinxin.sample.toml")).unwrap();
    assert_eq!(settings.mode, Mode::Production);
    assert!(
        matches!(&settings.keys, Keys::Pkcs11(tokens) if tokens.len() == 1 && tokens[0].sessions == 4),
        "{:?}",
        settings.keys
    );
    for (key, ..) in KEYS.iter().chain(status::KEYS).chain(upkeep::KEYS).chain(log::KEYS) {
        let last = key.rsplit('.').next().unwrap();
        assert!(include_str!("../../docs/yinxin.sample.toml").contains(last), "the sample does not show {key}");
    }
}

#[test]
fn every_key_says_what_is_allowed() {
    fn leaves(value: &serde_json::Value, at: String, found: &mut Vec<String>) {
        match value.as_object() {
            Some(inner) => {
                let dot = if at.is_empty() { "" } else { "." };
                inner.iter().for_each(|(key, value)| leaves(value, format!("{at}{dot}{key}"), found));
            }
            None => found.push(at),
        }
    }
    let mut found = vec!["mode".to_owned()];
    leaves(&serde_json::to_value(Written::default()).unwrap(), String::new(), &mut found);
    let mut listed: Vec<_> = KEYS
        .iter()
        .chain(status::KEYS)
        .chain(upkeep::KEYS)
        .chain(log::KEYS)
        .map(|(key, ..)| (*key).to_owned())
        .collect();
    found.sort();
    listed.sort();
    assert_eq!(found, listed);
}

#[test]
fn our_own_stamps_unless_others_are_named() {
    let own = read("").unwrap().stamp;
    assert!(own.own && own.authorities.is_empty() && own.public_a_minute == 30);
    assert_eq!(own.policy, crate::stamping::POLICY);
    let outside =
        read("[[stamp.authorities]]\nurl = \"http://a/\"\n[[stamp.authorities]]\nurl = \"https://b\"").unwrap().stamp;
    assert!(!outside.own);
    let urls: Vec<_> = outside.authorities.iter().map(|authority| authority.url.as_str()).collect();
    assert_eq!(urls, ["http://a/", "https://b"], "in the order in which they are written");
    assert_eq!(
        (outside.authorities[0].seconds, &outside.authorities[0].trust),
        (10, &PathBuf::from("/etc/yinxin/trust"))
    );
    assert!(read("[stamp]\nown = true\n[[stamp.authorities]]\nurl = \"http://a/\"").unwrap().stamp.own);
}

#[test]
fn an_unknown_key_is_an_error_that_names_it_and_its_neighbours() {
    let (id, text) = complaint("[store]\nurll = \"x\"");
    assert_eq!(id, "config.unknown-key");
    assert!(text.contains("/etc/yinxin/yinxin.toml"), "{text}");
    assert!(text.contains("store.urll") && text.contains("url, password_file"), "{text}");
    assert_eq!(complaint("modes = \"trial\"").0, "config.unknown-key");
    assert_eq!(complaint("[clock]\nnow = 1").0, "config.unknown-key");
}

#[test]
fn what_certificates_name_is_where_others_reach_it() {
    let at = |text: &str| read(text).unwrap().status.publication.at;
    assert_eq!(at(""), None);
    for own in ["http://localhost:8080", "http://127.0.0.1", "http://[::1]:8080"] {
        assert_eq!(at(&format!("[http]\npublic_url = \"{own}\"")), None, "{own}");
    }
    assert_eq!(at("[http]\npublic_url = \"https://seal.example\"").as_deref(), Some("https://seal.example"));
    assert_eq!(at("[status]\nurl = \"http://127.0.0.1:8080\"").as_deref(), Some("http://127.0.0.1:8080"));
    let status = read("[status]\nlist_days = 3\nlist_hours = 36\nhosts = [\"ca.example:8080\"]").unwrap().status;
    assert_eq!((status.publication.list_life, status.publication.list_every), (Duration::days(3), Duration::hours(36)));
    assert_eq!(status.hosts, ["ca.example:8080"]);
}

#[test]
fn a_wrong_value_is_named_and_never_repeated() {
    for (key, text) in [
        ("status.url", "[status]\nurl = \"ldap://SECRET7\""),
        ("status.list_days", "[status]\nlist_days = 0"),
        ("status.list_hours", "[status]\nlist_days = 3\nlist_hours = 37"),
        ("status.answer_hours", "[status]\nanswer_hours = 169"),
        ("status.hosts", "[status]\nhosts = [\"http://SECRET7/\"]"),
        ("mode", "mode = \"SECRET7\""),
        ("store.url", "[store]\nurl = \"mysql://SECRET7\""),
        ("store.url", "[store]\nurl = \"postgres://yinxin:SECRET7@db/yinxin\""),
        ("store.url", "[store]\nurl = \"postgres://yinxin@db/yinxin?password=SECRET7\""),
        ("store.url", "[store]\nurl = \"sqlite::memory:\""),
        ("store.url", "[store]\nurl = \"sqlite:a?mode=ro\""),
        ("keys.home", "[keys]\nhome = \"SECRET7\""),
        ("keys.pkcs11.pin_file", "[keys.pkcs11]\npin_file = 7777"),
        ("keys.pkcs11.workers", "[keys]\nhome = \"pkcs11\"\n[keys.pkcs11]\nworkers = 0"),
        ("keys.pkcs11.deadline_seconds", "[keys]\nhome = \"pkcs11\"\n[keys.pkcs11]\ndeadline_seconds = 61"),
        ("keys.pkcs11.token", "[keys.pkcs11]\ntoken = \"SECRET7\""),
        ("http.public", "[http]\npublic = \"SECRET7\""),
        ("http.staff", "[http]\nstaff = \"127.0.0.1:8080\""),
        ("http.public_url", "[http]\npublic_url = \"https://a/\""),
        ("stamp.policy", "[stamp]\npolicy = \"1.SECRET7\""),
        ("stamp.public_a_minute", "[stamp]\npublic_a_minute = 60001"),
        ("stamp.authorities", "[[stamp.authorities]]\nurl = \"https://user:SECRET7@tsa.example/\""),
        ("stamp.authorities", "[[stamp.authorities]]\nurl = \"ftp://tsa.example/SECRET7\""),
        ("stamp.authorities", "[[stamp.authorities]]\nurl = \"http:///SECRET7\""),
        ("stamp.authorities", "[[stamp.authorities]]\nurl = \"http://tsa.example\"\nseconds = 0"),
        ("stamp.authorities", "[[stamp.authorities]]\nurl = \"http://tsa.example\"\npolicy = \"SECRET7\""),
        ("stamp.authorities", "[[stamp.authorities]]\nurl = 7777"),
        ("stamp.authorities", "[[stamp.authorities]]\nseconds = 7"),
        (
            "http.public_url",
            "mode = \"production\"\nsoft_keys_in_production = \"i-accept-that-keys-can-be-copied\"\n[http]\npublic_url = \"http://a\"",
        ),
        ("render.fonts", "[render]\nfonts = \"SECRET7\""),
        ("soft_keys_in_production", "soft_keys_in_production = \"SECRET7\""),
        ("store", "store = \"SECRET7\""),
    ] {
        let (id, said) = complaint(text);
        assert_eq!(id, "config.value-not-allowed", "{text}: {said}");
        assert!(said.contains(key) && said.contains("/etc/yinxin/yinxin.toml"), "{text}: {said}");
        let shown = format!("{said} {:?}", read(text).unwrap_err());
        assert!(!shown.contains("SECRET7") && !shown.contains("7777"), "{text}: {shown}");
    }
}

#[test]
fn broken_toml_tells_the_place_and_not_the_text() {
    let (id, said) = complaint("mode = \"trial\"\npassphrase = SECRET7");
    assert_eq!(id, "config.not-toml");
    assert!(said.contains("line 2") && !said.contains("SECRET7"), "{said}");
}

/// In earnest two officers make and end a seal's key; nothing does it by itself.
#[test]
fn production_rekeys_nothing_by_itself() {
    let automatic = "[certificates]\nrekey = \"automatic\"";
    assert!(read(automatic).unwrap().certificates.rekeys && !read("").unwrap().certificates.rekeys);
    let earnest = "mode = \"production\"\nsoft_keys_in_production = \"i-accept-that-keys-can-be-copied\"\n\
        [http]\npublic_url = \"https://seal.example\"\n";
    assert!(!read(&format!("{earnest}[certificates]\nrekey = \"by-hand\"")).unwrap().certificates.rekeys);
    let (id, said) = complaint(&format!("{earnest}{automatic}"));
    assert!(id == "config.value-not-allowed" && said.contains("certificates.rekey"), "{id}: {said}");
}

#[test]
fn production_refuses_soft_keys_unless_told() {
    let with = |rest: &str| format!("mode = \"production\"\n{rest}\n[http]\npublic_url = \"https://seal.example\"");
    assert_eq!(complaint(&with("")).0, "config.soft-keys-in-production");
    let told = read(&with("soft_keys_in_production = \"i-accept-that-keys-can-be-copied\"")).unwrap();
    assert!(matches!(told.keys, Keys::Soft { .. }));
}

#[test]
fn a_token_needs_its_module_label_and_pin_file() {
    let all = ["module = \"/m.so\"", "token_label = \"bureau\"", "pin_file = \"pin\""];
    for left_out in 0..all.len() {
        let kept: Vec<_> = all.iter().enumerate().filter(|(i, _)| *i != left_out).map(|(_, line)| *line).collect();
        let (id, said) = complaint(&format!("[keys]\nhome = \"pkcs11\"\n[keys.pkcs11]\n{}", kept.join("\n")));
        assert_eq!(id, "config.missing-key", "{said}");
        assert!(said.contains(all[left_out].split(' ').next().unwrap()), "{said}");
    }
    let whole = read(&format!("[keys]\nhome = \"pkcs11\"\n[keys.pkcs11]\n{}", all.join("\n"))).unwrap();
    let alone = TokenSettings {
        module: "/m.so".into(),
        token: "bureau".into(),
        serial: None,
        pin_file: "/etc/yinxin/pin".into(),
        sessions: 4,
        deadline: std::time::Duration::from_secs(10),
        sm2: None,
    };
    assert_eq!(whole.keys, Keys::Pkcs11(vec![alone.clone()]));

    // Two that stand in for one another: each says what is its own.
    let second =
        "[[keys.pkcs11.token]]\ntoken_serial = \"1\"\n[[keys.pkcs11.token]]\ntoken_label = \"spare\"\nworkers = 2";
    let pair = read(&format!("[keys]\nhome = \"pkcs11\"\n[keys.pkcs11]\n{}\n{second}", all.join("\n"))).unwrap();
    let first = TokenSettings { serial: Some("1".into()), ..alone.clone() };
    assert_eq!(
        pair.keys,
        Keys::Pkcs11(vec![first, TokenSettings { token: "spare".into(), sessions: 2, ..alone.clone() }])
    );

    // A vendor's numbers for SM2, as hexadecimal as the vendor has them.
    let with = |numbers: &str| format!("[keys]\nhome = \"pkcs11\"\n[keys.pkcs11]\n{}\nsm2 = {numbers}", all.join("\n"));
    let own = "{ key_type = 0x80000010, generate = 0x80000020, sign = 0x80000021, digest_inside = true }";
    let numbers = Sm2Numbers { key_type: 0x8000_0010, generate: 0x8000_0020, sign: 0x8000_0021, digest_inside: true };
    assert_eq!(read(&with(own)).unwrap().keys, Keys::Pkcs11(vec![TokenSettings { sm2: Some(numbers), ..alone }]));
    read(&with("{ key_type = 3, generate = 0x1040, sign = 0x80000021, digest_inside = false }")).unwrap();
    for (id, wrong) in [
        // CKM_ECDSA is another signature.
        ("config.value-not-allowed", "{ key_type = 3, generate = 0x1040, sign = 0x1041, digest_inside = false }"),
        ("config.value-not-allowed", "{ key_type = 0, generate = 0x1040, sign = 0x80000021, digest_inside = false }"),
        ("config.value-not-allowed", "{ key_type = 3, generate = 0, sign = 0x80000021, digest_inside = false }"),
        ("config.value-not-allowed", "{ key_type = 3, generate = 0x1040, sign = 0x80000021 }"),
        ("config.value-not-allowed", "{ key_type = -1, generate = 0x1040, sign = 0x80000021, digest_inside = false }"),
    ] {
        assert_eq!(complaint(&with(wrong)).0, id, "{wrong}");
    }
}

#[test]
fn reports_are_sealed_by_a_seal_and_an_officer_or_not_at_all() {
    assert_eq!(read("").unwrap().verify.report_seal, None);
    let both = read("[verify]\nreport_seal = \"51322100000001\"\nreport_officer = \"chief\"").unwrap();
    assert_eq!(both.verify.report_seal.unwrap().officer.as_str(), "chief");
    for (key, text) in [
        ("verify.report_officer", "[verify]\nreport_seal = \"51322100000001\""),
        ("verify.report_seal", "[verify]\nreport_officer = \"chief\""),
        ("verify.report_seal", "[verify]\nreport_seal = \"1\"\nreport_officer = \"chief\""),
    ] {
        let (id, said) = complaint(text);
        assert!(id == "config.value-not-allowed" && said.contains(key), "{text}: {said}");
    }
}

#[test]
fn a_named_file_must_be_there_and_an_unnamed_one_need_not() {
    let error = load(Some(Path::new("/nowhere/yinxin.toml"))).unwrap_err();
    assert_eq!(error.message().id, "config.unreadable");
    assert!(error.to_string().contains("/nowhere/yinxin.toml"), "{error}");
}
