//! Continuous Bernoulli loss with logits (Loaiza-Ganem & Cunningham 2019,
//! arXiv 1907.06845).
//!
//! On \[0, 1\] the density with logit a is p(x) = e^(a·x − A(a)), where
//!
//! ```text
//! A(a)  = ln ∫₀¹ e^(a·x) dx = ln((eᵃ − 1)/a)
//! A′(a) = E[x] = 1/(1 − e⁻ᵃ) − 1/a
//! ```
//!
//! so that −ln p(x) = A(a) − a·x and its derivative by a is E\[x\] − x. In the
//! paper's terms, with λ = σ(a), ln C(λ) = softplus(a) − A(a).
//!
//! Both formulas are 0/0 at a = 0, that is λ = ½, and lose digits around it.
//! Below |a| = 1 they are summed as series in the Bernoulli numbers Bₙ, whose
//! radius of convergence is 2π:
//!
//! ```text
//! A(a) = a/2 + Σ B₂ₙ a²ⁿ / (2n·(2n)!)      A′(a) = ½ + Σ B₂ₙ a²ⁿ⁻¹ / (2n)!
//! ```
//!
//! Elsewhere, with b = |a|, A(a) = max(a, 0) + ln((1 − e⁻ᵇ)/b), which does not
//! overflow, and A′(−b) = 1/b − e⁻ᵇ/(1 − e⁻ᵇ) = 1 − A′(b).

use crate::isa::Available;
use crate::loss::kernel::Logits;
use crate::loss::rows::{LineAt, PixelLoss, RowLosses};
use crate::loss::{RowSums, SampledRows};
use crate::panels::LANES;
use crate::simd::{Line, Operation};
use crate::{Float, library};

/// B₂ₙ / (2n)! for n = 1, 2, …: at |a| = 1 the first term left out is below
/// 1e-17, and below 1e-9 after five.
const COEFFICIENTS: [f64; 10] = [
    1.0 / 12.0,
    -1.0 / 720.0,
    1.0 / 30_240.0,
    -1.0 / 1_209_600.0,
    1.0 / 47_900_160.0,
    -691.0 / 1_307_674_368_000.0,
    1.0 / 74_724_249_600.0,
    -3617.0 / 10_670_622_842_880_000.0,
    43_867.0 / 5_109_094_217_170_944_000.0,
    -174_611.0 / 802_857_662_698_291_200_000.0,
];

/// A(a) in two parts, a/2 or max(a, 0) and the rest, and E\[x\].
#[inline(always)]
fn partition_and_mean<T: Float, L: Line<T>>(a: T) -> (T, T, T) {
    let (half, b, square) = (T::from_f64(0.5), a.abs(), a * a);
    let terms = if T::EPSILON.to_f64() > 1e-10 { 5 } else { 10 };
    let (mut even, mut odd) = (T::ZERO, T::ZERO);
    for n in (0..terms).rev() {
        even = even * square + T::from_f64(COEFFICIENTS[n] / (2 * n + 2) as f64);
        odd = odd * square + T::from_f64(COEFFICIENTS[n]);
    }
    let e = T::fast_exp::<L>(-b);
    let rest = T::ONE - e;
    let lower = T::ONE / b - e / rest;
    let far_start = select(a > T::ZERO, a, T::ZERO);
    let far_mean = select(a > T::ZERO, T::ONE - lower, lower);
    let far_rest = T::fast_ln::<L>(rest / b);
    let near = b < T::ONE;
    (
        select(near, half * a, far_start),
        select(near, square * even, far_rest),
        select(near, half + a * odd, far_mean),
    )
}

/// Both values are computed: a branch would keep the loops out of vector
/// registers.
#[inline(always)]
fn select<T: Float>(condition: bool, a: T, b: T) -> T {
    if condition { a } else { b }
}

/// The kernel of one line.
pub struct ContinuousBernoulli;

impl<T: Float> PixelLoss<T> for ContinuousBernoulli {
    #[inline(always)]
    unsafe fn line<L: Line<T>>(
        &mut self,
        _: LineAt,
        outputs: &mut [T; LANES],
        targets: &[T; LANES],
        terms: &mut [T; LANES],
    ) {
        for ((output, &x), term) in outputs.iter_mut().zip(targets).zip(terms) {
            let a = *output;
            let (start, rest, mean) = partition_and_mean::<T, L>(a);
            *term = (start - a * x) + rest;
            *output = mean - x;
        }
    }
}

/// What [`Moments`] writes.
#[derive(Clone, Copy)]
enum Moment {
    LogPartition,
    Mean,
}

/// A or E\[x\] of every value.
pub struct Moments<'a, T> {
    moment: Moment,
    values: &'a mut [T],
}

impl<T: Float> Operation<T> for Moments<'_, T> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<L: Line<T>>(self) {
        match self.moment {
            Moment::LogPartition => {
                for value in self.values {
                    let (start, rest, _) = partition_and_mean::<T, L>(*value);
                    *value = start + rest;
                }
            }
            Moment::Mean => {
                for value in self.values {
                    *value = partition_and_mean::<T, L>(*value).2;
                }
            }
        }
    }
}

/// E\[x\] of each logit, in place: the mean of a pixel, which is not σ(a).
///
/// ```
/// let mut values = [0.0_f64, 1000.0, -1000.0];
/// tensor_ops::loss::continuous_bernoulli::means_in_place(&mut values);
/// assert_eq!(values[0], 0.5);
/// assert!((values[1] - 0.999).abs() < 1e-15 && (values[2] - 0.001).abs() < 1e-15);
/// ```
pub fn means_in_place<T: Float>(logits: &mut [T]) {
    let values = logits;
    let moment = Moment::Mean;
    T::continuous_bernoulli_moments(Available::current(), Moments { moment, values });
}

/// A(a) = ln((eᵃ − 1)/a) of each logit, in place.
pub fn log_partitions_in_place<T: Float>(logits: &mut [T]) {
    let values = logits;
    let moment = Moment::LogPartition;
    T::continuous_bernoulli_moments(Available::current(), Moments { moment, values });
}

/// Var\[x\] = A″(a) of a logit, the slope of the mean and the Fisher
/// information about a.
///
/// Term by term from the series of A′ below |a| = 1, and elsewhere
/// A″(a) = 1/b² − e⁻ᵇ/(1 − e⁻ᵇ)² with b = |a|.
///
/// ```
/// use tensor_ops::loss::continuous_bernoulli::variance;
///
/// // The uniform distribution.
/// assert!((variance(0.0) - 1.0 / 12.0).abs() < 1e-16);
/// ```
pub fn variance(logit: f64) -> f64 {
    let (b, square) = (logit.abs(), logit * logit);
    if b < 1.0 {
        let terms = COEFFICIENTS.iter().enumerate().rev();
        return terms.fold(0.0, |sum, (n, coefficient)| {
            sum * square + (2 * n + 1) as f64 * coefficient
        });
    }
    let e = library::exp(-b);
    1.0 / square - e / (1.0 - e).powi(2)
}

/// Loss and gradient in one pass, as [`super::bernoulli`]: `logits` becomes
/// E\[x\] − x, the loss of row r Σ_columns (A(a) − a·x), which may be negative, as
/// a density may exceed 1.
///
/// # Panics
/// If a slice has another length than the rows need.
pub fn with_logits<T: Float>(
    rows: SampledRows,
    logits: &mut [T],
    targets: &[T],
    sums: RowSums<'_, T>,
) {
    let operation = "loss::continuous_bernoulli::with_logits";
    run(operation, rows, Logits::Replace(logits), targets, sums);
}

/// The loss of [`with_logits`] alone; `logits` stay as they are.
///
/// # Panics
/// If a slice has another length than the rows need.
pub fn with_logits_loss<T: Float>(
    rows: SampledRows,
    logits: &[T],
    targets: &[T],
    row_loss: &mut [T],
) {
    let operation = "loss::continuous_bernoulli::with_logits_loss";
    let sums = RowSums::Whole(row_loss);
    run(operation, rows, Logits::Keep(logits), targets, sums);
}

fn run<T: Float>(
    operation: &str,
    rows: SampledRows,
    outputs: Logits<'_, T>,
    targets: &[T],
    sums: RowSums<'_, T>,
) {
    rows.check(operation, outputs.values(), targets, &sums);
    T::continuous_bernoulli_rows(
        Available::current(),
        RowLosses {
            rows,
            outputs,
            targets,
            sums,
            pixel: ContinuousBernoulli,
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;
    use crate::kernels::Kernels;
    use crate::panels::Panels;

    fn logits() -> Vec<f64> {
        let magnitudes = [
            1e-12, 1e-8, 1e-4, 1e-3, 0.01, 0.1, 0.3, 0.5, 0.9, 0.999, 1.0, 1.001, 1.5, 3.0, 8.0,
            20.0, 50.0,
        ];
        let signed = magnitudes.into_iter().flat_map(|a| [-a, a]);
        signed.chain([0.0]).collect()
    }

    /// ∫₀¹ xᵖ e^(a·x − max(a, 0)) dx by Gauss–Legendre, five points on each of
    /// a thousand parts.
    fn integral(a: f64, power: i32) -> f64 {
        let nodes = [
            (0.0, 0.568_888_888_888_888_9),
            (0.538_469_310_105_683_1, 0.478_628_670_499_366_47),
            (-0.538_469_310_105_683_1, 0.478_628_670_499_366_47),
            (0.906_179_845_938_664, 0.236_926_885_056_189_08),
            (-0.906_179_845_938_664, 0.236_926_885_056_189_08),
        ];
        let parts = 1000;
        let h = 1.0 / f64::from(parts);
        (0..parts)
            .flat_map(|part| nodes.map(|(node, weight)| (part, node, weight)))
            .map(|(part, node, weight)| {
                let x = (f64::from(part) + 0.5 + 0.5 * node) * h;
                0.5 * h * weight * x.powi(power) * (a * x - a.max(0.0)).exp()
            })
            .sum()
    }

    #[test]
    fn partition_mean_and_variance_are_the_integrals() {
        for isa in Isa::ALL.into_iter().filter_map(Available::new) {
            let moments = |moment| {
                let mut values = logits();
                let operation = Moments {
                    moment,
                    values: &mut values,
                };
                f64::continuous_bernoulli_moments(isa, operation);
                values
            };
            let (partitions, means) = (moments(Moment::LogPartition), moments(Moment::Mean));
            for ((a, partition), mean) in logits().into_iter().zip(partitions).zip(means) {
                let total = integral(a, 0);
                let expected = total.ln() + a.max(0.0);
                assert!((partition - expected).abs() < 1e-12, "{a}: {partition}");
                let expected = integral(a, 1) / total;
                assert!((mean - expected).abs() < 1e-12, "{a}: {mean}");
                let expected = integral(a, 2) / total - expected.powi(2);
                assert!((variance(a) - expected).abs() < 1e-12, "{a}");
            }
        }
    }

    #[test]
    fn single_precision_follows_double_everywhere() {
        let wide = logits().into_iter().chain([-1000.0, -300.0, 300.0, 1000.0]);
        let wide: Vec<f32> = wide.map(|a| a as f32).collect();
        let mut exact: Vec<f64> = wide.iter().map(|&a| f64::from(a)).collect();
        let (mut means, mut partitions) = (wide.clone(), wide.clone());
        means_in_place(&mut means);
        log_partitions_in_place(&mut partitions);
        let logits = exact.clone();
        log_partitions_in_place(&mut exact);
        for ((a, found), expected) in logits.iter().zip(partitions).zip(&exact) {
            let error = (f64::from(found) - expected).abs();
            assert!(error < 3e-7 * a.abs().max(1.0), "{a}: {found} {expected}");
        }
        exact.copy_from_slice(&logits);
        means_in_place(&mut exact);
        for ((a, found), expected) in logits.iter().zip(means).zip(&exact) {
            let error = (f64::from(found) - expected).abs();
            assert!(error < 3e-7, "{a}: {found} {expected}");
        }
    }

    #[test]
    fn rows_are_sums_of_pixels_and_padding_stays_zero() {
        let rows = SampledRows {
            shape: Panels::new(6, 21),
            samples: 3,
        };
        let values = |len: usize, scale: f64| -> Vec<f64> {
            (0..len)
                .map(|i| scale * ((i * 37 % 101) as f64 / 100.0 - 0.5))
                .collect()
        };
        let (a, x) = (values(6 * 21, 12.0), values(2 * 21, 1.0));
        let x: Vec<f64> = x.iter().map(|x| x + 0.5).collect();
        let (mut packed, mut targets) =
            (vec![0.0; rows.shape.len()], vec![0.0; rows.targets().len()]);
        rows.shape.pack_row_major(&a, &mut packed);
        rows.targets().pack_row_major(&x, &mut targets);
        let (mut loss, mut alone) = (vec![f64::NAN; 6], vec![f64::NAN; 6]);
        with_logits_loss(rows, &packed, &targets, &mut alone);
        with_logits(rows, &mut packed, &targets, RowSums::Whole(&mut loss));
        assert_eq!(loss, alone);
        let (mut partitions, mut means) = (a.clone(), a.clone());
        log_partitions_in_place(&mut partitions);
        means_in_place(&mut means);
        for row in 0..6 {
            let mut expected = 0.0;
            for col in 0..21 {
                let (at, target) = (row * 21 + col, x[row / 3 * 21 + col]);
                expected += partitions[at] - a[at] * target;
                let slope = packed[rows.shape.index(row, col)];
                assert!((slope - (means[at] - target)).abs() < 1e-15);
            }
            assert!((loss[row] - expected).abs() < 1e-12);
            for col in 21..32 {
                assert_eq!(packed[rows.shape.index(row, col)], 0.0);
            }
        }
    }
}
