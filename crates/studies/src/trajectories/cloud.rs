//! Where the codes of all test images have settled after the last epoch.

use evaluation::codes::{code_extent, whiten};
use evaluation::frechet::FeatureMoments;
use evaluation::sphericity::sphericity;
use evaluation::trajectory::posterior_radii;
use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};
use serde_json::json;
use viz::charts::{ClassScatter, Histogram, HistogramSeries};
use viz::page::Block;
use viz::{Figure, Rgb};

use crate::{Drawing, TrainedRun};
use figures::choice::drawn;
use figures::figure_data::{points, rounded};
use figures::wording::some_test_images;
use runs::Error;
use runs::run_data::images;

/// More points hide each other; all codes are measured.
const MOST_DRAWN: usize = 5000;

/// The cloud of a run's codes, in numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Settled {
    /// Test images.
    pub(super) n: usize,
    /// Kolmogorov–Smirnov distance of the whitened codes' ‖z‖ to that of a
    /// normal distribution.
    pub(super) distance_to_normal: Option<f64>,
    /// The distance that a sample of this size from a normal distribution
    /// exceeds in 5 % of cases.
    pub(super) null_95: f64,
    /// ‖E z‖²/E‖z‖².
    pub(super) offset_share: Option<f64>,
    /// Mean radius of the test posteriors.
    pub(super) mean_radius: f64,
    /// Training images, without those held out, of which each has a circle.
    pub(super) circles: usize,
    /// Root mean square radius of the training posteriors.
    pub(super) root_mean_square_radius: f64,
    /// Total area of the training posteriors' circles over that of the
    /// ellipse of two standard deviations of their means.
    pub(super) cover: f64,
}

/// Measures a run, once.
///
/// # Errors
/// When the codes are not finite or lie on a line.
pub(super) fn measure(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<Settled, Error> {
    drawing.measure(run, "trajectories-cloud", "2: rows trained on", || {
        let test = run.encode(images(&drawing.dataset.test));
        let shape = sphericity(whiten(test.mean.view())?.view())?;
        let train = run.encode(images(&run.trained_on(drawing.dataset)?));
        let circles = train.mean.nrows();
        let square = |radii: &[f64]| {
            radii.iter().map(|radius| radius * radius).sum::<f64>() / radii.len() as f64
        };
        let radii = posterior_radii(variances(run, train.log_variance.as_ref())?.view());
        let covariance = FeatureMoments::new(train.mean.view())?.covariance;
        let determinant =
            covariance[[0, 0]] * covariance[[1, 1]] - covariance[[0, 1]] * covariance[[1, 0]];
        let test_radii = posterior_radii(variances(run, test.log_variance.as_ref())?.view());
        Ok(Settled {
            n: test.mean.nrows(),
            distance_to_normal: shape.radius_distance,
            null_95: shape.radius_null_95,
            offset_share: code_extent(test.mean.view())?.offset_share,
            mean_radius: test_radii.iter().sum::<f64>() / test_radii.len() as f64,
            circles,
            root_mean_square_radius: square(&radii).sqrt(),
            cover: cover(circles, square(&radii), determinant),
        })
    })
}

/// Areas: n circles π·r² over the ellipse 4π·√(det C) of two standard
/// deviations.
fn cover(circles: usize, mean_square_radius: f64, determinant: f64) -> f64 {
    circles as f64 * mean_square_radius / (4.0 * determinant.sqrt())
}

fn variances<'a>(
    run: &TrainedRun,
    log_variance: Option<&'a Array2<f32>>,
) -> Result<&'a Array2<f32>, Error> {
    log_variance.ok_or_else(|| {
        Error::Configuration(format!(
            "the study 'trajectories' was given the model {}, which has no variances; expected a VAE",
            run.title()
        ))
    })
}

/// The codes by class beside the distribution along both axes.
pub(super) fn figure(drawing: &mut Drawing<'_>, run: &TrainedRun) -> Result<Vec<Block>, Error> {
    let settled = measure(drawing, run)?;
    let test = &drawing.dataset.test;
    let codes = run.encode(images(test)).mean;
    let rows = drawn(test, MOST_DRAWN);
    let shown: Vec<[f64; 2]> = points(codes.select(Axis(0), &rows).view());
    let labels: Option<Vec<u32>> = test
        .labels()
        .map(|labels| rows.iter().map(|&row| labels[row]).collect());
    let reach = 1.03
        * shown
            .iter()
            .flatten()
            .fold(2.2f64, |reach, z| reach.max(z.abs()));
    let mut scatter = ClassScatter {
        title: if labels.is_some() {
            "Means by class"
        } else {
            "Means"
        },
        points: &shown,
        classes: labels.as_deref().into(),
        class_names: &drawing.dataset.class_names,
        prior: true,
        ranges: Some([[-reach, reach]; 2]),
        ..ClassScatter::default()
    }
    .plot()?;
    scatter.size = [400.0, 400.0];
    let legend = std::mem::take(&mut scatter.legend);
    let white = whiten(codes.view())?;
    let series: Vec<HistogramSeries> = white
        .axis_iter(Axis(1))
        .zip([("z₁", 0x3f90da), ("z₂", 0xe76300)])
        .map(|(column, (name, colour))| HistogramSeries {
            name: format!("{name}, whitened"),
            values: column.iter().map(|&value| f64::from(value)).collect(),
            colour: Some(Rgb::hex(colour)),
        })
        .collect();
    let mut histogram = Histogram {
        title: "Along the axes, moved and scaled to N(0, I)",
        x_label: "standard deviations",
        series: &series,
        range: Some([-4.0, 4.0]),
        standard_normal: true,
        ..Histogram::default()
    }
    .plot();
    histogram.size = [400.0, 400.0];
    let caption = format!(
        "{} after {} epochs, seed {}. Left: μ of {} with the prior's circles. Right: \
         both coordinates of all {n} test images, moved and scaled to mean 0 and covariance I, beside the \
         normal density. The Kolmogorov–Smirnov distance of ‖z‖, so scaled, to its law under a \
         normal distribution is {}; that of a uniform disc is 0.153, and one case in twenty of \
         {n} normal codes exceeds {}.",
        run.title(),
        run.metrics.len(),
        run.configuration.training.seed,
        some_test_images(drawing.dataset, shown.len()),
        settled.distance_to_normal.map_or_else(
            || "–".to_owned(),
            |distance| viz::number::decimal(distance, 3)
        ),
        viz::number::decimal(settled.null_95, 3),
        n = viz::number::decimal(settled.n as f64, 0),
    );
    let figure = Figure {
        title: "Where the codes have settled".into(),
        caption,
        legend,
        ..Figure::row(vec![scatter.into(), histogram.into()])
    };
    let counted: Vec<_> = series
        .iter()
        .map(|series| {
            let density = density(&series.values);
            json!({"name": series.name, "density_in_40_bins_from_-4_to_4": density})
        })
        .collect();
    let data = json!({
        "split": "test",
        "labels": labels,
        "index": rows,
        "codes": shown,
        "whitened": counted,
        "measured": settled,
    });
    drawing.chart("cloud", figure, &[run], data)
}

/// The bins that the histogram draws.
fn density(values: &[f64]) -> Vec<f64> {
    let (bins, low, width) = (40usize, -4.0, 0.2);
    let mut counts = vec![0.0; bins];
    for value in values {
        let bin = ((value - low) / width).floor();
        if (0.0..bins as f64).contains(&bin) {
            counts[bin as usize] += 1.0;
        }
    }
    counts
        .iter()
        .map(|count| rounded(count / (values.len() as f64 * width)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_that_fill_the_ellipse_cover_it_once() {
        // 100 circles of radius 0.1 have the area of one of radius 1, which is
        // the ellipse of two standard deviations of ½ each.
        assert!((cover(100, 0.01, 0.25f64.powi(2)) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_density_has_area_one_inside_its_range() {
        let area: f64 = density(&[-3.95, 0.05, 0.05, 9.0]).iter().sum::<f64>() * 0.2;
        assert!((area - 0.75).abs() < 1e-12);
    }
}
