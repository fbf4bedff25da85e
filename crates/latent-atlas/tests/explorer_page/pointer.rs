//! The mouse over the planes, and what is decoded under it.

use browser::Look;
use serde_json::json;

use crate::pages::{DECODED_ERROR, Made, all, five, hostile, pair, vectors};
use crate::visit::{Visit, assert_near, browser, model, numbers};

/// Brightness of what the program decodes, as the page is to show it.
fn brightness(visit: &Visit<'_>, made: &Made, run: &str, code: &[f64]) -> Vec<f64> {
    let range = visit.numbers("atlas.app.data.range");
    let values = &made.decoded(run, &[code.to_vec()])[0];
    let share = |value: &f64| (value - range[0]) / (range[1] - range[0]);
    values
        .iter()
        .map(|value| share(value).clamp(0.0, 1.0))
        .collect()
}

#[test]
fn what_is_decoded_under_the_mouse_is_what_the_program_decodes() {
    let Some(browser) = browser() else { return };
    let rounding = 0.5 / 255.0 + 1e-6;
    for (made, runs) in [
        (pair(), &["vae", "ae"][..]),
        (five(), &["vae"]),
        (hostile(), &["<b>ae"]),
    ] {
        let visit = Visit::to(&browser, made, &Look::default());
        let mut before = visit.shown(0);
        for (right, down) in [(0.3, 0.6), (0.55, 0.45), (0.9, 0.9)] {
            let (at, place) = visit.place(0, right, down);
            visit.page.mouse_move(at).expect("it moves");
            visit.page.settle().expect("frames are drawn");
            let found = visit.numbers("coordinatesOf(atlas.app, atlas.app.views[0])");
            assert_near(&found, &place, 1e-5);
            let shown = visit.shown(0);
            assert!(shown != before, "{right}, {down}");
            for (run, name) in runs.iter().enumerate() {
                let expected = brightness(&visit, made, name, &visit.code(run));
                assert_near(&visit.shown(run), &expected, DECODED_ERROR + rounding);
            }
            before = shown;
        }
        visit.is_quiet();
    }
}

#[test]
fn decoded_vectors_are_those_of_the_program_and_are_drawn() {
    let Some(browser) = browser() else { return };
    let made = vectors();
    let visit = Visit::to(&browser, made, &Look::default());
    for (right, down) in [(0.3, 0.6), (0.7, 0.3)] {
        let before = visit.digest(&format!("{} .decoded", model(0)));
        let (at, place) = visit.place(0, right, down);
        visit.page.mouse_move(at).expect("it moves");
        assert_near(&visit.code(0), &place[..1], 1e-5);
        assert!(visit.digest(&format!("{} .decoded", model(0))) != before);
        for (run, name) in ["line", "three"].iter().enumerate() {
            let shown = visit.numbers(&format!(
                "Array.from(brightness(atlas.app.models[{run}], atlas.app.data, decode(atlas.app.models[{run}], atlas.state().codes[{run}])))"
            ));
            let expected = brightness(&visit, made, name, &visit.code(run));
            assert_near(&shown, &expected, DECODED_ERROR);
        }
    }
    visit.is_quiet();
}

#[test]
fn a_click_holds_and_a_second_one_lets_go() {
    let Some(browser) = browser() else { return };
    for made in all() {
        let visit = Visit::to(&browser, made, &Look::default());
        let (at, _) = visit.place(0, 0.5, 0.5);
        let (away, _) = visit.place(0, 0.2, 0.3);
        visit.page.click(at).expect("a click");
        let held = visit.state();
        assert_eq!(held["pinned"], true);
        visit.page.mouse_move(away).expect("it moves");
        assert_eq!(visit.state()["codes"], held["codes"]);
        visit.page.click(at).expect("a click");
        assert_eq!(visit.state()["pinned"], false);
        visit.page.mouse_move(away).expect("it moves");
        assert!(visit.state()["codes"] != held["codes"]);
        visit.is_quiet();
    }
}

#[test]
fn a_click_on_a_dot_chooses_its_image() {
    let Some(browser) = browser() else { return };
    let visit = Visit::to(&browser, pair(), &Look::default());
    let plane = visit.plane(1);
    // The dot of the AE farthest from all others in sight.
    let found = visit.numbers(
        "(() => {
          const view = atlas.app.views[1];
          const dots = [...Array(atlas.app.data.images).keys()].map(image => [image, ...toCanvas(view, view.points[2 * image], view.points[2 * image + 1])]);
          const inside = dots.filter(([, x, y]) => Math.min(x, y, view.size - x, view.size - y) > 20);
          const alone = ([image, x, y]) => Math.min(...dots.filter(dot => dot[0] !== image).map(dot => Math.hypot(dot[1] - x, dot[2] - y)));
          inside.sort((a, b) => alone(b) - alone(a));
          return [inside[0][0], inside[0][1] / view.size, inside[0][2] / view.size];
        })()",
    );
    let at = plane.at(found[1], found[2]);
    let beside = browser::Point {
        x: at.x + 4.0,
        ..at
    };
    visit.page.click(beside).expect("a click");
    let state = visit.state();
    assert_eq!(state["image"].as_f64(), Some(found[0]));
    assert_eq!(
        (&state["active"], &state["pinned"]),
        (&json!(1), &json!(true))
    );
    visit.is_quiet();
}

#[test]
fn planes_follow_the_image_or_the_code() {
    let Some(browser) = browser() else { return };
    let visit = Visit::to(&browser, pair(), &Look::default());
    let (at, _) = visit.place(0, 0.4, 0.4);
    visit.page.mouse_move(at).expect("it moves");
    let state = visit.state();
    let nearest = "nearestCode(atlas.app.models[0], atlas.state().codes[0]).image";
    let follows = visit.numbers(&format!(
        "[...atlas.app.models[1].codes.slice(2 * {nearest}, 2 * {nearest} + 2)]"
    ));
    assert_eq!(numbers(&state["codes"][1]), follows);
    let caption = visit.text(&format!("{} figcaption", model(1)));
    let row = visit.number(&format!("atlas.app.data.index[{nearest}]"));
    assert!(caption.contains(&row.to_string()), "{caption} {row}");
    visit.get("(() => { link.value = 'position'; link.dispatchEvent(new Event('change')); })()");
    visit.page.mouse_move(at).expect("it moves");
    let state = visit.state();
    assert_eq!(state["codes"][0], state["codes"][1]);
    visit.is_quiet();
}

#[test]
fn the_wheel_zooms_about_the_mouse_once_the_plane_has_the_focus() {
    let Some(browser) = browser() else { return };
    let visit = Visit::to(&browser, pair(), &Look::default());
    let (at, place) = visit.place(0, 0.3, 0.3);
    let half = "atlas.state().views[0].half";
    let whole = visit.number(half);
    visit.page.wheel(at, 100.0).expect("it turns");
    visit.until("scrollY > 0");
    assert_near(&[visit.number(half)], &[whole], 0.0);
    visit.get("scrollTo({top: 0, behavior: 'instant'})");
    visit.focus(".plane");
    visit.page.wheel(at, -200.0).expect("it turns");
    visit.until(&format!("{half} < {whole}"));
    let (_, still) = visit.place(0, 0.3, 0.3);
    assert_near(&still, &place, 1e-6);
    visit.is_quiet();
}
