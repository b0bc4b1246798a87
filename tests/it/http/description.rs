//! The published descriptions are locked: a change of the API is a change of these files, and seen.

use crate::db::on_both;
use crate::http::Doors;

#[tokio::test(flavor = "multi_thread")]
async fn openapi_of_both_listeners() {
    on_both("http_openapi", async |database| {
        let doors = Doors::open(database).await;
        for (name, client) in [("public", doors.public()), ("staff", doors.staff())] {
            let document = client.get("/openapi.json").await.json();
            assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
            insta::assert_json_snapshot!(format!("openapi-{name}"), document);
        }
    })
    .await;
}
