//! How much of some images a map contains.

use ndarray::{ArrayView2, Axis};

use crate::codes::mean_of_codes;

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
}
