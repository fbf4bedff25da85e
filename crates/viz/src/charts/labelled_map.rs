use crate::number::decimal;
use crate::{Aspect, Axis, Frame, ImageRef, Layer, PlacedImage, Plot, Ticks};

/// A map of decoded codes with axes.
///
/// With equally spaced codes the axes are the codes themselves, so that layers in code coordinates
/// can be laid over the images; otherwise (the prior's quantiles) ticks name the code of a tile.
#[derive(Clone, Debug)]
pub struct LabelledMap<'a> {
    /// Title of the panel.
    pub title: &'a str,
    /// The tiles without gutters, first row at the top.
    pub image: ImageRef<'a>,
    /// Ascending codes of the columns.
    pub first: &'a [f64],
    /// Ascending codes of the rows, the last one at the top.
    pub second: &'a [f64],
    /// Names of both axes.
    pub labels: [&'a str; 2],
    /// Canvas units of one image pixel (a multiple of one half keeps pixels square at scale 2).
    pub pixel: f64,
}

impl LabelledMap<'_> {
    /// The chart.
    pub fn plot(&self) -> Plot {
        let axes = [0, 1].map(|side| {
            let codes = [self.first, self.second][side];
            let label = self.labels[side];
            match step(codes) {
                Some(step) => Axis::linear(
                    label,
                    codes[0] - 0.5 * step,
                    codes[codes.len() - 1] + 0.5 * step,
                ),
                None => index_axis(label, codes),
            }
        });
        let [x, y] = axes;
        Plot {
            title: self.title.to_string(),
            size: [
                self.image.width() as f64 * self.pixel,
                self.image.height() as f64 * self.pixel,
            ],
            aspect: Aspect::Free,
            frame: Frame::Closed,
            grid: [false, false],
            layers: vec![Layer::Image(PlacedImage {
                image: self.image.to_image(),
                x: [x.low, x.high],
                y: [y.low, y.high],
                alpha: 1.0,
            })],
            x,
            y,
            ..Plot::default()
        }
    }
}

/// The common distance of equally spaced codes.
fn step(codes: &[f64]) -> Option<f64> {
    let (first, last) = (codes.first()?, codes.last()?);
    let step = (last - first) / (codes.len() - 1).max(1) as f64;
    let even = codes
        .windows(2)
        .all(|pair| ((pair[1] - pair[0]) / step - 1.0).abs() < 1e-6);
    (step > 0.0 && even).then_some(step)
}

fn index_axis(label: &str, codes: &[f64]) -> Axis {
    let every = codes.len().div_ceil(9).max(1);
    // Ticks lie symmetric about the middle tile.
    let first = (codes.len().saturating_sub(1)) / 2 % every;
    Axis::linear(label, -0.5, codes.len().max(1) as f64 - 0.5).with_ticks(Ticks::At(
        codes
            .iter()
            .enumerate()
            .skip(first)
            .step_by(every)
            .map(|(index, code)| (index as f64, decimal(*code, 1)))
            .collect(),
    ))
}
