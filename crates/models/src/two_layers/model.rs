//! A model of two stochastic layers: its specification and its weights.

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use tensor_ops::Activation;
use tensor_ops::random::Stream;

use super::row_block::StochasticBlock;
use super::spec::TwoLayerSpec;
use crate::batch::{BatchPixels, IndexedBatch};
use crate::checkpoint::{Checkpoint, CheckpointError, sealed};
use crate::gradient::{LossSums, Losses};
use crate::images::Images;
use crate::initialisation::{Initialisation, set_bias_to_mean};
use crate::objective::Bound;
use crate::parameters::{NamedTensor, Parameters, TensorError};
use crate::spec::SpecError;

/// What the metadata entry `format` of a model file begins with.
const FORMAT: &str = "latent-atlas two-layer model";

/// Images taken through the networks at a time.
const IMAGES: usize = 96;

/// A variational autoencoder of two stochastic layers, in f32.
///
/// ```
/// use models::Initialisation;
/// use models::two_layers::TwoLayerModel;
///
/// let spec = "16-8-4/4-6-2".parse()?;
/// let model = TwoLayerModel::new(spec, Initialisation::Glorot, 1)?;
/// assert_eq!(model.named_tensors()[0].name, "encoder_1.0.weight");
/// # Ok::<(), models::SpecError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TwoLayerModel {
    spec: TwoLayerSpec,
    parameters: Parameters<f32>,
}

impl TwoLayerModel {
    /// A model with freshly drawn weights.
    ///
    /// # Errors
    /// A specification that [`TwoLayerSpec::validate`] refuses.
    pub fn new(
        spec: TwoLayerSpec,
        initialisation: Initialisation,
        seed: u64,
    ) -> Result<Self, SpecError> {
        spec.validate()?;
        let parameters = initialisation.draw(spec.layout(), seed);
        Ok(Self { spec, parameters })
    }

    /// A model with given weights.
    ///
    /// # Errors
    /// The first tensor that does not fit the specification.
    ///
    /// # Panics
    /// If the specification is one that [`TwoLayerSpec::validate`] refuses.
    pub fn from_named_tensors(
        spec: TwoLayerSpec,
        tensors: impl IntoIterator<Item = NamedTensor<f32>>,
    ) -> Result<Self, TensorError> {
        let valid = spec.validate();
        assert!(valid.is_ok(), "from_named_tensors: {valid:?}");
        let parameters = Parameters::from_named_tensors(spec.layout(), tensors)?;
        Ok(Self { spec, parameters })
    }

    pub(super) fn from_parameters(spec: TwoLayerSpec, parameters: Parameters<f32>) -> Self {
        Self { spec, parameters }
    }

    /// What the model is.
    pub fn spec(&self) -> &TwoLayerSpec {
        &self.spec
    }

    /// The weights, flat and in panel layout.
    pub fn parameters(&self) -> &Parameters<f32> {
        &self.parameters
    }

    pub(super) fn parameters_mut(&mut self) -> &mut Parameters<f32> {
        &mut self.parameters
    }

    /// The weights under their PyTorch names, in forward order.
    pub fn named_tensors(&self) -> Vec<NamedTensor<f32>> {
        self.parameters.named_tensors()
    }

    /// As [`Model::set_output_bias_to_mean`](crate::Model::set_output_bias_to_mean).
    ///
    /// # Panics
    /// If there are no images, or they have not the model's pixels.
    pub fn set_output_bias_to_mean<'a>(&mut self, images: impl Into<Images<'a>>) {
        let last = self.spec.networks().decoder.end - 1;
        let likelihood = self.spec.likelihood;
        set_bias_to_mean(&mut self.parameters, last, likelihood, images.into());
    }

    /// The mean over images `[n, pixels]` of −log w of one sample, −ELBO with
    /// its KL estimated by the sample. The ε of image i begin at
    /// i·[noise width](TwoLayerSpec::noise_width) of the stream. Threads of the
    /// current pool take blocks of images.
    ///
    /// # Panics
    /// If there are no images, or they have not the model's pixels.
    pub fn sampled_losses(&self, images: ArrayView2<'_, u8>, noise: Stream) -> Losses {
        let of_blocks = self.map_blocks(images, noise, 1, |block, _| {
            block.decode_alone(&self.parameters);
            block.weigh_samples(Bound::Elbo);
            block.losses().to_vec()
        });
        let mut sums = LossSums::default();
        for image in of_blocks.iter().flatten() {
            sums.images += 1;
            sums.reconstruction += image.reconstruction;
            sums.kl += image.kl;
            sums.loss += image.loss;
        }
        sums.means()
    }

    /// The posterior means of images `[n, pixels]`: μ₁(x) of h₁, and of h₂ the
    /// mean of μ₂(h₁) over `samples` of q(h₁|x), an estimate of E\[h₂|x\].
    ///
    /// # Panics
    /// If there are no images or samples, or the images have not the model's
    /// pixels.
    pub fn posterior_means(
        &self,
        images: ArrayView2<'_, u8>,
        samples: usize,
        noise: Stream,
    ) -> [Array2<f32>; 2] {
        let latent = [self.spec.lower.latent, self.spec.upper.latent];
        let of_blocks = self.map_blocks(images, noise, samples, |block, count| {
            let mut lower = vec![0.0; count * latent[0]];
            block.posterior_means(0, &mut lower);
            let mut by_sample = vec![0.0; count * samples * latent[1]];
            block.posterior_means(1, &mut by_sample);
            let mut upper = vec![0.0; count * latent[1]];
            for (image, means) in upper.chunks_exact_mut(latent[1]).enumerate() {
                let rows = &by_sample[image * samples * latent[1]..][..samples * latent[1]];
                for (j, mean) in means.iter_mut().enumerate() {
                    let values = rows.iter().skip(j).step_by(latent[1]);
                    let sum: f64 = values.map(|&value| f64::from(value)).sum();
                    *mean = (sum / samples as f64) as f32;
                }
            }
            [lower, upper]
        });
        [0, 1].map(|layer| {
            let values = of_blocks
                .iter()
                .flat_map(|block| block[layer].iter().copied());
            let shape = (images.nrows(), latent[layer]);
            match Array2::from_shape_vec(shape, values.collect()) {
                Ok(means) => means,
                Err(error) => unreachable!("a row for every image: {error}"),
            }
        })
    }

    /// Writes `model.safetensors`: the weights in PyTorch's names and layout,
    /// the specification and `metadata`. The file is replaced atomically.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(
        &self,
        path: &Path,
        metadata: &BTreeMap<String, String>,
    ) -> Result<(), CheckpointError> {
        let mut checkpoint = Checkpoint {
            metadata: metadata.clone(),
            tensors: BTreeMap::new(),
        };
        checkpoint.describe_two_layers(FORMAT, &self.spec);
        checkpoint.put_parameters("", &self.parameters);
        checkpoint.write(path)
    }

    /// Reads a file written by [`TwoLayerModel::save`], with its metadata.
    ///
    /// # Errors
    /// The file cannot be read, is no such file, or holds tensors that do not
    /// fit its specification.
    pub fn load(path: &Path) -> Result<(Self, BTreeMap<String, String>), CheckpointError> {
        let mut checkpoint = Checkpoint::read(path)?;
        let spec = checkpoint.two_layer_spec(path, FORMAT)?;
        let parameters = checkpoint.take_parameters(path, "", &spec.layout())?;
        let metadata = std::mem::take(&mut checkpoint.metadata);
        checkpoint.finish(path)?;
        Ok((Self { spec, parameters }, metadata))
    }

    /// What `of` makes of each block of encoded images, in their order.
    fn map_blocks<R: Send>(
        &self,
        images: ArrayView2<'_, u8>,
        noise: Stream,
        samples: usize,
        of: impl Fn(&mut StochasticBlock<f32>, usize) -> R + Sync,
    ) -> Vec<R> {
        let inputs = self.spec.lower.inputs;
        assert!(
            images.nrows() > 0 && images.ncols() == inputs,
            "images [{}, {}] for a model {} that takes {inputs} pixels",
            images.nrows(),
            images.ncols(),
            self.spec
        );
        let row_major = Images::from(images).row_major();
        let count = images.nrows();
        let indices: Vec<u32> = (0..count as u32).collect();
        let batch = IndexedBatch {
            pixels: BatchPixels::AsStored(row_major.pixels()),
            indices: &indices,
            noise,
            noise_offset: 0,
        };
        let at_once = (IMAGES / samples).max(1);
        let starts: Vec<usize> = (0..count).step_by(at_once).collect();
        let layout = self.parameters.layout();
        starts
            .into_par_iter()
            .map_init(
                || StochasticBlock::new(&self.spec, layout, at_once, samples),
                |block, start| {
                    let rows = start..count.min(start + at_once);
                    block.encode(&self.parameters, &batch, rows.clone(), samples);
                    of(block, rows.len())
                },
            )
            .collect()
    }
}

impl Checkpoint {
    /// Adds the entries that [`Checkpoint::two_layer_spec`] reads.
    pub(super) fn describe_two_layers(&mut self, format: &str, spec: &TwoLayerSpec) {
        let entries = [
            ("format", sealed(format)),
            ("architecture", spec.to_string()),
            ("activation", spec.lower.activation.name().to_owned()),
            ("likelihood", spec.likelihood.to_string()),
        ];
        self.metadata
            .extend(entries.map(|(key, value)| (key.to_owned(), value)));
    }

    /// The specification of the model in a file of the given format.
    pub(super) fn two_layer_spec(
        &self,
        path: &Path,
        format: &str,
    ) -> Result<TwoLayerSpec, CheckpointError> {
        self.require_format(path, format)?;
        let widths = "widths as in 784-200-200-100/100-100-100-50";
        let mut spec: TwoLayerSpec = self.entry(path, "architecture", widths)?;
        let activation: Activation = self.entry(path, "activation", "relu or tanh")?;
        (spec.lower.activation, spec.upper.activation) = (activation, activation);
        spec.likelihood = self.entry(path, "likelihood", "a likelihood without learned sigma")?;
        spec.validate().map_err(|source| CheckpointError::Spec {
            path: path.to_owned(),
            source,
        })?;
        Ok(spec)
    }
}
