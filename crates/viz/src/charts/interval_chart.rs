use crate::{
    Axis, Interval, Intervals, Layer, LegendEntry, Line, Plot, Rgb, Scale, Shape, Swatch,
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
            y_scale: Scale::Linear,
        }
    }
}

impl IntervalChart<'_> {
    /// The chart.
    pub fn plot(&self) -> Plot {
        let xs = self
            .series
            .iter()
            .flat_map(|s| s.points.iter().map(|p| p[0]));
        let ys = self
            .series
            .iter()
            .flat_map(|s| s.points.iter().flat_map(|p| [p[1], p[2], p[3]]));
        let x = Axis::fit(self.x_label, Scale::Linear, xs, 0.08);
        let apart = 0.014 * (x.high - x.low);
        let middle = 0.5 * (self.series.len() as f64 - 1.0);
        let mut layers = Vec::new();
        let mut legend = Vec::new();
        for (index, series) in self.series.iter().enumerate() {
            let colour = series.colour.unwrap_or_else(|| class_colour(index));
            let shift = apart * (index as f64 - middle);
            layers.push(Layer::Line(Line {
                points: series.points.iter().map(|p| [p[0] + shift, p[1]]).collect(),
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
                        at: at + shift,
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
            x,
            y: Axis::fit(self.y_label, self.y_scale, ys, 0.08),
            layers,
            legend,
            ..Plot::default()
        }
    }
}
