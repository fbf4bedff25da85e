//! Householder's reduction to tridiagonal form, and QL with implicit shifts.
//!
//! Martin, Reinsch & Wilkinson 1968, *Numerische Mathematik* 11:181, and Dubrulle,
//! Martin & Wilkinson 1968, ibid. 12:377 (`tred2` and `imtql2` of EISPACK). Both
//! work from the last row up: small variables come first, so that what is small
//! at the top is never added to what is large at the bottom (ibid. 11:181, §4).

use ndarray::Array2;
use rayon::prelude::*;
use tensor_ops::reduce;

use super::Decomposition;

/// Rows from which threads share a step of the reduction: below, a step takes
/// less than to wake them.
const PARALLEL_ROWS: usize = 256;

/// Rows that a thread takes at a time.
const ROWS_TOGETHER: usize = 32;

/// Columns of the eigenvectors that go through all reflections and rotations
/// while they are in a cache.
const COLUMNS_TOGETHER: usize = 64;

/// Steps of QL for an eigenvalue, twice the guard of EISPACK: with Wilkinson's
/// shift two or three are usual, and only values that are not finite never
/// converge. They stay in the result.
const MOST_STEPS: usize = 60;

/// Eigenvalues and eigenvectors of a symmetric matrix.
pub(super) fn decompose(matrix: Array2<f64>) -> Decomposition {
    let n = matrix.nrows();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| matrix[[i, i]].abs().total_cmp(&matrix[[j, j]].abs()));
    let mut reduced = Reduced::new(&matrix, &order);
    let rotations = reduced.diagonalise();
    let mut vectors = Array2::zeros((n, n));
    let firsts: Vec<usize> = (0..n).step_by(COLUMNS_TOGETHER).collect();
    let columns = firsts.into_par_iter().map(|first| {
        let width = COLUMNS_TOGETHER.min(n - first);
        (first, reduced.eigenvectors(&rotations, first, width))
    });
    let columns: Vec<(usize, Vec<f64>)> = columns.collect();
    for (first, values) in columns {
        let width = values.len() / n.max(1);
        for (row, values) in values.chunks_exact(width).enumerate() {
            for (column, &value) in values.iter().enumerate() {
                vectors[[row, order[first + column]]] = value;
            }
        }
    }
    Decomposition {
        values: reduced.diagonal,
        vectors,
    }
}

/// PᵀAP = T with T tridiagonal and P a product of reflections I − u uᵀ / h.
struct Reduced {
    n: usize,
    /// The u of row i in its first i places.
    reflections: Vec<f64>,
    /// The h of row i; 0 where nothing was reflected.
    halves: Vec<f64>,
    diagonal: Vec<f64>,
    /// Element i stands beside elements i and i + 1 of the diagonal; the last one
    /// is 0.
    beside: Vec<f64>,
}

/// Rows i and i + 1 become c·rᵢ − s·rᵢ₊₁ and s·rᵢ + c·rᵢ₊₁.
#[derive(Clone, Copy)]
struct Rotation {
    row: usize,
    cosine: f64,
    sine: f64,
}

impl Reduced {
    fn new(matrix: &Array2<f64>, order: &[usize]) -> Self {
        let n = order.len();
        let mut a: Vec<f64> = Vec::with_capacity(n * n);
        for &i in order {
            a.extend(order.iter().map(|&j| matrix[[i, j]]));
        }
        let (mut halves, mut beside) = (vec![0.0; n], vec![0.0; n]);
        let mut image = vec![0.0; n];
        for i in (1..n).rev() {
            let (leading, rest) = a.split_at_mut(i * n);
            let u = &mut rest[..i];
            let scale: f64 = u.iter().map(|x| x.abs()).sum();
            // Nothing but the neighbour: the row is as it should be.
            if u[..i - 1].iter().all(|&x| x == 0.0) {
                beside[i - 1] = u[i - 1];
                continue;
            }
            u.iter_mut().for_each(|x| *x /= scale);
            let squares = reduce::dot(u, u);
            let neighbour = u[i - 1];
            let reflected = -squares.sqrt().copysign(neighbour);
            beside[i - 1] = scale * reflected;
            let half = squares - neighbour * reflected;
            u[i - 1] = neighbour - reflected;
            halves[i] = half;
            reflect(leading, n, u, half, &mut image[..i]);
        }
        Self {
            n,
            diagonal: (0..n).map(|i| a[i * n + i]).collect(),
            reflections: a,
            halves,
            beside,
        }
    }

    /// Makes the diagonal the eigenvalues; gives the rotations that did it.
    fn diagonalise(&mut self) -> Vec<Rotation> {
        let (d, e) = (&mut self.diagonal, &mut self.beside);
        let mut rotations = Vec::new();
        for first in 0..self.n {
            for step in 0.. {
                let is_small = |&at: &usize| {
                    let scale = d[at].abs().sqrt() * d[at + 1].abs().sqrt();
                    e[at].abs() <= (f64::EPSILON * scale).max(f64::MIN_POSITIVE)
                };
                let last = (first..self.n - 1).find(is_small).unwrap_or(self.n - 1);
                if last == first || step == MOST_STEPS {
                    break;
                }
                // Wilkinson's shift, of the two by two matrix at the top.
                let slope = (d[first + 1] - d[first]) / (2.0 * e[first]);
                let root = slope.hypot(1.0);
                let mut g = d[last] - d[first] + e[first] / (slope + root.copysign(slope));
                let (mut sine, mut cosine, mut shift) = (1.0, 1.0, 0.0);
                let mut is_split = false;
                for row in (first..last).rev() {
                    let (f, b) = (sine * e[row], cosine * e[row]);
                    let length = f.hypot(g);
                    e[row + 1] = length;
                    if length == 0.0 {
                        // Underflow has cut the matrix in two.
                        d[row + 1] -= shift;
                        e[last] = 0.0;
                        is_split = true;
                        break;
                    }
                    (sine, cosine) = (f / length, g / length);
                    g = d[row + 1] - shift;
                    let r = (d[row] - g) * sine + 2.0 * cosine * b;
                    shift = sine * r;
                    d[row + 1] = g + shift;
                    g = cosine * r - b;
                    rotations.push(Rotation { row, cosine, sine });
                }
                if !is_split {
                    d[first] -= shift;
                    e[first] = g;
                    e[last] = 0.0;
                }
            }
        }
        rotations
    }

    /// Some columns of the matrix whose rows are the eigenvectors: those of the
    /// identity, reflected and rotated.
    fn eigenvectors(&self, rotations: &[Rotation], first: usize, width: usize) -> Vec<f64> {
        let n = self.n;
        let mut columns = vec![0.0; n * width];
        for column in 0..width {
            columns[(first + column) * width + column] = 1.0;
        }
        let mut products = vec![0.0; width];
        for i in (1..n).rev().filter(|&i| self.halves[i] != 0.0) {
            let u = &self.reflections[i * n..][..i];
            products.fill(0.0);
            for (row, &x) in columns.chunks_exact(width).zip(u) {
                for (product, value) in products.iter_mut().zip(row) {
                    *product += x * value;
                }
            }
            products
                .iter_mut()
                .for_each(|value| *value /= self.halves[i]);
            for (row, &x) in columns.chunks_exact_mut(width).zip(u) {
                for (value, product) in row.iter_mut().zip(&products) {
                    *value -= x * product;
                }
            }
        }
        for &Rotation { row, cosine, sine } in rotations {
            let (upper, lower) = columns[row * width..].split_at_mut(width);
            for (upper, lower) in upper.iter_mut().zip(lower) {
                let (x, y) = (*upper, *lower);
                *upper = cosine * x - sine * y;
                *lower = sine * x + cosine * y;
            }
        }
        columns
    }
}

/// A ← (I − u uᵀ/h) A (I − u uᵀ/h) of the leading rows and columns of `a`, `n`
/// wide, as many as u has. Both triangles are kept, so that rows are read as they
/// lie. `image` has room for a vector as long as u.
fn reflect(a: &mut [f64], n: usize, u: &[f64], half: f64, image: &mut [f64]) {
    let i = u.len();
    let product = |row: &[f64]| reduce::dot(&row[..i], u) / half;
    if i < PARALLEL_ROWS {
        for (value, row) in image.iter_mut().zip(a.chunks_exact(n)) {
            *value = product(row);
        }
    } else {
        let rows = a.par_chunks_exact(n).with_min_len(ROWS_TOGETHER);
        image
            .par_iter_mut()
            .zip(rows)
            .for_each(|(value, row)| *value = product(row));
    }
    let share = reduce::dot(u, image) / (2.0 * half);
    for (value, x) in image.iter_mut().zip(u) {
        *value -= share * x;
    }
    let image = &*image;
    let update = |(row, (&x, &y)): (&mut [f64], (&f64, &f64))| {
        for ((value, other), own) in row[..i].iter_mut().zip(image).zip(u) {
            *value -= x * other + y * own;
        }
    };
    if i < PARALLEL_ROWS {
        a.chunks_exact_mut(n)
            .zip(u.iter().zip(image))
            .for_each(update);
    } else {
        let rows = a.par_chunks_exact_mut(n).with_min_len(ROWS_TOGETHER);
        rows.zip(u.par_iter().zip(image)).for_each(update);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tridiagonal(diagonal: &[f64], beside: &[f64]) -> Reduced {
        let n = diagonal.len();
        Reduced {
            n,
            reflections: vec![0.0; n * n],
            halves: vec![0.0; n],
            diagonal: diagonal.to_vec(),
            beside: [beside, &[0.0]].concat(),
        }
    }

    /// A path of 64, whose eigenvalues are 2 − 2·cos(kπ/65). QL with Wilkinson's
    /// shift, written in Python, takes 1.15·64² rotations for it; with no shift but
    /// the first element of the diagonal it takes 1.7·64², and of other shifts none
    /// less than 1.37·64².
    #[test]
    fn shifts_are_those_of_wilkinson() {
        let n = 64;
        let mut path = tridiagonal(&vec![2.0; n], &vec![-1.0; n - 1]);
        let rotations = path.diagonalise().len() as f64 / (n * n) as f64;
        assert!(rotations < 1.25, "{rotations}");
        path.diagonal.sort_by(f64::total_cmp);
        for (k, found) in (1..).zip(&path.diagonal) {
            let angle = f64::from(k) * std::f64::consts::PI / (n + 1) as f64;
            assert!((found - (2.0 - 2.0 * angle.cos())).abs() < 1e-14);
        }
    }

    #[test]
    fn an_element_is_small_beside_both_of_its_neighbours() {
        // ε·√(1e-20·1) = 2.2e-26.
        let mut apart = tridiagonal(&[1e-20, 1.0], &[1e-26]);
        assert!(apart.diagonalise().is_empty());
        assert_eq!(apart.diagonal, [1e-20, 1.0]);
        let mut together = tridiagonal(&[1e-20, 1.0], &[1e-25]);
        assert_eq!(together.diagonalise().len(), 1);
    }

    /// The last rotation has a sine of 1e-108, and the element that it would make of
    /// the first one beside the diagonal, 1e-324, is no number. What is left is
    /// [[3, 1], [1, 4]] times 1e-216, as the last variable takes 1e-216 from the one
    /// before it.
    #[test]
    fn a_matrix_that_underflow_cuts_in_two_keeps_its_small_eigenvalues() {
        let mut cut = tridiagonal(&[3e-216, 5e-216, 1.0], &[1e-216, 1e-108]);
        cut.diagonalise();
        cut.diagonal.sort_by(f64::total_cmp);
        let root = 1.25_f64.sqrt();
        let expected = [(3.5 - root) * 1e-216, (3.5 + root) * 1e-216, 1.0];
        for (found, expected) in cut.diagonal.iter().zip(expected) {
            assert!((found / expected - 1.0).abs() < 1e-12, "{found:e}");
        }
    }
}
