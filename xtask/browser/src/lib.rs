//! Chromium without a window, which tests open pages in, use as a person would,
//! and ask what happened.
//!
//! It is told what to do in the Chrome DevTools Protocol
//! (<https://chromedevtools.github.io/devtools-protocol/>), over two pipes. Every
//! wait has an end, and the process ends with its [`Browser`].

#![forbid(unsafe_code)]

mod accessibility;
mod connection;
mod heard;
mod input;
mod keys;
mod page;
mod process;

pub use accessibility::AccessibilityRules;
pub use heard::{Heard, Line};
pub use input::Point;
pub use page::{Look, Page, Rectangle, file_address};
pub use process::Browser;

use std::time::Duration;

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
