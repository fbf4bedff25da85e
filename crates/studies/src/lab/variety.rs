//! What is on the maps and how fast it changes: regions of classes, change
//! between neighbours, the decoder's stretch.

use evaluation::map::ClassMap;
use serde_json::json;
use viz::charts::{DensityMap, RegionMap};
use viz::page::{Block, Cell, Column, Table, Text};
use viz::{Field, Figure, Panel};

use super::measures::{
    FINE_STEPS, MapNumbers, STRETCH_STEPS, fine_map, on_own_codes, on_the_map, stretch,
};
use super::{MINIMUM_SHARE, PANEL, RANGE, STEPS};
use crate::{Drawing, TrainedRun};
use figures::absence::Absences;
use figures::wording::{percent, seed_and_epochs, test_images};
use runs::Error;

/// Which object is drawn where.
pub(super) fn regions(drawing: &mut Drawing<'_>, runs: &[&TrainedRun]) -> Result<Block, Error> {
    let mut panels = Vec::new();
    let mut legend = Vec::new();
    let mut data = Vec::new();
    for run in runs {
        let fine = fine_map(drawing, run)?;
        let (classes, confidence) = (fine.classes.get()?, fine.confidence.get()?);
        let numbers = on_the_map(drawing, run)?;
        let on_the_map = numbers.classes.get()?;
        let kinds = on_the_map.kinds;
        let mut plot = RegionMap {
            title: &format!("{}: {kinds} {}", run.title(), kinds_word(kinds)),
            columns: FINE_STEPS,
            rows: FINE_STEPS,
            x: [-RANGE, RANGE],
            y: [-RANGE, RANGE],
            classes: classes.into(),
            confidences: confidence,
            class_names: &drawing.dataset.class_names,
        }
        .plot()?;
        plot.size = [PANEL; 2];
        legend = std::mem::take(&mut plot.legend);
        panels.push(Panel::from(plot));
        data.push(json!({
            "model": run.key,
            "classes": classes,
            "confidence": confidence,
            "kinds_on_21_by_21": kinds,
            "class_share_on_21_by_21": on_the_map.class_share,
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
        // Of images without any distance no change is a share.
        let in_percent = |value: &f64| {
            let percent = 100.0 * value / numbers.typical_distance;
            if percent.is_finite() {
                percent
            } else {
                f64::NAN
            }
        };
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
                "change_percent": figures::plane_map::rounded(&change.values, 3),
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
        let mut absences = Absences::default();
        for run in runs {
            rows.push(row(run, &measure(drawing, run)?, &mut absences)?);
        }
        tables.push(Block::Table(Table {
            caption: Text::from(format!(
                "{title}: {STEPS} × {STEPS} tiles; {}, {}. Changes are in per cent of \
                 the mean distance between two test images. Explained: share of the test images' \
                 variance about their mean image that is gone when each is replaced by its nearest \
                 tile.{}",
                seed_and_epochs(runs[0]),
                test_images(drawing.dataset),
                absences.sentence(),
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

fn row(
    run: &TrainedRun,
    numbers: &MapNumbers,
    absences: &mut Absences,
) -> Result<Vec<Cell>, Error> {
    let classes = &numbers.classes;
    let of_classes = |value: fn(&ClassMap) -> f64| classes.get().map(value);
    let values: [(Result<f64, Error>, usize); 11] = [
        (Ok(100.0 * numbers.codes_inside), 1),
        (of_classes(|map| map.kinds as f64), 0),
        (of_classes(|map| map.class_entropy), 2),
        (of_classes(|map| map.mean_confidence), 2),
        (
            of_classes(|map| map.regions.iter().sum::<usize>() as f64),
            0,
        ),
        (Ok(100.0 * numbers.mean_change()), 1),
        (Ok(100.0 * numbers.centre_change()), 1),
        (Ok(100.0 * numbers.largest_change()), 1),
        (Ok(100.0 * numbers.largest_centre_change()), 1),
        (Ok(numbers.unevenness()), 1),
        (Ok(100.0 * numbers.explained), 1),
    ];
    let mut cells = vec![Cell::text(run.title())];
    for (value, decimals) in values {
        cells.push(absences.cell(value, decimals)?);
    }
    Ok(cells)
}
