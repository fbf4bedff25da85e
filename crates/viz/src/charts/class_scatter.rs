use crate::{
    Aspect, Axis, Ellipses, Frame, Label, Labels, Layer, LegendEntry, Plot, Point, Points, Shape,
    Swatch, VizError, class_colour,
};

/// Codes in the plane coloured by class.
///
/// Equal aspect, shuffled drawing order, class names at the centroids and in the legend.
///
/// ```
/// let names = ["zero".to_string(), "one".to_string()];
/// let plot = viz::charts::ClassScatter {
///     points: &[[0.1, 0.2], [1.0, -1.0]],
///     classes: &[0, 1],
///     class_names: &names,
///     prior: true,
///     ..Default::default()
/// }
/// .plot()?;
/// assert_eq!(plot.legend.len(), 2);
/// # Ok::<(), viz::VizError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClassScatter<'a> {
    /// Title of the panel.
    pub title: &'a str,
    /// Codes.
    pub points: &'a [[f64; 2]],
    /// Class of each code, an index into `class_names`.
    pub classes: &'a [u8],
    /// Names for the legend.
    pub class_names: &'a [String],
    /// Short names at the centroids; empty for `class_names`.
    pub glyphs: &'a [String],
    /// Names of both axes.
    pub labels: [&'a str; 2],
    /// Ranges of both axes; without them, the codes' extent.
    pub ranges: Option<[[f64; 2]; 2]>,
    /// Draws the circles of one and two standard deviations of the prior.
    pub prior: bool,
    /// Opacity; without it, one that suits the number of points.
    pub alpha: Option<f64>,
    /// Radius of a point, canvas units.
    pub radius: f64,
    /// Seed of the drawing order.
    pub seed: u64,
}

impl Default for ClassScatter<'_> {
    fn default() -> Self {
        ClassScatter {
            title: "",
            points: &[],
            classes: &[],
            class_names: &[],
            glyphs: &[],
            labels: ["z₁", "z₂"],
            ranges: None,
            prior: false,
            alpha: None,
            radius: 1.9,
            seed: 0,
        }
    }
}

impl ClassScatter<'_> {
    /// The chart.
    ///
    /// # Errors
    ///
    /// [`VizError::Shape`] when codes and classes differ in number or a class has no name.
    pub fn plot(&self) -> Result<Plot, VizError> {
        if self.points.len() != self.classes.len() {
            return Err(VizError::shape(
                "classes of a scatter",
                self.classes.len(),
                format!("one for each of {} points", self.points.len()),
            ));
        }
        let glyphs = if self.glyphs.is_empty() {
            self.class_names
        } else {
            self.glyphs
        };
        let count = self.class_names.len().min(glyphs.len());
        if let Some(class) = self.classes.iter().find(|&&c| usize::from(c) >= count) {
            return Err(VizError::shape(
                "class of a point",
                class,
                format!("less than {count}, the number of class names"),
            ));
        }
        let [x, y] = plane_axes(self.labels, self.ranges, self.points);
        let mut layers = vec![Layer::Points(Points {
            points: self
                .points
                .iter()
                .zip(self.classes)
                .map(|(&at, &class)| Point {
                    at,
                    colour: class_colour(usize::from(class)),
                })
                .collect(),
            radius: self.radius,
            alpha: self.alpha.unwrap_or_else(|| alpha_for(self.points.len())),
            shuffle: Some(self.seed),
            ..Points::default()
        })];
        if self.prior {
            layers.push(Layer::Ellipses(Ellipses::prior(&[1.0, 2.0])));
        }
        layers.push(Layer::Labels(Labels {
            labels: centroids(self.points, self.classes, count)
                .into_iter()
                .enumerate()
                .filter_map(|(class, centroid)| {
                    Some(Label {
                        at: centroid?,
                        text: glyphs[class].clone(),
                        colour: class_colour(class).darker(),
                    })
                })
                .collect(),
            ..Labels::default()
        }));
        Ok(Plot {
            title: self.title.to_string(),
            x,
            y,
            size: [440.0, 440.0],
            aspect: Aspect::EqualRange,
            frame: Frame::Closed,
            layers,
            legend: class_legend(self.class_names),
            ..Plot::default()
        })
    }
}

/// A legend of classes in their colours.
pub(crate) fn class_legend(class_names: &[String]) -> Vec<LegendEntry> {
    class_names
        .iter()
        .enumerate()
        .map(|(class, name)| {
            LegendEntry::new(name, class_colour(class), Swatch::Marker(Shape::Disc))
        })
        .collect()
}

/// Both axes of a plane: the given ranges, or the points' extent with a small margin.
pub(crate) fn plane_axes(
    labels: [&str; 2],
    ranges: Option<[[f64; 2]; 2]>,
    points: &[[f64; 2]],
) -> [Axis; 2] {
    [0, 1].map(|axis| match ranges {
        Some(ranges) => Axis::linear(labels[axis], ranges[axis][0], ranges[axis][1]),
        None => {
            let values = points.iter().map(|p| p[axis]);
            Axis::fit(labels[axis], crate::Scale::Linear, values, 0.04)
        }
    })
}

/// The mean of each class's finite points.
fn centroids(points: &[[f64; 2]], classes: &[u8], count: usize) -> Vec<Option<[f64; 2]>> {
    let mut sums = vec![([0.0, 0.0], 0.0); count];
    for (point, &class) in points.iter().zip(classes) {
        if point.iter().all(|v| v.is_finite()) {
            let (sum, number) = &mut sums[usize::from(class)];
            sum[0] += point[0];
            sum[1] += point[1];
            *number += 1.0;
        }
    }
    sums.into_iter()
        .map(|(sum, number)| (number > 0.0).then(|| [sum[0] / number, sum[1] / number]))
        .collect()
}

/// Opaque for few points, ever lighter for many.
fn alpha_for(count: usize) -> f64 {
    (30.0 / (count.max(1) as f64).sqrt()).clamp(0.2, 0.9)
}
