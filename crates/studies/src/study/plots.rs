//! Plots of a measure against a setting, over seeds.

use figures::wording::{interval_in_words, seeds_in_words};
use figures::{Drawing, Measured};
use runs::Error;
use serde::Deserialize;
use serde_json::{Value, json};
use viz::Figure;
use viz::charts::{SettingCell, SettingChart, SettingSeries, Settings};
use viz::page::Block;

use super::models::{Model, flat, last, number, same, shown};
use crate::measures::{Measure, measure};

/// Two plots stand beside each other on a page.
const SIZE: [f64; 2] = [330.0, 240.0];

/// A plot as a file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    measure: String,
    against: String,
    by: Option<String>,
}

/// A measure against a setting, with a line for each value of another.
#[derive(Clone, Debug)]
pub(super) struct StatedPlot {
    measure: &'static Measure,
    against: String,
    by: Vec<String>,
}

impl StatedPlot {
    pub(super) fn of(written: Written, models: &[Model]) -> Result<Self, Error> {
        let known = |name: String| -> Result<String, Error> {
            let mut names = models.iter().flat_map(|model| &model.settings);
            let found = names.find(|(known, _)| *known == name || last(known) == name);
            found.map(|(known, _)| known.clone()).ok_or_else(|| {
                let settings = models.iter().flat_map(|model| &model.settings);
                let hint = names::hint(&name, settings.map(|(name, _)| name.as_str()), &[]);
                Error::Configuration(format!(
                    "a plot is against '{name}', which no model sets; {hint}"
                ))
            })
        };
        let against = known(written.against)?;
        let by = match written.by {
            Some(by) => vec![known(by)?],
            None => others(models, &against),
        };
        let plot = Self {
            measure: measure(&written.measure)?,
            against,
            by,
        };
        plot.check(models)?;
        Ok(plot)
    }

    /// What is plotted.
    pub(super) fn measure(&self) -> &'static Measure {
        self.measure
    }

    /// Every point of a plot is one model.
    fn check(&self, models: &[Model]) -> Result<(), Error> {
        let place =
            |model: &Model| Some((shown(model.setting(&self.against)?), self.series_of(model)));
        for (index, model) in models.iter().enumerate() {
            let here = place(model);
            let other = models[..index]
                .iter()
                .find(|other| here.is_some() && place(other) == here);
            if let Some(other) = other {
                return Err(Error::Configuration(format!(
                    "a plot of '{}' against '{}' has '{}' and '{}' in one place; plot it by the setting in which they differ, or leave 'by' out",
                    self.measure.name, self.against, other.title, model.title
                )));
            }
        }
        Ok(())
    }

    /// Every measure against the first setting of a grid.
    pub(super) fn of_grid(
        grid: &toml::Table,
        models: &[Model],
        measures: &[&'static Measure],
    ) -> Vec<Self> {
        let settings = flat(grid, "");
        let Some((against, _)) = settings.first() else {
            return Vec::new();
        };
        measures
            .iter()
            .map(|measure| Self {
                measure,
                against: against.clone(),
                by: others(models, against),
            })
            .collect()
    }
}

/// Settings of the models besides one, in their order.
fn others(models: &[Model], against: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (name, _) in models.iter().flat_map(|model| &model.settings) {
        if name != against && !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// All plots of a study.
pub(super) fn draw(
    drawing: &mut Drawing<'_>,
    plots: &[StatedPlot],
    models: &[Model],
) -> Result<Vec<Block>, Error> {
    let mut links = Vec::new();
    let mut empty = Vec::new();
    for (index, plot) in plots.iter().enumerate() {
        let file = format!(
            "{}-by-{}-{}",
            plot.measure.name,
            last(&plot.against),
            index + 1
        );
        match plot.draw(drawing, models, &file)? {
            Some(link) => links.push(link),
            None => empty.push(plot.measure.label),
        }
    }
    // Two beside each other, where the page is wide enough.
    let pairs = links.chunks(2).map(|pair| Block::Figures(pair.to_vec()));
    let mut blocks: Vec<Block> = pairs.collect();
    if !empty.is_empty() {
        blocks.push(Block::paragraph(format!(
            "Left out: plots of {}, which no model has.",
            empty.join("; ")
        )));
    }
    Ok(blocks)
}

impl StatedPlot {
    /// Nothing where no model has the measure.
    fn draw(
        &self,
        drawing: &mut Drawing<'_>,
        models: &[Model],
        file: &str,
    ) -> Result<Option<viz::page::FigureLink>, Error> {
        let settings = self.settings(models);
        let mut names: Vec<String> = Vec::new();
        let mut series: Vec<SettingSeries> = Vec::new();
        let mut data = Vec::new();
        let mut is_empty = true;
        for model in models {
            let Some(at) = model
                .setting(&self.against)
                .and_then(|value| settings.iter().position(|other| same(other, value)))
            else {
                continue;
            };
            let title = drawing.title(&model.key);
            let measured = self.measure.over_seeds(drawing, &model.key, &title)?;
            is_empty &= measured.by_seed.is_empty();
            let name = self.series_of(model);
            let row = names.iter().position(|known| *known == name);
            let row = row.unwrap_or_else(|| {
                names.push(name.clone());
                series.push(SettingSeries {
                    name,
                    cells: vec![SettingCell::default(); settings.len()],
                    colour: None,
                });
                names.len() - 1
            });
            series[row].cells[at] = cell(&measured);
            data.push(json!({"model": model.key, "by_seed": measured.by_seed}));
        }
        if is_empty {
            return Ok(None);
        }
        let numbers: Option<Vec<f64>> = settings.iter().map(number).collect();
        let words: Vec<String> = settings.iter().map(shown).collect();
        let unit = match self.measure.unit {
            "" => String::new(),
            unit => format!(", {unit}"),
        };
        let name = self.measure.label;
        let against = last(&self.against).replace('_', " ");
        let plot = SettingChart {
            x_label: &against,
            y_label: &format!("{name}{unit}"),
            settings: match &numbers {
                Some(numbers) => Settings::Numbers(numbers),
                None => Settings::Names(&words),
            },
            x_scale: SettingChart::suited_scale(numbers.as_deref().unwrap_or_default()),
            series: &series,
            size: SIZE,
            ..SettingChart::default()
        }
        .plot()?;
        let figure = Figure {
            title: format!("{} by {against}", titled(name)),
            caption: format!(
                "{}. Points are seeds, with their {} where there are several; {}.",
                figures::wording::capitalised(self.measure.about),
                interval_in_words(self.measure.scale),
                seeds_in_words(drawing.scale),
            ),
            ..Figure::of(plot)
        }
        .with_shared_legend();
        let runs: Vec<&figures::TrainedRun> = drawing.runs.iter().collect();
        let data: Value = json!({
            "measure": self.measure.name,
            "against": self.against,
            "values": words,
            "models": data,
        });
        drawing.chart_link(file, figure, &runs, data).map(Some)
    }

    /// The distinct values of the setting, numbers in ascending order.
    fn settings(&self, models: &[Model]) -> Vec<toml::Value> {
        let mut settings: Vec<toml::Value> = Vec::new();
        for value in models
            .iter()
            .filter_map(|model| model.setting(&self.against))
        {
            if !settings.iter().any(|known| same(known, value)) {
                settings.push(value.clone());
            }
        }
        if settings.iter().all(|value| number(value).is_some()) {
            settings.sort_by(|a, b| {
                let [a, b] = [a, b].map(|value| number(value).unwrap_or(f64::NAN));
                a.total_cmp(&b)
            });
        }
        settings
    }

    fn series_of(&self, model: &Model) -> String {
        let words = self.by.iter().filter_map(|name| {
            let value = model.setting(name)?;
            Some(format!("{} {}", last(name).replace('_', " "), shown(value)))
        });
        words.collect::<Vec<_>>().join(", ")
    }
}

/// The label with its first letter large, but not that of `kNN`.
fn titled(label: &str) -> String {
    if label.chars().nth(1).is_some_and(char::is_uppercase) {
        label.to_owned()
    } else {
        figures::wording::capitalised(label)
    }
}

fn cell(measured: &Measured) -> SettingCell {
    SettingCell {
        values: measured.by_seed.values().copied().collect(),
        interval: measured
            .interval
            .and_then(|interval| Some([interval.centre, interval.lower?, interval.upper?])),
    }
}
