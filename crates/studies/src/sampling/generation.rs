//! Images made from random codes, and how good they are.

use ndarray::Array2;
use serde_json::json;
use viz::charts::{Strip, StripChart};
use viz::page::{Block, Cell, Column, Table, Text};
use viz::{Figure, Panel, Rgb, Scale, TilePanel};

use super::{PAIRS, Shown, both};
use crate::{Drawing, TrainedRun, collapsed};
use evaluation::random_codes::{Fitted, prior_codes};
use figures::figure_data::rounded;
use figures::image_quality::{self, ImageQuality, QUANTITIES, Quantity, Source, image_quality};
use figures::tiles::{Layout, panel};
use figures::wording::{capitalised, seeds_of};
use runs::Error;
use runs::run_data::images;

/// Rows and columns of random images.
const SHOWN: usize = 10;

/// Random images of every model: from the prior, and without sampling also
/// from a normal distribution fitted to the codes.
pub(super) fn figure(drawing: &mut Drawing<'_>, shown: &[Shown<'_>]) -> Result<Vec<Block>, Error> {
    let mut rows: [Vec<Panel>; 3] = Default::default();
    let mut data = Vec::new();
    for pair in shown {
        let latent = pair.with.configuration.model.latent;
        let noise = prior_codes(SHOWN * SHOWN, latent);
        let own = pair.without.encode(images(&drawing.dataset.test)).mean;
        let fitted = Fitted::to(own.view())?.codes(&noise);
        let panels = [
            (pair.with, &noise, ""),
            (pair.without, &noise, ""),
            (pair.without, &fitted, ", fitted"),
        ];
        for (row, (run, codes, source)) in rows.iter_mut().zip(panels) {
            let title = format!("{}{source}", run.title());
            row.push(tiles(&title, run, codes, SHOWN, 1.0)?.into());
            data.push(json!({"model": run.key, "title": title, "codes": rounded_rows(codes)}));
        }
    }
    let runs = both(shown);
    let caption = format!(
        "{} random images of each model after {} epochs, {}, the same deviates in every row. \
         Above, with sampling, codes from N(0, I). Middle, without, the same codes. Below, \
         without, codes from the normal distribution with the mean and the covariance of the test \
         images' codes.",
        SHOWN * SHOWN,
        runs[0].metrics.len(),
        seeds_of(&runs),
    );
    let figure = Figure {
        title: "Random generation with and without sampling".into(),
        caption,
        ..Figure::grid(rows.into())
    };
    drawing.chart("generation", figure, &runs, json!(data))
}

/// Decoded codes in rows of `columns`.
pub(super) fn tiles(
    title: &str,
    run: &TrainedRun,
    codes: &Array2<f32>,
    columns: usize,
    pixel: f64,
) -> Result<TilePanel, Error> {
    let layout = Layout {
        rows: codes.nrows().div_ceil(columns),
        columns,
        gutter: 1,
        background: 90,
        pixel,
    };
    let images = run.model.decode(codes.view());
    panel(title, run.shape, images.view(), layout)
}

pub(super) fn rounded_rows(codes: &Array2<f32>) -> Vec<Vec<f64>> {
    codes
        .outer_iter()
        .map(|code| {
            code.iter()
                .map(|&value| rounded(f64::from(value)))
                .collect()
        })
        .collect()
}

/// Title, unit and scale of a chart, and what it shows.
type Chart = (&'static str, &'static str, Scale, Quantity);

/// A model with a source of codes.
struct Sampled {
    key: &'static str,
    name: String,
    colour: Rgb,
    source: Source,
}

/// Every model with the sources of codes it is measured with.
fn sources(drawing: &Drawing<'_>) -> Result<Vec<Sampled>, Error> {
    let mut sources = Vec::new();
    for pair in PAIRS {
        let with = drawing.title(pair.with);
        let without = drawing.title(pair.without);
        let fitted = format!("{without}, fitted");
        for (key, name, colour, source) in [
            (pair.with, with, 0x3f90da, Source::Prior),
            (pair.without, without, 0xe76300, Source::Prior),
            (pair.without, fitted, 0xffa90e, Source::Fitted),
        ] {
            sources.push(Sampled {
                key,
                name,
                colour: Rgb::hex(colour),
                source,
            });
        }
    }
    Ok(sources)
}

/// Fréchet distance and coverage of every model's samples over seeds.
pub(super) fn quality_figure(
    drawing: &mut Drawing<'_>,
    floor: &ImageQuality,
) -> Result<Vec<Block>, Error> {
    let (counted, apart) = &collapsed::apart(drawing)?;
    let sources = sources(drawing)?;
    let charts: [Chart; 3] = [
        (
            "Fréchet distance (less is better)",
            "distance",
            Scale::Log10,
            |images| images.frechet,
        ),
        ("Precision", "share of samples", Scale::Linear, |images| {
            images.precision
        }),
        (
            "Coverage",
            "share of test images",
            Scale::Linear,
            |images| images.coverage,
        ),
    ];
    let mut panels: Vec<Panel> = Vec::new();
    let mut data = Vec::new();
    for (index, (title, label, scale, value)) in charts.into_iter().enumerate() {
        let mut strips = Vec::new();
        for source in &sources {
            let of = |drawing: &Drawing<'_>| {
                drawing.over_seeds(source.key, &source.name, |run| {
                    Ok(value(&image_quality(drawing, run, source.source)?))
                })
            };
            let measured = of(drawing)?;
            data.push(
                json!({"quantity": title, "model": source.name, "by_seed": measured.by_seed}),
            );
            strips.push(Strip {
                interval: of(counted)?.strip(source.colour).interval,
                ..measured.strip(source.colour)
            });
        }
        let mut plot = StripChart {
            title,
            label,
            strips: &strips,
            scale,
            rules: &[(value(floor), "real".into())],
        }
        .plot();
        plot.size = [270.0, 34.0 * sources.len() as f64];
        if index > 0 {
            plot.y.ticks = viz::Ticks::At(Vec::new());
        }
        panels.push(plot.into());
    }
    let runs: Vec<&TrainedRun> = drawing.runs.iter().collect();
    let caption = format!(
        "{}; every seed a point. Codes from N(0, I); \"fitted\": from a normal distribution with \
         the codes' own mean and covariance. The line is the other half of the test images. \
         Blurred images lie nearer to the middle of the real ones than these do themselves, so \
         that precision may exceed that of real images.{apart}",
        image_quality::in_words(drawing, floor)?,
    );
    let figure = Figure {
        title: "Quality of random images".into(),
        caption,
        ..Figure::row(panels)
    }
    .with_shared_legend();
    drawing.chart(
        "quality",
        figure,
        &runs,
        json!({"floor": floor, "measured": data}),
    )
}

/// All qualities of the models that figures show.
pub(super) fn table(
    drawing: &Drawing<'_>,
    shown: &[Shown<'_>],
    floor: &ImageQuality,
) -> Result<Vec<Block>, Error> {
    let mut rows = Vec::new();
    for pair in shown {
        for run in [pair.with, pair.without] {
            for (name, source) in [
                ("N(0, I)", Source::Prior),
                ("fitted normal", Source::Fitted),
                ("reconstructions", Source::Reconstructions),
            ] {
                rows.push(row(
                    &run.title(),
                    name,
                    &image_quality(drawing, run, source)?,
                ));
            }
        }
    }
    rows.push(row("real images", "test", floor));
    Ok(vec![Block::Table(Table {
        caption: Text::from(format!(
            "{}: {}. Reconstructions are of the other test images at z = μ, real images \
             these themselves. Precision, recall, density and coverage with {} neighbours; \
             confidence is the classifier's mean probability of the most probable class.",
            capitalised(&seeds_of(&both(shown))),
            image_quality::in_words(drawing, floor)?,
            image_quality::NEIGHBOURS,
        )),
        columns: ["model", "codes"]
            .into_iter()
            .chain(QUANTITIES.map(|(name, _)| name))
            .map(|name| Column::new(name, ""))
            .collect(),
        rows,
    })])
}

fn row(model: &str, codes: &str, images: &ImageQuality) -> Vec<Cell> {
    let numbers = QUANTITIES
        .iter()
        .enumerate()
        .map(|(at, (_, of))| Cell::Number {
            value: of(images),
            decimals: if at == 0 { 1 } else { 2 },
        });
    let words = [Cell::text(model), Cell::text(codes)];
    words.into_iter().chain(numbers).collect()
}
