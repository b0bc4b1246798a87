//! What is asked of every page: it can be read aloud, fits a telephone, complains of nothing, and asks nobody else.

use serde_json::json;

use super::driver::Browser;

/// Everything that is wrong with the page before us, found by walking over it. Pages have no scripts, so this is the
/// only one that ever runs in them.
const WALK: &str = include_str!("walk.js");

/// What a reader announces with no name: of every control that can be reached, as Chromium tells screen readers.
async fn nameless(browser: &Browser) -> Vec<String> {
    const ROLES: [&str; 11] = [
        "button",
        "link",
        "textbox",
        "searchbox",
        "combobox",
        "checkbox",
        "radio",
        "spinbutton",
        "DateTime",
        "Date",
        "form",
    ];
    let tree = browser.devtools("Accessibility.getFullAXTree", json!({})).await;
    let nodes = tree["nodes"].as_array().unwrap();
    let shown = nodes
        .iter()
        .filter(|node| node["ignored"] != true && ROLES.contains(&node["role"]["value"].as_str().unwrap_or_default()));
    let nameless = shown.filter(|node| {
        node["role"]["value"] != "form" && node["name"]["value"].as_str().is_none_or(|name| name.trim().is_empty())
    });
    nameless.map(|node| format!("announced without a name: {}", node["role"]["value"])).collect()
}

/// All that is wrong with the page before us.
pub async fn wrong(browser: &Browser) -> Vec<String> {
    let mut wrong: Vec<String> = serde_json::from_value(browser.ask(WALK).await).unwrap();
    wrong.extend(nameless(browser).await);
    browser.narrow(true).await;
    let over = browser.ask("return document.documentElement.scrollWidth - window.innerWidth").await;
    if over.as_i64().unwrap() > 0 {
        wrong.push(format!("{over} px wider than a telephone"));
    }
    browser.narrow(false).await;
    wrong
}

/// Looks the page over, under a name; `refused` where its status is meant to be an error's, which Chromium reports.
pub async fn look(browser: &Browser, name: &str, ours: &[&str], refused: bool) {
    assert_eq!(wrong(browser).await, Vec::<String>::new(), "{name}: {}", browser.address().await);
    let mut complaints = browser.complaints().await;
    if refused {
        let expected = |line: &String| line.contains("the server responded with a status of 4");
        assert!(complaints.iter().all(expected), "{name}: {complaints:?}");
        complaints.clear();
    }
    assert_eq!(complaints, Vec::<String>::new(), "{name}");
    for asked in browser.requests().await {
        let known = ours.iter().any(|place| asked.starts_with(place)) || asked.starts_with("data:");
        assert!(known, "{name} asks somebody else: {asked}");
    }
    browser.picture(name).await;
    browser.narrow(true).await;
    browser.picture(&format!("{name}-telephone")).await;
    browser.narrow(false).await;
}
