//! Gaps between the codes, in any number of dimensions.

use evaluation::elbo::sample_codes;
use evaluation::knn::NearestNeighbours;
use evaluation::random_codes::CODES_SEED;
use evaluation::subset::{Population, SEED, numbers, parts};
use ndarray::{ArrayView2, Axis};
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

/// Distance of each of `codes` to the nearest of the tree's.
fn distances(tree: &NearestNeighbours, codes: ArrayView2<'_, f32>) -> Vec<f64> {
    let nearest = tree.map_nearest(codes, 1, |_, found| {
        found.first().map(|found| found.squared_distance.sqrt())
    });
    nearest.into_iter().flatten().collect()
}

/// The value below which `share` of the values lie, the nearest rank.
fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
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
            let n = codes.nrows();
            let [known, held_out] = parts(
                Population::Rows(n),
                [n.div_ceil(2), MOST.min(n / 2)],
                numbers(SEED),
            );
            let [known, held_out] = [known, held_out].map(|rows| codes.select(Axis(0), &rows));
            let tree = NearestNeighbours::new(known.view())?;
            let own = distances(&tree, held_out.view());
            let (Some(median), Some(usual)) = (quantile(&own, 0.5), quantile(&own, USUAL)) else {
                return Err(Error::Undefined("it takes two test images".into()));
            };
            if median == 0.0 {
                return Err(Error::Undefined("most codes are the same".into()));
            }
            let random = origin.codes(drawing, run, own.len(), self.fitted)?;
            let random = distances(&tree, random.view());
            Ok((own, random, median, usual))
        })?;
        let (mut panels, mut data, mut shown) = (Vec::new(), Vec::new(), Vec::new());
        for (run, (own, random, median, usual)) in found {
            let beyond = random.iter().filter(|&&distance| distance > usual).count();
            let share = beyond as f64 / random.len() as f64;
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
                .filter_map(|values| quantile(values, USUAL));
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

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn distances_are_to_the_nearest_and_quantiles_are_values() {
        let tree = NearestNeighbours::new(array![[0.0f32, 0.0], [10.0, 0.0]].view()).unwrap();
        let codes = array![[3.0f32, 4.0], [10.0, 1.0], [0.0, 0.0]];
        assert_eq!(distances(&tree, codes.view()), [5.0, 1.0, 0.0]);
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(quantile(&values, 0.5), Some(2.0));
        assert_eq!(quantile(&values, 0.99), Some(4.0));
        assert_eq!(quantile(&[7.0], 0.5), Some(7.0));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
