//! Studies from training to the page, on a few hundred images.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;

use atlas::figures::{self, Observer, Request};
use atlas::interrupt::Interrupt;
use atlas::study::{PlannedRun, Study};
use datasets::{Lookup, glyphs, idx};
use serde_json::Value;

struct Silent;

impl Observer for Silent {
    fn training(
        &self,
        _index: usize,
        _total: usize,
        _run: &PlannedRun,
    ) -> Box<dyn atlas::training::Observer + '_> {
        Box::new(())
    }

    fn drawing(&self, _study: &Study) {}
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
        studies: vec![study.into()],
        dataset: small_data(&folder.join("data")),
        quick: true,
        seeds,
        out: folder.join("figures"),
        runs: folder.join("runs"),
        threads: Some(2),
        lookup: Lookup {
            offline: true,
            ..Lookup::default()
        },
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
    let draw = || figures::draw(&request, &Interrupt::default(), &mut |_| {}, &Silent).unwrap();
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
        if incomplete.contains(&claim["id"].as_str().unwrap()) {
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
            "000.1", "000.2", "000.3", "000.4", "000.5", "001.1", "001.2",
        ],
        &[],
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
        &["002.1", "002.2", "002.3", "002.4", "002.5", "002.6"],
        &[],
    );
}

#[test]
fn the_trajectories_study_draws_and_measures() {
    check(
        "trajectories",
        &["ten-stills", "sixty-stills", "by-epoch", "cloud"],
        &["ten", "sixty"],
        &["003.1", "003.2", "003.3"],
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
        &["003.4", "003.5"],
    );
}

#[test]
fn the_dimensions_study_draws_and_measures() {
    check(
        "dimensions",
        &["four-dimensions", "samples", "units", "seeds"],
        &[],
        &["003.11", "003.12", "003.13", "003.14", "003.15", "003.16"],
        &["003.11", "003.12", "003.13", "003.15", "003.16"],
    );
}
