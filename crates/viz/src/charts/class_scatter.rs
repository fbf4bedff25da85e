use crate::charts::extent;
use crate::font::has_all;
use crate::{
    Aspect, Axis, Classes, Dash, Ellipse, Ellipses, Frame, Label, Labels, Layer, LegendEntry, Plot,
    Point, Points, Rgb, Rule, Swatch, VizError, Weight, class_colour, class_mark, shortened,
    text_width,
};

/// Codes in the plane coloured by class, or in one colour where there are no classes.
///
/// Equal aspect, shuffled drawing order, class names in the legend and at the centroids: of many
/// classes, only of the most frequent ones that leave the codes visible. Codes that are not finite
/// are left out; [`Plot::left_out`] counts them. Names with characters that the bundled font does
/// not have are shown after the class's number.
///
/// ```
/// let names = ["zero".to_string(), "one".to_string()];
/// let plot = viz::charts::ClassScatter {
///     points: &[[0.1, 0.2], [1.0, -1.0]],
///     classes: (&[0, 1]).into(),
///     class_names: &names,
///     prior: true,
///     ..Default::default()
/// }
/// .plot()?;
/// assert_eq!(plot.legend.len(), 2);
///
/// let unlabelled = viz::charts::ClassScatter { points: &[[0.1, 0.2]], ..Default::default() };
/// assert!(unlabelled.plot()?.legend.is_empty());
/// # Ok::<(), viz::VizError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClassScatter<'a> {
    /// Title of the panel.
    pub title: &'a str,
    /// Codes.
    pub points: &'a [[f64; 2]],
    /// Class of each code, an index into `class_names`; or none.
    pub classes: Classes<'a>,
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
    /// Radius of each code's disc in units of the axes, such as its posterior's, instead of one
    /// for all; empty for that one.
    pub radii: &'a [f64],
    /// Ranges of both axes that are marked by a dashed rectangle, such as those of a map.
    pub window: Option<[[f64; 2]; 2]>,
    /// Lines through the origin, below the codes.
    pub origin: bool,
    /// Font size of the names at the centroids, canvas units; `None` for no names.
    pub name_size: Option<f64>,
    /// Width and height inside of the axes, canvas units.
    pub size: [f64; 2],
    /// Seed of the drawing order.
    pub seed: u64,
}

impl Default for ClassScatter<'_> {
    fn default() -> Self {
        ClassScatter {
            title: "",
            points: &[],
            classes: Classes::None,
            class_names: &[],
            glyphs: &[],
            labels: ["z₁", "z₂"],
            ranges: None,
            prior: false,
            alpha: None,
            radius: 1.9,
            radii: &[],
            window: None,
            origin: false,
            name_size: Some(13.0),
            size: [440.0, 440.0],
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
        check_classes("classes of a scatter", self.classes, self.points.len())?;
        let glyphs = if self.glyphs.is_empty() {
            self.class_names
        } else {
            self.glyphs
        };
        let count = self.class_names.len().min(glyphs.len());
        if let Some(class) = self.classes.largest().filter(|&class| class >= count) {
            return Err(VizError::shape(
                "class of a point",
                class,
                format!("less than {count}, the number of class names"),
            ));
        }
        let [x, y] = plane_axes(self.labels, self.ranges, self.points);
        if !self.radii.is_empty() && self.radii.len() != self.points.len() {
            return Err(VizError::shape(
                "radii of a scatter",
                self.radii.len(),
                format!("one for each of {} points, or none", self.points.len()),
            ));
        }
        let mut layers = Vec::new();
        if self.origin {
            layers.extend([true, false].map(|horizontal| {
                Layer::Rule(Rule {
                    at: 0.0,
                    horizontal,
                    colour: REFERENCE,
                    dash: Dash::Solid,
                    label: String::new(),
                })
            }));
        }
        layers.push(self.codes());
        if self.prior {
            layers.push(Layer::Ellipses(Ellipses::prior(&[1.0, 2.0])));
        }
        if let Some([x, y]) = self.window {
            layers.push(extent(x, y, REFERENCE));
        }
        if let Some(size) = self.name_size {
            layers.push(Layer::Labels(Labels {
                labels: self.centroid_labels(glyphs, size),
                size,
                ..Labels::default()
            }));
        }
        Ok(Plot {
            title: self.title.to_string(),
            x,
            y,
            size: self.size,
            aspect: Aspect::EqualRange,
            frame: Frame::Closed,
            layers,
            legend: class_legend(self.class_names, self.classes),
            ..Plot::default()
        })
    }

    /// The codes as markers, or as discs of their own radii.
    fn codes(&self) -> Layer {
        let colour = |index: usize| self.classes.colour(index);
        if !self.radii.is_empty() {
            let discs = self.points.iter().zip(self.radii).enumerate();
            return Layer::Ellipses(Ellipses {
                ellipses: discs
                    .map(|(index, (&centre, &radius))| Ellipse {
                        centre,
                        radii: [radius; 2],
                        angle: 0.0,
                        colour: colour(index),
                    })
                    .collect(),
                fill: self.alpha.unwrap_or(0.3),
                edge: 0.0,
                width: 0.0,
                dash: Dash::Solid,
            });
        }
        let points = self.points.iter().enumerate();
        Layer::Points(Points {
            points: points
                .map(|(index, &at)| Point {
                    at,
                    colour: colour(index),
                })
                .collect(),
            radius: self.radius,
            alpha: self.alpha.unwrap_or_else(|| alpha_for(self.points.len())),
            shapes: self.classes.marks(),
            shuffle: Some(self.seed),
            ..Points::default()
        })
    }

    /// Names at the centroids of the most frequent classes, as many as cover no more than a quarter
    /// of the plot; none when these are less than half of the classes.
    fn centroid_labels(&self, glyphs: &[String], size: f64) -> Vec<Label> {
        let area = 0.25 * self.size[0] * self.size[1];
        let look = Labels {
            size,
            ..Labels::default()
        };
        let mut labels: Vec<(usize, Label)> = centroids(self.points, self.classes, glyphs.len())
            .into_iter()
            .zip(glyphs)
            .enumerate()
            .filter(|(_, ((_, number), _))| *number > 0)
            .map(|(class, ((at, number), name))| {
                let name = readable(class, name);
                let label = Label {
                    at,
                    text: shortened(&name, look.size, look.weight, WIDEST_LABEL),
                    colour: class_colour(class).darker(),
                };
                (number, label)
            })
            .collect();
        let present = labels.len();
        // Stable: of equally frequent classes the first ones.
        let mut order: Vec<usize> = (0..present).collect();
        order.sort_by_key(|&at| std::cmp::Reverse(labels[at].0));
        let mut covered = 0.0;
        order.retain(|&at| {
            covered += text_width(&labels[at].1.text, look.size, look.weight) * look.size;
            covered <= area
        });
        if 2 * order.len() < present {
            return Vec::new();
        }
        order.sort_unstable();
        let mut at = 0..;
        labels.retain(|_| at.next().is_some_and(|at| order.binary_search(&at).is_ok()));
        labels.into_iter().map(|(_, label)| label).collect()
    }
}

/// Lines for comparison over the colours of classes.
const REFERENCE: Rgb = Rgb::hex(0x2b3038);

/// The name, after the class's number if some of its characters cannot be drawn.
fn readable(class: usize, name: &str) -> String {
    if has_all(name, Weight::Regular) {
        name.to_string()
    } else {
        format!("{class}: {name}")
    }
}

/// Longer names at centroids are cut, canvas units; the legend has them longer.
const WIDEST_LABEL: f64 = 110.0;

/// Refuses labels that are not one for each of `points`.
pub(crate) fn check_classes(
    what: &'static str,
    classes: Classes<'_>,
    points: usize,
) -> Result<(), VizError> {
    if classes.fit(points) {
        return Ok(());
    }
    Err(VizError::shape(
        what,
        classes.len().unwrap_or(0),
        format!("one for each of {points} points"),
    ))
}

/// A legend of classes in their colours; none without classes.
pub(crate) fn class_legend(class_names: &[String], classes: Classes<'_>) -> Vec<LegendEntry> {
    if classes == Classes::None {
        return Vec::new();
    }
    class_names
        .iter()
        .enumerate()
        .map(|(class, name)| {
            let swatch = Swatch::Marker(class_mark(class));
            LegendEntry::new(readable(class, name), class_colour(class), swatch)
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

/// The mean of each class's finite points, and their number.
fn centroids(points: &[[f64; 2]], classes: Classes<'_>, count: usize) -> Vec<([f64; 2], usize)> {
    let mut sums = vec![([0.0, 0.0], 0usize); count];
    for (index, point) in points.iter().enumerate() {
        let Some(class) = classes.get(index) else {
            continue;
        };
        if point.iter().all(|v| v.is_finite()) {
            let (sum, number) = &mut sums[class];
            sum[0] += point[0];
            sum[1] += point[1];
            *number += 1;
        }
    }
    sums.into_iter()
        .map(|([x, y], number)| ([x / number as f64, y / number as f64], number))
        .collect()
}

/// Opaque for few points, ever lighter for many.
fn alpha_for(count: usize) -> f64 {
    (30.0 / (count.max(1) as f64).sqrt()).clamp(0.2, 0.9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_layers_in_the_order_of_what_they_explain() {
        let points = [[0.0, 1.0], [2.0, -1.0]];
        let names = ["a".to_string()];
        let all = ClassScatter {
            points: &points,
            classes: (&[0, 0]).into(),
            class_names: &names,
            prior: true,
            origin: true,
            window: Some([[-4.0, 4.0]; 2]),
            ..ClassScatter::default()
        };
        let kinds = |scatter: &ClassScatter<'_>| -> Vec<&'static str> {
            let plot = scatter.plot().unwrap();
            let kind = |layer: &Layer| match layer {
                Layer::Rule(_) => "rule",
                Layer::Points(_) => "points",
                Layer::Ellipses(_) => "ellipses",
                Layer::Line(_) => "line",
                Layer::Labels(_) => "labels",
                _ => "other",
            };
            plot.layers.iter().map(kind).collect()
        };
        assert_eq!(
            kinds(&all),
            ["rule", "rule", "points", "ellipses", "line", "labels"]
        );
        let discs = ClassScatter {
            radii: &[0.5, 0.25],
            name_size: None,
            ..all.clone()
        };
        assert_eq!(
            kinds(&discs),
            ["rule", "rule", "ellipses", "ellipses", "line"]
        );
        let wrong = ClassScatter {
            radii: &[0.5],
            ..all
        };
        assert!(matches!(wrong.plot(), Err(VizError::Shape { .. })));
    }
}
