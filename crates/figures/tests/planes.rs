//! Pictures over a plane of the latent space, of tiny runs.

mod support;

use figures::pictures::kind;
use figures::{Drawing, Scale, TrainedRun};
use runs::Error;
use serde_json::Value;
use support::{Drawn, drawn, load, small_glyphs, trained, unlabelled_vectors};

const PLANES: [&str; 6] = [
    "codes",
    "posteriors",
    "aggregate-posterior",
    "change",
    "regions",
    "training",
];

fn numbers(value: &Value) -> Vec<f64> {
    let list = value.as_array().unwrap();
    list.iter()
        .map(|v| v.as_f64().unwrap_or(f64::NAN))
        .collect()
}

fn models(drawn: &Drawn, name: &str) -> Vec<Value> {
    let data = drawn.data(name);
    let list = data.get("models").unwrap_or(data);
    list.as_array().unwrap().clone()
}

#[test]
fn two_models_of_labelled_images_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_glyphs(folder.path());
    let run = |name, kind| trained(folder.path(), &data, name, &["model.hidden=[16]", kind]);
    let (vae, ae) = (run("v", "model.kind=vae"), run("a", "model.kind=ae"));
    let draw = || drawn(&[&vae, &ae], &PLANES, folder.path().join("out")).unwrap();
    let first = draw();
    assert!(PLANES.iter().all(|name| first.pictures.contains_key(*name)));
    // Again, with kept measurements: the same bytes.
    assert_eq!(draw().pictures, first.pictures);

    // What only the VAE has is drawn of it, and the caption says so.
    for name in ["posteriors", "aggregate-posterior"] {
        assert_eq!(models(&first, name).len(), 1, "{name}");
        let caption = first.caption(name);
        assert!(
            caption.contains("Left out: AE 784-16-2, because"),
            "{caption}"
        );
    }
    let aggregate = &models(&first, "aggregate-posterior")[0];
    let half_width = -first.data("aggregate-posterior")["range"][0]
        .as_f64()
        .unwrap();
    let density = numbers(&aggregate["density"]);
    assert_eq!(density.len(), 121 * 121);
    let step = 2.0 * half_width / 120.0;
    let mass = density.iter().sum::<f64>() * step * step;
    assert!((0.9..1.01).contains(&mass), "mass of q(z): {mass}");
    let prior = &aggregate["against_the_prior"];
    assert!(prior["total_variation"].as_f64().unwrap() < 1.0);
    let classes = &models(&first, "posteriors")[0]["posteriors"]["classes"];
    assert_eq!(numbers(classes), (0..10).map(f64::from).collect::<Vec<_>>());

    // Numbers of both, in the order of the runs.
    for name in ["codes", "change", "regions", "training"] {
        let keys: Vec<Value> = models(&first, name)
            .iter()
            .map(|m| m["model"].clone())
            .collect();
        assert_eq!(keys, ["v", "a"], "{name}");
    }
    for model in models(&first, "codes") {
        assert_eq!(model["codes"].as_array().unwrap().len(), 100);
    }
    for model in models(&first, "regions") {
        let shares: f64 = numbers(&model["class_share"]).iter().sum();
        assert!((shares - 1.0).abs() < 1e-9);
        assert_eq!(model["classes"].as_array().unwrap().len(), 81 * 81);
    }
    for model in models(&first, "change") {
        assert!(
            numbers(&model["change_percent"])
                .iter()
                .all(|&share| share > 0.0)
        );
        assert_eq!(model["log10_stretch"].as_array().unwrap().len(), 41 * 41);
    }
    let metrics = &models(&first, "training")[1]["metrics"];
    assert_eq!(metrics.as_array().unwrap().len(), 2);
    assert!(
        first
            .caption("training")
            .contains("for an AE the loss is the reconstruction")
    );
}

#[test]
fn more_than_two_latent_variables_are_a_plane_that_captions_name() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_glyphs(folder.path());
    let settings = ["model.hidden=[16]", "model.latent=5"];
    let run = |name, kind| {
        trained(
            folder.path(),
            &data,
            name,
            &[&settings[..], &[kind]].concat(),
        )
    };
    let (vae, ae) = (run("v", "model.kind=vae"), run("a", "model.kind=ae-l2"));
    let of_vae = drawn(&[&vae], &PLANES, folder.path().join("vae")).unwrap();
    for name in PLANES.iter().filter(|name| **name != "training") {
        let caption = of_vae.caption(name);
        assert!(caption.contains("of 5 latent variables"), "{caption}");
        // Codes are projected; decoded images are of one plane.
        let is_decoded = ["change", "regions"].contains(name);
        assert_eq!(
            caption.contains("the others at their mean"),
            is_decoded,
            "{caption}"
        );
    }
    let of_ae = drawn(&[&ae], &PLANES, folder.path().join("ae")).unwrap();
    for name in ["codes", "change", "regions"] {
        let caption = of_ae.caption(name);
        assert!(caption.contains("two principal directions"), "{caption}");
    }
    assert!(!of_ae.pictures.contains_key("posteriors"));
    assert!(of_ae.page.contains("Left out: posteriors, because"));
}

#[test]
fn one_latent_variable_and_no_labels_have_training_curves() {
    let folder = tempfile::tempdir().unwrap();
    let data = unlabelled_vectors(folder.path());
    let settings = ["model.hidden=[4]", "model.likelihood=gaussian-identity"];
    let run = |name, more| {
        trained(
            folder.path(),
            &data,
            name,
            &[&settings[..], &[more]].concat(),
        )
    };
    let (one, two) = (run("one", "model.latent=1"), run("two", "model.latent=2"));
    let alone = drawn(&[&one], &PLANES, folder.path().join("one-alone")).unwrap();
    assert_eq!(alone.pictures.keys().collect::<Vec<_>>(), ["training"]);
    assert!(
        alone
            .page
            .contains("because it shows two latent variables, and the run has one")
    );
    assert!(alone.page.contains("because the data set has no labels"));

    let both = drawn(&[&one, &two], &PLANES, folder.path().join("both")).unwrap();
    for name in ["codes", "posteriors", "aggregate-posterior", "change"] {
        assert_eq!(models(&both, name).len(), 1, "{name}");
        assert!(both.caption(name).contains("Left out: VAE 6-4-1, because"));
    }
    assert_eq!(models(&both, "training").len(), 2);
    assert!(both.data("codes")["labels"].is_null());
}

#[test]
fn options_change_what_is_drawn_and_wrong_ones_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_glyphs(folder.path());
    let run = trained(folder.path(), &data, "v", &["model.hidden=[16]"]);
    let dataset = load(&run);
    let run = TrainedRun::open(run, &dataset).unwrap();
    let scale = Scale {
        first_seed: 0,
        quick: false,
        seeds: 1,
        until_decided: false,
    };
    let runs = [run];
    let mut drawing = Drawing::new(&dataset, &runs, &[], scale, folder.path(), folder.path());
    let mut draw = |name: &str, options: &str| {
        let options: toml::Table = options.parse().unwrap();
        let blocks = kind(name)?.draw(&mut drawing, &[&runs[0]], &options, name)?;
        assert!(!blocks.is_empty());
        let sidecar = std::fs::read(folder.path().join(format!("{name}.json"))).unwrap();
        Ok::<Value, Error>(serde_json::from_slice(&sidecar).unwrap())
    };
    let caption = |drawn: &Value| drawn["description"].as_str().unwrap().to_owned();

    let near = draw("posteriors", "of = \"origin\"").unwrap();
    assert!(caption(&near).contains("holds the origin"));
    let chosen = draw("posteriors", "images = [3, 7]\nrange = 2.5").unwrap();
    assert_eq!(
        numbers(&chosen["data"][0]["posteriors"]["test_images"]),
        [3.0, 7.0]
    );
    let wide = draw("aggregate-posterior", "range = 6\ncells = 21").unwrap();
    assert_eq!(
        wide["data"]["models"][0]["density"]
            .as_array()
            .unwrap()
            .len(),
        441
    );
    let change = draw("change", "over = \"square\"\nrange = 2\nsteps = 5").unwrap();
    let model = &change["data"]["models"][0];
    assert_eq!(numbers(&model["ranges"][1]), [-2.0, 2.0]);
    assert_eq!(numbers(&model["change_percent"]).len(), 25);
    let bare = draw("codes", "window = 0\norigin = true").unwrap();
    assert!(!caption(&bare).contains("dashed square"));
    assert!(caption(&draw("codes", "window = 2.5").unwrap()).contains("−2.5 … 2.5;"));
    draw("training", "kl = false").unwrap();

    for (name, options, expected) in [
        ("codes", "window = -1", "from 0"),
        ("posteriors", "images = [100]", "has 100, counted from 0"),
        ("posteriors", "range = 0", "above 0"),
        ("aggregate-posterior", "cells = 1", "2 to 401"),
        ("change", "over = \"quantiles\"", "whose steps differ"),
        ("regions", "steps = 1", "2 to 101 steps"),
        ("regions", "axes = [1, 3]", "from 1 to 2"),
    ] {
        let message = draw(name, options).unwrap_err().to_string();
        assert!(message.contains(expected), "{name}, {options}: {message}");
    }
}
