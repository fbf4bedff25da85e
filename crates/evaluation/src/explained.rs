//! How much of some images a map, or what a model gives back, contains.

use models::Images;
use ndarray::{ArrayView2, Axis};

use crate::codes::mean_of_codes;
use crate::error::{Result, require_alike, require_rows};

/// 1 − Σ‖x − t(x)‖²/Σ‖x − x̄‖², where t(x) is the tile nearest to the image x:
/// how much of the images a map contains. Negative when even the mean image
/// would do better.
#[must_use]
pub fn explained_variance(images: ArrayView2<'_, f32>, tiles: ArrayView2<'_, f32>) -> f64 {
    let centre = mean_of_codes(&images).mapv(|value| value as f32);
    // Distances about the mean image keep the f32 products small.
    let tiles = &tiles - &centre;
    let tile_norms: Vec<f64> = tiles.outer_iter().map(|tile| norm(tile.iter())).collect();
    let mut residual = 0.0;
    let mut total = 0.0;
    for block in images.axis_chunks_iter(Axis(0), 500) {
        let block = &block - &centre;
        let products = block.dot(&tiles.t());
        for (image, products) in block.outer_iter().zip(products.outer_iter()) {
            let own = norm(image.iter());
            let nearest = products
                .iter()
                .zip(&tile_norms)
                .map(|(&product, tile)| own + tile - 2.0 * f64::from(product))
                .fold(f64::INFINITY, f64::min);
            residual += nearest.max(0.0);
            total += own;
        }
    }
    1.0 - residual / total
}

/// 1 − Σ‖x − x̂‖²/Σ‖x − x̄‖², where x̂ is the reconstruction of the image x [n, pixels]
/// in the same row and x̄ the mean of the images: 0 for the mean image in every
/// row, 1 for the images themselves, `None` where all images are alike.
///
/// # Errors
/// Arrays of different shapes, or no images.
pub fn explained_by_reconstructions<'a>(
    images: impl Into<Images<'a>>,
    reconstructions: ArrayView2<'_, f32>,
) -> Result<Option<f64>> {
    let images = images.into();
    let what = "the array of reconstructions";
    require_alike(what, reconstructions.dim(), images.dim())?;
    require_rows(what, images.nrows(), 1)?;
    let mut row = vec![0.0; images.ncols()];
    let mut sums = vec![0.0; images.ncols()];
    for index in 0..images.nrows() {
        images.read_row(index, &mut row);
        for (sum, &value) in sums.iter_mut().zip(&row) {
            *sum += f64::from(value);
        }
    }
    let n = images.nrows() as f64;
    let (mut residual, mut total) = (0.0, 0.0);
    for (index, reconstruction) in reconstructions.rows().into_iter().enumerate() {
        images.read_row(index, &mut row);
        for ((&value, &reconstruction), sum) in row.iter().zip(reconstruction).zip(&sums) {
            residual += f64::from(value - reconstruction).powi(2);
            total += (f64::from(value) - sum / n).powi(2);
        }
    }
    Ok((total > 0.0).then(|| 1.0 - residual / total))
}

fn norm<'a>(values: impl Iterator<Item = &'a f32>) -> f64 {
    values.map(|&value| f64::from(value).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn a_map_of_the_images_themselves_explains_them() {
        let images = array![[0.0f32, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]];
        let tiles = images.clone();
        assert!((explained_variance(images.view(), tiles.view()) - 1.0).abs() < 1e-6);
        let mean = Array2::from_elem((1, 3), 1.0f32 / 3.0);
        assert!(explained_variance(images.view(), mean.view()).abs() < 1e-6);
    }

    /// More images than a block has, far from the origin.
    #[test]
    fn every_image_counts_with_its_nearest_tile() {
        let value = |at: usize| ((at * 7919 + at * at * 31) % 1009) as f32 / 1009.0;
        let images = Array2::from_shape_fn((1003, 5), |(i, j)| 2.0 + value(5 * i + j));
        let tiles = Array2::from_shape_fn((7, 5), |(i, j)| 2.0 + value(3 * i + 11 * j + 1));
        let squared = |i: usize, other: &dyn Fn(usize) -> f64| -> f64 {
            (0..5)
                .map(|j| (f64::from(images[[i, j]]) - other(j)).powi(2))
                .sum()
        };
        let mean: Vec<f64> = (0..5)
            .map(|j| (0..1003).map(|i| f64::from(images[[i, j]])).sum::<f64>() / 1003.0)
            .collect();
        let (mut residual, mut total) = (0.0, 0.0);
        for i in 0..1003 {
            let to_tile = |tile: usize| squared(i, &|j| f64::from(tiles[[tile, j]]));
            residual += (0..7).map(to_tile).fold(f64::INFINITY, f64::min);
            total += squared(i, &|j| mean[j]);
        }
        let expected = 1.0 - residual / total;
        assert!(expected > 0.02 && expected < 0.9, "{expected}");
        let found = explained_variance(images.view(), tiles.view());
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }

    #[test]
    fn images_explain_themselves_and_their_mean_nothing() {
        let images = array![[0.0f32, 1.0], [1.0, 0.0], [0.5, 0.5]];
        let explained =
            |rows: &Array2<f32>| explained_by_reconstructions(&images, rows.view()).unwrap();
        assert_eq!(explained(&images), Some(1.0));
        assert_eq!(explained(&Array2::from_elem((3, 2), 0.5)), Some(0.0));
        // Half of the way to every image leaves a quarter.
        let half = images.mapv(|value| 0.5 * value + 0.25);
        assert!((explained(&half).unwrap() - 0.75).abs() < 1e-7);
        let alike = Array2::from_elem((3, 2), 0.5f32);
        assert_eq!(
            explained_by_reconstructions(&alike, images.view()).unwrap(),
            None
        );
        let fewer = Array2::<f32>::zeros((2, 2));
        assert!(explained_by_reconstructions(&images, fewer.view()).is_err());
    }
}
