//! The maps: bare, with axes, their centres, at the prior's quantiles.

use ndarray::Axis;
use serde_json::json;
use viz::number::decimal;
use viz::page::{Block, FigureLink};
use viz::{Figure, Panel, Plot};

use crate::measures::map::{CENTRE, RANGE, STEPS};
use crate::{Drawing, TrainedRun};
use figures::Described;
use figures::plane_map::{PlaneMap, prior_quantiles};
use figures::tiles::{Layout, picture};
use figures::wording::{name_of, seed_and_epochs, seeds_and_epochs, unbroken};
use runs::Error;

/// Pixels that the longer side of a tile of a centre has, about.
const CENTRE_SIDE: usize = 56;
/// Size of an image's pixel in the figures side by side: one pixel of the file.
const PIXEL: f64 = 0.5;

/// The map as the exercise asks for it, one picture for each model.
pub(super) fn bare(
    drawing: &mut Drawing<'_>,
    runs: &[&TrainedRun],
    maps: &[PlaneMap],
) -> Result<Vec<Block>, Error> {
    let mut figures = Vec::new();
    for (run, map) in runs.iter().zip(maps) {
        let caption = format!(
            "{}: the map as the exercise asks for it, {STEPS} × {STEPS} codes; {}.",
            run.title(),
            seed_and_epochs(run),
        );
        let labelled = with_axes(drawing, run, map)?;
        let bare = drawing.write(
            &format!("{}-map", run.key),
            &map.image()?,
            Described {
                caption: &caption,
                runs: &[run],
                data: map.data(),
                bare: true,
            },
        )?;
        figures.push(FigureLink {
            with_axes: Some(labelled.source),
            ..bare
        });
    }
    Ok(vec![Block::Figures(figures)])
}

/// One map with its axes, to which the bare one leads.
fn with_axes(
    drawing: &mut Drawing<'_>,
    run: &TrainedRun,
    map: &PlaneMap,
) -> Result<FigureLink, Error> {
    let caption = format!(
        "{} on {}: the map with its axes, every tile centred on its code; {}.",
        run.title(),
        name_of(drawing.dataset),
        seed_and_epochs(run),
    );
    let figure = Figure {
        caption: unbroken(&caption),
        ..Figure::of(map.plot(&run.title(), 1.0)?)
    };
    let described = Described {
        caption: &caption,
        runs: &[run],
        data: map.data(),
        bare: false,
    };
    drawing.write_figure(&format!("{}-map-labelled", run.key), &figure, described)
}

/// All maps side by side with their axes.
pub(super) fn labelled(
    drawing: &mut Drawing<'_>,
    runs: &[&TrainedRun],
    maps: &[PlaneMap],
) -> Result<Vec<Block>, Error> {
    // True of the three models together; one whose runs diverged is missing.
    let alike = if runs.len() == 3 {
        "the VAE and the second model share an architecture, both AEs a loss; "
    } else {
        ""
    };
    let caption = format!(
        "The maps side by side, every tile centred on its code. Same data, same range of codes; \
         {alike}{}.",
        seeds_and_epochs(runs),
    );
    side_by_side(
        drawing,
        "maps",
        "Maps of the latent plane",
        &caption,
        runs,
        maps,
    )
}

/// The maps at codes of equal prior probability.
pub(super) fn at_quantiles(
    drawing: &mut Drawing<'_>,
    runs: &[&TrainedRun],
) -> Result<Vec<Block>, Error> {
    let maps: Vec<PlaneMap> = runs
        .iter()
        .map(|run| PlaneMap::at_prior_quantiles(run, STEPS))
        .collect();
    let codes = prior_quantiles(STEPS);
    let caption = format!(
        "The same maps at the prior's quantiles: {STEPS} codes an axis that cut N(0, 1) into parts \
         of equal probability, from {} to {}, so that every tile stands for the same share of \
         samples z ~ p(z). Ticks name codes; they are not equally far apart; {}.",
        decimal(codes[0], 2),
        decimal(codes[STEPS - 1], 2),
        seeds_and_epochs(runs),
    );
    side_by_side(
        drawing,
        "quantile-maps",
        "Maps at the prior's quantiles",
        &caption,
        runs,
        &maps,
    )
}

fn side_by_side(
    drawing: &mut Drawing<'_>,
    name: &str,
    title: &str,
    caption: &str,
    runs: &[&TrainedRun],
    maps: &[PlaneMap],
) -> Result<Vec<Block>, Error> {
    let panels: Result<Vec<Plot>, Error> = runs
        .iter()
        .zip(maps)
        .map(|(run, map)| map.plot(&run.title(), PIXEL))
        .collect();
    let figure = Figure {
        title: title.into(),
        caption: caption.into(),
        ..Figure::row(panels?.into_iter().map(Panel::from).collect())
    };
    drawing.chart(name, figure, runs, maps[0].data())
}

/// The 4 × 4 tiles around the origin: bare pictures, and side by side.
pub(super) fn centres(
    drawing: &mut Drawing<'_>,
    runs: &[&TrainedRun],
    maps: &[PlaneMap],
) -> Result<Vec<Block>, Error> {
    let layout = Layout {
        gutter: 4,
        background: 255,
        ..Layout::map(CENTRE, CENTRE)
    };
    let grid = layout.bare_grid(drawing.shape(), CENTRE_SIDE);
    // An even patch of an odd map lies half a tile to the upper left.
    let start = (STEPS - CENTRE) / 2;
    let mut figures = Vec::new();
    for (run, map) in runs.iter().zip(maps) {
        let rows: Vec<usize> = (start..start + CENTRE)
            .flat_map(|row| (start..start + CENTRE).map(move |column| row * STEPS + column))
            .collect();
        let patch = map.images.select(Axis(0), &rows);
        let caption = format!(
            "{}: the centre of its map, z₁ from {} to {}, z₂ from {} to {}; {}.",
            run.title(),
            decimal(map.first[start], 1),
            decimal(map.first[start + CENTRE - 1], 1),
            decimal(map.second[STEPS - start - CENTRE], 1),
            decimal(map.second[STEPS - start - 1], 1),
            seed_and_epochs(run),
        );
        figures.push(drawing.write(
            &format!("{}-centre", run.key),
            &picture(map.tile, patch.view(), &grid)?,
            Described {
                caption: &caption,
                runs: &[run],
                data: json!({
                    "rows_of_map": [start, start + CENTRE],
                    "columns_of_map": [start, start + CENTRE],
                    "range_of_map": [-RANGE, RANGE],
                }),
                bare: true,
            },
        )?);
    }
    Ok(vec![Block::Figures(figures)])
}
