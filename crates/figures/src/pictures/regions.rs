//! Classes of the decoded map.

use evaluation::map::{ClassMap, LatticeShape, class_map};
use runs::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use viz::page::Block;
use viz::{Aspect, Figure, Panel, Plot, charts, lattice_of};

use super::Picture;
use super::each_run::{in_rows, legend_of_drawn, of_each, panel_side};
use super::map::{Over, check_lattice, in_sentences};
use crate::plane::{Axes, Plane};
use crate::plane_map::rounded;
use crate::wording::{capitalised, percent, seeds_and_epochs};
use crate::{Drawing, TrainedRun};

/// Share of the tiles that a class needs to count as a kind of object.
const MINIMUM_SHARE: f64 = 0.01;

/// What a classifier takes the decoded images of a lattice for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Regions {
    /// Which codes; not the prior's quantiles, whose steps differ.
    pub over: Over,
    /// Codes per side.
    pub steps: usize,
    /// Half the side of the square.
    pub range: f64,
    /// The plane of more than two latent variables.
    pub axes: Axes,
}

impl Default for Regions {
    fn default() -> Self {
        Self {
            over: Over::Codes,
            steps: 81,
            range: 4.0,
            axes: Axes::Automatic,
        }
    }
}

/// The classes of one run's lattice.
#[derive(Clone, Debug, PartialEq)]
pub struct RegionMap {
    /// Most probable class of each tile, row-major from the top left.
    pub classes: Vec<u32>,
    /// Its probability.
    pub confidence: Vec<f64>,
    /// Codes per side.
    pub steps: usize,
    /// First and last code of both axes.
    pub ranges: [[f64; 2]; 2],
    /// Names of both axes.
    pub labels: [String; 2],
    /// Classes that count as kinds of object.
    pub kinds: usize,
}

impl RegionMap {
    /// The figure of several runs, still without a caption, in panels with sides
    /// of at most `side` canvas units.
    ///
    /// # Errors
    /// A class without a name.
    pub fn figure(
        maps: &[(&TrainedRun, Self)],
        class_names: &[String],
        side: f64,
    ) -> Result<Figure, Error> {
        let mut panels = Vec::new();
        let mut legend = Vec::new();
        for (run, map) in maps {
            let mut plot = map.plot(run, class_names)?;
            plot.size = [side; 2];
            // Codes with a collapsed variable would be a sliver at equal units.
            plot.aspect = Aspect::Free;
            legend = std::mem::take(&mut plot.legend);
            panels.push(Panel::from(plot));
        }
        let classes = maps.iter().flat_map(|(_, map)| &map.classes);
        legend_of_drawn(&mut legend, &classes.copied().collect());
        Ok(Figure {
            title: Regions::TITLE.into(),
            legend,
            ..Figure::grid(in_rows(panels))
        })
    }

    fn plot(&self, run: &TrainedRun, class_names: &[String]) -> Result<Plot, Error> {
        let unit = if self.kinds == 1 { "kind" } else { "kinds" };
        let mut plot = charts::RegionMap {
            title: &format!("{}: {} {unit}", run.title(), self.kinds),
            columns: self.steps,
            rows: self.steps,
            x: self.ranges[0],
            y: self.ranges[1],
            classes: self.classes.as_slice().into(),
            confidences: &self.confidence,
            class_names,
        }
        .plot()?;
        let [x, y] = &self.labels;
        (plot.x.label, plot.y.label) = (x.clone(), y.clone());
        Ok(plot)
    }
}

/// Which classifier it is and how good.
///
/// # Errors
/// [`Error::Undefined`] without labels; a file that cannot be read or written.
pub fn about_the_classifier(drawing: &Drawing<'_>) -> Result<String, Error> {
    let classifier = drawing.classifier()?;
    let accuracy = classifier.test_accuracy();
    Ok(format!(
        "The classifier ({}, trained on the same training {noun}) is right on {} of the test \
         {noun}; on {noun} unlike any of them its answer is only the nearest name.",
        classifier.architecture(),
        accuracy.map_or_else(|| "an unmeasured share".into(), percent),
        noun = drawing.shape().noun(),
    ))
}

impl Regions {
    fn map(
        &self,
        drawing: &Drawing<'_>,
        run: &TrainedRun,
    ) -> Result<(RegionMap, ClassMap, Plane), Error> {
        let codes = run.codes(&drawing.dataset.test)?;
        let plane = Plane::of(&codes, self.axes)?;
        let [first, second] =
            self.over
                .coordinates(&plane, codes.mean.view(), self.steps, self.range)?;
        let ranges = [&first, &second].map(|axis| [axis[0], axis[axis.len() - 1]]);
        let codes = plane.embed(&lattice_of(&first, &second));
        let rows = run.in_units_of_data(run.model.decode(codes.view()));
        let probabilities = drawing.classifier()?.probabilities(rows.view())?;
        let shape = LatticeShape {
            rows: self.steps,
            columns: self.steps,
        };
        let found = class_map(probabilities.view(), shape, MINIMUM_SHARE)?;
        let confidence: Vec<f64> = found.confidence.iter().map(|&c| f64::from(c)).collect();
        let regions = RegionMap {
            classes: found.classes.clone(),
            confidence: rounded(&confidence, 3),
            steps: self.steps,
            ranges,
            labels: plane.labels.clone(),
            kinds: found.kinds,
        };
        Ok((regions, found, plane))
    }

    fn data(run: &TrainedRun, map: &RegionMap, found: &ClassMap, plane: &Plane) -> Value {
        json!({
            "model": run.key,
            "plane": plane.words,
            "ranges": map.ranges,
            "classes": map.classes,
            "confidence": map.confidence,
            "kinds": map.kinds,
            "class_share": found.class_share,
        })
    }
}

impl Picture for Regions {
    const NAME: &'static str = "regions";
    const TITLE: &'static str = "Which object is drawn where";
    const ABOUT: &'static str = "what a classifier takes the decoded images for";

    fn check(&self) -> Result<(), Error> {
        check_lattice(self.steps, self.range)?;
        self.over.check_even_steps(Self::NAME)
    }

    fn draw(
        &self,
        drawing: &mut Drawing<'_>,
        runs: &[&TrainedRun],
        file: &str,
    ) -> Result<Vec<Block>, Error> {
        if drawing.dataset.classes() == 1 {
            return Err(Error::Undefined("it takes two classes".into()));
        }
        let about_the_classifier = about_the_classifier(drawing)?;
        let (found, left_out) = of_each(runs, |run| self.map(drawing, run))?;
        let (mut shown, mut planes, mut data) = (Vec::new(), Vec::new(), Vec::new());
        let mut maps = Vec::new();
        for (run, (map, found, plane)) in found {
            data.push(Self::data(run, &map, &found, &plane));
            planes.push((run.title(), plane.words));
            shown.push(run);
            maps.push((run, map));
        }
        let caption = format!(
            "What a classifier takes the decoded {} for, {}, paler where it is less sure. \
             {about_the_classifier} A kind is a class with at least {} of the codes.{} {}.{left_out}",
            drawing.shape().noun(),
            self.over.in_words(self.steps, self.range),
            percent(MINIMUM_SHARE),
            in_sentences(&planes),
            capitalised(&seeds_and_epochs(&shown)),
        );
        let names = &drawing.dataset.class_names;
        let figure = Figure {
            caption,
            ..RegionMap::figure(&maps, names, panel_side(maps.len()))?
        };
        let data = json!({"columns": self.steps, "rows": self.steps, "models": data});
        drawing.chart(file, figure, &shown, data)
    }
}
