//! The bits that training results in are pinned.
//!
//! `pinned.toml` holds the SHA-256 of the tensors (names, types, shapes and
//! bytes; not the metadata) of `model.safetensors` and `state.safetensors`
//! after twenty steps of every case in `cases.rs`, for every instruction-set
//! path and both ways to gradients. One, two and three threads must all give the
//! one pinned digest. Each path runs in a process of its own, since a process
//! chooses its path once; a path that the machine lacks is skipped, and said to
//! be.
//!
//! To change bits on purpose:
//!
//! ```text
//! GOLDEN_BITS=rewrite cargo test -p models --test golden_bits
//! ```
//!
//! The reason belongs into the commit, and `RESULT_FORMAT` in
//! `crates/runs/src/configuration.rs` is raised with it, so that finished runs
//! of the old bits are not taken for new ones. Digests of a path that the
//! machine lacks are kept as they are, and said to be old: rewrite there too.
//!
//! # What depends on the platform's mathematical library
//!
//! Kernels, initial weights, normal deviates, shuffling and binarisation use
//! none: arithmetic, roots and integers only. The rest, with the functions:
//!
//! - Adam's bias correction (f64 `pow`), the logarithm of a fixed σ (f64 `ln`)
//!   and the bias of the mean image (f64 `ln`, `exp`) are rounded to f32 before they
//!   meet a parameter, as are the schedules `iwae` and `step` (f64 `pow`) and
//!   `cosine` (f64 `cos`): a last digit of f64 hardly ever shows.
//! - Importance weights (f64 `exp`, `ln`) and, of one stochastic layer, the
//!   bounds are rounded to f32 likewise. Of two layers the bounds are summed as
//!   they are: `epoch_loss` of `state.safetensors` then shows every digit.
//! - The importance-weighted bound on the tape is taken in f32 (`exp`, `ln`)
//!   and shows every digit.
//!
//! Section `libm` of the file pins these functions apart from training: when
//! bits differ and they do too, the failure says which, and then it is the
//! platform that is another one and not the code.

mod cases;
mod libm;
mod pinned;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use cases::{Case, STEPS};
use models::streams::{Purpose, stream};
use models::{Gradients, Model, NamedTensor, SharedPixels, Trainer, TrainingConfig};
use pinned::{Entries, Sections, hexadecimal};
use safetensors::SafeTensors;
use sha2::{Digest, Sha256};
use tensor_ops::isa::{Isa, PIN_VARIABLE};
use tensor_ops::random::fill_normal;

/// Set to `rewrite`, makes the test write the file instead of comparing.
const MODE: &str = "GOLDEN_BITS";

/// Tells the test that it is the process of one path, and which file to write
/// its digests to.
const REPORT: &str = "GOLDEN_BITS_REPORT";

const LIBM: &str = "libm";

#[test]
fn training_gives_the_pinned_bits() {
    if let Some(report) = env::var_os(REPORT) {
        let found = digests_of_this_path();
        pinned::write(
            Path::new(&report),
            &Sections::from([("found".to_owned(), found)]),
        );
        return;
    }
    let mut found = Sections::from([(LIBM.to_owned(), libm::digests())]);
    for isa in Isa::ALL {
        if isa.is_available() {
            found.insert(isa.name().to_owned(), digests_of(isa));
        } else {
            say(&format!(
                "golden bits: {isa} skipped, this machine does not have it"
            ));
        }
    }
    match env::var(MODE).as_deref() {
        Err(env::VarError::NotPresent) | Ok("") => compare(&found),
        Ok("rewrite") => rewrite(found),
        other => panic!("{MODE} is {other:?}; expected rewrite, or nothing to compare"),
    }
}

fn compare(found: &Sections) {
    let pinned = pinned::read(&pinned::path());
    let none = Entries::new();
    let of_section = |section: &str| {
        let pinned = pinned.get(section).unwrap_or(&none);
        pinned::differences(pinned, &found[section])
    };
    let mut message = String::new();
    for section in found.keys().filter(|&section| section != LIBM) {
        let differences = of_section(section);
        if !differences.is_empty() {
            message += &format!("\n{section}, {} digests:\n", differences.len());
            for line in differences {
                message += &format!("  {line}\n");
            }
        }
    }
    if message.is_empty() {
        return;
    }
    let libm = of_section(LIBM);
    if libm.is_empty() {
        message += "\nThe platform's mathematical library computes what it did when they were \
                    pinned: the code has changed.";
    } else {
        message += &format!(
            "\nThis platform's mathematical library is another than that of the pinned bits \
             ({}): see the head of main.rs for what depends on it, and compare on the other one.",
            libm.join(", ")
        );
    }
    panic!(
        "training gives other bits than the pinned ones.\n{message}\n\
         If that is on purpose, run\n\n    \
         {MODE}=rewrite cargo test -p models --test golden_bits\n\n\
         give the reason in the commit, and raise RESULT_FORMAT in \
         crates/runs/src/configuration.rs."
    );
}

fn rewrite(found: Sections) {
    let path = pinned::path();
    let old = if path.exists() {
        pinned::read(&path)
    } else {
        Sections::new()
    };
    for (section, entries) in &found {
        let old = old.get(section).cloned().unwrap_or_default();
        let count = pinned::differences(&old, entries).len();
        say(&format!(
            "golden bits: {section} rewritten, {count} digests differ"
        ));
    }
    let paths = Isa::ALL.map(Isa::name);
    let kept = old
        .into_iter()
        .filter(|(section, _)| paths.contains(&&section[..]) && !found.contains_key(section));
    let kept: Sections = kept.collect();
    for section in kept.keys() {
        say(&format!(
            "golden bits: {section} kept as it was, this machine does not have it: \
             rewrite on one that does"
        ));
    }
    pinned::write(&path, &found.into_iter().chain(kept).collect());
}

/// Past the capture of passing tests' output.
fn say(line: &str) {
    let mut terminal = std::io::stderr().lock();
    writeln!(terminal, "{line}").unwrap();
}

/// Runs this test in a process pinned to a path.
fn digests_of(isa: Isa) -> Entries {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.toml");
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "training_gives_the_pinned_bits", "--nocapture"])
        .env(PIN_VARIABLE, isa.name())
        .env(REPORT, &report)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "the process of {isa} failed:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    pinned::read(&report).remove("found").unwrap()
}

fn digests_of_this_path() -> Entries {
    let images = cases::images();
    // Every file is synced: nothing to wait for where the disk is memory.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let folder = folder.unwrap();
    let mut initial_weights = Sha256::new();
    let mut entries = Entries::from([("normal deviates".to_owned(), digest_of_deviates())]);
    let mut add = |name: String, digest: String| {
        let taken = entries.insert(name.clone(), digest);
        assert!(taken.is_none(), "two cases are named {name}");
    };
    let mut disagreeing = Vec::new();
    for case in cases::all() {
        let name = &case.name;
        for (index, gradients) in case.gradients().into_iter().enumerate() {
            let results = train(&case, &images, 1, gradients, folder.path());
            for threads in [2, 3] {
                let other = train(&case, &images, threads, gradients, folder.path());
                if let Some(tensor) = results.first_difference(&other) {
                    disagreeing.push(format!(
                        "{name}, {gradients}: {threads} threads give another {tensor} than one"
                    ));
                }
            }
            if index == 0 {
                for value in results.initial.iter().flat_map(|tensor| &tensor.values) {
                    initial_weights.update(value.to_le_bytes());
                }
            }
            for (file, tensors_of) in FILES {
                let digest = digest(tensors_of(&results));
                add(format!("{name}, {gradients}: {file}"), digest);
            }
        }
    }
    add(
        "initial weights of all cases".to_owned(),
        hexadecimal(initial_weights),
    );
    assert!(
        disagreeing.is_empty(),
        "the number of threads changes bits:\n{}",
        disagreeing.join("\n")
    );
    entries
}

/// The tensors of one file by name: type and shape, and bytes.
type Tensors = BTreeMap<String, (String, Vec<u8>)>;

/// What a case begins with and what it results in.
struct Results {
    initial: Vec<NamedTensor<f32>>,
    model: Tensors,
    state: Tensors,
}

type TensorsOf = fn(&Results) -> &Tensors;

/// The files that are pinned of every case.
const FILES: [(&str, TensorsOf); 2] = [
    ("model", |results| &results.model),
    ("state", |results| &results.state),
];

impl Results {
    /// The first tensor that two runs do not share, and the file it is in.
    fn first_difference(&self, other: &Self) -> Option<String> {
        FILES.into_iter().find_map(|(file, tensors_of)| {
            let (one, other) = (tensors_of(self), tensors_of(other));
            let mut names = one.keys().chain(other.keys());
            let tensor = names.find(|&name| one.get(name) != other.get(name))?;
            Some(format!("{tensor} of the {file}"))
        })
    }
}

fn train(
    case: &Case,
    images: &Arc<[u8]>,
    threads: usize,
    gradients: Gradients,
    folder: &Path,
) -> Results {
    let [model, state] = FILES.map(|(file, _)| folder.join(file));
    let nothing = BTreeMap::new();
    let training = TrainingConfig {
        threads,
        gradients,
        ..case.training.clone()
    };
    let seed = training.seed;
    let mean_of = SharedPixels::from(images.clone());
    let mut network = Model::new(case.spec.clone(), case.initialisation, seed).unwrap();
    if case.begins_at_mean {
        network.set_output_bias_to_mean(mean_of.images(cases::PIXELS));
    }
    let initial = network.named_tensors();
    let mut trainer = Trainer::new(network, training, images.clone()).unwrap();
    while trainer.steps() < STEPS {
        let rest = (STEPS - trainer.steps()) as usize;
        trainer.run_steps(rest, &mut |_| true).unwrap();
    }
    trainer.model().save(&model, &nothing).unwrap();
    trainer.save_state(&state, &Default::default()).unwrap();
    Results {
        initial,
        model: tensors(&model),
        state: tensors(&state),
    }
}

fn tensors(path: &Path) -> Tensors {
    let bytes = fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.iter()
        .map(|(name, tensor)| {
            let kind = format!("{} {:?}", tensor.dtype(), tensor.shape());
            (name.to_owned(), (kind, tensor.data().to_vec()))
        })
        .collect()
}

fn digest(tensors: &Tensors) -> String {
    let mut hasher = Sha256::new();
    for (name, (kind, bytes)) in tensors {
        hasher.update(format!("{name} {kind}\n"));
        hasher.update(bytes);
    }
    hexadecimal(hasher)
}

/// Of the ε of training, from the middle of a block of the generator on.
fn digest_of_deviates() -> String {
    let mut deviates = [0.0_f32; 1001];
    fill_normal(&mut deviates, stream(1, Purpose::Noise, 0), 3);
    let mut hasher = Sha256::new();
    for deviate in deviates {
        hasher.update(deviate.to_le_bytes());
    }
    hexadecimal(hasher)
}
