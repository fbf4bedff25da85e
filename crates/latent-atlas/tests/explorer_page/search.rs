//! Finding images by what they are called.

use browser::Look;
use serde_json::json;

use crate::pages::{hostile, pair, vectors};
use crate::visit::{Visit, assert_near, browser};

fn find(visit: &Visit<'_>, query: &str) -> String {
    visit.get("document.getElementById('query').value = ''");
    visit.focus("#query");
    visit.page.type_text(query).expect("it types");
    visit.press("Enter");
    visit.page.settle().expect("frames are drawn");
    visit.text("#found")
}

#[test]
fn by_row_by_class_and_not_at_all() {
    let Some(browser) = browser() else { return };
    let visit = Visit::to(&browser, pair(), &Look::default());
    let row = visit.number("atlas.app.data.index[123]");
    let said = find(&visit, &row.to_string());
    assert!(said.starts_with("1 found"), "{said}");
    let state = visit.state();
    assert_eq!(
        (&state["image"], &state["pinned"]),
        (&json!(123), &json!(true))
    );
    // The class of that name, and after it the next one of the class.
    let of_class = visit.numbers("[...atlas.app.data.labels.keys()].filter(image => atlas.app.data.labels[image] === 7 && atlas.app.data.index[image] !== 7)");
    assert_eq!(visit.get("[...atlas.app.data.index].includes(7)"), false);
    for image in &of_class[..2] {
        visit.focus("#query");
        if visit.get("document.getElementById('query').value") != "7" {
            find(&visit, "7");
        } else {
            visit.press("Enter");
        }
        assert_near(&[visit.number("atlas.state().image")], &[*image], 0.0);
    }
    let said = find(&visit, "no such thing <b>");
    assert!(said.contains("\u{2068}no such thing <b>\u{2069}"), "{said}");
    visit.is_quiet();
}

#[test]
fn by_file_and_by_name_of_a_class() {
    let Some(browser) = browser() else { return };
    let visit = Visit::to(&browser, hostile(), &Look::default());
    let name = || {
        visit
            .get("atlas.app.data.names[atlas.state().image]")
            .to_string()
    };
    for query in ["مرحبا11", "😀", "ONERROR", "=1+1"] {
        let said = find(&visit, query);
        assert!(!said.starts_with("Nothing"), "{query}: {said}");
        assert!(
            name().to_lowercase().contains(&query.to_lowercase()),
            "{}",
            name()
        );
    }
    let said = find(&visit, "</script><script>alert(1)</script>");
    assert!(said.starts_with("20 found"), "{said}");
    visit.is_quiet();
}

#[test]
fn vectors_by_their_row() {
    let Some(browser) = browser() else { return };
    let visit = Visit::to(&browser, vectors(), &Look::default());
    let said = find(&visit, "5");
    assert!(
        said.starts_with("1 found by row; this is vector 5."),
        "{said}"
    );
    assert_eq!(visit.state()["image"], 5);
    visit.click("#next-image");
    assert_eq!(visit.state()["image"], 6);
    visit.click("#previous-image");
    assert_eq!(visit.state()["image"], 5);
    visit.is_quiet();
}
