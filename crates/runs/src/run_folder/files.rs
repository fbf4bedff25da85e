//! A run as the content of its files, apart from any folder: to be kept in memory,
//! sent elsewhere and written again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::RunFolder;
use crate::atomic_file::{self, unwritable};
use crate::configuration::Configuration;
use crate::error::{Error, unreadable};

/// What the run is.
const SETTINGS_FILE: &str = "config.toml";

/// The files that make a run, in the order in which they are written: what makes
/// it a run folder first, what says that it is done last.
const FILES: [&str; 9] = [
    "command.txt",
    "environment.json",
    SETTINGS_FILE,
    "metrics.jsonl",
    "trajectories.npz",
    "best.safetensors",
    "model.safetensors",
    "state.safetensors",
    "result.json",
];

/// Files without which there is no run.
const NEEDED: [&str; 3] = ["environment.json", SETTINGS_FILE, "model.safetensors"];

/// The content of the files of a run, by their names; not what was made of it later,
/// such as `eval.json` or pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFiles(BTreeMap<String, Vec<u8>>);

impl RunFiles {
    /// Those of a folder.
    ///
    /// # Errors
    /// When it is no run folder or has no weights yet, or a file cannot be read.
    pub fn read(folder: &RunFolder) -> Result<Self, Error> {
        // Says what is wrong with it in its own words.
        folder.load_model(&folder.configuration()?)?;
        let mut files = BTreeMap::new();
        for name in FILES {
            let path = folder.path().join(name);
            if path.exists() {
                let bytes = input_files::read(&path).map_err(unreadable(&path))?;
                files.insert(name.to_owned(), bytes);
            }
        }
        Ok(Self(files))
    }

    /// Files that [`as_map`](Self::as_map) gave. What is in them is checked by whoever
    /// reads them: all are sealed.
    ///
    /// # Errors
    /// A name that is none of a run's, or no settings or weights.
    pub fn of_map(files: BTreeMap<String, Vec<u8>>) -> Result<Self, Error> {
        if let Some(name) = files.keys().find(|name| !FILES.contains(&name.as_str())) {
            return Err(Error::RunFolder(format!(
                "'{name}' is no file of a run; expected {}",
                FILES.join(", ")
            )));
        }
        if let Some(name) = NEEDED.iter().find(|&&name| !files.contains_key(name)) {
            return Err(Error::RunFolder(format!(
                "the run has no {name}; expected {}",
                NEEDED.join(", ")
            )));
        }
        Ok(Self(files))
    }

    /// The content of each file.
    #[must_use]
    pub fn as_map(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.0
    }

    /// Writes the run into a folder of its own. Its settings then say that its data are
    /// at `dataset`, an absolute path, where that is given; it need not be there yet.
    ///
    /// # Errors
    /// When the folder holds a run or somebody else's files, another process writes
    /// there, it cannot be written, `dataset` is no absolute path, or the data of the run
    /// have a name in the registry.
    pub fn write(&self, path: &Path, command: &str, dataset: Option<&str>) -> Result<(), Error> {
        let settings = dataset
            .map(|dataset| self.settings_of_data_at(dataset))
            .transpose()?;
        let folder = RunFolder::at(path);
        let exists = || {
            Error::RunFolder(format!(
                "{} holds a run already; choose another folder",
                path.display()
            ))
        };
        if folder.exists() {
            return Err(exists());
        }
        let taken = folder.take(command)?;
        if folder.exists() {
            return Err(exists());
        }
        for name in FILES {
            let Some(bytes) = self.0.get(name) else {
                continue;
            };
            taken.check()?;
            match &settings {
                Some(settings) if name == SETTINGS_FILE => folder.write_configuration(settings)?,
                _ => atomic_file::write(&path.join(name), bytes)?,
            }
        }
        Ok(())
    }

    /// The text of its settings with data at `dataset`.
    fn settings_of_data_at(&self, dataset: &str) -> Result<String, Error> {
        let wrong = |sentence: String| Err(Error::Configuration(sentence));
        if !Path::new(dataset).is_absolute() {
            return wrong(format!(
                "the data of a run are at {dataset}; expected an absolute path"
            ));
        }
        let text = String::from_utf8_lossy(&self.0[SETTINGS_FILE]);
        let kept = Configuration::of_text(&text, SETTINGS_FILE)?;
        let mut configuration = kept.clone();
        configuration.data.dataset = dataset.to_owned();
        if configuration.identity() != kept.identity() {
            return wrong(format!(
                "the run was trained on {}, which is known by its name; save it without other data",
                kept.data.dataset
            ));
        }
        configuration.to_toml()
    }

    /// Writes them into a folder that exists and is going to be deleted: nothing waits
    /// for the disk.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn unpack(&self, folder: &Path) -> Result<RunFolder, Error> {
        for (name, bytes) in &self.0 {
            let path = folder.join(name);
            fs::write(&path, bytes).map_err(unwritable(&path))?;
        }
        Ok(RunFolder::at(folder))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::configuration::Override;
    use crate::interrupt::Interrupt;
    use crate::jobs::Share;
    use crate::run_data::IN_MEMORY;
    use crate::training::Run;

    fn trained(path: &Path) -> (RunFolder, Configuration) {
        let sets = ["model.hidden=[4]", "training.epochs=1"].map(Override::parse);
        let sets = sets.map(|set| set.expect("KEY=VALUE"));
        let configuration = Configuration::resolve(None, None, &sets).expect("settings");
        let mut dataset =
            datasets::load("glyphs", &Default::default(), &mut |_| {}).expect("drawn");
        dataset.train = dataset.train.slice(0..64);
        dataset.test = dataset.test.slice(0..32);
        let mut configuration = configuration.of_shape(&dataset).expect("its shape");
        configuration.data.dataset = IN_MEMORY.into();
        let run = Run {
            configuration: &configuration,
            dataset: &dataset,
            standardisation: None,
            threads: Share::of(1),
            checkpoint_every: Duration::MAX,
            keeps_state: true,
            folder: RunFolder::at(path),
            command: "test",
        };
        run.start(&Interrupt::default(), &mut ()).expect("a run");
        (RunFolder::at(path), configuration)
    }

    #[test]
    fn a_run_is_written_again_as_it_was() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let (folder, configuration) = trained(&root.path().join("run"));
        let files = RunFiles::read(&folder).expect("a run");
        assert_eq!(
            RunFiles::of_map(files.as_map().clone()).expect("the same"),
            files
        );
        let copy = root.path().join("copy");
        files.write(&copy, "test", None).expect("a new folder");
        let copied = RunFolder::at(&copy);
        assert_eq!(RunFiles::read(&copied).expect("a run"), files);
        let message = files.write(&copy, "test", None).expect_err("taken");
        assert!(message.to_string().contains("holds a run already"));

        let data = root.path().join("digits.npz");
        let elsewhere = root.path().join("elsewhere");
        let named = data.display().to_string();
        let written = files.write(&elsewhere, "test", Some(&named));
        written.expect("a new folder");
        let found = RunFolder::at(&elsewhere).configuration().expect("sealed");
        assert_eq!(found.data.dataset, named);
        assert_eq!(found.model, configuration.model);
        let nowhere = root.path().join("nowhere");
        let message = files.write(&nowhere, "test", Some("digits.npz"));
        assert!(
            message
                .expect_err("relative")
                .to_string()
                .contains("absolute")
        );
        assert!(!nowhere.exists());
    }

    #[test]
    fn what_is_no_run_is_refused() {
        let of = |names: &[&str]| {
            let files = names.iter().map(|&name| (name.to_owned(), Vec::new()));
            RunFiles::of_map(files.collect())
                .expect_err("no run")
                .to_string()
        };
        assert!(of(&["../x"]).contains("'../x' is no file of a run"));
        let message = of(&["environment.json", "config.toml"]);
        assert!(message.contains("no model.safetensors"), "{message}");
        let root = tempfile::tempdir().expect("a temporary folder");
        let message = RunFiles::read(&RunFolder::at(root.path())).expect_err("empty");
        assert!(message.to_string().contains("not a run folder"));
    }
}
