//! The aggregate posterior beside the prior.

use evaluation::aggregate_posterior::Lattice;
use runs::Error;
use serde::{Deserialize, Serialize};
use serde_json::json;
use viz::charts::DensityMap;
use viz::page::{Block, Cell, Column, Table, Text};
use viz::{ColourMap, Ellipses, Field, Figure, Layer, Panel, Plot, Rgb};

use super::Picture;
use super::each_run::{
    beside_each_other, of_each, one_below_the_other, panel_side, with_one_bar_a_row,
};
use super::map::in_sentences;
use crate::plane::Axes;
use crate::plane_map::rounded;
use crate::posteriors::{HalfWidth, Posteriors, lattice_field};
use crate::wording::{capitalised, percent, seeds_and_epochs, test_images};
use crate::{Drawing, TrainedRun};

/// Ratios of the densities are told apart up to this power of ten.
const RATIO_LIMIT: f64 = 2.0;

/// Density of the aggregate posterior q(z) of the test images beside that of the
/// prior, and the ratio of both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AggregatePosterior {
    /// Half the side of the square.
    pub range: HalfWidth,
    /// Cells along each side.
    pub cells: usize,
    /// The two of more latent variables.
    pub axes: Axes,
}

impl Default for AggregatePosterior {
    fn default() -> Self {
        Self {
            range: HalfWidth::Automatic,
            cells: 121,
            axes: Axes::Automatic,
        }
    }
}

impl Picture for AggregatePosterior {
    const NAME: &'static str = "aggregate-posterior";
    const TITLE: &'static str = "Aggregate posterior and prior";
    const ABOUT: &'static str = "density of q(z) beside that of the prior, and where they differ";

    fn check(&self) -> Result<(), Error> {
        if !(2..=401).contains(&self.cells) {
            return Err(Error::Configuration(format!(
                "a lattice of {} cells a side cannot be drawn; expected 2 to 401",
                self.cells
            )));
        }
        Ok(())
    }

    fn draw(
        &self,
        drawing: &mut Drawing<'_>,
        runs: &[&TrainedRun],
        file: &str,
    ) -> Result<Vec<Block>, Error> {
        let (posteriors, left_out) = of_each(runs, |run| Posteriors::of(drawing, run, self.axes))?;
        // One square for all, so that one prior stands beside all of them.
        let mut half_width: f64 = 0.0;
        for (_, posteriors) in &posteriors {
            half_width = half_width.max(posteriors.half_width(self.range)?);
        }
        let lattice = Lattice {
            half_width,
            cells: self.cells,
        };
        let mut shown = Vec::new();
        let (mut fields, mut planes) = (Vec::new(), Vec::new());
        let (mut table, mut data) = (Vec::new(), Vec::new());
        for (run, posteriors) in posteriors {
            let found = posteriors.aggregate(drawing, run, lattice)?;
            let prior = posteriors.against_prior(drawing, run)?;
            let number = |value, decimals| Cell::Number { value, decimals };
            table.push(vec![
                Cell::text(run.title()),
                number(prior.kl_from_prior, 2),
                number(prior.total_variation, 2),
                Cell::text(percent(prior.hole_mass)),
                Cell::text(percent(prior.mass_outside_prior)),
            ]);
            data.push(json!({
                "model": run.key,
                "plane": posteriors.plane.words_of_projection(),
                "density": found.density,
                "log10_ratio_to_the_prior": found.log10_ratio,
                "against_the_prior": prior,
            }));
            fields.push([
                lattice_field(lattice, found.density)?,
                lattice_field(lattice, found.log10_ratio)?,
            ]);
            planes.push((run.title(), posteriors.plane));
            shown.push(run);
        }
        let prior = prior_density(lattice)?;
        let densities = fields.iter().map(|[density, _]| density).chain([&prior]);
        let top = densities.map(|field| field.limits()[1]).fold(0.0, f64::max);
        // Of a single run, density, prior and ratio stand in one row.
        let side = panel_side((fields.len() + 1).max(3));
        let (mut above, mut below) = (Vec::new(), Vec::new());
        for ([density, ratio], (title, plane)) in fields.iter().zip(&planes) {
            let labels = [plane.labels[0].as_str(), plane.labels[1].as_str()];
            above.push(on_lattice(DensityMap {
                title,
                labels,
                value_label: "density",
                limits: Some([0.0, top]),
                ..DensityMap::new(density)
            }));
            below.push(on_lattice(DensityMap {
                labels,
                value_label: "log₁₀ q(z)/p(z)",
                map: ColourMap::Diverging,
                limits: Some([-RATIO_LIMIT, RATIO_LIMIT]),
                ..DensityMap::new(ratio)
            }));
        }
        // One prior stands beside all: the axes are named where they are the same.
        let shared = &planes[0].1.labels;
        let is_shared = planes.iter().all(|(_, plane)| plane.labels == *shared);
        let labels = if is_shared {
            [shared[0].as_str(), shared[1].as_str()]
        } else {
            ["first axis", "second axis"]
        };
        above.push(on_lattice(DensityMap {
            labels,
            title: "Prior p(z)",
            value_label: "density",
            limits: Some([0.0, top]),
            ..DensityMap::new(&prior)
        }));
        for plot in above.iter_mut().chain(&mut below) {
            plot.size = [side; 2];
        }
        let count = above.len();
        let mut below = with_one_bar_a_row(below, count);
        below.push(Panel::Empty);
        let planes: Vec<(String, String)> = planes
            .into_iter()
            .map(|(title, plane)| (title, plane.words_of_projection().to_owned()))
            .collect();
        let caption = format!(
            "Density of the aggregate posterior q(z), the mean of the posteriors of {}, and of the \
             prior, in the same colours; and the ratio of both as a power of ten, blue where the \
             prior has codes but no posteriors. Dashed: one and two standard deviations of \
             the prior.{} {}.{left_out}",
            test_images(drawing.dataset),
            in_sentences(&planes),
            capitalised(&seeds_and_epochs(&shown)),
        );
        let rows = one_below_the_other(with_one_bar_a_row(above, count), below);
        let rows = if shown.len() == 1 {
            beside_each_other(rows)
        } else {
            rows
        };
        let figure = Figure {
            title: Self::TITLE.into(),
            caption,
            ..Figure::grid(rows)
        };
        let data = json!({
            "cells": self.cells,
            "range": rounded(&prior.x, 4),
            "order": "row-major from the top left",
            "models": data,
        });
        let mut blocks = drawing.chart(file, figure, &shown, data)?;
        blocks.push(Block::Table(numbers(table)));
        Ok(blocks)
    }
}

fn on_lattice(map: DensityMap<'_>) -> Plot {
    let mut circles = Ellipses::prior(&[1.0, 2.0]);
    if map.map == ColourMap::Viridis {
        // Dark on dark is not seen.
        for circle in &mut circles.ellipses {
            circle.colour = Rgb::WHITE;
        }
    }
    let mut plot = DensityMap {
        contours: 0,
        smooth: false,
        ..map
    }
    .plot();
    plot.layers.push(Layer::Ellipses(circles));
    plot
}

fn prior_density(lattice: Lattice) -> Result<Field, Error> {
    let at = |index: usize| (-0.5 * lattice.centre(index).powi(2)).exp();
    let cells = lattice.cells;
    let values = (0..cells * cells)
        .map(|cell| at(cell / cells) * at(cell % cells) / std::f64::consts::TAU)
        .collect();
    lattice_field(lattice, values)
}

fn numbers(rows: Vec<Vec<Cell>>) -> Table {
    Table {
        caption: Text::from(
            "The aggregate posterior held against the prior on a lattice of cells. Holes: the \
             prior's mass where q(z) is less than a tenth of it. Outside: the mass of q(z) outside \
             of the disc that holds 95 % of the prior, 5 % where they agree.",
        ),
        columns: vec![
            Column::new("run", ""),
            Column::new("KL(q(z) ‖ p(z))", "nats"),
            Column::new("total variation", ""),
            Column::new("holes", ""),
            Column::new("outside", ""),
        ],
        rows,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prior_has_its_peak_and_its_mass() {
        let lattice = Lattice {
            half_width: 5.0,
            cells: 101,
        };
        let prior = prior_density(lattice).unwrap();
        assert!((prior.value(50, 50) - 1.0 / std::f64::consts::TAU).abs() < 1e-12);
        let mass: f64 = prior.values.iter().sum::<f64>() * lattice.step().powi(2);
        assert!((mass - 1.0).abs() < 1e-5, "{mass}");
    }
}
