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

/// The classifier of a data set, trained or read by the first of some drawings
/// that asks for it.
#[derive(Debug, Default)]
pub struct SharedClassifier {
    classifier: OnceLock<Classifier>,
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
        let classifier = self.read_or_made(dataset, folder)?;
        Ok(self.classifier.get_or_init(|| classifier))
    }

    fn read_or_made(&self, dataset: &Dataset, folder: &Path) -> Result<Classifier, Error> {
        let (train, test) = (&dataset.train, &dataset.test);
        let (train_labels, test_labels) = (
            train.labels().ok_or_else(unlabelled)?,
            test.labels().ok_or_else(unlabelled)?,
        );
        let path = classifier_file(folder, dataset);
        if path.exists() {
            return Ok(Classifier::load(&path)?);
        }
        // The cache is no folder yet before its first file.
        create_folder(folder)?;
        let mut classifier = self.trained(dataset, train_labels)?;
        classifier.measure_test_accuracy(images(test), test_labels)?;
        classifier.save(&path)?;
        Ok(classifier)
    }

    fn trained(&self, dataset: &Dataset, labels: &[u32]) -> Result<Classifier, Error> {
        let train = || {
            let (images, options) = (images(&dataset.train), ClassifierOptions::default());
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

/// Where the classifier of a data set is kept below `folder`.
pub(crate) fn classifier_file(folder: &Path, dataset: &Dataset) -> PathBuf {
    let name = format!("classifier-{}.safetensors", &dataset.fingerprint[..12]);
    folder.join(name)
}
