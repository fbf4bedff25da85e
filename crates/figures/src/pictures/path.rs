//! A walk through some classes.

use datasets::Dataset;
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use runs::Error;
use serde::{Deserialize, Serialize};
use serde_json::json;
use viz::Figure;
use viz::page::Block;

use super::Picture;
use crate::tiles::{Layout, panel};
use crate::wording::{listed, seeds_and_epochs};
use crate::{Drawing, TrainedRun};

/// Classes of a path that names none.
const FIRST: usize = 4;

/// A strip of images for each run, straight from the middle of one class' codes
/// to that of the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Path {
    /// Names of the classes; without any, the first ones.
    pub classes: Vec<String>,
    /// Steps from one class to the next.
    pub steps: usize,
}

impl Default for Path {
    fn default() -> Self {
        Self {
            classes: Vec::new(),
            steps: 6,
        }
    }
}

impl Path {
    /// The numbers of the classes.
    fn stations(&self, dataset: &Dataset) -> Result<Vec<u32>, Error> {
        let names = &dataset.class_names;
        if self.classes.is_empty() {
            return Ok((0..names.len().min(FIRST) as u32).collect());
        }
        let number = |name: &String| {
            let known = || names.iter().map(String::as_str);
            let found =
                names::find(name, known()).and_then(|found| known().position(|n| n == found));
            found.map(|class| class as u32).ok_or_else(|| {
                let hint = names::hint(name, known(), &[]);
                Error::Configuration(format!(
                    "the figure 'path' goes through '{name}', which is no class of {}; {hint}",
                    dataset.name
                ))
            })
        };
        self.classes.iter().map(number).collect()
    }
}

/// The code of a class nearest to the mean of all of them: an image, where the
/// mean of a class in two parts may be none.
fn middle<'c>(
    codes: &'c ArrayView2<'_, f32>,
    labels: &[u32],
    class: u32,
) -> Option<ArrayView1<'c, f32>> {
    let rows: Vec<usize> = (0..labels.len())
        .filter(|&row| labels[row] == class)
        .collect();
    let mean = codes.select(Axis(0), &rows).mean_axis(Axis(0))?;
    let distance = |row: usize| (&codes.row(row) - &mean).mapv(|d| d * d).sum();
    let nearest = rows
        .into_iter()
        .min_by(|&a, &b| distance(a).total_cmp(&distance(b)))?;
    Some(codes.row(nearest))
}

/// Codes from station to station, `steps` to each after the first.
fn along(stations: &[ArrayView1<'_, f32>], steps: usize) -> Array2<f32> {
    let last = steps * (stations.len() - 1);
    Array2::from_shape_fn((last + 1, stations[0].len()), |(row, column)| {
        let (leg, step) = (row / steps, row % steps);
        let from = stations[leg][column];
        match stations.get(leg + 1) {
            Some(to) => from + (to[column] - from) * (step as f32 / steps as f32),
            None => from,
        }
    })
}

impl Picture for Path {
    const NAME: &'static str = "path";
    const TITLE: &'static str = "From class to class";
    const ABOUT: &'static str = "a strip of images from the middle of one class to the next";

    fn check(&self) -> Result<(), Error> {
        // Without names the first classes are taken, as many as there are.
        let is_path = self.classes.is_empty() || (2..=20).contains(&self.classes.len());
        if !(1..=40).contains(&self.steps) || !is_path {
            return Err(Error::Configuration(format!(
                "a path of {} steps through {} classes cannot be drawn; expected 1 to 40 steps and 2 to 20 classes",
                self.steps,
                self.classes.len()
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
        let dataset = drawing.dataset;
        let labels = drawing.test_labels()?;
        let stations = self.stations(dataset)?;
        if self.classes.is_empty() && stations.len() < 2 {
            return Err(Error::Undefined("it takes two classes".into()));
        }
        let names: Vec<String> = stations
            .iter()
            .map(|&class| dataset.class_names[class as usize].clone())
            .collect();
        let (mut images, mut titles, mut data) = (Vec::new(), Vec::new(), Vec::new());
        let columns = self.steps * (stations.len() - 1) + 1;
        for run in runs {
            let codes = run.codes(&dataset.test)?.mean;
            let codes = codes.view();
            let middles: Option<Vec<_>> = stations
                .iter()
                .map(|&class| middle(&codes, labels, class))
                .collect();
            let Some(middles) = middles else {
                return Err(Error::Undefined(format!(
                    "not each of {} has a test image",
                    listed(&names)
                )));
            };
            images.push(run.decoded(along(&middles, self.steps).view()));
            let middles: Vec<Vec<f32>> = middles.iter().map(|code| code.to_vec()).collect();
            data.push(json!({"model": run.key, "codes": middles}));
            titles.push(run.title());
        }
        let views: Vec<_> = images.iter().map(|strip| strip.view()).collect();
        let all = ndarray::concatenate(Axis(0), &views).expect("strips of one length");
        let layout = Layout {
            gutter: 1,
            background: 255,
            pixel: 1.0,
            ..Layout::map(runs.len(), columns)
        };
        let mut tiles = panel("", drawing.shape(), all.view(), layout)?;
        tiles.row_heads = titles;
        tiles.column_heads = vec![String::new(); columns];
        for (station, name) in names.iter().enumerate() {
            tiles.column_heads[station * self.steps].clone_from(name);
        }
        let caption = format!(
            "Mean images on the straight path from {}: below each name the test code nearest to \
             the mean of its class, {} steps apart; {}.",
            names.join(" to "),
            self.steps,
            seeds_and_epochs(runs),
        );
        let figure = Figure {
            title: Self::TITLE.into(),
            caption,
            ..Figure::of(tiles)
        };
        let data = json!({"classes": names, "steps": self.steps, "models": data});
        drawing.chart(file, figure, runs, data)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_path_passes_its_stations_in_even_steps() {
        let codes = array![[0.0, 0.0], [3.0, 6.0], [3.0, 0.0]];
        let stations: Vec<_> = codes.rows().into_iter().collect();
        let path = along(&stations, 3);
        let expected = array![
            [0.0, 0.0],
            [1.0, 2.0],
            [2.0, 4.0],
            [3.0, 6.0],
            [3.0, 4.0],
            [3.0, 2.0],
            [3.0, 0.0]
        ];
        assert!((&path - &expected).iter().all(|d| d.abs() < 1e-6), "{path}");
        assert_eq!(along(&stations, 1), codes);
    }

    #[test]
    fn the_middle_of_a_class_is_one_of_its_codes() {
        let codes = array![[0.0f32], [9.0], [1.0], [10.0], [2.0]];
        let labels = [0, 1, 0, 1, 0];
        let of = |class| middle(&codes.view(), &labels, class).map(|code| code[0]);
        assert_eq!((of(0), of(1), of(2)), (Some(1.0), Some(9.0), None));
    }
}
