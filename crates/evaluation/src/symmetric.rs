//! Eigenvalues and square roots of symmetric matrices, in f64.

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

impl SymmetricEigen {
    /// Decomposes a symmetric matrix by cyclic Jacobi rotations (Golub & Van
    /// Loan, *Matrix Computations*, §8.5): small eigenvalues come out with the
    /// accuracy of large ones, which the square root of a covariance needs, and
    /// 128 × 128 takes well under a second. A reduction to tridiagonal form is a
    /// hundred times faster there and loses what a variable near collapse adds:
    /// with singular values of 1 and 1e-4 the determinant of a metric is wrong by
    /// 2e-9 instead of 4e-15.
    ///
    /// Only symmetry up to rounding is expected; the mean of A and Aᵀ is used.
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
        let mut a = Array2::from_shape_fn((n, n), |(i, j)| 0.5 * (matrix[[i, j]] + matrix[[j, i]]));
        // Rows of `v` are the eigenvectors while rotating: contiguous updates.
        let mut v = Array2::<f64>::eye(n);
        let scale: f64 = a.iter().map(|x| x * x).sum::<f64>().sqrt();
        for _sweep in 0..60 {
            let above_diagonal = (0..n).flat_map(|p| (p + 1..n).map(move |q| (p, q)));
            let squares = above_diagonal.clone().map(|at| a[at] * a[at]);
            if squares.sum::<f64>().sqrt() <= 1e-15 * scale || scale == 0.0 {
                break;
            }
            for (p, q) in above_diagonal {
                rotate(&mut a, &mut v, p, q);
            }
        }
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&i, &j| a[[i, i]].total_cmp(&a[[j, j]]));
        Self {
            values: order.iter().map(|&i| a[[i, i]]).collect(),
            vectors: Array2::from_shape_fn((n, n), |(i, j)| v[[order[j], i]]),
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
    /// The smallest eigenvalue is below 1e-12 of the largest.
    pub fn inverse_square_root(&self, what: &str) -> Result<Array2<f64>> {
        let largest = self.values.last().copied().unwrap_or(0.0);
        let smallest = self.values.first().copied().unwrap_or(0.0);
        require(
            smallest > 1e-12 * largest && largest > 0.0,
            &format!("the covariance of {what}"),
            format_args!("singular (smallest eigenvalue {smallest:e})"),
            "full rank; a dimension has collapsed, so leave it out",
        )?;
        Ok(self.map(|value| 1.0 / value.sqrt()))
    }
}

fn rotate(a: &mut Array2<f64>, v: &mut Array2<f64>, p: usize, q: usize) {
    let apq = a[[p, q]];
    if apq == 0.0 {
        return;
    }
    let n = a.nrows();
    let theta = (a[[q, q]] - a[[p, p]]) / (2.0 * apq);
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let c = 1.0 / (t * t + 1.0).sqrt();
    let s = t * c;
    let turned = |x: f64, y: f64| (c * x - s * y, s * x + c * y);
    for k in 0..n {
        (a[[p, k]], a[[q, k]]) = turned(a[[p, k]], a[[q, k]]);
        (v[[p, k]], v[[q, k]]) = turned(v[[p, k]], v[[q, k]]);
    }
    for k in 0..n {
        (a[[k, p]], a[[k, q]]) = turned(a[[k, p]], a[[k, q]]);
    }
    a[[p, q]] = 0.0;
    a[[q, p]] = 0.0;
}

#[cfg(test)]
mod tests {
    use super::*;
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
    }
}
