//! Writes an animation of an explorer page in use: the pointer moves over the
//! first plane, then the cursor goes along the shortest path between two codes.
//!
//! ```text
//! cargo run -p browser --example explorer_animation -- atlas.html --out explorer.png
//! ```

#![allow(clippy::print_stdout)]

use std::f64::consts::TAU;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use browser::{Browser, Look, Page};
use clap::Parser;
use viz::{Animation, Image, RgbImage, decode_png};

/// Write an APNG file of an explorer page in use.
#[derive(Debug, Parser)]
struct Options {
    /// What `latent-atlas explore` has written.
    page: PathBuf,

    /// The APNG file.
    #[arg(long)]
    out: PathBuf,

    /// Width of the animation in pixels.
    #[arg(long, default_value_t = 960)]
    width: u32,

    /// Height of the animation in pixels.
    #[arg(long, default_value_t = 640)]
    height: u32,

    /// CSS pixels in a pixel of the animation: above 1 more of the page is seen,
    /// and smaller.
    #[arg(long, default_value_t = 4.0 / 3.0)]
    shrunk: f64,

    /// Bytes that the file has at most; colours, then frames are left out for it.
    #[arg(long, default_value_t = 1_500_000)]
    most_bytes: usize,
}

/// Frames of the pointer on its way over the plane.
const OVER_PLANE: u32 = 19;

/// Frames from one end of the path to the other.
const ALONG_PATH: u32 = 11;

const FRAME_MILLISECONDS: u16 = 240;

/// What is made between frames is done within this.
const WORK: Duration = Duration::from_secs(120);

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let program = Browser::installed()
        .context("no Chromium is installed; install one, or set CHROMIUM to its path")?;
    let browser = Browser::start(&program)?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let css = |pixels: u32| (f64::from(pixels) * options.shrunk).round() as u32;
    let page = browser.page(&Look {
        width: css(options.width),
        height: css(options.height),
        scale: options.shrunk.recip(),
        ..Look::default()
    })?;
    page.open(&options.page)?;
    page.wait_until("window.atlas && atlas.state().isIdle", WORK)?;
    page.evaluate(
        "for (const area of [document.documentElement, document.getElementById('tools')]) {
          area.style.scrollbarWidth = 'none';
        }",
    )?;
    page.settle()?;
    let frames = frames(&page, &options.out)?;
    let mut animation = Animation::new(&frames, FRAME_MILLISECONDS);
    animation.most_bytes = Some(options.most_bytes);
    let bytes = animation.encode(&[])?;
    fs::write(&options.out, &bytes).with_context(|| options.out.display().to_string())?;
    println!(
        "wrote {}: {} frames of {} × {}, {:.2} MB",
        options.out.display(),
        frames.len(),
        frames[0].width(),
        frames[0].height(),
        bytes.len() as f64 / 1e6
    );
    Ok(())
}

fn frames(page: &Page<'_>, out: &Path) -> anyhow::Result<Vec<RgbImage>> {
    let mut frames = Vec::new();
    for frame in 0..OVER_PLANE {
        point(page, way(f64::from(frame) / f64::from(OVER_PLANE)))?;
        frames.push(seen(page, out)?);
    }
    for (key, place) in [("a", way(0.1)), ("b", way(0.6))] {
        point(page, place)?;
        page.evaluate("document.querySelector('.plane').focus({preventScroll: true})")?;
        page.press(key)?;
    }
    page.evaluate(
        "(() => {
          for (const tool of ['layers-tool', 'image-tool']) document.getElementById(tool).open = false;
          const shape = document.getElementById('path-shape');
          shape.value = 'shortest';
          shape.dispatchEvent(new Event('change'));
        })()",
    )?;
    page.settle()?;
    page.wait_until("atlas.state().isIdle", WORK)?;
    for frame in 0..=ALONG_PATH {
        let percent = 100 * frame / ALONG_PATH;
        page.evaluate(&format!(
            "(() => {{
              const place = document.getElementById('path-at');
              place.value = {percent};
              place.dispatchEvent(new Event('input'));
            }})()"
        ))?;
        frames.push(seen(page, out)?);
    }
    Ok(frames)
}

/// A closed way over the codes, from −1 to 1 on both axes of their box.
fn way(share: f64) -> [f64; 2] {
    [
        0.8 * (TAU * share).cos(),
        0.75 * (2.0 * TAU * share + 0.6).sin(),
    ]
}

fn point(page: &Page<'_>, [u, v]: [f64; 2]) -> anyhow::Result<()> {
    let shares = page.evaluate(&format!(
        "(() => {{
          const [view] = atlas.app.views;
          const place = ([low, high], at) => (low + high) / 2 + at * (high - low) / 2;
          const {{box}} = view.home;
          return toCanvas(view, place(box[0], {u}), place(box[1], {v})).map(at => at / view.size);
        }})()"
    ))?;
    let share = |axis: usize| shares[axis].as_f64().context("the plane has no such place");
    page.mouse_move(page.place_of(".plane")?.at(share(0)?, share(1)?))
}

/// What is on the screen once the neighbours of the cursor are shown.
fn seen(page: &Page<'_>, out: &Path) -> anyhow::Result<RgbImage> {
    page.settle()?;
    std::thread::sleep(Duration::from_millis(800));
    page.settle()?;
    page.screenshot(out)?;
    match decode_png(&fs::read(out)?)? {
        Image::Rgb(image) => Ok(image),
        Image::Gray(_) => bail!("the screenshot is grey"),
    }
}
