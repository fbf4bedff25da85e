//! What is refused, and training that diverges.

use super::*;

#[test]
fn an_objective_the_model_cannot_have_is_refused() {
    for kind in [ModelKind::Ae, ModelKind::AeL2] {
        let config = TrainingConfig {
            objective: Objective::iwae(5),
            ..config()
        };
        let refused = Trainer::new(model(kind, "3", Activation::Relu), config, images(3));
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("iwae") && error.contains("vae"), "{error}");
    }
}

#[test]
fn divergence_names_epoch_step_and_tensor() {
    for gradients in [Gradients::Hand, Gradients::Tape] {
        let config = TrainingConfig {
            learning_rate: 1e30,
            gradients,
            ..config()
        };
        let mut trainer = trainer(config);
        let error = (0..5)
            .find_map(|_| trainer.run_epoch(&mut |_| {}).err())
            .unwrap();
        assert_eq!(error.epoch, 1);
        assert!((2..=11).contains(&error.step), "{error}");
        assert_eq!(error.tensor, "encoder.2 (output)", "{gradients}: {error}");
        assert!(
            error
                .to_string()
                .starts_with("training diverged in epoch 1, step "),
            "{error}"
        );
    }
}

/// σ² and the KL are just finite in f32, but ½ z² of a code is not where
/// |ε| > 1.5, nor is then the −log w that holds it.
#[test]
fn log_weights_that_diverge_are_named() {
    let plain = model(ModelKind::Vae, "1", Activation::Relu);
    let spec = plain.spec().clone();
    let tensors = plain.named_tensors().into_iter().map(|mut tensor| {
        match tensor.name.as_str() {
            "log_var.weight" => tensor.values.fill(0.0),
            "log_var.bias" => tensor.values.fill(88.6),
            _ => {}
        }
        tensor
    });
    let model = Model::from_named_tensors(spec, tensors).unwrap();
    for gradients in [Gradients::Hand, Gradients::Tape] {
        let config = TrainingConfig {
            objective: Objective::iwae(1),
            gradients,
            ..config()
        };
        let mut trainer = Trainer::new(model.clone(), config, images(24)).unwrap();
        let error = trainer.step().unwrap_err();
        assert_eq!((error.epoch, error.step), (1, 1), "{gradients}: {error}");
        assert_eq!(error.tensor, "log weights", "{gradients}: {error}");
    }
}

#[test]
fn images_that_do_not_fit_are_refused() {
    let refused = |bytes: usize| {
        let images: Arc<[u8]> = vec![0; bytes].into();
        Trainer::new(
            model(ModelKind::Vae, "3", Activation::Relu),
            config(),
            images,
        )
        .unwrap_err()
    };
    assert!(matches!(
        refused(0),
        TrainerError::Images {
            found: 0,
            inputs: 144
        }
    ));
    assert!(matches!(
        refused(145),
        TrainerError::Images {
            found: 145,
            inputs: 144
        }
    ));
    let none = TrainingConfig {
        batch: 0,
        ..config()
    };
    let error = Trainer::new(
        model(ModelKind::Vae, "3", Activation::Relu),
        none,
        images(3),
    )
    .unwrap_err();
    assert_eq!(error.to_string(), "batch is 0; expected at least 1");
}
