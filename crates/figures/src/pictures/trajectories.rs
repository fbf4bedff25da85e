//! How the codes of recorded test images moved while the model was trained.

use datasets::Dataset;
use rayon::prelude::*;
use runs::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use viz::number::decimal;
use viz::page::Block;
use viz::{Figure, Panel, RgbImage};

use super::Picture;
use super::each_run::{for_the_vaes, in_rows, of_each, panel_side};
use super::map::in_sentences;
use crate::course::{Course, curves, prior_of};
use crate::plane::{Axes, Plane};
use crate::scene::{Followed, Scene, within};
use crate::wording::{capitalised, name_of, seeds_and_epochs, unbroken};
use crate::{Animated, Described, Drawing, TrainedRun};

/// Changes when the drawing of the frames does.
const FRAMES_VERSION: &str = "1";
const MILLISECONDS: u16 = 70;
const HOLD: u16 = 2500;
/// More frames are not worth their bytes.
const MOST_FRAMES: usize = 120;

/// Recorded test images on their way, with trails, and radius, path and distance
/// over training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Trajectories {
    /// Images of each class.
    pub per_class: usize,
    /// First and last epoch; the second one beyond the training is its end.
    pub epochs: [f64; 2],
    /// Whether they move, too.
    pub animation: bool,
    /// The plane of more than two latent variables.
    pub axes: Axes,
}

impl Default for Trajectories {
    fn default() -> Self {
        Self {
            per_class: 1,
            epochs: [0.0, 5.0],
            animation: false,
            axes: Axes::Automatic,
        }
    }
}

/// What is drawn of a run.
struct Way<'a> {
    course: Course,
    /// Without a plane, of a single latent variable, only the curves.
    scene: Option<Scene<'a>>,
    plane: String,
    followed: Followed,
}

impl Picture for Trajectories {
    const NAME: &'static str = "trajectories";
    const TITLE: &'static str = "Codes on their way";
    const ABOUT: &'static str = "how codes of test images moved while the model was trained";

    fn check(&self) -> Result<(), Error> {
        let [first, last] = self.epochs;
        if self.per_class == 0 || !(first >= 0.0 && first < last) {
            return Err(Error::Configuration(format!(
                "the figure '{}' of {} images of each class from epoch {first} to {last} cannot be drawn; expected at least one image and epochs from 0 in ascending order",
                Self::NAME,
                self.per_class
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
        let (ways, left_out) = of_each(runs, |run| self.way(drawing, run))?;
        let shown: Vec<&TrainedRun> = ways.iter().map(|&(run, _)| run).collect();
        let mut blocks = Vec::new();
        if ways.iter().any(|(_, way)| way.scene.is_some()) {
            let explained = self.explained(&ways);
            let (figure, data) = trails(&ways, &explained, &left_out)?;
            blocks.extend(drawing.chart(file, figure, &shown, data)?);
            if self.animation {
                blocks.push(animated(drawing, &ways, &explained, file)?);
            }
        }
        let (figure, data) = over_training(drawing.dataset, &ways, &left_out);
        blocks.extend(drawing.chart(&format!("{file}-by-epoch"), figure, &shown, data)?);
        Ok(blocks)
    }
}

impl Trajectories {
    fn way<'a>(&self, drawing: &Drawing<'a>, run: &TrainedRun) -> Result<Way<'a>, Error> {
        let dataset = drawing.dataset;
        let course = Course::read(run)?;
        let followed = Followed::of(dataset, &course, self.per_class);
        let mut scene = None;
        let mut words = String::new();
        if run.latent() > 1 {
            let plane = Plane::of(&run.codes(&dataset.test)?, self.axes)?;
            let moments: Vec<usize> = within(&course.tracked.snapshots, self.epochs).collect();
            let chosen = &followed.images;
            let mut of_run = Scene::new(&course, &plane, chosen, &moments, &dataset.class_names);
            of_run.prior = run.is_variational() && plane.prior_mean() == [0.0; 2];
            scene = Some(of_run);
            words = plane.words_of_projection().to_owned();
        }
        Ok(Way {
            course,
            scene,
            plane: words,
            followed,
        })
    }

    /// What dots, circles and trails are.
    fn explained(&self, ways: &[(&TrainedRun, Way<'_>)]) -> String {
        let shown: Vec<&TrainedRun> = ways.iter().map(|&(run, _)| run).collect();
        let vaes = match for_the_vaes(&shown) {
            Some(vaes) => format!(
                "; {vaes} the posterior mean μ with a circle of radius r, the geometric mean of \
                 its standard deviations, and dashed one and two standard deviations of the prior"
            ),
            None => String::new(),
        };
        let spaces: Vec<(String, String)> = ways
            .iter()
            .map(|(run, way)| (run.title(), way.plane.clone()))
            .collect();
        format!(
            "Dot: code{vaes}. Trail: the way so far. {}.{}",
            capitalised(&seeds_and_epochs(&shown)),
            in_sentences(&spaces),
        )
    }
}

/// `from epoch 0 to 4`: the longest period of all.
fn period(ways: &[(&TrainedRun, Way<'_>)]) -> String {
    let epochs = || ways.iter().filter_map(|(_, way)| way.scene.as_ref());
    let epochs = || epochs().flat_map(|scene| scene.epochs.iter().copied());
    let (first, last) = (
        epochs().fold(f64::INFINITY, f64::min),
        epochs().fold(0.0, f64::max),
    );
    let number = |epoch: f64| decimal(epoch, usize::from(epoch.fract() != 0.0));
    format!("from epoch {} to {}", number(first), number(last))
}

/// What all runs follow.
fn followed<'w>(ways: &'w [(&TrainedRun, Way<'_>)]) -> &'w str {
    ways.first().map_or("", |(_, way)| &way.followed.title)
}

/// Every run at the end of the period, with whole trails.
fn trails(
    ways: &[(&TrainedRun, Way<'_>)],
    explained: &str,
    left_out: &str,
) -> Result<(Figure, Value), Error> {
    let mut legend = Vec::new();
    let mut panels: Vec<Panel> = Vec::new();
    let mut data = Vec::new();
    let mut flat = Vec::new();
    for (run, way) in ways {
        let Some(scene) = &way.scene else {
            flat.push(run.title());
            continue;
        };
        let last = scene.epochs.len().saturating_sub(1);
        let mut plot = scene.plane(last, &run.title(), usize::MAX, true)?;
        plot.size = [panel_side(ways.len()); 2];
        legend = std::mem::take(&mut plot.legend);
        panels.push(plot.into());
        let mut numbers = scene.data(&(0..=last).collect::<Vec<_>>());
        numbers["model"] = run.key.as_str().into();
        if !way.plane.is_empty() {
            numbers["plane"] = way.plane.as_str().into();
        }
        data.push(numbers);
    }
    let without = if flat.is_empty() {
        String::new()
    } else {
        format!(
            " Without a plane, because of one latent variable: {}.",
            crate::wording::listed(&flat)
        )
    };
    let caption = format!(
        "{} {}. {explained}{without}{left_out}",
        followed(ways),
        period(ways)
    );
    let figure = Figure {
        title: Trajectories::TITLE.into(),
        caption,
        legend,
        ..Figure::grid(in_rows(panels))
    };
    Ok((figure, json!({"split": "test", "models": data})))
}

/// The same moving, every run at the same share of its moments.
fn animated(
    drawing: &mut Drawing<'_>,
    ways: &[(&TrainedRun, Way<'_>)],
    explained: &str,
    file: &str,
) -> Result<Block, Error> {
    let scenes: Vec<(&TrainedRun, &Scene<'_>)> = ways
        .iter()
        .filter_map(|(run, way)| Some((*run, way.scene.as_ref()?)))
        .collect();
    let shown: Vec<&TrainedRun> = scenes.iter().map(|&(run, _)| run).collect();
    let longest = scenes.iter().map(|(_, scene)| scene.epochs.len()).max();
    let frames = longest.unwrap_or(1).clamp(2, MOST_FRAMES);
    let title = format!("{}, {}", Trajectories::TITLE, name_of(drawing.dataset));
    let caption = format!(
        "Animation: {} {}. {explained}",
        followed(ways),
        period(ways)
    );
    let moment = |scene: &Scene<'_>, frame: usize| {
        frame * scene.epochs.len().saturating_sub(1) / (frames - 1)
    };
    let frame = |index: usize| -> Result<RgbImage, Error> {
        let mut legend = Vec::new();
        let mut panels: Vec<Panel> = Vec::new();
        for &(run, scene) in &scenes {
            let at = moment(scene, index);
            let heading = format!("{}, epoch {}", run.title(), decimal(scene.epochs[at], 2));
            let mut plot = scene.plane(at, &heading, usize::MAX, true)?;
            plot.size = [panel_side(scenes.len()); 2];
            legend = std::mem::take(&mut plot.legend);
            panels.push(plot.into());
        }
        Ok(Figure {
            title: title.clone(),
            caption: unbroken(&caption),
            legend,
            scale: 1.5,
            ..Figure::grid(in_rows(panels))
        }
        .render())
    };
    let data: Vec<Value> = scenes
        .iter()
        .map(|(run, scene)| {
            let moments: Vec<usize> = (0..frames).map(|index| moment(scene, index)).collect();
            json!({"model": run.key, "moments": scene.data(&moments)})
        })
        .collect();
    let link = drawing.animate(
        &format!("{file}-moving"),
        FRAMES_VERSION,
        Described {
            caption: &caption,
            runs: &shown,
            data: json!({"split": "test", "models": data}),
            bare: false,
        },
        || {
            Ok(Animated {
                frames: (0..frames)
                    .into_par_iter()
                    .map(frame)
                    .collect::<Result<_, _>>()?,
                milliseconds: MILLISECONDS,
                hold: HOLD,
            })
        },
    )?;
    Ok(Block::figure(link))
}

/// Radius, path and distance of all recorded images over the whole training.
fn over_training(
    dataset: &Dataset,
    ways: &[(&TrainedRun, Way<'_>)],
    left_out: &str,
) -> (Figure, Value) {
    let courses: Vec<(String, &Course)> = ways
        .iter()
        .map(|(run, way)| (run.title(), &way.course))
        .collect();
    let shown: Vec<&TrainedRun> = ways.iter().map(|&(run, _)| run).collect();
    let plots = curves(&courses);
    let band = if courses.len() == 1 {
        ", with the band from the 10 % to the 90 % quantile"
    } else {
        ""
    };
    let (radius, prior) = match for_the_vaes(&shown) {
        Some(vaes) => (
            format!(
                " radius r of the posteriors {vaes}, the geometric mean of the standard \
                 deviations{band};"
            ),
            if prior_of(&courses).is_some() {
                "; dashed, that of the prior"
            } else {
                ""
            },
        ),
        None => (String::new(), ""),
    };
    let recorded = ways
        .first()
        .map_or_else(String::new, |(_, way)| way.course.images_in_words(dataset));
    let caption = format!(
        "Means over {recorded}, from the left:{radius} length of the way within each \
         epoch; distance of the codes from the origin{prior}. {}.{left_out}",
        capitalised(&seeds_and_epochs(&shown)),
    );
    let figure = Figure {
        title: "Radius, path and distance by epoch".into(),
        caption,
        ..Figure::row(plots.into_iter().map(Into::into).collect())
    }
    .with_shared_legend();
    let data: Vec<Value> = ways
        .iter()
        .map(|(run, way)| json!({"model": run.key, "course": way.course.data()}))
        .collect();
    (figure, json!(data))
}
