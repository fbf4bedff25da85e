//! What lies on the planes: maps, fields, classes.

use browser::Look;
use serde_json::json;

use crate::pages::{all, five, pair};
use crate::visit::{Visit, assert_near, browser, model};

#[test]
fn every_layer_is_drawn_and_comes_to_its_end() {
    let Some(browser) = browser() else { return };
    for made in all() {
        let visit = Visit::to(&browser, made, &Look::default());
        visit.idle();
        let base = format!("{} canvas.base", model(0));
        let mut before = visit.digest(&base);
        let layers = visit.get(
            "[...document.querySelectorAll('#layers input:not(:checked):not(:disabled)')].map(input => input.id || input.value)",
        );
        let layers = layers.as_array().expect("a list").clone();
        assert!(layers.len() >= 5, "{layers:?}");
        for layer in &layers {
            let layer = layer.as_str().expect("a name");
            visit.get(&format!(
                "(document.getElementById('{layer}') || document.querySelector('[value={layer}]')).click()"
            ));
            visit.idle();
            let after = visit.digest(&base);
            assert!(after != before, "{layer}: {}", made.page.display());
            before = after;
        }
        let dots = format!("{} canvas.dots", model(0));
        let before = visit.digest(&dots);
        visit.click("#layer-codes");
        assert!(visit.digest(&dots) != before);
        visit.is_quiet();
    }
}

#[test]
fn classes_can_be_left_out() {
    let Some(browser) = browser() else { return };
    let visit = Visit::to(&browser, pair(), &Look::default());
    let dots = format!("{} canvas.dots", model(0));
    let before = visit.digest(&dots);
    for class in 1..10 {
        visit.click(&format!("#classes button:nth-child({})", class + 1));
    }
    assert_eq!(visit.state()["hidden"], json!([1, 2, 3, 4, 5, 6, 7, 8, 9]));
    assert!(visit.digest(&dots) != before);
    let pressed = "[...document.querySelectorAll('#classes button')].map(button => button.getAttribute('aria-pressed'))";
    let pressed = visit.get(pressed);
    assert_eq!(
        (&pressed[0], &pressed[9]),
        (&json!("true"), &json!("false"))
    );
    // Only what is shown is stepped to and selected.
    visit.focus(".plane");
    let class = "atlas.app.data.labels[atlas.state().image]";
    for _ in 0..3 {
        visit.press("n");
        assert_near(&[visit.number(class)], &[0.0], 0.0);
    }
    visit.unfold();
    visit.click("#select-nearest");
    let classes =
        "[...new Set(atlas.state().selection.map(image => atlas.app.data.labels[image]))]";
    assert_eq!(visit.get(classes), json!([0]));
    for class in 1..10 {
        visit.click(&format!("#classes button:nth-child({})", class + 1));
    }
    assert_eq!(visit.state()["hidden"], json!([]));
    visit.is_quiet();
}

#[test]
fn of_many_variables_any_two_span_the_plane_and_the_others_are_held() {
    let Some(browser) = browser() else { return };
    let visit = Visit::to(&browser, five(), &Look::default());
    visit.idle();
    let strips = "document.querySelectorAll('.dimension').length";
    assert_near(&[visit.number(strips)], &[5.0], 0.0);
    visit.get(
        "(() => {
          const [across, up] = document.querySelectorAll('#dimensions select');
          across.value = 4; across.dispatchEvent(new Event('change'));
          up.value = 2; up.dispatchEvent(new Event('change'));
        })()",
    );
    let before = visit.code(0);
    let (at, place) = visit.place(0, 0.2, 0.7);
    visit.page.mouse_move(at).expect("it moves");
    let code = visit.code(0);
    assert_near(&[code[4], code[2]], &place, 1e-5);
    assert_near(
        &[code[0], code[1], code[3]],
        &[before[0], before[1], before[3]],
        1e-5,
    );
    // A held one is moved by its slider, and what is decoded follows.
    let shown = visit.shown(0);
    visit.focus("#dimensions input[aria-label='z₁ held at']");
    visit.press("Home");
    assert!(visit.shown(0) != shown);
    let moved = visit.code(0);
    assert!(code[0] != moved[0], "{code:?} {moved:?}");
    assert_near(&code[1..], &moved[1..], 1e-9);
    let (at, _) = visit.place(0, 0.4, 0.4);
    visit.page.mouse_move(at).expect("it moves");
    assert_near(&[visit.code(0)[0]], &[moved[0]], 1e-5);
    visit.is_quiet();
}
