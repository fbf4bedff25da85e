use crate::number::decimal;
use crate::{
    Axis, Interval, Intervals, Layer, LegendEntry, Line, Plot, Rgb, Scale, Shape, Swatch, Ticks,
    class_colour,
};

/// Means with intervals along a number, joined by a thin line.
#[derive(Clone, Debug, Default)]
pub struct IntervalSeries {
    /// Name in the legend; empty for none.
    pub name: String,
    /// Position, mean, lower and upper end.
    pub points: Vec<[f64; 4]>,
    /// Colour; without it, the series' own.
    pub colour: Option<Rgb>,
}

/// Means with error bars against a number, such as active units against the latent size.
#[derive(Clone, Debug)]
pub struct IntervalChart<'a> {
    /// Title of the panel.
    pub title: &'a str,
    /// Name of the horizontal axis.
    pub x_label: &'a str,
    /// Name and unit of the vertical axis.
    pub y_label: &'a str,
    /// The series; they are set apart sideways by a little so that bars do not cover each other.
    pub series: &'a [IntervalSeries],
    /// Scale of the horizontal axis.
    pub x_scale: Scale,
    /// Scale of the vertical axis.
    pub y_scale: Scale,
}

impl Default for IntervalChart<'_> {
    fn default() -> Self {
        IntervalChart {
            title: "",
            x_label: "",
            y_label: "",
            series: &[],
            x_scale: Scale::Linear,
            y_scale: Scale::Linear,
        }
    }
}

impl IntervalChart<'_> {
    /// The chart; few positions have a tick each.
    pub fn plot(&self) -> Plot {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let ys = points().flat_map(|p| [p[1], p[2], p[3]]);
        let mut positions: Vec<f64> = points().map(|p| p[0]).filter(|x| x.is_finite()).collect();
        positions.sort_by(f64::total_cmp);
        positions.dedup();
        let mut x = Axis::fit(self.x_label, self.x_scale, positions.clone(), 0.08);
        // Numbers that are short to write.
        let short = positions.iter().all(|v| v.abs() < 1e7);
        if positions.len() <= 10 && short {
            let decimals = usize::from(positions.iter().any(|v| v.fract() != 0.0));
            let ticks = positions.iter().map(|v| (*v, decimal(*v, decimals)));
            x.ticks = Ticks::At(ticks.collect());
        }
        let middle = 0.5 * (self.series.len() as f64 - 1.0);
        let mut layers = Vec::new();
        let mut legend = Vec::new();
        for (index, series) in self.series.iter().enumerate() {
            let colour = series.colour.unwrap_or_else(|| class_colour(index));
            let aside = 0.014 * (index as f64 - middle);
            let shifted = |at: f64| match self.x_scale {
                Scale::Linear => at + aside * (x.high - x.low),
                Scale::Log10 => at * (x.high / x.low).powf(aside),
            };
            layers.push(Layer::Line(Line {
                points: series
                    .points
                    .iter()
                    .map(|p| [shifted(p[0]), p[1]])
                    .collect(),
                colour,
                width: 1.4,
                alpha: 0.6,
                ..Line::default()
            }));
            layers.push(Layer::Intervals(Intervals {
                intervals: series
                    .points
                    .iter()
                    .map(|&[at, mean, low, high]| Interval {
                        at: shifted(at),
                        mean,
                        low,
                        high,
                        colour,
                    })
                    .collect(),
                horizontal: false,
            }));
            if !series.name.is_empty() {
                let swatch = Swatch::Marker(Shape::Disc);
                legend.push(LegendEntry::new(&series.name, colour.darker(), swatch));
            }
        }
        Plot {
            title: self.title.to_string(),
            y: Axis::fit(self.y_label, self.y_scale, ys, 0.08),
            x,
            layers,
            legend,
            ..Plot::default()
        }
    }
}
