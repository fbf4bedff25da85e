//! Fingers on a phone.

use browser::{Look, Point};
use serde_json::json;

use crate::pages::pair;
use crate::visit::{Visit, assert_near, browser, model};

#[test]
fn a_finger_scrubs_without_scrolling_and_sees_what_it_decodes() {
    let Some(browser) = browser() else { return };
    let visit = Visit::to(&browser, pair(), &Look::phone());
    visit.get(
        "document.querySelector('.plane').scrollIntoView({block: 'start', behavior: 'instant'})",
    );
    let (from, _) = visit.place(0, 0.3, 0.3);
    let (to, place) = visit.place(0, 0.6, 0.7);
    let decoded = visit.get(&format!(
        "(() => {{ const box = document.querySelector('{} .decoded').getBoundingClientRect();
           return box.top >= 0 && box.bottom <= innerHeight && box.left >= 0 && box.right <= innerWidth; }})()",
        model(0)
    ));
    assert_eq!(decoded, true);
    let scrolled = visit.number("scrollY");
    let before = visit.shown(0);
    visit.page.touch_start(&[from]).expect("a finger");
    let first = visit.code(0);
    for share in [0.25, 0.5, 0.75, 1.0] {
        let at = Point {
            x: from.x + (to.x - from.x) * share,
            y: from.y + (to.y - from.y) * share,
        };
        visit.page.touch_move(&[at]).expect("a finger");
    }
    visit.page.touch_end().expect("a finger");
    // A busy browser takes several moves for one and may leave out the last: where
    // a place is decoded is tested with the mouse, here that the cursor came along.
    let reach = (place[0] - first[0]).hypot(place[1] - first[1]) / 2.0;
    visit.until(&format!(
        "Math.hypot(atlas.state().codes[0][0] - {}, atlas.state().codes[0][1] - {}) < {reach}",
        place[0], place[1]
    ));
    // What was moved to is drawn in the next frame.
    assert!(visit.state()["codes"][0] != json!(first));
    assert!(visit.shown(0) != before);
    assert_near(&[visit.number("scrollY")], &[scrolled], 0.0);
    // Beside the planes the same drag scrolls.
    let words = visit
        .page
        .place_of("#image-tool summary")
        .expect("it is there");
    let at = words.middle();
    let up = Point {
        y: at.y - 200.0,
        ..at
    };
    let scrolled = visit.number("scrollY");
    visit.page.touch_drag(at, up, 8).expect("a finger");
    visit.until(&format!("scrollY > {scrolled}"));
    visit.is_quiet();
}

#[test]
fn a_tap_holds_and_two_fingers_zoom() {
    let Some(browser) = browser() else { return };
    let visit = Visit::to(&browser, pair(), &Look::phone());
    let (at, _) = visit.place(0, 0.5, 0.5);
    visit.page.tap(at).expect("a finger");
    visit.until("atlas.state().pinned");
    let half = "atlas.state().views[0].half";
    let whole = visit.number(half);
    let before = visit.code(0);
    let (at, place) = visit.place(0, 0.5, 0.5);
    visit.page.pinch(at, 60.0, 180.0, 6).expect("fingers");
    assert_near(&[visit.number(half)], &[whole / 3.0], 0.02 * whole);
    let (_, still) = visit.place(0, 0.5, 0.5);
    assert_near(&still, &place, 0.02 * whole);
    assert_near(&[visit.number("visualViewport.scale")], &[1.0], 1e-6);
    visit.page.pinch(at, 180.0, 60.0, 6).expect("fingers");
    assert_near(&[visit.number(half)], &[whole], 0.02 * whole);
    assert_near(&visit.code(0), &before, 0.05 * whole);
    visit.is_quiet();
}

#[test]
fn one_hand_reaches_every_control() {
    let Some(browser) = browser() else { return };
    let visit = Visit::to(&browser, pair(), &Look::phone());
    visit.unfold();
    visit.idle();
    let small = visit.get(
        "[...document.querySelectorAll('button, select, summary, input')]
          .filter(control => control.checkVisibility())
          .map(control => control.closest('label') || control)
          .map(control => [control.id || control.className || control.textContent, control.getBoundingClientRect()])
          .filter(([, box]) => Math.min(box.width, box.height) < 24).map(([name]) => name)",
    );
    assert_eq!(small, json!([]));
    let beyond = visit.get(
        "[...document.querySelectorAll('button, select, summary, input, canvas.decoded, .plane')]
          .filter(control => control.checkVisibility() && !control.closest('.strip'))
          .filter(control => control.getBoundingClientRect().right > innerWidth + 0.5).map(control => control.id || control.className)",
    );
    assert_eq!(beyond, json!([]));
    visit.is_quiet();
}
