//! A page: opened, asked and measured.

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::PATIENCE;
use crate::connection::Session;
use crate::heard::{self, Heard};
use crate::input::Point;
use crate::process::Browser;

/// How a page is looked at.
#[derive(Clone, Debug)]
pub struct Look {
    /// Of the viewport, in CSS pixels.
    pub width: u32,
    /// Of the viewport, in CSS pixels.
    pub height: u32,
    /// Device pixels in a CSS pixel.
    pub scale: f64,
    /// A phone's screen: fingers instead of a mouse, and `<meta name="viewport">`
    /// is followed.
    pub touch: bool,
    /// Whether dark pages are preferred to light ones.
    pub dark: bool,
    /// Whether little is to move.
    pub reduced_motion: bool,
    /// Whether the browser puts in colours of its own for strong contrast.
    pub forced_colours: bool,
    /// Whether scripts run.
    pub scripts: bool,
}

impl Default for Look {
    /// A light desktop of 1280 × 800.
    fn default() -> Self {
        Self {
            width: 1280,
            height: 800,
            scale: 1.0,
            touch: false,
            dark: false,
            reduced_motion: false,
            forced_colours: false,
            scripts: true,
        }
    }
}

impl Look {
    /// A phone of 375 × 667, the narrowest in wide use.
    #[must_use]
    pub fn phone() -> Self {
        Self {
            width: 375,
            height: 667,
            scale: 2.0,
            touch: true,
            ..Self::default()
        }
    }
}

/// A box in the viewport, in CSS pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rectangle {
    /// Of its left side.
    pub x: f64,
    /// Of its upper side.
    pub y: f64,
    /// From left to right.
    pub width: f64,
    /// From top to bottom.
    pub height: f64,
}

impl Rectangle {
    /// The place at a share of its width and of its height.
    #[must_use]
    pub fn at(&self, right: f64, down: f64) -> Point {
        Point {
            x: self.x + self.width * right,
            y: self.y + self.height * down,
        }
    }

    /// Its middle.
    #[must_use]
    pub fn middle(&self) -> Point {
        self.at(0.5, 0.5)
    }
}

/// A page of a browser. It ends with this.
#[derive(Debug)]
pub struct Page<'browser> {
    browser: &'browser Browser,
    context: String,
    session: Session,
    heard: RefCell<Heard>,
}

impl<'browser> Page<'browser> {
    pub(crate) fn new(browser: &'browser Browser, look: &Look) -> anyhow::Result<Self> {
        let ask = |method: &str, parameters: Value, field: &str| {
            let answer = browser.call(None, method, &parameters, PATIENCE)?;
            let text = answer[field].as_str().map(str::to_owned);
            text.with_context(|| format!("{method} gave no {field}"))
        };
        let context = ask("Target.createBrowserContext", json!({}), "browserContextId")?;
        let blank = json!({"url": "about:blank", "browserContextId": context,
            "width": look.width, "height": look.height});
        let target = ask("Target.createTarget", blank, "targetId")?;
        let attach = json!({"targetId": target, "flatten": true});
        let session = ask("Target.attachToTarget", attach, "sessionId")?;
        let page = Self {
            browser,
            context,
            session,
            heard: RefCell::default(),
        };
        for domain in ["Page", "Runtime", "Log", "Network", "Audits", "DOM"] {
            page.call(&format!("{domain}.enable"), &json!({}))?;
        }
        page.look(look)?;
        Ok(page)
    }

    /// Looks at it in another way.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn look(&self, look: &Look) -> anyhow::Result<()> {
        let metrics = json!({"width": look.width, "height": look.height,
            "deviceScaleFactor": look.scale, "mobile": look.touch});
        self.call("Emulation.setDeviceMetricsOverride", &metrics)?;
        let touch = json!({"enabled": look.touch, "maxTouchPoints": 5});
        self.call("Emulation.setTouchEmulationEnabled", &touch)?;
        let feature = |name: &str, holds: bool, yes: &str, no: &str| json!({"name": name, "value": if holds { yes } else { no }});
        let features = json!({"features": [
            feature("prefers-color-scheme", look.dark, "dark", "light"),
            feature("prefers-reduced-motion", look.reduced_motion, "reduce", "no-preference"),
            feature("forced-colors", look.forced_colours, "active", "none"),
        ]});
        self.call("Emulation.setEmulatedMedia", &features)?;
        let scripts = json!({"value": !look.scripts});
        self.call("Emulation.setScriptExecutionDisabled", &scripts)?;
        Ok(())
    }

    /// Opens a file.
    ///
    /// # Errors
    /// When it cannot be opened, or does not finish loading.
    pub fn open(&self, file: &Path) -> anyhow::Result<()> {
        self.go_to(&file_address(file)?)
    }

    /// Goes to an address. What was heard before is forgotten.
    ///
    /// # Errors
    /// When it cannot be opened, or does not finish loading.
    pub fn go_to(&self, address: &str) -> anyhow::Result<()> {
        self.forget()?;
        let answer = self.call("Page.navigate", &json!({"url": address}))?;
        if let Some(error) = answer["errorText"].as_str() {
            bail!("{address} could not be opened: {error}");
        }
        // Only another fragment of the page that is open: nothing is loaded.
        if answer["loaderId"].is_null() {
            return Ok(());
        }
        self.loaded(address)
    }

    /// Loads it anew. What was heard before is forgotten.
    ///
    /// # Errors
    /// When it does not finish loading.
    pub fn reload(&self) -> anyhow::Result<()> {
        self.forget()?;
        self.call("Page.reload", &json!({}))?;
        self.loaded("the page")
    }

    fn forget(&self) -> anyhow::Result<()> {
        self.browser
            .connected(|connection| connection.take_events(&self.session))?;
        self.heard.take();
        Ok(())
    }

    fn loaded(&self, what: &str) -> anyhow::Result<()> {
        let event = "Page.loadEventFired";
        let loaded = self
            .browser
            .connected(|connection| connection.wait_for(&self.session, event, PATIENCE))?;
        if !loaded {
            bail!("{what} did not finish loading within {PATIENCE:?}");
        }
        Ok(())
    }

    /// What was heard of it since it was opened.
    ///
    /// # Errors
    /// When the browser has gone.
    pub fn heard(&self) -> anyhow::Result<Heard> {
        // What happened before is told before this is answered.
        self.call("Runtime.evaluate", &json!({"expression": "0"}))?;
        let events = self
            .browser
            .connected(|connection| connection.take_events(&self.session))?;
        let mut heard = self.heard.borrow_mut();
        for event in &events {
            heard.hear(event);
        }
        Ok(heard.clone())
    }

    /// The value of an expression, after the promise if it is one.
    ///
    /// # Errors
    /// When it throws, or takes too long.
    pub fn evaluate(&self, expression: &str) -> anyhow::Result<Value> {
        self.evaluate_within(expression, PATIENCE)
    }

    /// The same, with less or more patience.
    ///
    /// # Errors
    /// When it throws, or takes too long.
    pub fn evaluate_within(&self, expression: &str, patience: Duration) -> anyhow::Result<Value> {
        let parameters = json!({"expression": expression, "returnByValue": true,
            "awaitPromise": true, "userGesture": true});
        let mut answer = self.browser.call(
            Some(&self.session),
            "Runtime.evaluate",
            &parameters,
            patience,
        )?;
        if let Some(details) = answer.get("exceptionDetails") {
            bail!("{} in: {}", heard::exception(details), short(expression));
        }
        Ok(answer["result"]["value"].take())
    }

    /// Waits until an expression is true, and gives its value.
    ///
    /// # Errors
    /// When it throws, or does not become true in time.
    pub fn wait_until(&self, expression: &str, patience: Duration) -> anyhow::Result<Value> {
        let end = Instant::now() + patience;
        loop {
            let value = self.evaluate(expression)?;
            let is_false = match &value {
                Value::Null => true,
                Value::Bool(holds) => !holds,
                Value::Number(number) => number.as_f64() == Some(0.0),
                Value::String(text) => text.is_empty(),
                Value::Array(_) | Value::Object(_) => false,
            };
            if !is_false {
                return Ok(value);
            }
            if Instant::now() >= end {
                bail!("not true within {patience:?}: {}", short(expression));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until two frames have been drawn, so that what was asked for before
    /// is on the screen.
    ///
    /// # Errors
    /// When none is drawn.
    pub fn settle(&self) -> anyhow::Result<()> {
        let frames =
            "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))";
        self.evaluate(frames)?;
        Ok(())
    }

    /// Where the first element that a selector names is, scrolled into view.
    ///
    /// # Errors
    /// When there is none.
    pub fn place_of(&self, selector: &str) -> anyhow::Result<Rectangle> {
        let expression = format!(
            "(() => {{
              const element = document.querySelector({});
              if (!element) return null;
              element.scrollIntoView({{block: 'nearest', inline: 'nearest', behavior: 'instant'}});
              const box = element.getBoundingClientRect();
              return [box.x, box.y, box.width, box.height];
            }})()",
            json!(selector)
        );
        let value = self.evaluate(&expression)?;
        let side = |side: usize| {
            let number = value[side].as_f64();
            number.with_context(|| format!("the page has no {selector}"))
        };
        Ok(Rectangle {
            x: side(0)?,
            y: side(1)?,
            width: side(2)?,
            height: side(3)?,
        })
    }

    /// Makes the processor as many times slower for it.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn throttle(&self, times: f64) -> anyhow::Result<()> {
        self.call("Emulation.setCPUThrottlingRate", &json!({"rate": times}))?;
        Ok(())
    }

    /// The bytes that its objects and arrays take, after a garbage collection.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn heap(&self) -> anyhow::Result<u64> {
        self.call("HeapProfiler.collectGarbage", &json!({}))?;
        let usage = self.call("Runtime.getHeapUsage", &json!({}))?;
        let bytes = |field: &str| usage[field].as_f64().unwrap_or_default();
        // What typed arrays hold stands beside the heap.
        let sum = bytes("usedSize") + bytes("backingStorageSize");
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Ok(sum as u64)
    }

    /// Prints it into a PDF file.
    ///
    /// # Errors
    /// When it cannot be printed or written.
    pub fn print(&self, file: &Path) -> anyhow::Result<()> {
        let options = json!({"printBackground": true, "preferCSSPageSize": true});
        self.keep("Page.printToPDF", &options, file)
    }

    /// Writes what is in the viewport into a PNG file.
    ///
    /// # Errors
    /// When it cannot be drawn or written.
    pub fn screenshot(&self, file: &Path) -> anyhow::Result<()> {
        self.keep("Page.captureScreenshot", &json!({"format": "png"}), file)
    }

    fn keep(&self, method: &str, options: &Value, file: &Path) -> anyhow::Result<()> {
        let answer = self.call(method, options)?;
        let data = answer["data"].as_str().unwrap_or_default();
        fs::write(file, STANDARD.decode(data)?).with_context(|| file.display().to_string())
    }

    /// Lets what it offers for download come into a folder.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn download_into(&self, folder: &Path) -> anyhow::Result<()> {
        let behaviour = json!({"behavior": "allow", "downloadPath": folder,
            "browserContextId": self.context});
        let method = "Browser.setDownloadBehavior";
        self.browser.call(None, method, &behaviour, PATIENCE)?;
        Ok(())
    }

    /// Waits for a download to come to its end at this path, and gives what it
    /// holds; an empty one never comes.
    ///
    /// # Errors
    /// When it does not come.
    pub fn downloaded(&self, file: &Path) -> anyhow::Result<Vec<u8>> {
        let end = Instant::now() + PATIENCE;
        loop {
            // An empty file holds the name until the whole one takes its place.
            match fs::read(file) {
                Ok(bytes) if !bytes.is_empty() => return Ok(bytes),
                _ if Instant::now() >= end => {
                    bail!("no {} came within {PATIENCE:?}", file.display())
                }
                _ => thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Lets it read and write the clipboard.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn allow_clipboard(&self) -> anyhow::Result<()> {
        let permissions = json!({"browserContextId": self.context,
            "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]});
        let method = "Browser.grantPermissions";
        self.browser.call(None, method, &permissions, PATIENCE)?;
        Ok(())
    }

    pub(crate) fn call(&self, method: &str, parameters: &Value) -> anyhow::Result<Value> {
        self.browser
            .call(Some(&self.session), method, parameters, PATIENCE)
    }
}

impl Drop for Page<'_> {
    fn drop(&mut self) {
        let context = json!({"browserContextId": self.context});
        self.browser
            .connected(|connection| connection.tell(None, "Target.disposeBrowserContext", &context))
            .ok();
    }
}

/// The `file:` address of a file that is there.
///
/// # Errors
/// When it is not.
pub fn file_address(file: &Path) -> anyhow::Result<String> {
    use std::fmt::Write as _;

    let file = fs::canonicalize(file).with_context(|| file.display().to_string())?;
    let mut address = String::from("file://");
    for byte in file.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => address.push(char::from(*byte)),
            _ if byte.is_ascii_alphanumeric() => address.push(char::from(*byte)),
            _ => write!(address, "%{byte:02X}")?,
        }
    }
    Ok(address)
}

fn short(expression: &str) -> String {
    expression.chars().take(200).collect()
}
