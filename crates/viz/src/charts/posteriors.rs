use std::collections::HashSet;

use crate::charts::class_scatter::{check_classes, class_legend, plane_axes};
use crate::{
    Aspect, Classes, ColourMap, Ellipse, Ellipses, Field, Frame, Heat, Label, Labels, Layer,
    Placing, Plot, VizError,
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
    /// Words beside the means; empty for none.
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
    /// Which of many posteriors can be told apart in one picture, in ascending order: in the given
    /// order, the first of each class, then those whose ellipse of one standard deviation hardly
    /// meets one that is chosen, until there are `most`.
    ///
    /// Two with means Δ apart and standard deviations σ and σ′ count as apart when
    /// Σᵢ (Δᵢ / (σᵢ + σᵢ′))² is at least 1. Posteriors that are not finite are not chosen. Of a
    /// collapsed model only one of each class is left, which lie on one another, as they should.
    ///
    /// ```
    /// use viz::Classes;
    /// use viz::charts::Posteriors;
    /// let means = [[0.0, 0.0], [0.1, 0.0], [3.0, 0.0]];
    /// let chosen = Posteriors::apart(&means, &[[1.0, 1.0]; 3], Classes::None, 20);
    /// assert_eq!(chosen, [0, 2]);
    /// ```
    pub fn apart(
        means: &[[f64; 2]],
        deviations: &[[f64; 2]],
        classes: Classes<'_>,
        most: usize,
    ) -> Vec<usize> {
        let finite = |index: &usize| {
            let both = means[*index].iter().chain(&deviations[*index]);
            both.copied().all(f64::is_finite)
        };
        let all: Vec<usize> = (0..means.len().min(deviations.len()))
            .filter(finite)
            .collect();
        let mut seen = HashSet::new();
        let mut chosen: Vec<usize> = all
            .iter()
            .copied()
            .filter(|&index| classes.get(index).is_some_and(|class| seen.insert(class)))
            .take(most)
            .collect();
        for index in all {
            let apart = |&other: &usize| {
                let share = |axis: usize| {
                    let distance = means[index][axis] - means[other][axis];
                    distance / (deviations[index][axis] + deviations[other][axis])
                };
                // Equal points without extent, 0 / 0, are not apart.
                share(0).powi(2) + share(1).powi(2) >= 1.0
            };
            if chosen.len() < most && chosen.iter().all(apart) {
                chosen.push(index);
            }
        }
        chosen.sort_unstable();
        chosen
    }

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
            offset: [0.0, 15.0],
            placing: Placing::Around,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_posteriors_are_apart_and_every_class_is_there() {
        let means: Vec<[f64; 2]> = (0..400)
            .map(|i| [f64::from(i % 20) * 0.2, f64::from(i / 20) * 0.2])
            .collect();
        let deviations = vec![[0.3, 0.2]; 400];
        let chosen = Posteriors::apart(&means, &deviations, Classes::None, 400);
        assert!(chosen.len() > 20 && chosen.is_sorted());
        for (at, &a) in chosen.iter().enumerate() {
            for &b in &chosen[..at] {
                let [x, y] = [0, 1].map(|i| (means[a][i] - means[b][i]) / (2.0 * deviations[a][i]));
                assert!(x * x + y * y >= 1.0);
            }
        }
        assert_eq!(
            Posteriors::apart(&means, &deviations, Classes::None, 7).len(),
            7
        );
        // Collapsed: everything on one another, but no class is lost.
        let classes: Vec<u32> = (0..400).map(|i| i % 10).collect();
        let collapsed = vec![[0.0, 0.0]; 400];
        let chosen = Posteriors::apart(&collapsed, &deviations, (&classes).into(), 20);
        assert_eq!(chosen, (0..10).collect::<Vec<_>>());
        // Points without extent, and nothing.
        let none = vec![[0.0, 0.0]; 400];
        assert_eq!(Posteriors::apart(&collapsed, &none, Classes::None, 9), [0]);
        assert!(Posteriors::apart(&[[f64::NAN, 0.0]], &[[1.0, 1.0]], Classes::None, 9).is_empty());
        assert!(Posteriors::apart(&[], &[], Classes::None, 9).is_empty());
    }
}
