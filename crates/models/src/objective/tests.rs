use std::sync::Arc;

use super::*;
use crate::spec::{Likelihood, ModelKind, PosteriorScale};
use crate::{Initialisation, Model, Trainer, TrainingConfig};

fn spec(kind: ModelKind) -> ModelSpec {
    ModelSpec {
        kind,
        architecture: "784-20".parse().unwrap(),
        likelihood: Likelihood::Bernoulli,
        posterior_scale: PosteriorScale::LogVariance,
    }
}

#[test]
fn values_and_models_that_do_not_fit_are_named() {
    let refused = |kind, change: fn(&mut Objective)| {
        let mut objective = Objective::ELBO;
        change(&mut objective);
        objective.validate(&spec(kind)).unwrap_err().to_string()
    };
    for kind in ModelKind::ALL {
        assert_eq!(Objective::ELBO.validate(&spec(kind)), Ok(()));
    }
    assert_eq!(Objective::iwae(50).validate(&spec(ModelKind::Vae)), Ok(()));
    let vae = ModelKind::Vae;
    assert_eq!(
        refused(vae, |o| o.samples = 0),
        "samples is 0; expected between 1 and 65536"
    );
    assert_eq!(
        refused(vae, |o| o.beta = -0.5),
        "beta is -0.5; expected finite and not negative"
    );
    assert!(refused(vae, |o| o.beta = f64::NAN).starts_with("beta is NaN"));
    assert!(refused(vae, |o| o.free_bits = -1.0).starts_with("free bits is -1"));
    for kind in [ModelKind::Ae, ModelKind::AeL2] {
        assert!(refused(kind, |o| o.bound = Bound::Iwae).contains("iwae"));
        assert!(refused(kind, |o| o.samples = 2).contains("samples = 2"));
        assert!(refused(kind, |o| o.free_bits = 0.1).contains("free bits of 0.1"));
    }
    assert!(refused(ModelKind::Ae, |o| o.beta = 2.0).contains("no KL to weigh"));
    let halved = Objective {
        beta: 0.5,
        ..Objective::ELBO
    };
    assert_eq!(halved.validate(&spec(ModelKind::AeL2)), Ok(()));
    let weighted = Objective {
        beta: 0.5,
        ..Objective::iwae(5)
    };
    let wae = Objective {
        bound: Bound::Wae,
        beta: 500.0,
        beta_warm_up_epochs: 3,
        ..Objective::ELBO
    };
    assert_eq!(wae.validate(&spec(ModelKind::Ae)), Ok(()));
    for kind in [ModelKind::AeL2, ModelKind::Vae] {
        let message = wae.validate(&spec(kind)).unwrap_err().to_string();
        assert!(
            message.contains("neither sampled nor penalised"),
            "{message}"
        );
    }
    for (samples, free_bits) in [(2, 0.0), (1, 0.5)] {
        let wae = Objective {
            samples,
            free_bits,
            ..wae
        };
        let message = wae.validate(&spec(ModelKind::Ae)).unwrap_err().to_string();
        assert!(message.contains("expected 1 sample"), "{message}");
    }
    let message = weighted.validate(&spec(vae)).unwrap_err().to_string();
    assert!(message.contains("no KL term"), "{message}");
    let message = refused(vae, |o| {
        *o = Objective {
            free_bits: 0.5,
            ..Objective::iwae(5)
        }
    });
    assert!(message.contains("free bits 0.5"), "{message}");
    // A warm-up weighs the KL, too, whatever it ends at.
    let message = refused(vae, |o| {
        *o = Objective {
            beta_warm_up_epochs: 3,
            ..Objective::iwae(5)
        }
    });
    assert!(message.contains("3 epochs of warm-up"), "{message}");
    for kind in [ModelKind::Ae, ModelKind::Denoising] {
        assert!(refused(kind, |o| o.beta_warm_up_epochs = 1).contains("or its warm-up"));
    }
    assert!(refused(vae, |o| o.corruption = 1.0).starts_with("corruption is 1"));
}

#[test]
fn what_is_penalised_together_is_told_with_the_room_it_takes() {
    let free_bits = Objective {
        free_bits: 0.5,
        ..Objective::ELBO
    };
    let wae = Objective {
        bound: Bound::Wae,
        ..Objective::ELBO
    };
    let (vae, ae) = (spec(ModelKind::Vae), spec(ModelKind::Ae));
    for gradients in [Gradients::Hand, Gradients::Tape] {
        for (objective, spec, expected) in [
            (Objective::ELBO, &vae, None),
            (Objective::iwae(5), &vae, None),
            // A sum and a weight for each of the 20 latent dimensions.
            (free_bits, &vae, Some(40.0)),
            (wae, &ae, Some(discrepancy::values(gradients, 20, 7))),
        ] {
            assert_eq!(objective.is_of_batch(), expected.is_some(), "{objective}");
            let told = objective.batch_penalty_values(spec, gradients, 7);
            assert_eq!(told, expected.unwrap_or(0.0), "{objective}");
            let penalty = batch_penalty::<f32>(&objective, spec, 7);
            assert_eq!(penalty.is_some(), expected.is_some(), "{objective}");
        }
    }
    // Draws of the prior are compared with codes that are not drawn.
    let widths = [(&Objective::ELBO, &ae), (&wae, &ae), (&free_bits, &vae)];
    let widths = widths.map(|(objective, spec)| objective.noise_width(spec));
    assert_eq!(widths, [0, 20, 20]);
    let least = [Objective::ELBO, wae].map(|one| *one.sizes_of_batches().0.start());
    assert_eq!(least, [1.0, 2.0]);
}

#[test]
fn every_value_is_displayed_and_lost_input_only_where_there_is_any() {
    let mut objective = Objective {
        samples: 3,
        beta: 0.5,
        beta_warm_up_epochs: 7,
        free_bits: 0.25,
        ..Objective::ELBO
    };
    let text = "elbo, samples 3, beta 0.5, warm-up 7 epochs, free bits 0.25";
    assert_eq!(objective.to_string(), text);
    objective.corruption = 0.125;
    assert_eq!(objective.to_string(), format!("{text}, corruption 0.125"));
}

#[test]
fn the_statement_says_what_weighs_what() {
    let vae = spec(ModelKind::Vae);
    assert_eq!(
        Objective::ELBO.statement(&vae),
        "KL weight 1 against reconstruction summed over 784 pixels: effective beta = 1 per image"
    );
    let elaborate = Objective {
        samples: 3,
        beta: 4.0,
        beta_warm_up_epochs: 10,
        free_bits: 0.5,
        ..Objective::ELBO
    };
    assert_eq!(
        elaborate.statement(&vae),
        "KL weight 4 against reconstruction (mean of 3 samples) summed over 784 pixels: \
         effective beta = 4 per image, reached from 0 after 10 epochs; \
         0.5 nats of KL per latent dimension are free"
    );
    assert_eq!(
        Objective::iwae(50).statement(&vae),
        "importance-weighted bound of 50 samples, log p(x|z) summed over 784 pixels: \
         effective beta = 1 per image"
    );
    let penalised = Objective::ELBO.statement(&spec(ModelKind::AeL2));
    assert!(
        penalised.starts_with("weight of the penalty 1 against"),
        "{penalised}"
    );
    let ae = Objective::ELBO.statement(&spec(ModelKind::Ae));
    assert!(ae.starts_with("no KL term"), "{ae}");
    let denoising = Objective {
        corruption: 0.25,
        ..Objective::ELBO
    };
    assert_eq!(
        denoising.statement(&spec(ModelKind::Denoising)),
        "no KL term; reconstruction summed over 784 pixels; a share of 0.25 of the input was lost"
    );
    let wae = Objective {
        bound: Bound::Wae,
        beta: 500.0,
        beta_warm_up_epochs: 3,
        ..Objective::ELBO
    };
    assert_eq!(
        wae.statement(&spec(ModelKind::Ae)),
        "MMD² between the codes of a batch and as many draws of N(0, I), weight 500 against \
         reconstruction summed over 784 pixels, reached from 0 after 3 epochs; MMD² is at most \
         14, so that a weight of the order of the reconstruction (hundreds) matters; the loss \
         of whole sets leaves it out"
    );
}

#[test]
fn warm_up_is_linear_in_the_steps() {
    let objective = Objective {
        beta: 4.0,
        beta_warm_up_epochs: 2,
        ..Objective::ELBO
    };
    let betas = [0, 1, 5, 19, 20, 1000].map(|step| objective.beta_at(step, 10));
    assert_eq!(betas, [0.0, 0.2, 1.0, 3.8, 4.0, 4.0]);
    assert_eq!(Objective::ELBO.beta_at(0, 10), 1.0);
}

/// The fewest that have a discrepancy.
#[test]
fn two_images_have_the_discrepancy_of_their_codes_by_hand_and_on_the_tape() {
    let found = [Gradients::Hand, Gradients::Tape].map(|gradients| {
        let spec = ModelSpec {
            architecture: "5-4-3".parse().unwrap(),
            ..spec(ModelKind::Ae)
        };
        let config = TrainingConfig {
            batch: 2,
            gradients,
            objective: Objective {
                bound: Bound::Wae,
                beta: 3.0,
                ..Objective::ELBO
            },
            ..TrainingConfig::standard(1)
        };
        let model = Model::new(spec, Initialisation::PyTorchUniform, 1).unwrap();
        let images: Arc<[u8]> = (0..10).map(|pixel| 25 * pixel).collect();
        let mut trainer = Trainer::new(model, config, images).unwrap();
        let losses = trainer.step().unwrap().losses;
        let weighed = losses.loss - losses.reconstruction;
        assert!((weighed - 3.0 * losses.kl).abs() < 1e-4, "{losses:?}");
        losses.kl
    });
    let [hand, tape] = found;
    assert!(
        hand.abs() > 1e-2 && (hand - tape).abs() < 1e-4,
        "{hand} {tape}"
    );
}
