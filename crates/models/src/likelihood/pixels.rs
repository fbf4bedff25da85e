//! −log p(x|z) of the decoder's outputs under every likelihood, and its
//! gradients.

use tensor_ops::loss::{self, RowSums, SampledRows, continuous_bernoulli, location_scale};
use tensor_ops::panels::Panels;
use tensor_ops::{AlignedBuffer, Float, library, vector};

use super::{Form, GaussianSigma, Likelihood};
use crate::model::Model;
use crate::network::layout::Role;
use crate::network::parameters::Parameters;
use crate::spec::ModelSpec;

/// The decoder's outputs for some pixels, which become their gradients.
#[derive(Debug)]
pub(crate) struct PixelOutputs<'a, T> {
    /// What the means are made of: logits, or means themselves.
    pub(crate) means: &'a mut [T],
    /// ln σ of every pixel where the decoder computes it; room for the gradient by
    /// it where every pixel has one outside the decoder; empty otherwise.
    pub(crate) log_sigma: &'a mut [T],
}

/// A likelihood with the parameters it has outside the decoder.
#[derive(Debug)]
pub(crate) struct PixelLikelihood<T> {
    likelihood: Likelihood,
    inputs: usize,
    /// 1/σᵖ by pixel, where σ does not come from the decoder.
    weights: AlignedBuffer<T>,
    /// What the loss of every row has besides c·Σ |d|ᵖ/σᵖ (+ Σ ln σ).
    constant: T,
}

impl PixelLikelihood<f32> {
    /// That of a model, with its parameters.
    pub(crate) fn of(model: &Model) -> Self {
        let mut likelihood = Self::new(model.spec());
        likelihood.read(model.parameters());
        likelihood
    }
}

impl<T: Float> PixelLikelihood<T> {
    /// The likelihood of a specification; [`read`](Self::read) brings its parameters.
    pub(crate) fn new(spec: &ModelSpec) -> Self {
        let inputs = spec.architecture.inputs;
        let shared = match spec.likelihood.scale_source() {
            None | Some(GaussianSigma::Decoder) => 0,
            Some(_) => Panels::new(1, inputs).len(),
        };
        Self {
            likelihood: spec.likelihood,
            inputs,
            weights: AlignedBuffer::zeroed(shared),
            constant: T::ZERO,
        }
    }

    /// Takes σ from the parameters, as it is in this step.
    pub(crate) fn read(&mut self, parameters: &Parameters<T>) {
        let Form::LocationScale(density, sigma) = self.likelihood.form() else {
            return;
        };
        let mut scale = parameters.layout().network(Role::Scale);
        let learned = scale.next().map(|layer| parameters.bias(layer));
        let log_sigma = |pixel: usize| match (sigma, learned) {
            (GaussianSigma::Fixed(sigma), _) => T::from_f64(library::ln(sigma)),
            (GaussianSigma::Scalar, Some(values)) => values[0],
            (_, Some(values)) => values[pixel],
            (_, None) => T::ZERO,
        };
        let mut total = density.family.constant() * self.inputs as f64;
        let power = T::from_f64(-density.family.degree());
        if !self.weights.is_empty() {
            for pixel in 0..self.inputs {
                let log_sigma = log_sigma(pixel);
                total += log_sigma.to_f64();
                self.weights[pixel] = power * log_sigma;
            }
            vector::exp_in_place(&mut self.weights[..self.inputs]);
        }
        self.constant = T::from_f64(total);
    }

    /// σ comes from the decoder, in panels of its own behind those of the means.
    pub(crate) fn has_decoded_scale(&self) -> bool {
        self.likelihood.scale_source() == Some(GaussianSigma::Decoder)
    }

    /// Every pixel has a learned σ outside the decoder.
    pub(crate) fn has_pixel_scale(&self) -> bool {
        self.likelihood.scale_source() == Some(GaussianSigma::PerPixel)
    }

    /// The part of −log p(x|z) that depends on the outputs, summed as `sums` says;
    /// the outputs become its gradient.
    ///
    /// `rows` has the pixels' whole shape; of the slices, those that are summed
    /// over. [`complete`](Self::complete) makes losses of the sums.
    pub(crate) fn losses_and_gradients(
        &self,
        rows: SampledRows,
        outputs: PixelOutputs<'_, T>,
        targets: &[T],
        sums: RowSums<'_, T>,
    ) {
        let PixelOutputs { means, log_sigma } = outputs;
        match self.likelihood.form() {
            Form::Bernoulli => loss::bernoulli(rows, means, targets, sums),
            Form::ContinuousBernoulli => {
                continuous_bernoulli::with_logits(rows, means, targets, sums);
            }
            Form::LocationScale(density, GaussianSigma::Decoder) => {
                location_scale::per_element(rows, density, means, log_sigma, targets, sums);
            }
            Form::LocationScale(density, sigma) => {
                let by_pixel = (sigma == GaussianSigma::PerPixel).then_some(log_sigma);
                let weights = &self.weights;
                location_scale::per_column(rows, density, weights, means, by_pixel, targets, sums);
            }
        }
    }

    /// −log p(x|z) of every row in nats, from the sums over all pixels.
    ///
    /// `by_log_sigma`, if there is room, receives the gradient by every row's ln σ
    /// where that is one for all pixels: the sum over them, pixels − p·(c·Σ
    /// |d|ᵖ/σᵖ).
    pub(crate) fn complete(&self, row_loss: &mut [T], by_log_sigma: &mut [T]) {
        let Form::LocationScale(density, sigma) = self.likelihood.form() else {
            return;
        };
        if sigma == GaussianSigma::Scalar && !by_log_sigma.is_empty() {
            let pixels = T::from_usize(self.inputs);
            let degree = T::from_f64(density.family.degree());
            let panels = Panels::new(row_loss.len(), 1);
            for (row, &powers) in row_loss.iter().enumerate() {
                by_log_sigma[panels.index(row, 0)] = pixels - degree * powers;
            }
        }
        self.add_constant(row_loss);
    }

    /// −log p(x|z) of every row in nats, alone.
    pub(crate) fn losses(
        &self,
        rows: SampledRows,
        outputs: &[T],
        targets: &[T],
        row_loss: &mut [T],
    ) {
        match self.likelihood.form() {
            Form::Bernoulli => loss::bernoulli_loss(rows, outputs, targets, row_loss),
            Form::ContinuousBernoulli => {
                continuous_bernoulli::with_logits_loss(rows, outputs, targets, row_loss);
            }
            Form::LocationScale(density, sigma) => {
                if sigma == GaussianSigma::Decoder {
                    let (means, log_sigma) = outputs.split_at(rows.shape.len());
                    let log_sigma = &log_sigma[..rows.shape.len()];
                    location_scale::per_element_loss(
                        rows, density, means, log_sigma, targets, row_loss,
                    );
                } else {
                    let weights = &self.weights;
                    location_scale::per_column_loss(
                        rows, density, weights, outputs, targets, row_loss,
                    );
                }
                self.add_constant(row_loss);
            }
        }
    }

    fn add_constant(&self, row_loss: &mut [T]) {
        for loss in row_loss {
            *loss += self.constant;
        }
    }
}
