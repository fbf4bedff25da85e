//! A model: its specification and its weights.

pub(crate) mod dense;
pub(crate) mod inference;
pub(crate) mod samples;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::files::checkpoint::{Checkpoint, CheckpointError, ContentsError, sealed};
use crate::images::standardisation::Standardisation;
use crate::network::initialisation::Initialisation;
use crate::network::layout::Layout;
use crate::network::parameters::{NamedTensor, Parameters, TensorError};
use crate::spec::{Likelihood, ModelKind, ModelSpec, PosteriorScale, SpecError};

/// What the metadata entry `format` of a model file begins with, and of one of
/// two stochastic layers from when those were a model apart.
const FORMATS: [&str; 2] = ["latent-atlas model", "latent-atlas two-layer model"];

/// The metadata entry of the shape of the data.
const SHAPE: &str = "shape";

/// The tensors of the standardisation, and what their names begin with.
const STANDARDISATION: &str = "standardisation.";
const MEAN: &str = "standardisation.mean";
const DEVIATION: &str = "standardisation.deviation";

/// An autoencoder of any kind, in f32.
///
/// ```
/// use models::{Initialisation, Likelihood, Model, ModelKind, ModelSpec};
/// use ndarray::Array2;
///
/// let spec = ModelSpec {
///     kind: ModelKind::Vae,
///     architecture: "784-64-2".parse()?,
///     likelihood: Likelihood::Bernoulli,
///     posterior_scale: Default::default(),
/// };
/// let model = Model::new(spec, Initialisation::PyTorchUniform, 1)?;
/// let codes = model.encode(Array2::<f32>::zeros((3, 784)).view());
/// assert_eq!(codes.mean.dim(), (3, 2));
/// let images = model.decode(codes.mean.view());
/// assert!(images.iter().all(|p| (0.0..=1.0).contains(p)));
/// # Ok::<(), models::SpecError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    spec: ModelSpec,
    parameters: Parameters<f32>,
    data: DataDescription,
}

/// What the inputs of a model are, for whoever draws or encodes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct DataDescription {
    /// Sizes joined by x, as in 28x28.
    pub(crate) shape: Option<String>,
    pub(crate) standardisation: Option<Standardisation>,
}

impl Model {
    /// A model with freshly drawn weights.
    ///
    /// # Errors
    /// A specification that [`ModelSpec::validate`] refuses.
    pub fn new(
        spec: ModelSpec,
        initialisation: Initialisation,
        seed: u64,
    ) -> Result<Self, SpecError> {
        spec.validate()?;
        let layout = Arc::new(Layout::new(&spec));
        let parameters = initialisation.draw(layout, seed);
        Ok(Self::from_parameters(spec, parameters))
    }

    /// A model with given weights.
    ///
    /// # Errors
    /// The first tensor that does not fit the specification.
    ///
    /// # Panics
    /// If the specification is one that [`ModelSpec::validate`] refuses.
    pub fn from_named_tensors(
        spec: ModelSpec,
        tensors: impl IntoIterator<Item = NamedTensor<f32>>,
    ) -> Result<Self, TensorError> {
        let valid = spec.validate();
        assert!(valid.is_ok(), "from_named_tensors: {valid:?}");
        let parameters = Parameters::from_named_tensors(Arc::new(Layout::new(&spec)), tensors)?;
        Ok(Self::from_parameters(spec, parameters))
    }

    pub(crate) fn from_parameters(spec: ModelSpec, parameters: Parameters<f32>) -> Self {
        Self {
            spec,
            parameters,
            data: DataDescription::default(),
        }
    }

    /// The model, whose inputs are images of this shape: height, width and
    /// channels, or the length of a vector, joined by x, as in `28x28`,
    /// `64x64x3` or `512`. It is kept in files and changes no number.
    ///
    /// # Errors
    /// A text that is no such shape, or one of another number of inputs.
    pub fn with_shape(mut self, shape: impl Into<String>) -> Result<Self, SpecError> {
        let (shape, inputs) = (shape.into(), self.spec.architecture.inputs);
        if size_of_shape(&shape) != Some(inputs) {
            return Err(SpecError::Shape { shape, inputs });
        }
        self.data.shape = Some(shape);
        Ok(self)
    }

    /// The shape of the images, if the model was given one.
    pub fn shape(&self) -> Option<&str> {
        self.data.shape.as_deref()
    }

    /// The model, of data that are standardised like this before it sees them.
    /// It is kept in files; nothing applies it unasked.
    ///
    /// # Errors
    /// A standardisation of another number of features than the model's inputs.
    pub fn with_standardisation(
        mut self,
        standardisation: Standardisation,
    ) -> Result<Self, SpecError> {
        let (features, inputs) = (standardisation.features(), self.spec.architecture.inputs);
        if features != inputs {
            return Err(SpecError::Standardisation { features, inputs });
        }
        self.data.standardisation = Some(standardisation);
        Ok(self)
    }

    /// How data are standardised before the model sees them, if they are.
    pub fn standardisation(&self) -> Option<&Standardisation> {
        self.data.standardisation.as_ref()
    }

    pub(crate) fn data(&self) -> &DataDescription {
        &self.data
    }

    pub(crate) fn with_data(self, data: DataDescription) -> Self {
        Self { data, ..self }
    }

    /// What the model is.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// The weights, flat and in panel layout.
    pub fn parameters(&self) -> &Parameters<f32> {
        &self.parameters
    }

    pub(crate) fn parameters_mut(&mut self) -> &mut Parameters<f32> {
        &mut self.parameters
    }

    /// The weights under their PyTorch names, in forward order.
    pub fn named_tensors(&self) -> Vec<NamedTensor<f32>> {
        self.parameters.named_tensors()
    }

    /// Writes `model.safetensors`: the weights in PyTorch's names and layout,
    /// the specification, shape and standardisation of the data where there are
    /// any, and `metadata` (entries of the specification win
    /// over entries of the same name). The same weights and metadata give the
    /// same bytes. The file is replaced atomically.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(
        &self,
        path: &Path,
        metadata: &BTreeMap<String, String>,
    ) -> Result<(), CheckpointError> {
        let mut checkpoint = Checkpoint::default();
        checkpoint.metadata.clone_from(metadata);
        checkpoint.describe(FORMATS[0], &self.spec);
        checkpoint.put_data(&self.data);
        checkpoint.put_parameters("", &self.parameters);
        checkpoint.write(path)
    }

    /// Reads a file written by [`Model::save`].
    ///
    /// # Errors
    /// The file cannot be read, is no such file, or holds tensors that do not
    /// fit its specification: missing, unknown, misshapen or not finite.
    pub fn load(path: &Path) -> Result<Self, CheckpointError> {
        Self::load_with_metadata(path).map(|(model, _)| model)
    }

    /// [`Model::load`], with all metadata of the file.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn load_with_metadata(
        path: &Path,
    ) -> Result<(Self, BTreeMap<String, String>), CheckpointError> {
        Checkpoint::read(path, |mut file| {
            let spec = file.spec(FORMATS)?;
            let data = file.take_data(&spec)?;
            let parameters = file.take_parameters("", &Arc::new(Layout::new(&spec)))?;
            let metadata = std::mem::take(&mut file.metadata);
            file.finish()?;
            let model = Self::from_parameters(spec, parameters).with_data(data);
            Ok((model, metadata))
        })
    }
}

/// The product of whole numbers joined by x; `None` if the text is no such
/// thing or the product out of range.
fn size_of_shape(shape: &str) -> Option<usize> {
    shape.split('x').try_fold(1_usize, |size, number| {
        let is_plain = number.bytes().all(|digit| digit.is_ascii_digit());
        let number = number.parse().ok().filter(|_| is_plain)?;
        size.checked_mul(number)
    })
}

impl Checkpoint {
    /// Adds the entries that [`Checkpoint::spec`] reads.
    pub(crate) fn describe(&mut self, format: &str, spec: &ModelSpec) {
        let entries = [
            ("format", sealed(format)),
            ("kind", spec.kind.to_string()),
            ("architecture", spec.architecture.to_string()),
            ("activation", spec.architecture.activation.name().to_owned()),
            ("likelihood", spec.likelihood.to_string()),
            ("posterior_scale", spec.posterior_scale.to_string()),
        ];
        self.metadata
            .extend(entries.map(|(key, value)| (key.to_owned(), value)));
    }

    /// The specification of the model in a file of one of two formats, the
    /// second from when two stochastic layers were a model apart.
    pub(crate) fn spec(&self, formats: [&str; 2]) -> Result<ModelSpec, ContentsError> {
        let is_former = self.require_format(formats)? > 0;
        // Files from before there was a choice do not say.
        let said = |key| self.metadata.contains_key(key);
        let widths = "widths joined by hyphens, as in 784-256-2";
        let mut spec = ModelSpec {
            kind: if is_former {
                ModelKind::Vae
            } else {
                self.entry("kind", &ModelKind::names())?
            },
            architecture: self.entry("architecture", widths)?,
            likelihood: self.entry("likelihood", &Likelihood::expected())?,
            posterior_scale: if said("posterior_scale") {
                self.entry("posterior_scale", "log-variance or log-sigma")?
            } else {
                PosteriorScale::LogVariance
            },
        };
        spec.architecture.activation = self.entry("activation", "relu or tanh")?;
        spec.validate()?;
        Ok(spec)
    }

    /// Adds what [`Checkpoint::take_data`] takes.
    pub(crate) fn put_data(&mut self, data: &DataDescription) {
        if let Some(shape) = &data.shape {
            self.metadata.insert(SHAPE.to_owned(), shape.clone());
        }
        if let Some(standardisation) = &data.standardisation {
            self.put_vector(MEAN, standardisation.mean());
            self.put_vector(DEVIATION, standardisation.deviation());
        }
    }

    /// Takes shape and standardisation of the data, where the file has them.
    pub(crate) fn take_data(&mut self, spec: &ModelSpec) -> Result<DataDescription, ContentsError> {
        let inputs = spec.architecture.inputs;
        let shape = self.metadata.get(SHAPE).cloned();
        if let Some(shape) = &shape
            && size_of_shape(shape) != Some(inputs)
        {
            let expected = format!("sizes joined by x whose product is {inputs}");
            return Err(ContentsError::metadata(
                SHAPE,
                format!("{shape:?}"),
                &expected,
            ));
        }
        let names = self.names(STANDARDISATION);
        if let Some(other) = names
            .iter()
            .find(|name| ![MEAN, DEVIATION].contains(&name.as_str()))
        {
            return Err(TensorError::Unexpected(other.clone()).into());
        }
        let standardisation = if names.is_empty() {
            None
        } else {
            let mean = self.take_vector(MEAN, inputs)?;
            let deviation = self.take_vector(DEVIATION, inputs)?;
            Some(Standardisation::new(mean, deviation)?)
        };
        Ok(DataDescription {
            shape,
            standardisation,
        })
    }

    /// Adds all tensors of a flat buffer under their names after `prefix`.
    pub(crate) fn put_parameters(&mut self, prefix: &str, parameters: &Parameters<f32>) {
        for tensor in parameters.named_tensors() {
            let name = format!("{prefix}{}", tensor.name);
            self.put(name, tensor.shape, &tensor.values);
        }
    }

    /// Takes all tensors whose name starts with `prefix` as a flat buffer.
    pub(crate) fn take_parameters(
        &mut self,
        prefix: &str,
        layout: &Arc<Layout>,
    ) -> Result<Parameters<f32>, ContentsError> {
        let tensors = self.take_all(prefix)?;
        Ok(Parameters::from_named_tensors(layout.clone(), tensors)?)
    }
}
