//! The weights of a run.

use std::path::Path;

use models::Model;

use super::{RunFolder, SETTINGS};
use crate::configuration::Configuration;
use crate::error::Error;

impl RunFolder {
    /// The weights of the last checkpoint, of the model that `config.toml`
    /// describes as `configuration`.
    ///
    /// # Errors
    /// When there is no checkpoint yet, it cannot be read, or holds another
    /// model or one that was trained otherwise.
    pub fn load_model(&self, configuration: &Configuration) -> Result<Model, Error> {
        if !self.model().exists() {
            if let Some(divergence) = self.read_result()?.and_then(|result| result.divergence) {
                return Err(Error::RunFolder(format!(
                    "{} has no model.safetensors: {divergence}, before the first checkpoint; train it again with a smaller --lr",
                    self.path.display()
                )));
            }
            if self.read_result()?.is_some() {
                return Err(self.without_weights());
            }
            return Err(Error::RunFolder(format!(
                "{} has no model.safetensors yet; let the run reach its first checkpoint, or continue it with --resume",
                self.path.display()
            )));
        }
        self.load_weights(&self.model(), configuration)
    }

    /// That the run has ended and its weights are gone.
    #[must_use]
    pub fn without_weights(&self) -> Error {
        Error::RunFolder(format!(
            "{} holds the results of a finished run without its weights, which were not kept; delete the folder to train it again",
            self.path.display()
        ))
    }

    /// The weights in a file of the run.
    ///
    /// # Errors
    /// When it cannot be read, or holds another model than the one that
    /// `config.toml` describes as `configuration`, or one trained otherwise.
    pub(crate) fn load_weights(
        &self,
        file: &Path,
        configuration: &Configuration,
    ) -> Result<Model, Error> {
        let (model, metadata) = Model::load_with_metadata(file)?;
        if *model.spec() != configuration.model_spec()? {
            return Err(Error::RunFolder(format!(
                "{} holds a model {}, but config.toml beside it describes another one; expected the files of one run",
                file.display(),
                model.spec().architecture
            )));
        }
        let settings = metadata.get(SETTINGS).map(String::as_str);
        self.check_settings(file, settings, configuration)?;
        Ok(model)
    }
}
