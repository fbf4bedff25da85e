//! The page that `figures` writes, in a browser.

#![allow(clippy::print_stderr)]

use std::path::Path;

use assert_cmd::Command;
use browser::{AccessibilityRules, Browser, Look, file_address};
use serde_json::json;

fn make(folder: &Path, arguments: &[&str]) {
    let mut command = Command::cargo_bin("latent-atlas").expect("cargo built it");
    command
        .current_dir(folder)
        .env_remove("LATENT_ATLAS_DATA")
        .env_remove("LATENT_ATLAS_MIRROR")
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .args(arguments)
        .arg("--quiet")
        .assert()
        .success();
}

/// The rules, where the longer tests are asked for and they can be had.
fn rules() -> Option<AccessibilityRules> {
    if std::env::var_os("EXPLORER_PAGE").is_none_or(|extent| extent != "full") {
        eprintln!("skipped: axe-core is fetched where EXPLORER_PAGE is 'full'");
        return None;
    }
    AccessibilityRules::fetch()
        .inspect_err(|why| eprintln!("skipped: axe-core cannot be had: {why:#}"))
        .ok()
}

#[test]
fn it_is_quiet_fits_a_phone_and_keeps_nobody_out() {
    let Some(program) = Browser::installed() else {
        eprintln!("skipped: no Chromium is installed");
        return;
    };
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = root.path();
    let run = ["train", "--hidden", "8", "--batch", "4096", "--epochs", "1"];
    make(folder, &[&run[..], &["--out", "a"]].concat());
    make(folder, &[&run[..], &["--out", "b", "--seed", "7"]].concat());
    let figures = ["figures", "a", "b", "--out", "both", "--figure", "map"];
    make(folder, &figures);
    let file = folder.join("both/index.html");
    let address = file_address(&file).expect("a page");
    let beside = address.trim_end_matches("index.html");
    let rules = rules();
    let browser = Browser::start(&program).expect("it starts");
    let dark = Look {
        dark: true,
        ..Look::default()
    };
    for look in [Look::default(), dark, Look::phone()] {
        let page = browser.page(&look).expect("a page");
        page.open(&file).expect("it opens");
        let mut heard = page.heard().expect("it answers");
        heard
            .requests
            .retain(|address| !address.starts_with(beside));
        assert_eq!(heard.faults(&address), [""; 0], "{look:?}");
        let element = "document.documentElement";
        let widths = format!("[{element}.scrollWidth, {element}.clientWidth]");
        let widths = page.evaluate(&widths).expect("two numbers");
        let is_wider = widths[0].as_f64() > widths[1].as_f64();
        assert!(!is_wider, "{look:?}: {widths}");
        let lost = "[...document.querySelectorAll('.scroll')].filter(table =>
            table.scrollWidth > table.clientWidth && table.tabIndex < 0).length";
        assert_eq!(page.evaluate(lost).expect("a number"), json!(0), "{look:?}");
        if let Some(rules) = &rules {
            assert_eq!(page.barriers(rules).expect("they run"), [""; 0], "{look:?}");
        }
    }
}
