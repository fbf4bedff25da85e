//! Tiny data sets, runs trained on them, and their pictures.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use datasets::{Dataset, Lookup, glyphs, idx};
use figures::of_runs;
use runs::Error;
use runs::configuration::{Configuration, Override};
use runs::interrupt::Interrupt;
use runs::run_data::DataLocation;
use runs::run_folder::RunFolder;
use runs::training::{self, Target};
use serde_json::Value;

/// Writes 300 training and 100 test images of ten classes below `folder` and
/// returns the name to ask for them.
pub(crate) fn small_glyphs(folder: &Path) -> String {
    let folder = folder.join("glyphs");
    fs::create_dir_all(&folder).unwrap();
    for (indices, name) in [(0..300, "train"), (60_000..60_100, "t10k")] {
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

/// Writes a table of vectors of six values from −2 to 3 without labels.
pub(crate) fn unlabelled_vectors(folder: &Path) -> String {
    let mut text = String::from("a,b,c,d,e,f\n");
    for row in 0..200u32 {
        let value = |column: u32| f64::from((row * 37 + column * 53 + row * column) % 101) / 20.0;
        let values: Vec<String> = (0..6).map(|c| format!("{:.2}", value(c) - 2.0)).collect();
        writeln!(text, "{}", values.join(",")).unwrap();
    }
    let path = folder.join("vectors.csv");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// Trains two epochs on `data` with `settings`, such as `model.latent=5`, into
/// the folder `name`.
pub(crate) fn trained(folder: &Path, data: &str, name: &str, settings: &[&str]) -> RunFolder {
    let source = format!("data.dataset={data}");
    let overrides: Vec<Override> = ["training.epochs=2", "training.batch=32", &source]
        .iter()
        .chain(settings)
        .map(|setting| Override::parse(setting).unwrap())
        .collect();
    let configuration = Configuration::resolve(None, None, &overrides).unwrap();
    let request = training::Request {
        target: Target::New {
            configuration: Box::new(configuration),
            out: Some(folder.join(name)),
        },
        command: "train".into(),
        threads: Some(2),
        checkpoint_every: training::CHECKPOINT_EVERY,
        location: location(),
    };
    let trained = training::train(&request, &Interrupt::default(), &mut |_| {}, &mut ());
    trained.unwrap().folder
}

/// The data of a run.
pub(crate) fn load(run: &RunFolder) -> Dataset {
    let configuration = run.configuration().unwrap();
    location().load(&configuration, &mut |_| {}).unwrap()
}

/// What was drawn: the data beside each picture by the name of its file, and the
/// text of the page.
pub(crate) struct Drawn {
    /// The JSON beside each picture.
    pub(crate) sidecars: BTreeMap<String, Value>,
    /// The bytes of each picture.
    pub(crate) pictures: BTreeMap<String, Vec<u8>>,
    /// The page.
    pub(crate) page: String,
}

impl Drawn {
    /// The caption of a picture.
    pub(crate) fn caption(&self, name: &str) -> &str {
        self.sidecars[name]["description"].as_str().unwrap()
    }

    /// The numbers of a picture.
    pub(crate) fn data(&self, name: &str) -> &Value {
        &self.sidecars[name]["data"]
    }
}

/// Draws the pictures called `pictures` of `runs` into the folder `out`.
pub(crate) fn drawn(runs: &[&RunFolder], pictures: &[&str], out: PathBuf) -> Result<Drawn, Error> {
    let request = of_runs::Request {
        output: Default::default(),
        runs: runs.iter().map(|&run| run.clone()).collect(),
        pictures: pictures.iter().map(ToString::to_string).collect(),
        out,
        threads: Some(2),
        location: location(),
        command: "figures".into(),
    };
    let outcome = of_runs::draw(&request, &Interrupt::default(), &mut |_| {}, &mut |_| {})?;
    let (mut sidecars, mut bytes) = (BTreeMap::new(), BTreeMap::new());
    for path in &outcome.figures {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let png = fs::read(path).unwrap();
        assert!(viz::decode_png(&png).is_ok(), "{}", path.display());
        let sidecar = fs::read(path.with_extension("json")).unwrap();
        sidecars.insert(name.clone(), serde_json::from_slice(&sidecar).unwrap());
        bytes.insert(name, png);
    }
    Ok(Drawn {
        sidecars,
        pictures: bytes,
        page: fs::read_to_string(outcome.page).unwrap(),
    })
}

fn location() -> DataLocation {
    DataLocation::from(Lookup {
        offline: true,
        ..Lookup::default()
    })
}
