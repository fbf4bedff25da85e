//! How far −log p(x) hangs on the draw that made its images binary.

use models::{Images, Model};

use super::{image_bounds, require_finite_bounds};
use crate::error::{Result, require};

/// The deviation of the mean of −L_K over these very images between draws that make
/// them binary, from two such draws:
///
/// √(Σ_i (a_i − b_i)² / 2) / n,
///
/// since half the squared difference of two independent values has their variance as
/// its mean, and the draws of two images are independent. It is what two
/// measurements of one model on the same images differ by, each with a draw of its own;
/// the standard error over images, which says how far other images would lie, is
/// several times that. Both draws have the ε of `seed`; that of a finite K is in
/// the value, and small beside it.
///
/// # Errors
/// As [`likelihood_bounds`](super::likelihood_bounds), or draws of different numbers of
/// images.
pub fn deviation_between_draws(
    model: &Model,
    [first, second]: [Images<'_>; 2],
    samples: usize,
    seed: u64,
) -> Result<f64> {
    require(
        first.nrows() == second.nrows(),
        "the number of images of the second draw",
        second.nrows(),
        format!("that of the first, {}", first.nrows()),
    )?;
    let of_draw = |images| -> Result<Vec<f64>> {
        let bounds = image_bounds(model, images, samples, seed, &|| {})?;
        require_finite_bounds(&bounds)?;
        Ok(bounds.iter().map(|b| b.log_likelihood[&samples]).collect())
    };
    Ok(deviation_of_mean(&of_draw(first)?, &of_draw(second)?))
}

/// √(Σ (a − b)² / 2) / n.
fn deviation_of_mean(first: &[f64], second: &[f64]) -> f64 {
    let differences = first.iter().zip(second).map(|(a, b)| a - b);
    let squares: f64 = differences.map(|d| 0.5 * d * d).sum();
    squares.sqrt() / first.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::likelihood::likelihood_bounds;
    use models::{Initialisation, Likelihood, ModelKind, ModelSpec};
    use ndarray::{Array2, s};
    use tensor_ops::random::{Stream, fill_normal};

    /// The images whose pixels differ between the draws are the first two, so that of
    /// the others nothing is left.
    #[test]
    fn the_deviation_is_that_of_the_bounds_of_two_draws() {
        let spec = ModelSpec {
            kind: ModelKind::Vae,
            architecture: "12-7-2".parse().unwrap(),
            likelihood: Likelihood::Bernoulli,
            posterior_scale: Default::default(),
        };
        let model = Model::new(spec, Initialisation::Glorot, 3).unwrap();
        let first = Array2::from_shape_fn((5, 12), |(i, j)| 255 * u8::from((i + j * j) % 3 == 0));
        let mut second = first.clone();
        second
            .slice_mut(s![..2, ..3])
            .mapv_inplace(|pixel| 255 - pixel);
        let found = deviation_between_draws(&model, [(&first).into(), (&second).into()], 20, 4);
        // The first n images have the same bounds alone, and a mean of n of them.
        let sums = |images: &Array2<u8>| {
            [1, 2].map(|n| {
                let images = images.slice(s![..n, ..]);
                let bounds = likelihood_bounds(&model, images, 20, 4, &|| {}).unwrap();
                bounds.nll[&20].value * n as f64
            })
        };
        let ([a, ab], [c, cd]) = (sums(&first), sums(&second));
        let differences = [a - c, (ab - a) - (cd - c)];
        assert!(
            differences.iter().all(|d| d.abs() > 0.01),
            "{differences:?}"
        );
        let squares: f64 = differences.iter().map(|d| d * d).sum();
        let expected = (squares / 2.0).sqrt() / 5.0;
        assert!((found.unwrap() / expected - 1.0).abs() < 1e-9);
        let fewer = first.slice(s![..4, ..]);
        let refused = deviation_between_draws(&model, [fewer.into(), (&second).into()], 20, 4);
        let message = refused.unwrap_err().to_string();
        assert!(
            message.contains("second draw is 5, expected that of the first, 4"),
            "{message}"
        );
    }

    #[test]
    fn the_deviation_of_a_mean_is_found_from_two_draws() {
        let of_two = deviation_of_mean(&[1.0, 5.0], &[3.0, 5.0]);
        assert_eq!(of_two, 0.5 * 2_f64.sqrt());
        // Images far apart whose draws deviate by 2: the mean of 4000 does by 2/√4000.
        const IMAGES: usize = 4000;
        let draw = |stream| {
            let mut noise = vec![0.0_f64; IMAGES];
            fill_normal(&mut noise, Stream::new(7, stream), 0);
            let images = noise.iter().enumerate();
            let values = images.map(|(image, noise)| 10.0 * image as f64 + 2.0 * noise);
            values.collect::<Vec<_>>()
        };
        let found = deviation_of_mean(&draw(0), &draw(1));
        let expected = 2.0 / (IMAGES as f64).sqrt();
        // Five standard errors of a deviation from so many values.
        let tolerance = 5.0 / (2.0 * IMAGES as f64).sqrt();
        assert!(
            (found / expected - 1.0).abs() < tolerance,
            "{found} {expected}"
        );
    }
}
