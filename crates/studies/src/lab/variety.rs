//! What is on the maps and how fast it changes: regions of classes, change
//! between neighbours, the decoder's stretch.

use evaluation::map::ClassMap;
use serde_json::json;
use viz::page::{Block, Cell, Column, Table, Text};
use viz::{Field, Figure};

use super::PANEL;
use super::measures::{FINE_STEPS, STRETCH_STEPS, fine_map, stretch};
use crate::measures::map::{MINIMUM_SHARE, MapNumbers, RANGE, STEPS, on_own_codes, on_the_map};
use crate::{Drawing, TrainedRun};
use figures::absence::Absences;
use figures::pictures::{ChangeFields, RegionMap, about_the_classifier, in_percent};
use figures::plane::Plane;
use figures::wording::{percent, seeds_and_epochs, test_images};
use runs::Error;

/// Which object is drawn where.
pub(super) fn regions(
    drawing: &mut Drawing<'_>,
    runs: &[&TrainedRun],
) -> Result<Vec<Block>, Error> {
    let mut maps = Vec::new();
    let mut data = Vec::new();
    for &run in runs {
        let fine = fine_map(drawing, run)?;
        let (classes, confidence) = (fine.classes.get()?, fine.confidence.get()?);
        let numbers = on_the_map(drawing, run)?;
        let on_the_map = numbers.classes.get()?;
        data.push(json!({
            "model": run.key,
            "classes": classes,
            "confidence": confidence,
            "kinds_on_21_by_21": on_the_map.kinds,
            "class_share_on_21_by_21": on_the_map.class_share,
        }));
        let map = RegionMap {
            classes: classes.clone(),
            confidence: confidence.clone(),
            steps: FINE_STEPS,
            ranges: [[-RANGE, RANGE]; 2],
            labels: Plane::whole().labels,
            kinds: on_the_map.kinds,
        };
        maps.push((run, map));
    }
    let caption = format!(
        "What a classifier takes the decoded image for, {FINE_STEPS} × {FINE_STEPS} codes over \
         −4 … 4, paler where it is less sure. {} The numbers of kinds are those of the \
         {STEPS} × {STEPS} map, a kind being a class with at least {} of its tiles; {}.",
        about_the_classifier(drawing)?,
        percent(MINIMUM_SHARE),
        seeds_and_epochs(runs),
    );
    let figure = Figure {
        caption,
        ..RegionMap::figure(&maps, &drawing.dataset.class_names, PANEL)?
    };
    drawing.chart(
        "regions",
        figure,
        runs,
        json!({"columns": FINE_STEPS, "rows": FINE_STEPS, "models": data}),
    )
}

/// Where images change fast: between tiles, and infinitesimally.
pub(super) fn change(drawing: &mut Drawing<'_>, runs: &[&TrainedRun]) -> Result<Vec<Block>, Error> {
    let mut fields = Vec::new();
    for &run in runs {
        let numbers = on_the_map(drawing, run)?;
        let percent = in_percent(&numbers.field, numbers.typical_distance);
        let own = ChangeFields {
            change: square_field(STEPS, percent)?,
            log10_stretch: square_field(STRETCH_STEPS, stretch(drawing, run)?)?,
            labels: Plane::whole().labels,
        };
        fields.push((run, own));
    }
    let caption = format!(
        "Above: mean distance between a tile and its neighbours on the {STEPS} × {STEPS} map, in \
         per cent of the mean distance between two test images. Below: by how much the decoder \
         stretches a small area of codes (the root of the determinant of the pulled-back metric of \
         mean images), as a power of ten. Colours mean the same in each row; {}.",
        seeds_and_epochs(runs),
    );
    let figure = Figure {
        caption,
        ..ChangeFields::figure(&fields, PANEL)
    };
    let data: Vec<_> = fields.iter().map(|(run, own)| own.data(run)).collect();
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
    let range = [-RANGE, RANGE];
    Ok(Field::new(steps, steps, range, range, values)?)
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
                seeds_and_epochs(runs),
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
