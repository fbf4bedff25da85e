//! Eigenvalues and square roots of symmetric matrices, in f64.

mod jacobi;
mod tridiagonal;

use ndarray::{Array1, Array2, ArrayView2};

use crate::error::{Result, require};

/// A = V diag(λ) Vᵀ with λ ascending and the eigenvectors in the columns of V.
#[derive(Debug, Clone)]
pub struct SymmetricEigen {
    /// Eigenvalues, ascending.
    pub values: Array1<f64>,
    /// Orthonormal eigenvectors, one per column, in the same order.
    pub vectors: Array2<f64>,
}

/// Rows up to which rotations are fast enough.
const MOST_OF_JACOBI: usize = 32;

/// Eigenvalues in any order, and the eigenvector of each in a row.
struct Decomposition {
    values: Vec<f64>,
    vectors: Array2<f64>,
}

impl SymmetricEigen {
    /// Decomposes a symmetric matrix: up to 32 × 32 by cyclic Jacobi rotations,
    /// larger ones by reduction to tridiagonal form and implicit QL.
    ///
    /// Rotations give small eigenvalues the accuracy of large ones, whatever
    /// makes them small: with singular values of 1 and 1e-4 the determinant of a
    /// metric comes out to 4e-15. The reduction is a hundred times faster for
    /// covariances of features; it keeps the digits of variables that are small
    /// themselves, since it takes them in the order of their variance, but an
    /// eigenvalue that is small by cancellation between variables only to a
    /// multiple of ε times the largest.
    ///
    /// Only symmetry up to rounding is expected; the mean of A and Aᵀ is used.
    /// The result does not depend on the number of threads.
    ///
    /// # Panics
    /// If the matrix is not square.
    pub fn new(matrix: ArrayView2<'_, f64>) -> Self {
        let n = matrix.nrows();
        assert!(
            matrix.is_square(),
            "symmetric eigendecomposition: matrix is {:?}, expected square",
            matrix.dim()
        );
        let a = Array2::from_shape_fn((n, n), |(i, j)| 0.5 * (matrix[[i, j]] + matrix[[j, i]]));
        if n <= MOST_OF_JACOBI {
            Self::sorted(&jacobi::decompose(a))
        } else {
            Self::sorted(&tridiagonal::decompose(a))
        }
    }

    fn sorted(found: &Decomposition) -> Self {
        let n = found.values.len();
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&i, &j| found.values[i].total_cmp(&found.values[j]));
        Self {
            values: order.iter().map(|&i| found.values[i]).collect(),
            vectors: Array2::from_shape_fn((n, n), |(i, j)| found.vectors[[order[j], i]]),
        }
    }

    /// V diag(f(λ)) Vᵀ.
    pub fn map(&self, f: impl Fn(f64) -> f64) -> Array2<f64> {
        let mut scaled = self.vectors.clone();
        for (mut column, &value) in scaled.columns_mut().into_iter().zip(&self.values) {
            column *= f(value);
        }
        scaled.dot(&self.vectors.t())
    }

    /// The symmetric square root. Eigenvalues that rounding made negative
    /// count as zero.
    pub fn square_root(&self) -> Array2<f64> {
        self.map(|value| value.max(0.0).sqrt())
    }

    /// The symmetric inverse square root, which whitens.
    ///
    /// # Errors
    /// The smallest eigenvalue is 1e-12 of the largest or less.
    pub fn inverse_square_root(&self, what: &str) -> Result<Array2<f64>> {
        let largest = self.values.last().copied().unwrap_or(0.0);
        let smallest = self.values.first().copied().unwrap_or(0.0);
        require(
            smallest > 1e-12 * largest,
            &format!("the covariance of {what}"),
            format_args!("singular (smallest eigenvalue {smallest:e})"),
            "full rank; a dimension has collapsed, so leave it out",
        )?;
        Ok(self.map(|value| 1.0 / value.sqrt()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::standard_normals;
    use ndarray::array;

    #[test]
    fn two_by_two_by_hand() {
        let eigen = SymmetricEigen::new(array![[2.0, 1.0], [1.0, 2.0]].view());
        assert!((eigen.values[0] - 1.0).abs() < 1e-14);
        assert!((eigen.values[1] - 3.0).abs() < 1e-14);
    }

    #[test]
    fn rebuilds_a_large_matrix_with_a_wide_spectrum() {
        let n = 64;
        let b = Array2::from_shape_fn((n, n), |(i, j)| {
            ((i * 7 + j * 13 + i * j) % 29) as f64 - 14.0
        });
        let a = b.t().dot(&b);
        let eigen = SymmetricEigen::new(a.view());
        let rebuilt = eigen.map(|x| x);
        let norm = a.iter().map(|x| x * x).sum::<f64>().sqrt();
        let error = (&rebuilt - &a).iter().map(|x| x * x).sum::<f64>().sqrt();
        assert!(error < 1e-13 * norm, "{error:e} of {norm:e}");
        let identity = eigen.vectors.t().dot(&eigen.vectors);
        let departure = (&identity - &Array2::<f64>::eye(n))
            .iter()
            .fold(0.0_f64, |m, x| m.max(x.abs()));
        assert!(departure < 1e-13);
        let root = eigen.square_root();
        let error = (&root.dot(&root) - &a)
            .iter()
            .map(|x| x * x)
            .sum::<f64>()
            .sqrt();
        assert!(error < 1e-12 * norm);
    }

    fn norm(a: &Array2<f64>) -> f64 {
        a.iter().map(|x| x * x).sum::<f64>().sqrt()
    }

    /// Symmetric matrices of every kind that covariances have: of full rank, of
    /// low rank, with blocks of zeros, with equal eigenvalues, of one number.
    fn matrices(n: usize, seed: u64) -> Vec<Array2<f64>> {
        let draws = |seed, rows| standard_normals(seed, rows, n).mapv(f64::from);
        let covariance = |rows| {
            let factor = draws(seed, rows);
            factor.t().dot(&factor)
        };
        let mut holed = covariance(n + 3);
        for i in 0..n {
            for j in 0..n {
                if i % 3 == 0 || j % 3 == 0 {
                    holed[[i, j]] = 0.0;
                }
            }
        }
        let plain = draws(seed + 1, n);
        let reflector = {
            let u = draws(seed + 2, 1).row(0).to_owned();
            let length = u.dot(&u);
            Array2::from_shape_fn((n, n), |(i, j)| {
                f64::from(u8::from(i == j)) - 2.0 * u[i] * u[j] / length
            })
        };
        vec![
            covariance(n + 5),
            covariance(n / 2),
            holed,
            &plain + &plain.t(),
            reflector,
            Array2::eye(n),
            Array2::zeros((n, n)),
            Array2::from_elem((n, n), -3.5),
            covariance(2 * n) * 1e-100,
            covariance(2 * n) * 1e100,
        ]
    }

    #[test]
    fn reduction_and_rotations_find_the_same() {
        for n in [1, 2, 3, 5, 17, 33, 64, 90] {
            for (number, a) in matrices(n, n as u64).iter().enumerate() {
                let what = format!("{n} rows, matrix {number}");
                let rotated = SymmetricEigen::sorted(&jacobi::decompose(a.clone()));
                let reduced = SymmetricEigen::sorted(&tridiagonal::decompose(a.clone()));
                let bound = 1e-14 * n as f64 * norm(a);
                let differences = &rotated.values - &reduced.values;
                assert!(differences.iter().all(|d| d.abs() <= bound), "{what}");
                let identity = reduced.vectors.t().dot(&reduced.vectors);
                assert!(
                    norm(&(&identity - &Array2::<f64>::eye(n))) < 1e-12,
                    "{what}"
                );
                assert!(norm(&(&reduced.map(|x| x) - a)) <= bound, "{what}");
            }
        }
    }

    #[test]
    fn threads_do_not_change_a_bit_of_a_large_matrix() {
        let features = standard_normals(4, 500, 300).mapv(f64::from);
        let a = features.t().dot(&features);
        let run = |threads| {
            let pool = tensor_ops::parallel::ThreadPool::new(threads).unwrap();
            pool.install(|| SymmetricEigen::new(a.view()))
        };
        let expected = run(1);
        for threads in [2, 3] {
            let found = run(threads);
            assert_eq!(found.values, expected.values);
            assert_eq!(found.vectors, expected.vectors);
        }
    }

    /// As below, of more rows than are rotated and in an order that hides the
    /// small variables among the others.
    #[test]
    fn many_variables_near_collapse_keep_their_digits() {
        let n = 48;
        let scale = |i: usize| 10_f64.powf(-((i * 29 % n) as f64) / 4.0);
        let a = Array2::from_shape_fn((n, n), |(i, j)| {
            scale(i) * scale(j) * if i == j { 1.0 } else { 0.3 }
        });
        let found = SymmetricEigen::new(a.view());
        let logarithms: f64 = found.values.iter().map(|value| value.ln()).sum();
        let of_scales: f64 = (0..n).map(|i| 2.0 * scale(i).ln()).sum();
        let rest = 1.0 + 0.3 * (n - 1) as f64;
        let expected = of_scales + (n - 1) as f64 * 0.7_f64.ln() + rest.ln();
        assert!(
            (logarithms - expected).abs() < 1e-11,
            "{logarithms} {expected}"
        );
    }

    /// A = D·B·D with D from 1 to 1e-12 and B = 0.7·I + 0.3·11ᵀ, whose
    /// determinant is 0.7ⁿ⁻¹·(1 + 0.3·(n − 1)).
    #[test]
    fn variables_near_collapse_keep_their_digits() {
        let n = 4;
        let scale = |i: usize| 1e-4_f64.powi(i as i32);
        let a = Array2::from_shape_fn((n, n), |(i, j)| {
            scale(i) * scale(j) * if i == j { 1.0 } else { 0.3 }
        });
        let scales: f64 = (0..n).map(|i| scale(i).powi(2)).product();
        let expected = scales * 0.7_f64.powi(3) * 1.9;
        let found: f64 = SymmetricEigen::new(a.view()).values.iter().product();
        assert!((found / expected - 1.0).abs() < 1e-13, "{found:e}");
    }

    #[test]
    fn a_collapsed_dimension_cannot_be_whitened() {
        let eigen = SymmetricEigen::new(array![[1.0, 0.0], [0.0, 0.0]].view());
        assert!(eigen.inverse_square_root("the codes").is_err());
        let eigen = SymmetricEigen::new(Array2::zeros((3, 3)).view());
        assert!(eigen.inverse_square_root("the codes").is_err());
        // What is small is so beside the largest.
        let of = |first: f64, second: f64| {
            let diagonal = Array2::from_diag(&array![first, second]);
            SymmetricEigen::new(diagonal.view()).inverse_square_root("the codes")
        };
        assert!(of(1.0, 1e-12).is_err() && of(1.0, 1.1e-12).is_ok());
        assert!(of(1e6, 1e-8).is_err() && of(1e-9, 2e-9).is_ok());
        assert!(of(-1.0, -2.0).is_err());
    }

    #[test]
    fn an_inverse_square_root_by_hand() {
        // Eigenvalues 4 and 9 along (2, 1) and (−1, 2), each √5 long.
        let matrix = array![[5.0, -2.0], [-2.0, 8.0]];
        let found = SymmetricEigen::new(matrix.view()).inverse_square_root("the codes");
        let expected = array![[7.0 / 15.0, 1.0 / 15.0], [1.0 / 15.0, 11.0 / 30.0]];
        assert!(norm(&(found.unwrap() - expected)) < 1e-15);
    }

    /// Elements beside the diagonal whose sum is 0; the matrix has the eigenvalues
    /// of a path of three, 2 and 2 ± √2, as a change of sign of the first variable
    /// makes it one.
    #[test]
    fn elements_that_cancel_are_rotated_away() {
        let matrix = array![[2.0, -1.0, 0.0], [-1.0, 2.0, 1.0], [0.0, 1.0, 2.0]];
        let found = SymmetricEigen::new(matrix.view()).values;
        let root = 2.0_f64.sqrt();
        let error = found - array![2.0 - root, 2.0, 2.0 + root];
        assert!(error.iter().all(|error| error.abs() < 1e-14));
    }
}
