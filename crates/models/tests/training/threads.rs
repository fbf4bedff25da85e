//! The bytes of a run do not depend on the number of threads.

use models::{Activation, DataTreatment, Gradients, ModelKind, Trainer, TrainingConfig};

use super::{as_published, config, elaborate, epochs, images, model, objectives, saved, trainer};

/// 224 outputs are 14 panels: each of two threads has seven, which the second
/// region takes in uneven groups; 3 latent dimensions have a head of one panel.
#[test]
fn wide_layers_give_the_same_bytes_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let run = |threads, gradients| {
        let config = TrainingConfig {
            threads,
            gradients,
            ..config()
        };
        let model = model(ModelKind::Vae, "224-40-3", Activation::Tanh);
        let mut trainer = Trainer::new(model, config, images(100)).unwrap();
        epochs(&mut trainer, 2);
        saved(&trainer, folder.path(), "run")
    };
    let one = run(1, Gradients::Hand);
    for threads in [2, 3] {
        assert!(run(threads, Gradients::Hand) == one, "{threads} threads");
    }
    assert!(run(2, Gradients::Tape).0 == one.0, "on the tape");
}

#[test]
fn every_objective_gives_the_same_bytes_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    for gradients in [Gradients::Hand, Gradients::Tape] {
        for objective in objectives() {
            let run = |threads| {
                let mut trainer = trainer(TrainingConfig {
                    threads,
                    gradients,
                    objective,
                    ..config()
                });
                let losses = epochs(&mut trainer, 2);
                let losses = losses.into_iter().map(|e| (e.loss, e.reconstruction, e.kl));
                (
                    losses.collect::<Vec<_>>(),
                    saved(&trainer, folder.path(), "run"),
                )
            };
            let one = run(1);
            for threads in [2, 3] {
                assert!(
                    run(threads) == one,
                    "{objective}: {gradients}, {threads} threads"
                );
            }
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let configs = [
        config(),
        elaborate(DataTreatment::BinarisedPerMinibatch),
        elaborate(DataTreatment::BinarisedPerEpoch),
        as_published(),
    ];
    let engines = [Gradients::Hand, Gradients::Tape];
    for (base, gradients) in configs
        .iter()
        .flat_map(|config| engines.map(|gradients| (config, gradients)))
    {
        let run = |threads| {
            let mut trainer = trainer(TrainingConfig {
                threads,
                gradients,
                ..base.clone()
            });
            let losses = epochs(&mut trainer, 3)
                .into_iter()
                .map(|e| (e.loss, e.reconstruction, e.kl));
            (
                losses.collect::<Vec<_>>(),
                saved(&trainer, folder.path(), "run"),
            )
        };
        let one = run(1);
        for threads in [2, 3, 5] {
            assert!(run(threads) == one, "{gradients} on {threads} threads");
        }
    }
}

#[test]
fn another_number_of_threads_on_the_way_changes_no_byte() {
    let folder = tempfile::tempdir().unwrap();
    for gradients in [Gradients::Hand, Gradients::Tape] {
        let config = TrainingConfig {
            gradients,
            threads: 1,
            ..elaborate(DataTreatment::BinarisedPerMinibatch)
        };
        let mut alone = trainer(config.clone());
        epochs(&mut alone, 3);
        let expected = saved(&alone, folder.path(), "alone");
        let mut changing = trainer(config);
        // In the middle of an epoch, behind one, up and down, and not at all.
        for (threads, steps) in [(2, 3), (1, 1), (3, 2), (3, 1)] {
            changing.set_threads(threads).unwrap();
            assert_eq!(changing.pool().threads(), threads);
            for _ in 0..steps {
                changing.step().unwrap();
            }
        }
        epochs(&mut changing, 1);
        changing.set_threads(2).unwrap();
        let left = 3 - changing.epoch() as usize;
        epochs(&mut changing, left);
        assert!(
            saved(&changing, folder.path(), "changing") == expected,
            "{gradients}"
        );
    }
    let mut kept = trainer(config());
    let before = kept.pool().threads();
    assert!(kept.set_threads(0).is_err());
    assert_eq!(kept.pool().threads(), before);
    epochs(&mut kept, 1);
}
