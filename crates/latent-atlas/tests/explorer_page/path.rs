//! Ways between two codes.

use browser::Look;
use serde_json::Value;

use crate::pages::{all, pair};
use crate::visit::{Visit, assert_near, browser, model, numbers};

/// Sets the ends at two places of a plane with mouse and keys.
fn set_ends(visit: &Visit<'_>, run: usize) {
    visit.focus(&format!("{} .plane", model(run)));
    for (key, right, down) in [("a", 0.3, 0.35), ("b", 0.7, 0.6)] {
        let (at, _) = visit.place(run, right, down);
        visit.page.mouse_move(at).expect("it moves");
        visit.page.settle().expect("frames are drawn");
        visit.press(key);
    }
}

#[test]
fn the_shortest_path_joins_the_ends_and_is_no_longer_than_the_straight_one() {
    let Some(browser) = browser() else { return };
    for made in all() {
        let visit = Visit::to(&browser, made, &Look::default());
        set_ends(&visit, 0);
        visit.idle();
        let anchors = visit.get(
            "atlas.app.views.map((view, k) => ['a', 'b'].map(end => [...atlas.state().anchors[k][end]]))",
        );
        let runs = anchors.as_array().expect("a list").len();
        for run in 0..runs {
            let lengths = visit.numbers(&format!(
                "['straight', 'shortest'].map(shape => atlas.app.paths[{run}][shape].length)"
            ));
            assert!(lengths[1] <= lengths[0] * (1.0 + 1e-9), "{lengths:?}");
            assert!(lengths[1] > 0.0, "{lengths:?}");
        }
        let said = visit.text("#path-said");
        assert!(said.contains("shortest found"), "{said}");
        for (shape, place, end) in [
            ("straight", "0", 0),
            ("shortest", "100", 1),
            ("shortest", "0", 0),
        ] {
            visit.get(&format!(
                "(() => {{
                  const shape = document.getElementById('path-shape');
                  shape.value = '{shape}'; shape.dispatchEvent(new Event('change'));
                  const at = document.getElementById('path-at');
                  at.value = {place}; at.dispatchEvent(new Event('input'));
                }})()"
            ));
            for run in 0..runs {
                assert_near(&visit.code(run), &numbers(&anchors[run][end]), 1e-5);
            }
        }
        let tiles = visit.number("document.querySelectorAll('#path-strips canvas').length");
        assert_near(&[tiles], &[11.0 * runs as f64], 0.0);
        visit.is_quiet();
    }
}

#[test]
fn a_tile_of_the_strip_goes_to_its_place_and_clearing_takes_the_path_away() {
    let Some(browser) = browser() else { return };
    let visit = Visit::to(&browser, pair(), &Look::default());
    let overlay = format!("{} canvas.overlay", model(0));
    set_ends(&visit, 0);
    visit.idle();
    let anchors = visit.get("['a', 'b'].map(end => [...atlas.state().anchors[0][end]])");
    let [a, b] = [0, 1].map(|end| numbers(&anchors[end]));
    visit.click("#path-strips .strip button:nth-child(6)");
    let half = visit.state();
    assert_eq!(
        (&half["pathAt"], &half["pinned"]),
        (&0.5.into(), &true.into())
    );
    let middle: Vec<f64> = a.iter().zip(&b).map(|(a, b)| (a + b) / 2.0).collect();
    assert_near(&numbers(&half["codes"][0]), &middle, 1e-5);
    let with_path = visit.digest(&overlay);
    visit.click("#anchors-clear");
    let clear = visit.state();
    assert_eq!(clear["pathAt"], Value::Null);
    assert_eq!(clear["anchors"][0]["a"], Value::Null);
    assert!(visit.digest(&overlay) != with_path);
    let tiles = visit.number("document.querySelectorAll('#path-strips canvas').length");
    assert_near(&[tiles], &[0.0], 0.0);
    visit.is_quiet();
}
