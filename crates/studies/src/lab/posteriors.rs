//! Posteriors of chosen images, the aggregate posterior, and how much
//! posteriors overlap by distance from the origin.

use std::collections::BTreeSet;

use ndarray::ArrayView2;
use serde_json::json;
use viz::charts::{Camera, LineChart, Posteriors, Series, Surface3d};
use viz::number::decimal;
use viz::page::Block;
use viz::{Dash, Field, Figure, Layer, LegendAt, Panel, class_colour};

use super::RANGE;
use super::measures::{Aggregate, DENSITY_CELLS, aggregate, fine_map};
use crate::{Drawing, TrainedRun};
use figures::choice::one_of_each_class;
use figures::plane_map::{points, rounded, rounded_points};
use figures::wording::{capitalised, count, listed, seed_and_epochs, spelled, test_images};
use runs::Error;
use runs::run_data::images;

/// Half-width of the window about the origin.
const NEAR: f64 = 1.0;
/// How many of the posteriors that reach the origin are drawn.
const DRAWN: usize = 40;
/// χ² quantile of two degrees of freedom at 95 %.
const CHI_SQUARE_95: f64 = 5.991_464_547_107_98;

/// Posteriors of a model's test images.
struct TestPosteriors {
    means: Vec<[f64; 2]>,
    deviations: Vec<[f64; 2]>,
}

impl TestPosteriors {
    fn of(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<Self, Error> {
        let codes = run.encode(images(&drawing.dataset.test));
        let Some(log_variance) = codes.log_variance else {
            return Err(Error::Configuration(format!(
                "{} has no posteriors, but the study 'lab' draws those of a VAE",
                run.title()
            )));
        };
        let deviations = log_variance.mapv(|value| (0.5 * value).exp());
        Ok(Self {
            means: points(codes.mean.view()),
            deviations: points(ArrayView2::from(&deviations)),
        })
    }

    /// ln q(z|x) of image `index`.
    fn ln_density(&self, index: usize, z: [f64; 2]) -> f64 {
        let (mean, deviation) = (self.means[index], self.deviations[index]);
        -(0..2)
            .map(|axis| {
                let standardised = (z[axis] - mean[axis]) / deviation[axis];
                0.5 * standardised * standardised + deviation[axis].ln()
            })
            .sum::<f64>()
            - std::f64::consts::TAU.ln()
    }

    /// Images whose 95 % ellipse holds the origin.
    fn covering_origin(&self) -> Vec<usize> {
        (0..self.means.len())
            .filter(|&index| {
                let squares = (0..2)
                    .map(|axis| (self.means[index][axis] / self.deviations[index][axis]).powi(2));
                squares.sum::<f64>() <= CHI_SQUARE_95
            })
            .collect()
    }

    /// The image of each of `count` different classes (without labels, any
    /// images) whose posterior is densest at the origin, densest first.
    fn densest_at_origin(&self, labels: Option<&[u32]>, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.means.len()).collect();
        order.sort_by(|&a, &b| {
            self.ln_density(b, [0.0; 2])
                .total_cmp(&self.ln_density(a, [0.0; 2]))
                .then(a.cmp(&b))
        });
        let mut seen = BTreeSet::new();
        order
            .into_iter()
            .filter(|&index| labels.is_none_or(|labels| seen.insert(labels[index])))
            .take(count)
            .collect()
    }

    /// Half the side of a square about the origin that shows three standard
    /// deviations of some posteriors, in tenths.
    fn reach(&self, images: &[usize]) -> f64 {
        let reaches = images.iter().flat_map(|&image| {
            let (mean, deviation) = (self.means[image], self.deviations[image]);
            [0, 1].map(|axis| mean[axis].abs() + 3.0 * deviation[axis])
        });
        (10.0 * reaches.fold(0.1, f64::max)).ceil() / 10.0
    }

    /// The mean density of some posteriors over a square about the origin.
    fn mixture(&self, images: &[usize], half_width: f64, steps: usize) -> Field {
        let range = [-half_width, half_width];
        Field::sample(steps, steps, range, range, |z| {
            images
                .iter()
                .map(|&image| self.ln_density(image, z).exp())
                .sum::<f64>()
                / images.len() as f64
        })
    }
}

/// Ellipses and density surfaces.
pub(super) fn ellipses_and_surfaces(
    drawing: &mut Drawing<'_>,
    run: &TrainedRun,
) -> Result<Vec<Block>, Error> {
    let posteriors = TestPosteriors::of(drawing, run)?;
    let found = aggregate(drawing, run)?;
    let aggregate = aggregate_field(&found)?;
    Ok(vec![
        ellipses(drawing, run, &posteriors, &aggregate)?,
        surfaces(drawing, run, &posteriors, &aggregate)?,
    ])
}

fn aggregate_field(found: &Aggregate) -> Result<Field, Error> {
    // Cell centres lie half a cell inside of the lattice's edge.
    let edge = RANGE * (1.0 - 1.0 / DENSITY_CELLS as f64);
    let range = [-edge, edge];
    Ok(Field::new(
        DENSITY_CELLS,
        DENSITY_CELLS,
        range,
        range,
        found.density.clone(),
    )?)
}

fn ellipses(
    drawing: &mut Drawing<'_>,
    run: &TrainedRun,
    posteriors: &TestPosteriors,
    aggregate: &Field,
) -> Result<Block, Error> {
    let test = &drawing.dataset.test;
    let names = &drawing.dataset.class_names;
    let chosen = one_of_each_class(test, names.len());
    let one_of_each = format!("{} over q(z)", chosen.title);
    let covering = posteriors.covering_origin();
    let drawn: Vec<usize> = evenly_spaced(&covering, DRAWN);
    let title = format!(
        "The {} posteriors that reach the origin{}",
        count(covering.len()),
        if drawn.len() < covering.len() {
            format!(" ({} drawn)", drawn.len())
        } else {
            String::new()
        },
    );
    // A root keeps the thin parts of q(z) visible beside its peaks.
    let grey = Field {
        values: aggregate
            .values
            .iter()
            .map(|density| density.sqrt())
            .collect(),
        ..aggregate.clone()
    };
    let mut panels = Vec::new();
    let mut legend = Vec::new();
    let mut data = Vec::new();
    for (title, images, half_width, named) in [
        (one_of_each.as_str(), &chosen.images, RANGE, true),
        (title.as_str(), &drawn, NEAR, false),
    ] {
        let pick = |from: &[[f64; 2]]| images.iter().map(|&i| from[i]).collect::<Vec<_>>();
        let (means, deviations) = (pick(&posteriors.means), pick(&posteriors.deviations));
        let classes: Option<Vec<u32>> = test
            .labels()
            .map(|labels| images.iter().map(|&image| labels[image]).collect());
        let words: Vec<String> = match &classes {
            Some(classes) if named => classes
                .iter()
                .map(|&class| names[class as usize].clone())
                .collect(),
            _ => Vec::new(),
        };
        let mut plot = Posteriors {
            title,
            means: &means,
            deviations: &deviations,
            classes: classes.as_deref().into(),
            class_names: names,
            words: &words,
            aggregate: Some(&grey),
            prior: true,
            ranges: Some([[-half_width, half_width]; 2]),
        }
        .plot()?;
        // Names beside the ellipses, not over them.
        if let Some(Layer::Labels(labels)) = plot.layers.last_mut() {
            labels.offset = [0.0, 17.0];
        }
        if classes.is_none() {
            see_through(&mut plot.layers);
        }
        legend = std::mem::take(&mut plot.legend);
        panels.push(Panel::from(plot));
        data.push(json!({
            "test_images": images,
            "classes": classes,
            "means": rounded_points(&means),
            "standard_deviations": rounded_points(&deviations),
        }));
    }
    let caption = format!(
        "{}: posteriors q(z|x) as ellipses of one and two standard deviations over the aggregate \
         posterior q(z) of the {} (grey, darker with the root of the density), with \
         the prior's circles. Left: {}. Right: images whose 95 % ellipse holds the origin; {}.",
        run.title(),
        test_images(drawing.dataset),
        chosen.words,
        seed_and_epochs(run),
    );
    let figure = Figure {
        title: "Posteriors of single images".into(),
        caption,
        legend,
        ..Figure::row(panels)
    };
    drawing.chart(
        "posteriors",
        figure,
        &[run],
        json!({
            "reaching_the_origin": covering.len(),
            "panels": data,
            "aggregate_density": {
                "columns": aggregate.columns,
                "rows": aggregate.rows,
                "range": rounded(&aggregate.x, 4),
                "values": rounded(&aggregate.values, 4),
            },
        }),
    )
}

/// Ellipses of one colour as outlines: filled, they would hide each other.
fn see_through(layers: &mut [Layer]) {
    for layer in layers {
        if let Layer::Ellipses(ellipses) = layer {
            ellipses.fill *= 0.1;
        }
    }
}

/// At most `most` of the items, evenly spaced.
fn evenly_spaced(items: &[usize], most: usize) -> Vec<usize> {
    let count = items.len().min(most);
    (0..count)
        .map(|index| items[index * items.len() / count])
        .collect()
}

fn surfaces(
    drawing: &mut Drawing<'_>,
    run: &TrainedRun,
    posteriors: &TestPosteriors,
    aggregate: &Field,
) -> Result<Block, Error> {
    let test = &drawing.dataset.test;
    let names = &drawing.dataset.class_names;
    let three = posteriors.densest_at_origin(test.labels(), 3);
    let chosen = one_of_each_class(test, names.len());
    let near = posteriors.mixture(&three, posteriors.reach(&three), 81);
    let spread = posteriors.mixture(&chosen.images, RANGE, 161);
    let nearest = densest_in_words(&three, test.labels(), names);
    let number = capitalised(&spelled(three.len()));
    let unit = if three.len() == 1 {
        "posterior"
    } else {
        "posteriors"
    };
    let camera = Camera {
        azimuth: 30.0,
        elevation: 36.0,
    };
    let surface = |title: &str, field: &Field| {
        let surface = Surface3d {
            title,
            camera,
            ..Surface3d::new(field)
        };
        let mut plot = surface.plot();
        plot.size = [370.0; 2];
        Panel::from(plot)
    };
    let panels = vec![
        surface(&format!("{number} {unit} at the origin"), &near),
        surface(&chosen.title, &spread),
        surface("Aggregate posterior q(z)", aggregate),
    ];
    let caption = format!(
        "{}: densities as surfaces, of a mixture with equal weights in each panel. Left: the \
         {unit} of {nearest} densest at the origin. \
         Middle: {}. Right: all {}. Heights differ \
         from panel to panel; {}.",
        run.title(),
        chosen.words,
        test_images(drawing.dataset),
        seed_and_epochs(run),
    );
    let figure = Figure {
        title: "Posteriors as density surfaces".into(),
        caption,
        ..Figure::row(panels)
    };
    let describe = |images: &[usize]| {
        let pick = |from: &[[f64; 2]]| {
            rounded_points(&images.iter().map(|&i| from[i]).collect::<Vec<_>>())
        };
        json!({
            "test_images": images,
            "means": pick(&posteriors.means),
            "standard_deviations": pick(&posteriors.deviations),
        })
    };
    drawing.chart(
        "posterior-surfaces",
        figure,
        &[run],
        json!({
            "three_at_the_origin": describe(&three),
            "one_of_each_class": describe(&chosen.images),
            "aggregate": "aggregate_density of posteriors.json",
        }),
    )
}

/// `three test images of different classes (3, 5 and 8), those`.
fn densest_in_words(images: &[usize], labels: Option<&[u32]>, names: &[String]) -> String {
    let number = spelled(images.len());
    let noun = if images.len() == 1 { "image" } else { "images" };
    let those = if images.len() == 1 {
        "the one"
    } else {
        "those"
    };
    let Some(labels) = labels else {
        return format!("{number} test {noun}, {those}");
    };
    let classes: Vec<String> = images
        .iter()
        .map(|&image| names[labels[image] as usize].clone())
        .collect();
    let different = if images.len() == 1 {
        ""
    } else {
        " of different classes"
    };
    format!(
        "{number} test {noun}{different} ({}), {those}",
        listed(&classes)
    )
}

/// Overlap, density and variety by distance from the origin.
pub(super) fn by_radius(
    drawing: &mut Drawing<'_>,
    vae: &TrainedRun,
    runs: &[&TrainedRun],
) -> Result<Block, Error> {
    let found = aggregate(drawing, vae)?;
    let series = |name: &str, index: usize, dash, points| Series {
        name: name.into(),
        points,
        colour: Some(class_colour(index)),
        dash,
        ..Series::default()
    };
    let by = |value: fn(&evaluation::overlap::Overlap) -> f64| {
        found
            .overlap
            .iter()
            .map(|at| [at.radius, value(at)])
            .collect::<Vec<_>>()
    };
    let covering = [series("", 0, Dash::Solid, by(|at| at.covering))];
    let prior = |radius: f64| (-0.5 * radius * radius).exp() / std::f64::consts::TAU;
    let densities = [
        series(
            "q(z)",
            0,
            Dash::Solid,
            by(|at| at.density.unwrap_or(f64::NAN)),
        ),
        series(
            "prior",
            8,
            Dash::Dashed,
            found
                .overlap
                .iter()
                .map(|at| [at.radius, prior(at.radius)])
                .collect(),
        ),
    ];
    let mut changes = Vec::new();
    let mut data = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        let rings = fine_map(drawing, run)?.rings;
        let middles = |value: fn(&super::measures::Ring) -> f64| {
            rings
                .iter()
                .map(|ring| [0.5 * (ring.radii[0] + ring.radii[1]), value(ring)])
                .collect::<Vec<_>>()
        };
        changes.push(series(
            &run.title(),
            index,
            Dash::Solid,
            middles(|ring| ring.change),
        ));
        data.push(json!({"model": run.key, "rings": rings}));
    }
    let chart = |title: &str, y_label: &str, series: &[Series]| {
        let chart = LineChart {
            title,
            x_label: "distance from the origin",
            y_label,
            series,
            ..LineChart::default()
        };
        let mut plot = chart.plot();
        plot.y.low = 0.0;
        (plot.x.low, plot.x.high) = (0.0, RANGE);
        if plot.legend.len() > 2 {
            // Room for the legend above the curves.
            plot.y.high *= 1.3;
        }
        plot.size = [330.0, 260.0];
        plot.legend_at = LegendAt::TopRight;
        Panel::from(plot)
    };
    let caption = format!(
        "By distance from the origin. Left: how many of the {}' 95 % ellipses hold a \
         point there ({}). Middle: density of the aggregate posterior and of the prior. Right: how \
         much the decoded image changes for one unit of code, by rings {} wide. Means over all \
         directions; {}.",
        test_images(drawing.dataset),
        vae.title(),
        decimal(super::measures::RING, 1),
        seed_and_epochs(vae),
    );
    let figure = Figure {
        title: "Overlap and variety by distance".into(),
        caption,
        ..Figure::row(vec![
            chart("Overlap of posteriors", "posteriors covering z", &covering),
            chart("Density", "density", &densities),
            chart(
                "Change of the image",
                "distance for one unit of code",
                &changes,
            ),
        ])
    };
    drawing.chart(
        "by-radius",
        figure,
        runs,
        json!({"overlap": found.overlap, "models": data}),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> TestPosteriors {
        TestPosteriors {
            means: vec![[0.0, 0.0], [0.2, 0.0], [3.0, 0.0], [0.1, 0.0]],
            deviations: vec![[1.0, 1.0], [0.1, 0.1], [0.5, 0.5], [0.1, 0.1]],
        }
    }

    #[test]
    fn the_origin_is_in_the_ellipses_of_near_or_wide_posteriors() {
        assert_eq!(three().covering_origin(), [0, 1, 3]);
    }

    #[test]
    fn the_densest_are_of_different_classes() {
        // Image 3 is denser at the origin than 1, of the same class.
        assert_eq!(three().densest_at_origin(Some(&[0, 1, 2, 1]), 2), [3, 0]);
        assert_eq!(three().densest_at_origin(None, 2), [3, 1]);
        assert!((three().reach(&[1, 3]) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_mixture_of_a_standard_normal_has_its_peak() {
        let field = three().mixture(&[0], 1.0, 3);
        assert!((field.value(1, 1) - 1.0 / std::f64::consts::TAU).abs() < 1e-12);
    }

    #[test]
    fn images_are_spaced_evenly() {
        assert_eq!(evenly_spaced(&[5, 6, 7, 8], 2), [5, 7]);
        assert_eq!(evenly_spaced(&[5, 6], 3), [5, 6]);
        assert!(evenly_spaced(&[], 3).is_empty());
    }
}
