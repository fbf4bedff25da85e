//! Samples of a model's codes for given images: losses, posterior means, and
//! the log weights of very many samples of one image.

use ndarray::Array2;
use rayon::prelude::*;
use tensor_ops::random::{Stream, fill_normal};

use crate::images::{Images, RowMajorImages};
use crate::latent::BlockRows;
use crate::likelihood::PixelLikelihood;
use crate::model::Model;
use crate::network::activations::Activations;
use crate::network::panels::{OwnBuffers, PanelNetworks};
use crate::objective::Objective;
use crate::spec::ModelSpec;
use crate::step::block::Block;
use crate::step::input::Input;
use crate::step::{LossSums, Losses};
use crate::training::batch::{BatchPixels, IndexedBatch};

/// Codes taken through the networks at a time.
const CODES_AT_ONCE: usize = 96;

impl Model {
    /// The mean over images `[n, pixels]` of what the plain ELBO of one sample
    /// minimises; of two stochastic layers its KL is log q − log p of that
    /// sample. The ε of image i begin at i·[noise
    /// width](ModelSpec::noise_width) of the stream. Threads of the current pool
    /// take blocks of images.
    ///
    /// # Panics
    /// If there are no images, or they have not the model's pixels.
    pub fn sampled_losses<'a>(&self, images: impl Into<Images<'a>>, noise: Stream) -> Losses {
        let likelihood = PixelLikelihood::of(self);
        let of_blocks = self.map_blocks(images.into(), noise, 1, |block, input, networks| {
            block.decode(input, networks, &likelihood);
            let images = 0..block.rows().images;
            images.map(|image| block.losses(image)).collect::<Vec<_>>()
        });
        let mut sums = LossSums::default();
        for image in of_blocks.iter().flatten() {
            sums.images += 1;
            sums.reconstruction += image.reconstruction;
            sums.kl += image.penalty;
            sums.loss += image.loss.unwrap_or(image.reconstruction + image.penalty);
        }
        sums.means()
    }

    /// The posterior means of images `[n, pixels]` by stochastic layer, lowest
    /// first: μ(x) of q(z|x); of two layers μ₁(x) of h₁, and of h₂ the mean of
    /// μ₂(h₁) over `samples` of q(h₁|x), an estimate of E\[h₂|x\].
    ///
    /// # Panics
    /// If there are no images or samples, or the images have not the model's
    /// pixels.
    pub fn posterior_means<'a>(
        &self,
        images: impl Into<Images<'a>>,
        samples: usize,
        noise: Stream,
    ) -> Vec<Array2<f32>> {
        let images = images.into();
        let architecture = &self.spec().architecture;
        let mut widths = vec![architecture.decoded()];
        widths.extend(architecture.lower.as_ref().map(|_| architecture.latent));
        let of_blocks = self.map_blocks(images, noise, samples, |block, _, networks| {
            let rows = block.rows();
            let means = widths.iter().enumerate().map(|(layer, &width)| {
                // Of the lowest layer every image has one mean, of others one
                // for each sample of the layer below.
                let samples = if layer == 0 { 1 } else { samples };
                let mut means = vec![0.0; rows.images * samples * width];
                block
                    .latent()
                    .posterior_means(layer, rows, networks, &mut means);
                mean_of_samples(&means, samples, width)
            });
            means.collect::<Vec<_>>()
        });
        let of_layer = |(layer, &width): (usize, &usize)| {
            let blocks = of_blocks.iter();
            let values = blocks.flat_map(|block| block[layer].iter().copied());
            match Array2::from_shape_vec((images.nrows(), width), values.collect()) {
                Ok(means) => means,
                Err(error) => unreachable!("a row for every image: {error}"),
            }
        };
        widths.iter().enumerate().map(of_layer).collect()
    }

    /// What `of` makes of each block of images whose codes have been drawn, in
    /// their order.
    fn map_blocks<R: Send>(
        &self,
        images: Images<'_>,
        noise: Stream,
        samples: usize,
        of: impl Fn(&mut Block<f32>, &Input<f32>, &mut PanelNetworks<'_, f32>) -> R + Sync,
    ) -> Vec<R> {
        check_images(self.spec(), images);
        let (count, images) = (images.nrows(), images.row_major());
        let indices: Vec<u32> = (0..count as u32).collect();
        let batch = batch(&images, &indices, noise);
        let at_once = (CODES_AT_ONCE / samples).max(1);
        let starts: Vec<usize> = (0..count).step_by(at_once).collect();
        let objective = Objective {
            samples,
            ..Objective::ELBO
        };
        let buffers = || Buffers::new(self, &objective, at_once);
        let of_block = |buffers: &mut Buffers, start| {
            let rows = start..count.min(start + at_once);
            let (input, block, mut networks) = buffers.of(self);
            input.begin(rows.len());
            input.draw(&networks, &batch, start * samples..rows.end * samples);
            block.encode(input, &mut networks, &batch, rows);
            block.sample(input, &mut networks);
            of(block, input, &mut networks)
        };
        starts.into_par_iter().map_init(buffers, of_block).collect()
    }
}

/// Draws samples for one image at a time and gives the log of their importance
/// weights, on the calling thread and in memory allocated once.
///
/// The bits of a weight depend on the image, the stream and the number of the
/// sample alone.
///
/// ```
/// use models::streams::{Purpose, stream};
/// use models::{ImportanceSampler, Initialisation, Model, ModelKind, ModelSpec};
///
/// let spec = ModelSpec {
///     kind: ModelKind::Vae,
///     architecture: "16-8-2".parse()?,
///     likelihood: "bernoulli".parse()?,
///     posterior_scale: Default::default(),
/// };
/// let model = Model::new(spec, Initialisation::PyTorchUniform, 7)?;
/// let mut sampler = ImportanceSampler::new(&model, 32);
/// sampler.set_image(&ndarray::Array2::from_elem((1, 16), 255_u8));
/// let mut log_weights = [0.0; 5];
/// sampler.log_weights(stream(1, Purpose::Sampling, 0), 0, &mut log_weights);
/// assert!(log_weights.iter().all(|w| w.is_finite()));
/// # Ok::<(), models::SpecError>(())
/// ```
#[derive(Debug)]
pub struct ImportanceSampler<'a> {
    model: &'a Model,
    likelihood: PixelLikelihood<f32>,
    buffers: Buffers,
    capacity: usize,
}

impl<'a> ImportanceSampler<'a> {
    /// A sampler of at most `block` samples at a time, at least one.
    ///
    /// # Panics
    /// If the model is not variational: it samples nothing.
    pub fn new(model: &'a Model, block: usize) -> Self {
        assert!(
            model.spec().kind.is_variational(),
            "ImportanceSampler::new: a model {} that samples no z",
            model.spec().kind
        );
        let buffers = Buffers::new(model, &Objective::iwae(block), 1);
        Self {
            model,
            likelihood: PixelLikelihood::of(model),
            capacity: buffers.block.rows().samples,
            buffers,
        }
    }

    /// The image that the coming weights are of, the only one of `image`.
    ///
    /// # Panics
    /// If that is not one image, or it has not as many pixels as the model.
    pub fn set_image<'b>(&mut self, image: impl Into<Images<'b>>) {
        let image = image.into();
        assert!(image.nrows() == 1, "set_image: {} images", image.nrows());
        check_images(self.model.spec(), image);
        let image = image.row_major();
        let batch = batch(&image, &[0], Stream::new(0, 0));
        let (input, block, mut networks) = self.buffers.of(self.model);
        input.begin(1);
        block.encode(input, &mut networks, &batch, 0..1);
    }

    /// log w in nats of as many samples as `out` has room for, from number
    /// `first` on: sample s has its ε at s·[noise
    /// width](ModelSpec::noise_width) of the stream, whatever the block.
    ///
    /// # Panics
    /// If `out` is longer than the block given at the start, or no image is set.
    pub fn log_weights(&mut self, noise: Stream, first: usize, out: &mut [f64]) {
        assert!(
            out.len() <= self.capacity && !self.buffers.block.is_empty(),
            "log_weights: {} samples in a block of {}, or of no image",
            out.len(),
            self.capacity
        );
        if out.is_empty() {
            return;
        }
        let (input, block, mut networks) = self.buffers.of(self.model);
        block.set_samples(out.len());
        let (width, deviates) = input.noise_mut(out.len());
        fill_normal(deviates, noise, (first * width) as u64);
        block.sample(input, &mut networks);
        block.decode(input, &mut networks, &self.likelihood);
        let log_weights = block.log_weights();
        debug_assert_eq!(log_weights.len(), out.len(), "a weight for each sample");
        for (out, log_weight) in out.iter_mut().zip(log_weights) {
            *out = log_weight;
        }
    }
}

/// What takes up to so many images of a model forward.
#[derive(Debug)]
struct Buffers {
    input: Input<f32>,
    block: Block<f32>,
    activations: Activations<f32>,
    own: OwnBuffers<f32>,
}

impl Buffers {
    fn new(model: &Model, objective: &Objective, images: usize) -> Self {
        let samples = objective.samples;
        let rows = BlockRows { images, samples };
        let layout = model.parameters().layout();
        Self {
            input: Input::new(model.spec(), objective, images),
            block: Block::new(model.spec(), objective, images),
            activations: Activations::of_forward_pass(layout, |network| rows.of(network)),
            own: OwnBuffers::of_forward_pass(),
        }
    }

    /// The input and the block of some images, and the networks of their model on
    /// the calling thread.
    fn of<'a>(
        &'a mut self,
        model: &'a Model,
    ) -> (
        &'a mut Input<f32>,
        &'a mut Block<f32>,
        PanelNetworks<'a, f32>,
    ) {
        let networks =
            PanelNetworks::alone(model.parameters(), &mut self.activations, &mut self.own);
        (&mut self.input, &mut self.block, networks)
    }
}

fn batch<'a>(
    images: &'a RowMajorImages<'_>,
    indices: &'a [u32],
    noise: Stream,
) -> IndexedBatch<'a> {
    IndexedBatch {
        pixels: BatchPixels::AsStored(images.pixels()),
        indices,
        noise,
        noise_offset: 0,
        corruption: (noise, 0),
    }
}

fn check_images(spec: &ModelSpec, images: Images<'_>) {
    let inputs = spec.architecture.inputs;
    assert!(
        images.nrows() > 0 && images.ncols() == inputs,
        "images of shape {:?} for a model {} that takes {inputs} pixels",
        images.dim(),
        spec.architecture
    );
}

/// The mean over consecutive samples `[images · samples, width]`, in f64.
fn mean_of_samples(values: &[f32], samples: usize, width: usize) -> Vec<f32> {
    let images = values.chunks_exact(samples * width);
    let mean = |image: &[f32], j: usize| {
        let of_samples = image.iter().skip(j).step_by(width);
        let sum: f64 = of_samples.map(|&value| f64::from(value)).sum();
        (sum / samples as f64) as f32
    };
    images
        .flat_map(|image| (0..width).map(move |j| mean(image, j)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inference::Codes;
    use crate::network::initialisation::Initialisation;
    use crate::spec::{ModelKind, PosteriorScale};

    /// More than two blocks, the last one smaller.
    const IMAGES: usize = 200;
    const PIXELS: usize = 19;
    const LATENT: usize = 3;

    fn model(kind: ModelKind, posterior_scale: PosteriorScale) -> Model {
        let spec = ModelSpec {
            kind,
            architecture: format!("{PIXELS}-12-{LATENT}").parse().unwrap(),
            likelihood: "gaussian/scalar".parse().unwrap(),
            posterior_scale,
        };
        Model::new(spec, Initialisation::PyTorchUniform, 6).unwrap()
    }

    fn images() -> Array2<f32> {
        Array2::from_shape_fn((IMAGES, PIXELS), |(i, j)| {
            ((i * 7 + j * j) % 11) as f32 / 10.0
        })
    }

    fn deviates(noise: Stream, first: u64, codes: usize) -> Array2<f32> {
        let mut values = vec![0.0; codes * LATENT];
        fill_normal(&mut values, noise, first);
        Array2::from_shape_vec((codes, LATENT), values).unwrap()
    }

    /// ½ Σ μ² + σ² − 1 − ln σ² of one image.
    fn kl(codes: &Codes, image: usize) -> f64 {
        let log_variance = codes.log_variance.as_ref().unwrap().row(image);
        let of_dimension = |(&mean, &log_variance): (&f32, &f32)| {
            let (mean, log_variance) = (f64::from(mean), f64::from(log_variance));
            0.5 * (mean * mean + log_variance.exp() - 1.0 - log_variance)
        };
        let mean = codes.mean.row(image);
        mean.iter().zip(log_variance).map(of_dimension).sum()
    }

    fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
        let count = values.len() as f64;
        values.sum::<f64>() / count
    }

    #[track_caller]
    fn assert_close(found: f64, expected: f64) {
        let error = (found - expected).abs();
        assert!(error < 1e-5 * expected.abs().max(1.0), "{found} {expected}");
    }

    #[test]
    fn sampled_losses_are_those_of_codes_drawn_one_by_one() {
        let (images, noise) = (images(), Stream::new(3, 7));
        for scale in [PosteriorScale::LogVariance, PosteriorScale::LogSigma] {
            let model = model(ModelKind::Vae, scale);
            let codes = model.encode(&images);
            assert_eq!((codes.len(), codes.is_empty()), (IMAGES, false));
            let z = codes.sample(deviates(noise, 0, IMAGES).view());
            let losses = model.reconstruction_losses(z.view(), &images);
            let reconstruction = mean(losses.iter().map(|&loss| f64::from(loss)));
            let penalty = mean((0..IMAGES).map(|image| kl(&codes, image)));
            let found = model.sampled_losses(&images, noise);
            assert_close(found.reconstruction, reconstruction);
            assert_close(found.kl, penalty);
            assert_close(found.loss, reconstruction + penalty);
        }
        let model = model(ModelKind::Ae, PosteriorScale::LogVariance);
        let losses = model.reconstruction_losses(model.encode(&images).mean.view(), &images);
        let found = model.sampled_losses(&images, noise);
        assert_close(found.loss, mean(losses.iter().map(|&loss| f64::from(loss))));
        assert_eq!((found.reconstruction, found.kl), (found.loss, 0.0));
    }

    /// What is decoded from the mean, whatever is drawn beside it.
    #[test]
    fn means_of_one_layer_are_those_that_images_are_encoded_as() {
        let images = images();
        for kind in [ModelKind::Vae, ModelKind::Ae] {
            let model = model(kind, PosteriorScale::LogVariance);
            let codes = model.encode(&images);
            let means = model.posterior_means(&images, 4, Stream::new(3, 7));
            assert_eq!(means.len(), 1);
            assert_eq!(means[0].dim(), (IMAGES, LATENT));
            for (found, expected) in means[0].iter().zip(&codes.mean) {
                assert_close(f64::from(*found), f64::from(*expected));
            }
            let found = model.losses_at_mean(&images);
            let expected = model.reconstruction_losses(codes.mean.view(), &images);
            assert_eq!(found.len(), IMAGES);
            for (found, expected) in found.iter().zip(&expected) {
                assert_close(f64::from(*found), f64::from(*expected));
            }
            let decoded = model.decode(codes.mean.view());
            for (found, expected) in model.reconstruct(&images).iter().zip(&decoded) {
                assert_close(f64::from(*found), f64::from(*expected));
            }
        }
    }

    /// ln p(x|z) + ln p(z) − ln q(z|x) with z = μ + σ·ε.
    #[test]
    fn log_weights_are_those_of_the_densities() {
        let images = images();
        let (noise, first, samples) = (Stream::new(5, 2), 11, 7);
        for scale in [PosteriorScale::LogVariance, PosteriorScale::LogSigma] {
            let model = model(ModelKind::Vae, scale);
            let mut sampler = ImportanceSampler::new(&model, 9);
            let image = Images::from(&images).slice_rows(150..151);
            sampler.set_image(image);
            let mut found = vec![0.0; samples];
            sampler.log_weights(noise, first, &mut found);
            sampler.log_weights(noise, 0, &mut []);
            let codes = model.encode(image);
            let log_variance = codes.log_variance.as_ref().unwrap();
            let epsilon = deviates(noise, (first * LATENT) as u64, samples);
            for (sample, found) in found.into_iter().enumerate() {
                let epsilon = epsilon.row(sample).insert_axis(ndarray::Axis(0));
                let z = codes.sample(epsilon);
                let loss = f64::from(model.reconstruction_losses(z.view(), image)[0]);
                let densities = z.iter().zip(&epsilon).zip(log_variance);
                let ratio = densities.map(|((&z, &epsilon), &log_variance)| {
                    let [z, epsilon] = [z, epsilon].map(f64::from);
                    0.5 * (epsilon * epsilon + f64::from(log_variance) - z * z)
                });
                assert_close(found, ratio.sum::<f64>() - loss);
            }
        }
    }

    #[test]
    fn means_of_samples_are_by_image_and_column() {
        // Two images of three samples of two columns.
        let values = [
            1.0, 10.0, 2.0, 20.0, 6.0, 60.0, -4.0, 5.0, -5.0, 5.0, -9.0, 8.0,
        ];
        assert_eq!(mean_of_samples(&values, 3, 2), [3.0, 30.0, -6.0, 6.0]);
    }

    #[test]
    #[should_panic(expected = "images of shape (0, 19) for a model 19-12-3 that takes 19 pixels")]
    fn no_image_breaks_the_contract() {
        let none = Array2::<f32>::zeros((0, PIXELS));
        model(ModelKind::Vae, PosteriorScale::LogVariance).sampled_losses(&none, Stream::new(0, 0));
    }

    #[test]
    #[should_panic(expected = "images of shape (1, 18) for a model 19-12-3 that takes 19 pixels")]
    fn an_image_of_another_width_breaks_the_contract() {
        let model = model(ModelKind::Vae, PosteriorScale::LogVariance);
        ImportanceSampler::new(&model, 1).set_image(&Array2::<f32>::zeros((1, 18)));
    }

    #[test]
    #[should_panic(expected = "log_weights: 3 samples in a block of 2, or of no image")]
    fn more_samples_than_a_block_has_break_the_contract() {
        let model = model(ModelKind::Vae, PosteriorScale::LogVariance);
        let mut sampler = ImportanceSampler::new(&model, 2);
        sampler.set_image(&Array2::<f32>::zeros((1, PIXELS)));
        sampler.log_weights(Stream::new(0, 0), 0, &mut [0.0; 3]);
    }
}
