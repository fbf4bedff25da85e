//! Images decoded from random codes.

use datasets::Dataset;
use evaluation::random_codes::{Fitted, prior_codes};
use ndarray::Array2;
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

/// Where the random codes of some runs come from.
#[derive(Debug, Default)]
pub(super) struct Origin {
    of_prior: bool,
    /// Titles of the runs whose codes are not the prior's.
    fitted: Vec<String>,
}

fn is_of_prior(run: &TrainedRun, fitted: bool) -> bool {
    run.is_variational() && !fitted
}

impl Origin {
    /// Codes of the prior; for autoencoders, and where `fitted` asks for it, of
    /// the normal distribution of the run's test codes.
    ///
    /// # Errors
    /// Codes to which no normal distribution can be fitted.
    pub(super) fn codes(
        &mut self,
        drawing: &Drawing<'_>,
        run: &TrainedRun,
        count: usize,
        fitted: bool,
    ) -> Result<Array2<f32>, Error> {
        let noise = prior_codes(count, run.latent());
        if is_of_prior(run, fitted) {
            self.of_prior = true;
            return Ok(noise);
        }
        self.fitted.push(run.title());
        let test = run.codes(&drawing.dataset.test)?;
        Ok(Fitted::to(test.mean.view())?.codes(&noise))
    }

    /// `z ~ N(0, I)`, or of which distribution the runs' codes are.
    pub(super) fn in_words(&self, dataset: &Dataset) -> String {
        let own = format!(
            "of the normal distribution with the mean and covariance of the codes of {}",
            test_images(dataset)
        );
        match (self.of_prior, self.fitted.is_empty()) {
            (_, true) => "z ~ N(0, I)".into(),
            (true, false) => format!("z ~ N(0, I); for {} {own}", listed(&self.fitted)),
            (false, false) => own,
        }
    }
}

impl Picture for Samples {
    const NAME: &'static str = "samples";
    const TITLE: &'static str = "Samples";
    const ABOUT: &'static str =
        "images of codes drawn from the prior, or from the codes' normal distribution";

    fn check(&self) -> Result<(), Error> {
        let count = self.rows.saturating_mul(self.columns);
        if !(1..=10_000).contains(&count) {
            return Err(Error::Configuration(format!(
                "{} rows of {} samples cannot be drawn; expected 1 to 10000 in all",
                self.rows, self.columns
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
        let count = self.rows.saturating_mul(self.columns);
        let mut panels = Vec::new();
        let mut data = Vec::new();
        let mut origin = Origin::default();
        for run in runs {
            let codes = origin.codes(drawing, run, count, self.fitted)?;
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
                "from": if is_of_prior(run, self.fitted) { "prior" } else { "fitted" },
            }));
        }
        let caption = format!(
            "Mean images of random codes {}. The same random numbers for every model of one latent \
             size; {}.",
            origin.in_words(drawing.dataset),
            seeds_and_epochs(runs)
        );
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
