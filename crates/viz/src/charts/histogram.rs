use crate::{Axis, Bar, Layer, LegendEntry, Line, Plot, Rgb, Scale, Swatch, class_colour};

/// Values whose distribution is drawn.
#[derive(Clone, Debug, Default)]
pub struct HistogramSeries {
    /// Name in the legend; empty for none.
    pub name: String,
    /// The values; non-finite ones are left out.
    pub values: Vec<f64>,
    /// Colour; without it, the series' own.
    pub colour: Option<Rgb>,
}

/// Distributions as densities over common bins.
#[derive(Clone, Debug)]
pub struct Histogram<'a> {
    /// Title of the panel.
    pub title: &'a str,
    /// Name and unit of the values.
    pub x_label: &'a str,
    /// The distributions.
    pub series: &'a [HistogramSeries],
    /// Number of bins.
    pub bins: usize,
    /// Range of the bins; without it, that of the values.
    pub range: Option<[f64; 2]>,
    /// Draws the density of N(0, 1) as a line.
    pub standard_normal: bool,
}

impl Default for Histogram<'_> {
    fn default() -> Self {
        Histogram {
            title: "",
            x_label: "",
            series: &[],
            bins: 40,
            range: None,
            standard_normal: false,
        }
    }
}

impl Histogram<'_> {
    /// The chart. Values outside of the range count in the density's denominator, so that the
    /// drawn area is their share inside.
    pub fn plot(&self) -> Plot {
        let [low, high] = self.range.unwrap_or_else(|| {
            let values = self.series.iter().flat_map(|s| s.values.iter().copied());
            let axis = Axis::fit("", Scale::Linear, values, 0.0);
            [axis.low, axis.high]
        });
        let axis = Axis::linear("", low, high).drawable();
        let (low, high) = (axis.low, axis.high);
        let bins = self.bins.max(1);
        let width = (high - low) / bins as f64;
        let mut layers = Vec::new();
        let mut tallest = 0.0f64;
        let mut legend = Vec::new();
        for (index, series) in self.series.iter().enumerate() {
            let colour = series.colour.unwrap_or_else(|| class_colour(index));
            let densities = densities(&series.values, low, width, bins);
            tallest = densities.iter().copied().fold(tallest, f64::max);
            let edge = |bin: usize| low + width * bin as f64;
            layers.push(Layer::Bars(
                densities
                    .iter()
                    .enumerate()
                    .map(|(bin, &density)| Bar {
                        x: [edge(bin), edge(bin + 1)],
                        y: [0.0, density],
                        colour,
                        alpha: 0.4,
                    })
                    .collect(),
            ));
            let mut outline = vec![[low, 0.0]];
            for (bin, &density) in densities.iter().enumerate() {
                outline.extend([[edge(bin), density], [edge(bin + 1), density]]);
            }
            outline.push([high, 0.0]);
            layers.push(Layer::Line(Line {
                points: outline,
                colour: colour.darker(),
                width: 1.2,
                ..Line::default()
            }));
            if !series.name.is_empty() {
                legend.push(LegendEntry::new(&series.name, colour, Swatch::Patch));
            }
        }
        if self.standard_normal {
            let density = |x: f64| (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
            tallest = tallest.max(density(0.0));
            let colour = Rgb::hex(0x2b3038);
            layers.push(Layer::Line(Line {
                points: (0..=240)
                    .map(|i| low + (high - low) * f64::from(i) / 240.0)
                    .map(|x| [x, density(x)])
                    .collect(),
                colour,
                dash: crate::Dash::Dashed,
                ..Line::default()
            }));
            let dash = Swatch::Line(crate::Dash::Dashed);
            legend.push(LegendEntry::new("N(0, 1)", colour, dash));
        }
        Plot {
            title: self.title.to_string(),
            x: Axis::linear(self.x_label, low, high),
            y: Axis::linear(
                "density",
                0.0,
                if tallest > 0.0 { 1.08 * tallest } else { 1.0 },
            ),
            layers,
            legend,
            ..Plot::default()
        }
    }
}

/// Count per bin over number of finite values and bin width; the last bin is closed.
fn densities(values: &[f64], low: f64, width: f64, bins: usize) -> Vec<f64> {
    let mut counts = vec![0.0; bins];
    let mut number = 0.0;
    for &value in values.iter().filter(|v| v.is_finite()) {
        number += 1.0;
        let bin = (value - low) / width;
        if (0.0..=bins as f64).contains(&bin) {
            counts[(bin as usize).min(bins - 1)] += 1.0;
        }
    }
    let unit = if number > 0.0 {
        1.0 / (number * width)
    } else {
        0.0
    };
    counts.into_iter().map(|count| count * unit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn densities_integrate_to_the_share_inside() {
        let values = [0.0, 0.5, 1.0, 2.0, 3.9, 4.0, 9.0, f64::NAN];
        let found = densities(&values, 0.0, 1.0, 4);
        let expected = [2.0, 1.0, 1.0, 2.0].map(|count| count / 7.0);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12);
        }
        assert_eq!(densities(&[], 0.0, 1.0, 2), [0.0, 0.0]);
    }
}
