//! Files whose tensors have this program's own names, of models of two stochastic
//! layers: no chain of widths tells these apart from others.

use models::{
    Activation, Architecture, Layout, Likelihood, LowerLayer, ModelKind, ModelSpec, NamedTensor,
    PosteriorScale,
};

use crate::tensor::Tensor;

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
