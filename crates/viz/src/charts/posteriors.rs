use crate::charts::class_scatter::{check_classes, class_legend, plane_axes};
use crate::{
    Aspect, Classes, ColourMap, Ellipse, Ellipses, Field, Frame, Heat, Label, Labels, Layer, Plot,
    VizError,
};

/// Posteriors q(z|x) of chosen images as ellipses of one and two standard deviations, over the
/// aggregate posterior if there is one.
#[derive(Clone, Debug)]
pub struct Posteriors<'a> {
    /// Title of the panel.
    pub title: &'a str,
    /// Means.
    pub means: &'a [[f64; 2]],
    /// Standard deviations along both axes.
    pub deviations: &'a [[f64; 2]],
    /// Class of each posterior, an index into `class_names`; or none.
    pub classes: Classes<'a>,
    /// Names of the classes for the legend.
    pub class_names: &'a [String],
    /// Words at the means; empty for none.
    pub words: &'a [String],
    /// Density of the aggregate posterior, drawn below.
    pub aggregate: Option<&'a Field>,
    /// Draws the prior's circles.
    pub prior: bool,
    /// Ranges of both axes; without them, the extent of the ellipses.
    pub ranges: Option<[[f64; 2]; 2]>,
}

impl Default for Posteriors<'_> {
    fn default() -> Self {
        Posteriors {
            title: "",
            means: &[],
            deviations: &[],
            classes: Classes::None,
            class_names: &[],
            words: &[],
            aggregate: None,
            prior: true,
            ranges: None,
        }
    }
}

impl Posteriors<'_> {
    /// The chart.
    ///
    /// # Errors
    ///
    /// [`VizError::Shape`] when means, deviations, classes and words differ in number.
    pub fn plot(&self) -> Result<Plot, VizError> {
        let count = self.means.len();
        for (what, found) in [
            ("deviations of the posteriors", self.deviations.len()),
            (
                "words of the posteriors",
                if self.words.is_empty() {
                    count
                } else {
                    self.words.len()
                },
            ),
        ] {
            if found != count {
                return Err(VizError::shape(what, found, format!("{count}, as means")));
            }
        }
        check_classes("classes of the posteriors", self.classes, count)?;
        let reach: Vec<[f64; 2]> = self
            .means
            .iter()
            .zip(self.deviations)
            .flat_map(|(m, d)| {
                [
                    [m[0] - 2.0 * d[0], m[1] - 2.0 * d[1]],
                    [m[0] + 2.0 * d[0], m[1] + 2.0 * d[1]],
                ]
            })
            .collect();
        let [x, y] = plane_axes(["z₁", "z₂"], self.ranges, &reach);
        let mut layers = Vec::new();
        if let Some(field) = self.aggregate {
            layers.push(Layer::Heat(Heat {
                field: field.clone(),
                map: ColourMap::Slate,
                limits: [0.0, field.limits()[1]],
                smooth: true,
                alpha: 0.9,
            }));
        }
        if self.prior {
            layers.push(Layer::Ellipses(Ellipses::prior(&[1.0, 2.0])));
        }
        for (sigmas, fill, edge) in [(2.0, 0.22, 0.55), (1.0, 0.38, 0.95)] {
            layers.push(Layer::Ellipses(Ellipses {
                ellipses: self
                    .means
                    .iter()
                    .zip(self.deviations)
                    .enumerate()
                    .map(|(index, (&centre, d))| Ellipse {
                        centre,
                        radii: [sigmas * d[0], sigmas * d[1]],
                        angle: 0.0,
                        colour: self.classes.colour(index),
                    })
                    .collect(),
                fill,
                edge,
                width: 1.2,
                dash: crate::Dash::Solid,
            }));
        }
        layers.push(Layer::Labels(Labels {
            labels: self
                .words
                .iter()
                .zip(self.means)
                .enumerate()
                .map(|(index, (text, &at))| Label {
                    at,
                    text: text.clone(),
                    colour: self.classes.colour(index).darker(),
                })
                .collect(),
            size: 12.0,
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
            legend: class_legend(self.class_names, self.classes),
            ..Plot::default()
        })
    }
}
