//! Cross-entropy of every available path against f64.

use super::*;
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
    let mut gradient = logits.clone();
    let mut loss = vec![T::NAN; shape.rows];
    let replace = Logits::Replace(&mut gradient);
    let operation = Bce {
        shape,
        logits: replace,
        targets: &targets,
        row_loss: &mut loss,
        first_half: halves(shape.cols)[0].end,
    };
    T::bce(isa, operation);
    let mut alone = vec![T::NAN; shape.rows];
    let keep = Logits::Keep(&logits);
    T::bce(
        isa,
        Bce {
            shape,
            logits: keep,
            targets: &targets,
            row_loss: &mut alone,
            first_half: halves(shape.cols)[0].end,
        },
    );
    assert!(
        loss == alone,
        "the loss depends on whether the gradient is computed"
    );
    let mut by_halves = vec![T::ZERO; shape.rows];
    let mut half_gradients = logits.clone();
    for half in halves(shape.cols) {
        let own = half.start * shape.panel_len()..half.end * shape.panel_len();
        let mut row_loss = vec![T::NAN; shape.rows];
        T::bce(
            isa,
            Bce {
                shape: Panels::new(
                    shape.rows,
                    shape.cols.min(half.end * LANES) - half.start * LANES,
                ),
                logits: Logits::Replace(&mut half_gradients[own.clone()]),
                targets: &targets[own],
                row_loss: &mut row_loss,
                first_half: 0,
            },
        );
        for (sum, loss) in by_halves.iter_mut().zip(row_loss) {
            *sum += loss;
        }
    }
    assert!(
        loss == by_halves && gradient == half_gradients,
        "the halves of {shape:?} do not add up to the whole"
    );

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
    bernoulli(rows, &mut found, &shared, &mut loss);
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
                row_loss: &mut loss,
                first_half: 0,
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
                row_loss: &mut loss,
                first_half: 0,
            },
        );
        assert!(loss[0].is_nan() && logits[2].is_nan());
    }
}
