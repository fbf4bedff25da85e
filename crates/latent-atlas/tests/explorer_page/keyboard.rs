//! Everything without a mouse.

use browser::Look;
use serde_json::{Value, json};

use crate::pages::{all, pair};
use crate::visit::{Visit, assert_near, browser, numbers};

/// Of the width of what is seen, as `cursor.js` has it.
const STEP: f64 = 1.0 / 40.0;

#[test]
fn a_walk_with_keys_alone_from_the_first_tab() {
    let Some(browser) = browser() else { return };
    let visit = Visit::to(&browser, pair(), &Look::default());
    let begin = visit.state();
    visit.press("Tab");
    let focused = "document.activeElement === document.querySelector('.plane')";
    assert_eq!(visit.get(focused), true);
    let half = |state: &Value| state["views"][0]["half"].as_f64().expect("a half");
    let step = 2.0 * half(&begin) * STEP;
    let start = numbers(&begin["codes"][0]);
    let after = |keys: &str| {
        visit.press(keys);
        visit.code(0)
    };
    let moved = |right: f64, up: f64| [start[0] + right * step, start[1] + up * step];
    let near = 1e-5;
    assert_near(&after("ArrowLeft"), &moved(-1.0, 0.0), near);
    assert_near(&after("ArrowUp"), &moved(-1.0, 1.0), near);
    assert_near(&after("Shift+ArrowRight"), &moved(4.0, 1.0), near);
    assert_near(&after("Shift+ArrowDown"), &moved(4.0, -4.0), near);
    assert_near(&after("ArrowRight ArrowDown"), &moved(5.0, -5.0), near);
    assert_eq!(visit.state()["pinned"], false);

    // Enter holds where it is, and once more takes the nearest image of all.
    let nearest = visit.get(
        "(() => {
          const {codes} = atlas.app.models[0];
          const [x, y] = atlas.state().codes[0];
          const away = [...Array(codes.length / 2).keys()].map(k => Math.hypot(codes[2 * k] - x, codes[2 * k + 1] - y));
          return away.indexOf(Math.min(...away));
        })()",
    );
    let free = visit.state()["codes"].clone();
    visit.press("Enter");
    let held = visit.state();
    assert_eq!((&held["pinned"], &held["codes"]), (&json!(true), &free));
    visit.press("Enter");
    let held = visit.state();
    assert_eq!((&held["pinned"], &held["image"]), (&json!(true), &nearest));
    let codes_of = |image: &Value| {
        visit.get(&format!(
            "atlas.app.models.map(({{codes}}) => [...codes.slice(2 * {image}, 2 * {image} + 2)])"
        ))
    };
    assert_eq!(held["codes"], codes_of(&nearest));

    // The next and the previous image, in both planes.
    let image = nearest.as_u64().expect("a position");
    visit.press("n");
    let next = visit.state();
    assert_eq!(next["image"], json!((image + 1) % 400));
    assert_eq!(next["codes"], codes_of(&next["image"]));
    visit.press("p p");
    assert_eq!(visit.state()["image"], json!((image + 399) % 400));

    // Two ends, and a way between them.
    visit.press("a");
    let from = visit.state()["codes"].clone();
    visit.press("n n n b");
    let to = visit.state()["codes"].clone();
    let anchors = visit.state()["anchors"].clone();
    for run in 0..2 {
        let end = |name: &str| visit.get(&format!("[...atlas.state().anchors[{run}].{name}]"));
        assert_eq!((end("a"), end("b")), (from[run].clone(), to[run].clone()));
    }
    assert!(anchors[0]["a"] != anchors[0]["b"]);
    visit.idle();
    visit.focus("#path-shape");
    visit.press("ArrowDown");
    assert_eq!(visit.state()["path"], "shortest");
    visit.press("Tab");
    while visit.get("document.activeElement.id") != "path-at" {
        visit.press("Tab");
    }
    visit.press("End");
    let end = visit.state();
    assert_eq!(end["pathAt"], 1);
    assert_near(&numbers(&end["codes"][0]), &numbers(&to[0]), near);
    visit.press("Home ArrowRight");
    assert_near(&[visit.number("atlas.state().pathAt")], &[0.01], 1e-9);

    // Maps, zoom and moments.
    visit.focus(".plane");
    let maps: Vec<Value> = (0..4)
        .map(|_| {
            visit.press("m");
            visit.state()["layers"]["map"].clone()
        })
        .collect();
    assert_eq!(json!(maps), json!(["linear", "quantile", "none", "codes"]));
    let whole = half(&visit.state());
    let seen = |keys: &str| {
        visit.press(keys);
        half(&visit.state()) / whole
    };
    assert_near(
        &[seen("+"), seen("+"), seen("-"), seen("0")],
        &[1.0 / 1.5, 1.0 / 2.25, 1.0 / 1.5, 1.0],
        1e-9,
    );
    visit.press("[");
    assert_eq!(visit.state()["moment"], 7);
    visit.press("[ [ ]");
    assert_eq!(visit.state()["moment"], 6);

    // Everything is let go.
    visit.press("Escape");
    let free = visit.state();
    assert_eq!(
        (&free["pinned"], &free["pathAt"], &free["anchors"]),
        (
            &json!(false),
            &Value::Null,
            &json!([{"a": null, "b": null}, {"a": null, "b": null}])
        )
    );
    visit.is_quiet();
}

/// Every control that is seen and can be used, by a path to it; of radio buttons,
/// which the arrows move among, the one that is chosen.
const CONTROLS: &str = "
  const nameOf = element => element.id ? '#' + element.id : element === document.body ? 'body'
    : nameOf(element.parentElement) + '>' + element.localName + ':' + [...element.parentElement.children].indexOf(element);
  const controls = [...document.querySelectorAll('a[href], button, input, select, summary, [tabindex=\"0\"]')]
    .filter(control => !control.disabled && control.checkVisibility({visibilityProperty: true})
      && !(control.type === 'radio' && !control.checked)).map(nameOf);";

#[test]
fn every_control_is_reached_in_order_and_seen_to_have_the_focus() {
    let Some(browser) = browser() else { return };
    for made in all() {
        let visit = Visit::to(&browser, made, &Look::default());
        visit.unfold();
        visit.click("#select-nearest");
        visit.idle();
        // From the top of the document again.
        visit.get("document.activeElement.blur(); scrollTo(0, 0); document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex')");
        visit.get(&format!(
            "{{ {CONTROLS} window.nameOf = nameOf; window.controls = controls; }}"
        ));
        let expected = visit.get("controls");
        let expected = expected.as_array().expect("a list");
        assert!(expected.len() > 30, "{expected:?}");
        let mut reached = Vec::new();
        for _ in 0..2 * expected.len() {
            visit.press("Tab");
            let found = visit.get(
                "(() => {
                  const element = document.activeElement;
                  if (element === document.body) return null;
                  const {outlineStyle, outlineWidth} = getComputedStyle(element);
                  const box = element.getBoundingClientRect();
                  const isInSight = box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth;
                  return [nameOf(element), outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2, isInSight];
                })()",
            );
            if found.is_null() {
                break;
            }
            let path = found[0].clone();
            if reached.contains(&path) {
                break;
            }
            assert_eq!(found, json!([path, true, true]));
            reached.push(path);
        }
        // Areas that scroll have the focus as well, of the browser's own accord.
        reached.retain(|path| expected.contains(path));
        assert_eq!(&reached, expected, "{}", made.page.display());
        visit.is_quiet();
    }
}

#[test]
fn controls_do_with_keys_what_they_do_with_a_mouse() {
    let Some(browser) = browser() else { return };
    let visit = Visit::to(&browser, pair(), &Look::default());
    let press_on = |selector: &str, keys: &str| {
        visit.focus(selector);
        visit.press(keys);
        visit.state()
    };
    let open = |tool: &str| visit.get(&format!("document.getElementById('{tool}').open"));
    for tool in [
        "path-tool",
        "time-tool",
        "draw-tool",
        "selection-tool",
        "keep-tool",
        "keys-tool",
    ] {
        assert_eq!(open(tool), false, "{tool}");
        press_on(&format!("#{tool} summary"), "Enter");
        assert_eq!(open(tool), true, "{tool}");
    }
    assert_eq!(press_on("#layer-codes", "Space")["layers"]["codes"], false);
    assert_eq!(
        press_on("#layer-density", "Space")["layers"]["density"],
        true
    );
    let map = press_on("#layers input:checked", "ArrowDown");
    assert_eq!(map["layers"]["map"], "linear");
    assert_eq!(press_on("#classes button", "Space")["hidden"], json!([0]));
    assert_eq!(press_on("#moment", "Home")["moment"], 0);
    assert_eq!(press_on("#step-on", "Enter")["moment"], 1);
    assert_eq!(press_on("#time-off", "Enter")["moment"], Value::Null);
    assert_eq!(press_on("#radius", "Enter")["selection"], json!([]));
    let selected = press_on("#select-nearest", "Enter");
    assert_eq!(selected["selection"].as_array().map(Vec::len), Some(50));
    assert_eq!(
        press_on("#selection-clear", "Enter")["selection"],
        json!([])
    );
    let before = visit.state()["views"][1]["half"].as_f64();
    let closer = press_on("#planes .model:nth-child(2) .closer", "Enter");
    assert!(closer["views"][1]["half"].as_f64() < before);
    press_on("#link", "ArrowDown");
    let state = press_on("#planes .model:nth-child(2) .plane", "ArrowLeft");
    assert_eq!(
        (&state["active"], &state["codes"][0]),
        (&json!(1), &state["codes"][1])
    );
    press_on("#pad-take", "Enter");
    assert_eq!(visit.state()["drawn"], true);
    visit.until("document.querySelectorAll('.neighbours button').length === 6");
    let image = visit.state()["image"].clone();
    // The second neighbour: the first one may be the image that is chosen.
    let chosen = press_on(".neighbours button:nth-child(2)", "Enter");
    assert!(chosen["image"] != image);
    visit.is_quiet();
}
