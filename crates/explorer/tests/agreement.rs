//! The page's JavaScript computes what the program computes, for every
//! likelihood, activation and depth.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]
#![allow(clippy::print_stderr, reason = "what is skipped is said")]

#[allow(dead_code, reason = "each test uses a part of it")]
mod small_page;

use std::path::{Path, PathBuf};
use std::process::Command;

use evaluation::geodesic::geodesic;
use evaluation::knn::NearestNeighbours;
use evaluation::stretch::DecoderNetwork;
use explorer::{Explorer, distances};
use models::{Likelihood, Model};
use ndarray::Array2;
use serde_json::{Value, json};
use small_page::{Payload, SIDE, contents, images, model, text};

/// With no hidden layer, one, two and three.
const ARCHITECTURES: [&str; 4] = ["36-2", "36-24-2", "36-24-12-3", "36-24-12-8-2"];

const KINDS: [&str; 3] = ["vae", "ae", "ae-l2"];

/// Images that are encoded, and codes that are decoded.
const COUNT: usize = 100;

/// Node, where there is one.
fn node(arguments: &[&Path]) -> Option<std::process::Output> {
    match Command::new("node").args(arguments).output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("skipped: node cannot be started ({error})");
            None
        }
    }
}

fn page_tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("page/tests")
}

fn every_model() -> Vec<Model> {
    let mut models = Vec::new();
    for likelihood in Likelihood::with_every_sigma(0.5) {
        let likelihood = likelihood.to_string();
        for activation in ["relu", "tanh"] {
            for architecture in ARCHITECTURES {
                let kind = KINDS[models.len() % KINDS.len()];
                let seed = models.len() as u64;
                models.push(model(kind, architecture, &likelihood, activation, seed));
            }
        }
    }
    models
}

/// Codes all over what the plane of a model shows: of a variational one where the
/// prior is, of others a little more than where the codes of the images are.
fn codes(model: &Model, images: &Array2<f32>) -> Array2<f32> {
    let codes = model.encode(images).mean;
    let middle = codes.mean_axis(ndarray::Axis(0)).unwrap();
    let is_variational = model.spec().kind.is_variational();
    Array2::from_shape_fn((COUNT, codes.ncols()), |(row, l)| {
        let share = 2.0 * (row as f32 * (l as f32 + 2.0).sqrt()).fract() - 1.0;
        let reach = codes
            .column(l)
            .fold(0.0_f32, |most, code| most.max((code - middle[l]).abs()));
        // Beyond two latent variables two of them are anywhere, the others at
        // the code of an image.
        match (l < 2, is_variational) {
            (false, _) => codes[[row, l]],
            (true, true) => 4.0 * share,
            (true, false) => middle[l] + reach * share,
        }
    })
}

fn numbers(value: &Value) -> Vec<f64> {
    let numbers = value.as_array().unwrap().iter();
    numbers
        .map(|number| number.as_f64().unwrap_or(f64::NAN))
        .collect()
}

fn table(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(numbers).collect()
}

/// The largest difference of arrays of one size.
fn difference(found: &Value, expected: &Array2<f32>) -> f64 {
    let found: Vec<f64> = table(found).concat();
    assert_eq!(found.len(), expected.len());
    let pairs = found.iter().zip(expected);
    pairs
        .map(|(a, &b)| (a - f64::from(b)).abs())
        // A NaN is no small difference.
        .fold(0.0, |most, d| if d <= most { most } else { d })
}

#[test]
fn the_page_decodes_and_encodes_as_the_program_does() {
    let (models, images) = (every_model(), images(2 * COUNT));
    let page = Explorer::new(&contents(&models, &images)).unwrap();
    let payload = Payload::of(&page);
    let folder = tempfile::tempdir().unwrap();
    let shown = images.slice(ndarray::s![..COUNT, ..]).to_owned();
    let rows = |array: &Array2<f32>| -> Vec<Vec<f32>> {
        array.outer_iter().map(|row| row.to_vec()).collect()
    };
    let asked: Vec<Value> = models
        .iter()
        .enumerate()
        .map(|(index, model)| {
            let latent = model.spec().architecture.latent;
            let (from, to) = (vec![-0.8; latent], vec![0.9; latent]);
            json!({
                "model": index,
                "codes": rows(&codes(model, &images)),
                "rows": rows(&shown),
                "path": {"from": from, "to": to, "segments": 12},
            })
        })
        .collect();
    let [text_file, request] =
        ["payload.base64", "request.json"].map(|name| folder.path().join(name));
    std::fs::write(&text_file, text(&page)).unwrap();
    std::fs::write(&request, json!({"models": asked}).to_string()).unwrap();
    let Some(output) = node(&[&page_tests().join("agreement.js"), &text_file, &request]) else {
        return;
    };
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (index, (model, found)) in models
        .iter()
        .zip(answer["models"].as_array().unwrap())
        .enumerate()
    {
        let spec = model.spec();
        let name = format!(
            "{} {} {} {}",
            spec.kind,
            spec.architecture,
            spec.architecture.activation.name(),
            spec.likelihood
        );
        let codes = codes(model, &images);
        let decoded = difference(&found["decoded"], &model.decode(codes.view()));
        assert!(decoded <= 2e-3, "{name}: decoded {decoded}");
        let expected = model.encode(&shown);
        let encoded = difference(&found["encoded"]["mean"], &expected.mean);
        assert!(encoded <= 2e-3, "{name}: encoded {encoded}");
        let scales = &found["encoded"]["log_variance"];
        match &expected.log_variance {
            None => assert!(scales.is_null(), "{name}"),
            Some(log_variance) => {
                let error = difference(scales, log_variance);
                assert!(error <= 5e-3, "{name}: log variance {error}");
            }
        }
        let losses = model.reconstruction_losses(codes.view(), &shown);
        for (found, &expected) in numbers(&found["losses"]).iter().zip(&losses) {
            let error = (found - f64::from(expected)).abs();
            assert!(
                error <= 1e-3 * ((SIDE * SIDE) as f64 + f64::from(expected).abs()),
                "{name}: loss {found} for {expected}"
            );
        }
        let latent = spec.architecture.latent;
        let ends = [-0.8, 0.9].map(|end| ndarray::Array1::from_elem(latent, end));
        let path = geodesic(
            &DecoderNetwork::of_model(model),
            ends[0].view(),
            ends[1].view(),
            12,
        )
        .unwrap();
        let straight = path.straight.length;
        // Over the kinks of ReLU a search takes other turns from a last bit on.
        for (which, expected, tolerance) in [
            ("straight", straight, 0.01),
            ("shortest", path.shortest.length, 0.05),
        ] {
            let length = found["path"][which].as_f64().unwrap();
            let error = (length - expected).abs();
            assert!(
                error <= tolerance * straight,
                "{name}: {which} {length} for {expected}"
            );
        }
        // The cue: the nearest code as the page has it, and its share.
        let stored = &payload.manifest["models"][index];
        let kept = payload.codes(&stored["codes"], "mean");
        let kept = Array2::from_shape_vec((2 * COUNT, latent), kept)
            .unwrap()
            .mapv(|code| code as f32);
        let nearest = NearestNeighbours::new(kept.view()).unwrap();
        let quantiles = numbers(&stored["distances"]);
        for (code, cue) in codes.outer_iter().zip(found["cues"].as_array().unwrap()) {
            let code: Vec<f64> = code.iter().map(|&value| f64::from(value)).collect();
            let expected = nearest.nearest(&code, 1)[0];
            let distance = cue["distance"].as_f64().unwrap();
            assert!(
                (distance - expected.squared_distance.sqrt()).abs() < 1e-4,
                "{name}"
            );
            let share = distances::share_nearer(&quantiles, distance);
            assert!(
                (cue["share"].as_f64().unwrap() - share).abs() < 1e-6,
                "{name}: {cue} {share}"
            );
        }
    }
}

#[test]
fn the_tests_of_the_script_pass() {
    let mut files: Vec<PathBuf> = std::fs::read_dir(page_tests())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".test.js"))
        .collect();
    files.sort();
    assert!(files.len() > 3, "{files:?}");
    let mut arguments = vec![Path::new("--test")];
    arguments.extend(files.iter().map(PathBuf::as_path));
    if let Some(output) = node(&arguments) {
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
    }
}
