//! The distribution of the codes in the plane, with and without sampling.

use datasets::Split;
use ndarray::Axis;
use serde_json::{Value, json};
use viz::charts::ClassScatter;
use viz::page::{Block, Cell, Column, Table, Text};
use viz::{Classes, Ellipse, Ellipses, Figure, Layer, Panel, Plot, number::decimal};

use super::{Shown, both};
use crate::measures::shape::{MOST_CODES, UNVARYING, shape};
use crate::{Drawing, TrainedRun};
use figures::absence::{Absences, Measurement, known};
use figures::choice::drawn;
use figures::figure_data::{points, rounded};
use figures::wording::{count, seeds_of, some_test_images, test_images};
use runs::Error;
use runs::run_data::images;

/// More points hide each other.
const MOST_DRAWN: usize = 5000;

/// The codes of both models of each architecture: with sampling above,
/// without below.
pub(super) fn figure(drawing: &mut Drawing<'_>, shown: &[Shown<'_>]) -> Result<Vec<Block>, Error> {
    let mut legend = Vec::new();
    let mut data = Vec::new();
    let mut rows: Vec<Vec<Panel>> = Vec::new();
    for is_sampled in [true, false] {
        let mut row = Vec::new();
        for pair in shown {
            let run = if is_sampled { pair.with } else { pair.without };
            let (mut plot, numbers) = panel(drawing, run)?;
            legend = std::mem::take(&mut plot.legend);
            row.push(plot.into());
            data.push(numbers);
        }
        rows.push(row);
    }
    let test = &drawing.dataset.test;
    let index = drawn(test, MOST_DRAWN);
    let labels = labels_of(test, &index);
    let runs = both(shown);
    let caption = format!(
        "Codes of {} after {} epochs, {}. Above, with sampling: a disc at μ \
         whose radius is that of the posterior, r² being the geometric mean of the two variances; \
         dashed, one and two standard deviations of the prior. Below, without sampling: the \
         codes; the size of their points means nothing. Each panel has its own range.",
        some_test_images(drawing.dataset, index.len()),
        runs[0].metrics.len(),
        seeds_of(&runs),
    );
    let figure = Figure {
        title: "Codes with and without sampling".into(),
        caption,
        legend,
        ..Figure::grid(rows)
    };
    drawing.chart(
        "codes",
        figure,
        &runs,
        json!({"split": "test", "index": index, "labels": labels, "models": data}),
    )
}

/// The labels of some test images.
fn labels_of(test: &Split, rows: &[usize]) -> Option<Vec<u32>> {
    let labels = test.labels()?;
    Some(rows.iter().map(|&row| labels[row]).collect())
}

fn panel(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<(Plot, Value), Error> {
    let test = &drawing.dataset.test;
    let codes = run.encode(images(test));
    let rows = drawn(test, MOST_DRAWN);
    let at: Vec<[f64; 2]> = points(codes.mean.select(Axis(0), &rows).view());
    let labels = labels_of(test, &rows);
    let classes = Classes::from(labels.as_deref());
    let title = run.title();
    let reach = 1.03
        * at.iter()
            .flatten()
            .fold(0.0f64, |reach, z| reach.max(z.abs()));
    let mut plot = ClassScatter {
        title: &title,
        points: &at,
        classes,
        class_names: &drawing.dataset.class_names,
        ranges: Some([[-reach, reach]; 2]),
        prior: run.is_variational(),
        ..ClassScatter::default()
    }
    .plot()?;
    plot.size = [400.0, 400.0];
    let mut data = json!({"model": run.key, "codes": at});
    if let Some(log_variance) = &codes.log_variance {
        let log_variance = log_variance.select(Axis(0), &rows);
        let radii: Vec<f64> = evaluation::trajectory::posterior_radii(log_variance.view())
            .into_iter()
            .map(rounded)
            .collect();
        let discs = at
            .iter()
            .zip(&radii)
            .enumerate()
            .map(|(index, (&centre, &radius))| Ellipse {
                centre,
                radii: [radius; 2],
                angle: 0.0,
                colour: classes.colour(index),
            })
            .collect();
        plot.layers[0] = Layer::Ellipses(Ellipses {
            ellipses: discs,
            fill: 0.3,
            edge: 0.0,
            width: 0.0,
            ..Ellipses::prior(&[])
        });
        data["radii"] = json!(radii);
    }
    Ok((plot, data))
}

/// `a random 2 000`, or `all`.
fn sampled(n: usize) -> String {
    if n > MOST_CODES {
        format!("a random {}", count(MOST_CODES))
    } else {
        "all".into()
    }
}

/// A number that is not measured where a dimension has collapsed or is not two,
/// which the caption says.
fn of_known(value: &Option<Measurement<f64>>) -> Result<f64, Error> {
    value
        .as_ref()
        .map_or(Ok(f64::NAN), |value| value.get().copied())
}

/// The shape of the codes of every model.
pub(super) fn table(drawing: &Drawing<'_>, shown: &[Shown<'_>]) -> Result<Vec<Block>, Error> {
    let mut rows = Vec::new();
    let mut absences = Absences::default();
    for run in both(shown) {
        let shape = match Measurement::of(shape(drawing, run))?.get() {
            Ok(shape) => shape.clone(),
            Err(error) => {
                let mut row = vec![Cell::text(run.title()), absences.cell(Err(error), 0)?];
                row.resize(7, Cell::Missing);
                rows.push(row);
                continue;
            }
        };
        let deviations: Vec<String> = shape
            .standard_deviation
            .iter()
            .map(|&value| decimal(value, 2))
            .collect();
        rows.push(vec![
            Cell::text(run.title()),
            Cell::text(deviations.join(", ")),
            absences.cell(known(shape.eigenvalue_ratio, UNVARYING), 3)?,
            absences.cell(known(shape.radius_distance, UNVARYING), 3)?,
            absences.cell(known(shape.bingham, UNVARYING), 3)?,
            absences.cell(of_known(&shape.gaps).map(|share| 100.0 * share), 1)?,
            absences.cell(of_known(&shape.discrepancy), 1)?,
        ]);
    }
    Ok(vec![Block::Table(Table {
        caption: Text::from(format!(
            "Shape of the codes of all {}, {}. Roundness: smallest over largest \
             eigenvalue of the covariance. Radius: Kolmogorov–Smirnov distance of \
             ‖z‖, scaled, to that of a normal distribution, 0 for a Gaussian cloud. Directions: \
             Bingham's statistic, 0 without preferred axes. Gaps: share of empty cells (50 × 50 \
             over the codes) above that of as many normal codes. Discrepancy: MMD² to N(0, I) \
             of {} of the codes, all whitened, in units of what chance exceeds in one case of \
             twenty. Neither of these where a dimension has collapsed.{}",
            test_images(drawing.dataset),
            seeds_of(&both(shown)),
            sampled(drawing.dataset.test.len()),
            absences.sentence(),
        )),
        columns: vec![
            Column::new("model", ""),
            Column::new("standard deviations", ""),
            Column::new("roundness", ""),
            Column::new("radius", ""),
            Column::new("directions", ""),
            Column::new("gaps", "%"),
            Column::new("discrepancy", ""),
        ],
        rows,
    })])
}

/// The runs with a collapsed dimension, in words; nothing when there is none.
pub(super) fn collapsed(drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
    let mut found = Vec::new();
    for run in drawing.runs {
        let measured = Measurement::of(shape(drawing, run))?;
        let Ok(shape) = measured.get() else {
            continue;
        };
        if shape.is_flat() {
            let deviations: Vec<String> = shape
                .standard_deviation
                .iter()
                .map(|&value| decimal(value, 2))
                .collect();
            found.push(format!(
                "{}, seed {} (standard deviations of the codes {})",
                run.title(),
                run.configuration.training.seed,
                deviations.join(", ")
            ));
        }
    }
    if found.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![Block::paragraph(format!(
        "Of {} runs, {} ended with a collapsed dimension, whose codes say nothing about the image \
         and whose direction the decoder ignores: {}. Where every dimension collapsed, \
         the run is in no mean that follows.",
        drawing.runs.len(),
        found.len(),
        found.join("; ")
    ))])
}
