//! What is true of every page: it asks for nothing, complains of nothing, does
//! nothing that a name in the data says, and keeps nobody out.

use browser::{AccessibilityRules, Look};
use serde_json::json;

use crate::pages::{HOSTILE_CLASSES, all, hostile};
use crate::visit::{Visit, browser, is_full};

#[test]
fn every_page_is_one_quiet_file_in_every_light() {
    let Some(browser) = browser() else { return };
    let dark = Look {
        dark: true,
        ..Look::default()
    };
    let forced = Look {
        forced_colours: true,
        ..Look::default()
    };
    for made in all() {
        for look in [Look::default(), dark.clone(), forced.clone(), Look::phone()] {
            let visit = Visit::to(&browser, made, &look);
            visit.unfold();
            visit.idle();
            visit.is_quiet();
            visit.fits();
        }
    }
}

#[test]
fn names_in_the_data_are_shown_and_not_done() {
    let Some(browser) = browser() else { return };
    let visit = Visit::to(&browser, hostile(), &Look::default());
    let names = visit
        .get("[...document.querySelectorAll('#classes button')].map(button => button.textContent)");
    assert_eq!(names, json!(HOSTILE_CLASSES));
    let table = visit.text("#table");
    assert!(HOSTILE_CLASSES.iter().all(|name| table.contains(name)));
    // Files of every name are chosen, and selected for the tiles of the selection.
    for _ in 0..6 {
        visit.focus(".plane");
        visit.press("n");
    }
    visit.unfold();
    visit.get("document.getElementById('radius').value = 60");
    visit.click("#select-nearest");
    visit.focus("#query");
    visit.page.type_text("onerror").expect("it types");
    visit.press("Enter");
    visit.idle();
    let found = visit.text("#found");
    assert!(found.contains("<img src=x onerror=alert(1)>"), "{found}");
    let labels = "[...document.querySelectorAll('#selection-images canvas')].map(tile => tile.getAttribute('aria-label')).join(' ')";
    let labels = visit.get(labels).to_string();
    assert!(labels.contains("alert(1)") && labels.contains("مرحبا"));
    // The payload, the script, and nothing that a name has made.
    let counts = visit.get("['script', 'b', 'img'].map(name => document.querySelectorAll(`${name}:not([role])`).length)");
    let in_names = visit.get("document.querySelectorAll('.dimension b').length");
    assert_eq!(counts, json!([2, in_names, 1]));
    visit.is_quiet();
}

#[test]
#[allow(clippy::print_stderr)]
fn nobody_is_kept_out() {
    if !is_full() {
        eprintln!("skipped: axe-core is fetched where EXPLORER_PAGE is 'full'");
        return;
    }
    let Some(browser) = browser() else { return };
    let rules = match AccessibilityRules::fetch() {
        Ok(rules) => rules,
        Err(why) => {
            eprintln!("skipped: axe-core cannot be had: {why:#}");
            return;
        }
    };
    let dark = Look {
        dark: true,
        ..Look::default()
    };
    for made in all() {
        for look in [Look::default(), dark.clone(), Look::phone()] {
            let visit = Visit::to(&browser, made, &look);
            visit.unfold();
            visit.click("#select-nearest");
            visit.focus(".plane");
            visit.press("a n n b m");
            visit.idle();
            let barriers = visit.page.barriers(&rules).expect("they run");
            assert_eq!(barriers, [""; 0], "{look:?} {}", made.page.display());
            visit.is_quiet();
        }
    }
}
