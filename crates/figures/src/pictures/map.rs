//! Decoded images over a plane of the latent space.

use ndarray::ArrayView2;
use runs::Error;
use serde::{Deserialize, Serialize};
use serde_json::json;
use viz::page::Block;
use viz::{Figure, Panel, linspace};

use super::Picture;
use super::each_run::in_rows;
use crate::plane::{Axes, Plane};
use crate::plane_map::{PlaneMap, code_box_of, prior_quantiles};
use crate::wording::seeds_and_epochs;
use crate::{Drawing, TrainedRun};

/// Decoded images of a lattice of codes, side by side for several runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Map {
    /// Which codes.
    pub over: Over,
    /// Codes per side.
    pub steps: usize,
    /// Half the side of the square.
    pub range: f64,
    /// The plane of more than two latent variables.
    pub axes: Axes,
}

/// Where the codes of a map lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Over {
    /// A square about the origin.
    #[default]
    Square,
    /// The rectangle that holds 99 % of the test codes on each axis.
    Codes,
    /// The prior's quantiles: codes of equal prior probability.
    Quantiles,
}

impl Default for Map {
    fn default() -> Self {
        Self {
            over: Over::Square,
            steps: 21,
            range: 4.0,
            axes: Axes::Automatic,
        }
    }
}

impl Picture for Map {
    const NAME: &'static str = "map";
    const TITLE: &'static str = "Map of the latent plane";
    const ABOUT: &'static str =
        "decoded images over a square, over the codes or at the prior's quantiles";

    fn check(&self) -> Result<(), Error> {
        check_lattice(self.steps, self.range)
    }

    fn draw(
        &self,
        drawing: &mut Drawing<'_>,
        runs: &[&TrainedRun],
        file: &str,
    ) -> Result<Vec<Block>, Error> {
        let test = &drawing.dataset.test;
        let mut panels = Vec::new();
        let mut data = Vec::new();
        let mut planes = Vec::new();
        for run in runs {
            let codes = run.codes(test)?;
            let plane = Plane::of(&codes, self.axes)?;
            let [first, second] =
                self.over
                    .coordinates(&plane, codes.mean.view(), self.steps, self.range)?;
            let map = PlaneMap::on(&plane, run, first, second);
            // Half-units keep pixels square; three maps fit a row as they are.
            let pixel = if runs.len() == 1 { 1.0 } else { 0.5 };
            panels.push(Panel::from(map.plot(&run.title(), pixel)?));
            planes.push((run.title(), plane.words.clone()));
            data.push(json!({"model": run.key, "plane": plane.words, "codes": map.data()}));
        }
        let caption = format!(
            "Decoded images of {}, every tile centred on its code.{} {}.",
            self.over.in_words(self.steps, self.range),
            in_sentences(&planes),
            crate::wording::capitalised(&seeds_and_epochs(runs)),
        );
        let figure = Figure {
            title: Self::TITLE.into(),
            caption,
            ..Figure::grid(in_rows(panels))
        };
        drawing.chart(file, figure, runs, json!(data))
    }
}

impl Over {
    /// Ascending coordinates in the plane of the columns and of the rows.
    ///
    /// # Errors
    /// Those of the extent of `codes`.
    pub(super) fn coordinates(
        self,
        plane: &Plane,
        codes: ArrayView2<'_, f32>,
        steps: usize,
        range: f64,
    ) -> Result<[Vec<f64>; 2], Error> {
        Ok(match self {
            Self::Square => [(); 2].map(|()| linspace(steps, -range, range)),
            Self::Quantiles => [(); 2].map(|()| prior_quantiles(steps)),
            Self::Codes => {
                code_box_of(&plane.project(codes))?.map(|[low, high]| linspace(steps, low, high))
            }
        })
    }

    /// Refuses codes whose steps differ, for a picture that compares them.
    pub(super) fn check_even_steps(self, picture: &str) -> Result<(), Error> {
        if self == Self::Quantiles {
            return Err(Error::Configuration(format!(
                "the figure '{picture}' cannot be drawn at the prior's quantiles, whose steps differ; choose over = \"square\" or \"codes\""
            )));
        }
        Ok(())
    }

    /// `21 × 21 codes over −4 … 4 on both axes`.
    pub(super) fn in_words(self, steps: usize, range: f64) -> String {
        match self {
            Self::Square => format!(
                "{steps} × {steps} codes over −{range} … {range} on both axes",
                range = viz::number::decimal(range, usize::from(range.fract() != 0.0))
            ),
            Self::Codes => format!(
                "{steps} × {steps} codes over the rectangle that holds 99 % of each run's test codes \
                 on each axis"
            ),
            Self::Quantiles => format!(
                "{steps} × {steps} codes at the prior's quantiles, so that every tile stands for the \
                 same share of samples z ~ p(z)"
            ),
        }
    }
}

/// Refuses a lattice that cannot be drawn.
pub(super) fn check_lattice(steps: usize, range: f64) -> Result<(), Error> {
    if (2..=101).contains(&steps) && range > 0.0 && range.is_finite() {
        return Ok(());
    }
    Err(Error::Configuration(format!(
        "a map of {steps} steps over ±{range} cannot be drawn; expected 2 to 101 steps and a range above 0"
    )))
}

/// ` Of VAE 784-32-16 is shown: ….` for each run with its plane in words, where
/// that is not the whole latent space.
pub(super) fn in_sentences(planes: &[(String, String)]) -> String {
    planes
        .iter()
        .filter(|(_, words)| !words.is_empty())
        .map(|(title, words)| format!(" Of {title} is shown: {words}."))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lattices_that_cannot_be_drawn_are_refused() {
        assert!(check_lattice(2, 0.1).is_ok() && check_lattice(101, 4.0).is_ok());
        for (steps, range) in [(1, 4.0), (102, 4.0), (21, 0.0), (21, -1.0), (21, f64::NAN)] {
            let message = check_lattice(steps, range).unwrap_err().to_string();
            assert!(message.contains("2 to 101 steps"), "{message}");
        }
        assert!(Over::Codes.check_even_steps("change").is_ok());
        let message = Over::Quantiles
            .check_even_steps("change")
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("'change'") && message.contains("square"),
            "{message}"
        );
    }
}
