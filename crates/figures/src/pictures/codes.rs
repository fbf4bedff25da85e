//! Where the codes of the test images lie.

use datasets::Dataset;
use runs::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use viz::charts::{ClassScatter, extent};
use viz::number::decimal;
use viz::page::Block;
use viz::{Dash, Ellipses, Figure, Layer, Panel, Plot, Rgb, Rule};

use super::Picture;
use super::each_run::{for_the_vaes, in_rows, of_each, panel_side};
use super::map::in_sentences;
use crate::plane::{Axes, Plane};
use crate::plane_map::{ranges_with_window, rounded_points};
use crate::wording::{codes_title, seeds_and_epochs, test_images};
use crate::{Drawing, TrainedRun};

/// Lines over the colours of classes.
const DARK: Rgb = Rgb::hex(0x2b3038);
/// Half the side of the square that maps show.
const MAPS: f64 = 4.0;
/// In panels that are narrower, names as long as `Ankle boot` take smaller
/// letters.
const WIDE: f64 = 400.0;

/// Codes of the test images in the colours of their classes, each run over its
/// own extent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Codes {
    /// Half the side of the dashed square, such as that of a map; 0 for none.
    pub window: f64,
    /// Whether lines cross at the origin.
    pub origin: bool,
    /// The plane of more than two latent variables.
    pub axes: Axes,
}

impl Default for Codes {
    fn default() -> Self {
        Self {
            window: MAPS,
            origin: false,
            axes: Axes::Automatic,
        }
    }
}

impl Codes {
    /// The figure of panels with sides of `side` canvas units, and its numbers.
    ///
    /// # Errors
    /// [`Error::Undefined`] where no run has two latent variables.
    pub fn figure(
        &self,
        dataset: &Dataset,
        runs: &[&TrainedRun],
        side: f64,
    ) -> Result<(Figure, Value), Error> {
        let test = &dataset.test;
        let (drawn, left_out) = of_each(runs, |run| {
            let codes = run.codes(test)?;
            let plane = Plane::of(&codes, self.axes)?;
            let points = plane.project(codes.mean.view());
            Ok((plane, points))
        })?;
        let mut legend = Vec::new();
        let (mut panels, mut planes, mut data) = (Vec::new(), Vec::new(), Vec::new());
        let shown: Vec<&TrainedRun> = drawn.iter().map(|&(run, _)| run).collect();
        for (run, (plane, points)) in drawn {
            let mut plot = self.plot(dataset, run, &plane, &points, side)?;
            legend = std::mem::take(&mut plot.legend);
            panels.push(Panel::from(plot));
            let mut numbers = json!({"model": run.key, "codes": rounded_points(&points)});
            if !plane.is_whole() {
                numbers["plane"] = plane.words_of_projection().into();
            }
            data.push(numbers);
            planes.push((run.title(), plane.words_of_projection().to_owned()));
        }
        let posteriors = match for_the_vaes(&shown) {
            Some(vaes) => format!(
                "; {vaes} the posterior means, with the prior's circles of one and two standard \
                 deviations"
            ),
            None => String::new(),
        };
        let mut remarks = Vec::new();
        if panels.len() > 1 {
            remarks.push("each panel has its own range".to_owned());
        }
        if self.window > 0.0 {
            let half = decimal(self.window, usize::from(self.window.fract() != 0.0));
            let whose = if self.window == MAPS {
                " of the maps"
            } else {
                ""
            };
            remarks.push(format!(
                "the dashed square is the range −{half} … {half}{whose}"
            ));
        }
        remarks.push(seeds_and_epochs(&shown));
        let caption = format!(
            "Codes of the {}{posteriors}. {}.{}{left_out}",
            test_images(dataset),
            crate::wording::capitalised(&remarks.join("; ")),
            in_sentences(&planes),
        );
        let figure = Figure {
            title: codes_title(dataset).into(),
            caption,
            legend,
            ..Figure::grid(in_rows(panels))
        };
        let data = json!({"split": "test", "labels": test.labels(), "models": data});
        Ok((figure, data))
    }

    fn plot(
        &self,
        dataset: &Dataset,
        run: &TrainedRun,
        plane: &Plane,
        points: &[[f64; 2]],
        side: f64,
    ) -> Result<Plot, Error> {
        let mut plot = ClassScatter {
            title: &run.title(),
            points,
            classes: dataset.test.labels().into(),
            class_names: &dataset.class_names,
            labels: [&plane.labels[0], &plane.labels[1]],
            ranges: Some(ranges_with_window(points, self.window)),
            ..ClassScatter::default()
        }
        .plot()?;
        plot.size = [side; 2];
        let mut layers = Vec::new();
        if self.origin {
            layers.extend([true, false].map(|horizontal| {
                Layer::Rule(Rule {
                    at: 0.0,
                    horizontal,
                    colour: DARK,
                    dash: Dash::Solid,
                    label: String::new(),
                })
            }));
        }
        let names = plot.layers.pop();
        layers.append(&mut plot.layers);
        if run.is_variational() {
            layers.push(Layer::Ellipses(prior_in(plane)));
        }
        if self.window > 0.0 {
            let window = [-self.window, self.window];
            layers.push(extent(window, window, DARK));
        }
        if let Some(Layer::Labels(mut names)) = names {
            if side < WIDE {
                names.size = 10.5;
            }
            layers.push(Layer::Labels(names));
        }
        plot.layers = layers;
        Ok(plot)
    }
}

/// The prior's circles of one and two standard deviations: those of any plane,
/// about the mean of its prior.
fn prior_in(plane: &Plane) -> Ellipses {
    let mut prior = Ellipses::prior(&[1.0, 2.0]);
    for circle in &mut prior.ellipses {
        circle.centre = plane.prior_mean();
    }
    prior
}

impl Picture for Codes {
    const NAME: &'static str = "codes";
    const TITLE: &'static str = "Codes";
    const ABOUT: &'static str = "codes of the test images by class, over their whole extent";

    fn check(&self) -> Result<(), Error> {
        if !self.window.is_finite() || self.window < 0.0 {
            return Err(Error::Configuration(format!(
                "the window of the figure '{}' is {}, but must be a number from 0",
                Self::NAME,
                self.window
            )));
        }
        Ok(())
    }

    fn draw(
        &self,
        drawing: &mut Drawing<'_>,
        runs: &[&TrainedRun],
        file: &str,
    ) -> Result<Vec<Block>, Error> {
        let (figure, data) = self.figure(drawing.dataset, runs, panel_side(runs.len()))?;
        drawing.chart(file, figure, runs, data)
    }
}
