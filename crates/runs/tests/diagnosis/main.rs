//! Faults that are planted are named first, and sound runs are left alone.

mod healthy;
mod plants;
mod workshop;

use std::collections::BTreeMap;

use runs::diagnosis::{Diagnosis, Fault};

use crate::healthy::HEALTHY;
use crate::plants::PLANTS;
use crate::workshop::{Pixels, Workshop, first, inverse};

/// What was found, for messages.
fn told(diagnosis: &Diagnosis) -> String {
    let lines: Vec<String> = diagnosis
        .findings
        .iter()
        .map(|finding| finding.line())
        .collect();
    lines.join("\n    ")
}

fn named_first(diagnosis: &Diagnosis) -> Option<Fault> {
    diagnosis.findings.first().map(|finding| finding.fault)
}

/// Every fault with five seeds, and as many sound runs as models, likelihoods and
/// data sets call for. It trains for some minutes: `cargo xtask ci --full --only
/// diagnosis`.
#[test]
#[ignore = "trains a hundred runs: some minutes"]
#[allow(clippy::print_stderr)]
fn planted_faults_are_named_first_and_sound_runs_raise_no_alarm() {
    const SEEDS: u64 = 5;
    let workshop = Workshop::open();
    let only = std::env::var("DIAGNOSIS_ONLY").unwrap_or_default();
    let (mut named, mut all) = (BTreeMap::new(), 0);
    for plant in PLANTS
        .iter()
        .filter(|plant| plant.fault.name().contains(&only))
    {
        for seed in 1..=SEEDS {
            let run = (plant.make)(&workshop, seed);
            let diagnosis = workshop.diagnose(&run);
            let is_named = named_first(&diagnosis) == Some(plant.fault);
            *named.entry(plant.fault.name()).or_insert(0) += u64::from(is_named);
            all += 1;
            let sign = if is_named { "named" } else { "MISSED" };
            eprintln!(
                "{sign} {} seed {seed}:\n    {}",
                plant.fault.name(),
                told(&diagnosis)
            );
            if !is_named {
                eprintln!("    {:?}", diagnosis.course);
                eprintln!("    {:?}", diagnosis.images);
                eprintln!("    {:?}", diagnosis.symptoms);
            }
        }
    }
    eprintln!("{named:?}");
    let right: u64 = named.values().sum();
    let mut alarms = 0;
    if workshop.has_real_data() && (only.is_empty() || only == "healthy") {
        for (name, settings) in HEALTHY {
            let (run, line) = workshop.train_and_hear(name, settings);
            let diagnosis = workshop.diagnose(&run);
            let is_quiet = diagnosis.findings.is_empty() && line.is_none();
            alarms += usize::from(!is_quiet);
            let sign = if is_quiet { "quiet" } else { "ALARM" };
            eprintln!(
                "{sign} {name} {settings:?}: {line:?}\n    {}",
                told(&diagnosis)
            );
            if let (Some(images), Some(symptoms)) = (&diagnosis.images, &diagnosis.symptoms) {
                let posterior = symptoms.posterior.as_ref();
                let holes = posterior.and_then(|posterior| posterior.aggregate.as_ref());
                let scales = posterior.and_then(|posterior| posterior.scales.as_ref());
                eprintln!(
                    "    holes {:?} scales {scales:?} active {:?} explained {:?} silent {:?} shares {:?} binary {} mean {} / {} train {:?} test {:?} residual {} deviation {}\n    {:?}",
                    holes.map(|holes| holes.comparison.hole_mass),
                    posterior.map(|posterior| posterior.active_units),
                    symptoms.explained,
                    symptoms.silent_units,
                    symptoms.principal_shares,
                    images.binary_share,
                    images.mean_image_loss,
                    symptoms.test_mean_image_loss,
                    symptoms.train,
                    symptoms.test,
                    symptoms.residual,
                    images.deviation,
                    diagnosis.course,
                );
            }
        }
    }
    assert_eq!(alarms, 0, "sound runs raised alarms");
    assert!(20 * right >= 19 * all, "{right} of {all} were named first");
}

/// The faults that show in a moment, on a few images.
#[test]
fn a_few_faults_are_named_on_a_few_images() {
    let workshop = Workshop::open();
    let pixels = workshop.pixels("glyphs", 1500, 400, 0);
    let small = [
        "model.hidden=[48]",
        "training.batch=32",
        "training.epochs=8",
    ];
    let source = workshop.idx(&pixels);
    let found = |source: &str, more: &[&str]| {
        let run = workshop.train(source, &[&small, more].concat());
        (named_first(&workshop.diagnose(&run)), run)
    };
    let (sound, run) = found(&source, &["training.epochs=30"]);
    assert_eq!(sound, None, "{}", told(&workshop.diagnose(&run)));
    let other = workshop.idx(&Pixels {
        train: inverse(&first(&pixels.train, 10)),
        test: inverse(&pixels.test),
    });
    let diagnosis = workshop.diagnose_with(&run, Some(&other));
    assert_eq!(named_first(&diagnosis), Some(Fault::Polarity));
    // A run that has left no weights is told by its images.
    let raw = workshop.npz(&pixels, f32::from);
    let settings = [
        "model.likelihood=gaussian-identity",
        "training.learning_rate=1e30",
    ];
    let (cause, run) = found(&raw, &settings);
    let diagnosis = workshop.diagnose(&run);
    assert_eq!(cause, Some(Fault::PixelScale), "{}", told(&diagnosis));
    assert!(diagnosis.symptoms.is_none(), "it has diverged");
    assert_eq!(diagnosis.findings[1].fault, Fault::Diverged);
    for (fault, settings) in [
        (Fault::KlWeight, &["training.beta=784"][..]),
        (Fault::StepSizeTooHigh, &["training.learning_rate=0.3"]),
        (Fault::StepSizeTooLow, &["training.learning_rate=1e-6"]),
        (Fault::TooFewEpochs, &["training.epochs=1"]),
        (
            Fault::Likelihood,
            &["model.likelihood=gaussian", "model.sigma=1"],
        ),
    ] {
        let (first, run) = found(&source, settings);
        assert_eq!(first, Some(fault), "{}", told(&workshop.diagnose(&run)));
    }
}
