//! The lab exercise that documents 000 and 001 answer: the map of a VAE's
//! latent plane beside that of an autoencoder.
//!
//! The exercise compares a VAE with one hidden layer to an autoencoder with
//! none. A third model, the VAE's own architecture without sampling and
//! penalty, tells apart what the architecture does and what the VAE does.

use ndarray::ArrayView2;
use serde_json::{Value, json};
use viz::charts::{ClassScatter, LineChart, Series};
use viz::page::{Block, Cell, Column, Section, Table, Text};
use viz::{
    Aspect, Axis, Dash, Figure, Frame, Grid, Layer, Panel, PlacedImage, Plot, Ticks, lattice,
    montage,
};

use super::{Described, Drawing, PlannedRun, Report, Scale, Study, TrainedRun};
use crate::configuration::{Configuration, Override};
use crate::error::Error;

pub(super) const STUDY: Study = Study {
    name: "lab",
    title: "The lab exercise: two latent planes side by side",
    about: "21 × 21 maps of a VAE, an AE of its architecture and the lab's AE without a hidden layer",
    plan,
    draw,
};

/// Codes per side of the map, and the map's half-width: the exercise's own.
const STEPS: usize = 21;
const RANGE: f64 = 4.0;
/// The 4 × 4 patch around the origin: rows and columns of the map.
const CENTRE: std::ops::Range<usize> = 9..13;
const SIDE: usize = 28;

/// Key, preset and name of the bare map of each model.
const MODELS: [(&str, &str); 3] = [
    ("vae", "lab-vae"),
    ("ae", "lab-ae-deep"),
    ("lab-ae", "lab-ae"),
];

fn plan(dataset: &datasets::Dataset, scale: Scale) -> Vec<PlannedRun> {
    let mut runs = Vec::new();
    for seed in 0..scale.seeds {
        for (key, preset) in MODELS {
            let mut configuration = Configuration::resolve(Some(preset), None, &[] as &[Override])
                .expect("presets are valid, as a test shows");
            configuration.data.dataset.clone_from(&dataset.name);
            configuration.training.seed = seed as u64;
            if scale.quick {
                configuration.training.epochs = 3;
            }
            runs.push(PlannedRun { key, configuration });
        }
    }
    runs
}

fn draw(drawing: &mut Drawing<'_>) -> Result<Report, Error> {
    let runs = [
        drawing.run("vae")?,
        drawing.run("ae")?,
        drawing.run("lab-ae")?,
    ];
    let mut blocks = vec![Block::paragraph(
        "Codes from −4 to 4 on both axes, decoded by each model's own decoder: z = (−4, 4) at the \
         top left, (4, −4) at the bottom right.",
    )];
    let tiles: Vec<Vec<u8>> = runs
        .iter()
        .map(|run| run.decode_bytes(&lattice(STEPS, -RANGE, RANGE)))
        .collect();
    blocks.push(bare_maps(drawing, &runs, &tiles)?);
    blocks.push(labelled_maps(drawing, &runs, &tiles)?);
    blocks.push(centre_patches(drawing, &runs, &tiles)?);
    blocks.push(scatters(drawing, &runs)?);
    blocks.push(training_curves(drawing, &runs)?);
    blocks.push(losses(&runs));
    Ok(Report {
        section: Section {
            heading: STUDY.title.into(),
            blocks,
        },
        claims: Vec::new(),
    })
}

fn bare_maps(
    drawing: &mut Drawing<'_>,
    runs: &[&TrainedRun],
    tiles: &[Vec<u8>],
) -> Result<Block, Error> {
    let grid = Grid::new(STEPS, STEPS, SIDE, SIDE);
    let mut figures = Vec::new();
    for (run, tiles) in runs.iter().zip(tiles) {
        let caption = format!(
            "{}: the map as the exercise asks for it, {STEPS} × {STEPS} codes.",
            run.title()
        );
        let image = montage(&grid, tiles)?;
        figures.push(drawing.write(
            &format!("{}-map", run.key),
            &image,
            Described {
                caption: &caption,
                runs: &[run],
                data: map_data(),
                bare: true,
            },
        )?);
    }
    Ok(Block::Figures(figures))
}

fn labelled_maps(
    drawing: &mut Drawing<'_>,
    runs: &[&TrainedRun],
    tiles: &[Vec<u8>],
) -> Result<Block, Error> {
    let mut panels = Vec::new();
    for (run, tiles) in runs.iter().zip(tiles) {
        let panel = labelled_map(&run.title(), tiles)?;
        let caption = format!("{}: the map with its axes.", run.title());
        let figure = Figure {
            caption: format!("{caption} Every tile is centred on its code."),
            ..Figure::of(panel.clone())
        };
        drawing.write(
            &format!("{}-map-labelled", run.key),
            &figure.render(),
            Described {
                caption: &caption,
                runs: &[run],
                data: map_data(),
                bare: false,
            },
        )?;
        panels.push(Panel::from(panel));
    }
    let caption = "The three maps side by side. Same data, same range of codes; the first two \
                   models share an architecture, the last two a loss.";
    let figure = Figure {
        title: format!("Maps of the latent plane, {}", drawing.dataset.name),
        caption: caption.into(),
        ..Figure::row(panels)
    };
    let link = drawing.write(
        "maps",
        &figure.render(),
        Described {
            caption,
            runs,
            data: map_data(),
            bare: false,
        },
    )?;
    Ok(Block::figure(link))
}

/// A map on axes: the tiles' centres are at their codes.
fn labelled_map(title: &str, tiles: &[u8]) -> Result<Plot, Error> {
    let image = montage(&Grid::new(STEPS, STEPS, SIDE, SIDE), tiles)?;
    let half_tile = RANGE / (STEPS - 1) as f64;
    let edge = RANGE + half_tile;
    let ticks = || {
        Ticks::At(
            (-2..=2)
                .map(|tick| {
                    let value = f64::from(tick) * 2.0;
                    (value, viz::number::decimal(value, 0))
                })
                .collect(),
        )
    };
    Ok(Plot {
        title: title.into(),
        x: Axis::linear("z₁", -edge, edge).with_ticks(ticks()),
        y: Axis::linear("z₂", -edge, edge).with_ticks(ticks()),
        size: [441.0, 441.0],
        aspect: Aspect::EqualSize,
        frame: Frame::Closed,
        grid: [false; 2],
        layers: vec![Layer::Image(PlacedImage {
            image: image.into(),
            x: [-edge, edge],
            y: [-edge, edge],
            alpha: 1.0,
        })],
        ..Plot::default()
    })
}

fn map_data() -> Value {
    json!({
        "rows": STEPS,
        "columns": STEPS,
        "first_axis": [-RANGE, RANGE],
        "second_axis": [RANGE, -RANGE],
        "order": "row-major from the top left; the second axis points up",
    })
}

fn centre_patches(
    drawing: &mut Drawing<'_>,
    runs: &[&TrainedRun],
    tiles: &[Vec<u8>],
) -> Result<Block, Error> {
    let scale = 2;
    let grid = Grid {
        scale,
        gutter: 4,
        background: 255,
        ..Grid::new(CENTRE.len(), CENTRE.len(), SIDE, SIDE)
    };
    let codes = viz::linspace(STEPS, -RANGE, RANGE);
    let mut figures = Vec::new();
    for (run, tiles) in runs.iter().zip(tiles) {
        let mut patch = Vec::new();
        for row in CENTRE {
            for column in CENTRE {
                let at = (row * STEPS + column) * SIDE * SIDE;
                patch.extend_from_slice(&tiles[at..at + SIDE * SIDE]);
            }
        }
        let caption = format!(
            "{}: the centre of its map, z₁ from {} to {}, z₂ from {} to {}.",
            run.title(),
            viz::number::decimal(codes[CENTRE.start], 1),
            viz::number::decimal(codes[CENTRE.end - 1], 1),
            viz::number::decimal(-codes[CENTRE.end - 1], 1),
            viz::number::decimal(-codes[CENTRE.start], 1),
        );
        figures.push(drawing.write(
            &format!("{}-centre", run.key),
            &montage(&grid, &patch)?,
            Described {
                caption: &caption,
                runs: &[run],
                data: json!({"rows_of_map": [CENTRE.start, CENTRE.end], "columns_of_map": [CENTRE.start, CENTRE.end]}),
                bare: true,
            },
        )?);
    }
    Ok(Block::Figures(figures))
}

fn scatters(drawing: &mut Drawing<'_>, runs: &[&TrainedRun]) -> Result<Block, Error> {
    let test = &drawing.dataset.test;
    let mut panels = Vec::new();
    let mut legend = Vec::new();
    let mut data = Vec::new();
    for run in runs {
        let codes = points(run.encode(test.images()).mean.view());
        let mut plot = ClassScatter {
            title: &run.title(),
            points: &codes,
            classes: test.labels(),
            class_names: &drawing.dataset.class_names,
            prior: run.is_variational(),
            ..ClassScatter::default()
        }
        .plot()?;
        legend = std::mem::take(&mut plot.legend);
        panels.push(Panel::from(plot));
        data.push(json!({"model": run.key, "codes": codes}));
    }
    let caption = format!(
        "Codes of the test images, n = {}; for the VAE the posterior means, with the prior's \
         circles of one and two standard deviations. Each panel has its own range.",
        test.len()
    );
    let figure = Figure {
        title: format!("Codes by class, {}", drawing.dataset.name),
        caption: caption.clone(),
        legend,
        ..Figure::row(panels)
    };
    let link = drawing.write(
        "codes",
        &figure.render(),
        Described {
            caption: &caption,
            runs,
            data: json!({"split": "test", "labels": test.labels(), "models": data}),
            bare: false,
        },
    )?;
    Ok(Block::figure(link))
}

fn points(codes: ArrayView2<'_, f32>) -> Vec<[f64; 2]> {
    codes
        .outer_iter()
        .map(|code| [f64::from(code[0]), f64::from(code[1])])
        .collect()
}

fn training_curves(drawing: &mut Drawing<'_>, runs: &[&TrainedRun]) -> Result<Block, Error> {
    let mut loss = Vec::new();
    let mut reconstruction = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        let colour = Some(viz::class_colour(index));
        for (name, dash, on_test) in [("train", Dash::Dashed, false), ("test", Dash::Solid, true)] {
            let curve = |value: fn(&crate::run_folder::Losses) -> f64| Series {
                name: format!("{}, {name}", run.title()),
                points: run
                    .metrics
                    .iter()
                    .map(|epoch| {
                        let losses = if on_test { &epoch.test } else { &epoch.train };
                        [epoch.epoch as f64, value(losses)]
                    })
                    .collect(),
                colour,
                dash,
                ..Series::default()
            };
            loss.push(curve(|losses| losses.loss));
            reconstruction.push(curve(|losses| losses.reconstruction));
        }
    }
    let chart = |title: &str, series: &[Series]| {
        LineChart {
            title,
            y_label: "nats per image",
            series,
            ..LineChart::default()
        }
        .plot()
    };
    let mut left = chart("Loss", &loss);
    let mut right = chart("Reconstruction", &reconstruction);
    let legend = std::mem::take(&mut left.legend);
    right.legend.clear();
    let caption = "Training and test losses by epoch, in nats per image. The training values are \
                   means over the epoch while the weights change; the test values are taken after \
                   it, with z sampled for the VAE.";
    let figure = Figure {
        title: format!("Training, {}", drawing.dataset.name),
        caption: caption.into(),
        legend,
        ..Figure::row(vec![left.into(), right.into()])
    };
    let data: Vec<Value> = runs
        .iter()
        .map(|run| json!({"model": run.key, "metrics": run.metrics}))
        .collect();
    let link = drawing.write(
        "training",
        &figure.render(),
        Described {
            caption,
            runs,
            data: json!(data),
            bare: false,
        },
    )?;
    Ok(Block::figure(link))
}

fn losses(runs: &[&TrainedRun]) -> Block {
    let number = |value: f64| Cell::Number { value, decimals: 2 };
    let rows = runs
        .iter()
        .filter_map(|run| {
            let last = run.last()?;
            Some(vec![
                Cell::text(run.title()),
                Cell::Number {
                    value: last.epoch as f64,
                    decimals: 0,
                },
                number(last.test.reconstruction),
                if run.is_variational() {
                    number(last.test.kl)
                } else {
                    Cell::Missing
                },
                number(last.test.loss),
                number(last.train.loss),
            ])
        })
        .collect();
    Block::Table(Table {
        caption: Text::from("Losses after the last epoch, seed 0."),
        columns: vec![
            Column::new("model", ""),
            Column::new("epochs", ""),
            Column::new("test reconstruction", "nats"),
            Column::new("test KL", "nats"),
            Column::new("test loss", "nats"),
            Column::new("train loss", "nats"),
        ],
        rows,
    })
}
