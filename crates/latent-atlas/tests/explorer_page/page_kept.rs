//! What can be taken along: picture, code, link; and what a link brings back.

use browser::Look;
use serde_json::{Value, json};

use crate::pages::{five, pair};
use crate::visit::{Visit, browser, numbers};

#[test]
fn picture_code_and_link_can_be_taken_along() {
    let Some(browser) = browser() else { return };
    let visit = Visit::to(&browser, pair(), &Look::default());
    visit.unfold();
    visit.idle();
    let folder = tempfile::tempdir().expect("a temporary folder");
    visit.page.download_into(folder.path()).expect("it may");
    visit.focus(".plane");
    visit.press("n");
    let state = visit.state();
    visit.click("#save-json");
    let document = visit.page.downloaded(&folder.path().join("code.json"));
    let document: Value = serde_json::from_slice(&document.expect("it comes")).expect("JSON");
    assert_eq!(document["data"]["name"], "Glyphs");
    let row = visit.number(&format!("atlas.app.data.index[{}]", state["image"]));
    assert_eq!(document["image"].as_f64(), Some(row));
    for run in 0..2 {
        assert_eq!(document["codes"][run]["z"], state["codes"][run]);
    }
    visit.click("#save-png");
    let picture = visit
        .page
        .downloaded(&folder.path().join("latent-plane.png"));
    let picture = picture.expect("it comes");
    assert!(picture.starts_with(b"\x89PNG"));
    // The head of a PNG file has its size.
    let side = |at: usize| {
        let bytes = picture[at..at + 4].try_into().expect("four bytes");
        f64::from(u32::from_be_bytes(bytes))
    };
    let size = visit.number("atlas.app.views[0].size");
    assert!(side(16) > 2.0 * size && side(20) > size);
    assert!(picture.len() > 50_000, "{} bytes", picture.len());
    visit.page.allow_clipboard().expect("it may");
    visit.click("#copy-link");
    visit.until("document.getElementById('kept').textContent.includes('clipboard')");
    let link = visit.get("navigator.clipboard.readText()");
    assert_eq!(link, visit.get("location.href"));
    assert!(link.as_str().is_some_and(|link| link.contains("#image=")));
    visit.is_quiet();
}

/// Whether two values are the same, but for codes, which are kept to five digits.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            let [one, other] = [one, other].map(|number| number.as_f64().expect("a number"));
            (one - other).abs() <= 1e-4 * one.abs().max(1e-3)
        }
        (Value::Array(ones), Value::Array(others)) => {
            ones.len() == others.len() && ones.iter().zip(others).all(|(a, b)| is_same(a, b))
        }
        (Value::Object(ones), Value::Object(others)) => {
            let same = |(name, one): (&String, &Value)| {
                others.get(name).is_some_and(|other| is_same(one, other))
            };
            ones.len() == others.len() && ones.iter().all(same)
        }
        _ => one == other,
    }
}

#[test]
fn the_address_brings_a_view_back() {
    let Some(browser) = browser() else { return };
    let visit = Visit::to(&browser, pair(), &Look::default());
    visit.unfold();
    for selector in [
        "#layer-density",
        "#layer-codes",
        "#classes button:nth-child(4)",
    ] {
        visit.click(selector);
    }
    visit.get("(() => { link.value = 'position'; link.dispatchEvent(new Event('change')); })()");
    visit.focus("#planes .model:nth-child(2) .plane");
    visit.press("n a n n b m");
    visit.idle();
    visit.focus("#path-shape");
    visit.press("ArrowDown");
    visit.focus("#path-at");
    visit.press("PageUp PageUp PageUp");
    visit.focus("#moment");
    visit.press("Home ArrowRight ArrowRight");
    let before = visit.state();
    assert_eq!(
        (
            &before["active"],
            &before["moment"],
            &before["path"],
            &before["pinned"]
        ),
        (&json!(1), &json!(2), &json!("shortest"), &json!(true))
    );
    visit.until("location.hash.includes('moment=2')");
    visit.reload();
    visit.idle();
    let after = visit.state();
    for field in [
        "active", "image", "codes", "pinned", "layers", "anchors", "path", "pathAt", "moment",
        "hidden",
    ] {
        let (after, before) = (&after[field], &before[field]);
        assert!(is_same(after, before), "{field}: {after}, before {before}");
    }
    assert_eq!(visit.get("link.value"), "position");
    let shown = "['layer-density', 'layer-codes'].map(id => document.getElementById(id).checked)";
    assert_eq!(visit.get(shown), json!([true, false]));
    assert_eq!(
        visit.get("document.querySelector('#layers input:checked').value"),
        "linear"
    );
    assert_eq!(
        visit.get("document.getElementById('path-shape').value"),
        "shortest"
    );
    let pressed = "document.querySelectorAll('#classes button')[3].getAttribute('aria-pressed')";
    assert_eq!(visit.get(pressed), "false");
    visit.is_quiet();
}

#[test]
fn the_address_brings_axes_and_held_codes_back() {
    let Some(browser) = browser() else { return };
    let visit = Visit::to(&browser, five(), &Look::default());
    visit.idle();
    visit.get(
        "(() => {
          const [across, up] = document.querySelectorAll('#dimensions select');
          across.value = 3; across.dispatchEvent(new Event('change'));
          up.value = 1; up.dispatchEvent(new Event('change'));
        })()",
    );
    visit.focus(".plane");
    visit.press("ArrowLeft Shift+ArrowUp");
    let before = visit.state();
    visit.until("location.hash.includes('axes0=4,2')");
    visit.until("atlas.app.ownFragment === location.hash");
    visit.until(&format!(
        "location.hash.includes(Number({}.toPrecision(9)))",
        numbers(&before["codes"][0])[3]
    ));
    visit.reload();
    let after = visit.state();
    let (after, before) = (&after["codes"], &before["codes"]);
    assert!(is_same(after, before), "{after}, before {before}");
    let axes = visit
        .get("[...document.querySelectorAll('#dimensions select')].map(select => select.value)");
    assert_eq!(axes, json!(["3", "1"]));
    visit.is_quiet();
}

#[test]
fn a_damaged_address_opens_the_page_all_the_same() {
    let Some(browser) = browser() else { return };
    let made = pair();
    let visit = Visit::to(&browser, made, &Look::default());
    let address = browser::file_address(&made.page).expect("an address");
    let damaged = "run=9&image=-1&z=1,2,x&map=<b>&layers=density,constructor&hidden=99,,-1&a=1;2;3&b=;&path=x&at=7&moment=999&axes0=9,9&axes1=&held=2";
    visit.page.go_to("about:blank").expect("it goes");
    visit
        .page
        .go_to(&format!("{address}#{damaged}"))
        .expect("it goes");
    visit.until("document.documentElement.dataset.state === 'ready'");
    visit.idle();
    let state = visit.state();
    assert_eq!(
        (&state["active"], &state["hidden"]),
        (&json!(0), &json!([]))
    );
    assert_eq!(state["layers"]["density"], true);
    assert_eq!(state["moment"], 8);
    visit.is_quiet();
}
