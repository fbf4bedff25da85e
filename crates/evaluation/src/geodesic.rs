//! Shortest paths between codes in the decoder's own metric.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};

use crate::error::{Result, require, require_length};
use crate::stretch::DecoderNetwork;

/// A path between two codes.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// Codes \[segments + 1, L\], both ends included.
    pub codes: Array2<f64>,
    /// Length of the curve of mean images that they decode to: the sum of the
    /// Euclidean distances of neighbours.
    pub length: f64,
}

/// The straight path and the shortest one found.
#[derive(Clone, Debug, PartialEq)]
pub struct Geodesic {
    /// Equally spaced codes.
    pub straight: Path,
    /// The path of least energy; never longer than the straight one.
    pub shortest: Path,
}

/// Steps of the optimisation at most.
const MOST_STEPS: usize = 60;
/// It ends when a step saves less than this share of the energy.
const TOLERANCE: f64 = 1e-6;

/// A path of `segments` pieces between the codes `from` and `to` \[L\] that is
/// short in the metric pulled back by the decoder (Arvanitidis, Hansen & Hauberg
/// 2018, *Latent Space Oddity*; Shao, Kumar & Fletcher 2018, *The Riemannian
/// Geometry of Deep Generative Models*).
///
/// With g the mean image, the energy of a discrete path is
///
/// E(z₁ … z_{T−1}) = ½ Σ_i ‖r_i‖², r_i = g(z_{i+1}) − g(z_i);
///
/// its minima are curves of locally least length, passed at constant speed. By
/// the chain rule ∂E/∂z_i = J_iᵀ(r_{i−1} − r_i) with J_i the Jacobian of g at
/// z_i. Levenberg–Marquardt steps δ solve (H + λ diag H) δ = −∂E with the
/// Gauss–Newton matrix H, whose blocks are H_ii = 2 J_iᵀJ_i and
/// H_{i,i+1} = −J_iᵀJ_{i+1}. It begins with the straight path and takes no step
/// that raises the energy, so that it ends in a minimum near that path, not
/// necessarily the global one.
///
/// # Errors
/// Codes of another dimension or not finite, fewer than two segments.
pub fn geodesic(
    decoder: &DecoderNetwork,
    from: ArrayView1<'_, f64>,
    to: ArrayView1<'_, f64>,
    segments: usize,
) -> Result<Geodesic> {
    require_length("the code at the end of a path", to.len(), from.len())?;
    require(segments > 1, "segments of a path", segments, "at least 2")?;
    let straight = Array2::from_shape_fn((segments + 1, from.len()), |(row, j)| {
        let share = row as f64 / segments as f64;
        from[j] + share * (to[j] - from[j])
    });
    let begun = Place::of(decoder, straight)?;
    let straight = begun.path();
    let ended = begun.relaxed(decoder)?.path();
    // Constant speed has least energy, not always least length.
    let shorter = Some(ended).filter(|path| path.length <= straight.length);
    Ok(Geodesic {
        shortest: shorter.unwrap_or_else(|| straight.clone()),
        straight,
    })
}

/// A path with what the decoder makes of it.
struct Place {
    codes: Array2<f64>,
    images: Array2<f64>,
    /// Jacobian of each code, [L, pixels].
    jacobians: Vec<Array2<f64>>,
    energy: f64,
}

impl Place {
    fn of(decoder: &DecoderNetwork, codes: Array2<f64>) -> Result<Self> {
        let (images, jacobians) = decoder.mean_jacobian(codes.view())?;
        let energy = 0.5 * distances_squared(images.view()).sum::<f64>();
        Ok(Self {
            jacobians: jacobians.axis_iter(Axis(0)).map(|j| j.to_owned()).collect(),
            codes,
            images,
            energy,
        })
    }

    /// The path of least energy that steps downwards from this one lead to.
    fn relaxed(self, decoder: &DecoderNetwork) -> Result<Self> {
        let mut at = self;
        let mut damping = 1e-3;
        for _ in 0..MOST_STEPS {
            let (matrix, slope) = at.normal_equations();
            let mut saved = 0.0;
            // Damped until a step helps, or none does.
            for _ in 0..12 {
                let Some(step) = solved(&matrix, at.band(), &slope, damping) else {
                    break;
                };
                let mut codes = at.codes.clone();
                let last = codes.nrows() - 1;
                let inner = codes.slice_mut(s![1..last, ..]);
                for (code, step) in inner.into_iter().zip(step) {
                    *code -= step;
                }
                let next = Self::of(decoder, codes)?;
                if next.energy < at.energy {
                    saved = 1.0 - next.energy / at.energy;
                    at = next;
                    damping = (damping * 0.2).max(1e-9);
                    break;
                }
                damping *= 10.0;
            }
            if saved < TOLERANCE {
                break;
            }
        }
        Ok(at)
    }

    fn path(&self) -> Path {
        Path {
            codes: self.codes.clone(),
            length: distances_squared(self.images.view()).map(f64::sqrt).sum(),
        }
    }

    /// How far from its diagonal H is not zero: from the first coordinate of a code
    /// to the last one of the next.
    fn band(&self) -> usize {
        2 * self.codes.ncols() - 1
    }

    /// H and ∂E of the inner codes, one after the other.
    fn normal_equations(&self) -> (Array2<f64>, Array1<f64>) {
        let latent = self.codes.ncols();
        let inner = self.codes.nrows() - 2;
        let mut matrix = Array2::zeros((inner * latent, inner * latent));
        let mut slope = Array1::zeros(inner * latent);
        let at = |i: usize| i * latent..(i + 1) * latent;
        for i in 0..inner {
            let own = &self.jacobians[i + 1];
            let twice = own.dot(&own.t()) * 2.0;
            matrix.slice_mut(s![at(i), at(i)]).assign(&twice);
            if i + 1 < inner {
                let across = -own.dot(&self.jacobians[i + 2].t());
                matrix.slice_mut(s![at(i), at(i + 1)]).assign(&across);
                matrix.slice_mut(s![at(i + 1), at(i)]).assign(&across.t());
            }
            let image = |row: usize| self.images.row(row);
            // r_{i−1} − r_i.
            let bend = &image(i + 1) * 2.0 - image(i) - image(i + 2);
            slope.slice_mut(s![at(i)]).assign(&own.dot(&bend));
        }
        (matrix, slope)
    }
}

fn distances_squared(images: ArrayView2<'_, f64>) -> impl Iterator<Item = f64> {
    let rows = images.nrows();
    (1..rows).map(move |row| {
        let both = images.row(row).into_iter().zip(images.row(row - 1));
        both.map(|(a, b)| (a - b).powi(2)).sum()
    })
}

/// The solution of (A + λ diag A) x = b, where A is zero beyond `band` from its
/// diagonal, by Cholesky's decomposition (Golub & Van
/// Loan, *Matrix Computations*, §4.2); none where the matrix is not positive.
fn solved(
    matrix: &Array2<f64>,
    band: usize,
    right: &Array1<f64>,
    damping: f64,
) -> Option<Array1<f64>> {
    let n = right.len();
    let largest = matrix.diag().iter().copied().fold(0.0, f64::max);
    let mut lower = matrix.clone();
    // What lies farther from the diagonal is zero, and stays so.
    let first = |row: usize| row.saturating_sub(band);
    for i in 0..n {
        // A direction in which nothing changes has no curvature of its own.
        lower[[i, i]] += damping * matrix[[i, i]].max(1e-12 * largest);
    }
    for j in 0..n {
        for k in first(j)..j {
            let factor = lower[[j, k]];
            for i in j..n.min(k + band + 1) {
                lower[[i, j]] -= lower[[i, k]] * factor;
            }
        }
        let pivot = lower[[j, j]];
        if !(pivot > 0.0 && pivot.is_finite()) {
            return None;
        }
        let root = pivot.sqrt();
        for i in j..n.min(j + band + 1) {
            lower[[i, j]] /= root;
        }
    }
    let mut x = right.clone();
    for i in 0..n {
        let sum: f64 = (first(i)..i).map(|k| lower[[i, k]] * x[k]).sum();
        x[i] = (x[i] - sum) / lower[[i, i]];
    }
    for i in (0..n).rev() {
        let above = i + 1..n.min(i + band + 1);
        let sum: f64 = above.map(|k| lower[[k, i]] * x[k]).sum();
        x[i] = (x[i] - sum) / lower[[i, i]];
    }
    Some(x)
}

#[cfg(test)]
mod tests {
    use models::Activation;
    use ndarray::{arr1, array};
    use tensor_ops::random::{Stream, fill_normal};

    use super::*;
    use crate::stretch::DenseLayer;

    fn normal(rows: usize, columns: usize, stream: u64) -> Array2<f64> {
        let mut values = Array2::zeros((rows, columns));
        fill_normal(values.as_slice_mut().unwrap(), Stream::new(5, stream), 0);
        values
    }

    fn network(widths: &[usize], activation: Activation, scale: f64) -> DecoderNetwork {
        let last = widths.len() - 2;
        let layers = widths
            .windows(2)
            .enumerate()
            .map(|(index, pair)| DenseLayer {
                weight: normal(pair[0], pair[1], index as u64) * scale,
                bias: normal(1, pair[1], 10 + index as u64).row(0).to_owned(),
                activation: if index == last {
                    Activation::Identity
                } else {
                    activation
                },
            });
        DecoderNetwork::new(layers.collect()).unwrap()
    }

    #[test]
    fn the_solver_solves() {
        let root = normal(6, 6, 1);
        let matrix = root.dot(&root.t()) + Array2::<f64>::eye(6);
        let expected = normal(1, 6, 2).row(0).to_owned();
        let right = matrix.dot(&expected);
        let found = solved(&matrix, 6, &right, 0.0).unwrap();
        for (a, b) in found.iter().zip(&expected) {
            assert!((a - b).abs() < 1e-10);
        }
        // λ is on top of the diagonal, in proportion to it.
        let mut damped = matrix.clone();
        damped.diag_mut().mapv_inplace(|value| 1.3 * value);
        let found = solved(&matrix, 6, &damped.dot(&expected), 0.3).unwrap();
        for (a, b) in found.iter().zip(&expected) {
            assert!((a - b).abs() < 1e-10);
        }
        assert!(solved(&-&matrix, 6, &right, 0.0).is_none());
        assert!(solved(&Array2::zeros((6, 6)), 6, &right, 0.3).is_none());
    }

    #[test]
    fn a_band_is_solved_as_the_whole() {
        let root = normal(9, 9, 1);
        let mut matrix = root.dot(&root.t()) + Array2::<f64>::eye(9) * 40.0;
        for ((row, column), value) in matrix.indexed_iter_mut() {
            if row.abs_diff(column) > 3 {
                *value = 0.0;
            }
        }
        let right = normal(1, 9, 2).row(0).to_owned();
        let band = solved(&matrix, 3, &right, 0.1).unwrap();
        let whole = solved(&matrix, 9, &right, 0.1).unwrap();
        assert_eq!(band, whole);
        assert_ne!(solved(&matrix, 2, &right, 0.1).unwrap(), whole);
    }

    #[test]
    fn a_direction_without_curvature_is_damped_by_a_trace_of_the_others() {
        let matrix = array![[4.0, 0.0], [0.0, 0.0]];
        // 0.5 · 1e-12 · 4 is its curvature.
        let found = solved(&matrix, 2, &arr1(&[9.0, 3e-12]), 0.5).unwrap();
        assert!((found[0] - 1.5).abs() < 1e-12 && (found[1] - 1.5).abs() < 1e-12);
    }

    /// E, its slope and its Gauss–Newton matrix against differences of images.
    #[test]
    fn the_equations_of_a_step_are_those_of_the_energy() {
        for (latent, nodes) in [(1, 6), (2, 5), (3, 4)] {
            let decoder = network(&[latent, 7, 9], Activation::Tanh, 0.8);
            let codes = normal(nodes, latent, 40);
            let images_at = |codes: &Array2<f64>| decoder.mean_jacobian(codes.view()).unwrap().0;
            let rows_apart = |images: &Array2<f64>| {
                let mut apart = Array2::zeros((nodes - 1, 9));
                for i in 0..nodes - 1 {
                    for k in 0..9 {
                        apart[[i, k]] = images[[i + 1, k]] - images[[i, k]];
                    }
                }
                apart
            };
            let residuals = rows_apart(&images_at(&codes));
            let place = Place::of(&decoder, codes.clone()).unwrap();
            let energy = 0.5 * residuals.iter().map(|r| r * r).sum::<f64>();
            assert!((place.energy - energy).abs() < 1e-12);
            let lengths = residuals.rows().into_iter().map(|r| r.dot(&r).sqrt());
            assert!((place.path().length - lengths.sum::<f64>()).abs() < 1e-12);
            let (matrix, slope) = place.normal_equations();
            let unknowns = (nodes - 2) * latent;
            assert_eq!(
                (matrix.dim(), slope.len()),
                ((unknowns, unknowns), unknowns)
            );
            // ∂r/∂z of every coordinate of an inner code.
            let h = 1e-5;
            let derivatives: Vec<Array2<f64>> = (0..unknowns)
                .map(|at| {
                    let moved = |by: f64| {
                        let mut codes = codes.clone();
                        codes[[1 + at / latent, at % latent]] += by;
                        rows_apart(&images_at(&codes))
                    };
                    (moved(h) - moved(-h)) / (2.0 * h)
                })
                .collect();
            for (i, a) in derivatives.iter().enumerate() {
                assert!((slope[i] - (a * &residuals).sum()).abs() < 1e-8, "{slope}");
                for (j, b) in derivatives.iter().enumerate() {
                    assert!((matrix[[i, j]] - (a * b).sum()).abs() < 1e-8, "{matrix}");
                }
            }
            let filled = matrix.indexed_iter().filter(|(_, value)| **value != 0.0);
            let farthest = filled.map(|((row, column), _)| row.abs_diff(column)).max();
            assert_eq!(farthest, Some(place.band()));
        }
    }

    /// Where images lie on a line, the path of least energy is passed at constant
    /// speed. A program in Python, which takes the tridiagonal equations of this one
    /// case as they are, ends after five steps, one of them damped anew, as far from
    /// that path as given; until no step helps it would come within 1e-11.
    #[test]
    fn a_line_of_images_is_passed_at_constant_speed() {
        let decoder = DecoderNetwork::new(vec![DenseLayer {
            weight: Array2::ones((1, 200)),
            bias: Array1::zeros(200),
            activation: Activation::Identity,
        }])
        .unwrap();
        let straight = Array2::from_shape_fn((41, 1), |(i, _)| 0.2 * i as f64 - 2.0);
        let begun = Place::of(&decoder, straight).unwrap();
        let found = begun.relaxed(&decoder).unwrap();
        let [low, high] = [-2.0, 6.0].map(|z: f64| 1.0 / (1.0 + (-z).exp()));
        let departures = found.codes.iter().enumerate().map(|(i, code)| {
            let image = low + i as f64 / 40.0 * (high - low);
            (code - (image / (1.0 - image)).ln()).abs()
        });
        let farthest = departures.fold(0.0, f64::max);
        assert!((farthest / 2.977_970e-6 - 1.0).abs() < 1e-3, "{farthest}");
        let least = 0.5 * 200.0 * (high - low).powi(2) / 40.0;
        assert!((found.energy / least - 1.0).abs() < 1e-10);
    }

    /// With weights this small the sigmoid is a line, and so is the path.
    #[test]
    fn a_linear_decoder_keeps_the_straight_path() {
        let decoder = network(&[2, 12], Activation::Identity, 1e-4);
        let (from, to) = (arr1(&[-1.0, 2.0]), arr1(&[3.0, 0.5]));
        let found = geodesic(&decoder, from.view(), to.view(), 8).unwrap();
        for (a, b) in found.shortest.codes.iter().zip(&found.straight.codes) {
            assert!((a - b).abs() < 1e-3, "{found:?}");
        }
    }

    #[test]
    fn a_path_is_never_longer_than_the_straight_one_and_its_ends_stay() {
        for (widths, activation) in [
            (vec![2, 16, 30], Activation::Tanh),
            (vec![2, 16, 30], Activation::Relu),
            (vec![5, 20, 40], Activation::Relu),
            (vec![1, 8, 10], Activation::Tanh),
        ] {
            let decoder = network(&widths, activation, 1.0);
            let ends = normal(2, widths[0], 30) * 2.0;
            let found = geodesic(&decoder, ends.row(0), ends.row(1), 12).unwrap();
            assert!(found.shortest.length <= found.straight.length);
            assert_eq!(found.shortest.codes.row(0), ends.row(0));
            let straight = found.straight.codes.row(3);
            for (j, code) in straight.iter().enumerate() {
                let expected = 0.75 * ends[[0, j]] + 0.25 * ends[[1, j]];
                assert!((code - expected).abs() < 1e-12);
            }
            for (a, b) in found.shortest.codes.row(12).iter().zip(ends.row(1)) {
                assert!((a - b).abs() < 1e-12);
            }
            // The chord cannot be undercut.
            let (images, _) = decoder.mean_jacobian(ends.view()).unwrap();
            let chord = distances_squared(images.view()).map(f64::sqrt).sum::<f64>();
            assert!(found.shortest.length >= chord - 1e-12);
        }
    }

    /// g(z) = σ(a(z)) moves only where a is near zero: between two saturated
    /// codes on one side of a wall there and a detour around it, the detour wins.
    #[test]
    fn a_wall_is_gone_around() {
        // Twenty outputs that all switch on in a disc about the origin:
        // a = 4·relu(1 − relu(x) − relu(−x) − relu(y) − relu(−y)) · 3 − 6.
        let first = DenseLayer {
            weight: array![[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]],
            bias: Array1::zeros(4),
            activation: Activation::Relu,
        };
        let second = DenseLayer {
            weight: Array2::from_elem((4, 1), -1.0),
            bias: arr1(&[1.0]),
            activation: Activation::Relu,
        };
        let third = DenseLayer {
            weight: Array2::from_elem((1, 20), 12.0),
            bias: Array1::from_elem(20, -6.0),
            activation: Activation::Identity,
        };
        let decoder = DecoderNetwork::new(vec![first, second, third]).unwrap();
        let (from, to) = (arr1(&[-2.0, 0.3]), arr1(&[2.0, 0.3]));
        let found = geodesic(&decoder, from.view(), to.view(), 24).unwrap();
        assert!(found.straight.length > 4.0, "{}", found.straight.length);
        assert!(
            found.shortest.length < 0.6 * found.straight.length,
            "{} of {}",
            found.shortest.length,
            found.straight.length
        );
        let highest = found
            .shortest
            .codes
            .column(1)
            .iter()
            .copied()
            .fold(0.0, f64::max);
        assert!(highest > 0.5, "{highest}");
    }

    #[test]
    fn what_is_no_path_is_refused() {
        let decoder = network(&[2, 4], Activation::Identity, 1.0);
        let zero = arr1(&[0.0, 0.0]);
        assert!(geodesic(&decoder, zero.view(), zero.view(), 1).is_err());
        assert!(geodesic(&decoder, zero.view(), arr1(&[0.0]).view(), 4).is_err());
        assert!(geodesic(&decoder, zero.view(), arr1(&[f64::NAN, 0.0]).view(), 4).is_err());
        // From a code to itself there is no way to go.
        let found = geodesic(&decoder, zero.view(), zero.view(), 4).unwrap();
        assert_eq!(found.shortest.length, 0.0);
    }
}
