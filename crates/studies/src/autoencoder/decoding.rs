//! What codes decode to: random points marked on the plane, maps over the
//! codes' extent, pairs of neighbouring codes.

use serde_json::json;
use viz::charts::{ClassScatter, marks};
use viz::number::decimal;
use viz::page::{Block, Cell, Column, Table, Text};
use viz::{Classes, Figure, Layer, Panel, Point, Points, Rgb, TilePanel};

use super::judge::decoded;
use super::measures::{
    CONFIDENCE, Form, POINTS, STEP, judged_and_real, prior_points, stepped, uniform_points,
};
use super::{VAE, shown};
use crate::measures::plane::code_numbers;
use crate::{Drawing, TrainedRun};
use figures::absence::{Absences, Measurement};
use figures::plane_map::{PlaneMap, points, rounded_points};
use figures::tiles::{Layout, bytes, laid_out, panel};
use figures::wording::{count, percent, seed_and_epochs, seeds_and_epochs, some_test_images};
use runs::Error;
use runs::run_data::images;

/// Rows and columns of the random points.
const ROWS: usize = 4;
const COLUMNS: usize = 6;
/// Tiles on the longer side of a map over the codes' extent.
const TILES: usize = 28;
/// Size of an image's pixel in the maps: one pixel of the file.
const PIXEL: f64 = 0.5;
/// Pairs of codes in a row.
const PAIRS: usize = 8;
/// Factor that makes the differences of pairs visible.
const GAIN: u8 = 4;
/// The pair that the document writes of begins here.
const DOCUMENT_PAIR: [f64; 2] = [2.0, -2.0];

/// Where a figure's random points come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// Evenly over the rectangle of the codes.
    Extent,
    /// From the prior.
    Prior,
}

/// Random points of each model's codes.
pub(super) fn over_the_extent(drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
    let mut blocks = Vec::new();
    for run in shown(drawing) {
        blocks.extend(random_points(drawing, run, Source::Extent)?);
    }
    Ok(blocks)
}

/// Random points as the VAE names them.
pub(super) fn from_the_prior(drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
    let vae = drawing.run(VAE);
    vae.map_or(Ok(Vec::new()), |vae| {
        random_points(drawing, vae, Source::Prior)
    })
}

/// Random points marked among the codes, and what they decode to beside.
fn random_points(
    drawing: &mut Drawing<'_>,
    run: &TrainedRun,
    source: Source,
) -> Result<Vec<Block>, Error> {
    let test = &drawing.dataset.test;
    let ranges = code_numbers(drawing, run)?.ranges;
    let (chosen, from, name) = match source {
        Source::Extent => (
            uniform_points(ROWS * COLUMNS, ranges),
            "spread evenly at random over the rectangle that holds 99 % of the codes on each axis",
            format!("random-points-{}", run.key),
        ),
        Source::Prior => (
            prior_points(ROWS * COLUMNS),
            "drawn from the prior N(0, I)",
            format!("random-points-{}-prior", run.key),
        ),
    };
    let codes = points(run.encode(images(test)).mean.view());
    let mut plot = ClassScatter {
        title: &run.title(),
        points: &codes,
        classes: test.labels().into(),
        class_names: &drawing.dataset.class_names,
        ranges: Some(ranges.map(widened)),
        prior: source == Source::Prior,
        alpha: Some(pale(codes.len())),
        ..ClassScatter::default()
    }
    .plot()?;
    // The marks are the subject here, the classes are named in the legend.
    plot.layers
        .retain(|layer| !matches!(layer, Layer::Labels(_)));
    let marked: Vec<([f64; 2], String)> = chosen
        .iter()
        .enumerate()
        .map(|(index, &at)| (at, place(index)))
        .collect();
    plot.layers.extend(marks(&marked, Rgb::hex(0x14181f)));
    plot.size = [420.0, 420.0];
    let legend = std::mem::take(&mut plot.legend);
    let layout = Layout {
        rows: ROWS,
        columns: COLUMNS,
        gutter: 4,
        background: 255,
        pixel: 3.0,
    };
    let tiles = TilePanel {
        row_heads: (0..ROWS).map(row_letter).collect(),
        column_heads: (1..=COLUMNS).map(|column| column.to_string()).collect(),
        ..panel("Decoded", run.shape, run.decode(&chosen).view(), layout)?
    };
    let caption = format!(
        "{}: {} points {from}, marked among the {} test codes, and the image that each decodes to; \
         {}.",
        run.title(),
        chosen.len(),
        count(test.len()),
        seed_and_epochs(run),
    );
    let figure = Figure {
        title: "Random points and what they decode to".into(),
        caption,
        legend,
        ..Figure::row(vec![plot.into(), tiles.into()])
    };
    drawing.chart(
        &name,
        figure,
        &[run],
        json!({
            "points": rounded_points(&chosen),
            "names": (0..chosen.len()).map(place).collect::<Vec<_>>(),
            "codes": "codes.json",
        }),
    )
}

/// The opacity of codes behind marks: paler than the marks, and visible when
/// they are few.
fn pale(codes: usize) -> f64 {
    (0.16 * (1e4 / codes.max(1) as f64).sqrt()).clamp(0.16, 0.5)
}

/// A range with a margin for marks at its ends.
fn widened([low, high]: [f64; 2]) -> [f64; 2] {
    let margin = 0.06 * (high - low);
    [low - margin, high + margin]
}

/// `A`, `B`, … for the rows of the tiles.
fn row_letter(row: usize) -> String {
    char::from(b'A' + row as u8).to_string()
}

/// `A1`: row and column of a point's tile.
fn place(index: usize) -> String {
    format!("{}{}", row_letter(index / COLUMNS), index % COLUMNS + 1)
}

/// Maps over each model's codes, bare and with the codes overlaid.
pub(super) fn maps(drawing: &mut Drawing<'_>, runs: &[&TrainedRun]) -> Result<Vec<Block>, Error> {
    let test = &drawing.dataset.test;
    let classes = Classes::from(test.labels());
    // Single points must be seen on the images.
    let few = test.len() < 500;
    let mut rows: Vec<Vec<Panel>> = Vec::new();
    let mut data = Vec::new();
    let mut legend = Vec::new();
    for run in runs {
        let ranges = code_numbers(drawing, run)?.ranges;
        let map = PlaneMap::covering(run, TILES, ranges);
        let codes = points(run.encode(images(test)).mean.view());
        let bare = map.plot(&run.title(), PIXEL)?;
        let mut overlaid = map.plot(&format!("{}, with the codes", run.title()), PIXEL)?;
        overlaid.layers.push(Layer::Points(Points {
            points: codes
                .iter()
                .enumerate()
                .map(|(index, &at)| Point {
                    at,
                    colour: classes.colour(index),
                })
                .collect(),
            shapes: classes.marks(),
            radius: if few { 3.2 } else { 1.7 },
            alpha: if few { 0.9 } else { 0.55 },
            shuffle: Some(0),
            ..Points::default()
        }));
        if legend.is_empty() {
            let scatter = ClassScatter {
                points: &codes,
                classes,
                class_names: &drawing.dataset.class_names,
                ..ClassScatter::default()
            };
            legend = scatter.plot()?.legend;
        }
        data.push(json!({"model": run.key, "map": map.data()}));
        rows.push(vec![bare.into(), overlaid.into()]);
    }
    let caption = format!(
        "Maps over the rectangle that holds 99 % of each model's codes on each axis, at most \
         {TILES} tiles a side with the same step on both axes, and the same maps under the {} test \
         codes; {}.",
        count(test.len()),
        seeds_and_epochs(runs),
    );
    let figure = Figure {
        title: "Maps over the codes' extent".into(),
        caption,
        legend,
        ..Figure::grid(rows)
    };
    drawing.chart(
        "maps",
        figure,
        runs,
        json!({"models": data, "codes": "codes.json"}),
    )
}

/// z, z + 0.1 and what is different, for random pairs and for pairs of
/// different classes.
pub(super) fn pairs(drawing: &mut Drawing<'_>, runs: &[&TrainedRun]) -> Result<Vec<Block>, Error> {
    let names = &drawing.dataset.class_names;
    let mut rows = Vec::new();
    let mut data = Vec::new();
    let mut any_examples = false;
    for run in runs {
        let found = decoded(drawing, run)?.pairs;
        let ranges = code_numbers(drawing, run)?.ranges;
        let mut random = vec![DOCUMENT_PAIR];
        random.extend(uniform_points(PAIRS - 1, ranges));
        let title = run.title();
        let mut row = vec![pair_tiles(
            run,
            &format!("{title}: (2, −2) and random points"),
            &random,
            Vec::new(),
        )?];
        let examples: Vec<_> = found.examples.into_iter().take(PAIRS).collect();
        any_examples |= !examples.is_empty();
        if !examples.is_empty() {
            let heads = examples
                .iter()
                .map(|pair| {
                    let [a, b] = pair.classes.map(|class| names[class as usize].as_str());
                    format!("{a} → {b}")
                })
                .collect();
            row.push(pair_tiles(
                run,
                &format!("{title}: pairs of different classes"),
                &examples.iter().map(|pair| pair.z).collect::<Vec<_>>(),
                heads,
            )?);
        }
        rows.push(row);
        data.push(json!({
            "model": run.key,
            "random": rounded_points(&random),
            "different_classes": examples,
        }));
    }
    let caption = format!(
        "Images of z and of z + (0.1, −0.1), the step of the document, and {GAIN} times the absolute \
         difference. Left: the document's own point (2, −2), then points spread evenly at random \
         over the rectangle that holds 99 % of the codes. {}; {}.",
        if any_examples {
            format!(
                "Right: of {} such pairs, some that a classifier gives different classes (above), \
                 from different places of the plane, the most different images first",
                count(POINTS)
            )
        } else if drawing.test_labels().is_ok() {
            format!(
                "Of {} such pairs a classifier gives none different classes",
                count(POINTS)
            )
        } else {
            "Pairs of different classes are left out, because the data set has no labels".into()
        },
        seeds_and_epochs(runs),
    );
    let figure = Figure {
        title: "Neighbouring codes".into(),
        caption,
        ..Figure::grid(rows)
    };
    drawing.chart("pairs", figure, runs, json!({"step": STEP, "models": data}))
}

/// What a step of 0.1 means for both models.
pub(super) fn scale_of_the_step(
    drawing: &Drawing<'_>,
    runs: &[&TrainedRun],
) -> Result<Vec<Block>, Error> {
    let [ae, vae] = [runs[0], runs[1]].map(|run| decoded(drawing, run));
    let [ae, vae] = [ae?.pairs, vae?.pairs];
    Ok(vec![Block::paragraph(format!(
        "A step of 0.1 on both axes is {} standard deviations of the autoencoder's codes and {} of \
         the VAE's, so the same step is not the same question for both: {} of the autoencoder's \
         pairs and {} of the VAE's are given different classes.",
        decimal(ae.step_in_deviations.unwrap_or(f64::NAN), 3),
        decimal(vae.step_in_deviations.unwrap_or(f64::NAN), 3),
        percent(*ae.disagreeing.get()?),
        percent(*vae.disagreeing.get()?),
    ))])
}

fn pair_tiles(
    run: &TrainedRun,
    title: &str,
    first: &[[f64; 2]],
    column_heads: Vec<String>,
) -> Result<Panel, Error> {
    let a = bytes(run.decode(first).view());
    let b = bytes(run.decode(&stepped(first, STEP)).view());
    let difference: Vec<u8> = a
        .iter()
        .zip(&b)
        .map(|(&a, &b)| a.abs_diff(b).saturating_mul(GAIN))
        .collect();
    let layout = Layout {
        rows: 3,
        columns: first.len(),
        gutter: 4,
        background: 255,
        pixel: 2.0,
    };
    let (grid, pixel) = layout.grid(run.shape);
    let tiles = [a, b, difference].concat();
    Ok(TilePanel {
        title: title.into(),
        image: laid_out(run.shape, &tiles, &grid)?,
        grid,
        row_heads: ["z", "z + 0.1", "difference"].map(String::from).into(),
        column_heads,
        pixel,
    }
    .into())
}

/// How well-formed decoded points are, and how often neighbours disagree.
pub(super) fn numbers(drawing: &Drawing<'_>, runs: &[&TrainedRun]) -> Result<Vec<Block>, Error> {
    let in_percent = |share: &Measurement<f64>| share.get().map(|share| 100.0 * share);
    let or_nan = |value: Option<f64>| Ok(value.unwrap_or(f64::NAN));
    let mut absences = Absences::default();
    let mut rows = Vec::new();
    let mut pairs = Vec::new();
    for run in runs {
        let found = decoded(drawing, run)?;
        let mut conditions: Vec<(&str, &Form)> = vec![
            ("test images", &found.real),
            ("reconstructions", &found.reconstructed),
            ("points over the codes", &found.whole),
            ("points in the middle half", &found.middle),
        ];
        if run.is_variational() {
            conditions.push(("points from the prior", &found.prior));
        }
        for (condition, form) in conditions {
            rows.push(vec![
                Cell::text(run.title()),
                Cell::text(condition),
                absences.cell(in_percent(&form.unsure), 1)?,
                absences.cell(in_percent(&form.outside), 1)?,
                absences.cell(or_nan(form.return_distance), 2)?,
            ]);
        }
        for (where_, found) in [
            ("whole", &found.pairs),
            ("middle half", &found.middle_pairs),
        ] {
            pairs.push(vec![
                Cell::text(run.title()),
                Cell::text(where_),
                absences.cell(or_nan(found.step_in_deviations), 3)?,
                absences.cell(in_percent(&found.disagreeing), 1)?,
                absences.cell(Ok(found.mean_distance), 2)?,
            ]);
        }
    }
    let accuracy = match Measurement::of(drawing.classifier())?.get() {
        Ok(classifier) => format!(
            "right on {} % of the test images",
            decimal(100.0 * classifier.test_accuracy().unwrap_or(f64::NAN), 1)
        ),
        Err(_) => "there is none here".into(),
    };
    let [judged, real] = judged_and_real(drawing.dataset.test.len());
    Ok(vec![
        Block::Table(Table {
            caption: Text::from(format!(
                "How well-formed images are, {} of random points and those of {}; {}. Unsure: share given \
                 less than {CONFIDENCE} for its most probable class by the classifier ({accuracy}). \
                 Outside: share outside of the region that {} other test images at random fill in the \
                 classifier's features (1 − precision with 5 neighbours). Return: mean distance \
                 of a point to the code of its image, in standard deviations of the codes.{}",
                count(POINTS),
                some_test_images(drawing.dataset, judged),
                seeds_and_epochs(runs),
                count(real),
                absences.sentence(),
            )),
            columns: vec![
                Column::new("model", ""),
                Column::new("images", ""),
                Column::new("unsure", "%"),
                Column::new("outside", "%"),
                Column::new("return", "σ"),
            ],
            rows,
        }),
        Block::Table(Table {
            caption: Text::from(format!(
                "Pairs z and z + (0.1, −0.1), {} random points; {}. Step: its length in standard \
                 deviations of the model's codes. Distance: mean Euclidean distance of both images.{}",
                count(POINTS),
                seeds_and_epochs(runs),
                absences.sentence(),
            )),
            columns: vec![
                Column::new("model", ""),
                Column::new("part of the rectangle", ""),
                Column::new("step", "σ"),
                Column::new("different class", "%"),
                Column::new("distance", ""),
            ],
            rows: pairs,
        }),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_name_rows_and_columns() {
        assert_eq!(place(0), "A1");
        assert_eq!(place(COLUMNS), "B1");
        assert_eq!(place(ROWS * COLUMNS - 1), "D6");
        let [low, high] = widened([0.0, 10.0]);
        assert!((low + 0.6).abs() < 1e-12 && (high - 10.6).abs() < 1e-12);
    }
}
