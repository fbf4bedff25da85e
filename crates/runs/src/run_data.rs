//! The data set of a run, read as its configuration says and as its model
//! sees it.

use std::path::{Path, PathBuf};

use datasets::{Dataset, Lookup, Rows, Shape, Source, Split, Values};
use models::{Images, Model, SharedImages, SharedPixels, Standardisation};

use crate::configuration::Configuration;
use crate::error::Error;

/// What the configuration of a run names whose data were arrays in memory, and
/// nowhere else.
pub const IN_MEMORY: &str = "memory:arrays";

/// A data set with what was done to its values.
#[derive(Clone, Debug)]
pub struct RunData {
    /// The rows as the model sees them.
    pub dataset: Dataset,
    /// How they were standardised, if they were.
    pub standardisation: Option<Standardisation>,
}

/// Where the data set of a run is found.
#[derive(Clone, Debug, Default)]
pub struct DataLocation {
    /// Where named data sets are looked up.
    pub lookup: Lookup,
    /// Where the data of the run are now, if not where its configuration says.
    pub dataset: Option<String>,
    /// Where decoded folders are kept, if anywhere.
    pub cache: Option<PathBuf>,
}

impl From<Lookup> for DataLocation {
    fn from(lookup: Lookup) -> Self {
        Self {
            lookup,
            ..Self::default()
        }
    }
}

impl DataLocation {
    /// Loads what `configuration` names, or what stands for it here, as it is
    /// stored.
    ///
    /// # Errors
    /// When it cannot be had or read.
    pub fn load(
        &self,
        configuration: &Configuration,
        download: &mut dyn FnMut(datasets::Progress<'_>),
    ) -> Result<Dataset, Error> {
        let name = self.dataset.as_ref().unwrap_or(&configuration.data.dataset);
        if name == IN_MEMORY {
            return Err(Error::Configuration(
                "the run was trained on arrays in memory, which are gone; write them into an .npz as x_train and x_test and name that with --dataset".into(),
            ));
        }
        let source: Source = name.parse().map_err(|error| match &self.dataset {
            // The name was good when the run began.
            None if Path::new(name).is_absolute() => Error::Configuration(format!(
                "the data were {name}, where nothing is any more; say where they are now with --dataset"
            )),
            _ => Error::from(error),
        })?;
        let mut reading = configuration.data.reading.reading()?;
        reading.cache.clone_from(&self.cache);
        Ok(datasets::load_source(
            &source,
            &reading,
            &self.lookup,
            download,
        )?)
    }
}

impl RunData {
    /// The data of a new run: standardised by its own training part, where the
    /// configuration asks for that.
    ///
    /// # Errors
    /// When nothing is left to train on.
    pub fn of_training(configuration: &Configuration, dataset: Dataset) -> Result<Self, Error> {
        if !configuration.data.standardise {
            return Ok(Self {
                dataset,
                standardisation: None,
            });
        }
        let kept = training_rows(configuration, &dataset)?;
        let standardisation = Standardisation::of(images(&dataset.train).slice_rows(0..kept))
            .map_err(|error| Error::Configuration(format!("data.standardise: {error}")))?;
        Ok(Self::standardised(dataset, Some(standardisation)))
    }

    /// The data as a trained model sees them.
    #[must_use]
    pub fn standardised(dataset: Dataset, standardisation: Option<Standardisation>) -> Self {
        let dataset = match &standardisation {
            None => dataset,
            Some(standardisation) => dataset.changed(|row| standardisation.apply(row)),
        };
        Self {
            dataset,
            standardisation,
        }
    }
}

/// How many training rows are left when those for validation are held out from
/// the end.
///
/// # Errors
/// When none are.
pub fn training_rows(configuration: &Configuration, dataset: &Dataset) -> Result<usize, Error> {
    let (all, held_out) = (dataset.train.len(), configuration.data.validation);
    if held_out >= all {
        return Err(Error::Configuration(format!(
            "data.validation is {held_out}, but must be below the {all} training images of {}",
            dataset.name
        )));
    }
    Ok(all - held_out)
}

/// What a row of a run is, and whether that is known: of a run from before
/// shapes were kept, 28 × 28 inputs are taken for an image, others for a vector.
///
/// # Errors
/// When the shape that was kept cannot be understood.
pub fn kept_shape(configuration: &Configuration, model: &Model) -> Result<(Shape, bool), Error> {
    const FORMER_SIDE: usize = 28;
    let inputs = model.spec().architecture.inputs;
    let kept = model
        .shape()
        .or(Some(configuration.data.shape.as_str()).filter(|shape| !shape.is_empty()));
    Ok(match kept {
        Some(text) => (text.parse()?, true),
        None if inputs == FORMER_SIDE * FORMER_SIDE => {
            (Shape::grey(FORMER_SIDE, FORMER_SIDE), true)
        }
        None => (Shape::Vector { length: inputs }, false),
    })
}

/// The rows of a split as models read them.
#[must_use]
pub fn images(split: &Split) -> Images<'_> {
    match split.images() {
        Rows::Bytes(rows) => Images::Bytes(rows),
        Rows::Floats(rows) => Images::Values(rows),
    }
}

/// The first `count` rows of a split, to be shared with a trainer.
#[must_use]
pub fn shared_images(split: &Split, count: usize) -> SharedImages {
    let (values, rows) = split.shared();
    let length = split.shape().len();
    let range = rows.start * length..(rows.start + count) * length;
    match values {
        Values::Bytes(values) => SharedPixels::part(values.clone(), range).into(),
        Values::Floats(values) => SharedPixels::part(values.clone(), range).into(),
    }
}

/// The text of a source that means the same from every working directory: a
/// path is made absolute, a name of the registry stays.
///
/// # Errors
/// When the source is unknown, or its absolute path is no text.
pub fn anchored(text: &str) -> Result<String, Error> {
    let source: Source = text.parse()?;
    let Some(path) = source.path() else {
        return Ok(source.name());
    };
    let absolute = std::path::absolute(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    let absolute = absolute.to_str().ok_or_else(|| {
        Error::Configuration(format!(
            "the path {} is not valid UTF-8, which config.toml needs; rename a folder on it",
            absolute.display()
        ))
    })?;
    Ok(match source {
        Source::Idx(_) => format!("idx:{absolute}"),
        _ => absolute.to_owned(),
    })
}

/// A short name for folders: the registry's, or the last part of the path.
#[must_use]
pub fn short_name(dataset: &str) -> String {
    let path = dataset.strip_prefix("idx:").unwrap_or(dataset);
    let last = Path::new(path).file_stem().map_or_else(
        || path.to_owned(),
        |name| name.to_string_lossy().into_owned(),
    );
    let name: String = last
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        })
        .collect();
    if name.is_empty() { "data".into() } else { name }
}

/// Refuses to write into a folder that is read as data: pictures and folders
/// there would be images and classes the next time.
///
/// # Errors
/// When `output` lies in the folder that `source` names.
pub fn refuse_inside(source: &str, output: &Path) -> Result<(), Error> {
    let Ok(Source::Path(path)) = source.parse::<Source>() else {
        return Ok(());
    };
    let Ok(data) = path.canonicalize() else {
        return Ok(());
    };
    let Ok(output) = std::path::absolute(output) else {
        return Ok(());
    };
    // As far as it exists: links on the way are followed.
    let is_inside = output
        .ancestors()
        .find_map(|part| part.canonicalize().ok())
        .is_some_and(|existing| existing.starts_with(&data));
    if !(data.is_dir() && is_inside) {
        return Ok(());
    }
    Err(Error::Configuration(format!(
        "{} lies in the folder {} that is read as data, where it would be taken for images or classes; name a place outside of it",
        output.display(),
        data.display()
    )))
}

/// The name of a data set's folder of figures: sets of one's own are told
/// apart by their content, as two paths may end alike.
#[must_use]
pub fn folder_name(dataset: &Dataset) -> String {
    let name = short_name(&dataset.name);
    if dataset.name.contains(['/', '\\', ':']) {
        format!("{name}-{}", &dataset.fingerprint[..8])
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_named_after_the_last_part_of_a_path() {
        for (dataset, name) in [
            ("fashion-mnist", "fashion-mnist"),
            ("/home/me/my pictures", "my_pictures"),
            ("idx:/data/qmnist", "qmnist"),
            ("/data/digits.npz", "digits"),
            ("/", "_"),
        ] {
            assert_eq!(short_name(dataset), name);
        }
    }

    #[test]
    fn a_folder_of_data_is_not_written_into() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let data = root.path().join("pictures");
        std::fs::create_dir_all(data.join("cats")).expect("a new folder");
        let source = data.display().to_string();
        for inside in ["", "runs/one", "cats", "cats/new"] {
            let message = refuse_inside(&source, &data.join(inside))
                .expect_err("inside")
                .to_string();
            assert!(message.contains("read as data"), "{message}");
        }
        for outside in ["runs/one", "pictures-2", "pictures.csv"] {
            assert!(refuse_inside(&source, &root.path().join(outside)).is_ok());
        }
        assert!(refuse_inside("glyphs", &data.join("runs")).is_ok());
    }

    #[test]
    fn arrays_in_memory_are_asked_for() {
        let mut configuration = Configuration::default();
        configuration.data.dataset = IN_MEMORY.into();
        let message = DataLocation::default()
            .load(&configuration, &mut |_| {})
            .expect_err("gone")
            .to_string();
        assert!(message.contains("x_train"), "{message}");
        // Its results are those of the same rows in a file.
        let mut of_file = configuration.clone();
        of_file.data.dataset = "/data/digits.npz".into();
        assert_eq!(configuration.identity(), of_file.identity());
    }

    #[test]
    fn names_stay_and_paths_become_absolute() {
        assert_eq!(anchored("MNIST").expect("a name"), "mnist");
        let here = std::env::current_dir().expect("a working directory");
        let text = anchored("idx:some/folder").expect("any folder");
        assert_eq!(text, format!("idx:{}", here.join("some/folder").display()));
        assert!(anchored("no-such-thing").is_err());
    }
}
