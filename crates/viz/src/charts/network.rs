use crate::{
    Axis, Frame, Label, Labels, Layer, Placing, Plot, Polygon, Rgb, Ticks, VizError, theme,
};

/// A layer of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkLayer {
    /// What it is, above its box.
    pub name: String,
    /// Its width in words, below the box.
    pub words: String,
    /// Number of its values, at least 1.
    pub width: usize,
    /// Colour of the box.
    pub colour: Rgb,
}

/// A network from left to right: a box for each layer, its height with the logarithm of its width,
/// and what it computes the next one from between them.
#[derive(Clone, Debug)]
pub struct Network<'a> {
    /// Title of the panel.
    pub title: &'a str,
    /// The layers.
    pub layers: &'a [NetworkLayer],
}

/// From box to box, and a box's width, canvas units.
const STEP: f64 = 92.0;
const BOX: f64 = 22.0;
/// Height of the widest layer's box and of a single value's.
const HEIGHT: f64 = 110.0;
const LEAST: f64 = 12.0;
/// Room for the words above and below the boxes.
const WORDS: f64 = 26.0;

impl Network<'_> {
    /// The drawing.
    ///
    /// # Errors
    ///
    /// [`VizError::Shape`] for a layer without values.
    pub fn plot(&self) -> Result<Plot, VizError> {
        if self.layers.iter().any(|layer| layer.width == 0) {
            let what = "values of a network's layer";
            return Err(VizError::shape(what, 0, "at least 1"));
        }
        let widest = self.layers.iter().map(|layer| layer.width).max();
        let widest = (widest.unwrap_or(1) as f64).ln().max(1.0);
        let middle = WORDS + 0.5 * HEIGHT;
        let size = [STEP * self.layers.len() as f64, HEIGHT + 2.0 * WORDS];
        let mut boxes = Vec::new();
        let mut between = Vec::new();
        let mut words = Vec::new();
        let mut before: Option<([f64; 2], f64)> = None;
        for (index, layer) in self.layers.iter().enumerate() {
            let x = STEP * (index as f64 + 0.5);
            let half = 0.5 * (LEAST + (HEIGHT - LEAST) * (layer.width as f64).ln() / widest);
            let [left, right] = [x - 0.5 * BOX, x + 0.5 * BOX];
            let edges = |x: f64, half: f64| [[x, middle - half], [x, middle + half]];
            if let Some(([.., from], other)) = before {
                let [[a, b], [c, d]] = [edges(from, other), edges(left, half)];
                between.push(Polygon {
                    corners: vec![a, b, d, c],
                    colour: theme::GRID,
                    alpha: 1.0,
                    edge: None,
                });
            }
            let [[a, b], [c, d]] = [edges(left, half), edges(right, half)];
            boxes.push(Polygon {
                corners: vec![a, b, d, c],
                colour: layer.colour,
                alpha: 1.0,
                edge: None,
            });
            for (text, way) in [(&layer.name, 1.0), (&layer.words, -1.0)] {
                words.push(Label {
                    at: [x, middle + way * (half + 0.5 * WORDS)],
                    text: text.clone(),
                    colour: theme::INK,
                });
            }
            before = Some(([left, right], half));
        }
        let axis = |high: f64| Axis::linear("", 0.0, high.max(1.0)).with_ticks(Ticks::None);
        Ok(Plot {
            title: self.title.to_string(),
            x: axis(size[0]),
            y: axis(size[1]),
            size: size.map(|side| side.max(1.0)),
            frame: Frame::None,
            grid: [false, false],
            layers: vec![
                Layer::Polygons(between),
                Layer::Polygons(boxes),
                Layer::Labels(Labels {
                    labels: words,
                    size: theme::LABEL_SIZE,
                    placing: Placing::Given,
                    weight: crate::Weight::Regular,
                    ..Labels::default()
                }),
            ],
            ..Plot::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(widths: &[usize]) -> Vec<NetworkLayer> {
        let layer = |&width: &usize| NetworkLayer {
            name: "hidden".into(),
            words: width.to_string(),
            width,
            colour: Rgb::GREY,
        };
        widths.iter().map(layer).collect()
    }

    #[test]
    fn boxes_grow_with_the_logarithm_of_the_width_and_joints_fit_them() {
        let layers = layers(&[784, 28, 1, 784]);
        let plot = Network {
            title: "",
            layers: &layers,
        }
        .plot()
        .unwrap();
        let [
            Layer::Polygons(between),
            Layer::Polygons(boxes),
            Layer::Labels(words),
        ] = &plot.layers[..]
        else {
            panic!("joints, boxes and words");
        };
        let height = |polygon: &Polygon| polygon.corners[1][1] - polygon.corners[0][1];
        let heights: Vec<f64> = boxes.iter().map(height).collect();
        assert_eq!([heights[0], heights[2]], [HEIGHT, LEAST]);
        // 28 is the root of 784: halfway.
        assert!((heights[1] - 0.5 * (HEIGHT + LEAST)).abs() < 1e-9);
        assert_eq!((between.len(), words.labels.len()), (3, 8));
        for (joint, pair) in between.iter().zip(boxes.windows(2)) {
            assert_eq!(joint.corners[..2], [pair[0].corners[3], pair[0].corners[2]]);
            assert_eq!(joint.corners[3], pair[1].corners[0]);
        }
        for word in &words.labels {
            assert!((0.0..=plot.size[1]).contains(&word.at[1]), "{word:?}");
        }
    }

    #[test]
    fn odd_networks_are_drawn_or_refused() {
        for widths in [&[][..], &[1], &[1, 1]] {
            let layers = layers(widths);
            let plot = Network {
                title: "",
                layers: &layers,
            }
            .plot()
            .unwrap();
            assert!(crate::Figure::of(plot).render().width() > 0);
        }
        let layers = layers(&[0]);
        let error = Network {
            title: "",
            layers: &layers,
        }
        .plot()
        .unwrap_err();
        assert!(error.to_string().contains("layer"), "{error}");
    }
}
