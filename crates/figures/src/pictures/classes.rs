//! What a classifier takes random images for, beside how often the data have it.

use runs::Error;
use serde::{Deserialize, Serialize};
use serde_json::json;
use viz::charts::{BarChart, BarSeries};
use viz::page::Block;
use viz::{Figure, Rgb, class_colour};

use super::Picture;
use super::regions::about_the_classifier;
use super::samples::Origin;
use crate::wording::{capitalised, count, percent, seeds_and_epochs, test_images};
use crate::{Drawing, TrainedRun};

/// Canvas units of a class on the axis: room for its bars, and for its name.
const CLASS_WIDTH: [f64; 2] = [34.0, 90.0];
/// Narrowest and widest chart, canvas units.
const WIDTH: [f64; 2] = [460.0, 900.0];

/// Share of each class among images of random codes, as a classifier sees them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Classes {
    /// Images of each run.
    pub samples: usize,
    /// Takes codes of a VAE from the fitted distribution too, as those of
    /// autoencoders always are.
    pub fitted: bool,
}

impl Default for Classes {
    fn default() -> Self {
        Self {
            samples: 2000,
            fitted: false,
        }
    }
}

/// The part of `labels` that is each of `classes` classes.
fn shares(labels: &[u32], classes: usize) -> Vec<f64> {
    let mut counts = vec![0.0; classes];
    for &label in labels {
        counts[label as usize] += 1.0;
    }
    let all = labels.len().max(1) as f64;
    counts.into_iter().map(|count| count / all).collect()
}

/// `most often 1 (21 %), least often 8 (4 %)`, the first of equals.
fn extremes(shares: &[f64], names: &[String]) -> String {
    let first = |better: fn(f64, f64) -> bool| {
        (1..shares.len()).fold(0, |best, at| {
            if better(shares[at], shares[best]) {
                at
            } else {
                best
            }
        })
    };
    let [most, least] = [first(|a, b| a > b), first(|a, b| a < b)];
    format!(
        "most often {} ({}), least often {} ({})",
        names[most],
        percent(shares[most]),
        names[least],
        percent(shares[least])
    )
}

impl Picture for Classes {
    const NAME: &'static str = "classes";
    const TITLE: &'static str = "Classes of random images";
    const ABOUT: &'static str = "how often a classifier sees each class among samples";

    fn check(&self) -> Result<(), Error> {
        if !(1..=100_000).contains(&self.samples) {
            return Err(Error::Configuration(format!(
                "the classes of {} samples cannot be drawn; expected 1 to 100000",
                self.samples
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
        let (dataset, classes) = (drawing.dataset, drawing.dataset.classes());
        if classes == 1 {
            return Err(Error::Undefined("it takes two classes".into()));
        }
        let names = &dataset.class_names;
        let own = shares(drawing.test_labels()?, classes);
        let about_the_classifier = about_the_classifier(drawing)?;
        let mut series = vec![BarSeries {
            name: format!("the {} themselves", test_images(dataset)),
            values: own.clone(),
            colour: Some(Rgb::GREY),
        }];
        let (mut origin, mut data, mut words) = (Origin::default(), Vec::new(), Vec::new());
        for (index, run) in runs.iter().enumerate() {
            let codes = origin.codes(drawing, run, self.samples, self.fitted)?;
            let rows = run.in_units_of_data(run.model.decode(codes.view()));
            let seen = drawing.classifier()?.classify(rows.view())?;
            let seen = shares(&seen, classes);
            words.push(format!("{}: {}.", run.title(), extremes(&seen, names)));
            data.push(json!({"model": run.key, "shares": seen}));
            series.push(BarSeries {
                name: run.title(),
                values: seen,
                colour: Some(class_colour(index)),
            });
        }
        let longest = names.iter().map(|name| name.chars().count()).max();
        let [bars, name] = [9 * series.len(), 8 * longest.unwrap_or(0)].map(|side| side as f64);
        let side = bars.max(name).clamp(CLASS_WIDTH[0], CLASS_WIDTH[1]);
        let plot = BarChart {
            x_label: "class",
            y_label: "share of images",
            categories: names,
            series: &series,
            ..BarChart::default()
        }
        .plot()?
        .with_size([(side * classes as f64).clamp(WIDTH[0], WIDTH[1]), 260.0]);
        let caption = format!(
            "What a classifier takes random images for, the mean images of {} codes of each run, \
             {}; beside them the labels of the {}. {} {about_the_classifier} {}.",
            count(self.samples),
            origin.in_words(dataset),
            test_images(dataset),
            words.join(" "),
            capitalised(&seeds_and_epochs(runs)),
        );
        let figure = Figure {
            title: Self::TITLE.into(),
            caption,
            ..Figure::of(plot)
        }
        .with_shared_legend();
        let data = json!({
            "classes": names,
            "samples": self.samples,
            "seed": evaluation::random_codes::CODES_SEED,
            "data": own,
            "models": data,
        });
        drawing.chart(file, figure, runs, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_all_and_the_first_of_equals_is_named() {
        let found = shares(&[2, 0, 2, 3], 5);
        assert_eq!(found, [0.25, 0.0, 0.5, 0.25, 0.0]);
        let names = ["a", "b", "c", "d", "e"].map(String::from);
        assert_eq!(
            extremes(&found, &names),
            "most often c (50 %), least often b (0 %)"
        );
        assert_eq!(shares(&[], 2), [0.0, 0.0]);
        assert_eq!(
            extremes(&[1.0], &names),
            "most often a (100 %), least often a (100 %)"
        );
    }
}
