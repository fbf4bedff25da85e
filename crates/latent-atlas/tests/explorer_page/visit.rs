//! A page that is open and used.

use std::time::Duration;

use browser::{Browser, Look, Page, Point, Rectangle, file_address};
use serde_json::{Value, json};

use crate::pages::Made;

/// How long the page may take with what it makes between frames.
const WORK: Duration = Duration::from_secs(50);

/// The pixels of a canvas. One that is read again and again itself makes the
/// browser warn.
const COPY: &str = "
  const copyOf = canvas => {
    const copy = document.createElement('canvas');
    [copy.width, copy.height] = [canvas.width, canvas.height];
    const context = copy.getContext('2d', {willReadFrequently: true});
    context.drawImage(canvas, 0, 0);
    return context.getImageData(0, 0, copy.width, copy.height).data;
  };";

/// A Chromium, where there is one.
#[allow(clippy::print_stderr)]
pub(crate) fn browser() -> Option<Browser> {
    let Some(program) = Browser::installed() else {
        eprintln!("skipped: no Chromium is installed");
        return None;
    };
    Some(Browser::start(&program).expect("it starts"))
}

/// Whether the longer tests are asked for.
pub(crate) fn is_full() -> bool {
    std::env::var_os("EXPLORER_PAGE").is_some_and(|extent| extent == "full")
}

pub(crate) struct Visit<'browser> {
    pub(crate) page: Page<'browser>,
    address: String,
}

impl<'browser> Visit<'browser> {
    pub(crate) fn to(browser: &'browser Browser, made: &Made, look: &Look) -> Self {
        let page = browser.page(look).expect("a page");
        page.open(&made.page).expect("it opens");
        let address = file_address(&made.page).expect("an address");
        let visit = Self { page, address };
        if look.scripts {
            visit.ready();
        }
        visit
    }

    fn ready(&self) {
        self.until("document.documentElement.dataset.state");
        let state = self.get("document.documentElement.dataset.state");
        let said = self.get("document.getElementById('seen').textContent");
        assert_eq!(state, "ready", "the page says: {said}");
        assert!(self.number("window.atlasReady") > 0.0);
    }

    pub(crate) fn reload(&self) {
        self.page.reload().expect("it loads");
        self.ready();
    }

    /// The value of an expression.
    pub(crate) fn get(&self, expression: &str) -> Value {
        self.page.evaluate(expression).expect("it has a value")
    }

    pub(crate) fn number(&self, expression: &str) -> f64 {
        let value = self.get(expression);
        let number = value.as_f64();
        number.unwrap_or_else(|| panic!("{expression} is {value} and no number"))
    }

    pub(crate) fn numbers(&self, expression: &str) -> Vec<f64> {
        numbers(&self.get(expression))
    }

    pub(crate) fn text(&self, selector: &str) -> String {
        let text = self.get(&format!(
            "document.querySelector({}).textContent",
            json!(selector)
        ));
        text.as_str().expect("a text").to_owned()
    }

    pub(crate) fn until(&self, expression: &str) {
        self.page
            .wait_until(expression, WORK)
            .expect("it becomes true");
    }

    /// What the page says of itself once what was asked for is drawn.
    pub(crate) fn state(&self) -> Value {
        self.page.settle().expect("frames are drawn");
        self.get("window.atlas.state()")
    }

    /// Where the cursor of a run is.
    pub(crate) fn code(&self, run: usize) -> Vec<f64> {
        numbers(&self.state()["codes"][run])
    }

    /// Waits until nothing is made between frames any more.
    pub(crate) fn idle(&self) {
        self.page.settle().expect("frames are drawn");
        self.until("window.atlas.state().isIdle");
        self.page.settle().expect("frames are drawn");
    }

    /// Presses keys one after the other, with spaces between their names.
    pub(crate) fn press(&self, keys: &str) {
        for key in keys.split(' ') {
            self.page.press(key).expect("a key");
        }
    }

    pub(crate) fn click(&self, selector: &str) {
        let place = self.page.place_of(selector).expect("it is there");
        self.page.click(place.middle()).expect("a click");
    }

    pub(crate) fn focus(&self, selector: &str) {
        self.get(&format!(
            "document.querySelector({}).focus({{focusVisible: true}})",
            json!(selector)
        ));
    }

    /// Opens all that can be folded.
    pub(crate) fn unfold(&self) {
        self.get(
            "document.querySelectorAll('details').forEach(details => { details.open = true })",
        );
        self.page.settle().expect("frames are drawn");
    }

    /// Where the plane of a run is, counted from 0.
    pub(crate) fn plane(&self, run: usize) -> Rectangle {
        let place = self.page.place_of(&format!("{} .plane", model(run)));
        place.expect("it has a plane")
    }

    /// A place of a plane at whole pixels, and its coordinates there.
    pub(crate) fn place(&self, run: usize, right: f64, down: f64) -> (Point, [f64; 2]) {
        let plane = self.plane(run);
        let at = plane.at(right, down);
        let at = Point {
            x: at.x.round(),
            y: at.y.round(),
        };
        let view = &self.state()["views"][run];
        let (centre, half) = (
            numbers(&view["centre"]),
            view["half"].as_f64().expect("a half"),
        );
        let u = centre[0] + (2.0 * (at.x - plane.x) / plane.width - 1.0) * half;
        let v = centre[1] + (1.0 - 2.0 * (at.y - plane.y) / plane.height) * half;
        (at, [u, v])
    }

    /// Brightness of the image decoded for a run, as it is on the screen.
    pub(crate) fn shown(&self, run: usize) -> Vec<f64> {
        self.page.settle().expect("frames are drawn");
        let channels = self.number("window.atlas.app.data.shape.channels");
        let pixels = self.numbers(&format!(
            "(() => {{
              {COPY}
              return Array.from(copyOf(document.querySelector('{} .decoded')));
            }})()",
            model(run)
        ));
        let pixels = pixels.chunks(4).flat_map(|pixel| {
            let values = if channels > 1.0 { 3 } else { 1 };
            pixel[..values].to_vec()
        });
        pixels.map(|byte| byte / 255.0).collect()
    }

    /// A number that differs where what a canvas shows differs.
    pub(crate) fn digest(&self, selector: &str) -> f64 {
        self.page.settle().expect("frames are drawn");
        self.number(&format!(
            "(() => {{
              {COPY}
              let sum = 7;
              for (const byte of copyOf(document.querySelector({}))) sum = (sum * 31 + byte) % 4294967291;
              return sum;
            }})()",
            json!(selector)
        ))
    }

    /// Fails where the page is wider than the screen, with what makes it so.
    #[track_caller]
    pub(crate) fn fits(&self) {
        let wide = self.get(
            "(() => {
              const {scrollWidth, clientWidth} = document.documentElement;
              if (scrollWidth <= clientWidth) return null;
              const right = element => Math.round(element.getBoundingClientRect().right);
              return [...document.querySelectorAll('body *')].filter(element => right(element) > clientWidth && !element.closest('.scroll'))
                .map(element => `${element.localName}#${element.id}.${element.className} ends at ${right(element)} of ${clientWidth}`);
            })()",
        );
        assert_eq!(wide, Value::Null, "{}", self.address);
    }

    /// Fails if the page did what a quiet file does not do.
    pub(crate) fn is_quiet(&self) {
        let heard = self.page.heard().expect("it answers");
        assert_eq!(heard.faults(&self.address), [""; 0], "{}", self.address);
    }
}

/// The selector of what belongs to a run, counted from 0.
pub(crate) fn model(run: usize) -> String {
    format!("#planes .model:nth-child({})", run + 1)
}

pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    let values = value.as_array().map_or(&[][..], Vec::as_slice);
    let number = |number: &Value| number.as_f64().expect("a number");
    values.iter().map(number).collect()
}

/// Fails unless two rows of numbers are as near each other.
#[track_caller]
pub(crate) fn assert_near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        let difference = (found - expected).abs();
        assert!(
            difference <= tolerance,
            "place {place}: {found} where {expected} is expected within {tolerance:.1e}"
        );
    }
}
