//! What runs are known by: the digests of their settings and the text of
//! `config.toml`, as runs already made have them.

use std::fmt::Write as _;

use datasets::sha256_hex;

use super::former::TwoLayers;
use super::{Configuration, Override, digest};
use crate::presets::{PRESETS, TWO_LAYERS};

/// In place of a data set.
const FINGERPRINT: &str = "0123456789abcdef";

/// One line for each configuration: its name, its digest, that of versions
/// that knew data sets by name, and the SHA-256 of its `config.toml`.
const PINNED: &str = include_str!("pinned.txt");

fn of(preset: Option<&str>, sets: &[&str]) -> Configuration {
    let items: Vec<Override> = sets
        .iter()
        .map(|text| Override::parse(text).expect("has an equals sign"))
        .collect();
    Configuration::resolve(preset, None, &items).expect("valid settings")
}

/// Every pinned configuration with its name.
fn configurations() -> Vec<(String, Configuration)> {
    let mut named = vec![("default".to_owned(), Configuration::default())];
    for preset in PRESETS.iter().filter(|preset| preset.name != TWO_LAYERS) {
        named.push((preset.name.into(), of(Some(preset.name), &[])));
    }
    for likelihood in ["bernoulli", "continuous-bernoulli"] {
        let set = format!("model.likelihood={likelihood}");
        named.push((likelihood.into(), of(None, &[&set])));
    }
    for likelihood in ["gaussian", "gaussian-identity"] {
        for sigma in ["0.1", "scalar", "per-pixel", "decoder"] {
            let sets = [
                format!("model.likelihood={likelihood}"),
                format!("model.sigma={sigma}"),
            ];
            let sets = sets.each_ref().map(String::as_str);
            named.push((format!("{likelihood}/{sigma}"), of(None, &sets)));
        }
    }
    for (name, sets) in [
        ("standardise", &["data.standardise=true"][..]),
        ("shape", &["data.shape=64x64x3"]),
        (
            "anchored",
            &["data.dataset=/my/pictures", "data.shape=32x32"],
        ),
        (
            "reading",
            &["data.reading.invert=true", "data.reading.test_share=0.25"],
        ),
        (
            "every-reading",
            &[
                "data.dataset=idx:/my/folder",
                "data.shape=32x24x3",
                "data.standardise=true",
                "data.reading.shape=28x28",
                "data.reading.resize=32x24",
                "data.reading.colour=rgb",
                "data.reading.background=#ff8000",
                "data.reading.maximum=16",
                "data.reading.transposed=true",
                "data.reading.labels=first",
            ],
        ),
        (
            "optimisation",
            &[
                "data.validation=100",
                "data.test_seed=7",
                "model.posterior_scale=log-sigma",
                "model.hidden=none",
                "training.objective=iwae",
                "training.samples=5",
                "training.learning_rate=3e-4",
                "training.weight_decay=0.01",
                "training.clip_norm=1",
                "training.schedule=cosine",
                "training.warm_up_epochs=0.5",
                "training.patience=3",
                "training.gradients=tape",
            ],
        ),
    ] {
        named.push((name.into(), of(None, sets)));
    }
    named
}

#[test]
fn runs_already_made_are_found_again() {
    let mut found = String::new();
    for (name, configuration) in configurations() {
        let text = configuration.to_toml().expect("plain data");
        let digest = configuration.digest(FINGERPRINT);
        let former = &configuration.former_digests(FINGERPRINT)[0];
        let text = sha256_hex(text.as_bytes());
        let _ = writeln!(found, "{name} {digest} {former} {text}");
    }
    for upper in [None, Some("100-100-100-50")] {
        let lower = of(Some("iwae-table1"), &[]);
        let mut table = toml::Table::try_from(&lower).expect("plain data");
        if let Some(upper) = upper {
            let section = toml::Table::from_iter([("upper".into(), upper.into())]);
            table.insert("two_layers".into(), section.into());
        }
        let text = sha256_hex(toml::to_string(&table).expect("plain data").as_bytes());
        let two_layers = TwoLayers {
            lower: lower.identity(),
            upper: upper.map(Into::into),
        };
        let digest = digest(&two_layers, FINGERPRINT);
        let name = upper.unwrap_or("unwritten");
        let _ = writeln!(found, "two-layers/{name} {digest} {text}");
    }
    assert_eq!(found, PINNED, "found:\n{found}");
}

/// Runs of two stochastic layers from when those were no settings of a model.
#[test]
fn runs_of_a_lower_and_an_upper_model_are_found_again() {
    let lower = of(Some("iwae-table1"), &["model.latent=100"]);
    for upper in [None, Some("100-100-100-50".to_owned())] {
        let former = TwoLayers {
            lower: lower.identity(),
            upper,
        };
        let digest = digest(&former, FINGERPRINT);
        let now = of(Some(TWO_LAYERS), &[]).former_digests(FINGERPRINT);
        assert!(now.contains(&digest), "{digest} {now:?}");
    }
}
