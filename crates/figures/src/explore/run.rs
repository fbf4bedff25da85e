//! What a page holds of one run.

use datasets::Dataset;
use evaluation::statistics::sorted_quantile;
use explorer::{EpochLosses, Losses, Moments, PlaneKind, Principal, Run, Treatment};
use models::{Codes, Images};
use ndarray::{Array2, Array3, Axis};
use runs::Error;
use runs::run_images::evaluated_treatment;
use runs::trajectories::{Snapshot, TrackedCodes};

use crate::TrainedRun;
use crate::opened::how_far;
use crate::plane::{Axes, Plane};

/// Values of tracked codes that a page keeps of a run, about: moments between
/// are left out where a run has more.
const MOST_TRACKED: usize = 300_000;

/// A run as the page has it, and the plane in which its codes are shown first; a
/// line has none.
pub(super) type Gathered<'a> = (Run<'a>, Option<Plane>);

/// A run with the codes of the images that its network sees as `images`.
pub(super) fn gathered<'a>(
    run: &'a TrainedRun,
    images: Images<'a>,
    dataset: &Dataset,
) -> Result<Gathered<'a>, Error> {
    let codes = run.encode(images);
    require_finite(run, &codes)?;
    let of_two = if run.has_lower_layer() {
        "; z is the upper of two stochastic layers, encoded and decoded along the mean of the lower"
    } else {
        ""
    };
    let principal = match codes.mean.dim() {
        (0..2, _) | (_, 0..2) => None,
        _ => Some(Plane::principal(codes.mean.view())?),
    };
    let plane = match (codes.mean.ncols(), &principal) {
        (0..=1, _) => None,
        // What automatic axes of these are, and takes long of many variables.
        (more, Some((principal, _))) if more > 2 && !run.is_variational() => {
            Some(principal.clone())
        }
        _ => Some(Plane::of(&codes, Axes::Automatic)?),
    };
    let treatment = evaluated_treatment(&run.configuration, None)?;
    let gathered = Run {
        key: run.key.clone(),
        title: run.title(),
        about: format!(
            "{}, seed {}, likelihood {}{of_two}",
            how_far(run)?,
            run.configuration.training.seed,
            run.model.spec().likelihood
        ),
        model: &run.model,
        treatment: match treatment {
            models::DataTreatment::Grey => Treatment::Grey,
            models::DataTreatment::Threshold => Treatment::Threshold,
            _ => Treatment::Binarised,
        },
        images,
        principal: principal.map(|(plane, share)| Principal {
            mean: plane.origin().to_vec(),
            axes: plane.axes().each_ref().map(|axis| axis.to_vec()),
            share,
        }),
        plane: first_plane(&codes, plane.as_ref()),
        moments: moments(run, dataset)?,
        epochs: run
            .metrics
            .iter()
            .map(|epoch| EpochLosses {
                epoch: epoch.epoch,
                train: losses(&epoch.train),
                test: losses(&epoch.test),
            })
            .collect(),
        codes: Codes {
            log_variance: of_posteriors(run, codes.log_variance),
            mean: codes.mean,
        },
    };
    Ok((gathered, plane))
}

/// Log variances where they are those of posteriors: of two stochastic layers
/// q(z|x) is a mixture over the lower one, whose ellipses and bound are others.
fn of_posteriors<T>(run: &TrainedRun, log_variances: Option<T>) -> Option<T> {
    log_variances.filter(|_| !run.has_lower_layer())
}

fn require_finite(run: &TrainedRun, codes: &Codes) -> Result<(), Error> {
    let is_finite = |values: &Array2<f32>| values.iter().all(|value| value.is_finite());
    if is_finite(&codes.mean) && codes.log_variance.as_ref().is_none_or(is_finite) {
        return Ok(());
    }
    Err(super::unexplored(explorer::Error::NotFinite {
        title: run.title(),
        what: "the array of codes".into(),
    }))
}

fn first_plane(codes: &Codes, plane: Option<&Plane>) -> explorer::Plane {
    let Some(plane) = plane else {
        let line = codes.mean.iter().map(|&code| f64::from(code));
        return explorer::Plane {
            kind: PlaneKind::Line,
            ranges: vec![range_of_most(line.collect())],
        };
    };
    let points = plane.project(codes.mean.view());
    let kind = match plane.variables() {
        _ if plane.is_whole() => PlaneKind::Whole,
        Some(variables) => PlaneKind::Variables(variables),
        None => PlaneKind::Principal,
    };
    let ranges = [0, 1].map(|axis| range_of_most(points.iter().map(|point| point[axis]).collect()));
    explorer::Plane {
        kind,
        ranges: ranges.to_vec(),
    }
}

/// Where 99 % of coordinates lie, about a place where all are one.
fn range_of_most(mut coordinates: Vec<f64>) -> [f64; 2] {
    coordinates.sort_by(f64::total_cmp);
    let [low, high] = [0.005, 0.995].map(|order| sorted_quantile(&coordinates, order));
    if high > low {
        return [low, high];
    }
    let reach = 0.5 + 1e-3 * low.abs();
    [low - reach, high + reach]
}

fn losses(losses: &runs::run_folder::Losses) -> Losses {
    Losses {
        loss: losses.loss,
        reconstruction: losses.reconstruction,
        kl: losses.kl,
    }
}

/// The codes of tracked images, where the run has kept them.
fn moments(run: &TrainedRun, dataset: &Dataset) -> Result<Option<Moments>, Error> {
    let path = run.folder.trajectories();
    if !path.exists() {
        return Ok(None);
    }
    let tracked = TrackedCodes::read(&path)?;
    let latent = run.latent();
    let fits = |snapshot: &Snapshot| snapshot.mean.ncols() == latent;
    let in_range = |index: &u64| (*index as usize) < dataset.test.len();
    if !tracked.snapshots.iter().all(fits) || !tracked.index.iter().all(in_range) {
        return Err(Error::RunFolder(format!(
            "{} follows images that its run does not have; expected the files of one run",
            path.display()
        )));
    }
    let per_snapshot = tracked.index.len() * latent * if run.is_variational() { 2 } else { 1 };
    if per_snapshot == 0 || tracked.snapshots.len() < 2 {
        return Ok(None);
    }
    let kept = evenly(tracked.snapshots.len(), MOST_TRACKED / per_snapshot);
    let snapshots: Vec<&Snapshot> = kept.into_iter().map(|at| &tracked.snapshots[at]).collect();
    let log_variances: Option<Vec<&Array2<f32>>> = snapshots
        .iter()
        .map(|snapshot| of_posteriors(run, snapshot.log_variance.as_ref()))
        .collect();
    Ok(Some(Moments {
        epochs: snapshots.iter().map(|snapshot| snapshot.epoch).collect(),
        steps: snapshots.iter().map(|snapshot| snapshot.step).collect(),
        index: tracked.index.iter().map(|&index| index as u32).collect(),
        mean: stacked(snapshots.iter().map(|snapshot| &snapshot.mean)),
        log_variance: log_variances.map(|arrays| stacked(arrays.into_iter())),
        labels: tracked.label,
    }))
}

/// At most `most` of the positions 0, …, n − 1, but the first and the last:
/// evenly spread.
fn evenly(n: usize, most: usize) -> Vec<usize> {
    let count = most.clamp(2, n.max(2)).min(n);
    (0..count)
        .map(|at| at * (n - 1) / (count - 1).max(1))
        .collect()
}

fn stacked<'a>(arrays: impl ExactSizeIterator<Item = &'a Array2<f32>> + Clone) -> Array3<f32> {
    let (rows, columns) = arrays.clone().next().map_or((0, 0), Array2::dim);
    let mut all = Array3::zeros((arrays.len(), rows, columns));
    for (mut slot, array) in all.axis_iter_mut(Axis(0)).zip(arrays) {
        slot.assign(array);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_moment_are_always_kept() {
        assert_eq!(evenly(5, 100), [0, 1, 2, 3, 4]);
        assert_eq!(evenly(11, 3), [0, 5, 10]);
        assert_eq!(evenly(11, 0), [0, 10]);
        assert_eq!(evenly(1, 5), [0]);
    }

    #[test]
    fn a_range_has_a_length() {
        let [low, high] = range_of_most(vec![7.0; 30]);
        assert!(low < 7.0 && high > 7.0);
        assert_eq!(
            range_of_most((0..=1000).map(f64::from).collect()),
            [5.0, 995.0]
        );
    }
}
