//! Which images a step takes, in which order, and with which noise.

use super::*;

#[test]
fn the_seed_decides_and_shuffling_can_be_turned_off() {
    let run = |config| epochs(&mut trainer(config), 1)[0].loss;
    let standard = run(config());
    assert_eq!(run(config()), standard);
    assert_ne!(
        run(TrainingConfig {
            seed: 6,
            ..config()
        }),
        standard
    );
    assert_ne!(
        run(TrainingConfig {
            shuffle: false,
            ..config()
        }),
        standard
    );
}

#[test]
fn the_order_is_another_in_every_epoch_unless_it_is_fixed() {
    // A deterministic model that stays as it is: the loss of a step says which images
    // it was of.
    let losses = |shuffle| {
        let config = TrainingConfig {
            shuffle,
            learning_rate: 0.0,
            ..config()
        };
        let model = model(ModelKind::Ae, "40-3", Activation::Relu);
        let mut trainer = Trainer::new(model, config, images(250)).unwrap();
        [(); 3].map(|()| {
            let mut losses = Vec::new();
            let mut note = |progress: &Progress| losses.push(progress.losses.loss);
            trainer.run_epoch(&mut note).unwrap();
            losses
        })
    };
    let [first, second, third] = losses(false);
    assert!(first == second && second == third);
    let shuffled = losses(true);
    for (epoch, other) in [(0, 1), (0, 2), (1, 2)] {
        let pairs = shuffled[epoch].iter().zip(&shuffled[other]);
        let equal = pairs.filter(|(one, other)| one == other).count();
        assert_eq!(equal, 0, "epochs {epoch} and {other}");
    }
    let in_order = first.iter().zip(&shuffled[0]);
    assert_eq!(in_order.filter(|(one, other)| one == other).count(), 0);
}

#[test]
fn the_noise_is_another_in_every_step() {
    // The same images in every step of a model that stays as it is: only the deviates
    // can change the loss.
    for (objective, kind) in [
        (Objective::ELBO, ModelKind::Vae),
        (Objective::iwae(1), ModelKind::Vae),
        (Objective::iwae(3), ModelKind::Vae),
        (
            Objective {
                corruption: 0.3,
                ..Objective::ELBO
            },
            ModelKind::Denoising,
        ),
    ] {
        let config = TrainingConfig {
            objective,
            batch: 250,
            shuffle: false,
            learning_rate: 0.0,
            ..config()
        };
        let model = model(kind, "40-3", Activation::Relu);
        let mut trainer = Trainer::new(model, config, images(250)).unwrap();
        let steps = [(); 4].map(|()| trainer.step().unwrap().losses.loss);
        for (step, loss) in steps.iter().enumerate() {
            assert!(!steps[..step].contains(loss), "{objective}: {steps:?}");
        }
    }
}

#[test]
fn every_image_is_used_once_per_epoch() {
    // With a step size of zero the model stays, and the losses of a
    // deterministic one depend on which images are seen but not on their order.
    let run = |batch, shuffle| {
        let config = TrainingConfig {
            batch,
            shuffle,
            learning_rate: 0.0,
            ..config()
        };
        let mut trainer = Trainer::new(
            model(ModelKind::Ae, "40-3", Activation::Relu),
            config,
            images(250),
        )
        .unwrap();
        let mut steps = Vec::new();
        let losses = trainer
            .run_epoch(&mut |progress| steps.push(progress.step_in_epoch))
            .unwrap();
        assert_eq!(steps, (1..=250_usize.div_ceil(batch)).collect::<Vec<_>>());
        losses.loss
    };
    let expected = run(250, false);
    for (batch, shuffle) in [
        (24, true),
        (24, false),
        (1, true),
        (249, true),
        (1000, true),
    ] {
        let loss = run(batch, shuffle);
        assert!(
            (loss - expected).abs() < 1e-9 * expected,
            "batch {batch}, shuffle {shuffle}: {loss} {expected}"
        );
    }
}
