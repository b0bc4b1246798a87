//! What a citizen sees of an OFD.

use std::sync::Arc;

use yinxin::http::{PublicState, public_router};

use super::driver::Browser;
use super::reading;
use crate::bureau::{Bureau, NOW};
use crate::db::Database;
use crate::http::listen;
use crate::ofd_files::{Elsewhere, Shown, shown};

#[tokio::test(flavor = "multi_thread")]
async fn anyone_verifies_an_ofd() {
    let Some(browser) = Browser::start().await else { return };
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::sqlite("browser_ofd"));
    let bureau = Bureau::found(&database, folder.path()).await;
    let elsewhere = Elsewhere::new();
    let files = shown(&bureau, &elsewhere).await;
    let state = PublicState::new(bureau.desk.store.clone(), Arc::new(|| NOW), Arc::new(elsewhere.trust()), false);
    let (address, _stop) = listen(public_router(state)).await;
    let public = format!("http://{address}");
    // What the browser asked for before it came to us.
    browser.requests().await;
    for Shown { name, file, word, says } in files {
        let path = folder.path().join(format!("{name}.ofd"));
        std::fs::write(&path, file).unwrap();
        browser.open(&format!("{public}/verify")).await;
        browser.fill("file", path.to_str().unwrap()).await;
        browser.follow("main form button[type=submit]").await;
        let verdict = browser.read("main .verdict .word").await;
        assert!(verdict.contains(word), "{name}: {verdict}");
        reading::look(&browser, name, &[&public], false).await;
        // As far as it is in sight: what was checked one by one is folded away.
        browser.click("main article.signature details summary").await;
        let main = browser.read("main").await;
        for said in says {
            assert!(main.contains(said), "{name} does not say {said}: {main}");
        }
    }
}
