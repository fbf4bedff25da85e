//! Where the codes are: by class over their whole extent, the areas of the
//! classes, the gaps between them.

use evaluation::gaps::{Gaps, convex_hull};
use serde_json::json;
use viz::charts::{BarChart, BarSeries, DensityMap};
use viz::page::{Block, Cell, Column, Table, Text};
use viz::{ColourMap, Field, Figure, Layer, LegendAt, Line, Panel, Rgb, class_colour};

use crate::measures::plane::{AREA_LEVEL, FEW_AREAS, GAP_CELLS, TRIM, code_numbers};
use crate::{Drawing, TrainedRun};
use figures::absence::Absences;
use figures::pictures::Codes;
use figures::plane_map::{points, rounded, rounded_points};
use figures::wording::{capitalised, percent, seeds_and_epochs, spelled, test_images};
use runs::Error;
use runs::run_data::images;

const DARK: Rgb = Rgb::hex(0x2b3038);

/// Codes coloured by class over their whole extent.
pub(super) fn by_class(
    drawing: &mut Drawing<'_>,
    runs: &[&TrainedRun],
) -> Result<Vec<Block>, Error> {
    let codes = Codes {
        origin: true,
        ..Codes::default()
    };
    let (figure, data) = codes.figure(drawing.dataset, runs, 520.0)?;
    let caption = format!(
        "Codes of all {} over their whole extent (for the VAE the posterior means, with \
         the prior's circles of one and two standard deviations). Lines cross at the origin; the \
         dashed square is −4 … 4. Each panel has its own range; {}.",
        test_images(drawing.dataset),
        seeds_and_epochs(runs),
    );
    drawing.chart("codes", Figure { caption, ..figure }, runs, data)
}

/// The area of each class.
pub(super) fn areas(drawing: &mut Drawing<'_>, runs: &[&TrainedRun]) -> Result<Vec<Block>, Error> {
    let names = &drawing.dataset.class_names;
    let mut series = Vec::new();
    let mut data = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        let areas = code_numbers(drawing, run)?.areas.get()?.clone();
        let known: Vec<f64> = areas
            .areas
            .iter()
            .map(|area| area.unwrap_or(f64::NAN))
            .collect();
        let total: f64 = known.iter().filter(|area| area.is_finite()).sum();
        series.push(BarSeries {
            name: run.title(),
            values: known.iter().map(|area| 100.0 * area / total).collect(),
            // Not a class' colour pair that could be mistaken for classes.
            colour: Some([DARK, Rgb::hex(0x8fb3d9)][index % 2]),
        });
        data.push(json!({"model": run.key, "areas": areas}));
    }
    let has_area = |&class: &usize| {
        let mut areas = series.iter().map(|series| series.values[class]);
        areas.any(f64::is_finite)
    };
    let counted = (0..names.len()).filter(has_area).count();
    if counted < 2 {
        return Err(Error::Undefined(FEW_AREAS.into()));
    }
    let few = if counted < names.len() {
        ", of those with at least 20"
    } else {
        ""
    };
    let mut plot = BarChart {
        y_label: "share of all classes' area, %",
        categories: names,
        series: &series,
        ..BarChart::default()
    }
    .plot()?;
    plot.size = [760.0, 260.0];
    plot.legend_at = LegendAt::TopRight;
    plot.y.high *= 1.15;
    let caption = format!(
        "Area that each class takes in the latent plane: the region of highest density that holds \
         {} of its test codes, as a share of the sum over classes{few}. {} equal classes would have {} \
         each; {}, {}.",
        percent(AREA_LEVEL),
        capitalised(&spelled(counted)),
        percent(1.0 / counted as f64),
        test_images(drawing.dataset),
        seeds_and_epochs(runs),
    );
    let figure = Figure {
        title: "Areas of the classes".into(),
        caption,
        ..Figure::of(plot)
    };
    drawing.chart(
        "areas",
        figure,
        runs,
        json!({"classes": names, "models": data}),
    )
}

/// Cells with and without codes, inside of the codes' hull.
pub(super) fn gaps(drawing: &mut Drawing<'_>, runs: &[&TrainedRun]) -> Result<Vec<Block>, Error> {
    let test = &drawing.dataset.test;
    let mut panels = Vec::new();
    let mut data = Vec::new();
    for run in runs {
        let numbers = code_numbers(drawing, run)?;
        let counted = numbers.gaps.get()?;
        let codes = points(run.encode(images(test)).mean.view());
        let inside: Vec<[f64; 2]> = codes
            .into_iter()
            .filter(|code| {
                (0..2).all(|axis| {
                    (numbers.ranges[axis][0]..=numbers.ranges[axis][1]).contains(&code[axis])
                })
            })
            .collect();
        let mut hull = convex_hull(&inside);
        let field = occupancy(&inside, numbers.ranges, GAP_CELLS)?;
        let mut plot = DensityMap {
            title: &format!(
                "{}: {} of the cells are empty",
                run.title(),
                percent(counted.empty_share)
            ),
            value_label: "log₁₀ of the number of codes",
            map: ColourMap::Viridis,
            contours: 0,
            smooth: false,
            ..DensityMap::new(&field)
        }
        .plot();
        plot.size = [440.0, 440.0];
        hull.extend_from_within(..1);
        plot.layers.push(Layer::Line(Line {
            points: hull.clone(),
            colour: class_colour(2),
            width: 1.6,
            ..Line::default()
        }));
        panels.push(Panel::from(plot));
        data.push(json!({
            "model": run.key,
            "gaps": counted,
            "hull": rounded_points(&hull),
            "ranges": numbers.ranges,
            "log10_counts": field
                .values
                .iter()
                .map(|value| value.is_finite().then(|| rounded(&[*value], 3)[0]))
                .collect::<Vec<_>>(),
        }));
    }
    let caption = format!(
        "How many test codes fall into each of {GAP_CELLS} × {GAP_CELLS} cells of the rectangle \
         that leaves out {} of the codes beyond each side; grey cells hold none. The share of empty \
         cells is counted within the convex hull (red); {}, {}.",
        percent(TRIM),
        test_images(drawing.dataset),
        seeds_and_epochs(runs),
    );
    let figure = Figure {
        title: "Gaps between the codes".into(),
        caption,
        ..Figure::row(panels)
    };
    drawing.chart(
        "gaps",
        figure,
        runs,
        json!({"cells": GAP_CELLS, "models": data}),
    )
}

/// log₁₀ of the number of points in each cell of a rectangle; NaN for none.
fn occupancy(points: &[[f64; 2]], ranges: [[f64; 2]; 2], cells: usize) -> Result<Field, Error> {
    let mut counts = vec![0u32; cells * cells];
    for point in points {
        let [column, row] = [0, 1].map(|axis| {
            let [low, high] = ranges[axis];
            let at = (point[axis] - low) / (high - low) * cells as f64;
            (at as usize).min(cells - 1)
        });
        counts[(cells - 1 - row) * cells + column] += 1;
    }
    let values = counts
        .iter()
        .map(|&count| match count {
            0 => f64::NAN,
            count => f64::from(count).log10(),
        })
        .collect();
    // Positions of a field are the centres of its cells.
    let centres = ranges.map(|[low, high]| {
        let half = 0.5 * (high - low) / cells as f64;
        [low + half, high - half]
    });
    Ok(Field::new(cells, cells, centres[0], centres[1], values)?)
}

/// Position, symmetry, areas and gaps of every model's codes.
pub(super) fn numbers(drawing: &Drawing<'_>, runs: &[&TrainedRun]) -> Result<Vec<Block>, Error> {
    let mut rows = Vec::new();
    let mut absences = Absences::default();
    for run in runs {
        let found = code_numbers(drawing, run)?;
        let gaps = |value: fn(&Gaps) -> f64| found.gaps.get().map(|gaps| 100.0 * value(gaps));
        let values: [(Result<f64, Error>, usize); 7] = [
            (Ok(found.extent.largest_radius), 1),
            (Ok(100.0 * found.extent.share_outside_map), 1),
            (Ok(found.asymmetry()), 2),
            (found.area_ratio(), 1),
            (gaps(|gaps| gaps.empty_share), 0),
            (gaps(|gaps| gaps.normal_reference), 0),
            (found.knn_accuracy.get().map(|share| 100.0 * share), 1),
        ];
        let mut row = vec![
            Cell::text(run.title()),
            Cell::text(in_plane(&found.extent.centroid)),
            Cell::text(in_plane(&found.extent.standard_deviation)),
        ];
        for (value, decimals) in values {
            row.push(absences.cell(value, decimals)?);
        }
        rows.push(row);
    }
    Ok(vec![Block::Table(Table {
        caption: Text::from(format!(
            "The codes in numbers; {}, {}. Asymmetry: Butler's statistic about 0, the \
             larger of both axes (0 for a symmetric axis, 1 when all codes lie on one side). Area \
             ratio: the largest class area over the smallest (about 1.2 for ten samples of one \
             distribution). Empty: cells inside of the hull without a code, beside what as many \
             normal codes leave. kNN: share of test codes that 15 nearest training codes name \
             correctly.{}",
            test_images(drawing.dataset),
            seeds_and_epochs(runs),
            absences.sentence(),
        )),
        columns: vec![
            Column::new("model", ""),
            Column::new("centroid", ""),
            Column::new("standard deviation", ""),
            Column::new("largest radius", ""),
            Column::new("outside −4 … 4", "%"),
            Column::new("asymmetry", ""),
            Column::new("area ratio", ""),
            Column::new("empty", "%"),
            Column::new("empty if normal", "%"),
            Column::new("kNN", "%"),
        ],
        rows,
    })])
}

/// `(1.2, −0.3)`.
fn in_plane(values: &[f64]) -> String {
    let parts: Vec<String> = values.iter().map(|&v| viz::number::decimal(v, 1)).collect();
    format!("({})", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_count_from_the_top_left() {
        let points = [[0.1, 0.9], [0.2, 0.8], [1.0, 0.0]];
        let field = occupancy(&points, [[0.0, 1.0]; 2], 2).unwrap();
        assert!((field.values[0] - 2f64.log10()).abs() < 1e-12);
        assert!(field.values[1].is_nan() && field.values[2].is_nan());
        assert_eq!(field.values[3], 0.0);
        assert_eq!(field.x, [0.25, 0.75]);
    }
}
