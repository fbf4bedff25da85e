use crate::{
    Axis, Band, Dash, Layer, LegendAt, LegendEntry, Line, Plot, Rgb, Scale, Swatch, Ticks,
    class_colour,
};

/// A curve, optionally with a band around it.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// Position and value.
    pub points: Vec<[f64; 2]>,
    /// Position, lower and upper value of the band: mean ± standard deviation over seeds.
    pub band: Vec<[f64; 3]>,
    /// Colour; without it, the series' own.
    pub colour: Option<Rgb>,
    /// Dashes, for instance for the test set beside the training set.
    pub dash: Dash,
}

/// Curves over a common axis, such as the training curves.
#[derive(Clone, Debug)]
pub struct LineChart<'a> {
    /// Title of the panel.
    pub title: &'a str,
    /// Name of the horizontal axis.
    pub x_label: &'a str,
    /// Name and unit of the vertical axis.
    pub y_label: &'a str,
    /// The curves.
    pub series: &'a [Series],
    /// Scale of the horizontal axis.
    pub x_scale: Scale,
    /// Scale of the vertical axis.
    pub y_scale: Scale,
    /// Range of the horizontal axis; without it, that of the data.
    pub x_range: Option<[f64; 2]>,
    /// Range of the vertical axis; without it, that of the data.
    pub y_range: Option<[f64; 2]>,
    /// Width and height inside of the axes, canvas units.
    pub size: [f64; 2],
    /// Where the legend stands.
    pub legend_at: LegendAt,
}

impl Default for LineChart<'_> {
    fn default() -> Self {
        LineChart {
            title: "",
            x_label: "epoch",
            y_label: "",
            series: &[],
            x_scale: Scale::Linear,
            y_scale: Scale::Linear,
            x_range: None,
            y_range: None,
            size: Plot::default().size,
            legend_at: LegendAt::Right,
        }
    }
}

impl LineChart<'_> {
    /// The chart.
    pub fn plot(&self) -> Plot {
        let xs = self.series.iter().flat_map(|series| {
            let points = series.points.iter().map(|p| p[0]);
            points.chain(series.band.iter().map(|p| p[0]))
        });
        // Epochs and other counts have no halves.
        let mut finite = xs.clone().filter(|x| x.is_finite()).peekable();
        let counts = finite.peek().is_some() && finite.all(|x| x.fract() == 0.0);
        let ys = self.series.iter().flat_map(|series| {
            let points = series.points.iter().map(|p| p[1]);
            points.chain(series.band.iter().flat_map(|p| [p[1], p[2]]))
        });
        let mut x = Axis::fit(self.x_label, self.x_scale, xs, 0.02);
        if let Some([low, high]) = self.x_range {
            (x.low, x.high) = (low, high);
        }
        if counts {
            x.ticks = Ticks::Whole(5);
        }
        let mut y = Axis::fit(self.y_label, self.y_scale, ys, 0.06);
        if let Some([low, high]) = self.y_range {
            (y.low, y.high) = (low, high);
        }
        let colour =
            |index: usize, series: &Series| series.colour.unwrap_or_else(|| class_colour(index));
        let mut layers = Vec::new();
        for (index, series) in self.series.iter().enumerate() {
            if !series.band.is_empty() {
                layers.push(Layer::Band(Band {
                    points: series.band.clone(),
                    colour: colour(index, series),
                    alpha: 0.2,
                }));
            }
        }
        for (index, series) in self.series.iter().enumerate() {
            layers.push(Layer::Line(Line {
                points: series.points.clone(),
                colour: colour(index, series),
                width: 2.2,
                dash: series.dash,
                ..Line::default()
            }));
        }
        Plot {
            title: self.title.to_string(),
            x,
            y,
            layers,
            legend: self
                .series
                .iter()
                .enumerate()
                .filter(|(_, series)| !series.name.is_empty())
                .map(|(index, series)| {
                    LegendEntry::new(
                        &series.name,
                        colour(index, series),
                        Swatch::Line(series.dash),
                    )
                })
                .collect(),
            size: self.size,
            legend_at: self.legend_at,
            ..Plot::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_have_whole_ticks_and_other_numbers_any() {
        let labels = |points: &[[f64; 2]], x_range| -> Vec<String> {
            let series = [Series {
                points: points.to_vec(),
                ..Series::default()
            }];
            let chart = LineChart {
                series: &series,
                x_range,
                ..LineChart::default()
            };
            let ticks = chart.plot().x.tick_labels();
            ticks.into_iter().map(|(_, label)| label).collect()
        };
        let epochs = [[1.0, 3.0], [2.0, 2.5], [3.0, f64::NAN]];
        assert_eq!(labels(&epochs, None), ["1", "2", "3"]);
        assert_eq!(labels(&epochs, Some([0.0, 4.0])), ["0", "1", "2", "3", "4"]);
        let shares = [[1.0, 3.0], [1.5, 2.0], [3.0, 1.0]];
        assert_eq!(labels(&shares, None), ["1.0", "1.5", "2.0", "2.5", "3.0"]);
        assert_eq!(labels(&[], None).len(), 6);
    }
}
