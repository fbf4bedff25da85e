//! Where runs are trained to be diagnosed: small data sets in folders of their
//! own, runs of any settings, and weights that are changed afterwards.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use datasets::{Dataset, Lookup, Reading, Source};
use models::Model;
use ndarray::{Array2, s};
use ndarray_npy::NpzWriter;
use runs::configuration::{Configuration, Override};
use runs::diagnosis::{Diagnosis, Request, diagnose};
use runs::interrupt::Interrupt;
use runs::run_data::DataLocation;
use runs::run_folder::RunFolder;
use runs::training::{self, Observer, Target};
use tempfile::TempDir;
use tensor_ops::random::Stream;

/// Pixels of a side.
const SIDE: usize = 28;

/// A folder with data sets and runs.
pub(crate) struct Workshop {
    folder: TempDir,
    /// Where MNIST and its like are, if they are here.
    data: Option<PathBuf>,
    loaded: RefCell<HashMap<String, Dataset>>,
    made: Cell<usize>,
}

/// Bytes of training and test images, `[n, 784]`.
pub(crate) struct Pixels {
    pub(crate) train: Array2<u8>,
    pub(crate) test: Array2<u8>,
}

/// Hears the line at the end of training.
#[derive(Default)]
struct Ear(Option<String>);

impl Observer for Ear {
    fn wants_diagnosis(&self) -> bool {
        true
    }

    fn diagnosed(&mut self, line: &str) {
        self.0 = Some(line.to_owned());
    }
}

impl Workshop {
    pub(crate) fn open() -> Self {
        let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
        let data =
            std::env::var_os("LATENT_ATLAS_DATA").map_or_else(|| beside.into(), PathBuf::from);
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            data: Some(data).filter(|data| data.join("mnist").is_dir()),
            loaded: RefCell::default(),
            made: Cell::default(),
        }
    }

    /// Whether MNIST and Fashion-MNIST are here.
    pub(crate) fn has_real_data(&self) -> bool {
        self.data.is_some()
    }

    /// A data set for each seed, of those that are here.
    pub(crate) fn name_for(&self, seed: u64) -> &'static str {
        match (self.data.is_some(), seed % 3) {
            (true, 1) => "mnist",
            (true, 2) => "fashion-mnist",
            _ => "glyphs",
        }
    }

    fn location(&self) -> DataLocation {
        let mut lookup = Lookup {
            offline: true,
            ..Lookup::default()
        };
        lookup.data_dir.clone_from(&self.data);
        DataLocation::from(lookup)
    }

    fn load(&self, name: &str) -> Dataset {
        let mut loaded = self.loaded.borrow_mut();
        let load = || {
            let source: Source = name.parse().expect("a name");
            let lookup = self.location().lookup;
            datasets::load_source(&source, &Reading::default(), &lookup, &mut |_| {})
                .expect("the data set is here")
        };
        loaded.entry(name.to_owned()).or_insert_with(load).clone()
    }

    /// Random images of a data set, of each split so many.
    pub(crate) fn pixels(&self, name: &str, train: usize, test: usize, seed: u64) -> Pixels {
        let some = |split: &datasets::Split, count: usize| {
            let stream = Stream::new(seed, split.len() as u64);
            let mut order: Vec<usize> = (0..split.len()).collect();
            order.sort_by_key(|&row| stream.word(row as u64));
            let split = split.select(&order[..count]);
            split.bytes().expect("images of bytes").to_owned()
        };
        // Strokes are drawn as they are asked for: only so many.
        if name == "glyphs" {
            let first = (seed as usize % 7) * 5000;
            let train = datasets::glyphs::split(first..first + train);
            let test = datasets::glyphs::split(60_000..60_000 + test);
            return Pixels {
                train: train.bytes().expect("bytes").to_owned(),
                test: test.bytes().expect("bytes").to_owned(),
            };
        }
        let dataset = self.load(name);
        Pixels {
            train: some(&dataset.train, train),
            test: some(&dataset.test, test),
        }
    }

    /// A folder or file that is not there yet.
    fn new_path(&self, what: &str) -> PathBuf {
        self.made.set(self.made.get() + 1);
        self.folder
            .path()
            .join(format!("{what}-{}", self.made.get()))
    }

    /// The source of images in IDX files.
    pub(crate) fn idx(&self, pixels: &Pixels) -> String {
        let folder = self.new_path("data");
        fs::create_dir(&folder).expect("writable");
        for (prefix, images) in [("train", &pixels.train), ("t10k", &pixels.test)] {
            write_idx(&folder, prefix, images);
        }
        format!("idx:{}", folder.display())
    }

    /// The source of values in an .npz file.
    pub(crate) fn npz(&self, pixels: &Pixels, value: impl Fn(u8) -> f32) -> String {
        let path = self.new_path("data").with_extension("npz");
        let file = fs::File::create(&path).expect("writable");
        let mut archive = NpzWriter::new(file);
        for (name, images) in [("x_train", &pixels.train), ("x_test", &pixels.test)] {
            let values = images.mapv(&value);
            let values = values
                .into_shape_with_order((images.nrows(), SIDE, SIDE))
                .expect("whole images");
            archive.add_array(name, &values).expect("writable");
        }
        archive.finish().expect("writable");
        path.display().to_string()
    }

    /// Trains a run of these settings, and what was said at its end.
    pub(crate) fn train_and_hear(
        &self,
        source: &str,
        settings: &[&str],
    ) -> (RunFolder, Option<String>) {
        let mut overrides =
            vec![Override::parse(&format!("data.dataset={source}")).expect("a key")];
        let parse = |text: &&str| Override::parse(text).expect("a key and a value");
        overrides.extend(settings.iter().map(parse));
        let configuration = Configuration::resolve(None, None, &overrides).expect("valid settings");
        let out = self.new_path("run");
        let request = training::Request {
            target: Target::New {
                configuration: Box::new(configuration),
                out: Some(out.clone()),
            },
            command: "train".into(),
            threads: None,
            checkpoint_every: Duration::from_secs(600),
            location: self.location(),
        };
        let mut ear = Ear::default();
        let trained = training::train(&request, &Interrupt::default(), &mut |_| {}, &mut ear);
        if let Err(error) = trained {
            assert_eq!(error.exit_code(), 3, "{settings:?}: {error}");
        }
        (RunFolder::at(out), ear.0)
    }

    /// Trains a run of these settings.
    pub(crate) fn train(&self, source: &str, settings: &[&str]) -> RunFolder {
        self.train_and_hear(source, settings).0
    }

    /// Looks at a run.
    pub(crate) fn diagnose(&self, run: &RunFolder) -> Diagnosis {
        self.diagnose_with(run, None)
    }

    /// The same with other images in place of the test images.
    pub(crate) fn diagnose_with(&self, run: &RunFolder, images: Option<&str>) -> Diagnosis {
        let request = Request {
            folder: run.clone(),
            images: images.map(str::to_owned),
            seed: 0,
            threads: None,
            location: self.location(),
        };
        diagnose(&request, &mut |_| {}).expect("a run that can be looked at")
    }
}

fn write_idx(folder: &Path, prefix: &str, images: &Array2<u8>) {
    let mut bytes = vec![0, 0, 8, 3];
    for size in [images.nrows(), SIDE, SIDE] {
        bytes.extend((size as u32).to_be_bytes());
    }
    bytes.extend(images.iter());
    let path = folder.join(format!("{prefix}-images-idx3-ubyte"));
    fs::write(path, bytes).expect("writable");
}

/// Changes the weights of a run's last checkpoint: `change` gets the name, the
/// shape and the values of each tensor.
pub(crate) fn change_weights(run: &RunFolder, change: impl Fn(&str, &[usize], &mut Vec<f32>)) {
    let (model, metadata) = Model::load_with_metadata(&run.model()).expect("a checkpoint");
    let tensors = model.named_tensors().into_iter().map(|mut tensor| {
        change(&tensor.name, &tensor.shape, &mut tensor.values);
        tensor
    });
    let changed = Model::from_named_tensors(model.spec().clone(), tensors).expect("same shapes");
    let changed = match model.shape() {
        Some(shape) => changed.with_shape(shape).expect("the same shape"),
        None => changed,
    };
    changed.save(&run.model(), &metadata).expect("writable");
}

/// The images with light and dark exchanged.
pub(crate) fn inverse(images: &Array2<u8>) -> Array2<u8> {
    images.mapv(|byte| 255 - byte)
}

/// The first so many rows.
pub(crate) fn first(images: &Array2<u8>, count: usize) -> Array2<u8> {
    images.slice(s![..count, ..]).to_owned()
}
