//! Local stretch of a decoder: how much area of image space a piece of latent
//! space is mapped to.

use models::{Activation, Model};
use ndarray::{Array1, Array2, Array3, ArrayView2, Axis, s};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tensor_ops::gemm::{GemmScratch, GemmShape, Output, nn};

use crate::error::{Result, require_columns, require_finite, require_length, require_rows};
use crate::symmetric::SymmetricEigen;

/// A linear layer y = act(x·W + b) in f64.
#[derive(Debug, Clone)]
pub struct DenseLayer {
    /// W, [inputs, outputs].
    pub weight: Array2<f64>,
    /// b, one for each output.
    pub bias: Array1<f64>,
    /// Applied to the outputs.
    pub activation: Activation,
}

/// A decoder from codes to logits, with forward-mode derivatives.
#[derive(Debug, Clone)]
pub struct DecoderNetwork {
    layers: Vec<DenseLayer>,
}

/// The metric of image space that a stretch is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageMetric {
    /// Euclidean distance of pixel probabilities p: what the eye sees, and zero
    /// where pixels saturate.
    Probabilities,
    /// Euclidean distance of logits l: not blinded by saturation.
    Logits,
    /// Fisher–Rao metric of Bernoulli pixels, Jₗᵀ diag(p(1−p)) Jₗ: counts
    /// changes in how well neighbouring codes can be told apart from images.
    FisherRao,
}

/// Singular structure of the decoder at one code.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stretch {
    /// √det(JᵀJ): the factor of area (of volume in L dimensions).
    pub volume: f64,
    /// Largest singular value of J: the local Lipschitz constant.
    pub largest: f64,
    /// Smallest singular value.
    pub smallest: f64,
}

impl DecoderNetwork {
    /// A decoder from its layers, first to last.
    ///
    /// # Errors
    /// No layers, or layers that do not fit onto each other.
    pub fn new(layers: Vec<DenseLayer>) -> Result<Self> {
        require_rows("the list of decoder layers", layers.len(), 1)?;
        for (i, layer) in layers.iter().enumerate() {
            require_length(
                "the bias of a decoder layer",
                layer.bias.len(),
                layer.weight.ncols(),
            )?;
            if i > 0 {
                let below = layers[i - 1].weight.ncols();
                require_length("the input of a decoder layer", layer.weight.nrows(), below)?;
            }
        }
        Ok(Self { layers })
    }

    /// The decoder of a model, up to its logits.
    pub fn of_model(model: &Model) -> Self {
        let parameters = model.parameters();
        let layout = parameters.layout();
        let layers = layout
            .decoder()
            .map(|index| {
                let layer = &layout.layers()[index];
                let mut weight = vec![0.0f32; layer.inputs * layer.outputs];
                layer
                    .panels()
                    .unpack_row_major(parameters.weight(index), &mut weight);
                DenseLayer {
                    weight: Array2::from_shape_fn((layer.inputs, layer.outputs), |(i, j)| {
                        f64::from(weight[i * layer.outputs + j])
                    }),
                    bias: parameters.bias(index)[..layer.outputs]
                        .iter()
                        .map(|&b| f64::from(b))
                        .collect(),
                    activation: layer.activation,
                }
            })
            .collect();
        Self { layers }
    }

    /// Latent dimensions.
    pub fn latent(&self) -> usize {
        self.layers[0].weight.nrows()
    }

    /// Logits [n, pixels] and Jacobian [n, L, pixels] of codes [n, L], entry
    /// (i, j, k) being ∂logit_k/∂z_j at code i.
    ///
    /// Forward mode: with h = act(x·W + b), a tangent ẋ becomes
    /// ḣ = act'(·) ⊙ (ẋ·W). All L unit tangents of a code travel along with it as
    /// rows of the same product. At a kink of ReLU the derivative is that of the
    /// inactive side, 0.
    ///
    /// # Errors
    /// Codes of another dimension or not finite.
    pub fn jacobian(&self, codes: ArrayView2<'_, f64>) -> Result<(Array2<f64>, Array3<f64>)> {
        let (n, latent) = codes.dim();
        require_length("the width of the array of codes", latent, self.latent())?;
        if let Some(row) = codes
            .rows()
            .into_iter()
            .position(|c| !c.iter().all(|z| z.is_finite()))
        {
            return Err(crate::error::EvaluationError::NotFinite {
                what: "the array of codes",
                row,
            });
        }
        // Rows of one code: its value, then its L tangents.
        let stride = latent + 1;
        let mut state = Array2::<f64>::zeros((n * stride, latent));
        for (i, code) in codes.rows().into_iter().enumerate() {
            state.row_mut(i * stride).assign(&code);
            for j in 0..latent {
                state[[i * stride + 1 + j, j]] = 1.0;
            }
        }
        let mut scratch = GemmScratch::new();
        for layer in &self.layers {
            state = product(&state, &layer.weight, &mut scratch);
            for mut rows in state.axis_chunks_iter_mut(Axis(0), stride) {
                let (mut value, mut tangents) = rows.view_mut().split_at(Axis(0), 1);
                let mut value = value.row_mut(0);
                value += &layer.bias;
                value.mapv_inplace(|v| layer.activation.apply(v));
                for mut tangent in tangents.rows_mut() {
                    tangent.zip_mut_with(&value, |t, &y| {
                        *t *= layer.activation.derivative_from_output(y);
                    });
                }
            }
        }
        let pixels = state.ncols();
        let logits = Array2::from_shape_fn((n, pixels), |(i, k)| state[[i * stride, k]]);
        let jacobian = Array3::from_shape_fn((n, latent, pixels), |(i, j, k)| {
            state[[i * stride + 1 + j, k]]
        });
        Ok((logits, jacobian))
    }

    /// Local stretch at each code [n, L]: singular values of the Jacobian in the
    /// given metric, from the pulled-back metric G = JᵀJ (Arvanitidis, Hansen &
    /// Hauberg 2018, *Latent Space Oddity*).
    ///
    /// The scale of the latent plane enters: a model whose codes spread twice as
    /// wide has half the singular values. Compare √det maps by their shape, or
    /// after multiplying by the area of the codes. Blocks of codes run in
    /// parallel; a code's result does not depend on the others.
    ///
    /// # Errors
    /// Codes of another dimension or not finite.
    pub fn stretch(&self, codes: ArrayView2<'_, f32>, metric: ImageMetric) -> Result<Vec<Stretch>> {
        require_columns("the array of codes", &codes, self.latent())?;
        require_finite("the array of codes", &codes)?;
        let starts: Vec<usize> = (0..codes.nrows()).step_by(64).collect();
        let blocks: Result<Vec<Vec<Stretch>>> = starts
            .into_par_iter()
            .map(|start| {
                let end = (start + 64).min(codes.nrows());
                let block = codes.slice(s![start..end, ..]).mapv(f64::from);
                let (logits, jacobian) = self.jacobian(block.view())?;
                Ok(jacobian
                    .outer_iter()
                    .zip(logits.rows())
                    .map(|(tangents, logits)| {
                        let weights = logits.mapv(|l| {
                            let p = 1.0 / (1.0 + (-l).exp());
                            match metric {
                                ImageMetric::Logits => 1.0,
                                ImageMetric::Probabilities => (p * (1.0 - p)).powi(2),
                                ImageMetric::FisherRao => p * (1.0 - p),
                            }
                        });
                        stretch_of_metric(&pulled_back(tangents, &weights))
                    })
                    .collect())
            })
            .collect();
        Ok(blocks?.into_iter().flatten().collect())
    }
}

/// Stretch from the metric G = JᵀJ [L, L].
pub fn stretch_of_metric(metric: &Array2<f64>) -> Stretch {
    let eigen = SymmetricEigen::new(metric.view());
    let singular: Vec<f64> = eigen.values.iter().map(|v| v.max(0.0).sqrt()).collect();
    Stretch {
        volume: singular.iter().product(),
        largest: singular.last().copied().unwrap_or(0.0),
        smallest: singular.first().copied().unwrap_or(0.0),
    }
}

/// G_ij = Σ_k w_k J_ki J_kj for tangents [L, pixels].
fn pulled_back(tangents: ArrayView2<'_, f64>, weights: &Array1<f64>) -> Array2<f64> {
    let latent = tangents.nrows();
    Array2::from_shape_fn((latent, latent), |(i, j)| {
        tangents
            .row(i)
            .iter()
            .zip(tangents.row(j))
            .zip(weights)
            .map(|((a, b), w)| a * b * w)
            .sum()
    })
}

fn product(a: &Array2<f64>, b: &Array2<f64>, scratch: &mut GemmScratch<f64>) -> Array2<f64> {
    let shape = GemmShape {
        m: a.nrows(),
        k: a.ncols(),
        n: b.ncols(),
    };
    let mut c = Array2::zeros((shape.m, shape.n));
    let b = b.as_standard_layout();
    if let (Some(a), Some(b), Some(c)) = (a.as_slice(), b.as_slice(), c.as_slice_mut()) {
        nn(shape, a, b, Output::Overwrite, c, scratch);
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::standard_normals;
    use models::{Initialisation, Likelihood, ModelKind, ModelSpec};
    use ndarray::array;

    fn random_network(widths: &[usize], activation: Activation) -> DecoderNetwork {
        let layers = widths
            .windows(2)
            .enumerate()
            .map(|(i, w)| DenseLayer {
                weight: standard_normals(i as u64 + 1, w[0], w[1]).mapv(|v| 0.7 * f64::from(v)),
                bias: standard_normals(i as u64 + 90, 1, w[1])
                    .row(0)
                    .mapv(f64::from),
                activation: if i + 2 == widths.len() {
                    Activation::Identity
                } else {
                    activation
                },
            })
            .collect();
        DecoderNetwork::new(layers).unwrap()
    }

    #[test]
    fn jacobian_agrees_with_central_differences() {
        for activation in [Activation::Tanh, Activation::Relu] {
            let network = random_network(&[3, 8, 5, 11], activation);
            let codes = standard_normals(7, 6, 3).mapv(f64::from);
            let (_, jacobian) = network.jacobian(codes.view()).unwrap();
            let h = 1e-6;
            for j in 0..3 {
                let shifted = |sign: f64| {
                    let mut moved = codes.clone();
                    moved.column_mut(j).mapv_inplace(|z| z + sign * h);
                    network.jacobian(moved.view()).unwrap().0
                };
                let difference = (shifted(1.0) - shifted(-1.0)) / (2.0 * h);
                for ((i, k), expected) in difference.indexed_iter() {
                    let found = jacobian[[i, j, k]];
                    assert!(
                        (found - expected).abs() < 1e-8,
                        "{activation}: {found} {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_linear_decoder_stretches_by_its_singular_values() {
        let network = DecoderNetwork::new(vec![DenseLayer {
            weight: array![[3.0, 0.0, 0.0], [0.0, 0.6, 0.8]],
            bias: array![0.0, 0.0, 0.0],
            activation: Activation::Identity,
        }])
        .unwrap();
        let codes = array![[0.0f32, 0.0]];
        let at = |metric| network.stretch(codes.view(), metric).unwrap()[0];
        let logits = at(ImageMetric::Logits);
        assert!((logits.volume - 3.0).abs() < 1e-12);
        assert!((logits.largest - 3.0).abs() < 1e-12 && (logits.smallest - 1.0).abs() < 1e-12);
        // At logit 0, p(1−p) = ¼ scales G once for Fisher–Rao and twice for p.
        assert!((at(ImageMetric::FisherRao).volume - 3.0 / 4.0).abs() < 1e-12);
        assert!((at(ImageMetric::Probabilities).volume - 3.0 / 16.0).abs() < 1e-12);
    }

    #[test]
    fn a_models_decoder_is_taken_over_whole() {
        let spec = ModelSpec {
            kind: ModelKind::Vae,
            architecture: "40-20-9-2".parse().unwrap(),
            likelihood: Likelihood::Bernoulli,
            posterior_scale: Default::default(),
        };
        let model = Model::new(spec, Initialisation::PyTorchUniform, 3).unwrap();
        let network = DecoderNetwork::of_model(&model);
        let codes = standard_normals(1, 70, 2);
        let (logits, _) = network.jacobian(codes.mapv(f64::from).view()).unwrap();
        let expected = model.decode_logits(codes.view());
        for (found, expected) in logits.iter().zip(&expected) {
            assert!((found - f64::from(*expected)).abs() < 1e-5);
        }
        // Probabilities: against differences of decoded images.
        let stretch = network
            .stretch(codes.view(), ImageMetric::Probabilities)
            .unwrap();
        assert_eq!(stretch.len(), 70);
        let image = |z: &[f64; 2]| {
            let z = Array2::from_shape_fn((1, 2), |(_, j)| z[j]);
            network
                .jacobian(z.view())
                .unwrap()
                .0
                .mapv(|l| 1.0 / (1.0 + (-l).exp()))
        };
        let z = [f64::from(codes[[69, 0]]), f64::from(codes[[69, 1]])];
        let h = 1e-6;
        let dx = (image(&[z[0] + h, z[1]]) - image(&[z[0] - h, z[1]])) / (2.0 * h);
        let dy = (image(&[z[0], z[1] + h]) - image(&[z[0], z[1] - h])) / (2.0 * h);
        let dot = |a: &Array2<f64>, b: &Array2<f64>| (a * b).sum();
        let volume = (dot(&dx, &dx) * dot(&dy, &dy) - dot(&dx, &dy).powi(2)).sqrt();
        assert!((stretch[69].volume / volume - 1.0).abs() < 1e-6);
        assert!(
            network
                .stretch(Array2::zeros((1, 3)).view(), ImageMetric::Logits)
                .is_err()
        );
    }
}
