//! Studies from training to the page, on a few hundred images.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;

use datasets::{Lookup, glyphs, idx};
use runs::configuration::ReadingConfiguration;
use runs::interrupt::Interrupt;
use runs::run_data::DataLocation;
use serde_json::Value;
use studies::draw::{self, Observer, Request};
use studies::{PlannedRun, Study};

struct Silent;

impl Observer for Silent {
    fn training(
        &self,
        _index: usize,
        _total: usize,
        _run: &PlannedRun,
    ) -> Box<dyn runs::training::Observer + '_> {
        Box::new(())
    }

    fn drawing(&self, _study: &Study) {}
    fn remark(&self, _sentence: &str) {}
}

/// Writes a small data set as IDX files and returns the name to ask for it.
fn small_data(folder: &Path) -> String {
    fs::create_dir_all(folder).unwrap();
    let parts = [(0..600, "train"), (60_000..60_300, "t10k")];
    for (indices, name) in parts {
        let split = glyphs::split(indices);
        let n = split.len();
        let images = File::create(folder.join(format!("{name}-images-idx3-ubyte"))).unwrap();
        let pixels: Vec<u8> = split.bytes().unwrap().iter().copied().collect();
        idx::write(images, &[n, 28, 28], &pixels).unwrap();
        let classes: Vec<u8> = split.labels().unwrap().iter().map(|&l| l as u8).collect();
        let labels = File::create(folder.join(format!("{name}-labels-idx1-ubyte"))).unwrap();
        idx::write(labels, &[n], &classes).unwrap();
    }
    format!("idx:{}", folder.display())
}

fn request(folder: &Path, study: &str, seeds: usize) -> Request {
    Request {
        first_seed: 0,
        studies: vec![study.into()],
        dataset: Some(small_data(&folder.join("data"))),
        quick: true,
        seeds: Some(studies::Seeds::Each(seeds)),
        out: folder.join("figures"),
        runs: folder.join("runs"),
        output: Default::default(),
        limits: runs::jobs::Limits::of(Some(2), None),
        checkpoint_every: runs::training::CHECKPOINT_EVERY,
        location: DataLocation::from(Lookup {
            offline: true,
            ..Lookup::default()
        }),
        reading: ReadingConfiguration::default(),
        command: "figures".into(),
    }
}

/// Draws a study twice and checks what it leaves behind: `figures` as PNG with
/// their data, `animations` among them, `claims` with measurements for every
/// seed, a page that shows them. Measurements of the claims in `incomplete` may
/// lack seeds: they are of all seeds together, or models trained so briefly do
/// not have them.
fn check(study: &str, figures: &[&str], animations: &[&str], claims: &[&str], incomplete: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let seeds = 2;
    let request = request(folder.path(), study, seeds);
    let draw = || draw::draw(&request, &Interrupt::default(), &mut |_| {}, &Silent).unwrap();
    let first = draw();
    assert!(first.trained > 0);
    let names: BTreeSet<String> = first
        .figures
        .iter()
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    for figure in figures.iter().chain(animations) {
        assert!(names.contains(*figure), "{figure} is not among {names:?}");
    }
    let mut bytes = Vec::new();
    for path in &first.figures {
        let png = fs::read(path).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy();
        if animations.contains(&&*name) {
            let frames = viz::decode_apng(&png).unwrap().images;
            assert!(frames.len() > 5, "{name} has {} frames", frames.len());
            assert!(frames[0] != frames[frames.len() / 2], "{name} stands still");
        } else {
            assert!(viz::decode_png(&png).is_ok(), "{}", path.display());
        }
        let data: Value =
            serde_json::from_slice(&fs::read(path.with_extension("json")).unwrap()).unwrap();
        assert!(
            data["configuration"]["runs"].is_array(),
            "{}",
            path.display()
        );
        bytes.push(png);
    }
    let table: Vec<Value> = serde_json::from_slice(
        &fs::read(
            first.figures[0]
                .parent()
                .unwrap()
                .parent()
                .unwrap()
                .join("claims.json"),
        )
        .unwrap(),
    )
    .unwrap();
    let found: Vec<&str> = table
        .iter()
        .map(|claim| claim["id"].as_str().unwrap())
        .collect();
    assert_eq!(found, claims);
    for claim in &table {
        let measured = claim["measured"].as_array().unwrap();
        let complete = measured
            .iter()
            .filter(|of_model| of_model["by_seed"].as_object().unwrap().len() == seeds)
            .count();
        // So little training leaves every variable of some models unused.
        let has_apart = shares_apart(claim).any(|share| share > 0.0);
        if incomplete.contains(&claim["id"].as_str().unwrap()) || has_apart {
            assert!(complete > 0 || claim["verdict"] == "undecided", "{claim}");
        } else {
            assert!(complete == measured.len() && complete > 0, "{claim}");
        }
    }
    let page = fs::read_to_string(&first.page).unwrap();
    for figure in figures.iter().chain(animations) {
        assert!(
            page.contains(&format!("{figure}.png")),
            "{figure} is not on the page"
        );
    }

    // The same again trains nothing and draws the same bytes.
    let second = draw();
    assert_eq!(second.trained, 0);
    assert_eq!(second.figures, first.figures);
    for (path, before) in second.figures.iter().zip(&bytes) {
        assert!(
            fs::read(path).unwrap() == *before,
            "{} changed",
            path.display()
        );
    }
}

#[test]
fn the_lab_study_draws_and_measures() {
    check(
        "lab",
        &[
            "vae-map",
            "ae-map",
            "lab-ae-map",
            "maps",
            "vae-centre",
            "regions",
            "change",
            "codes",
            "posteriors",
            "posterior-surfaces",
            "by-radius",
            "quantile-maps",
            "training",
        ],
        &[],
        &[
            "000.1", "000.2", "000.3", "000.4", "000.5", "000.6", "000.7", "000.8", "000.9",
            "001.1", "001.2", "001.3", "001.4", "001.5",
        ],
        &["000.5"],
    );
}

#[test]
fn the_autoencoder_study_draws_and_measures() {
    check(
        "autoencoder",
        &[
            "codes",
            "areas",
            "gaps",
            "random-points-ae",
            "random-points-vae",
            "random-points-vae-prior",
            "maps",
            "pairs",
        ],
        &[],
        &[
            "002.1", "002.2", "002.3", "002.4", "002.5", "002.6", "002.7", "002.8", "002.9",
            "002.10", "002.11", "002.12",
        ],
        &["002.6", "002.8", "002.11", "002.12"],
    );
}

#[test]
fn the_trajectories_study_draws_and_measures() {
    check(
        "trajectories",
        &["ten-stills", "sixty-stills", "by-epoch", "cloud"],
        &["ten", "sixty"],
        &["003.1", "003.2", "003.3", "003.17", "003.18"],
        &["003.2"],
    );
}

#[test]
fn the_sampling_study_draws_and_measures() {
    check(
        "sampling",
        &[
            "codes",
            "generation",
            "projections",
            "slices",
            "quality",
            "reconstruction",
        ],
        &["space"],
        &[
            "003.4", "003.5", "003.6", "003.7", "003.8", "003.9", "003.10",
        ],
        &["003.4", "003.5", "003.6", "003.9", "003.10"],
    );
}

#[test]
fn the_dimensions_study_draws_and_measures() {
    check(
        "dimensions",
        &["four-dimensions", "samples", "units", "seeds"],
        &[],
        &[
            "003.11", "003.12", "003.13", "003.14", "003.15", "003.16", "003.19", "003.20",
            "003.21", "003.22",
        ],
        &[
            "003.11", "003.12", "003.13", "003.15", "003.16", "003.19", "003.20", "003.21",
        ],
    );
}

/// A made data set: what its images are and which class each has.
#[derive(Clone, Copy)]
struct Made {
    /// After the number of images.
    shape: &'static [usize],
    floats: bool,
    /// Training and test images.
    counts: [usize; 2],
    class: Option<fn(usize) -> u8>,
    value: fn(usize, usize) -> u8,
}

/// Blots whose place depends on the image.
fn blot(image: usize, at: usize) -> u8 {
    let wave = (image * 37 % 101) as f64 / 7.0 + at as f64 * (1.0 + (image % 3) as f64) / 9.0;
    (127.5 + 127.5 * wave.sin()) as u8
}

impl Made {
    /// Writes it as IDX files and returns the name to ask for it.
    fn write(self, folder: &Path) -> String {
        fs::create_dir_all(folder).unwrap();
        let values: usize = self.shape.iter().product();
        let mut before = 0;
        for (part, count) in [("train", self.counts[0]), ("t10k", self.counts[1])] {
            let images = before..before + count;
            before += count;
            let bytes: Vec<u8> = images
                .clone()
                .flat_map(|image| (0..values).map(move |at| (self.value)(image, at)))
                .collect();
            let sizes: Vec<usize> = [count].iter().chain(self.shape).copied().collect();
            let kind = if self.floats { "float" } else { "ubyte" };
            let name = format!("{part}-images-idx{}-{kind}", sizes.len());
            if self.floats {
                let mut file = vec![0, 0, 0x0d, sizes.len() as u8];
                file.extend(sizes.iter().flat_map(|&size| (size as u32).to_be_bytes()));
                for byte in bytes {
                    file.extend((f32::from(byte) / 255.0).to_be_bytes());
                }
                fs::write(folder.join(name), file).unwrap();
            } else {
                idx::write(File::create(folder.join(name)).unwrap(), &sizes, &bytes).unwrap();
            }
            if let Some(class) = self.class {
                let labels: Vec<u8> = images.map(class).collect();
                let file = File::create(folder.join(format!("{part}-labels-idx1-ubyte"))).unwrap();
                idx::write(file, &[count], &labels).unwrap();
            }
        }
        format!("idx:{}", folder.display())
    }

    /// Draws studies of it (all for none named) and returns the page and the
    /// claims.
    fn drawn(self, studies: &[&str]) -> (String, Vec<Value>) {
        let folder = tempfile::tempdir().unwrap();
        let dataset = self.write(&folder.path().join("made"));
        let request = Request {
            studies: studies.iter().map(ToString::to_string).collect(),
            dataset: Some(dataset),
            ..request(folder.path(), "", 1)
        };
        let outcome = draw::draw(&request, &Interrupt::default(), &mut |_| {}, &Silent).unwrap();
        for path in &outcome.figures {
            let png = fs::read(path).unwrap();
            let drawn = viz::decode_png(&png).is_ok() || viz::decode_apng(&png).is_ok();
            assert!(drawn, "{}", path.display());
        }
        let page = fs::read_to_string(&outcome.page).unwrap();
        for wrong in ["NaN", "\u{221e}", "Infinity"] {
            assert!(!page.contains(wrong), "{wrong} on the page");
        }
        assert!(
            !page
                .split(|c: char| !c.is_alphanumeric())
                .any(|word| word == "inf")
        );
        // Named after the end of its path and its content.
        let mut made = fs::read_dir(&request.out).unwrap().flatten();
        let made = made.find(|entry| entry.file_name().to_string_lossy().starts_with("made-"));
        let made = made.unwrap().file_name().into_string().unwrap();
        for study in studies::STUDIES.iter() {
            let asked = studies.is_empty() || studies.contains(&study.name());
            let figure = format!("src=\"{made}/{}/", study.name());
            assert_eq!(page.contains(&figure), asked, "{}", study.name());
        }
        let claims = request.out.join(made).join("claims.json");
        let claims: Vec<Value> = serde_json::from_slice(&fs::read(claims).unwrap()).unwrap();
        assert!(!claims.is_empty());
        for claim in &claims {
            for measured in claim["measured"].as_array().unwrap() {
                let is_together = measured["by_seed"].as_object().unwrap().is_empty()
                    && measured["missing"].is_null();
                let explained = measured["interval"].is_null() && !measured["missing"].is_null();
                let known = measured["interval"]["centre"].is_number();
                assert!(is_together || explained || known, "{measured}");
            }
        }
        (page, claims)
    }
}

/// The share of trainings that a statement sets apart, of each of its models.
fn shares_apart(claim: &Value) -> impl Iterator<Item = f64> {
    let shares = claim["collapsed"].as_array().into_iter().flatten();
    shares.filter_map(|share| share["interval"]["centre"].as_f64())
}

/// Whether the numbers that decide a statement were measured: all it has. One seed
/// decides none.
fn is_measured(claims: &[Value], id: &str) -> bool {
    let claim = claims.iter().find(|claim| claim["id"] == id).unwrap();
    assert_eq!(claim["verdict"], "undecided", "{id}");
    let mut measured = claim["measured"].as_array().unwrap().iter();
    measured.all(|measured| measured["interval"]["centre"].is_number())
}

#[test]
fn colour_images_of_three_classes_make_every_study() {
    let made = Made {
        shape: &[16, 16, 3],
        floats: false,
        counts: [300, 150],
        class: Some(|image| (image % 3) as u8),
        value: blot,
    };
    let (page, claims) = made.drawn(&[]);
    assert!(page.contains("of 16 × 16 × 3, of three classes"));
    assert!(page.contains("Three equal classes would have 33\u{a0}% each"));
    assert!(page.contains("768-256-32-8-4"));
    assert!(!page.contains("Left out"), "{page}");
    assert!(is_measured(&claims, "000.1"));
}

#[test]
fn images_without_labels_leave_out_what_needs_them() {
    let made = Made {
        shape: &[8, 8],
        floats: true,
        counts: [300, 150],
        class: None,
        value: blot,
    };
    let (page, claims) = made.drawn(&[]);
    for left_out in [
        "which object is drawn where",
        "the areas of the classes",
        "how good the generated images are",
        "how good the samples are",
    ] {
        let sentence = format!("Left out: {left_out}, because the data set has no labels.");
        assert!(page.contains(&sentence), "{sentence}");
    }
    for id in ["000.1", "002.3", "002.5", "003.10", "003.15"] {
        assert!(!is_measured(&claims, id), "{id}");
    }
    // What needs none is measured.
    for id in ["000.3", "000.4", "003.1", "003.2"] {
        assert!(is_measured(&claims, id), "{id}");
    }
    // So few images leave every variable of the deeper net unused, and one of the model
    // with three: they are in no number, but how often that happens is one.
    let without = claims.iter().find(|claim| claim["id"] == "003.8").unwrap();
    assert!(shares_apart(without).any(|share| share == 1.0), "{without}");
    assert!(page.contains("every latent variable collapsed"));
    assert!(!is_measured(&claims, "003.9"));
    let shape = claims.iter().find(|claim| claim["id"] == "003.9").unwrap();
    let measured = shape["measured"].as_array().unwrap().iter();
    let shares = measured.filter(|of| of["interval"]["about"] == "proportion");
    assert_eq!(shares.count(), 2, "{shape}");
    for figure in [
        "vae-map.png",
        "posteriors.png",
        "ten.png",
        "generation.png",
        "samples.png",
    ] {
        assert!(page.contains(figure), "{figure}");
    }
}

#[test]
fn many_classes_and_one_without_a_test_image_are_drawn() {
    let made = Made {
        shape: &[10, 7],
        floats: false,
        counts: [300, 150],
        // No test image is of the last class.
        class: Some(|image| (image % if image < 300 { 62 } else { 61 }) as u8),
        value: blot,
    };
    let (page, _) = made.drawn(&["lab", "autoencoder", "trajectories"]);
    assert!(page.contains("of 10 × 7, of 62 classes"));
    assert!(page.contains("the first test image of each of the first 20 of 61 classes"));

    assert!(page.contains("Left out: the areas of the classes, because fewer than two classes"));
}

#[test]
fn a_single_class_is_drawn() {
    let made = Made {
        shape: &[8, 8],
        floats: false,
        counts: [200, 100],
        class: Some(|_| 0),
        value: blot,
    };
    let (page, claims) = made.drawn(&["lab", "autoencoder", "dimensions"]);
    assert!(page.contains("of one class"));
    assert!(!is_measured(&claims, "002.3"));
    assert!(page.contains("fewer than two classes"));
}

#[test]
fn twenty_images_that_are_all_equal_make_every_study() {
    let made = Made {
        shape: &[8, 8],
        floats: false,
        counts: [20, 5],
        class: Some(|image| (image % 2) as u8),
        value: |_, at| if at % 5 == 0 { 255 } else { 0 },
    };
    let (page, claims) = made.drawn(&[]);
    assert!(page.contains("because the array of"), "{page}");
    assert!(!is_measured(&claims, "000.3"));
}

#[test]
fn vectors_are_drawn_as_lines() {
    let made = Made {
        shape: &[40],
        floats: true,
        counts: [200, 100],
        class: None,
        value: blot,
    };
    let (page, _) = made.drawn(&["lab", "dimensions"]);
    assert!(page.contains("200 training and 100 test vectors of 40, without labels"));
}
