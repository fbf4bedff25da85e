mod collapse;
mod divergence;
mod interruption;

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::Scale;
use runs::configuration::Override;
use runs::run_data::anchored;
use runs::run_folder::EpochMetrics;

/// A folder of a small data set: glyphs with `classes` classes in the files of
/// the IDX format, to be named `idx:DIR`.
fn small_set(folder: &Path, classes: u8) -> String {
    fs::create_dir_all(folder).unwrap();
    let parts = [
        datasets::glyphs::split(0..400),
        datasets::glyphs::split(60_000..60_300),
    ];
    for (part, names) in parts.iter().zip(datasets::FILE_NAMES.chunks(2)) {
        let write = |name: &str, dimensions: &[usize], data: &[u8]| {
            let file = fs::File::create(folder.join(name)).unwrap();
            datasets::idx::write(file, dimensions, data).unwrap();
        };
        write(
            names[0],
            &[part.len(), 28, 28],
            part.bytes().unwrap().as_slice().unwrap(),
        );
        let labels: Vec<u8> = part
            .labels()
            .unwrap()
            .iter()
            .map(|&label| label as u8 % classes)
            .collect();
        write(names[1], &[part.len()], &labels);
    }
    format!("idx:{}", folder.display())
}

fn load(name: &str) -> Dataset {
    datasets::load(name, &datasets::Lookup::default(), &mut |_| {}).unwrap()
}

fn request(folder: &Path, dataset: &str) -> Request {
    Request {
        studies: vec!["dimensions".into()],
        dataset: Some(dataset.into()),
        quick: true,
        seeds: Some(Seeds::Each(1)),
        first_seed: 0,
        out: folder.join("figures"),
        runs: folder.join("runs"),
        output: Default::default(),
        limits: Limits::of(Some(2), None),
        checkpoint_every: training::CHECKPOINT_EVERY,
        location: DataLocation::default(),
        reading: ReadingConfiguration::default(),
        command: "latent-atlas figures".into(),
    }
}

/// Counts epochs, and asks for a stop after so many of them.
#[derive(Default)]
struct Watch {
    interrupt: Interrupt,
    stop_after: Option<usize>,
    epochs: AtomicUsize,
}

impl Observer for Watch {
    fn training(&self, _: usize, _: usize, _: &PlannedRun) -> Box<dyn training::Observer + '_> {
        Box::new(Ear(self))
    }
    fn drawing(&self, _: &Study) {}
    fn remark(&self, sentence: &str) {
        panic!("{sentence}");
    }
}

struct Ear<'a>(&'a Watch);

impl training::Observer for Ear<'_> {
    fn epoch(&mut self, _: &EpochMetrics, _: usize) {
        let heard = self.0.epochs.fetch_add(1, Ordering::Relaxed) + 1;
        if self.0.stop_after == Some(heard) {
            self.0.interrupt.request();
        }
    }
}

fn drawn(request: &Request, watch: &Watch) -> Result<Outcome, Error> {
    draw(request, &watch.interrupt, &mut |_| {}, watch)
}

/// A run of one epoch at a given step size.
fn planned(dataset: &Dataset, key: &'static str, seed: u64, learning_rate: &str) -> PlannedRun {
    let set = |key: &str, value: &str| Override::parse(&format!("{key}={value}")).unwrap();
    let overrides = [
        set("model.hidden", "[16]"),
        set("training.epochs", "1"),
        set("training.seed", &seed.to_string()),
        set("training.learning_rate", learning_rate),
    ];
    let mut configuration = Configuration::resolve(None, None, &overrides).unwrap();
    configuration.data.dataset.clone_from(&dataset.name);
    PlannedRun::new(key, configuration)
}

#[test]
fn studies_share_identical_runs() {
    let folder = tempfile::tempdir().unwrap();
    let name = small_set(&folder.path().join("set"), 10);
    let dataset = load(&name);
    let first = [
        planned(&dataset, "vae", 0, "1e-3"),
        planned(&dataset, "vae", 1, "1e-3"),
    ];
    // Another study's name for the first run, and a run of its own.
    let second = [
        planned(&dataset, "shallow", 0, "1e-3"),
        planned(&dataset, "fast", 0, "2e-3"),
    ];
    let request = request(folder.path(), &name);
    let queue = Queue::new(first.iter().chain(&second), &dataset, &request);
    assert_eq!(queue.runs.len(), 3);
    let watch = Watch::default();
    let results = queue
        .train(&watch.interrupt, &watch, &|_, _| Ok(()))
        .unwrap();
    assert_eq!(results.len(), 3);
    assert!(results.values().all(|ended| ended.trained_now));
    assert_eq!(watch.epochs.into_inner(), 3, "each run trains once");
    let load = |planned: &[PlannedRun]| collect(planned.to_vec(), &results, &dataset).unwrap().0;
    let (first, second) = (load(&first), load(&second));
    assert_eq!(
        (first[0].key.as_str(), second[0].key.as_str()),
        ("vae", "shallow")
    );
    assert_eq!(first[0].folder, second[0].folder);
    assert_ne!(first[0].folder, first[1].folder);
    assert_ne!(second[0].folder, second[1].folder);
}

#[test]
fn a_model_of_another_latent_size_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let name = small_set(&folder.path().join("set"), 10);
    let dataset = load(&name);
    let planned = planned(&dataset, "vae", 0, "1e-3");
    let run = RunFolder::at(folder.path().join("run"));
    fs::create_dir_all(run.path()).unwrap();
    let spec = models::ModelSpec {
        architecture: "784-16-3".parse().unwrap(),
        ..planned.configuration.model_spec().unwrap()
    };
    let model = models::Model::new(spec, models::Initialisation::default(), 0).unwrap();
    model.save(&run.model(), &BTreeMap::new()).unwrap();
    let error = TrainedRun::load(planned, run, &dataset).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("784-16-3 with 3 latent variables"),
        "{message}"
    );
    assert!(message.contains("the study needs vae 784-16-"), "{message}");
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn every_figure_has_its_data_and_every_claim_its_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let name = small_set(&folder.path().join("set"), 10);
    let request = Request {
        seeds: Some(Seeds::Each(2)),
        ..request(folder.path(), &name)
    };
    let outcome = drawn(&request, &Watch::default()).unwrap();
    assert_eq!(outcome.runs.len(), 16);
    let html = fs::read_to_string(&outcome.page).unwrap();
    for figure in &outcome.figures {
        let sidecar = fs::read(figure.with_extension("json")).unwrap();
        let sidecar: serde_json::Value = serde_json::from_slice(&sidecar).unwrap();
        assert_eq!(
            sidecar["configuration"]["dataset"],
            load(&name).name.as_str()
        );
        assert!(sidecar["data"].is_object() || sidecar["data"].is_array());
        let file = figure.file_name().unwrap().to_string_lossy().into_owned();
        assert!(html.contains(&format!("dimensions/{file}\"")), "{file}");
    }
    let claims = outcome.figures[0]
        .parent()
        .unwrap()
        .with_file_name("claims.json");
    let claims: Vec<Claim> = serde_json::from_slice(&fs::read(claims).unwrap()).unwrap();
    let ids: Vec<&str> = claims.iter().map(|claim| claim.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "003.11", "003.12", "003.13", "003.14", "003.15", "003.16", "003.19", "003.20",
            "003.21", "003.22"
        ]
    );
    for claim in &claims {
        let with_seeds = claim
            .measured
            .iter()
            .filter(|measured| measured.by_seed.len() == 2);
        // So little training may leave every variable of a model unused.
        let none_is_left = claim.collapsed.iter().any(|share| share.mean() == 1.0);
        assert!(with_seeds.count() >= 1 || none_is_left, "{}", claim.id);
    }

    // The same article as Markdown, with its pictures.
    let docs = folder.path().join("docs");
    fs::create_dir_all(&docs).unwrap();
    let pictures = crate::markdown::write(&request.out, &docs.join("ATLAS.md")).unwrap();
    assert_eq!(pictures.len(), outcome.figures.len());
    let markdown = fs::read_to_string(docs.join("ATLAS.md")).unwrap();
    assert!(
        markdown.contains("| 003.11 | With four latent variables"),
        "{markdown}"
    );
    for (picture, figure) in pictures.iter().zip(&outcome.figures) {
        let name = picture.file_name().unwrap().to_string_lossy().into_owned();
        assert!(
            markdown.contains(&format!("<img src=\"images/{name}\"")),
            "{name}"
        );
        let width = |path: &Path| {
            let image = viz::decode_png(&fs::read(path).unwrap()).unwrap();
            image.as_ref().width()
        };
        assert_eq!(width(picture), (width(figure) / 2).min(900), "{name}");
        let size = |path: &Path| fs::metadata(path).unwrap().len();
        assert!(size(picture) < size(figure), "{name} is no smaller");
    }
}

#[test]
fn one_seed_decides_nothing_about_spread() {
    let folder = tempfile::tempdir().unwrap();
    let name = small_set(&folder.path().join("set"), 10);
    let outcome = drawn(&request(folder.path(), &name), &Watch::default()).unwrap();
    let claims = outcome.figures[0]
        .parent()
        .unwrap()
        .with_file_name("claims.json");
    let claims: Vec<Claim> = serde_json::from_slice(&fs::read(claims).unwrap()).unwrap();
    for id in ["003.11", "003.12", "003.13"] {
        let claim = claims.iter().find(|claim| claim.id == id).unwrap();
        assert_eq!(
            claim.verdict,
            evaluation::statistics::Verdict::Undecided,
            "{id}"
        );
    }
}

#[test]
fn values_beyond_one_are_refused_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let set = folder.path().join("set");
    let name = small_set(&set, 3);
    for (file, count) in [(0, 400usize), (2, 300)] {
        let path = set.join(datasets::FILE_NAMES[file]);
        fs::remove_file(&path).unwrap();
        // Floats of 2 × 2: 0 to 2.5.
        let mut bytes = vec![0, 0, 0x0d, 3];
        for size in [count, 2, 2] {
            bytes.extend((size as u32).to_be_bytes());
        }
        for at in 0..4 * count {
            bytes.extend((at as f32 % 6.0 / 2.0).to_be_bytes());
        }
        fs::write(&path, bytes).unwrap();
    }
    let request = request(folder.path(), &name);
    let error = drawn(&request, &Watch::default()).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("values from 0 to 2.5"), "{message}");
    assert!(message.contains("choose another --dataset"), "{message}");
    assert_eq!(error.exit_code(), 2);
    assert!(!request.out.exists() && !request.runs.exists());
}

#[test]
fn runs_know_their_data_and_folders_have_short_names() {
    let folder = tempfile::tempdir().unwrap();
    let name = small_set(&folder.path().join("some set"), 3);
    let request = Request {
        studies: vec!["trajectories".into()],
        reading: ReadingConfiguration {
            invert: true,
            ..ReadingConfiguration::default()
        },
        ..request(folder.path(), &name)
    };
    let outcome = drawn(&request, &Watch::default()).unwrap();
    let written = outcome.runs[0].configuration().unwrap();
    assert_eq!(written.data.dataset, name);
    assert_eq!(written.data.shape, "28x28");
    assert_eq!(written.data.reading, request.reading);
    // Two sets whose paths end alike have folders of their own.
    let environment = fs::read(outcome.runs[0].path().join("environment.json")).unwrap();
    let environment: serde_json::Value = serde_json::from_slice(&environment).unwrap();
    let fingerprint = environment["dataset_sha256"].as_str().unwrap();
    let expected = format!("some_set-{}", &fingerprint[..8]);
    let expected = request.out.join(expected).join("trajectories");
    assert_eq!(outcome.figures[0].parent().unwrap(), expected);
}

#[test]
fn unknown_studies_and_no_seeds_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let unknown = Request {
        studies: vec!["dimensions".into(), "dimension".into()],
        ..request(folder.path(), "idx:/nowhere")
    };
    let error = drawn(&unknown, &Watch::default()).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains(
            "no study 'dimension' (one in a file ends in .toml); did you mean 'dimensions'?"
        ),
        "{message}"
    );
    assert_eq!(error.exit_code(), 2);
    let none = Request {
        seeds: Some(Seeds::Each(0)),
        ..request(folder.path(), "idx:/nowhere")
    };
    let error = drawn(&none, &Watch::default()).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("--seeds is 0"), "{error}");
}

/// Keeps what is remarked on.
#[derive(Default)]
struct Remarks(std::sync::Mutex<Vec<String>>);

impl Observer for Remarks {
    fn training(&self, _: usize, _: usize, _: &PlannedRun) -> Box<dyn training::Observer + '_> {
        Box::new(())
    }
    fn drawing(&self, _: &Study) {}
    fn remark(&self, sentence: &str) {
        self.0.lock().unwrap().push(sentence.into());
    }
}

#[test]
fn seeds_are_added_where_a_statement_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let name = small_set(&folder.path().join("set"), 10);
    let study = folder.path().join("two.toml");
    // The loss is decided by t of five; epochs are all alike, and the sign test of
    // five has 1/32, too much for a look that spends half of the level.
    fs::write(
        &study,
        "title = 'Two'\nseeds = 'until-decided:10'\n[base]\nmodel.hidden = [4]\n\
         training.epochs = 1\n[models.one]\n[models.other]\nmodel.latent = 3\n\
         [[claims]]\nid = 'two.loss'\nstatement = 'The loss is above 1.'\nmeasure = 'loss'\n\
         model = 'one'\nat_least = 1\n\
         [[claims]]\nid = 'two.epochs'\nstatement = 'It trains.'\nmeasure = 'epochs'\n\
         model = 'other'\nat_least = 1\n",
    )
    .unwrap();
    let request = Request {
        studies: vec![study.display().to_string()],
        seeds: None,
        ..request(folder.path(), &name)
    };
    let mut kept = Vec::new();
    // The second time nothing is trained, and all comes out the same.
    for trained in [15, 0] {
        let remarks = Remarks::default();
        let outcome = draw(&request, &Interrupt::default(), &mut |_| {}, &remarks).unwrap();
        assert_eq!((outcome.runs.len(), outcome.trained), (15, trained));
        let said = remarks.0.into_inner().unwrap();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].starts_with("1 of 2 statements undecided"),
            "{said:?}"
        );
        let dataset = load(&name);
        let path = request.out.join(folder_name(&dataset)).join("claims.json");
        kept.push(fs::read(&path).unwrap());
        let claims: Vec<Claim> = serde_json::from_slice(&kept[0]).unwrap();
        let seen: Vec<(&str, usize, usize)> = claims
            .iter()
            .map(|claim| {
                let values = claim.measured[0].by_seed.len();
                (claim.id.as_str(), claim.seeds, values)
            })
            .collect();
        assert_eq!(seen.len(), 2);
        for (id, seeds) in [("two.loss", 5), ("two.epochs", 10)] {
            assert!(seen.contains(&(id, seeds, seeds)), "{seen:?}");
        }
        for claim in &claims {
            let supported = evaluation::statistics::Verdict::Supported;
            assert_eq!(claim.verdict, supported, "{claim:?}");
            assert_eq!(claim.share, 0.5);
        }
        let page = fs::read_to_string(&outcome.page).unwrap();
        assert!(page.contains("5 to 10 seeds a model"), "{page}");
        assert!(page.contains("spends its own part of the level"), "{page}");
    }
    assert_eq!(kept[0], kept[1]);

    // Of another range of seeds nothing is used again, and all is decided anew.
    let again = Request {
        first_seed: 100,
        out: folder.path().join("again"),
        ..request
    };
    let outcome = draw(
        &again,
        &Interrupt::default(),
        &mut |_| {},
        &Remarks::default(),
    )
    .unwrap();
    assert_eq!((outcome.runs.len(), outcome.trained), (15, 15));
    let path = again
        .out
        .join(folder_name(&load(&name)))
        .join("claims.json");
    let claims: Vec<Claim> = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    for (id, seeds) in [("two.loss", 5), ("two.epochs", 10)] {
        let claim = claims.iter().find(|claim| claim.id == id).unwrap();
        let of: Vec<u64> = claim.measured[0].by_seed.keys().copied().collect();
        assert_eq!(
            (claim.seeds, of),
            (seeds, (100..100 + seeds as u64).collect())
        );
    }
}
