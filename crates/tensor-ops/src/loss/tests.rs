//! Cross-entropy of every available path against f64.

use super::*;
use crate::eighths::{EIGHTHS, branches};
use crate::isa::Isa;
use crate::kernels::Kernels;
use crate::panels::LANES;
use crate::random::{Stream, fill_normal, fill_uniform};

fn case<T: Float>(shape: Panels, spread: f64) -> (Vec<T>, Vec<T>) {
    let mut logits = vec![T::ZERO; shape.rows * shape.cols];
    let mut targets = logits.clone();
    fill_normal(&mut logits, Stream::new(41, 0), 0);
    for x in &mut logits {
        *x *= T::from_f64(spread);
    }
    fill_uniform(&mut targets, Stream::new(41, 1), 0);
    let pack = |dense: &[T]| {
        let mut packed = vec![T::NAN; shape.len()];
        shape.pack_row_major(dense, &mut packed);
        packed
    };
    (pack(&logits), pack(&targets))
}

fn check<T: Float>(isa: Available, shape: Panels, spread: f64, tolerance: f64) {
    let (logits, targets) = case::<T>(shape, spread);
    let run = |logits: Logits<'_, T>, targets: &[T], sums: RowSums<'_, T>| {
        let operation = Bce {
            shape,
            logits,
            targets,
            sums,
        };
        T::bce(isa, operation);
    };
    let mut gradient = logits.clone();
    let mut loss = vec![T::NAN; shape.rows];
    run(
        Logits::Replace(&mut gradient),
        &targets,
        RowSums::Whole(&mut loss),
    );
    let mut alone = vec![T::NAN; shape.rows];
    run(Logits::Keep(&logits), &targets, RowSums::Whole(&mut alone));
    assert!(
        loss == alone,
        "the loss depends on whether the gradient is computed"
    );
    for owners in [1, 2, 3, 8] {
        let owned = |owner: usize| owner * EIGHTHS / owners..(owner + 1) * EIGHTHS / owners;
        let mut by_owners = logits.clone();
        let mut parts = Vec::new();
        for branch in (0..owners).flat_map(|owner| branches(owned(owner))) {
            let panels = panels_of(shape.cols, &branch);
            let own = panels.start * shape.panel_len()..panels.end * shape.panel_len();
            let mut lines = vec![T::NAN; shape.rows * LANES];
            let outputs = Logits::Replace(&mut by_owners[own.clone()]);
            run(
                outputs,
                &targets[own],
                RowSums::Branch(branch.clone(), &mut lines),
            );
            parts.push((branch, lines));
        }
        let parts = parts
            .iter()
            .map(|(branch, lines)| (branch.clone(), &lines[..]));
        let mut together = vec![T::NAN; shape.rows];
        complete_row_losses(PartialSums::new(shape.cols, parts), &mut together);
        assert!(
            loss == together && gradient == by_owners,
            "{owners} owners of {shape:?} do not come to the whole"
        );
    }

    for row in 0..shape.rows {
        let mut expected = 0.0;
        let mut magnitude = 0.0;
        for col in 0..shape.cols {
            let at = shape.index(row, col);
            let (x, t) = (logits[at].to_f64(), targets[at].to_f64());
            let softplus = x.max(0.0) + (-x.abs()).exp().ln_1p();
            expected += softplus - x * t;
            magnitude += softplus + (x * t).abs();
            let slope = 1.0 / (1.0 + (-x).exp()) - t;
            assert!(
                (gradient[at].to_f64() - slope).abs() <= tolerance,
                "{x} {t}"
            );
        }
        let bound = (shape.cols as f64 / 16.0 + 8.0) * tolerance * magnitude;
        assert!((loss[row].to_f64() - expected).abs() <= bound + f64::MIN_POSITIVE);
        for col in shape.cols..shape.padded_cols() {
            assert!(
                gradient[shape.index(row, col)] == T::ZERO,
                "padding is not zero"
            );
        }
    }
}

#[test]
fn loss_and_gradient_agree_with_f64() {
    for isa in Isa::ALL.into_iter().filter_map(Available::new) {
        for (rows, cols) in [
            (0, 5),
            (3, 0),
            (1, 1),
            (7, 16),
            (9, 33),
            (16, 784),
            (37, 50),
        ] {
            for spread in [1.0, 30.0, 200.0] {
                check::<f32>(isa, Panels::new(rows, cols), spread, 2.5e-7);
                check::<f64>(isa, Panels::new(rows, cols), spread, 4e-16);
            }
        }
    }
}

#[test]
fn a_row_has_the_same_bits_in_any_block() {
    let whole = Panels::new(21, 50);
    let (logits, targets) = case::<f32>(whole, 5.0);
    let mut expected = vec![0.0; 21];
    bce_with_logits_loss(whole, &logits, &targets, &mut expected);
    let part = Panels::new(4, 50);
    let rows_of = |source: &[f32]| -> Vec<f32> {
        (0..whole.panel_count())
            .flat_map(|panel| source[(panel * 21 + 11) * LANES..][..4 * LANES].to_vec())
            .collect()
    };
    let mut loss = vec![0.0; 4];
    bce_with_logits_loss(part, &rows_of(&logits), &rows_of(&targets), &mut loss);
    assert_eq!(loss, expected[11..15]);
}

#[test]
fn samples_of_an_image_share_its_targets() {
    let (images, samples, cols) = (3, 11, 37);
    let rows = SampledRows {
        shape: Panels::new(images * samples, cols),
        samples,
    };
    let (logits, targets) = case::<f32>(rows.shape, 5.0);
    let mut shared = vec![0.0; rows.targets().len()];
    let mut repeated = vec![0.0; rows.shape.len()];
    for row in 0..rows.shape.rows {
        for col in 0..cols {
            let value = targets[rows.shape.index(row / samples, col)];
            shared[rows.targets().index(row / samples, col)] = value;
            repeated[rows.shape.index(row, col)] = value;
        }
    }
    let (mut expected, mut found) = (logits.clone(), logits.clone());
    let (mut expected_loss, mut loss, mut alone) =
        (vec![0.0; 33], vec![f32::NAN; 33], vec![f32::NAN; 33]);
    bce_with_logits(rows.shape, &mut expected, &repeated, &mut expected_loss);
    bernoulli(rows, &mut found, &shared, RowSums::Whole(&mut loss));
    bernoulli_loss(rows, &logits, &shared, &mut alone);
    assert_eq!((&found, &loss), (&expected, &expected_loss));
    assert_eq!(alone, loss);
}

#[test]
fn extreme_logits_stay_finite_and_nan_shows() {
    let shape = Panels::new(1, 4);
    for isa in Isa::ALL.into_iter().filter_map(Available::new) {
        let mut logits = [0.0_f32; LANES];
        logits[..4].copy_from_slice(&[-1e30, 1e30, -100.0, 100.0]);
        let mut loss = [f32::NAN];
        let targets = [
            0.0_f32, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
        ];
        let replace = Logits::Replace(&mut logits);
        f32::bce(
            isa,
            Bce {
                shape,
                logits: replace,
                targets: &targets,
                sums: RowSums::Whole(&mut loss),
            },
        );
        assert_eq!(loss, [0.0]);
        assert_eq!(logits, [0.0; LANES]);
        logits[2] = f32::NAN;
        let replace = Logits::Replace(&mut logits);
        f32::bce(
            isa,
            Bce {
                shape,
                logits: replace,
                targets: &targets,
                sums: RowSums::Whole(&mut loss),
            },
        );
        assert!(loss[0].is_nan() && logits[2].is_nan());
    }
}
