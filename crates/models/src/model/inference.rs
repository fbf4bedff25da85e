//! Using a model: codes, images and reconstruction losses, in row blocks over
//! the threads of the current pool.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, s};
use rayon::prelude::*;
use tensor_ops::loss::SampledRows;
use tensor_ops::panels::Panels;
use tensor_ops::{AlignedBuffer, vector};

use crate::images::{Images, contiguous, standard};
use crate::likelihood::PixelLikelihood;
use crate::model::Model;
use crate::network::activations::Activations;
use crate::network::layout::{Role, scale_column};
use crate::network::panels::{OwnBuffers, PanelNetworks};
use crate::network::pass::{Networks, Source};

use crate::spec::{Architecture, ModelSpec, PosteriorScale};

/// Rows taken through the networks at a time: large enough for the products
/// to be efficient, small enough for a block's activations to stay in cache.
pub(crate) const BLOCK_ROWS: usize = 128;

/// q(z|x) of every image, or its code.
///
/// Of two stochastic layers that is q(h₂|h₁) at the mean of q(h₁|x).
#[derive(Clone, Debug, PartialEq)]
pub struct Codes {
    /// μ of a VAE, the code of the others: `[n, latent]`.
    pub mean: Array2<f32>,
    /// log σ², `[n, latent]`; a VAE only.
    pub log_variance: Option<Array2<f32>>,
}

/// The networks from the image to the code, in order.
pub(crate) fn encoders(spec: &ModelSpec) -> &'static [Role] {
    match spec.architecture.lower {
        None => &[Role::Encoder],
        Some(_) => &[Role::Encoder, Role::UpperEncoder],
    }
}

/// The networks from the code to the image, in order.
pub(crate) fn decoders(spec: &ModelSpec) -> &'static [Role] {
    match spec.architecture.lower {
        None => &[Role::Decoder],
        Some(_) => &[Role::Prior, Role::Decoder],
    }
}

/// From the image to the stochastic layer next to it, and back.
const RECONSTRUCTING: &[Role] = &[Role::Encoder, Role::Decoder];

/// Buffers of one thread that takes blocks of rows through some networks.
struct RowPass<'a> {
    roles: &'static [Role],
    input: &'a mut AlignedBuffer<f32>,
    /// The means that a network takes from the one before.
    means: &'a mut AlignedBuffer<f32>,
    networks: PanelNetworks<'a, f32>,
}

impl Model {
    /// Encodes images: μ and log σ² of q(z|x) for a VAE, the codes otherwise.
    /// Of two stochastic layers the upper one's, along the mean of the lower.
    ///
    /// Works in blocks of rows on the current rayon pool; a row's result does
    /// not depend on the blocks.
    ///
    /// # Panics
    /// If the images have not as many pixels as the model has inputs.
    pub fn encode<'a>(&self, images: impl Into<Images<'a>>) -> Codes {
        let roles = encoders(self.spec());
        let layout = self.parameters().layout();
        let last = layout.network(roles[roles.len() - 1]).end - 1;
        let width = layout.layers()[last].outputs;
        let outputs = self.map_images("encode", images, width, roles, |pixels, pass, out| {
            pass.run_to(Panels::new(pixels.rows, width), out);
        });
        if !self.spec().kind.is_variational() {
            return Codes {
                mean: outputs,
                log_variance: None,
            };
        }
        let latent = self.spec().architecture.latent;
        let mean = outputs.slice(s![.., ..latent]).to_owned();
        let scale = scale_column(&self.spec().architecture, latent);
        let scale = outputs.slice(s![.., scale..]);
        let log_variance = match self.spec().posterior_scale {
            PosteriorScale::LogVariance => scale.to_owned(),
            PosteriorScale::LogSigma => scale.mapv(|log_sigma| 2.0 * log_sigma),
        };
        Codes {
            mean,
            log_variance: Some(log_variance),
        }
    }

    /// Decodes codes `[n, latent]` into the decoder's outputs `[n, inputs]`:
    /// logits of a Bernoulli or continuous Bernoulli, what a Gaussian's means
    /// are made from (without its ln σ). Codes of two stochastic layers are
    /// decoded along the mean of p(h₁|h₂).
    ///
    /// # Panics
    /// If the codes have not the model's latent dimension.
    pub fn decode_logits(&self, codes: ArrayView2<'_, f32>) -> Array2<f32> {
        self.decode_rows("decode_logits", codes, |_| {})
    }

    /// Decodes codes `[n, latent]` into mean images `[n, inputs]`, the mean of
    /// every pixel under the likelihood: its probability for a Bernoulli.
    ///
    /// # Panics
    /// If the codes have not the model's latent dimension.
    pub fn decode(&self, codes: ArrayView2<'_, f32>) -> Array2<f32> {
        let likelihood = self.spec().likelihood;
        self.decode_rows("decode", codes, |outputs| {
            likelihood.means_in_place(outputs);
        })
    }

    /// Encodes images and decodes the means of the stochastic layer next to
    /// them, or their codes: mean images `[n, inputs]`. Of two stochastic layers
    /// those are decoded from the lower one.
    ///
    /// # Panics
    /// If the images have not as many pixels as the model has inputs.
    pub fn reconstruct<'a>(&self, images: impl Into<Images<'a>>) -> Array2<f32> {
        let Architecture { inputs, .. } = self.spec().architecture;
        let likelihood = self.spec().likelihood;
        let roles = RECONSTRUCTING;
        self.map_images("reconstruct", images, inputs, roles, |shape, pass, out| {
            pass.run_to(shape, out);
            likelihood.means_in_place(out);
        })
    }

    /// −log p(x|z) in nats of each image [reconstructed](Self::reconstruct): at
    /// the mean of the stochastic layer next to the image, or at its code.
    ///
    /// # Panics
    /// As [`reconstruct`](Self::reconstruct).
    pub fn losses_at_mean<'a>(&self, images: impl Into<Images<'a>>) -> Vec<f32> {
        let likelihood = PixelLikelihood::of(self);
        let roles = RECONSTRUCTING;
        let losses = self.map_images("losses_at_mean", images, 1, roles, |shape, pass, out| {
            pass.run(shape.rows);
            pass.losses(&likelihood, shape, out);
        });
        losses.into_raw_vec_and_offset().0
    }

    /// −log p(x|z) of each image under its code, in nats, without ever
    /// holding more than a block of logits.
    ///
    /// # Panics
    /// If codes and images differ in number, or either has the wrong width.
    pub fn reconstruction_losses<'a>(
        &self,
        codes: ArrayView2<'_, f32>,
        images: impl Into<Images<'a>>,
    ) -> Vec<f32> {
        self.losses_of_samples("reconstruction_losses", codes, images.into(), 1)
    }

    /// log p(x|z) of each image under `samples` codes each, in nats: `codes`
    /// are `[n · samples, latent]`, those of an image one after the other, and
    /// so are the results.
    ///
    /// A log-density under a continuous likelihood, and no log-probability of
    /// anything for grey images under a Bernoulli.
    ///
    /// # Panics
    /// If there are not `samples` codes for each image, or either has the
    /// wrong width.
    pub fn log_likelihoods<'a>(
        &self,
        codes: ArrayView2<'_, f32>,
        images: impl Into<Images<'a>>,
        samples: usize,
    ) -> Vec<f32> {
        let images = images.into();
        let mut losses = self.losses_of_samples("log_likelihoods", codes, images, samples);
        for loss in &mut losses {
            *loss = -*loss;
        }
        losses
    }

    fn losses_of_samples(
        &self,
        operation: &str,
        codes: ArrayView2<'_, f32>,
        images: Images<'_>,
        samples: usize,
    ) -> Vec<f32> {
        let images = images.row_major();
        let Architecture { inputs, .. } = self.spec().architecture;
        self.check_columns(operation, images.dim(), inputs);
        let count = codes.nrows();
        assert!(
            count == images.dim().0 * samples,
            "{operation}: {count} codes for {} images of {samples} samples",
            images.dim().0
        );
        let likelihood = PixelLikelihood::of(self);
        let losses = self.map_codes(operation, codes, 1, |first, rows, pass, out| {
            pass.run(rows);
            let shape = Panels::new(rows, inputs);
            let targets = &mut pass.input[..shape.len()];
            let pixels = images.pixels();
            pixels.pack_repeated(first, samples, shape, targets);
            pass.losses(&likelihood, shape, out);
        });
        losses.into_raw_vec_and_offset().0
    }

    fn decode_rows(
        &self,
        operation: &str,
        codes: ArrayView2<'_, f32>,
        link: impl Fn(&mut [f32]) + Sync,
    ) -> Array2<f32> {
        let Architecture { inputs, .. } = self.spec().architecture;
        self.map_codes(operation, codes, inputs, |_, rows, pass, out| {
            pass.run_to(Panels::new(rows, inputs), out);
            link(out);
        })
    }

    /// [`map_rows`](Self::map_rows) of images, whose pixels are in the input and
    /// have the shape that `work` gets.
    fn map_images<'a>(
        &self,
        operation: &str,
        images: impl Into<Images<'a>>,
        columns: usize,
        roles: &'static [Role],
        work: impl Fn(Panels, &mut RowPass<'_>, &mut [f32]) + Sync,
    ) -> Array2<f32> {
        let images = images.into().row_major();
        let Architecture { inputs, .. } = self.spec().architecture;
        self.check_columns(operation, images.dim(), inputs);
        self.map_rows(images.dim().0, columns, roles, |first, rows, pass, out| {
            let shape = Panels::new(rows, inputs);
            let pixels = &mut pass.input[..shape.len()];
            images.pixels().pack(first, shape, pixels);
            work(shape, pass, out);
        })
    }

    /// [`map_rows`](Self::map_rows) of codes, which are in the input.
    fn map_codes(
        &self,
        operation: &str,
        codes: ArrayView2<'_, f32>,
        columns: usize,
        work: impl Fn(usize, usize, &mut RowPass<'_>, &mut [f32]) + Sync,
    ) -> Array2<f32> {
        let Architecture { latent, .. } = self.spec().architecture;
        self.check_columns(operation, codes.dim(), latent);
        let (count, codes) = (codes.nrows(), standard(codes));
        let roles = decoders(self.spec());
        self.map_rows(count, columns, roles, |first, rows, pass, out| {
            let shape = Panels::new(rows, latent);
            let codes = &contiguous(&codes)[first * latent..(first + rows) * latent];
            shape.pack_row_major(codes, &mut pass.input[..shape.len()]);
            work(first, rows, pass, out);
        })
    }

    /// Fills [count, columns] block by block in parallel. `work` gets the
    /// block's first row and size, buffers for the networks `roles`, and the
    /// block's rows of the result.
    fn map_rows(
        &self,
        count: usize,
        columns: usize,
        roles: &'static [Role],
        work: impl Fn(usize, usize, &mut RowPass<'_>, &mut [f32]) + Sync,
    ) -> Array2<f32> {
        let layout = self.parameters().layout();
        let block = BLOCK_ROWS.min(count.max(1));
        let rows_of = |role| if roles.contains(&role) { block } else { 0 };
        let panels = |columns| AlignedBuffer::zeroed(Panels::new(block, columns).len());
        let between = if roles.len() > 1 {
            self.spec().architecture.decoded()
        } else {
            0
        };
        let activations = || Activations::of_forward_pass(layout, rows_of);
        let widest = layout.inputs().max(self.spec().architecture.latent);
        let own = OwnBuffers::of_forward_pass;
        let buffers = || (panels(widest), panels(between), activations(), own());
        let mut result = Array2::zeros((count, columns));
        if let Some(values) = result.as_slice_mut() {
            let blocks = values.par_chunks_mut(block * columns).enumerate();
            blocks.for_each_init(buffers, |(input, means, activations, own), (index, out)| {
                let mut pass = RowPass {
                    roles,
                    input,
                    means,
                    networks: PanelNetworks::alone(self.parameters(), activations, own),
                };
                work(index * block, out.len() / columns, &mut pass, out);
            });
        }
        result
    }

    fn check_columns(&self, operation: &str, found: (usize, usize), expected: usize) {
        assert!(
            found.1 == expected,
            "{operation}: an array of shape {found:?} for a model {} that takes {expected} columns",
            self.spec().architecture
        );
    }
}

impl RowPass<'_> {
    /// The output of the last network for the rows of the input, each network
    /// taking the means that the one before has computed.
    fn run(&mut self, rows: usize) -> &[f32] {
        self.networks
            .forward(self.roles[0], Source::dense(rows, self.input));
        for pair in self.roles.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            let output = self.networks.output(from);
            let len = self.means.len().min(output.len());
            self.means[..len].copy_from_slice(&output[..len]);
            self.networks.forward(to, Source::dense(rows, self.means));
        }
        let last = self.roles[self.roles.len() - 1];
        self.networks.output(last)
    }

    /// The same, row-major.
    fn run_to(&mut self, shape: Panels, out: &mut [f32]) {
        shape.unpack_row_major(&self.run(shape.rows)[..shape.len()], out);
    }

    /// −log p(x|z) of every row of the last output, the pixels x being in the
    /// input.
    fn losses(&mut self, likelihood: &PixelLikelihood<f32>, shape: Panels, losses: &mut [f32]) {
        let rows = SampledRows { shape, samples: 1 };
        let targets = &self.input[..shape.len()];
        self.networks.losses(likelihood, rows, targets, losses);
    }
}

impl Codes {
    /// Number of codes.
    pub fn len(&self) -> usize {
        self.mean.nrows()
    }

    /// Whether there is no code.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// z = μ + σ·ε for given ε `[n, latent]`; the codes themselves where there
    /// is no σ.
    ///
    /// # Panics
    /// If `noise` has another shape than the codes.
    pub fn sample(&self, noise: ArrayView2<'_, f32>) -> Array2<f32> {
        assert!(
            noise.dim() == self.mean.dim(),
            "sample: noise of shape {:?} for codes of shape {:?}",
            noise.dim(),
            self.mean.dim()
        );
        let Some(log_variance) = &self.log_variance else {
            return self.mean.clone();
        };
        let mut codes = log_variance.mapv(|l| 0.5 * l);
        if let Some(values) = codes.as_slice_mut() {
            vector::exp_in_place(values);
        }
        codes *= &noise;
        codes += &self.mean;
        codes
    }

    /// The codes of a range of images.
    pub fn slice(&self, range: Range<usize>) -> Codes {
        Codes {
            mean: self.mean.slice(s![range.clone(), ..]).to_owned(),
            log_variance: self
                .log_variance
                .as_ref()
                .map(|l| l.slice(s![range, ..]).to_owned()),
        }
    }
}
