//! Every setting of `config.toml`, declared once.
//!
//! `--set`, the flags, the configuration file, the checks of ranges and names,
//! the hints, the schema and the page of settings follow from what stands here.
//! The order of settings is that of `config.toml`, and with it of the digest of
//! a run: a new one that is not always written leaves the digests of runs already
//! made as they are.

use std::ops::Bound::{Excluded, Included, Unbounded};

use datasets::{Colour, LabelColumn, TEST_SHARE};
use models::{
    AdamForm, AdamMoments, BatchGradient, Bound, DataTreatment, GaussianSigma, Gradients,
    Initialisation, Likelihood, MAXIMUM_SAMPLES, MAXIMUM_WIDTH, ModelKind, PosteriorScale,
    Schedule,
};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};

use super::named::{names, nonlinearities};
use super::section::sections;
use super::setting::Kind::{
    self, Name, NameOrPositive, Number, Source, Switch, Text, Whole, Widths,
};
use super::setting::Setting;

const COUNT: Kind = Whole(0, i64::MAX);
const NOT_NEGATIVE: Kind = Number(Included(0.0), f64::INFINITY);
const POSITIVE: Kind = Number(Excluded(0.0), f64::INFINITY);

/// More epochs than anybody waits for; their steps can be counted.
const MOST_EPOCHS: i64 = 1_000_000_000;

sections! {
    /// Which images a run is trained and tested on.
    DataConfiguration of "data", "The data" {
        /// Where the rows come from: `glyphs` (embedded), `mnist`, `fashion-mnist`, `kmnist`,
        /// `idx:DIR`, a folder of images (subfolders are classes), or an `.npz`, `.npy`, `.csv`
        /// or `.parquet` file.
        dataset: String = "glyphs".into() => Source,
            flags: &["dataset"], takes: "SOURCE", is_for_resuming: true;
        /// What one row is, such as `28x28`, `64x64x3` or `512`: a property of the data set,
        /// written down when the run begins.
        shape: String = String::new() => Text("a shape, or empty until it is known"),
            decides: false, is_always_written: false;
        /// What is done to values before the likelihood sees them.
        treatment: String = "grey".into() => Name(names::<DataTreatment>),
            flags: &["treatment"], takes: "T", called: &["binarise"],
            meanings: &[("gray", "grey"), ("none", "grey")];
        /// Seed of the one draw that the test images are binarised with, for the treatments that
        /// draw.
        test_seed: u64 = 0 => COUNT;
        /// Images held out from the end of the training set for early stopping.
        validation: usize = 0 => COUNT,
            called: &["holdout", "val"];
        /// Take the mean of the training part off every value and divide it by its deviation;
        /// decoded values are brought back.
        standardise: bool = false => Switch,
            flags: &["standardise", "standardize"], takes: "BOOL",
            called: &["normalise", "normalize"], is_always_written: false;
    }
    holds {
        /// How the source is read.
        reading: ReadingConfiguration
    }

    /// How a source is read: the text form of [`Reading`](datasets::Reading).
    /// Absent from `config.toml` where everything is taken as it comes.
    ///
    /// None of it decides a result by itself: the rows it leads to are known by
    /// the fingerprint of the data set.
    ReadingConfiguration of "data.reading", "How a source is read" {
        /// The share of rows that become the test set of a source without one, chosen by a hash
        /// of their content.
        test_share: f64 = TEST_SHARE => Number(Excluded(0.0), 1.0),
            flags: &["test-share"], takes: "X", decides: false;
        /// What one row of a table is, such as `28x28`, `64x64x3` or `512`.
        shape: String = String::new() => Text("a shape, or empty for what the file says"),
            flags: &["shape"], takes: "SHAPE", decides: false;
        /// Bring images to this height and width, such as `32x32`.
        resize: String = String::new() => Text("a height and a width, or empty for their own"),
            flags: &["resize"], takes: "HxW", decides: false;
        /// Channels of images; `automatic` is grey when every image is.
        colour: String = "automatic".into() => Name(names::<Colour>),
            flags: &["colour", "color"], takes: "C",
            meanings: &[("gray", "grey"), ("greyscale", "grey"), ("color", "rgb")], decides: false;
        /// What transparent pixels are composed on: `black`, `white` or `#rrggbb`.
        background: String = "black".into() => Text("a colour"),
            flags: &["background"], takes: "COLOUR", decides: false;
        /// The value that stands for full ink: values are divided by it; 0 for 255 (bytes) or 1
        /// (floats).
        maximum: f64 = 0.0 => NOT_NEGATIVE,
            flags: &["maximum"], takes: "X", decides: false;
        /// Take every value from 1, so that dark on light becomes light on dark; `--invert=false`
        /// where a run does and this source needs none.
        invert: bool = false => Switch,
            flags: &["invert"], takes: "BOOL", decides: false;
        /// Exchange rows and columns of every image, or not (`--transposed=false`).
        transposed: bool = false => Switch,
            flags: &["transposed"], takes: "BOOL", decides: false;
        /// Where a table without a telling header has its labels.
        labels: String = "automatic".into() => Name(names::<LabelColumn>),
            flags: &["labels"], takes: "COLUMN", meanings: &[("0", "first")], decides: false;
    }

    /// The network and its likelihood.
    ModelConfiguration of "model", "The model" {
        /// Which autoencoder; `ae-l2` samples nothing and keeps the quadratic penalty, `denoising`
        /// loses a part of its input.
        kind: String = "vae".into() => Name(names::<ModelKind>),
            flags: &["model", "kind", "model-type"], takes: "M", called: &["model-type"],
            meanings: &[
                ("autoencoder", "ae"), ("variational-autoencoder", "vae"),
                ("variational", "vae"), ("beta-vae", "vae"),
            ];
        /// Widths of the encoder's hidden layers, such as `256,32,8`; `none` for no hidden layer.
        /// The decoder mirrors them. A whole architecture such as `784-256-2`, or
        /// `784-200-100/100-64-50` of two stochastic layers, is understood where inputs and latent
        /// variables agree.
        hidden: Vec<usize> = vec![256] => Widths(MAXIMUM_WIDTH),
            flags: &["hidden", "hidden-layers", "hidden-dims", "layers"], takes: "WIDTHS",
            called: &["architecture", "layers", "units", "widths"];
        /// Number of latent variables; of two stochastic layers those of the upper one.
        latent: usize = 2 => Whole(1, MAXIMUM_WIDTH as i64),
            flags: &["latent", "latent-dim", "latent-dims", "latent-size"], takes: "L",
            called: &["bottleneck", "code", "z"];
        /// Variables of the lower of two stochastic layers, between image and code; 0 for a
        /// single one.
        lower_latent: usize = 0 => Whole(0, MAXIMUM_WIDTH as i64),
            flags: &["lower-latent"], takes: "L",
            called: &["latents", "stochastic"], is_always_written: false;
        /// Widths of the hidden layers from the lower stochastic layer to the code; the prior of
        /// the lower one mirrors them.
        upper_hidden: Vec<usize> = Vec::new() => Widths(MAXIMUM_WIDTH),
            flags: &["upper-hidden"], takes: "WIDTHS", is_always_written: false;
        /// Share of the values of a denoising model's input that are set to 0 while it is trained;
        /// the reconstruction is that of the whole input.
        corruption: f64 = ModelKind::Denoising.corruption() => Number(Excluded(0.0), 1.0),
            flags: &["corruption"], takes: "X",
            called: &["masking", "noise"], is_always_written: false;
        /// The nonlinearity behind every hidden layer.
        activation: String = "relu".into() => Name(nonlinearities),
            flags: &["activation"], takes: "A", called: &["act", "nonlinearity"];
        /// The distribution of a value given the code; the mean is the sigmoid of the decoder's
        /// output, or the output itself where the name ends in `-identity`.
        likelihood: String = "bernoulli".into() => Name(names::<Likelihood>),
            flags: &["likelihood"], takes: "P",
            meanings: &[
                ("bce", "bernoulli"), ("cb", "continuous-bernoulli"),
                ("mse", "gaussian"), ("l2", "gaussian"), ("normal", "gaussian"),
            ];
        /// The standard deviation of a Gaussian or the like: a number, or learned: one for all
        /// pixels (`scalar`), one for each (`per-pixel`), or computed by the decoder (`decoder`).
        sigma: String = "scalar".into() => NameOrPositive(|| GaussianSigma::NAMES.into()),
            flags: &["sigma"], takes: "S", called: &["std"], meanings: &[("learned", "scalar")];
        /// What the encoder computes besides μ.
        posterior_scale: String = "log-variance".into() => Name(names::<PosteriorScale>),
            meanings: &[("log-var", "log-variance"), ("log-std", "log-sigma")];
        /// How weights are drawn: as PyTorch's `Linear` does by default, or as Glorot & Bengio;
        /// `glorot-repeated` draws every layer from the same numbers, so that layers of equal
        /// shape begin equal.
        initialisation: String = "pytorch".into() => Name(names::<Initialisation>),
            called: &["init"], meanings: &[("torch", "pytorch"), ("xavier", "glorot")];
        /// The decoder's last bias at the start: as all others, or the logit of the mean training
        /// image.
        output_bias: String = "initialisation".into() => Name(|| vec!["initialisation", "train-mean"]);
        /// SHA-256 of weights that another program trained and `import` brought in; empty of a
        /// model that was trained here from the beginning.
        imported: String = String::new() => Text("a SHA-256, or empty"),
            is_always_written: false;
    }

    /// The optimisation.
    TrainingConfiguration of "training", "The training" {
        /// What is minimised; the README says what each is.
        objective: String = "elbo".into() => Name(names::<Bound>),
            flags: &["objective"], takes: "O", called: &["loss"],
            meanings: &[("importance-weighted", "iwae"), ("vae", "elbo")];
        /// Samples of z per image.
        samples: usize = 1 => Whole(1, MAXIMUM_SAMPLES as i64),
            flags: &["samples"], takes: "K", called: &["k"];
        /// Weight of the KL, or of what the objective has in its place.
        beta: f64 = 1.0 => NOT_NEGATIVE,
            flags: &["beta", "kl-weight"], takes: "X", called: &["kl-weight", "kld-weight"];
        /// Epochs over which that weight rises from 0.
        beta_warm_up_epochs: usize = 0 => COUNT,
            flags: &["beta-warm-up"], takes: "N", called: &["annealing", "kl-warm-up"];
        /// Nats of KL per latent dimension that cost nothing.
        free_bits: f64 = 0.0 => NOT_NEGATIVE,
            flags: &["free-bits"], takes: "X";
        /// Passes over the training images; 0 of imported weights alone, which have had theirs
        /// elsewhere.
        epochs: usize = 10 => Whole(0, MOST_EPOCHS),
            flags: &["epochs"], takes: "N", is_for_resuming: true;
        /// Images in a minibatch; the last one of an epoch may be smaller.
        batch: usize = 128 => Whole(1, i64::MAX),
            flags: &["batch", "batch-size"], takes: "N", called: &["bs", "minibatch"];
        /// Adam's step size.
        learning_rate: f64 = 1e-3 => POSITIVE,
            flags: &["lr", "learning-rate"], takes: "X", called: &["alpha", "lr", "step-size"];
        /// Adam's decay of the first moment.
        beta1: f64 = 0.9 => Number(Included(0.0), 1.0);
        /// Adam's decay of the second moment.
        beta2: f64 = 0.999 => Number(Included(0.0), 1.0);
        /// Adam's ε, outside the root.
        epsilon: f64 = 1e-8 => POSITIVE,
            called: &["eps"];
        /// What Adam's second moments begin at; above 0 the first 1/(1 − `beta2`) steps are short.
        second_moment_start: f64 = 0.0 => NOT_NEGATIVE,
            called: &["initial-accumulator-value"], is_always_written: false;
        /// Which root Adam's ε is added to: of the moment with its correction, as in PyTorch, or
        /// without (`efficient`, Kingma & Ba 2015, end of §2).
        adam_form: String = "corrected".into() => Name(names::<AdamForm>), is_always_written: false;
        /// The moments that a step goes along: those that its gradient has entered, or those of
        /// the steps before.
        adam_moments: String = "current".into() => Name(names::<AdamMoments>),
            is_always_written: false;
        /// What becomes of the gradients of a minibatch's images: `sum` is `batch` times `mean`,
        /// which Adam notices by `epsilon` and `second_moment_start`.
        batch_gradient: String = "mean".into() => Name(names::<BatchGradient>),
            called: &["reduction"], is_always_written: false;
        /// λ of AdamW's decoupled weight decay; 0 for plain Adam.
        weight_decay: f64 = 0.0 => NOT_NEGATIVE,
            called: &["l2", "wd"];
        /// Largest norm of the whole gradient; 0 for no clipping.
        clip_norm: f64 = 0.0 => NOT_NEGATIVE,
            called: &["clip", "gradient-clipping", "max-norm"];
        /// The step size over time; `iwae` is 3ⁱ epochs at a factor of 10^(−i/7), i = 0 … 7,
        /// `iwae-rounded` the same with the factors in hundredths.
        schedule: String = "constant".into() => Name(names::<Schedule>),
            flags: &["schedule"], takes: "S", called: &["lr-schedule", "scheduler"],
            meanings: &[("none", "constant")];
        /// Of `step`, epochs between two changes; of `cosine`, epochs of the descent, 0 for those
        /// of the run.
        schedule_epochs: u64 = 0 => COUNT;
        /// Of `step`, what each change multiplies by; of `cosine`, the factor at the end.
        schedule_factor: f64 = 0.1 => Number(Unbounded, f64::INFINITY);
        /// Epochs over which the step size first grows from nothing.
        warm_up_epochs: f64 = 0.0 => NOT_NEGATIVE,
            called: &["warm-up"];
        /// Stop after so many epochs without a lower loss on the held-out images, and keep the
        /// best weights; 0 to run all epochs and keep the last.
        patience: usize = 0 => COUNT,
            called: &["early-stopping"];
        /// Whether the images are visited in a new random order each epoch.
        shuffle: bool = true => Switch;
        /// Seed of every random stream of the run.
        seed: u64 = 42 => COUNT,
            flags: &["seed"], takes: "N", called: &["random-state"];
        /// What computes the gradient: derived by hand, or by automatic differentiation.
        gradients: String = "hand".into() => Name(names::<Gradients>),
            flags: &["gradients"], takes: "G", called: &["autodiff"],
            meanings: &[("automatic", "tape"), ("autodiff", "tape")];
    }

    /// The test images whose codes `trajectories.npz` records.
    TrackingConfiguration of "tracking", "What is recorded" {
        /// How many test images of each class are followed.
        images_per_class: usize = 10 => COUNT;
        /// How often an epoch their codes are recorded, evenly spaced.
        snapshots_per_epoch: usize = 1 => Whole(1, i64::MAX);
    }
}
