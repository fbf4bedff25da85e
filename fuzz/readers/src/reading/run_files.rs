//! The other files of run folders, and codes to decode.

use std::path::Path;

use datasets::Dataset;
use ndarray::{Array1, Array2};
use ndarray_npy::{NpzWriter, WriteNpyExt as _};
use runs::apply::read_codes;
use runs::configuration::{Configuration, Override};
use runs::interrupt::Interrupt;
use runs::run_data::DataLocation;
use runs::run_folder::RunFolder;
use runs::training::{CHECKPOINT_EVERY, Request, Target, train};
use runs::trajectories::TrackedCodes;
use runs::{gather, report};

use super::{get, of_file, put, sentence};
use crate::Opened;

/// A table of twenty images of 4 × 4, and a run of two epochs on it.
fn run(place: &Path) -> RunFolder {
    let table = place.join("table.csv");
    let mut text = String::from("label");
    (0..16).for_each(|pixel| text.push_str(&format!(",pixel{pixel}")));
    for row in 0..20 {
        text.push_str(&format!("\n{}", row % 3));
        (0..16).for_each(|pixel| text.push_str(&format!(",{}", (row * 31 + pixel * 17) % 256)));
    }
    put(&table, text.as_bytes());
    let settings = [
        format!("data.dataset={:?}", table.display().to_string()),
        "data.shape=4x4".into(),
        "model.hidden=[4]".into(),
        "training.epochs=2".into(),
        "training.batch=8".into(),
        "tracking.images_per_class=1".into(),
        "tracking.snapshots_per_epoch=1".into(),
    ];
    let overrides: Vec<Override> = settings
        .iter()
        .map(|text| Override::parse(text).expect("a setting"))
        .collect();
    let configuration = Configuration::resolve(None, None, &overrides).expect("good settings");
    let request = Request {
        target: Target::New {
            configuration: Box::new(configuration),
            out: Some(place.join("run")),
        },
        command: "latent-atlas train".into(),
        threads: Some(1),
        checkpoint_every: CHECKPOINT_EVERY,
        location: DataLocation::default(),
    };
    train(&request, &Interrupt::default(), &mut |_| {}, &mut ())
        .expect("a run")
        .folder
}

/// A reader of the file `name` of a run folder.
fn of_run(
    place: &Path,
    name: &str,
    mut read: impl FnMut(&RunFolder) -> crate::Outcome + 'static,
) -> Opened {
    let folder = run(place);
    let file = get(&folder.path().join(name));
    let own = folder.clone();
    of_file(folder.path(), name, vec![file], move |_| read(&own))
}

pub(crate) fn configuration(place: &Path) -> Opened {
    of_run(place, "config.toml", |folder| {
        let configuration = folder.configuration();
        if let Ok(configuration) = &configuration {
            // What is accepted is read again from what is written of it.
            let text = configuration.to_toml().expect("settings that were read");
            assert!(!text.is_empty());
        }
        sentence(configuration)
    })
}

/// As versions wrote it to which two stochastic layers were a section.
pub(crate) fn former_configuration(place: &Path) -> Opened {
    let items = [Override::parse("model.latent=100").expect("a setting")];
    let lower = Configuration::resolve(Some("iwae-table1"), None, &items).expect("a preset");
    let text = lower.to_toml().expect("plain data");
    let text = format!("{text}\n[two_layers]\nupper = \"100-100-100-50\"\n");
    of_file(place, "config.toml", vec![text.into_bytes()], |path| {
        sentence(Configuration::resolve(None, Some(path), &[]))
    })
}

pub(crate) fn metrics(place: &Path) -> Opened {
    of_run(place, "metrics.jsonl", |folder| {
        sentence(folder.read_metrics())
    })
}

pub(crate) fn result(place: &Path) -> Opened {
    of_run(place, "result.json", |folder| {
        sentence(folder.read_result())
    })
}

pub(crate) fn environment(place: &Path) -> Opened {
    let mut dataset: Option<Dataset> = None;
    of_run(place, "environment.json", move |folder| {
        let dataset = dataset.get_or_insert_with(|| {
            let configuration = folder.configuration().expect("a good configuration");
            DataLocation::default()
                .load(&configuration, &mut |_| {})
                .expect("the table")
        });
        sentence(folder.check_dataset(dataset))
    })
}

pub(crate) fn evaluation(place: &Path) -> Opened {
    let folder = run(place);
    let request = report::Request {
        folder: folder.clone(),
        split: report::SplitName::Test,
        subset: None,
        seed: 0,
        treatment: None,
        nll_samples: Some(3),
        threads: Some(1),
        location: DataLocation::default(),
    };
    report::write(&request, &mut |_| {}, &()).expect("an evaluation");
    let file = get(&folder.evaluation());
    let folders = [folder.path().to_owned()];
    of_file(folder.path(), "eval.json", vec![file], move |_| {
        let gathered = gather::gather(&folders, &[]);
        if let Ok(gathered) = &gathered {
            assert_eq!(gathered.rows.len(), 1);
        }
        sentence(gathered)
    })
}

pub(crate) fn trajectories(place: &Path) -> Opened {
    of_run(place, "trajectories.npz", |folder| {
        sentence(TrackedCodes::read(&folder.trajectories()))
    })
}

/// Codes of two latent variables.
const LATENT: usize = 2;

fn codes(count: usize) -> Array2<f32> {
    Array2::from_shape_fn((count, LATENT), |(row, column)| {
        row as f32 - 0.25 * column as f32
    })
}

fn read(path: &Path) -> crate::Outcome {
    let codes = read_codes(path, LATENT);
    if let Ok(codes) = &codes {
        assert!(codes.ncols() == LATENT && codes.nrows() > 0);
    }
    sentence(codes)
}

pub(crate) fn codes_npy(place: &Path) -> Opened {
    let mut floats = Vec::new();
    codes(3).write_npy(&mut floats).expect("memory");
    let mut doubles = Vec::new();
    let wide = codes(4).mapv(f64::from);
    wide.write_npy(&mut doubles).expect("memory");
    of_file(place, "codes.npy", vec![floats, doubles], read)
}

pub(crate) fn codes_npz(place: &Path) -> Opened {
    let archive = |name: &str, compressed: bool| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let mut writer = if compressed {
            NpzWriter::new_compressed(&mut bytes)
        } else {
            NpzWriter::new(&mut bytes)
        };
        writer.add_array(name, &codes(3)).expect("memory");
        let labels: Array1<u32> = (0..3).collect();
        writer.add_array("label", &labels).expect("memory");
        writer.finish().expect("memory");
        bytes.into_inner()
    };
    let files = vec![archive("mu", false), archive("z", true)];
    of_file(place, "codes.npz", files, read)
}

pub(crate) fn codes_csv(place: &Path) -> Opened {
    let files = [
        &b"name,label,mu1,mu2\na,0,0.5,-1\nb,1,2e-3,4\n"[..],
        b"0.5,1\n-2,3\n",
    ];
    let files = files.map(<[u8]>::to_vec).to_vec();
    of_file(place, "codes.csv", files, read)
}
