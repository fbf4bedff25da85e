//! How much memory the page takes, and how fast it is at its full size.

use std::fs;
use std::sync::OnceLock;

use browser::Look;

use crate::pages::{Made, pair};
use crate::visit::{Visit, browser, is_full};

const MOST_HEAP: u64 = 200 << 20;

#[test]
fn it_takes_little_memory() {
    let Some(browser) = browser() else { return };
    let visit = Visit::to(&browser, pair(), &Look::default());
    everything_on(&visit);
    let heap = visit.page.heap().expect("it answers");
    assert!(heap <= MOST_HEAP, "{heap} bytes");
}

fn everything_on(visit: &Visit<'_>) {
    visit.unfold();
    visit.get("document.querySelectorAll('#layers input[type=checkbox]:not(:checked):not(:disabled)').forEach(input => input.click())");
    visit.focus(".plane");
    visit.press("n a n n b m m");
    visit.idle();
}

/// A VAE and an AE 784-512-2 with 10,000 codes.
fn full() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let made = Made::begin("full");
        for (run, kind) in [("vae", "vae"), ("ae", "ae")] {
            let often = "tracking.snapshots_per_epoch=10";
            let wide = ["--hidden", "512", "--epochs", "2", "--set", often];
            made.train("glyphs", run, &[&wide[..], &["--model", kind]].concat());
        }
        made.program(&["explore", "vae", "ae", "-o", "atlas.html"]);
        made
    })
}

#[test]
#[allow(clippy::print_stderr)]
fn at_its_full_size_it_is_ready_within_a_second_and_moves_within_a_frame() {
    if !is_full() {
        eprintln!("skipped: times are measured where EXPLORER_PAGE is 'full'");
        return;
    }
    let Some(browser) = browser() else { return };
    let made = full();
    let bytes = fs::metadata(&made.page).expect("the page").len();
    let visit = Visit::to(&browser, made, &Look::default());
    // Other processes can only make it slower.
    let mut ready = f64::INFINITY;
    for _ in 0..5 {
        visit.reload();
        ready = ready.min(visit.number("window.atlasReady"));
    }
    everything_on(&visit);
    let heap = visit.page.heap().expect("it answers");
    visit.is_quiet();

    let visit = Visit::to(&browser, made, &Look::default());
    visit.idle();
    visit.page.throttle(4.0).expect("it answers");
    let mut median = f64::INFINITY;
    for _ in 0..5 {
        let now = visit.number(
            "(() => {
              const {app} = atlas;
              const [view] = app.views;
              const times = [];
              for (let k = 0; k < 41; k++) {
                const turn = 0.7 * k;
                const began = performance.now();
                moveTo(app, view, Math.cos(turn) * view.half * 0.6, Math.sin(turn) * view.half * 0.6);
                drawFrame(app);
                times.push(performance.now() - began);
              }
              return times.sort((a, b) => a - b)[20];
            })()",
        );
        median = median.min(now);
    }
    eprintln!(
        "784-512-2 twice with 10,000 codes: {bytes} bytes, ready after {ready:.0} ms, {:.0} MB, decoded and drawn in {median:.1} ms at a quarter of the speed",
        heap as f64 / 1e6
    );
    assert!(ready <= 1000.0, "{ready} ms");
    assert!(median <= 16.0, "{median} ms");
    assert!(heap <= MOST_HEAP, "{heap} bytes");
}
