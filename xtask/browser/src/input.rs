//! Hands: keyboard, mouse, fingers, and files that are let fall or chosen.

use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::keys;
use crate::page::Page;

/// A place in the viewport, in CSS pixels from its upper left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// To the right.
    pub x: f64,
    /// Downwards.
    pub y: f64,
}

impl Point {
    fn towards(self, other: Self, share: f64) -> Self {
        Self {
            x: self.x + (other.x - self.x) * share,
            y: self.y + (other.y - self.y) * share,
        }
    }
}

/// The places between two, without the first and with the last.
fn between(from: Point, to: Point, steps: u32) -> impl Iterator<Item = Point> {
    (1..=steps).map(move |step| from.towards(to, f64::from(step) / f64::from(steps)))
}

impl Page<'_> {
    /// Presses a key and lets it go, by its name in `KeyboardEvent.key`, after
    /// what is held beside it: `a`, `Tab`, `Shift+Tab`, `Control+ArrowUp`.
    ///
    /// # Errors
    /// When there is no such key, or the browser does not answer.
    pub fn press(&self, key: &str) -> anyhow::Result<()> {
        let mut event = keys::key(key)?;
        let types = event["text"].as_str().is_some_and(|text| !text.is_empty());
        event["type"] = json!(if types { "keyDown" } else { "rawKeyDown" });
        self.call("Input.dispatchKeyEvent", &event)?;
        event["type"] = json!("keyUp");
        event["text"] = json!("");
        self.call("Input.dispatchKeyEvent", &event)?;
        Ok(())
    }

    /// Types a text into what has the focus.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn type_text(&self, text: &str) -> anyhow::Result<()> {
        self.call("Input.insertText", &json!({"text": text}))?;
        Ok(())
    }

    fn mouse(&self, kind: &str, at: Point, more: &[(&str, Value)]) -> anyhow::Result<()> {
        let mut event = json!({"type": kind, "x": at.x, "y": at.y});
        for (name, value) in more {
            event[*name] = value.clone();
        }
        self.call("Input.dispatchMouseEvent", &event)?;
        Ok(())
    }

    /// Moves the mouse, with no button held.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn mouse_move(&self, to: Point) -> anyhow::Result<()> {
        self.mouse("mouseMoved", to, &[])
    }

    /// Presses the left button.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn mouse_down(&self, at: Point) -> anyhow::Result<()> {
        let left = [
            ("button", json!("left")),
            ("buttons", json!(1)),
            ("clickCount", json!(1)),
        ];
        self.mouse("mousePressed", at, &left)
    }

    /// Moves the mouse with the left button held.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn mouse_drag(&self, to: Point) -> anyhow::Result<()> {
        let left = [("button", json!("left")), ("buttons", json!(1))];
        self.mouse("mouseMoved", to, &left)
    }

    /// Lets the left button go.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn mouse_up(&self, at: Point) -> anyhow::Result<()> {
        let left = [("button", json!("left")), ("clickCount", json!(1))];
        self.mouse("mouseReleased", at, &left)
    }

    /// Moves there and clicks.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn click(&self, at: Point) -> anyhow::Result<()> {
        self.mouse_move(at)?;
        self.mouse_down(at)?;
        self.mouse_up(at)
    }

    /// Drags with the mouse from one place to another.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn drag(&self, from: Point, to: Point, steps: u32) -> anyhow::Result<()> {
        self.mouse_move(from)?;
        self.mouse_down(from)?;
        for place in between(from, to, steps) {
            self.mouse_drag(place)?;
        }
        self.mouse_up(to)
    }

    /// Turns the wheel: positive is downwards.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn wheel(&self, at: Point, pixels: f64) -> anyhow::Result<()> {
        let turned = [("deltaX", json!(0)), ("deltaY", json!(pixels))];
        self.mouse("mouseWheel", at, &turned)
    }

    fn touch(&self, kind: &str, fingers: &[Point]) -> anyhow::Result<()> {
        let fingers: Vec<Value> = fingers
            .iter()
            .enumerate()
            .map(|(finger, at)| json!({"x": at.x, "y": at.y, "id": finger}))
            .collect();
        let event = json!({"type": kind, "touchPoints": fingers});
        self.call("Input.dispatchTouchEvent", &event)?;
        Ok(())
    }

    /// Lays fingers down.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn touch_start(&self, fingers: &[Point]) -> anyhow::Result<()> {
        self.touch("touchStart", fingers)
    }

    /// Moves the fingers that are down.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn touch_move(&self, fingers: &[Point]) -> anyhow::Result<()> {
        self.touch("touchMove", fingers)
    }

    /// Lifts all fingers.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn touch_end(&self) -> anyhow::Result<()> {
        self.touch("touchEnd", &[])
    }

    /// Lays a finger down and lifts it.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn tap(&self, at: Point) -> anyhow::Result<()> {
        self.touch_start(&[at])?;
        self.touch_end()
    }

    /// Drags with one finger from one place to another.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn touch_drag(&self, from: Point, to: Point, steps: u32) -> anyhow::Result<()> {
        self.touch_start(&[from])?;
        for place in between(from, to, steps) {
            self.touch_move(&[place])?;
        }
        self.touch_end()
    }

    /// Spreads or closes two fingers around a place, from one distance between
    /// them to another.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn pinch(&self, around: Point, from: f64, to: f64, steps: u32) -> anyhow::Result<()> {
        let fingers = |distance: f64| {
            [-0.5, 0.5].map(|side| Point {
                x: around.x + side * distance,
                y: around.y,
            })
        };
        self.touch_start(&fingers(from))?;
        for step in 1..=steps {
            let share = f64::from(step) / f64::from(steps);
            self.touch_move(&fingers(from + (to - from) * share))?;
        }
        self.touch_end()
    }

    /// Chooses files in the `<input type="file">` that a selector names.
    ///
    /// # Errors
    /// When there is no such element, or it takes no files.
    pub fn choose_files(&self, selector: &str, files: &[&Path]) -> anyhow::Result<()> {
        let expression = format!("document.querySelector({})", json!(selector));
        let found = self.call("Runtime.evaluate", &json!({"expression": expression}))?;
        let object = found["result"]["objectId"]
            .as_str()
            .with_context(|| format!("the page has no {selector}"))?;
        let chosen = json!({"objectId": object, "files": files});
        self.call("DOM.setFileInputFiles", &chosen)?;
        Ok(())
    }

    /// Drags files in from outside the browser and lets them fall there.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn drop_files(&self, at: Point, files: &[&Path]) -> anyhow::Result<()> {
        for kind in ["dragEnter", "dragOver", "drop"] {
            let data = json!({"items": [], "files": files, "dragOperationsMask": 1});
            let event = json!({"type": kind, "x": at.x, "y": at.y, "data": data});
            self.call("Input.dispatchDragEvent", &event)?;
        }
        Ok(())
    }
}
