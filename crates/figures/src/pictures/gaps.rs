//! Gaps between the codes, in any number of dimensions.

use evaluation::elbo::sample_codes;
use evaluation::random_codes::CODES_SEED;
use evaluation::spacing::{nearest_rank, spacing};
use runs::Error;
use serde::{Deserialize, Serialize};
use serde_json::json;
use viz::charts::{Histogram, HistogramSeries};
use viz::page::Block;
use viz::{Figure, Panel, class_colour};

use super::Picture;
use super::each_run::{in_rows, of_each};
use super::samples::Origin;
use crate::figure_data::rounded;
use crate::wording::{capitalised, count, percent, seeds_and_epochs, test_images};
use crate::{Drawing, TrainedRun};

/// At most so many codes are measured.
const MOST: usize = 5000;
/// Share of the test codes that lies at most as far from another as a gap begins.
const USUAL: f64 = 0.99;
/// Size of a panel.
const SIZE: [f64; 2] = [330.0, 220.0];

/// How far random codes lie from the nearest code of an image, beside how far
/// the codes of other images do: where nothing was ever encoded, whatever the
/// number of latent variables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gaps {
    /// Takes codes of a VAE from the fitted distribution too, as those of
    /// autoencoders always are.
    pub fitted: bool,
}

impl Picture for Gaps {
    const NAME: &'static str = "gaps";
    const TITLE: &'static str = "Gaps between the codes";
    const ABOUT: &'static str = "how far random codes lie from the nearest code of an image";

    fn draw(
        &self,
        drawing: &mut Drawing<'_>,
        runs: &[&TrainedRun],
        file: &str,
    ) -> Result<Vec<Block>, Error> {
        let mut origin = Origin::default();
        let (found, left_out) = of_each(runs, |run| {
            // Of a VAE its samples: where a variable is not in use, means lie on a plane that no
            // sample of the prior meets.
            let codes = sample_codes(&run.codes(&drawing.dataset.test)?, CODES_SEED);
            let count = (codes.nrows() / 2).clamp(1, MOST);
            let random = origin.codes(drawing, run, count, self.fitted)?;
            Ok(spacing(codes.view(), random.view(), USUAL, MOST)?)
        })?;
        let (mut panels, mut data, mut shown) = (Vec::new(), Vec::new(), Vec::new());
        for (run, found) in found {
            let (median, usual, share) = (found.median, found.usual, found.share_in_gaps());
            let (own, random) = (found.own, found.random);
            let in_medians = |values: &[f64]| values.iter().map(|value| value / median).collect();
            let series = [("test codes", &own), ("random codes", &random)].map(|(name, values)| {
                HistogramSeries {
                    name: name.into(),
                    values: in_medians(values),
                    colour: Some(class_colour(usize::from(name == "random codes"))),
                }
            });
            let last = [&own, &random]
                .into_iter()
                .filter_map(|values| nearest_rank(values, USUAL));
            let plot = Histogram {
                title: &format!("{}: {} in gaps", run.title(), percent(share)),
                x_label: "distance to the nearest code, medians",
                series: &series,
                range: Some([0.0, last.fold(usual, f64::max) / median]),
                ..Histogram::default()
            }
            .plot()
            .with_size(SIZE);
            panels.push(Panel::from(plot));
            data.push(json!({
                "model": run.key,
                "median": rounded(median),
                "usual": rounded(usual),
                "random_codes": random.len(),
                "share_in_gaps": share,
            }));
            shown.push(run);
        }
        let sampled = if shown.iter().any(|run| run.is_variational()) {
            " (of VAEs one z ~ q(z|x) for each image)"
        } else {
            ""
        };
        let caption = format!(
            "Distance to the nearest code of a random half of the {}{sampled}: of {} of the other \
             half, and of as many random codes {}, in medians of the former. A random \
             code lies in a gap where it is farther away than {} of the test codes.{left_out} {}.",
            test_images(drawing.dataset),
            count(MOST.min(drawing.dataset.test.len() / 2)),
            origin.in_words(drawing.dataset),
            percent(USUAL),
            capitalised(&seeds_and_epochs(&shown)),
        );
        let figure = Figure {
            title: Self::TITLE.into(),
            caption,
            ..Figure::grid(in_rows(panels))
        }
        .with_shared_legend();
        drawing.chart(file, figure, &shown, json!(data))
    }
}
