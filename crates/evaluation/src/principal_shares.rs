//! How the variance of some images is shared among principal directions.

use ndarray::{Array2, ArrayView2, Axis};

use crate::codes::{covariance_of_codes, mean_of_codes};
use crate::error::{Result, require_array};
use crate::symmetric::SymmetricEigen;

/// The share of the variance of rows [n, values] along each principal direction,
/// in descending order; as many as there are rows or values, and all 0 where the
/// rows are alike.
///
/// Of fewer rows than values, the eigenvalues of X Xᵀ take the place of those of
/// Xᵀ X, which are the same but for zeros: time grows with the cube of the lesser
/// of the two, so that a few hundred rows are enough.
///
/// # Errors
/// Fewer than two rows, or a value that is not finite.
pub fn principal_shares(rows: ArrayView2<'_, f32>) -> Result<Vec<f64>> {
    require_array("the array of rows", &rows, 2, None)?;
    let (n, width) = rows.dim();
    let matrix = if n < width {
        let mean = mean_of_codes(&rows);
        let mut centred: Array2<f64> = rows.mapv(f64::from);
        for mut row in centred.axis_iter_mut(Axis(0)) {
            row -= &mean;
        }
        centred.dot(&centred.t())
    } else {
        covariance_of_codes(&rows)
    };
    let eigen = SymmetricEigen::new(matrix.view());
    let values = eigen.values.iter().rev().map(|value| value.max(0.0));
    let values: Vec<f64> = values.collect();
    let total: f64 = values.iter().sum();
    let share = |value: &f64| if total > 0.0 { value / total } else { 0.0 };
    Ok(values.iter().map(share).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::standard_normals;

    #[test]
    fn both_ways_to_the_shares_agree() {
        let mut rows = standard_normals(3, 60, 40);
        for (column, mut values) in rows.columns_mut().into_iter().enumerate() {
            values *= 1.0 / (1.0 + column as f32);
        }
        let tall = principal_shares(rows.view()).unwrap();
        assert_eq!(tall.len(), 40);
        assert!((tall.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(tall.is_sorted_by(|a, b| a >= b));
        // 60 rows beside 20 values of 0 each: wide, and the same but for zeros.
        let mut wide = Array2::zeros((60, 70));
        wide.slice_mut(ndarray::s![.., ..40]).assign(&rows);
        let wide = principal_shares(wide.view()).unwrap();
        assert_eq!(wide.len(), 60);
        for (a, b) in tall.iter().zip(&wide) {
            assert!((a - b).abs() < 1e-9, "{a} {b}");
        }
    }

    #[test]
    fn a_line_has_one_direction_and_a_point_none() {
        let line = Array2::from_shape_fn((9, 3), |(i, j)| (i * (j + 1)) as f32);
        let shares = principal_shares(line.view()).unwrap();
        assert!((shares[0] - 1.0).abs() < 1e-12 && shares[1] < 1e-12);
        let point = Array2::from_elem((9, 3), 2.0_f32);
        assert_eq!(principal_shares(point.view()).unwrap(), [0.0; 3]);
    }
}
