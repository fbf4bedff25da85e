//! The classifier of a data set, that drawings share.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use datasets::Dataset;
use evaluation::{Classifier, ClassifierOptions};
use runs::Error;
use runs::atomic_file::create_folder;
use runs::run_data::images;
use tensor_ops::parallel::ThreadPool;

use crate::absence::unlabelled;

/// Seeds of classifiers that a number is averaged over where the classifier's own
/// seed could turn a verdict: a network of another seed has other features.
pub const CLASSIFIER_SEEDS: u64 = 3;

/// The classifier of a data set, trained or read by the first of some drawings
/// that asks for it.
#[derive(Debug, Default)]
pub struct SharedClassifier {
    classifier: OnceLock<Classifier>,
    /// Those of other seeds.
    others: OnceLock<Vec<Classifier>>,
    /// Whoever holds it makes the classifier; the others wait.
    making: Mutex<()>,
    /// Those it is trained on, where they are not those of whoever asks first.
    threads: Option<usize>,
}

impl SharedClassifier {
    /// One that is trained on so many threads: those of all who wait for it.
    #[must_use]
    pub fn on(threads: usize) -> Self {
        Self {
            threads: Some(threads),
            ..Self::default()
        }
    }

    /// That of `dataset`, which is kept in `folder`.
    pub(crate) fn get(&self, dataset: &Dataset, folder: &Path) -> Result<&Classifier, Error> {
        if let Some(classifier) = self.classifier.get() {
            return Ok(classifier);
        }
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(classifier) = self.classifier.get() {
            return Ok(classifier);
        }
        let classifier = self.read_or_made(dataset, folder, 0)?;
        Ok(self.classifier.get_or_init(|| classifier))
    }

    /// That one and those of the other [`CLASSIFIER_SEEDS`].
    pub(crate) fn of_all_seeds(
        &self,
        dataset: &Dataset,
        folder: &Path,
    ) -> Result<Vec<&Classifier>, Error> {
        let first = self.get(dataset, folder)?;
        if self.others.get().is_none() {
            let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
            if self.others.get().is_none() {
                let others =
                    (1..CLASSIFIER_SEEDS).map(|seed| self.read_or_made(dataset, folder, seed));
                let others = others.collect::<Result<Vec<Classifier>, Error>>()?;
                self.others.get_or_init(|| others);
            }
        }
        let others = self.others.get().into_iter().flatten();
        Ok(std::iter::once(first).chain(others).collect())
    }

    fn read_or_made(
        &self,
        dataset: &Dataset,
        folder: &Path,
        seed: u64,
    ) -> Result<Classifier, Error> {
        let (train, test) = (&dataset.train, &dataset.test);
        let (train_labels, test_labels) = (
            train.labels().ok_or_else(unlabelled)?,
            test.labels().ok_or_else(unlabelled)?,
        );
        let path = classifier_file(folder, dataset, seed);
        if path.exists() {
            return Ok(Classifier::load(&path)?);
        }
        // The cache is no folder yet before its first file.
        create_folder(folder)?;
        let mut classifier = self.trained(dataset, train_labels, seed)?;
        classifier.measure_test_accuracy(images(test), test_labels)?;
        classifier.save(&path)?;
        Ok(classifier)
    }

    fn trained(&self, dataset: &Dataset, labels: &[u32], seed: u64) -> Result<Classifier, Error> {
        let train = || {
            let images = images(&dataset.train);
            let options = ClassifierOptions {
                seed,
                ..ClassifierOptions::default()
            };
            Classifier::train(images, labels, dataset.classes(), &options)
        };
        Ok(match self.threads {
            None => train()?,
            Some(threads) => ThreadPool::new(threads)
                .map_err(models::TrainerError::from)?
                .install(train)?,
        })
    }
}

/// Where the classifier of a data set and a seed is kept below `folder`.
pub(crate) fn classifier_file(folder: &Path, dataset: &Dataset, seed: u64) -> PathBuf {
    let fingerprint = &dataset.fingerprint[..12];
    let name = match seed {
        0 => format!("classifier-{fingerprint}.safetensors"),
        seed => format!("classifier-{fingerprint}-seed{seed}.safetensors"),
    };
    folder.join(name)
}
