use crate::{
    Axis, Bar, Dash, Layer, LegendAt, LegendEntry, Plot, Rgb, Rule, Scale, Swatch, Ticks, VizError,
    class_colour,
};

/// One bar in each category.
#[derive(Clone, Debug, Default)]
pub struct BarSeries {
    /// Name in the legend; empty for none.
    pub name: String,
    /// A value for each category; a non-finite one has no bar.
    pub values: Vec<f64>,
    /// Colour; without it, the series' own.
    pub colour: Option<Rgb>,
}

/// Values by category, such as the KL or the variance of μ of each latent dimension.
#[derive(Clone, Debug)]
pub struct BarChart<'a> {
    /// Title of the panel.
    pub title: &'a str,
    /// Name of the categories.
    pub x_label: &'a str,
    /// Name and unit of the values.
    pub y_label: &'a str,
    /// The categories' names.
    pub categories: &'a [String],
    /// Bars, grouped by category.
    pub series: &'a [BarSeries],
    /// Linear from zero, or logarithmic.
    pub scale: Scale,
    /// A value and its name, drawn as a line; bars below it are pale.
    pub threshold: Option<(f64, &'a str)>,
}

impl Default for BarChart<'_> {
    fn default() -> Self {
        BarChart {
            title: "",
            x_label: "",
            y_label: "",
            categories: &[],
            series: &[],
            scale: Scale::Linear,
            threshold: None,
        }
    }
}

impl BarChart<'_> {
    /// The chart.
    ///
    /// # Errors
    ///
    /// [`VizError::Shape`] when a series has not one value for each category.
    pub fn plot(&self) -> Result<Plot, VizError> {
        let count = self.categories.len();
        if let Some(series) = self.series.iter().find(|s| s.values.len() != count) {
            return Err(VizError::shape(
                "values of a bar series",
                series.values.len(),
                format!("{count}, as categories"),
            ));
        }
        let threshold = self.threshold.map(|(value, _)| value);
        let values = self.series.iter().flat_map(|s| s.values.iter().copied());
        let mut y = Axis::fit(self.y_label, self.scale, values.chain(threshold), 0.08);
        if self.scale == Scale::Linear {
            // Bars stand on zero, or the lengths would lie.
            if y.low > 0.0
                || self
                    .series
                    .iter()
                    .flat_map(|s| &s.values)
                    .all(|v| *v >= 0.0)
            {
                y.low = 0.0;
            }
            y.high = y.high.max(0.0);
        }
        let colour =
            |index: usize, series: &BarSeries| series.colour.unwrap_or_else(|| class_colour(index));
        let width = 0.76 / self.series.len().max(1) as f64;
        let mut bars = Vec::new();
        for (index, series) in self.series.iter().enumerate() {
            for (category, &value) in series.values.iter().enumerate() {
                let left = category as f64 - 0.38 + index as f64 * width;
                let gap = 0.06 * width;
                bars.push(Bar {
                    x: [left + gap, left + width - gap],
                    y: [0.0, value],
                    colour: if threshold.is_some_and(|t| value <= t) {
                        colour(index, series).mix(Rgb::WHITE, 0.65)
                    } else {
                        colour(index, series)
                    },
                    alpha: 1.0,
                });
            }
        }
        let mut layers = vec![Layer::Bars(bars)];
        if let Some((at, label)) = self.threshold {
            layers.push(Layer::Rule(Rule {
                at,
                horizontal: true,
                colour: Rgb::hex(0x2b3038),
                dash: Dash::Dashed,
                label: label.to_string(),
            }));
        }
        let every = count.div_ceil(24).max(1);
        let ticks = self.categories.iter().enumerate().step_by(every);
        Ok(Plot {
            title: self.title.to_string(),
            x: Axis::linear(self.x_label, -0.6, count.max(1) as f64 - 0.4).with_ticks(Ticks::At(
                ticks.map(|(i, name)| (i as f64, name.clone())).collect(),
            )),
            y,
            grid: [false, true],
            layers,
            legend: self
                .series
                .iter()
                .enumerate()
                .filter(|(_, series)| !series.name.is_empty())
                .map(|(index, series)| {
                    LegendEntry::new(&series.name, colour(index, series), Swatch::Patch)
                })
                .collect(),
            legend_at: LegendAt::Right,
            ..Plot::default()
        })
    }
}
