//! Numbers as figures draw them and their JSON keeps them.

use ndarray::ArrayView2;

/// A number with four decimals: finer than a pixel of any figure, and a
/// fraction of the length in text.
#[must_use]
pub fn rounded(value: f64) -> f64 {
    rounded_to(value, 4)
}

/// A number with so many decimals.
#[must_use]
pub fn rounded_to(value: f64, decimals: i32) -> f64 {
    let scale = 10f64.powi(decimals);
    // Adding zero turns −0 into 0.
    (value * scale).round() / scale + 0.0
}

/// Codes [n, N] as points, rounded.
///
/// # Panics
/// If the codes do not have N dimensions.
#[must_use]
pub fn points<const N: usize>(codes: ArrayView2<'_, f32>) -> Vec<[f64; N]> {
    assert_eq!(
        codes.ncols(),
        N,
        "points of {N} dimensions asked of codes {:?}",
        codes.dim()
    );
    codes
        .outer_iter()
        .map(|code| std::array::from_fn(|axis| rounded(f64::from(code[axis]))))
        .collect()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn points_are_rounded() {
        let codes = array![[0.123_46_f32, -1.0], [5.0, 6.0], [2.0, 1e-6]];
        let rounded: Vec<[f64; 2]> = points(codes.view());
        assert_eq!(rounded, [[0.1235, -1.0], [5.0, 6.0], [2.0, 0.0]]);
    }
}
