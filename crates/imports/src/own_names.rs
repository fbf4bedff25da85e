//! Tensors under this program's own names that no chain of widths tells apart from
//! others: those of two stochastic layers, and of standardising.

use models::{
    Activation, Architecture, Layout, Likelihood, LowerLayer, ModelKind, ModelSpec, NamedTensor,
    PosteriorScale, Standardisation,
};

use crate::error::ImportError;
use crate::tensor::Tensor;

/// Mean and deviation of every value, as the networks that are exported keep them
/// beside their weights.
const MEAN: &str = "standardisation.mean";
const DEVIATION: &str = "standardisation.deviation";

/// Takes what values are standardised by out of the tensors, where it is there.
///
/// # Errors
/// One of mean and deviation without the other, or numbers that nothing can be
/// standardised by.
pub(crate) fn standardisation(
    tensors: &mut Vec<Tensor>,
) -> Result<Option<Standardisation>, ImportError> {
    let mut take = |wanted: &str| -> Option<Vec<f32>> {
        let is_wanted = |tensor: &mut Tensor| {
            let prefix = tensor.name.strip_suffix(wanted);
            prefix.is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('.'))
                && tensor.values.is_some()
        };
        tensors.extract_if(.., is_wanted).next()?.values
    };
    match (take(MEAN), take(DEVIATION)) {
        (None, None) => Ok(None),
        (Some(mean), Some(deviation)) => Ok(Some(Standardisation::new(mean, deviation)?)),
        (mean, _) => {
            let (found, missing) = match mean {
                Some(_) => (MEAN, DEVIATION),
                None => (DEVIATION, MEAN),
            };
            Err(ImportError::Network(format!(
                "the file has {found} without {missing}; expected both, or neither"
            )))
        }
    }
}

/// The specification of two stochastic layers and its tensors, where all names and
/// shapes are those of such a model.
pub(crate) fn two_layers(
    tensors: &[Tensor],
    activation: Activation,
    likelihood: Likelihood,
) -> Option<(ModelSpec, Vec<NamedTensor<f32>>)> {
    let shape = |name: &str| -> Option<[usize; 2]> {
        let tensor = tensors.iter().find(|tensor| tensor.name == name)?;
        tensor.shape.as_slice().try_into().ok()
    };
    let [lower, before] = shape("mu_1.weight")?;
    let [latent, _] = shape("mu_2.weight")?;
    let hidden = |network: &str| -> Vec<usize> {
        (0..tensors.len())
            .map_while(|index| Some(shape(&format!("{network}.{}.weight", 2 * index))?[0]))
            .collect()
    };
    let inputs = shape("encoder_1.0.weight").map_or(before, |[_, inputs]| inputs);
    let posterior_scale = match shape("log_sigma_1.weight") {
        Some(_) => PosteriorScale::LogSigma,
        None => PosteriorScale::LogVariance,
    };
    let spec = ModelSpec {
        kind: ModelKind::Vae,
        architecture: Architecture {
            inputs,
            hidden: hidden("encoder_1"),
            lower: Some(LowerLayer {
                latent: lower,
                upper_hidden: hidden("encoder_2"),
            }),
            latent,
            activation,
        },
        likelihood,
        posterior_scale,
    };
    spec.validate().ok()?;
    // Its sizes are those of tensors that are there.
    let layout = Layout::new(&spec);
    let slots = layout.tensors();
    let fits = slots.len() == tensors.len()
        && slots.iter().all(|slot| {
            tensors
                .iter()
                .any(|tensor| tensor.name == slot.name && tensor.shape == slot.shape)
        });
    if !fits {
        return None;
    }
    let named = tensors.iter().map(|tensor| {
        Some(NamedTensor {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            values: tensor.values.clone()?,
        })
    });
    Some((spec, named.collect::<Option<_>>()?))
}
