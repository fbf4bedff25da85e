use models::{Bound, Likelihood, ModelKind, ModelSpec, PosteriorScale, Standardisation};

use super::*;

fn model(kind: ModelKind, architecture: &str, likelihood: Likelihood) -> Model {
    let spec = ModelSpec {
        kind,
        architecture: architecture.parse().unwrap(),
        likelihood,
        posterior_scale: PosteriorScale::LogVariance,
    };
    Model::new(spec, models::Initialisation::Glorot, 1).unwrap()
}

fn text(model: &Model, objective: &Objective) -> String {
    let described = Described {
        model,
        objective,
        treatment: DataTreatment::Grey,
        shape: model.spec().architecture.inputs.to_string(),
        dataset: "glyphs",
        preparation: String::new(),
    };
    described.text()
}

/// Objectives that suit a model.
fn objectives(spec: &ModelSpec) -> Vec<Objective> {
    let weighted = Objective {
        beta: 0.5,
        samples: 3,
        free_bits: 0.25,
        ..Objective::ELBO
    };
    let several = Objective {
        samples: 2,
        ..Objective::ELBO
    };
    let penalised = Objective {
        beta: 2.0,
        ..Objective::ELBO
    };
    let discrepancy = Objective {
        bound: Bound::Wae,
        beta: 10.0,
        ..Objective::ELBO
    };
    let corrupted = Objective {
        corruption: 0.25,
        ..Objective::ELBO
    };
    let all = [
        Objective::ELBO,
        weighted,
        several,
        penalised,
        Objective::iwae(5),
        discrepancy,
        corrupted,
    ];
    let suits = |objective: &Objective| objective.validate(spec).is_ok();
    all.into_iter().filter(suits).collect()
}

#[test]
fn nothing_is_left_to_be_filled_in() {
    let mut count = 0;
    for likelihood in Likelihood::with_every_sigma(0.3) {
        for kind in ModelKind::ALL {
            for architecture in ["9-2", "9-7-2", "9-5-4/4-3-2"] {
                if architecture.contains('/') && !kind.is_variational() {
                    continue;
                }
                let model = model(kind, architecture, likelihood);
                let standardisation = Standardisation::new(vec![0.5; 9], vec![2.0; 9]).unwrap();
                let standardised = model.clone().with_standardisation(standardisation).unwrap();
                for model in [model, standardised] {
                    for objective in objectives(model.spec()) {
                        let text = text(&model, &objective);
                        for place in text.split('{').skip(1) {
                            let word = place.split('}').next().unwrap_or_default();
                            let is_place = !word.is_empty()
                                && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
                            assert!(!is_place, "{{{word}}} of {kind} {likelihood}:\n{text}");
                        }
                        // A method would hide a module of its name.
                        for tensor in model.named_tensors() {
                            let module = tensor.name.split('.').next().unwrap_or_default();
                            assert!(!text.contains(&format!("def {module}(")), "{module}");
                            assert!(text.contains(&format!("self.{module} = nn.")), "{module}");
                        }
                        let says = |words| text.contains(words);
                        assert_eq!(says("import math\n"), says("math.log") || says("math.sqrt"));
                        assert_eq!(says("import functional as F\n"), says(" F."));
                        count += 1;
                    }
                }
            }
        }
    }
    assert!(count > 400, "{count}");
}

#[test]
fn the_file_is_the_one_that_readers_see() {
    let model = model(ModelKind::Vae, "64-32-2", Likelihood::Bernoulli);
    let described = Described {
        model: &model,
        objective: &Objective::ELBO,
        treatment: DataTreatment::Grey,
        shape: "8x8".to_owned(),
        dataset: "glyphs",
        preparation: String::new(),
    };
    let text = described.text();
    if std::env::var_os("EXAMPLES").is_some_and(|value| value == "rewrite") {
        std::fs::write(
            concat!(env!("CARGO_MANIFEST_DIR"), "/src/python/example.py"),
            &text,
        )
        .unwrap();
    }
    assert_eq!(text, include_str!("example.py"));
}
