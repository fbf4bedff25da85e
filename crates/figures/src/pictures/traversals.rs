//! What each latent variable does to an image.

use ndarray::{Array2, ArrayView1};
use runs::Error;
use serde::{Deserialize, Serialize};
use serde_json::json;
use viz::page::Block;
use viz::{Figure, Panel, linspace};

use super::Picture;
use super::each_run::in_rows;
use super::units::{THRESHOLD, UnitsInUse};
use crate::plane::variable;
use crate::tiles::{Layout, panel};
use crate::wording::seeds_and_epochs;
use crate::{Drawing, TrainedRun};

/// A strip for each latent variable, the one with most KL first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Traversals {
    /// The test image whose code is held in the other variables.
    pub image: usize,
    /// Images in a strip.
    pub steps: usize,
    /// Half the width of a strip, in standard deviations of the prior; of an
    /// autoencoder, of the variable over test images about its mean.
    pub range: f64,
    /// Strips at most.
    pub most: usize,
}

impl Default for Traversals {
    fn default() -> Self {
        Self {
            image: 0,
            steps: 11,
            range: 3.0,
            most: 16,
        }
    }
}

impl Picture for Traversals {
    const NAME: &'static str = "traversals";
    const TITLE: &'static str = "Traversals";
    const ABOUT: &'static str = "what each latent variable does to an image, ordered by KL";

    fn check(&self) -> Result<(), Error> {
        let is_drawable = (2..=101).contains(&self.steps)
            && self.range > 0.0
            && self.range.is_finite()
            && self.most > 0;
        if !is_drawable {
            return Err(Error::Configuration(format!(
                "traversals of {} steps over ±{} in at most {} strips cannot be drawn; expected 2 to 101 steps, a range above 0 and at least one strip",
                self.steps, self.range, self.most
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
        let test = &drawing.dataset.test;
        if self.image >= test.len() {
            return Err(Error::Configuration(format!(
                "the figure '{}' is of test image {}, but must be of one below {}",
                Self::NAME,
                self.image,
                test.len()
            )));
        }
        let mut panels = Vec::new();
        let mut data = Vec::new();
        let mut left_out = 0;
        for run in runs {
            let codes = run.codes(test)?;
            let units = UnitsInUse::of(&codes)?;
            let shown = units.order.len().min(self.most);
            left_out = left_out.max(units.order.len() - shown);
            let held = codes.mean.row(self.image);
            let strips = self.codes(run, codes.mean.view(), &units, held);
            let layout = Layout {
                gutter: 1,
                pixel: 1.0,
                background: 255,
                ..Layout::map(shown, self.steps)
            };
            let decoded = run.decoded(strips.view());
            let mut tiles = panel(&run.title(), run.shape, decoded.view(), layout)?;
            tiles.row_heads = (0..shown).map(|rank| head(&units, rank)).collect();
            panels.push(Panel::from(tiles));
            data.push(json!({
                "model": run.key,
                "variables": units.order[..shown].iter().map(|i| i + 1).collect::<Vec<_>>(),
                "variance_of_mu": units.variance[..shown],
                "kl": units.kl.get(..shown),
            }));
        }
        let kinds = runs.iter().map(|run| run.is_variational());
        let over = match (kinds.clone().any(|is| is), kinds.clone().all(|is| is)) {
            (_, true) => format!("z from −{0} to {0}", number(self.range)),
            (false, _) => format!(
                "z within {} standard deviations of its mean over the test images",
                number(self.range)
            ),
            _ => format!(
                "z of a VAE from −{0} to {0}, of an AE within {0} standard deviations of its mean \
                 over the test images",
                number(self.range)
            ),
        };
        let more = match left_out {
            0 => String::new(),
            1 => " The variable with least is left out.".into(),
            count => format!(" The {count} variables with least are left out."),
        };
        let caption = format!(
            "One latent variable changes along each strip, {over}; the others stay at the code of \
             test image {}. Ordered by KL, of autoencoders by variance, which stand beside the \
             names; collapsed: variance of μ at most 0.01.{more} {}.",
            self.image,
            crate::wording::capitalised(&seeds_and_epochs(runs)),
        );
        let figure = Figure {
            title: Self::TITLE.into(),
            caption,
            ..Figure::grid(in_rows(panels))
        };
        let data = json!({
            "split": "test",
            "image": self.image,
            "steps": self.steps,
            "range": self.range,
            "models": data,
        });
        drawing.chart(file, figure, runs, data)
    }
}

impl Traversals {
    /// Codes of all strips, one after the other.
    fn codes(
        &self,
        run: &TrainedRun,
        codes: ndarray::ArrayView2<'_, f32>,
        units: &UnitsInUse,
        held: ArrayView1<'_, f32>,
    ) -> Array2<f32> {
        let shown = units.order.len().min(self.most);
        let steps = linspace(self.steps, -self.range, self.range);
        let mut strips = Array2::zeros((shown * self.steps, held.len()));
        for rank in 0..shown {
            let at = units.order[rank];
            let column = codes.column(at);
            let mean = column.iter().map(|&z| f64::from(z)).sum::<f64>() / column.len() as f64;
            let (middle, unit) = if run.is_variational() {
                (0.0, 1.0)
            } else {
                (mean, units.variance[rank].sqrt())
            };
            for (step, offset) in steps.iter().enumerate() {
                let mut code = strips.row_mut(rank * self.steps + step);
                code.assign(&held);
                code[at] = (middle + offset * unit) as f32;
            }
        }
        strips
    }
}

fn number(value: f64) -> String {
    viz::number::shortest(value)
}

/// `z₃  2.1 nats`, or that the variable is collapsed.
fn head(units: &UnitsInUse, rank: usize) -> String {
    let name = variable(units.order[rank]);
    let value = match units.kl.get(rank) {
        Some(&kl) => format!("{} nats", viz::number::decimal(kl, 1)),
        None => format!("variance {}", viz::number::decimal(units.variance[rank], 1)),
    };
    if units.variance[rank] > THRESHOLD {
        format!("{name}  {value}")
    } else {
        format!("{name}  collapsed")
    }
}
