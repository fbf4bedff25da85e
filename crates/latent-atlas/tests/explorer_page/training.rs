//! The codes as training moved them.

use std::thread;
use std::time::Duration;

use browser::Look;
use serde_json::Value;

use crate::pages::{pair, vectors};
use crate::visit::{Visit, assert_near, browser, model};

/// The mean radius of the posteriors at the moment that is shown, as it is said.
fn radius(visit: &Visit<'_>) -> f64 {
    let said = visit.text("#moment-said");
    let after = said.split("mean posterior radius ").nth(1);
    let number: String = after
        .unwrap_or_else(|| panic!("no radius in: {said}"))
        .chars()
        .take_while(|letter| letter.is_ascii_digit() || *letter == '.')
        .collect();
    let number = number.trim_end_matches('.');
    number.parse().expect("a number")
}

#[test]
fn posteriors_shrink_while_a_vae_is_trained() {
    let Some(browser) = browser() else { return };
    let visit = Visit::to(&browser, pair(), &Look::default());
    visit.unfold();
    let overlay = format!("{} canvas.overlay", model(0));
    let before = visit.digest(&overlay);
    visit.focus("#moment");
    visit.press("Home");
    assert_eq!(visit.state()["moment"], 0);
    let (first, begin) = (radius(&visit), visit.digest(&overlay));
    visit.press("End");
    // Four in each of two epochs, and one before the first step.
    assert_eq!(visit.state()["moment"], 8);
    let (last, end) = (radius(&visit), visit.digest(&overlay));
    assert!(last < 0.8 * first, "{first} at first, {last} at last");
    assert!(begin != before && end != begin);
    let said = visit.text("#moment-said");
    assert!(said.contains("Epoch 2.00, step 236"), "{said}");
    visit.click("#trails");
    assert!(visit.digest(&overlay) != end);
    visit.click("#time-off");
    assert_eq!(visit.state()["moment"], Value::Null);
    assert_near(&[visit.digest(&overlay)], &[before], 0.0);
    visit.is_quiet();
}

#[test]
fn it_plays_to_the_end_and_pauses_when_asked_to() {
    let Some(browser) = browser() else { return };
    for reduced_motion in [false, true] {
        let look = Look {
            reduced_motion,
            ..Look::default()
        };
        let visit = Visit::to(&browser, pair(), &look);
        visit.unfold();
        let moment = || visit.state()["moment"].as_u64();
        // Nothing moves by itself.
        thread::sleep(Duration::from_millis(400));
        assert_eq!(moment(), None);
        let begin =
            "(() => { document.getElementById('play').click(); return atlas.state().moment; })()";
        assert_eq!(visit.get(begin), 0);
        visit.until("atlas.state().moment >= 2");
        // In larger steps where little is to move.
        let passed = if reduced_motion { 2 } else { 1 };
        assert_eq!(moment().map(|moment| moment % passed), Some(0));
        visit.click("#play");
        let paused = moment();
        assert!(paused < Some(8), "{paused:?}");
        thread::sleep(Duration::from_millis(if reduced_motion {
            1500
        } else {
            500
        }));
        assert_eq!(moment(), paused);
        assert_eq!(visit.text("#play"), "Play");
        visit.click("#play");
        assert_eq!(visit.text("#play"), "Pause");
        visit.until("document.getElementById('play').textContent === 'Play'");
        assert_eq!(moment(), Some(8));
        let transitions = "[...document.querySelectorAll('button')].every(button => parseFloat(getComputedStyle(button).transitionDuration) === 0)";
        assert_eq!(visit.get(transitions), reduced_motion);
        visit.is_quiet();
    }
}

#[test]
fn tracked_vectors_move_on_a_line_and_in_a_plane() {
    let Some(browser) = browser() else { return };
    let visit = Visit::to(&browser, vectors(), &Look::default());
    visit.unfold();
    visit.focus("#moment");
    visit.press("Home");
    let digests = || [0, 1].map(|run| visit.digest(&format!("{} canvas.overlay", model(run))));
    let first = digests();
    visit.press("End");
    let last = digests();
    assert!(first[0] != last[0] && first[1] != last[1]);
    visit.is_quiet();
}
