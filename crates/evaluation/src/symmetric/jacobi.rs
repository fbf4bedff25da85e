//! Cyclic Jacobi rotations (Golub & Van Loan, *Matrix Computations*, §8.5).

use ndarray::Array2;

use super::Decomposition;

/// Rotates a symmetric matrix until nothing is left beside its diagonal.
pub(super) fn decompose(mut a: Array2<f64>) -> Decomposition {
    let n = a.nrows();
    // Rows of `vectors` are the eigenvectors while rotating: contiguous updates.
    let mut vectors = Array2::<f64>::eye(n);
    let scale: f64 = a.iter().map(|x| x * x).sum::<f64>().sqrt();
    for _sweep in 0..60 {
        let above_diagonal = (0..n).flat_map(|p| (p + 1..n).map(move |q| (p, q)));
        let squares = above_diagonal.clone().map(|at| a[at] * a[at]);
        if squares.sum::<f64>().sqrt() <= 1e-15 * scale {
            break;
        }
        for (p, q) in above_diagonal {
            rotate(&mut a, &mut vectors, p, q);
        }
    }
    Decomposition {
        values: a.diag().to_vec(),
        vectors,
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
