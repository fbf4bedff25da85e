//! Images decoded from random codes.

use evaluation::random_codes::{Fitted, prior_codes};
use runs::Error;
use serde::{Deserialize, Serialize};
use serde_json::json;
use viz::page::Block;
use viz::{Figure, Panel};

use super::Picture;
use super::each_run::in_rows;
use crate::tiles::{Layout, panel};
use crate::wording::{listed, seeds_and_epochs, test_images};
use crate::{Drawing, TrainedRun};

/// Images of random codes: of the prior, or of the normal distribution of the
/// test codes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Samples {
    /// Rows of images.
    pub rows: usize,
    /// Columns of images.
    pub columns: usize,
    /// Takes codes of a VAE from the fitted distribution too; those of
    /// autoencoders, which have no prior, are always.
    pub fitted: bool,
}

impl Default for Samples {
    fn default() -> Self {
        Self {
            rows: 8,
            columns: 10,
            fitted: false,
        }
    }
}

impl Picture for Samples {
    const NAME: &'static str = "samples";
    const TITLE: &'static str = "Samples";
    const ABOUT: &'static str =
        "images of codes drawn from the prior, or from the codes' normal distribution";

    fn draw(
        &self,
        drawing: &mut Drawing<'_>,
        runs: &[&TrainedRun],
        file: &str,
    ) -> Result<Vec<Block>, Error> {
        let count = self.rows.saturating_mul(self.columns);
        if !(1..=10_000).contains(&count) {
            return Err(Error::Configuration(format!(
                "{} rows of {} samples cannot be drawn; expected 1 to 10000 in all",
                self.rows, self.columns
            )));
        }
        let mut panels = Vec::new();
        let mut data = Vec::new();
        let mut fitted = Vec::new();
        for run in runs {
            let noise = prior_codes(count, run.latent());
            let is_of_prior = run.is_variational() && !self.fitted;
            let codes = if is_of_prior {
                noise
            } else {
                fitted.push(run.title());
                let test = run.codes(&drawing.dataset.test)?;
                Fitted::to(test.mean.view())?.codes(&noise)
            };
            let layout = Layout {
                gutter: 1,
                pixel: 1.0,
                background: 255,
                ..Layout::map(self.rows, self.columns)
            };
            let decoded = run.decoded(codes.view());
            panels.push(Panel::from(panel(
                &run.title(),
                run.shape,
                decoded.view(),
                layout,
            )?));
            data.push(json!({
                "model": run.key,
                "from": if is_of_prior { "prior" } else { "fitted" },
            }));
        }
        let of_prior = fitted.len() < runs.len();
        let mut caption = String::from("Mean images of random codes");
        if of_prior {
            caption.push_str(" z ~ N(0, I)");
        }
        if !fitted.is_empty() {
            let own = format!(
                "of the normal distribution with the mean and covariance of the codes of {}",
                test_images(drawing.dataset)
            );
            if of_prior {
                caption.push_str(&format!("; for {} {own}", listed(&fitted)));
            } else {
                caption.push_str(&format!(" {own}"));
            }
        }
        caption.push_str(&format!(
            ". The same random numbers for every model of one latent size; {}.",
            seeds_and_epochs(runs)
        ));
        let figure = Figure {
            title: Self::TITLE.into(),
            caption,
            ..Figure::grid(in_rows(panels))
        };
        let data = json!({
            "rows": self.rows,
            "columns": self.columns,
            "seed": evaluation::random_codes::CODES_SEED,
            "models": data,
        });
        drawing.chart(file, figure, runs, data)
    }
}
