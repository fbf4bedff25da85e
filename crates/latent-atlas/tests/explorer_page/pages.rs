//! Pages of tiny runs, each made once for all tests, and what the program says of
//! their codes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use assert_cmd::Command;
use viz::{Rgb, RgbImage, write_png};

/// Decoded values may be as far from the program's: 1e-3 of their range by the
/// rounding of weights, and as much again for everything else.
pub(crate) const DECODED_ERROR: f64 = 2e-3;

/// The same of codes, in standard deviations of the codes.
pub(crate) const ENCODED_ERROR: f64 = 2e-3;

/// A page and the folder that its runs and their data are in.
pub(crate) struct Made {
    pub(crate) folder: PathBuf,
    pub(crate) page: PathBuf,
}

/// A VAE and an AE of two variables each, with four snapshots of their codes in
/// each of two epochs, on grey images in ten classes.
pub(crate) fn pair() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let made = Made::begin("pair");
        for (run, kind) in [("vae", "vae"), ("ae", "ae")] {
            let often = "tracking.snapshots_per_epoch=4";
            let more = ["--model", kind, "--epochs", "2", "--set", often];
            made.train("glyphs", run, &more);
        }
        made.explore(&["vae", "ae"])
    })
}

/// A VAE of five variables on the same images.
pub(crate) fn five() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let made = Made::begin("five");
        made.train("glyphs", "vae", &["--latent", "5", "--epochs", "2"]);
        made.explore(&["vae"])
    })
}

/// A VAE of one variable and an AE-L2 of three on vectors without labels.
pub(crate) fn vectors() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let made = Made::begin("vectors");
        let mut text = String::new();
        for row in 0..400_u32 {
            let turn = f64::from(row) * 0.37;
            let values: Vec<String> = (0..6)
                .map(|place| format!("{:.4}", 3.0 * (turn + f64::from(place) * 0.9).sin() + 1.0))
                .collect();
            text += &(values.join(",") + "\n");
        }
        fs::write(made.folder.join("waves.csv"), text).expect("a writable folder");
        let gaussian = ["--likelihood", "gaussian-identity", "--labels", "none"];
        let common = [&gaussian[..], &["--batch", "32", "--epochs", "6"]].concat();
        let line = [&common[..], &["--latent", "1"]].concat();
        made.train("waves.csv", "line", &line);
        let three = ["--latent", "3", "--model", "ae-l2", "--standardise"];
        made.train("waves.csv", "three", &[&common[..], &three].concat());
        made.explore(&["line", "three"])
    })
}

/// Names of classes that a page must show and not do.
pub(crate) const HOSTILE_CLASSES: [&str; 3] = [
    "</script><script>alert(1)</script>",
    "\u{202e}شجرة",
    "😀&amp;\"<!--<script>",
];

/// Names of files that a page must show and not do, without their endings.
const HOSTILE_FILES: [&str; 5] = [
    "<img src=x onerror=alert(1)>",
    "مرحبا",
    "😀",
    "=1+1",
    "a,\"b\"",
];

/// An AE on colour images in classes and files of hostile names.
pub(crate) fn hostile() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let made = Made::begin("hostile");
        let data = made.folder.join("<b>data&lt;");
        for part in ["train", "test"] {
            for class in 0..HOSTILE_CLASSES.len() {
                let folder = data.join(part).join(class.to_string());
                fs::create_dir_all(&folder).expect("a new folder");
                for row in 0..20 {
                    let name = HOSTILE_FILES[row % HOSTILE_FILES.len()];
                    let shift = if part == "train" { 0 } else { 7 };
                    let image = coloured(class, row + shift);
                    let file = folder.join(format!("{name}{row}.png"));
                    write_png(&file, &image, &[]).expect("it is written");
                }
            }
        }
        let lines = HOSTILE_CLASSES.join("\n");
        fs::write(data.join("labels.txt"), lines).expect("a writable folder");
        let more = ["--model", "ae", "--batch", "10", "--epochs", "8"];
        made.train("<b>data&lt;", "<b>ae", &more);
        made.explore(&["<b>ae"])
    })
}

/// 10 × 12 pixels, bright in one channel and brighter the later the row.
fn coloured(class: usize, row: usize) -> RgbImage {
    let mut image = RgbImage::new(12, 10, Rgb::BLACK);
    for y in 0..10 {
        for x in 0..12 {
            let of = |channel: usize| {
                let slant = (x * 7 + y * 11 + row * 13 + channel * 29) % 60;
                let bright = if channel == class { 100 + 3 * row } else { 0 };
                u8::try_from(bright + slant).expect("it is below 256")
            };
            image.set(x, y, Rgb(of(0), of(1), of(2)));
        }
    }
    image
}

/// All pages.
pub(crate) fn all() -> [&'static Made; 4] {
    [pair(), five(), vectors(), hostile()]
}

impl Made {
    pub(crate) fn begin(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("explorer_page/{name}"));
        if folder.exists() {
            fs::remove_dir_all(&folder).expect("what an earlier test left can be removed");
        }
        fs::create_dir_all(&folder).expect("a new folder");
        let page = folder.join("atlas.html");
        Self { folder, page }
    }

    pub(crate) fn program(&self, arguments: &[&str]) {
        let mut command = Command::cargo_bin("latent-atlas").expect("cargo built it");
        command
            .current_dir(&self.folder)
            .env_remove("LATENT_ATLAS_DATA")
            .env_remove("LATENT_ATLAS_MIRROR")
            .env("LATENT_ATLAS_CACHE", self.folder.join("cache"))
            .args(arguments)
            .arg("--quiet")
            .assert()
            .success();
    }

    pub(crate) fn train(&self, source: &str, run: &str, more: &[&str]) {
        let small = ["train", source, "--out", run, "--seed", "1"];
        let mut arguments = small.to_vec();
        for (option, value) in [("--hidden", "32"), ("--batch", "512"), ("--latent", "2")] {
            if !more.contains(&option) {
                arguments.extend([option, value]);
            }
        }
        arguments.extend(more);
        self.program(&arguments);
    }

    fn explore(self, runs: &[&str]) -> Self {
        let few = ["--images", "400", "--thumbnails", "200"];
        let page = ["-o", "atlas.html"];
        self.program(&[&["explore"][..], runs, &page, &few].concat());
        self
    }

    /// What a run decodes from some codes, in the units of the data.
    pub(crate) fn decoded(&self, run: &str, codes: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let place = tempfile::tempdir().expect("a temporary folder");
        let [from, to] = ["z.csv", "x.csv"].map(|name| place.path().join(name));
        let line = |row: &Vec<f64>| row.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
        let lines: Vec<String> = codes.iter().map(line).collect();
        fs::write(&from, lines.join("\n")).expect("a writable folder");
        let [from, to_text] = [&from, &to].map(|path| path.to_str().expect("plain letters"));
        self.program(&["decode", run, from, "-o", to_text]);
        let skipped = codes[0].len();
        let rows = numbers(&to, |column| column.starts_with('x'));
        assert!(rows.iter().all(|row| row.len() > skipped));
        rows
    }

    /// The codes that a run gives the rows of a source, in their order.
    pub(crate) fn encoded(&self, run: &str, source: &str, more: &[&str]) -> Vec<Vec<f64>> {
        let place = tempfile::tempdir().expect("a temporary folder");
        let to = place.path().join("codes.csv");
        let to_text = to.to_str().expect("plain letters");
        let encode = ["encode", run, source, "-o", to_text];
        self.program(&[&encode[..], more].concat());
        numbers(&to, |column| column.starts_with("mu"))
    }
}

/// Some columns of a table of numbers without quotes.
fn numbers(path: &Path, is_wanted: impl Fn(&str) -> bool) -> Vec<Vec<f64>> {
    let text = fs::read_to_string(path).expect("the program wrote it");
    let mut lines = text.lines();
    let header = lines.next().expect("a header");
    let wanted: Vec<bool> = header.split(',').map(is_wanted).collect();
    let row = |line: &str| {
        let cells = line.split(',').zip(&wanted).filter(|(_, wanted)| **wanted);
        cells
            .map(|(cell, _)| cell.parse().expect("a number"))
            .collect()
    };
    lines.map(row).collect()
}
