//! What this program says in its own graphs about the model and its run; the keys are
//! those of `export --format onnx`.

use std::collections::BTreeMap;

use crate::declared::Declared;
use crate::error::ImportError;

/// What wrote a file whose metadata are understood.
const PRODUCER: &str = "latent-atlas ";

/// Entries that the graphs of one run have in common.
const OF_RUN: [&str; 3] = ["run", "kind", "likelihood"];

/// The metadata of a graph of this program; of another program's none.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnMetadata(BTreeMap<String, String>);

impl OwnMetadata {
    pub(crate) fn of(model: &onnx::Model) -> Self {
        Self(match model.producer.starts_with(PRODUCER) {
            true => model.metadata.iter().cloned().collect(),
            false => BTreeMap::new(),
        })
    }

    /// Adds those of a second file.
    ///
    /// # Errors
    /// When the two are of different runs.
    pub(crate) fn join(&mut self, other: Self) -> Result<(), ImportError> {
        let differs = |key: &str| match (self.0.get(key), other.0.get(key)) {
            (Some(one), Some(other)) => one != other,
            _ => false,
        };
        if let Some(key) = OF_RUN.iter().find(|key| differs(key)) {
            return Err(ImportError::Network(format!(
                "these graphs are of different runs of this program, by their entries '{key}' {} and {}; expected those of one export",
                self.0[*key], other.0[*key]
            )));
        }
        for (key, value) in other.0 {
            self.0.entry(key).or_insert(value);
        }
        Ok(())
    }

    /// What was declared, and where nothing was what the file says.
    ///
    /// # Errors
    /// When both differ, or the file says what no model is.
    pub(crate) fn declared(&self, given: &Declared) -> Result<Declared, ImportError> {
        Ok(Declared {
            kind: self.either("kind", given.kind)?,
            likelihood: self.either("likelihood", given.likelihood)?,
            ..*given
        })
    }

    /// The settings by which rows were made ready for the run; none where the file does
    /// not tell.
    pub(crate) fn preparation(&self) -> Option<String> {
        let is_told = !self.0.is_empty();
        is_told.then(|| self.0.get("preparation").cloned().unwrap_or_default())
    }

    /// That the file tells, in a line.
    pub(crate) fn said(&self) -> Option<String> {
        let (kind, likelihood) = (self.0.get("kind")?, self.0.get("likelihood")?);
        Some(format!(
            "graphs of this program: {kind}, likelihood {likelihood}"
        ))
    }

    fn either<T>(&self, key: &str, given: Option<T>) -> Result<Option<T>, ImportError>
    where
        T: std::str::FromStr + PartialEq + std::fmt::Display,
    {
        let Some(text) = self.0.get(key) else {
            return Ok(given);
        };
        let Ok(found) = text.parse::<T>() else {
            return Err(ImportError::Network(format!(
                "the graph is of this program and says that its {key} is '{text}', which this version does not know; import it with the version that wrote it"
            )));
        };
        match given {
            Some(given) if given != found => Err(ImportError::Undeclared(format!(
                "the graph is of this program and says that its {key} is {found}, but {given} was given; leave the option out"
            ))),
            _ => Ok(Some(found)),
        }
    }
}

#[cfg(test)]
mod tests {
    use models::Likelihood;

    use super::*;

    fn metadata(entries: &[(&str, &str)]) -> OwnMetadata {
        let owned = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
        OwnMetadata(entries.iter().map(owned).collect())
    }

    #[test]
    fn what_the_file_says_needs_no_option_and_suffers_no_other() {
        let file = metadata(&[("likelihood", "gaussian/0.5"), ("kind", "vae")]);
        let found = file.declared(&Declared::default()).expect("known");
        let expected: Likelihood = "gaussian/0.5".parse().expect("a likelihood");
        assert_eq!(found.likelihood, Some(expected));
        assert_eq!(file.declared(&found).expect("the same"), found);
        let other = Declared {
            likelihood: Some(Likelihood::Bernoulli),
            ..Declared::default()
        };
        let message = file.declared(&other).unwrap_err().to_string();
        assert!(message.contains("but bernoulli was given"), "{message}");
        let foreign = metadata(&[("likelihood", "student/3")]);
        let message = foreign.declared(&Declared::default()).unwrap_err();
        assert!(message.to_string().contains("'student/3'"), "{message}");
        assert_eq!(metadata(&[]).declared(&other).expect("nothing"), other);
    }

    #[test]
    fn graphs_of_two_runs_are_no_model() {
        for (other, is_one) in [
            (metadata(&[("run", "a"), ("kind", "vae")]), true),
            (metadata(&[]), true),
            (metadata(&[("run", "b")]), false),
            (metadata(&[("run", "a"), ("kind", "ae")]), false),
        ] {
            let mut one = metadata(&[("run", "a"), ("kind", "vae")]);
            assert_eq!(one.join(other).is_ok(), is_one);
        }
    }

    #[test]
    fn a_run_without_preparation_says_that_too() {
        assert_eq!(metadata(&[]).preparation(), None);
        let plain = metadata(&[("kind", "vae")]);
        assert_eq!(plain.preparation().as_deref(), Some(""));
    }
}
