//! The one verdict page, for OFD as for PDF.

use std::sync::Arc;

use yinxin::http::{PublicState, public_router};

use super::client::Client;
use super::{Doors, listen};
use crate::db::on_both;
use crate::ofd_files::{Elsewhere, Shown, shown};

#[tokio::test(flavor = "multi_thread")]
async fn one_page_says_of_every_ofd_what_it_is_worth() {
    on_both("http_ofd", async |database| {
        let doors = Doors::open(database).await;
        let elsewhere = Elsewhere::new();
        let files = shown(&doors.bureau, &elsewhere).await;
        let trust = Arc::new(elsewhere.trust());
        let state = PublicState::new(doors.bureau.desk.store.clone(), doors.clock.clone(), trust, false);
        let (address, _stop) = listen(public_router(state)).await;
        let client = Client::of(address);
        for Shown { name, file, word, says } in files {
            let parts: [(&str, Option<&str>, &[u8]); 1] = [("file", Some("证照.ofd"), &file)];
            let page = client.post_parts("/verify", &parts).await;
            let text = page.text();
            assert_eq!(page.status, 200, "{name}: {text}");
            let head = text.split("class=\"word\"").nth(1).unwrap().split("</p>").next().unwrap();
            assert!(head.contains(word), "{name}: {head}");
            for said in says {
                assert!(text.contains(said), "{name} does not say {said}: {text}");
            }
        }
        // Who does not believe the other house hears that it is not known, and not that it is good.
        let file = elsewhere.licence(crate::ofd_files::Wrong::Nothing);
        let page = doors.public().post_parts("/verify", &[("file", Some("证照.ofd"), &file)]).await.text();
        assert!(page.contains("无法确认") && page.contains("制章者的证书不是由此处信任的机构签发的"), "{page}");
    })
    .await;
}
