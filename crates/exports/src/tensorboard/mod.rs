//! Event files of TensorBoard: the losses of every epoch, the step size, the
//! settings, pictures of what was learned, and distributions of weights and codes.
//!
//! The step of everything is the epoch, so that the slider of pictures counts
//! epochs. Of a run that has ended the time of a record is the seconds of training
//! up to it, so that the same run gives the same bytes: TensorBoard's axis
//! "relative" then shows how long training took.

mod epochs;
mod live;
pub mod messages;
pub mod records;
mod shown;
mod summaries;

use runs::Error;
use runs::apply::Destination;
use runs::trajectories::TrackedCodes;

use self::messages::Value;
use self::shown::ShownRows;
use crate::{Exported, ExportedRun, RunRows};

pub use self::live::{FOLDER, TrainingLog};

/// Writes the event file of a run into a folder: scalars of every epoch, the last
/// epoch's map of the latent plane and reconstructions, the codes of the tracked
/// test images by epoch, and distributions of the weights and of the codes of a
/// random sample of the test set.
///
/// # Errors
/// When the data cannot be had or are not those of the run, a file of the run is
/// damaged, or the folder cannot be written.
pub fn export(
    run: &ExportedRun,
    destination: Destination,
    download: &mut dyn FnMut(datasets::Progress<'_>),
) -> Result<Exported, Error> {
    let rows = run.data(download)?;
    let file = run.install(|| event_file(run, rows))?;
    Exported::folder(destination, &[(&records::file_name(1), file)])
}

/// The event file of a run that is not being trained.
pub(crate) fn event_file(run: &ExportedRun, rows: &RunRows) -> Result<Vec<u8>, Error> {
    let RunRows { dataset, run: seen } = rows;
    let kind = seen.model.spec().kind;
    // By epoch; what is said of one epoch stands together.
    let mut by_epoch: Vec<(usize, f64, Vec<Value>)> =
        vec![(0, 0.0, vec![epochs::settings(run.configuration())?])];
    let mut seconds = 0.0;
    for metrics in &seen.metrics {
        seconds += metrics.seconds;
        by_epoch.push((metrics.epoch, seconds, epochs::scalars(metrics, kind)));
    }
    let mut add = |epoch: usize, values: Vec<Value>| {
        // An epoch without metrics is one after the last line of a damaged log.
        let at = by_epoch.iter().position(|&(at, ..)| at == epoch);
        match at {
            Some(at) => by_epoch[at].2.extend(values),
            None => by_epoch.push((epoch, seconds, values)),
        }
    };
    let path = run.folder().trajectories();
    if path.exists() {
        let tracked = TrackedCodes::read(&path)?;
        for (epoch, value) in epochs::tracked_codes(seen, &tracked, &dataset.class_names)? {
            add(epoch, vec![value]);
        }
    }
    let all = seen.seen(&dataset.test)?;
    let shown = ShownRows::choose(&dataset.test, dataset.classes(), all.images());
    let result = run.folder().read_result()?;
    let last = result
        .and_then(|result| result.best_epoch)
        .unwrap_or(seen.metrics.len());
    add(last, shown::of_weights(seen, &shown)?);
    let mut file = records::beginning(0.0);
    for (epoch, seconds, values) in by_epoch {
        records::append(&records::values(epoch, seconds, values), &mut file);
    }
    Ok(file)
}
