//! What is on the maps and how fast it changes: regions of classes, change
//! between neighbours, the decoder's stretch.

use serde_json::json;
use viz::charts::{DensityMap, RegionMap};
use viz::page::{Block, Cell, Column, Table, Text};
use viz::{Field, Figure, Panel};

use super::measures::{
    FINE_STEPS, MapNumbers, STRETCH_STEPS, fine_map, on_own_codes, on_the_map, stretch,
};
use super::{MINIMUM_SHARE, PANEL, RANGE, STEPS};
use crate::error::Error;
use crate::study::wording::{count, percent, seed_and_epochs};
use crate::study::{Drawing, TrainedRun};

/// Which object is drawn where.
pub(super) fn regions(drawing: &mut Drawing<'_>, runs: &[&TrainedRun]) -> Result<Block, Error> {
    let mut panels = Vec::new();
    let mut legend = Vec::new();
    let mut data = Vec::new();
    for run in runs {
        let fine = fine_map(drawing, run)?;
        let numbers = on_the_map(drawing, run)?;
        let kinds = numbers.classes.kinds;
        let mut plot = RegionMap {
            title: &format!("{}: {kinds} {}", run.title(), kinds_word(kinds)),
            columns: FINE_STEPS,
            rows: FINE_STEPS,
            x: [-RANGE, RANGE],
            y: [-RANGE, RANGE],
            classes: (&fine.classes).into(),
            confidences: &fine.confidence,
            class_names: &drawing.dataset.class_names,
        }
        .plot()?;
        plot.size = [PANEL; 2];
        legend = std::mem::take(&mut plot.legend);
        panels.push(Panel::from(plot));
        data.push(json!({
            "model": run.key,
            "classes": fine.classes,
            "confidence": fine.confidence,
            "kinds_on_21_by_21": kinds,
            "class_share_on_21_by_21": numbers.classes.class_share,
        }));
    }
    let caption = format!(
        "What a classifier takes the decoded image for, {FINE_STEPS} × {FINE_STEPS} codes over \
         −4 … 4, paler where it is less sure. {} The numbers of kinds are those of the \
         {STEPS} × {STEPS} map, a kind being a class with at least {} of its tiles; {}.",
        about_the_classifier(drawing)?,
        percent(MINIMUM_SHARE),
        seed_and_epochs(runs[0]),
    );
    let figure = Figure {
        title: "Which object is drawn where".into(),
        caption,
        legend,
        ..Figure::row(panels)
    };
    drawing.chart(
        "regions",
        figure,
        runs,
        json!({"columns": FINE_STEPS, "rows": FINE_STEPS, "models": data}),
    )
}

fn kinds_word(kinds: usize) -> &'static str {
    if kinds == 1 { "kind" } else { "kinds" }
}

fn about_the_classifier(drawing: &Drawing<'_>) -> Result<String, Error> {
    let classifier = drawing.classifier()?;
    let accuracy = classifier.test_accuracy();
    Ok(format!(
        "The classifier ({}, trained on the same training images) is right on {} of the test \
         images; on images unlike any of them its answer is only the nearest name.",
        classifier.architecture(),
        accuracy.map_or_else(|| "an unmeasured share".into(), percent),
    ))
}

/// Where images change fast: between tiles, and infinitesimally.
pub(super) fn change(drawing: &mut Drawing<'_>, runs: &[&TrainedRun]) -> Result<Block, Error> {
    let mut changes = Vec::new();
    let mut stretches = Vec::new();
    for run in runs {
        let numbers = on_the_map(drawing, run)?;
        let in_percent = |value: &f64| 100.0 * value / numbers.typical_distance;
        changes.push(square_field(
            STEPS,
            numbers.field.iter().map(in_percent).collect(),
        )?);
        stretches.push(square_field(STRETCH_STEPS, stretch(drawing, run)?)?);
    }
    let top = changes
        .iter()
        .map(|field| field.limits()[1])
        .fold(0.0, f64::max);
    let stretch_limits = stretches.iter().map(Field::limits);
    let stretch_limits = stretch_limits.fold([f64::INFINITY, f64::NEG_INFINITY], |all, own| {
        [all[0].min(own[0]), all[1].max(own[1])]
    });
    let mut rows = [Vec::new(), Vec::new()];
    for (run, (change, stretch)) in runs.iter().zip(changes.iter().zip(&stretches)) {
        let change = DensityMap {
            title: &run.title(),
            value_label: "change to the neighbours, %",
            limits: Some([0.0, top]),
            contours: 0,
            smooth: false,
            ..DensityMap::new(change)
        };
        let stretch = DensityMap {
            value_label: "log₁₀ of the stretch of area",
            limits: Some(stretch_limits),
            contours: 0,
            ..DensityMap::new(stretch)
        };
        for (row, mut plot) in rows.iter_mut().zip([change.plot(), stretch.plot()]) {
            plot.size = [PANEL; 2];
            // One bar at the end of a row says it for all of it.
            if run.key != runs[runs.len() - 1].key {
                plot.colour_bar = None;
            }
            row.push(Panel::from(plot));
        }
    }
    let caption = format!(
        "Above: mean distance between a tile and its neighbours on the {STEPS} × {STEPS} map, in \
         per cent of the mean distance between two test images. Below: by how much the decoder \
         stretches a small area of codes (the root of the determinant of the pulled-back metric of \
         mean images), as a power of ten. Colours mean the same in each row; {}.",
        seed_and_epochs(runs[0]),
    );
    let figure = Figure {
        title: "How fast the images change".into(),
        caption,
        ..Figure::grid(rows.into())
    };
    let data: Vec<_> = runs
        .iter()
        .zip(changes.iter().zip(&stretches))
        .map(|(run, (change, stretch))| {
            json!({
                "model": run.key,
                "change_percent": crate::study::plane_map::rounded(&change.values, 3),
                "log10_stretch": stretch.values,
            })
        })
        .collect();
    drawing.chart(
        "change",
        figure,
        runs,
        json!({
            "range": [-RANGE, RANGE],
            "change_steps": STEPS,
            "stretch_steps": STRETCH_STEPS,
            "models": data,
        }),
    )
}

fn square_field(steps: usize, values: Vec<f64>) -> Result<Field, Error> {
    Ok(Field::new(
        steps,
        steps,
        [-RANGE, RANGE],
        [-RANGE, RANGE],
        values,
    )?)
}

/// The numbers of both kinds of map, for every model.
pub(super) fn numbers(drawing: &Drawing<'_>, runs: &[&TrainedRun]) -> Result<Vec<Block>, Error> {
    let mut tables = Vec::new();
    let windows: [(&str, Measure); 2] = [
        ("Numbers of the maps over −4 … 4", on_the_map),
        (
            "The same for maps over each model's own codes (the rectangle that holds 99 % of them \
             on each axis)",
            on_own_codes,
        ),
    ];
    for (title, measure) in windows {
        let mut rows = Vec::new();
        for run in runs {
            let numbers = measure(drawing, run)?;
            rows.push(row(run, &numbers));
        }
        tables.push(Block::Table(Table {
            caption: Text::from(format!(
                "{title}: {STEPS} × {STEPS} tiles; {}, {} test images. Changes are in per cent of \
                 the mean distance between two test images. Explained: share of the test images' \
                 variance about their mean image that is gone when each is replaced by its nearest \
                 tile.",
                seed_and_epochs(runs[0]),
                count(drawing.dataset.test.len()),
            )),
            columns: vec![
                Column::new("model", ""),
                Column::new("codes inside", "%"),
                Column::new("kinds", ""),
                Column::new("class entropy", "bit"),
                Column::new("confidence", ""),
                Column::new("regions", ""),
                Column::new("mean change", "%"),
                Column::new("in the centre", "%"),
                Column::new("largest", "%"),
                Column::new("largest in the centre", "%"),
                Column::new("largest/mean", ""),
                Column::new("explained", "%"),
            ],
            rows,
        }));
    }
    Ok(tables)
}

type Measure = fn(&Drawing<'_>, &TrainedRun) -> Result<MapNumbers, Error>;

fn row(run: &TrainedRun, numbers: &MapNumbers) -> Vec<Cell> {
    let number = |value: f64, decimals| Cell::Number { value, decimals };
    vec![
        Cell::text(run.title()),
        number(100.0 * numbers.codes_inside, 1),
        number(numbers.classes.kinds as f64, 0),
        number(numbers.classes.class_entropy, 2),
        number(numbers.classes.mean_confidence, 2),
        number(numbers.regions() as f64, 0),
        number(100.0 * numbers.mean_change(), 1),
        number(100.0 * numbers.centre_change(), 1),
        number(100.0 * numbers.largest_change(), 1),
        number(100.0 * numbers.largest_centre_change(), 1),
        number(numbers.unevenness(), 1),
        number(100.0 * numbers.explained, 1),
    ]
}
