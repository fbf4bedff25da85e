//! Pictures of latent variables, of what lies between codes and of their way, of
//! tiny runs.

mod support;

use figures::pictures::kind;
use figures::{Drawing, Scale, TrainedRun};
use runs::Error;
use serde_json::Value;
use support::{Drawn, drawn, load, small_glyphs, trained, unlabelled_vectors};

const LATENTS: [&str; 6] = [
    "samples",
    "units",
    "traversals",
    "interpolation",
    "cloud",
    "trajectories",
];

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

fn models<'d>(drawn: &'d Drawn, name: &str) -> &'d Vec<Value> {
    let data = drawn.data(name);
    list(data.get("models").unwrap_or(data))
}

#[test]
fn two_models_of_five_latent_variables_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_glyphs(folder.path());
    let settings = ["model.hidden=[16]", "model.latent=5"];
    let run = |name, kind| {
        let settings = [&settings[..], &[kind]].concat();
        trained(folder.path(), &data, name, &settings)
    };
    let (vae, ae) = (run("v", "model.kind=vae"), run("a", "model.kind=ae"));
    let draw = || drawn(&[&vae, &ae], &LATENTS, folder.path().join("out")).unwrap();
    let first = draw();
    assert_eq!(draw().pictures, first.pictures, "drawn again");
    for name in LATENTS
        .iter()
        .chain(&["cloud-slices", "trajectories-by-epoch"])
    {
        assert!(first.pictures.contains_key(*name), "{name}");
    }

    let from = |index: usize| models(&first, "samples")[index]["from"].clone();
    assert_eq!([from(0), from(1)], ["prior", "fitted"]);
    for model in models(&first, "units") {
        let order = list(&model["variables"]);
        assert_eq!(order.len(), 5);
        let by = if model["model"] == "v" {
            "kl"
        } else {
            "variance_of_mu"
        };
        assert!(list(&model[by]).is_sorted_by(|a, b| a.as_f64() >= b.as_f64()));
    }
    let units = &models(&first, "units")[0];
    let strips = &models(&first, "traversals")[0];
    assert_eq!(strips["variables"], units["variables"]);
    for pair in list(first.data("interpolation")) {
        let length = |path: &str| pair[path].as_f64().unwrap();
        assert!(length("length_shortest") <= length("length_straight"));
    }

    // The cloud has the three variables with most KL, or principal directions.
    let clouds = models(&first, "cloud");
    assert!(
        clouds[0]["space"]
            .as_str()
            .unwrap()
            .ends_with("of 5 latent variables (the three with most KL)"),
        "{}",
        clouds[0]["space"]
    );
    assert!(clouds[1]["space"].as_str().unwrap().contains("principal"));
    assert_eq!(list(&clouds[0]["codes"]).len(), 100);
    assert_eq!(list(&clouds[0]["codes"][0]).len(), 3);
    let slices = models(&first, "cloud-slices");
    assert_eq!(slices[0]["coordinates"][2][2], 0.0);
    assert!(first.caption("cloud-slices").contains("of an autoencoder"));

    // Ten images are followed, over both epochs; only the VAE's have radii.
    let ways = models(&first, "trajectories");
    for way in ways {
        let epochs = list(&way["epochs"]);
        assert_eq!(
            (epochs[0].as_f64(), epochs.last().unwrap().as_f64()),
            (Some(0.0), Some(2.0))
        );
        let images = list(&way["images"]);
        assert_eq!(images.len(), 10);
        assert_eq!(list(&images[0]["mean"]).len(), epochs.len());
    }
    assert!(ways[0]["images"][0]["radius"].is_array());
    assert!(ways[1]["images"][0]["radius"].is_null());
    let by_epoch = first.caption("trajectories-by-epoch");
    assert!(
        by_epoch.contains("for the VAE") && by_epoch.contains("that of the prior"),
        "{by_epoch}"
    );
    let course = &models(&first, "trajectories-by-epoch")[1]["course"];
    assert_eq!(list(&course["path_of_epoch"]).len(), 2);
}

#[test]
fn one_latent_variable_and_no_labels_have_what_needs_neither() {
    let folder = tempfile::tempdir().unwrap();
    let data = unlabelled_vectors(folder.path());
    let settings = ["model.hidden=[4]", "model.likelihood=gaussian-identity"];
    let run = |name, more: &[&str]| {
        let settings = [&settings[..], more].concat();
        trained(folder.path(), &data, name, &settings)
    };
    let one = run("one", &["model.latent=1"]);
    let three = run(
        "three",
        &[
            "model.latent=3",
            "model.kind=ae-l2",
            "data.standardise=true",
        ],
    );
    let alone = drawn(&[&one], &LATENTS, folder.path().join("one-alone")).unwrap();
    let names: Vec<&String> = alone.pictures.keys().collect();
    assert_eq!(
        names,
        [
            "interpolation",
            "samples",
            "trajectories-by-epoch",
            "traversals",
            "units"
        ]
    );
    assert!(
        alone
            .page
            .contains("because it shows three latent variables, and the run has one")
    );

    let both = drawn(&[&one, &three], &LATENTS, folder.path().join("both")).unwrap();
    assert_eq!(models(&both, "cloud").len(), 1);
    assert!(
        both.caption("cloud")
            .contains("Left out: VAE 6-4-1, because")
    );
    let cloud = &models(&both, "cloud")[0];
    assert!(cloud["labels"].is_null() && cloud.get("space").is_none());
    assert_eq!(models(&both, "trajectories").len(), 1);
    assert!(
        both.caption("trajectories")
            .contains("because of one latent variable: VAE 6-4-1")
    );
    assert_eq!(models(&both, "trajectories-by-epoch").len(), 2);

    let two = run("two", &["model.latent=2"]);
    let flat = drawn(
        &[&one, &two],
        &["interpolation"],
        folder.path().join("flat"),
    )
    .unwrap();
    let paths = models(&flat, "interpolation-paths");
    assert_eq!((paths.len(), &paths[0]["model"]), (1, &"two".into()));
    let path = |pair: usize, which: &str| paths[0]["paths"][pair][which].clone();
    assert_eq!(list(&paths[0]["paths"]).len(), 3);
    for pair in 0..3 {
        let (straight, shortest) = (path(pair, "straight"), path(pair, "shortest"));
        assert_eq!(straight[0], shortest[0]);
        assert_eq!(list(&straight).last(), list(&shortest).last());
    }
    assert!(!both.caption("trajectories-by-epoch").contains("prior"));
}

#[test]
fn options_change_what_is_drawn_and_wrong_ones_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_glyphs(folder.path());
    let settings = [
        "model.hidden=[16]",
        "model.latent=4",
        "tracking.snapshots_per_epoch=5",
    ];
    let run = trained(folder.path(), &data, "v", &settings);
    let record = run.trajectories();
    let dataset = load(&run);
    let run = TrainedRun::open(run, &dataset).unwrap();
    let scale = Scale {
        quick: false,
        seeds: 1,
        until_decided: false,
    };
    let runs = [run];
    let mut drawing = Drawing::new(&dataset, &runs, &[], scale, folder.path(), folder.path());
    let mut draw = |name: &str, options: &str| {
        let options: toml::Table = options.parse().unwrap();
        let blocks = kind(name)?.draw(&mut drawing, &[&runs[0]], &options, name)?;
        Ok::<usize, Error>(blocks.len())
    };
    let sidecar = |name: &str| -> Value {
        let bytes = std::fs::read(folder.path().join(format!("{name}.json"))).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    };

    assert_eq!(draw("cloud", "axes = [4, 1, 2]\nsteps = 0").unwrap(), 1);
    let space = &sidecar("cloud")["data"]["models"][0]["space"];
    assert_eq!(space, "z₄, z₁ and z₂ of 4 latent variables (chosen)");
    draw(
        "cloud",
        "axes = \"principal\"\nazimuth = 120\nelevation = 90\nsteps = 2",
    )
    .unwrap();
    let along = &sidecar("cloud-slices")["data"]["models"][0]["coordinates"];
    assert_eq!(list(&along[0]).len(), 2);

    assert_eq!(
        draw(
            "trajectories",
            "per_class = 2\nepochs = [1, 9]\nanimation = true"
        )
        .unwrap(),
        3
    );
    let way = &sidecar("trajectories")["data"]["models"][0];
    assert_eq!(
        (list(&way["images"]).len(), &way["epochs"][0]),
        (20, &Value::from(1.0))
    );
    let moving = std::fs::read(folder.path().join("trajectories-moving.png")).unwrap();
    let frames = viz::decode_apng(&moving).unwrap().images;
    assert!(frames.len() == 6 && frames[0] != frames[5]);

    draw("samples", "rows = 2\ncolumns = 3\nfitted = true").unwrap();
    let samples = &sidecar("samples")["data"];
    assert_eq!(
        (&samples["rows"], &samples["models"][0]["from"]),
        (&2.into(), &"fitted".into())
    );
    draw("traversals", "image = 7\nmost = 2\nsteps = 3").unwrap();
    let strips = &sidecar("traversals")["data"]["models"][0];
    assert_eq!(list(&strips["variables"]).len(), 2);
    draw("interpolation", "images = [5, 9]\nsteps = 5").unwrap();
    assert_eq!(
        sidecar("interpolation")["data"][0]["images"],
        Value::from(vec![5, 9])
    );

    for (name, options, expected) in [
        ("cloud", "elevation = 91", "-90 to 90"),
        ("cloud", "steps = 16", "at most 15"),
        ("cloud", "axes = [1, 2, 5]", "from 1 to 4"),
        ("trajectories", "per_class = 0", "at least one image"),
        ("trajectories", "epochs = [3, 3]", "ascending"),
        ("samples", "rows = 0", "1 to 10000"),
        ("traversals", "image = 100", "below 100"),
        ("interpolation", "images = [1]", "two images"),
    ] {
        let message = draw(name, options).unwrap_err().to_string();
        assert!(message.contains(expected), "{name}, {options}: {message}");
    }
    // A run without its record, such as one that was copied in part.
    std::fs::remove_file(record).unwrap();
    assert_eq!(
        draw("trajectories", "").unwrap(),
        1,
        "a sentence in its place"
    );
}

#[test]
fn rows_held_out_are_no_training_rows_and_halves_are_random() {
    let folder = tempfile::tempdir().unwrap();
    let settings = ["model.hidden=[16]", "data.validation=100"];
    let data = small_glyphs(folder.path());
    let run = trained(folder.path(), &data, "held-out", &settings);
    let dataset = load(&run);
    let rows = TrainedRun::open(run.clone(), &dataset)
        .and_then(|run| run.trained_on(&dataset))
        .unwrap();
    assert_eq!(rows.len(), 200);
    assert_eq!(rows.labels(), dataset.train.labels().map(|all| &all[..200]));
    let pictures = drawn(&[&run], &["gaps"], folder.path().join("out")).unwrap();
    assert!(
        pictures
            .page
            .contains("Of the 300 training images the last are held out"),
        "{}",
        pictures.page
    );
    let caption = pictures.caption("gaps");
    assert!(
        caption.contains("of a random half of the 100 test images")
            && caption.contains("of 50 of the other half"),
        "{caption}"
    );
    // Nothing is held out of another run, and its page says nothing of it.
    let whole = trained(folder.path(), &data, "whole", &settings[..1]);
    let pictures = drawn(&[&whole], &["gaps"], folder.path().join("whole-out")).unwrap();
    assert!(!pictures.page.contains("held out"), "{}", pictures.page);
}
