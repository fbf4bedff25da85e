//! Local stretch of a decoder: how much area of image space a piece of latent
//! space is mapped to.

use std::ops::Range;

use models::{Activation, Likelihood, Model};
use ndarray::{Array1, Array2, Array3, ArrayView1, ArrayView2, Axis, s};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tensor_ops::gemm::{GemmScratch, GemmShape, Output, nn};

use crate::blocks::blocks;
use crate::error::{Result, require_finite, require_finite_rows, require_length, require_rows};
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

/// A decoder from codes to the outputs its likelihood is made of, with
/// forward-mode derivatives.
#[derive(Debug, Clone)]
pub struct DecoderNetwork {
    layers: Vec<DenseLayer>,
    likelihood: Likelihood,
    /// Pixels; from the decoder of a Gaussian's σ come as many outputs more.
    pixels: usize,
    /// ln σ by pixel of a Gaussian whose σ does not come from the decoder.
    log_sigma: Vec<f64>,
}

/// The metric of image space that a stretch is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageMetric {
    /// Euclidean distance of the mean images E\[x|z\], the probabilities of
    /// Bernoulli pixels: what the eye sees, and zero where pixels saturate.
    MeanImages,
    /// Euclidean distance of the decoder's outputs for the pixels, the logits
    /// of a Bernoulli: not blinded by saturation.
    Outputs,
    /// Fisher–Rao metric of the pixels' likelihood, JᵀIJ with the Fisher
    /// information I about the decoder's outputs: counts changes in how well
    /// neighbouring codes can be told apart from images.
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
    /// A decoder of Bernoulli pixels from its layers, first to last.
    ///
    /// # Errors
    /// No layers, or layers that do not fit onto each other.
    pub fn new(layers: Vec<DenseLayer>) -> Result<Self> {
        require_rows("the list of decoder layers", layers.len(), 1)?;
        let mut below = layers[0].weight.nrows();
        for layer in &layers {
            let (inputs, outputs) = layer.weight.dim();
            require_length("the bias of a decoder layer", layer.bias.len(), outputs)?;
            require_length("the input of a decoder layer", inputs, below)?;
            below = outputs;
        }
        Ok(Self {
            layers,
            likelihood: Likelihood::Bernoulli,
            pixels: below,
            log_sigma: Vec::new(),
        })
    }

    /// The decoder of a model, with its likelihood.
    pub fn of_model(model: &Model) -> Self {
        let pixels = model.spec().architecture.inputs;
        let log_sigma = match model.log_sigma() {
            Some(of_all) if of_all.len() == 1 => vec![of_all[0]; pixels],
            of_each => of_each.unwrap_or_default(),
        };
        let layers = model.decoder_layers().into_iter();
        let layers = layers.map(|layer| DenseLayer {
            weight: layer.weight.t().mapv(f64::from),
            bias: layer.bias.mapv(f64::from),
            activation: layer.activation,
        });
        Self {
            layers: layers.collect(),
            likelihood: model.spec().likelihood,
            pixels,
            log_sigma,
        }
    }

    /// The same decoder of coordinates c [n, K] of a plane z = origin + c·axes,
    /// with axes [K, L]: its stretch is then that of the plane alone.
    ///
    /// # Errors
    /// An origin or axes that are not of the decoder's latent dimensions.
    pub fn on_plane(mut self, origin: Array1<f64>, axes: Array2<f64>) -> Result<Self> {
        require_length("the origin of a plane", origin.len(), self.latent())?;
        require_length("the axes of a plane", axes.ncols(), self.latent())?;
        let plane = DenseLayer {
            weight: axes,
            bias: origin,
            activation: Activation::Identity,
        };
        self.layers.insert(0, plane);
        Ok(self)
    }

    /// Latent dimensions.
    pub fn latent(&self) -> usize {
        self.layers[0].weight.nrows()
    }

    /// Outputs [n, K] and Jacobian [n, L, K] of codes [n, L], entry (i, j, k)
    /// being ∂a_k/∂z_j at code i. The first outputs are those of the pixels,
    /// the logits of a Bernoulli; the last ones, where they come from the
    /// decoder, the ln σ of a Gaussian.
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
        require_finite("the array of codes", &codes)?;
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
        let width = state.ncols();
        let outputs = Array2::from_shape_fn((n, width), |(i, k)| state[[i * stride, k]]);
        let jacobian = Array3::from_shape_fn((n, latent, width), |(i, j, k)| {
            state[[i * stride + 1 + j, k]]
        });
        Ok((outputs, jacobian))
    }

    /// Mean images E\[x|z\] [n, pixels] of codes [n, L] and their Jacobian
    /// [n, L, pixels].
    ///
    /// # Errors
    /// Codes of another dimension or not finite.
    pub fn mean_jacobian(&self, codes: ArrayView2<'_, f64>) -> Result<(Array2<f64>, Array3<f64>)> {
        let (outputs, jacobian) = self.jacobian(codes)?;
        let outputs = outputs.slice(s![.., ..self.pixels]);
        let mut jacobian = jacobian.slice(s![.., .., ..self.pixels]).to_owned();
        for (mut tangents, outputs) in jacobian.outer_iter_mut().zip(outputs.rows()) {
            let slopes = outputs.mapv(|output| self.likelihood.slope_of_mean(output));
            tangents *= &slopes;
        }
        let means = outputs.mapv(|output| self.likelihood.mean_of_output(output));
        Ok((means, jacobian))
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
    /// Codes of another dimension or not finite, or a stretch that is not: of a
    /// diverged decoder, or a volume of so many dimensions that f64 cannot hold
    /// it.
    pub fn stretch(&self, codes: ArrayView2<'_, f32>, metric: ImageMetric) -> Result<Vec<Stretch>> {
        require_length(
            "the width of the array of codes",
            codes.ncols(),
            self.latent(),
        )?;
        require_finite("the array of codes", &codes)?;
        let of_block = |rows: Range<usize>| {
            let block = codes.slice(s![rows, ..]).mapv(f64::from);
            let (outputs, jacobian) = self.jacobian(block.view())?;
            let codes = jacobian.outer_iter().zip(outputs.rows());
            let stretches = codes.map(|(tangents, outputs)| {
                let weights = self.weights(outputs, metric);
                stretch_of_metric(&pulled_back(tangents, &weights))
            });
            Ok(stretches.collect())
        };
        let blocks = blocks(codes.nrows(), 64).into_par_iter();
        let stretches: Vec<Vec<Stretch>> = blocks.map(of_block).collect::<Result<_>>()?;
        let stretches = stretches.concat();
        let is_finite = |at: &Stretch| at.volume.is_finite() && at.largest.is_finite();
        require_finite_rows("the list of stretches", stretches.iter().map(is_finite))?;
        Ok(stretches)
    }

    /// What the square of every output's tangent counts in a metric, at the
    /// outputs of one code.
    ///
    /// With m = E\[x\] of an output a, the mean images have the weight (dm/da)².
    fn weights(&self, outputs: ArrayView1<'_, f64>, metric: ImageMetric) -> Array1<f64> {
        let log_sigma = outputs.slice(s![self.pixels..]);
        let scale_comes_from_decoder = !log_sigma.is_empty();
        let likelihood = &self.likelihood;
        Array1::from_shape_fn(outputs.len(), |k| match metric {
            ImageMetric::FisherRao if k >= self.pixels => likelihood.information_about_log_sigma(),
            _ if k >= self.pixels => 0.0,
            ImageMetric::Outputs => 1.0,
            ImageMetric::MeanImages => likelihood.slope_of_mean(outputs[k]).powi(2),
            ImageMetric::FisherRao if scale_comes_from_decoder => {
                likelihood.information_about_output(outputs[k], log_sigma[k])
            }
            ImageMetric::FisherRao => {
                // What has no σ does not ask for it.
                let log_sigma = self.log_sigma.get(k).copied().unwrap_or_default();
                likelihood.information_about_output(outputs[k], log_sigma)
            }
        })
    }
}

/// Stretch from the metric G = JᵀJ [L, L].
pub fn stretch_of_metric(metric: &Array2<f64>) -> Stretch {
    let eigen = SymmetricEigen::new(metric.view());
    // Below zero by rounding alone; NaN stays NaN.
    let root = |value: f64| if value < 0.0 { 0.0 } else { value.sqrt() };
    let singular: Vec<f64> = eigen.values.iter().map(|&value| root(value)).collect();
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
mod tests;
