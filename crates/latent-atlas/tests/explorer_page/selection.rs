//! The lasso, and the table that can be taken along.

use browser::Look;
use serde_json::json;

use crate::pages::{ENCODED_ERROR, HOSTILE_CLASSES, hostile, pair};
use crate::visit::{Visit, assert_near, browser, model};

#[test]
fn the_lasso_takes_what_is_inside_and_the_table_has_its_codes() {
    let Some(browser) = browser() else { return };
    let made = pair();
    let visit = Visit::to(&browser, made, &Look::default());
    visit.unfold();
    let dots = format!("{} canvas.dots", model(1));
    visit.click("#lasso");
    let before = visit.digest(&dots);
    let corners = [(0.35, 0.3), (0.7, 0.3), (0.7, 0.6), (0.35, 0.6)];
    let corners = corners.map(|(right, down)| visit.place(0, right, down));
    visit.page.mouse_move(corners[0].0).expect("it moves");
    visit.page.mouse_down(corners[0].0).expect("it presses");
    for at in [1, 2, 3, 0] {
        visit.page.mouse_drag(corners[at].0).expect("it drags");
    }
    visit.page.mouse_up(corners[0].0).expect("it lets go");
    let [low, high] = [corners[3].1, corners[1].1];
    let inside = visit.get(&format!(
        "(() => {{ const {{codes}} = atlas.app.models[0]; return [...Array(codes.length / 2).keys()].filter(image =>
           codes[2 * image] > {} && codes[2 * image] < {} && codes[2 * image + 1] > {} && codes[2 * image + 1] < {}); }})()",
        low[0], high[0], low[1], high[1]
    ));
    let state = visit.state();
    let count = inside.as_array().expect("a list").len();
    assert!((5..395).contains(&count), "{count}");
    assert_eq!(state["selection"], inside);
    assert_eq!(visit.text("#selection-said"), format!("{count} selected."));
    assert_eq!(visit.get("document.getElementById('lasso').checked"), false);
    // Marked in the other plane too.
    assert!(visit.digest(&dots) != before);

    let folder = tempfile::tempdir().expect("a temporary folder");
    visit.page.download_into(folder.path()).expect("it may");
    visit.click("#selection-csv");
    let table = folder.path().join("selection.csv");
    let table = visit.page.downloaded(&table).expect("it comes");
    let table = String::from_utf8(table).expect("UTF-8");
    let mut lines = table.lines();
    assert_eq!(
        lines.next(),
        Some("index,label,vae mu1,vae mu2,ae mu1,ae mu2")
    );
    let rows: Vec<Vec<f64>> = lines
        .map(|line| {
            line.split(',')
                .map(|cell| cell.parse().expect("a number"))
                .collect()
        })
        .collect();
    assert_eq!(rows.len(), count);
    let labels =
        visit.numbers("atlas.state().selection.map(image => atlas.app.data.labels[image])");
    for (at, run) in ["vae", "ae"].into_iter().enumerate() {
        let codes = made.encoded(run, "glyphs", &["--split", "test"]);
        let spread = visit.numbers(&format!("atlas.app.models[{at}].variance.map(Math.sqrt)"));
        for (row, label) in rows.iter().zip(&labels) {
            assert_near(&row[1..2], &[*label], 0.0);
            let expected = &codes[row[0] as usize];
            for axis in 0..2 {
                let found = row[2 + 2 * at + axis];
                assert_near(&[found], &[expected[axis]], ENCODED_ERROR * spread[axis]);
            }
        }
    }
    visit.click("#selection-clear");
    assert_eq!(visit.state()["selection"], json!([]));
    visit.is_quiet();
}

#[test]
fn a_spreadsheet_takes_no_name_for_a_formula() {
    let Some(browser) = browser() else { return };
    let visit = Visit::to(&browser, hostile(), &Look::default());
    visit.unfold();
    visit.get("document.getElementById('radius').value = 60");
    visit.click("#select-nearest");
    let folder = tempfile::tempdir().expect("a temporary folder");
    visit.page.download_into(folder.path()).expect("it may");
    visit.click("#selection-csv");
    let table = folder.path().join("selection.csv");
    let table = visit.page.downloaded(&table).expect("it comes");
    let table = String::from_utf8(table).expect("UTF-8");
    assert_eq!(table.lines().count(), 1 + 60);
    assert_eq!(table.lines().next(), Some("index,name,label,mu1,mu2"));
    assert!(table.contains(HOSTILE_CLASSES[0]));
    assert!(table.contains("\"\"b\"\""), "{table}");
    assert!(table.contains(",\"'=1+1 😀"), "{table}");
    visit.is_quiet();
}
