//! The process: found, started, and ended.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::PATIENCE;
use crate::connection::{Connection, Session};
use crate::page::{Look, Page};

/// By what names it is installed.
const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

const OPTIONS: [&str; 13] = [
    "--headless=new",
    "--remote-debugging-pipe",
    "--disable-gpu",
    // Its sandbox does not start as root, nor in most containers; it opens
    // nothing but our own files.
    "--no-sandbox",
    "--no-first-run",
    "--no-default-browser-check",
    // Containers often give shared memory 64 MB.
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--force-color-profile=srgb",
    "--mute-audio",
];

/// Chromium listens on descriptor 3 and answers on 4.
const THROUGH_PIPES: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null"#;

/// How long it may take to end by itself before it is killed.
const FAREWELL: Duration = Duration::from_secs(3);

/// A running Chromium.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    connection: Mutex<Connection>,
    /// Its profile and what it says on stderr.
    place: Option<tempfile::TempDir>,
}

impl Browser {
    /// The Chromium of this machine: `$CHROMIUM`, or what is installed under one
    /// of its names.
    #[must_use]
    pub fn installed() -> Option<PathBuf> {
        if let Some(named) = env::var_os("CHROMIUM").filter(|named| !named.is_empty()) {
            return Some(named.into());
        }
        let folders = env::var_os("PATH")?;
        let folders: Vec<PathBuf> = env::split_paths(&folders).collect();
        NAMES
            .iter()
            .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
            .find(|path| path.is_file())
    }

    /// Starts the program at this path, with a profile of its own.
    ///
    /// # Errors
    /// When it does not start, or says nothing.
    pub fn start(program: &Path) -> anyhow::Result<Self> {
        let place = tempfile::tempdir()?;
        let said = place.path().join("said");
        let mut child = Command::new("sh")
            .args(["-c", THROUGH_PIPES])
            .arg(program)
            .args(OPTIONS)
            .arg(format!(
                "--user-data-dir={}",
                place.path().join("profile").display()
            ))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&said)?)
            .spawn()
            .context("sh could not be started")?;
        let to = child.stdin.take().context("it has no stdin")?;
        let from = child.stdout.take().context("it has no stdout")?;
        let browser = Self {
            child,
            connection: Mutex::new(Connection::new(to, from)),
            place: Some(place),
        };
        browser
            .call(None, "Browser.getVersion", &json!({}), PATIENCE)
            .with_context(|| {
                let said = fs::read_to_string(&said).unwrap_or_default();
                format!(
                    "{} did not answer; it said: {}",
                    program.display(),
                    said.trim().replace('\n', " | ")
                )
            })?;
        Ok(browser)
    }

    /// Opens an empty page that shares nothing with the others.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn page(&self, look: &Look) -> anyhow::Result<Page<'_>> {
        Page::new(self, look)
    }

    /// The number of its process.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Asks it or a page to do something, and waits for the answer.
    pub(crate) fn call(
        &self,
        session: Option<&Session>,
        method: &str,
        parameters: &Value,
        patience: Duration,
    ) -> anyhow::Result<Value> {
        self.connected(|connection| connection.call(session, method, parameters, patience))
    }

    pub(crate) fn connected<T>(&self, work: impl FnOnce(&mut Connection) -> T) -> T {
        let connection = self.connection.lock();
        work(&mut connection.unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Waits for its end; whether it came.
    fn ends_within(&mut self, time: Duration) -> io::Result<bool> {
        let end = Instant::now() + time;
        while self.child.try_wait()?.is_none() {
            if Instant::now() >= end {
                return Ok(false);
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(true)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends its own processes where it is asked to; those of a killed one
        // end when they find its pipes closed.
        self.connected(|connection| connection.tell(None, "Browser.close", &json!({})))
            .ok();
        if !self.ends_within(FAREWELL).unwrap_or(false) {
            self.child.kill().ok();
            self.child.wait().ok();
        }
        // A process of its that is still ending may write into the profile.
        let place = self.place.take().map(tempfile::TempDir::keep);
        for _ in 0..20 {
            if place.as_ref().is_none_or(|place| {
                fs::remove_dir_all(place).is_ok_and(|()| !place.exists()) || !place.exists()
            }) {
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}
