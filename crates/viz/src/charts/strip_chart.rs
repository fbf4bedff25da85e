use crate::{
    Axis, Interval, Intervals, Layer, LegendEntry, Plot, Point, Points, Rgb, Rule, Scale, Shape,
    Swatch, Ticks, class_colour,
};

/// The values of one case over seeds.
#[derive(Clone, Debug, Default)]
pub struct Strip {
    /// Name of the case.
    pub name: String,
    /// One value for each seed.
    pub values: Vec<f64>,
    /// Mean with the lower and the upper end of its interval.
    pub interval: Option<[f64; 3]>,
    /// Colour; without it, the strip's own.
    pub colour: Option<Rgb>,
}

/// One row for each case: every seed's value as a point, the mean with its interval below.
///
/// Names stand at the left, so long ones such as architectures keep readable.
#[derive(Clone, Debug)]
pub struct StripChart<'a> {
    /// Title of the panel.
    pub title: &'a str,
    /// Name and unit of the values.
    pub label: &'a str,
    /// The cases from the top.
    pub strips: &'a [Strip],
    /// Scale of the values.
    pub scale: Scale,
    /// Values marked by a line with a name, such as a floor.
    pub rules: &'a [(f64, String)],
}

impl Default for StripChart<'_> {
    fn default() -> Self {
        StripChart {
            title: "",
            label: "",
            strips: &[],
            scale: Scale::Linear,
            rules: &[],
        }
    }
}

impl StripChart<'_> {
    /// The chart; its legend says what the markers are that are there.
    pub fn plot(&self) -> Plot {
        let values = self.strips.iter().flat_map(|strip| {
            let interval = strip.interval.into_iter().flatten();
            strip.values.iter().copied().chain(interval)
        });
        let values = values.chain(self.rules.iter().map(|(value, _)| *value));
        let rows = self.strips.len();
        let has_values = self.strips.iter().any(|strip| !strip.values.is_empty());
        let has_intervals = self.strips.iter().any(|strip| strip.interval.is_some());
        let row = |index: usize| (rows - 1 - index) as f64;
        let mut layers = Vec::new();
        for (at, label) in self.rules {
            layers.push(Layer::Rule(Rule {
                at: *at,
                horizontal: false,
                colour: Rgb::GREY,
                dash: crate::Dash::Dashed,
                label: label.clone(),
            }));
        }
        let mut intervals = Vec::new();
        for (index, strip) in self.strips.iter().enumerate() {
            let colour = strip.colour.unwrap_or_else(|| class_colour(index));
            let lift = if strip.interval.is_some() { 0.16 } else { 0.0 };
            layers.push(Layer::Points(Points {
                points: strip
                    .values
                    .iter()
                    .enumerate()
                    .map(|(seed, &value)| Point {
                        at: [value, row(index) + lift + sideways(seed)],
                        colour,
                    })
                    .collect(),
                radius: 3.6,
                alpha: 0.75,
                ..Points::default()
            }));
            if let Some([mean, low, high]) = strip.interval {
                intervals.push(Interval {
                    at: row(index) - 0.2,
                    mean,
                    low,
                    high,
                    colour,
                });
            }
        }
        layers.push(Layer::Intervals(Intervals {
            intervals,
            horizontal: true,
        }));
        let names = self.strips.iter().enumerate();
        Plot {
            title: self.title.to_string(),
            x: Axis::fit(self.label, self.scale, values, 0.06),
            y: Axis::linear("", -0.6, rows.max(1) as f64 - 0.4).with_ticks(Ticks::At(
                names
                    .map(|(i, strip)| (row(i), strip.name.clone()))
                    .collect(),
            )),
            size: [460.0, 26.0 + 52.0 * rows as f64],
            grid: [true, false],
            layers,
            legend: marker_legend(has_values, has_intervals),
            ..Plot::default()
        }
    }
}

/// Entries for the points of seeds and the means with intervals of a chart.
pub(super) fn marker_legend(values: bool, intervals: bool) -> Vec<LegendEntry> {
    let seed = Swatch::Marker(Shape::Disc);
    let entries = [
        (values, "one seed", Rgb::GREY, seed),
        (
            intervals,
            "mean with its interval",
            Rgb::GREY.darker(),
            Swatch::Interval,
        ),
    ];
    let there = entries.into_iter().filter(|(there, ..)| *there);
    there
        .map(|(_, label, colour, swatch)| LegendEntry::new(label, colour, swatch))
        .collect()
}

/// A small offset that alternates, so that equal values stay visible.
fn sideways(seed: usize) -> f64 {
    0.05 * ((seed % 3) as f64 - 1.0)
}
