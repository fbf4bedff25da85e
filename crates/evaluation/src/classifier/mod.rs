//! An own classifier of images: what it sees, and the features it sees with.
//!
//! Metrics of generated images need an opinion about what an image shows. A
//! network trained on the data set at hand gives it without any download: a
//! multilayer perceptron, 784-256-64-10 by default, whose 64 penultimate
//! activations are the feature space of [`crate::frechet`] and [`crate::prdc`].
//! Every number made with it holds for this network alone: state
//! [`Classifier::fingerprint`] and [`Classifier::test_accuracy`] beside it.
//!
//! Compare samples with *test* images: a network is surer of the images it was
//! trained on, and their features differ visibly from those of new real ones
//! (coverage of MNIST's training by its test images is 0.81 where 0.97 is
//! expected). Take floors from two random halves of the test set.

mod file;
mod network;
mod training;

use models::{Images, MAXIMUM_WIDTH};
use ndarray::{Array2, ArrayView1};
use rayon::prelude::*;

use crate::error::{
    Result, require, require_finite_images, require_labels, require_length, require_rows,
    require_width,
};
use network::{BLOCK, Network};

/// How a classifier is trained.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassifierOptions {
    /// Widths of the hidden layers; the last one is the feature space.
    pub hidden: Vec<usize>,
    /// Passes over the images.
    pub epochs: usize,
    /// Images per step.
    pub batch: usize,
    /// Adam's step size at the start; it falls linearly to zero.
    pub learning_rate: f64,
    /// Seed of weights and order.
    pub seed: u64,
}

impl Default for ClassifierOptions {
    /// 256-64 hidden units, 8 epochs of batches of 128, step size 0.002:
    /// about 98 % on MNIST and 89–90 % on Fashion-MNIST.
    fn default() -> Self {
        Self {
            hidden: vec![256, 64],
            epochs: 8,
            batch: 128,
            learning_rate: 2e-3,
            seed: 0,
        }
    }
}

/// A trained classifier.
#[derive(Debug, Clone, PartialEq)]
pub struct Classifier {
    network: Network,
    test_accuracy: Option<f64>,
}

impl Classifier {
    /// Trains a classifier on images [n, pixels] with labels below
    /// `class_count`.
    ///
    /// Softmax cross-entropy, ReLU, Adam with a linearly falling step size. Runs
    /// on the current rayon pool; the weights are the same for any number of
    /// threads.
    ///
    /// # Errors
    /// Labels that do not fit the images, no images, values that are not finite,
    /// or an option of zero.
    pub fn train<'a>(
        images: impl Into<Images<'a>>,
        labels: &[u32],
        class_count: usize,
        options: &ClassifierOptions,
    ) -> Result<Self> {
        let images = images.into();
        let (n, pixels) = images.dim();
        require_rows("the array of images", n, 1)?;
        require_labels("the list of labels", labels, n, class_count)?;
        require_finite_images(images)?;
        let mut widths = options.hidden.iter().chain([&class_count, &pixels]);
        let has_steps = options.epochs > 0 && options.batch > 0;
        let moves = options.learning_rate > 0.0 && options.learning_rate.is_finite();
        let is_layered =
            !options.hidden.is_empty() && widths.all(|width| (1..=MAXIMUM_WIDTH).contains(width));
        require(
            has_steps && moves && is_layered,
            "an option of the classifier",
            format_args!("{options:?} of {pixels} pixels and {class_count} classes"),
            "at least one hidden layer, positive numbers throughout, and pixels, classes and hidden units of at most 65536",
        )?;
        Ok(Self {
            network: training::train(images, labels, class_count, options),
            test_accuracy: None,
        })
    }

    /// Measures the share of images [n, pixels] given their label and keeps it
    /// as [`Self::test_accuracy`]; pass images it was not trained on.
    ///
    /// # Errors
    /// Labels or images that do not fit.
    pub fn measure_test_accuracy<'a>(
        &mut self,
        images: impl Into<Images<'a>>,
        labels: &[u32],
    ) -> Result<f64> {
        let images = images.into();
        require_rows("the array of images", images.nrows(), 1)?;
        require_length("the list of labels", labels.len(), images.nrows())?;
        let classes = self.classify(images)?;
        let correct = classes.iter().zip(labels).filter(|(a, b)| a == b).count();
        let accuracy = correct as f64 / labels.len() as f64;
        self.test_accuracy = Some(accuracy);
        Ok(accuracy)
    }

    /// The measured share of test images classified correctly, if it was
    /// measured.
    pub fn test_accuracy(&self) -> Option<f64> {
        self.test_accuracy
    }

    /// Number of classes.
    pub fn class_count(&self) -> usize {
        self.network.outputs()
    }

    /// Pixels per image.
    pub fn pixels(&self) -> usize {
        self.network.inputs()
    }

    /// Width of the feature space.
    pub fn feature_count(&self) -> usize {
        self.network.features()
    }

    /// Widths from image to classes, as in 784-256-64-10.
    pub fn architecture(&self) -> String {
        let widths = self.network.widths().into_iter();
        let widths: Vec<String> = widths.map(|width| width.to_string()).collect();
        widths.join("-")
    }

    /// A 64-bit hash of the weights in hexadecimal (FNV-1a over their
    /// little-endian bytes in PyTorch's layout): names the feature space.
    pub fn fingerprint(&self) -> String {
        let tensors = self.network.named_tensors().into_iter();
        let values = tensors.flat_map(|tensor| tensor.values);
        format!("{:016x}", fnv_1a(values.flat_map(f32::to_le_bytes)))
    }

    /// p(class|image) of images [n, pixels]: [n, classes].
    ///
    /// # Errors
    /// Images of another size, or values that are not finite.
    pub fn probabilities<'a>(&self, images: impl Into<Images<'a>>) -> Result<Array2<f32>> {
        self.run(images.into(), self.network.layers.len())
    }

    /// Penultimate activations of images [n, pixels]: [n, features].
    ///
    /// # Errors
    /// Images of another size, or values that are not finite.
    pub fn features<'a>(&self, images: impl Into<Images<'a>>) -> Result<Array2<f32>> {
        self.run(images.into(), self.network.layers.len() - 1)
    }

    /// Most probable class of each image.
    ///
    /// # Errors
    /// Images of another size, or values that are not finite.
    pub fn classify<'a>(&self, images: impl Into<Images<'a>>) -> Result<Vec<u32>> {
        let probabilities = self.probabilities(images)?;
        let rows = probabilities.rows().into_iter();
        Ok(rows.map(|row| likeliest(row) as u32).collect())
    }

    /// What comes out of the first `layers` layers.
    fn run(&self, images: Images<'_>, layers: usize) -> Result<Array2<f32>> {
        require_width(images, self.pixels(), "classifier")?;
        require_finite_images(images)?;
        let row_major = images.row_major();
        let pixels = row_major.pixels();
        let columns = self.network.layers[layers - 1].outputs;
        let mut result = Array2::zeros((images.nrows(), columns));
        if let Some(values) = result.as_slice_mut() {
            let blocks = values.par_chunks_mut(BLOCK * columns).enumerate();
            let buffers = || self.network.buffers(BLOCK);
            blocks.for_each_init(buffers, |buffers, (block, out)| {
                let first = block * BLOCK;
                self.network.infer(pixels, first, layers, buffers, out);
            });
        }
        Ok(result)
    }
}

/// The hash FNV-1a of 64 bits (Fowler, Noll & Vo).
fn fnv_1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The first of the classes with the largest probability.
pub(crate) fn likeliest(probabilities: ArrayView1<'_, f32>) -> usize {
    let mut best = 0;
    for (class, p) in probabilities.iter().enumerate() {
        if *p > probabilities[best] {
            best = class;
        }
    }
    best
}

#[cfg(test)]
mod tests;
