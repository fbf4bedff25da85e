use crate::charts::class_scatter::{check_classes, class_legend, plane_axes};
use crate::{
    Aspect, Classes, Dash, Ellipse, Ellipses, Frame, Label, Labels, Layer, Placing, Plot, Point,
    Points, Shape, Trail, VizError, class_mark,
};

/// Distance below which two positions crowd, as a share of the axis' range.
const CROWDED: f64 = 0.035;

/// One moment of codes that move during training: a circle of the posterior's radius around each
/// position, and the path behind it.
#[derive(Clone, Debug)]
pub struct Trajectories<'a> {
    /// Title of the panel, such as the epoch.
    pub title: &'a str,
    /// Positions of each code up to now, oldest first; the last one is where it is.
    pub paths: &'a [Vec<[f64; 2]>],
    /// Radius of each code's circle now.
    pub radii: &'a [f64],
    /// Class of each code; or none.
    pub classes: Classes<'a>,
    /// Names of the classes for the legend; empty for no legend.
    pub class_names: &'a [String],
    /// Words at the positions; empty for none. Where positions crowd, words
    /// would cover each other and are left out.
    pub words: &'a [String],
    /// Ranges of both axes; without them, the extent of the paths.
    pub ranges: Option<[[f64; 2]; 2]>,
    /// Number of positions of the path that are drawn.
    pub tail: usize,
    /// Draws the prior's circles.
    pub prior: bool,
}

impl Default for Trajectories<'_> {
    fn default() -> Self {
        Trajectories {
            title: "",
            paths: &[],
            radii: &[],
            classes: Classes::None,
            class_names: &[],
            words: &[],
            ranges: None,
            tail: usize::MAX,
            prior: true,
        }
    }
}

impl Trajectories<'_> {
    /// The chart.
    ///
    /// # Errors
    ///
    /// [`VizError::Shape`] when paths, radii, classes and words differ in number.
    pub fn plot(&self) -> Result<Plot, VizError> {
        let count = self.paths.len();
        let words = if self.words.is_empty() {
            count
        } else {
            self.words.len()
        };
        for (what, found) in [
            ("radii of the trajectories", self.radii.len()),
            ("words of the trajectories", words),
        ] {
            if found != count {
                return Err(VizError::shape(what, found, format!("{count}, as paths")));
            }
        }
        check_classes("classes of the trajectories", self.classes, count)?;
        let colour = |index: usize| self.classes.colour(index);
        let all: Vec<[f64; 2]> = self.paths.iter().flatten().copied().collect();
        let [x, y] = plane_axes(["z₁", "z₂"], self.ranges, &all);
        let now: Vec<(usize, [f64; 2])> = self
            .paths
            .iter()
            .enumerate()
            .filter_map(|(index, path)| Some((index, *path.last()?)))
            .collect();
        let mut layers = Vec::new();
        if self.prior {
            layers.push(Layer::Ellipses(Ellipses {
                edge: 0.45,
                ..Ellipses::prior(&[1.0, 2.0])
            }));
        }
        layers.push(Layer::Ellipses(Ellipses {
            ellipses: now
                .iter()
                .map(|&(index, centre)| Ellipse {
                    centre,
                    radii: [self.radii[index]; 2],
                    angle: 0.0,
                    colour: colour(index),
                })
                .collect(),
            fill: 0.09,
            edge: 0.9,
            width: 1.6,
            dash: Dash::Solid,
        }));
        layers.push(Layer::Trails(
            self.paths
                .iter()
                .enumerate()
                .map(|(index, path)| Trail {
                    points: path[path.len().saturating_sub(self.tail)..].to_vec(),
                    colour: colour(index),
                    width: 2.0,
                    oldest: 0.08,
                })
                .collect(),
        ));
        layers.push(Layer::Points(Points {
            points: now
                .iter()
                .map(|&(index, at)| Point {
                    at,
                    colour: colour(index),
                })
                .collect(),
            shapes: now
                .iter()
                .map(|&(index, _)| self.classes.get(index).map_or(Shape::Disc, class_mark))
                .collect(),
            radius: 3.2,
            ..Points::default()
        }));
        if !self.words.is_empty() {
            layers.push(Layer::Labels(Labels {
                labels: now
                    .iter()
                    .filter(|(index, at)| {
                        let near = |other: &[f64; 2]| {
                            (at[0] - other[0]).hypot(at[1] - other[1]) < CROWDED * (x.high - x.low)
                        };
                        now.iter().all(|(other, at)| other == index || !near(at))
                    })
                    .map(|&(index, at)| Label {
                        at,
                        text: self.words[index].clone(),
                        colour: colour(index).darker(),
                    })
                    .collect(),
                offset: [9.0, 9.0],
                placing: Placing::Around,
                ..Labels::default()
            }));
        }
        Ok(Plot {
            title: self.title.to_string(),
            x,
            y,
            size: [420.0, 420.0],
            aspect: Aspect::EqualRange,
            frame: Frame::Closed,
            layers,
            legend: class_legend(self.class_names, self.classes),
            ..Plot::default()
        })
    }
}
