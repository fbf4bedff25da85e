//! Posteriors of chosen images, the aggregate posterior, and how much
//! posteriors overlap by distance from the origin.

use serde_json::json;
use viz::charts::{Camera, LineChart, Series, Surface3d};
use viz::number::decimal;
use viz::page::Block;
use viz::{Dash, Field, Figure, LegendAt, Panel, class_colour};

use super::measures::{DENSITY_LATTICE, aggregate, fine_map};
use crate::measures::map::RANGE;
use crate::{Drawing, TrainedRun};
use figures::choice::one_of_each_class;
use figures::pictures::{Ellipses, at_the_origin, at_the_origin_in_words};
use figures::plane::Axes;
use figures::plane_map::{rounded, rounded_points};
use figures::posteriors::{Posteriors, lattice_field};
use figures::wording::{
    capitalised, count, listed, seed_and_epochs, seeds_and_epochs, spelled, test_images,
};
use runs::Error;

/// Ellipses and density surfaces.
pub(super) fn ellipses_and_surfaces(
    drawing: &mut Drawing<'_>,
    run: &TrainedRun,
) -> Result<Vec<Block>, Error> {
    let posteriors = Posteriors::of(drawing, run, Axes::Automatic)?;
    let found = aggregate(drawing, run)?;
    let aggregate = lattice_field(DENSITY_LATTICE, found.density)?;
    let mut blocks = ellipses(drawing, run, &posteriors, &aggregate)?;
    blocks.extend(surfaces(drawing, run, &posteriors, &aggregate)?);
    Ok(blocks)
}

fn ellipses(
    drawing: &mut Drawing<'_>,
    run: &TrainedRun,
    posteriors: &Posteriors,
    aggregate: &Field,
) -> Result<Vec<Block>, Error> {
    let test = &drawing.dataset.test;
    let names = &drawing.dataset.class_names;
    let chosen = one_of_each_class(test, names.len());
    let one_of_each = format!("{} over q(z)", chosen.title);
    let covering = posteriors.covering_origin().len();
    let at_origin = at_the_origin(posteriors, test.labels());
    let title = if at_origin.is_empty() {
        "No posterior reaches the origin".to_owned()
    } else {
        format!(
            "{} of the {} that reach the origin",
            capitalised(&spelled(at_origin.len())),
            count(covering),
        )
    };
    let mut panels = Vec::new();
    let mut legend = Vec::new();
    let mut data = Vec::new();
    for (title, images, half_width, named) in [
        (&one_of_each, &chosen.images, RANGE, true),
        (&title, &at_origin, posteriors.reach(&at_origin), false),
    ] {
        let ellipses = Ellipses {
            title,
            images,
            half_width,
            named,
        };
        let (mut plot, numbers) = ellipses.plot(drawing.dataset, posteriors, aggregate)?;
        legend = std::mem::take(&mut plot.legend);
        panels.push(Panel::from(plot));
        data.push(numbers);
    }
    let caption = format!(
        "{}: posteriors q(z|x) as ellipses of one and two standard deviations over the aggregate \
         posterior q(z) of the {} (grey, darker with the root of the density), with \
         the prior's circles. Left: {}. Right: {}; {}.",
        run.title(),
        test_images(drawing.dataset),
        chosen.words,
        at_the_origin_in_words(drawing.dataset),
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
            "reaching_the_origin": covering,
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

fn surfaces(
    drawing: &mut Drawing<'_>,
    run: &TrainedRun,
    posteriors: &Posteriors,
    aggregate: &Field,
) -> Result<Vec<Block>, Error> {
    let test = &drawing.dataset.test;
    let names = &drawing.dataset.class_names;
    let three = posteriors.densest_at_origin(0..test.len(), test.labels(), 3);
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
) -> Result<Vec<Block>, Error> {
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
        seeds_and_epochs(runs),
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
