//! Which latent variables carry something: variance of μ and KL of each.

use evaluation::codes::variance_of_codes;
use evaluation::elbo::{ACTIVE_VARIANCE, kl_per_dimension};
use runs::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use viz::charts::{BarChart, BarSeries};
use viz::page::Block;
use viz::{Figure, Panel, Plot, Scale, Ticks, class_colour};

use super::Picture;
use super::each_run::in_rows;
use crate::wording::{seeds_and_epochs, test_images};
use crate::{Drawing, TrainedRun};

/// Variables at or below it are collapsed; of the variance (Burda et al. 2016)
/// and, in nats, of the KL.
pub const THRESHOLD: f64 = ACTIVE_VARIANCE;
/// Decades shown below the threshold, at most.
const LOWEST: f64 = 1e-8;
const SIZE: [f64; 2] = [330.0, 150.0];
/// More bars are not told apart.
const MOST_NAMED: usize = 32;

/// Variance of the posterior mean over test images, and KL, of every latent
/// variable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Units {}

/// Variance of μ and KL of one model's variables, the largest KL first; without
/// a KL the largest variance.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitsInUse {
    /// Positions of the variables.
    pub order: Vec<usize>,
    /// Variance of the codes' means over images.
    pub variance: Vec<f64>,
    /// Nats; empty for an autoencoder.
    pub kl: Vec<f64>,
}

impl UnitsInUse {
    /// Of codes.
    ///
    /// # Errors
    /// Those of the KL.
    pub fn of(codes: &models::Codes) -> Result<Self, Error> {
        let kl = match &codes.log_variance {
            Some(log_variance) => kl_per_dimension(codes.mean.view(), log_variance.view())?,
            None => Vec::new(),
        };
        Ok(Self::sorted(&variance_of_codes(codes.mean.view()), &kl))
    }

    /// Of numbers in the order of the variables.
    #[must_use]
    pub fn sorted(variance: &[f64], kl: &[f64]) -> Self {
        let by = if kl.is_empty() { variance } else { kl };
        let mut order: Vec<usize> = (0..variance.len()).collect();
        order.sort_by(|&a, &b| by[b].total_cmp(&by[a]));
        Self {
            variance: order.iter().map(|&i| variance[i]).collect(),
            kl: order.iter().filter_map(|&i| kl.get(i).copied()).collect(),
            order,
        }
    }

    /// Variables above the threshold.
    #[must_use]
    pub fn active(&self) -> usize {
        self.variance.iter().filter(|&&v| v > THRESHOLD).count()
    }

    /// Bars for each variable, on a logarithmic scale.
    ///
    /// # Errors
    /// Those of the chart.
    pub fn plot(&self, name: &str, range: [f64; 2]) -> Result<Plot, Error> {
        let latent = self.variance.len();
        let title = format!("{name}: {} of {latent} active", self.active());
        let every = latent.div_ceil(MOST_NAMED).max(1);
        let categories: Vec<String> = (1..=latent)
            .map(|rank| {
                let is_named = (rank - 1) % every == 0;
                if is_named {
                    rank.to_string()
                } else {
                    String::new()
                }
            })
            .collect();
        let mut series = vec![BarSeries {
            name: "variance of μ".into(),
            values: self.variance.clone(),
            colour: Some(class_colour(0)),
        }];
        if !self.kl.is_empty() {
            series.push(BarSeries {
                name: "KL, nats".into(),
                values: self.kl.clone(),
                colour: Some(class_colour(1)),
            });
        }
        let mut plot = BarChart {
            title: &title,
            x_label: "latent variable, by KL",
            y_label: "variance of μ; KL, nats",
            categories: &categories,
            series: &series,
            scale: Scale::Log10,
            // The axis names the threshold.
            threshold: Some((THRESHOLD, "")),
        }
        .plot()?
        .with_size(SIZE);
        if self.kl.is_empty() {
            plot.x.label = "latent variable, by variance".into();
            plot.y.label = "variance of the code".into();
        }
        [plot.y.low, plot.y.high] = range;
        plot.y.ticks = Ticks::At(ticks(range));
        Ok(plot)
    }
}

impl Picture for Units {
    const NAME: &'static str = "units";
    const TITLE: &'static str = "Latent variables in use";
    const ABOUT: &'static str = "variance of the mean and KL of each latent variable";

    fn draw(
        &self,
        drawing: &mut Drawing<'_>,
        runs: &[&TrainedRun],
        file: &str,
    ) -> Result<Vec<Block>, Error> {
        let all: Vec<UnitsInUse> = runs
            .iter()
            .map(|run| UnitsInUse::of(&run.codes(&drawing.dataset.test)?))
            .collect::<Result<_, Error>>()?;
        let range = decades(all.iter());
        let mut panels = Vec::new();
        let mut data: Vec<Value> = Vec::new();
        for (run, units) in runs.iter().zip(&all) {
            panels.push(Panel::from(units.plot(&run.title(), range)?));
            data.push(json!({
                "model": run.key,
                "variables": units.order.iter().map(|index| index + 1).collect::<Vec<_>>(),
                "variance_of_mu": units.variance,
                "kl": units.kl,
                "active": units.active(),
            }));
        }
        let caption = format!(
            "Variance of the codes' means over {} and, of VAEs, the mean KL of every latent \
             variable, the largest first. Pale bars lie at or below the threshold of 0.01: such a \
             variable says nothing about the image. Logarithmic scale; {}.",
            test_images(drawing.dataset),
            seeds_and_epochs(runs),
        );
        let figure = Figure {
            title: Self::TITLE.into(),
            caption,
            ..Figure::grid(in_rows(panels))
        }
        .with_shared_legend();
        let data = json!({"split": "test", "threshold": THRESHOLD, "models": data});
        drawing.chart(file, figure, runs, data)
    }
}

/// Whole decades that hold every value and the threshold.
pub fn decades<'a>(units: impl Iterator<Item = &'a UnitsInUse>) -> [f64; 2] {
    let mut low = THRESHOLD / 10.0;
    let mut high = 1.0_f64;
    for units in units {
        for &value in units.variance.iter().chain(&units.kl) {
            if value > 0.0 {
                low = low.min(value);
                high = high.max(value);
            }
        }
    }
    let power = |value: f64| 10f64.powf(value);
    [
        power(low.max(LOWEST).log10().floor()),
        power(high.log10().ceil()),
    ]
}

/// Every other decade with its name.
fn ticks([low, high]: [f64; 2]) -> Vec<(f64, String)> {
    let (first, last) = (low.log10().round() as i32, high.log10().round() as i32);
    let every = if last - first > 4 { 2 } else { 1 };
    (first..=last)
        .filter(|power| power % every == 0)
        .map(|power| {
            let value = 10f64.powi(power);
            let decimals = usize::try_from(-power).unwrap_or(0);
            (value, viz::number::decimal(value, decimals))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_sorted_together_by_kl() {
        let units = UnitsInUse::sorted(&[1e-5, 0.9, 0.8], &[1e-4, 2.0, 3.0]);
        assert_eq!(units.variance, [0.8, 0.9, 1e-5]);
        assert_eq!(units.kl, [3.0, 2.0, 1e-4]);
        assert_eq!(units.active(), 2);
    }

    #[test]
    fn the_scale_holds_all_values_in_whole_decades() {
        let units = [
            UnitsInUse::sorted(&[0.0, 3e-5], &[0.2, 0.1]),
            UnitsInUse::sorted(&[0.9], &[4.0]),
        ];
        let [low, high] = decades(units.iter());
        assert!((low / 1e-5 - 1.0).abs() < 1e-9, "{low}");
        assert!((high / 10.0 - 1.0).abs() < 1e-9, "{high}");
        let names: Vec<String> = ticks([low, high])
            .into_iter()
            .map(|(_, name)| name)
            .collect();
        assert_eq!(names, ["0.0001", "0.01", "1"]);
        // Nothing below the lowest decade shown, however small.
        assert!(decades([UnitsInUse::sorted(&[1e-30], &[1.0])].iter())[0] >= LOWEST * 0.999);
    }
}
