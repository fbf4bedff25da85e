//! Which latent variables carry something: variance of μ and KL of each.

use serde_json::{Value, json};
use viz::charts::{BarChart, BarSeries};
use viz::page::Block;
use viz::{Figure, Panel, Rgb, Scale, Ticks, class_colour};

use super::{Case, PAIRS, epochs};
use crate::measures::evaluation;
use crate::{Drawing, TrainedRun};
use runs::Error;

/// Variables at or below it are collapsed; of the variance and, in nats, of
/// the KL.
const THRESHOLD: f64 = 0.01;
/// Decades shown below the threshold, at most.
const LOWEST: f64 = 1e-8;

/// Variance of μ and KL of one model's variables, the largest KL first.
struct Units {
    variance: Vec<f64>,
    kl: Vec<f64>,
}

impl Units {
    fn of(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<Self, Error> {
        let evaluation = evaluation(drawing, run)?;
        Ok(Self::sorted(
            &evaluation.variance_of_mu,
            &evaluation.kl_per_dimension.unwrap_or_default(),
        ))
    }

    fn sorted(variance: &[f64], kl: &[f64]) -> Self {
        let mut order: Vec<usize> = (0..variance.len()).collect();
        order.sort_by(|&a, &b| kl[b].total_cmp(&kl[a]));
        Self {
            variance: order.iter().map(|&i| variance[i]).collect(),
            kl: order.iter().map(|&i| kl[i]).collect(),
        }
    }

    fn active(&self) -> usize {
        self.variance.iter().filter(|&&v| v > THRESHOLD).count()
    }
}

/// A panel for each model with 4, 8 and 16 variables, all on one scale.
pub(super) fn bars(drawing: &mut Drawing<'_>) -> Result<Block, Error> {
    let mut runs = Vec::new();
    let mut rows: Vec<Vec<(Case, Units)>> = Vec::new();
    for pair in PAIRS {
        let mut row = Vec::new();
        for case in pair {
            let Some(run) = drawing.run(case.key) else {
                continue;
            };
            row.push((case, Units::of(drawing, run)?));
            runs.push(run);
        }
        if !row.is_empty() {
            rows.push(row);
        }
    }
    let Some(first) = runs.first() else {
        let keys = PAIRS.as_flattened();
        let keys: Vec<&str> = keys.iter().map(|case| case.key).collect();
        return Ok(drawing.left_out("the latent variables in use", &keys));
    };
    let range = decades(rows.iter().flatten().map(|(_, units)| units));
    let colours = [class_colour(0), class_colour(1)];
    let mut legend = Vec::new();
    let mut panels: Vec<Vec<Panel>> = Vec::new();
    for row in &rows {
        let mut line = Vec::new();
        for (column, (case, units)) in row.iter().enumerate() {
            let mut plot = chart(*case, &case.name(drawing), units, colours)?;
            [plot.y.low, plot.y.high] = range;
            plot.y.ticks = Ticks::At(ticks(range));
            plot.size = [330.0, 150.0];
            if column > 0 {
                plot.y.label.clear();
            }
            legend = std::mem::take(&mut plot.legend);
            line.push(Panel::from(plot));
        }
        panels.push(line);
    }
    let caption = format!(
        "Variance of the posterior means μ over the test images (n = {}) and mean KL of every \
         latent variable, the largest KL first; the deeper nets at the left. Pale bars lie at or \
         below the threshold of 0.01. Logarithmic scale. Seed {}, {} epochs.",
        viz::number::decimal(drawing.dataset.test.len() as f64, 0),
        first.configuration.training.seed,
        epochs(&runs),
    );
    let figure = Figure {
        title: "Latent variables in use".into(),
        caption,
        legend,
        ..Figure::grid(panels)
    };
    let data: Vec<Value> = rows
        .iter()
        .flatten()
        .map(|(case, units)| {
            json!({
                "model": case.name(drawing),
                "variance_of_mu": units.variance,
                "kl": units.kl,
                "active": units.active(),
            })
        })
        .collect();
    drawing.chart(
        "units",
        figure,
        &runs,
        json!({"split": "test", "threshold": THRESHOLD, "models": data}),
    )
}

fn chart(case: Case, name: &str, units: &Units, colours: [Rgb; 2]) -> Result<viz::Plot, Error> {
    let title = format!("{}: {} of {} active", name, units.active(), case.latent);
    let categories: Vec<String> = (1..=case.latent).map(|rank| rank.to_string()).collect();
    let series = [
        BarSeries {
            name: "variance of μ".into(),
            values: units.variance.clone(),
            colour: Some(colours[0]),
        },
        BarSeries {
            name: "KL, nats".into(),
            values: units.kl.clone(),
            colour: Some(colours[1]),
        },
    ];
    Ok(BarChart {
        title: &title,
        x_label: "latent variable, by KL",
        y_label: "variance of μ; KL, nats",
        categories: &categories,
        series: &series,
        scale: Scale::Log10,
        // The axis names the threshold.
        threshold: Some((THRESHOLD, "")),
    }
    .plot()?)
}

/// Whole decades that hold every value and the threshold.
fn decades<'a>(units: impl Iterator<Item = &'a Units>) -> [f64; 2] {
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
        let units = Units::sorted(&[1e-5, 0.9, 0.8], &[1e-4, 2.0, 3.0]);
        assert_eq!(units.variance, [0.8, 0.9, 1e-5]);
        assert_eq!(units.kl, [3.0, 2.0, 1e-4]);
        assert_eq!(units.active(), 2);
    }

    #[test]
    fn the_scale_holds_all_values_in_whole_decades() {
        let units = [
            Units::sorted(&[0.0, 3e-5], &[0.2, 0.1]),
            Units::sorted(&[0.9], &[4.0]),
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
        assert!(decades([Units::sorted(&[1e-30], &[1.0])].iter())[0] >= LOWEST * 0.999);
    }
}
