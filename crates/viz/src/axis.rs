use crate::number::{log_ticks, nice_ticks, whole_log_ticks, whole_ticks};
use crate::{Weight, shortened, theme};

/// How an axis spreads its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Scale {
    /// Equal steps for equal differences.
    #[default]
    Linear,
    /// Equal steps for equal ratios; values at or below zero are not drawn.
    Log10,
}

/// Where an axis has its ticks.
#[derive(Clone, Debug, PartialEq)]
pub enum Ticks {
    /// About so many at round values.
    Nice(usize),
    /// About so many at whole numbers, for what is counted such as epochs.
    Whole(usize),
    /// At these values with these labels.
    At(Vec<(f64, String)>),
    /// Nowhere: neither marks nor labels.
    None,
}

/// One axis of a plot: its name, range, scale and ticks.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Name with unit, such as `z₁` or `KL, nats per image`; empty for none.
    pub label: String,
    /// Value at the left or lower end.
    pub low: f64,
    /// Value at the right or upper end.
    pub high: f64,
    /// Linear or logarithmic.
    pub scale: Scale,
    /// Tick positions.
    pub ticks: Ticks,
}

impl Axis {
    /// A linear axis over exactly [low, high] with round ticks.
    pub fn linear(label: impl Into<String>, low: f64, high: f64) -> Axis {
        Axis {
            label: label.into(),
            low,
            high,
            scale: Scale::Linear,
            ticks: Ticks::Nice(5),
        }
    }

    /// A logarithmic axis over exactly [low, high] with ticks at powers of ten.
    pub fn log10(label: impl Into<String>, low: f64, high: f64) -> Axis {
        Axis {
            scale: Scale::Log10,
            ..Axis::linear(label, low, high)
        }
    }

    /// An axis over the finite `values` with a margin of `margin` times their extent on each side.
    /// On a logarithmic axis only positive values count and the margin is one of the exponents.
    /// Without any value the axis runs from 0 to 1 (logarithmic: 0.1 to 1).
    ///
    /// ```
    /// use viz::{Axis, Scale};
    /// let axis = Axis::fit("epoch", Scale::Linear, [0.0, 10.0], 0.1);
    /// assert_eq!((axis.low, axis.high), (-1.0, 11.0));
    /// ```
    pub fn fit(
        label: impl Into<String>,
        scale: Scale,
        values: impl IntoIterator<Item = f64>,
        margin: f64,
    ) -> Axis {
        let forward = |v: f64| match scale {
            Scale::Linear => v,
            Scale::Log10 => v.log10(),
        };
        let (mut low, mut high) = values
            .into_iter()
            .map(forward)
            .filter(|v| v.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
                (low.min(v), high.max(v))
            });
        // Wide enough for any data, and spans and powers stay finite.
        let farthest = match scale {
            Scale::Linear => 1e300,
            Scale::Log10 => 300.0,
        };
        (low, high) = (low.max(-farthest), high.min(farthest));
        if low > high {
            (low, high) = match scale {
                Scale::Linear => (0.0, 1.0),
                Scale::Log10 => (-1.0, 0.0),
            };
        }
        let extent = high - low;
        let pad = if extent > f64::MIN_POSITIVE.max(1e-12 * low.abs().max(high.abs())) {
            extent * margin
        } else {
            // One value only, but for rounding: any visible range around it.
            0.5 * low.abs().max(1.0)
        };
        let back = |v: f64| match scale {
            Scale::Linear => v,
            Scale::Log10 => 10f64.powf(v),
        };
        Axis {
            scale,
            ..Axis::linear(label, back(low - pad), back(high + pad))
        }
    }

    /// The same axis with ticks of the caller's.
    pub fn with_ticks(self, ticks: Ticks) -> Axis {
        Axis { ticks, ..self }
    }

    /// The same axis if it can be drawn: finite ends in order, far enough apart for ticks. Otherwise
    /// one that shows what of its ends can be shown.
    pub(crate) fn drawable(&self) -> Axis {
        let positive = self.scale == Scale::Linear || self.low > 0.0;
        let bounded = self.low.abs().max(self.high.abs()) <= 2e300;
        let extent = self.high - self.low;
        if positive && bounded && extent >= f64::MIN_POSITIVE {
            return self.clone();
        }
        let fitted = Axis::fit("", self.scale, [self.low, self.high], 0.0);
        Axis {
            low: fitted.low,
            high: fitted.high,
            ..self.clone()
        }
    }

    /// Where `value` lies: 0 at the low end, 1 at the high end.
    pub fn fraction(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log10 => {
                // A value that has no logarithm lies infinitely far below.
                let value = if value > 0.0 {
                    value.log10()
                } else {
                    f64::NEG_INFINITY
                };
                let low = self.low.log10();
                (value - low) / (self.high.log10() - low)
            }
        }
    }

    pub(crate) fn tick_labels(&self) -> Vec<(f64, String)> {
        let ticks = match &self.ticks {
            Ticks::Nice(count) => match self.scale {
                Scale::Linear => nice_ticks(self.low, self.high, *count),
                Scale::Log10 => log_ticks(self.low, self.high, *count),
            },
            Ticks::Whole(count) => match self.scale {
                Scale::Linear => whole_ticks(self.low, self.high, *count),
                Scale::Log10 => whole_log_ticks(self.low, self.high, *count),
            },
            Ticks::At(ticks) => ticks.clone(),
            Ticks::None => Vec::new(),
        };
        ticks
            .into_iter()
            .filter(|(value, _)| {
                let at = self.fraction(*value);
                (-1e-9..=1.0 + 1e-9).contains(&at)
            })
            .map(|(value, label)| {
                let width = theme::WIDEST_HEAD;
                let label = shortened(&label, theme::TICK_SIZE, Weight::Regular, width);
                (value, label)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_run_from_low_to_high() {
        let axis = Axis::linear("", -4.0, 4.0);
        assert_eq!(axis.fraction(-4.0), 0.0);
        assert_eq!(axis.fraction(0.0), 0.5);
        let axis = Axis::log10("", 0.01, 100.0);
        assert!((axis.fraction(1.0) - 0.5).abs() < 1e-12);
        assert_eq!(axis.fraction(0.0), f64::NEG_INFINITY);
    }

    #[test]
    fn fitting_skips_what_cannot_be_drawn() {
        let values = [f64::NAN, 2.0, f64::INFINITY, 4.0];
        let axis = Axis::fit("", Scale::Linear, values, 0.5);
        assert_eq!((axis.low, axis.high), (1.0, 5.0));
        let axis = Axis::fit("", Scale::Log10, [-1.0, 0.0, 0.1, 10.0], 0.0);
        assert!((axis.low - 0.1).abs() < 1e-12 && (axis.high - 10.0).abs() < 1e-12);
        let axis = Axis::fit("", Scale::Linear, [], 0.1);
        assert!(axis.low < axis.high);
        let axis = Axis::fit("", Scale::Linear, [3.0], 0.1);
        assert!(axis.low < 3.0 && axis.high > 3.0);
    }

    #[test]
    fn what_is_counted_has_whole_ticks() {
        let labels = |axis: Axis| -> Vec<String> {
            let axis = axis.with_ticks(Ticks::Whole(5));
            axis.tick_labels().into_iter().map(|(_, l)| l).collect()
        };
        assert_eq!(labels(Axis::linear("", 0.9, 3.1)), ["1", "2", "3"]);
        assert_eq!(
            labels(Axis::linear("", 0.0, 30.0)),
            ["0", "5", "10", "15", "20", "25", "30"]
        );
        assert!(labels(Axis::linear("", 1.2, 1.8)).is_empty());
        assert_eq!(labels(Axis::log10("", 0.1, 100.0)), ["1", "10", "100"]);
        assert_eq!(labels(Axis::log10("", 2.0, 4.0)), ["2", "3", "4"]);
    }

    #[test]
    fn ticks_outside_of_the_range_are_dropped() {
        let axis = Axis::linear("", 0.0, 2.0).with_ticks(Ticks::At(vec![
            (-1.0, "a".into()),
            (1.0, "b".into()),
            (3.0, "c".into()),
        ]));
        assert_eq!(axis.tick_labels(), [(1.0, "b".to_string())]);
    }
}
