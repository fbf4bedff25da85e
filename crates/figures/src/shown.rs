//! Which of a model's seeds is shown, and what a caption must say of it.

use datasets::Dataset;
use evaluation::elbo::ACTIVE_VARIANCE;

use crate::TrainedRun;
use crate::pictures::UnitsInUse;
use crate::wording::{listed, spelled};
use runs::Error;

/// The typical one of a model's runs: that whose test loss after the last epoch
/// is nearest to the median over the runs, the lowest seed of several; none of
/// no runs. Losses that are not finite count last.
#[must_use]
pub fn typical<'a>(runs: impl Iterator<Item = &'a TrainedRun>) -> Option<&'a TrainedRun> {
    let runs: Vec<&TrainedRun> = runs.collect();
    let losses: Vec<(f64, u64)> = runs
        .iter()
        .map(|run| {
            let loss = run.last().map_or(f64::NAN, |epoch| epoch.test.loss);
            (loss, run.configuration.training.seed)
        })
        .collect();
    nearest_to_median(&losses).map(|index| runs[index])
}

/// ` Collapsed latent variables (…): one of four in VAE 784-32-4.` for the end of
/// a caption; nothing of runs whose variables are all in use, and nothing of a
/// model shown with several seeds, which a figure has for what differs between
/// them.
///
/// `collapsed_of` is [`collapsed`], measured or kept.
///
/// # Errors
/// Those of `collapsed_of`.
pub fn collapses(
    dataset: &Dataset,
    runs: &[&TrainedRun],
    collapsed_of: impl Fn(&TrainedRun) -> Result<usize, Error>,
) -> Result<String, Error> {
    let mut collapsed = Vec::new();
    for run in runs.iter().filter(|run| run.is_variational()) {
        if runs.iter().filter(|other| other.key == run.key).count() > 1 {
            continue;
        }
        let count = collapsed_of(run)?;
        if count > 0 {
            let (count, of) = (spelled(count), spelled(run.latent()));
            collapsed.push(format!("{count} of {of} in {}", run.title()));
        }
    }
    if collapsed.is_empty() {
        return Ok(String::new());
    }
    Ok(format!(
        " Collapsed latent variables (variance of μ over the test {} at most {ACTIVE_VARIANCE}): \
         {}.",
        dataset.shape().noun(),
        listed(&collapsed)
    ))
}

/// How many latent variables have about the same mean for every test image.
///
/// # Errors
/// A test set that the run cannot encode.
pub fn collapsed(dataset: &Dataset, run: &TrainedRun) -> Result<usize, Error> {
    let units = UnitsInUse::of(&run.codes(&dataset.test)?)?;
    Ok(run.latent() - units.active())
}

/// The index of the loss that is nearest to the median of the finite ones, of
/// the lowest seed among equally near ones; pairs are loss and seed.
fn nearest_to_median(losses: &[(f64, u64)]) -> Option<usize> {
    let mut sorted: Vec<f64> = losses.iter().map(|&(loss, _)| loss).collect();
    sorted.retain(|loss| loss.is_finite());
    sorted.sort_by(f64::total_cmp);
    // The median is the mean of these two, and no other loss is nearer to it.
    let n = sorted.len();
    let middle = [n.saturating_sub(1) / 2, n / 2].map(|at| sorted.get(at));
    (0..losses.len()).min_by_key(|&index| {
        let (loss, seed) = &losses[index];
        (!middle.contains(&Some(loss)), *seed)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(losses: &[f64]) -> Option<u64> {
        let losses: Vec<(f64, u64)> = losses.iter().copied().zip(0..).collect();
        nearest_to_median(&losses).map(|index| losses[index].1)
    }

    #[test]
    fn the_seed_nearest_the_median_is_typical() {
        assert_eq!(seed(&[]), None);
        assert_eq!(seed(&[5.0]), Some(0));
        assert_eq!(seed(&[206.0, 147.0, 150.0]), Some(2));
        // Of an even number both middle ones are as near: the lower seed.
        assert_eq!(seed(&[9.0, 3.0, 1.0, 2.0]), Some(1));
        assert_eq!(seed(&[4.0, 4.0, 4.0]), Some(0));
    }

    #[test]
    fn a_loss_that_is_no_number_is_typical_of_nothing_else() {
        assert_eq!(seed(&[f64::NAN, 7.0, 8.0, f64::INFINITY]), Some(1));
        assert_eq!(seed(&[f64::NAN, f64::NAN]), Some(0));
    }

    #[test]
    fn order_of_runs_is_no_matter() {
        let runs = [(3.0, 9), (2.0, 4), (1.0, 7)];
        assert_eq!(nearest_to_median(&runs).map(|at| runs[at].1), Some(4));
        assert_eq!(nearest_to_median(&[(2.0, 5), (2.0, 1)]), Some(1));
    }
}
