use crate::charts::strip_chart::marker_legend;
use crate::number::shortest;
use crate::{
    Axis, Dash, Interval, Intervals, Layer, LegendEntry, Line, Plot, Point, Points, Rgb, Rule,
    Scale, Shape, Swatch, Ticks, VizError, class_colour,
};

/// What one model was measured at over its seeds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SettingCell {
    /// One value for each seed; empty where nothing was measured, which interrupts the series.
    pub values: Vec<f64>,
    /// Mean with the lower and the upper end of its interval.
    pub interval: Option<[f64; 3]>,
}

/// One line of a [`SettingChart`]: a cell for each setting.
#[derive(Clone, Debug, Default)]
pub struct SettingSeries {
    /// Name in the legend; empty for none.
    pub name: String,
    /// What was measured at each setting.
    pub cells: Vec<SettingCell>,
    /// Colour; without it, the series' own.
    pub colour: Option<Rgb>,
}

/// The settings along the horizontal axis.
#[derive(Clone, Copy, Debug)]
pub enum Settings<'a> {
    /// Numbers in any order, each where it lies on the axis.
    Numbers(&'a [f64]),
    /// Words, equally far apart in the given order.
    Names(&'a [String]),
}

/// A measure against a setting, such as the loss against β or the latent size: each seed's value
/// as a point, the mean with its interval beside, and a line through the means where settings are
/// numbers.
///
/// ```
/// use viz::charts::{SettingCell, SettingChart, SettingSeries, Settings};
/// let cell = |values: [f64; 2]| SettingCell { values: values.to_vec(), interval: None };
/// let series = [SettingSeries {
///     name: "2 latents".into(),
///     cells: vec![cell([3.0, 3.2]), cell([2.0, 2.1]), cell([1.5, 1.4])],
///     ..SettingSeries::default()
/// }];
/// let numbers = [0.5, 1.0, 4.0];
/// let plot = SettingChart {
///     x_label: "β",
///     settings: Settings::Numbers(&numbers),
///     x_scale: SettingChart::suited_scale(&numbers),
///     series: &series,
///     ..SettingChart::default()
/// }
/// .plot()?;
/// assert_eq!(plot.legend.len(), 2);
/// # Ok::<(), viz::VizError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SettingChart<'a> {
    /// Title of the panel.
    pub title: &'a str,
    /// Name of the setting.
    pub x_label: &'a str,
    /// Name and unit of the measure.
    pub y_label: &'a str,
    /// The settings.
    pub settings: Settings<'a>,
    /// The series, set apart sideways by a little so that they do not cover each other.
    pub series: &'a [SettingSeries],
    /// Scale of numeric settings; see [`SettingChart::suited_scale`].
    pub x_scale: Scale,
    /// Scale of the measure.
    pub y_scale: Scale,
    /// Values of the measure marked by a line with a name, such as a floor.
    pub rules: &'a [(f64, String)],
    /// Width and height inside of the axes, canvas units.
    pub size: [f64; 2],
}

impl Default for SettingChart<'_> {
    fn default() -> Self {
        SettingChart {
            title: "",
            x_label: "",
            y_label: "",
            settings: Settings::Numbers(&[]),
            series: &[],
            x_scale: Scale::Linear,
            y_scale: Scale::Linear,
            rules: &[],
            size: Plot::default().size,
        }
    }
}

/// Numbers of more settings have round ticks instead of one each.
const MOST_TICKS: usize = 12;
/// Width of all series at one setting, as a share of a step between names or of an axis of numbers;
/// there, a few series keep a step.
const NAMES_WIDTH: f64 = 0.6;
const NUMBERS_STEP: f64 = 0.026;
const NUMBERS_WIDTH: f64 = 0.15;
/// The mean stands so far right of the middle, and its values left of it, as a share of the step
/// between series.
const ASIDE: f64 = 0.22;

impl SettingChart<'_> {
    /// Logarithmic for at least three different positive numbers whose largest is at least eight
    /// times the smallest and whose steps are more alike as ratios than as differences: 2, 4, 8, 16
    /// or 0.5, 1, 4, but not 1 to 10. Alike is a small standard deviation beside the mean.
    pub fn suited_scale(numbers: &[f64]) -> Scale {
        let mut sorted: Vec<f64> = numbers.iter().copied().filter(|v| v.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        sorted.dedup();
        let (Some(&low), Some(&high)) = (sorted.first(), sorted.last()) else {
            return Scale::Linear;
        };
        let uneven = |forward: fn(f64) -> f64| {
            let steps = sorted
                .windows(2)
                .map(|pair| forward(pair[1]) - forward(pair[0]));
            let count = (sorted.len() - 1) as f64;
            let mean = steps.clone().sum::<f64>() / count;
            let variance = steps.map(|step| (step - mean).powi(2)).sum::<f64>() / count;
            variance.sqrt() / mean
        };
        if sorted.len() >= 3 && low > 0.0 && high >= 8.0 * low && uneven(f64::ln) < uneven(|v| v) {
            Scale::Log10
        } else {
            Scale::Linear
        }
    }

    /// The chart.
    ///
    /// # Errors
    ///
    /// [`VizError::Shape`] when a series has not one cell for each setting.
    pub fn plot(&self) -> Result<Plot, VizError> {
        let count = match self.settings {
            Settings::Numbers(numbers) => numbers.len(),
            Settings::Names(names) => names.len(),
        };
        if let Some(series) = self.series.iter().find(|s| s.cells.len() != count) {
            return Err(VizError::shape(
                "cells of a series of settings",
                series.cells.len(),
                format!("{count}, as settings"),
            ));
        }
        let x = self.axis();
        let cells = self.series.iter().flat_map(|series| &series.cells);
        let measured = cells.flat_map(|cell| {
            let interval = cell.interval.into_iter().flatten();
            cell.values.iter().copied().chain(interval)
        });
        let measured = measured.chain(self.rules.iter().map(|(value, _)| *value));
        let y = Axis::fit(self.y_label, self.y_scale, measured, 0.08);
        let mut layers: Vec<Layer> = self
            .rules
            .iter()
            .map(|(at, label)| {
                Layer::Rule(Rule {
                    at: *at,
                    horizontal: true,
                    colour: Rgb::GREY,
                    dash: Dash::Dashed,
                    label: label.clone(),
                })
            })
            .collect();
        let mut legend = Vec::new();
        for (index, series) in self.series.iter().enumerate() {
            let colour = series.colour.unwrap_or_else(|| class_colour(index));
            let at = |setting: usize, aside: f64| self.position(&x, setting, index, aside);
            layers.extend(self.line(series, colour, &at));
            let points: Vec<Point> = series
                .cells
                .iter()
                .enumerate()
                .flat_map(|(setting, cell)| {
                    let aside = -mean_aside(cell);
                    let values = cell.values.iter();
                    values.map(move |&value| (setting, aside, value))
                })
                .map(|(setting, aside, value)| Point {
                    at: [at(setting, aside), value],
                    colour,
                })
                .collect();
            layers.push(Layer::Points(Points {
                points,
                radius: 2.8,
                alpha: 0.6,
                ..Points::default()
            }));
            layers.push(Layer::Intervals(Intervals {
                intervals: series
                    .cells
                    .iter()
                    .enumerate()
                    .filter_map(|(setting, cell)| {
                        let [mean, low, high] = cell.interval?;
                        Some(Interval {
                            at: at(setting, mean_aside(cell)),
                            mean,
                            low,
                            high,
                            colour,
                        })
                    })
                    .collect(),
                horizontal: false,
            }));
            if !series.name.is_empty() {
                let swatch = match self.settings {
                    Settings::Numbers(_) => Swatch::Line(Dash::Solid),
                    Settings::Names(_) => Swatch::Marker(Shape::Disc),
                };
                legend.push(LegendEntry::new(&series.name, colour, swatch));
            }
        }
        let cells = || self.series.iter().flat_map(|series| &series.cells);
        legend.extend(marker_legend(
            cells().any(|cell| !cell.values.is_empty()),
            cells().any(|cell| cell.interval.is_some()),
        ));
        Ok(Plot {
            title: self.title.to_string(),
            x,
            y,
            size: self.size,
            grid: [matches!(self.settings, Settings::Numbers(_)), true],
            layers,
            legend,
            ..Plot::default()
        })
    }

    fn axis(&self) -> Axis {
        match self.settings {
            Settings::Numbers(numbers) => {
                let axis = Axis::fit(self.x_label, self.x_scale, numbers.iter().copied(), 0.08);
                let mut ticks = numbers.to_vec();
                ticks.retain(|number| number.is_finite());
                ticks.sort_by(f64::total_cmp);
                ticks.dedup();
                if ticks.is_empty() || ticks.len() > MOST_TICKS {
                    return axis;
                }
                let ticks = ticks.into_iter().map(|number| (number, shortest(number)));
                axis.with_ticks(Ticks::At(ticks.collect()))
            }
            Settings::Names(names) => {
                let ticks = names.iter().enumerate();
                Axis::linear(self.x_label, -0.6, names.len().max(1) as f64 - 0.4).with_ticks(
                    Ticks::At(ticks.map(|(i, name)| (i as f64, name.clone())).collect()),
                )
            }
        }
    }

    /// Where a series is drawn at a setting, moved by a share of the distance between series.
    fn position(&self, axis: &Axis, setting: usize, series: usize, aside: f64) -> f64 {
        let series = series as f64 + aside - 0.5 * (self.series.len() as f64 - 1.0);
        match self.settings {
            Settings::Numbers(numbers) => {
                let aside = NUMBERS_STEP.min(NUMBERS_WIDTH / self.series.len() as f64) * series;
                match self.x_scale {
                    Scale::Linear => numbers[setting] + aside * (axis.high - axis.low),
                    Scale::Log10 => numbers[setting] * (axis.high / axis.low).powf(aside),
                }
            }
            Settings::Names(_) => {
                setting as f64 + NAMES_WIDTH * series / self.series.len().max(1) as f64
            }
        }
    }

    /// The line through the means of numbers in ascending order, with gaps where there are none.
    fn line(
        &self,
        series: &SettingSeries,
        colour: Rgb,
        at: &dyn Fn(usize, f64) -> f64,
    ) -> Option<Layer> {
        let Settings::Numbers(numbers) = self.settings else {
            return None;
        };
        let mut order: Vec<usize> = (0..numbers.len()).collect();
        order.sort_by(|&a, &b| numbers[a].total_cmp(&numbers[b]));
        let mean = |cell: &SettingCell| match cell.interval {
            Some([mean, ..]) => mean,
            // NaN without values.
            None => cell.values.iter().sum::<f64>() / cell.values.len() as f64,
        };
        Some(Layer::Line(Line {
            points: order
                .into_iter()
                .map(|setting| {
                    let cell = &series.cells[setting];
                    [at(setting, mean_aside(cell)), mean(cell)]
                })
                .collect(),
            colour,
            width: 1.6,
            alpha: 0.7,
            ..Line::default()
        }))
    }
}

/// A mean beside its values; without an interval, on them.
fn mean_aside(cell: &SettingCell) -> f64 {
    if cell.interval.is_some() && !cell.values.is_empty() {
        ASIDE
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_and_differences_decide_the_scale() {
        for (numbers, expected) in [
            (&[2.0, 4.0, 8.0, 16.0, 32.0][..], Scale::Log10),
            (&[4.0, 0.5, 1.0], Scale::Log10),
            (
                &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0],
                Scale::Linear,
            ),
            (&[0.0, 1.0, 10.0, 100.0], Scale::Linear),
            (&[1.0, 100.0], Scale::Linear),
            (&[1.0, 2.0, 4.0], Scale::Linear),
            (&[f64::NAN, 3.0, 3.0], Scale::Linear),
            (&[], Scale::Linear),
        ] {
            assert_eq!(SettingChart::suited_scale(numbers), expected, "{numbers:?}");
        }
    }

    fn series(cells: Vec<SettingCell>) -> [SettingSeries; 1] {
        [SettingSeries {
            cells,
            ..SettingSeries::default()
        }]
    }

    #[test]
    fn the_line_runs_through_the_means_in_order_and_stops_at_what_is_missing() {
        let cell = |values: &[f64]| SettingCell {
            values: values.to_vec(),
            interval: None,
        };
        let series = series(vec![cell(&[9.0, 11.0]), cell(&[]), cell(&[4.0])]);
        let chart = SettingChart {
            settings: Settings::Numbers(&[8.0, 4.0, 2.0]),
            series: &series,
            ..SettingChart::default()
        };
        let plot = chart.plot().unwrap();
        let Layer::Line(line) = &plot.layers[0] else {
            panic!("the first layer is the line");
        };
        assert_eq!(line.points[0], [2.0, 4.0]);
        assert!(line.points[1][1].is_nan());
        assert_eq!(line.points[2], [8.0, 10.0]);
        let ticks: Vec<String> = plot.x.tick_labels().into_iter().map(|(_, l)| l).collect();
        assert_eq!(ticks, ["2", "4", "8"]);
        let short = SettingChart {
            settings: Settings::Numbers(&[8.0]),
            ..chart
        };
        assert!(matches!(short.plot(), Err(VizError::Shape { .. })));
    }

    #[test]
    fn series_at_a_name_stay_between_its_neighbours() {
        let names: Vec<String> = ["bernoulli", "gaussian"].map(String::from).to_vec();
        let one = series(vec![
            SettingCell {
                values: vec![1.0, 2.0],
                interval: Some([1.5, 1.0, 2.0]),
            };
            2
        ]);
        let many = vec![one[0].clone(); 9];
        let plot = SettingChart {
            settings: Settings::Names(&names),
            series: &many,
            ..SettingChart::default()
        }
        .plot()
        .unwrap();
        for layer in &plot.layers {
            if let Layer::Points(points) = layer {
                for point in &points.points {
                    assert!((point.at[0] - point.at[0].round()).abs() < 0.4);
                }
            }
            assert!(!matches!(layer, Layer::Line(_)), "words have no order");
        }
    }
}
