//! The pictures of the page.

use std::path::{Path, PathBuf};

use runs::Error;
use viz::charts::{LineChart, Series};
use viz::{
    Dash, Figure, FigureOutput, Format, LegendAt, Panel, Picture, Scale, Sidecar, class_colour,
    write_atomically,
};

use super::{Axis, Measure, Outcome, Point, Row, Scaling};

/// Where the pictures are, below the page.
pub(super) const FOLDER: &str = "scaling";

pub(super) const TRAININGS: &str = "training.png";
pub(super) const MEMORY: &str = "training-memory.png";
pub(super) const EVALUATIONS: &str = "evaluation.png";

/// Panels beside each other.
const COLUMNS: usize = 3;

/// Width and height of a panel's axes, canvas units.
const SIZE: [f64; 2] = [300.0, 220.0];

/// Draws all pictures into a folder; returns their files.
pub(super) fn write(scaling: &Scaling, folder: &Path) -> Result<Vec<PathBuf>, Error> {
    durable_files::create_folder(folder).map_err(|source| Error::Write {
        path: folder.to_owned(),
        source,
    })?;
    let pictures = [
        (TRAININGS, trainings(scaling)),
        (MEMORY, memory(scaling)),
        (EVALUATIONS, evaluations(scaling)),
    ];
    let mut files = Vec::new();
    for (name, figure) in pictures {
        let (path, output) = (folder.join(name), FigureOutput::default());
        let sidecar = Sidecar::default();
        let bytes = Picture::Figure(&figure).encode(Format::Png, &sidecar, &output)?;
        write_atomically(&path, &bytes)?;
        files.push(path);
    }
    Ok(files)
}

fn where_measured(scaling: &Scaling) -> String {
    let (machine, environment) = (&scaling.machine, &scaling.environment);
    let cores = machine.cores;
    format!(
        "Measured on {cores} core{} of {}, {}.",
        if cores == 1 { "" } else { "s" },
        machine.processor,
        environment.instruction_set
    )
}

fn rows_of_panels(panels: Vec<Panel>) -> Vec<Vec<Panel>> {
    let mut panels = panels.into_iter().peekable();
    let mut rows = Vec::new();
    while panels.peek().is_some() {
        rows.push(panels.by_ref().take(COLUMNS).collect());
    }
    rows
}

fn seconds(row: &Row) -> Option<f64> {
    match &row.outcome {
        Outcome::Measured(cost) => Some(cost.seconds),
        _ => None,
    }
}

/// A panel for every axis along which one thing grows.
fn by_axis(
    scaling: &Scaling,
    y_label: &str,
    series: impl Fn(Axis, &[Row]) -> Vec<Series>,
) -> Vec<Panel> {
    let sweeps = scaling.trainings.iter();
    let sweeps = sweeps.filter(|(sweep, _)| sweep.axis != Axis::Several);
    let lines: Vec<(Axis, Vec<Series>)> = sweeps
        .map(|(sweep, rows)| (sweep.axis, series(sweep.axis, rows)))
        .collect();
    // One range for all panels: what hardly changes looks so.
    let all = lines.iter().flat_map(|(_, series)| series);
    let values = all.flat_map(|series| series.points.iter().map(|point| point[1]));
    let range = viz::Axis::fit(y_label, Scale::Log10, values, 0.06);
    let panels = lines.iter().map(|(axis, series)| {
        let chart = LineChart {
            x_label: axis.noun(),
            y_label,
            series,
            x_scale: Scale::Log10,
            y_scale: Scale::Log10,
            y_range: Some([range.low, range.high]),
            size: SIZE,
            legend_at: LegendAt::TopLeft,
            ..LineChart::default()
        };
        chart.plot().into()
    });
    panels.collect()
}

fn points_of(axis: Axis, rows: &[Row], value: impl Fn(&Row) -> Option<f64>) -> Vec<[f64; 2]> {
    let point = |row: &Row| match &row.point {
        Point::Training(point) => Some([axis.of(point) as f64, value(row)?]),
        Point::Evaluation(_) => None,
    };
    rows.iter().filter_map(point).collect()
}

fn trainings(scaling: &Scaling) -> Figure {
    let microseconds = |row: &Row| match &row.point {
        Point::Training(point) => Some(1e6 * seconds(row)? / point.images as f64),
        Point::Evaluation(_) => None,
    };
    let panels = by_axis(scaling, "µs of an image", |axis, rows| {
        vec![Series {
            points: points_of(axis, rows, microseconds),
            ..Series::default()
        }]
    });
    Figure {
        title: "Training: time of an image".into(),
        caption: format!(
            "784-256-2, 10,000 images in batches of 128, but for what grows along each axis. {}",
            where_measured(scaling)
        ),
        ..Figure::grid(rows_of_panels(panels))
    }
}

fn memory(scaling: &Scaling) -> Figure {
    let told = |row: &Row| row.told_bytes.map(|bytes| bytes as f64 / 1e6);
    let held = |row: &Row| match &row.outcome {
        Outcome::Measured(cost) => cost.held_bytes.map(|bytes| bytes as f64 / 1e6),
        _ => None,
    };
    let panels = by_axis(scaling, "memory, MB", |axis, rows| {
        vec![
            Series {
                name: "held by the process".into(),
                points: points_of(axis, rows, held),
                ..Series::default()
            },
            Series {
                name: "told before".into(),
                points: points_of(axis, rows, told),
                dash: Dash::Dashed,
                ..Series::default()
            },
        ]
    });
    let figure = Figure {
        title: "Training: memory".into(),
        caption: format!(
            "What the formula says and what the process held at most, images and code included. {}",
            where_measured(scaling)
        ),
        ..Figure::grid(rows_of_panels(panels))
    };
    figure.with_shared_legend()
}

/// The lines of a measure: what was measured and, dashed, what was estimated from
/// the last of it on.
fn lines(scaling: &Scaling, measure: Measure, dimensions: Option<usize>) -> [Series; 2] {
    let (mut measured, mut estimated) = (Vec::new(), Vec::new());
    for row in &scaling.evaluations {
        let Point::Evaluation(point) = &row.point else {
            continue;
        };
        let is_of = point.measure == measure
            && dimensions.is_none_or(|dimensions| point.dimensions == dimensions);
        match &row.outcome {
            Outcome::Measured(cost) if is_of => {
                measured.push([point.rows as f64, cost.seconds]);
                estimated = vec![[point.rows as f64, cost.seconds]];
            }
            Outcome::Estimated { seconds } if is_of => {
                estimated.push([point.rows as f64, *seconds]);
            }
            _ => {}
        }
    }
    let place = Measure::ALL.iter().position(|&other| other == measure);
    let colour = place.map(class_colour);
    [
        Series {
            name: measure.name().to_owned(),
            points: measured,
            colour,
            ..Series::default()
        },
        Series {
            points: estimated,
            colour,
            dash: Dash::Dashed,
            ..Series::default()
        },
    ]
}

fn evaluations(scaling: &Scaling) -> Figure {
    let panel = |title: &str, x_label: &str, series: Vec<Series>| -> Panel {
        let chart = LineChart {
            title,
            x_label,
            y_label: "time, s",
            series: &series,
            x_scale: Scale::Log10,
            y_scale: Scale::Log10,
            size: SIZE,
            ..LineChart::default()
        };
        chart.plot().into()
    };
    let of = |wanted: &[(Measure, usize)]| -> Vec<Series> {
        let lines = wanted
            .iter()
            .flat_map(|&(measure, dimensions)| lines(scaling, measure, Some(dimensions)));
        lines.filter(|series| !series.points.is_empty()).collect()
    };
    let of_codes = [
        Measure::Losses,
        Measure::Rates,
        Measure::Neighbours,
        Measure::Discrepancy,
        Measure::Permutations,
    ];
    let of_features = [(Measure::Frechet, 128), (Measure::PrecisionRecall, 128)];
    let many = of_codes
        .map(|measure| (measure, 50))
        .into_iter()
        .chain(of_features);
    let panels = vec![
        panel(
            "2 latent variables",
            "codes",
            of(&of_codes.map(|measure| (measure, 2))),
        ),
        panel(
            "50 latent variables, 128 features",
            "codes, or rows of features",
            of(&many.collect::<Vec<_>>()),
        ),
        panel(
            "Eigenvalues",
            "dimensions of a covariance",
            lines(scaling, Measure::Eigenvalues, None)
                .into_iter()
                .filter(|series| !series.points.is_empty())
                .collect(),
        ),
    ];
    let figure = Figure {
        title: "Evaluation: time".into(),
        caption: format!(
            "Dashed: estimated from the last measured point by how the work grows. {}",
            where_measured(scaling)
        ),
        ..Figure::row(panels)
    };
    figure.with_shared_legend()
}

#[cfg(test)]
mod tests {
    use super::super::tests::example;
    use super::*;

    #[test]
    fn pictures_are_small_files_that_the_same_numbers_draw_alike() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [first, second] = folders
            .each_ref()
            .map(|folder| write(&example(), folder.path()).unwrap());
        assert_eq!(first.len(), 3);
        for (first, second) in first.iter().zip(&second) {
            let bytes = std::fs::read(first).unwrap();
            assert_eq!(bytes, std::fs::read(second).unwrap());
            assert!(bytes.len() < 400_000, "{}", bytes.len());
            assert!(viz::decode_png(&bytes).is_ok());
        }
    }
}
