//! Images stored as values: the bits of bytes, whatever is done with them.

use std::fs;
use std::sync::Arc;

use models::streams::{Purpose, stream};
use models::{
    DataTreatment, Gradients, Images, ImportanceSampler, Initialisation, Model, ModelKind,
    ModelSpec, Objective, SharedImages, SharedPixels, Standardisation, Trainer, TrainerError,
    TrainingConfig,
};
use ndarray::{Array2, ArrayView2, s};

/// An odd width: the last panel is padded.
const PIXELS: usize = 37;
const COUNT: usize = 53;

/// Grey with much black, as the rows of a first layer that skips zeros see it.
fn bytes() -> Array2<u8> {
    Array2::from_shape_fn((COUNT, PIXELS), |(i, j)| {
        let grey = (i * 37 + j * 101 + i * j) % 256;
        if (i + j) % 3 == 0 { grey as u8 } else { 0 }
    })
}

fn values() -> Array2<f32> {
    bytes().mapv(|byte| f32::from(byte) / 255.0)
}

fn shared<T: Copy>(images: &Array2<T>) -> SharedPixels<T> {
    images.iter().copied().collect::<Arc<[T]>>().into()
}

fn model(kind: ModelKind, likelihood: &str) -> Model {
    let spec = ModelSpec {
        kind,
        architecture: format!("{PIXELS}-20-3").parse().unwrap(),
        likelihood: likelihood.parse().unwrap(),
        posterior_scale: Default::default(),
    };
    let mut model = Model::new(spec, Initialisation::PyTorchUniform, 3).unwrap();
    model.set_output_bias_to_mean(&bytes());
    model
}

fn trained(model: Model, config: &TrainingConfig, images: impl Into<SharedImages>) -> Vec<u32> {
    let mut trainer = Trainer::new(model, config.clone(), images).unwrap();
    for _ in 0..2 {
        trainer.run_epoch(&mut |_| {}).unwrap();
    }
    let parameters = trainer.model().parameters().as_slice();
    parameters.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn training_on_values_gives_the_bits_of_training_on_bytes() {
    let objectives = [Objective::ELBO, Objective::iwae(3)];
    let cases = [
        (ModelKind::Vae, "bernoulli", 0),
        (ModelKind::Vae, "gaussian-identity/scalar", 0),
        (ModelKind::Vae, "continuous-bernoulli", 1),
        (ModelKind::Ae, "gaussian/0.3", 0),
    ];
    for (kind, likelihood, objective) in cases {
        for gradients in [Gradients::Hand, Gradients::Tape] {
            let mut of_one_thread = None;
            for threads in 1..=3 {
                for treatment in [DataTreatment::Grey, DataTreatment::Threshold] {
                    let config = TrainingConfig {
                        batch: 8,
                        objective: objectives[objective],
                        gradients,
                        threads,
                        treatment,
                        ..TrainingConfig::standard(3)
                    };
                    let model = || model(kind, likelihood);
                    let of_bytes = trained(model(), &config, shared(&bytes()));
                    let of_values = trained(model(), &config, shared(&values()));
                    let what = format!("{kind} {likelihood} {gradients} {threads} {treatment}");
                    assert!(of_bytes == of_values, "{what}");
                    if treatment == DataTreatment::Grey {
                        let first = of_one_thread.get_or_insert(of_values);
                        assert!(*first == of_bytes, "{what}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_part_of_an_allocation_trains_as_a_copy_of_it() {
    let all = values();
    let config = TrainingConfig {
        batch: 8,
        ..TrainingConfig::standard(3)
    };
    let (from, to) = (5, 48);
    let copy = shared(&all.slice(s![from..to, ..]).to_owned());
    let pixels: Arc<[f32]> = all.iter().copied().collect();
    let part = SharedPixels::part(pixels, from * PIXELS..to * PIXELS);
    let model = || model(ModelKind::Vae, "bernoulli");
    let of_part = trained(model(), &config, part);
    assert!(of_part == trained(model(), &config, copy));
    assert!(of_part != trained(model(), &config, shared(&all)));
}

#[test]
fn a_model_reads_values_as_the_bytes_they_equal() {
    let (bytes, values) = (bytes(), values());
    for likelihood in ["bernoulli", "gaussian/per-pixel", "continuous-bernoulli"] {
        let model = model(ModelKind::Vae, likelihood);
        let codes = model.encode(&bytes);
        assert_eq!(codes, model.encode(&values));
        // Columns first in memory: the same images.
        let columns_first = values.t().as_standard_layout().into_owned();
        assert_eq!(codes, model.encode(columns_first.t()));
        assert_eq!(model.reconstruct(&bytes), model.reconstruct(&values));
        let means = codes.mean.view();
        assert_eq!(
            model.reconstruction_losses(means, &bytes),
            model.reconstruction_losses(means, &values)
        );
        let (few, few_values) = (bytes.slice(s![..10, ..]), values.slice(s![..10, ..]));
        let of_few = codes.slice(0..50).mean;
        assert_eq!(
            model.log_likelihoods(of_few.view(), few, 5),
            model.log_likelihoods(of_few.view(), few_values, 5)
        );
        let decoded = |image: Images<'_>| {
            let mut sampler = ImportanceSampler::new(&model, 1);
            sampler.set_image(image);
            let mut log_weight = [0.0];
            sampler.log_weights(stream(1, Purpose::Sampling, 0), 0, &mut log_weight);
            log_weight
        };
        let last = COUNT - 1;
        let of_bytes = decoded(Images::from(&bytes).slice_rows(last..COUNT));
        assert_eq!(
            of_bytes,
            decoded(Images::from(&values).slice_rows(last..COUNT))
        );
        assert_ne!(of_bytes, decoded(Images::from(&bytes).slice_rows(0..1)));
    }
}

#[test]
fn the_output_bias_is_the_mean_of_values_of_any_range() {
    let bias = |images: Images<'_>, likelihood: &str| {
        let mut model = model(ModelKind::Vae, likelihood);
        model.set_output_bias_to_mean(images);
        let decoder = model.decode_logits(Array2::zeros((1, 3)).view());
        let mut other = model;
        other.set_output_bias_to_mean(Images::from(&Array2::from_elem((1, PIXELS), 0.5_f32)));
        decoder - other.decode_logits(Array2::zeros((1, 3)).view())
    };
    // Values of bytes give what the bytes give, to rounding, clamped likewise.
    for likelihood in ["bernoulli", "gaussian-identity/scalar"] {
        let of_bytes = bias(Images::from(&bytes()), likelihood);
        let of_values = bias(Images::from(&values()), likelihood);
        for (left, right) in of_bytes.iter().zip(&of_values) {
            assert!((left - right).abs() <= 1e-5, "{left} {right}");
        }
    }
    let wide = Array2::from_shape_fn((2, PIXELS), |(i, j)| j as f32 - 10.0 + i as f32);
    for (pixel, &bias) in bias(Images::from(&wide), "gaussian-identity/scalar")
        .iter()
        .enumerate()
    {
        // Against the mean 0.5 of the other model.
        assert!(
            (bias - (pixel as f32 - 10.0)).abs() < 1e-5,
            "{pixel}: {bias}"
        );
    }
}

#[test]
fn values_that_training_cannot_use_are_refused() {
    let refused = |likelihood: &str, treatment, change: &dyn Fn(&mut Array2<f32>)| {
        let mut images = values();
        change(&mut images);
        let config = TrainingConfig {
            treatment,
            ..TrainingConfig::standard(3)
        };
        Trainer::new(model(ModelKind::Vae, likelihood), config, shared(&images)).err()
    };
    let grey = DataTreatment::Grey;
    let high = |images: &mut Array2<f32>| images[[7, 36]] = 1.25;
    assert_eq!(
        refused("bernoulli", grey, &high).unwrap().to_string(),
        "pixel 36 of training image 7 is 1.25; the likelihood bernoulli expects values between 0 \
         and 1"
    );
    assert!(refused("continuous-bernoulli", grey, &high).is_some());
    assert!(refused("gaussian-identity/scalar", grey, &high).is_none());
    for odd in [f32::NAN, f32::INFINITY] {
        let error = refused("gaussian-identity/scalar", grey, &|images| {
            images[[52, 0]] = odd
        });
        let error = error.unwrap();
        let is_named = matches!(
            error,
            TrainerError::Value {
                image: 52,
                pixel: 0,
                ..
            }
        );
        assert!(is_named, "{error}");
    }
    let error = refused("bernoulli", DataTreatment::BinarisedPerEpoch, &|_| {});
    assert_eq!(
        error.unwrap().to_string(),
        "the data treatment is binarised-per-epoch, which draws from bytes, and the images are \
         stored as values; expected grey or threshold"
    );
    let config = TrainingConfig::standard(3);
    let short: Arc<[f32]> = vec![0.5; PIXELS + 1].into();
    let error = Trainer::new(model(ModelKind::Vae, "bernoulli"), config, short).unwrap_err();
    assert!(matches!(
        error,
        TrainerError::Images {
            found: 38,
            inputs: PIXELS
        }
    ));
}

#[test]
fn shape_and_standardisation_survive_files_and_training() {
    let folder = tempfile::tempdir().unwrap();
    let standardisation = Standardisation::of(&values()).unwrap();
    let plain = model(ModelKind::Vae, "gaussian-identity/scalar");
    let described = plain
        .clone()
        .with_shape("37x1")
        .unwrap()
        .with_standardisation(standardisation.clone())
        .unwrap();
    let mut rows: Vec<f32> = values().iter().copied().collect();
    standardisation.apply(&mut rows);
    let images: Arc<[f32]> = rows.into();
    let config = TrainingConfig {
        batch: 8,
        ..TrainingConfig::standard(3)
    };
    let trainer =
        |model: &Model| Trainer::new(model.clone(), config.clone(), images.clone()).unwrap();
    let file = folder.path().join("model.safetensors");
    let mut whole = trainer(&described);
    whole.step().unwrap();
    whole.model().save(&file, &Default::default()).unwrap();
    let (loaded, metadata) = Model::load_with_metadata(&file).unwrap();
    assert_eq!(&loaded, whole.model());
    assert_eq!(
        (loaded.shape(), loaded.standardisation()),
        (Some("37x1"), Some(&standardisation))
    );
    assert_eq!(metadata.get("shape").map(String::as_str), Some("37x1"));

    let state = folder.path().join("state.safetensors");
    whole.save_state(&state, &Default::default()).unwrap();
    whole.step().unwrap();
    let mut resumed = trainer(&described);
    resumed.load_state(&state).unwrap();
    resumed.step().unwrap();
    assert_eq!(resumed.model(), whole.model());
    // A state knows what its data were: others are refused, a shape is adopted.
    let refused = |model: &Model| trainer(model).load_state(&state).unwrap_err().to_string();
    assert!(refused(&plain).contains("\"standardisation\""));
    let other = Standardisation::new(vec![0.0; PIXELS], vec![1.0; PIXELS]).unwrap();
    assert!(
        refused(&described.clone().with_standardisation(other).unwrap()).contains("other means")
    );
    assert!(refused(&described.clone().with_shape("1x37").unwrap()).contains("\"shape\" is 37x1"));
    let shapeless = plain.clone().with_standardisation(standardisation).unwrap();
    let mut adopting = trainer(&shapeless);
    adopting.load_state(&state).unwrap();
    assert_eq!(adopting.model().shape(), Some("37x1"));

    // Without either, the file is the one there was before there was either.
    let (bare, again) = (folder.path().join("bare"), folder.path().join("again"));
    plain.save(&bare, &Default::default()).unwrap();
    let loaded = Model::load(&bare).unwrap();
    assert_eq!((loaded.shape(), loaded.standardisation()), (None, None));
    loaded.save(&again, &Default::default()).unwrap();
    let bytes = fs::read(&bare).unwrap();
    assert_eq!(bytes, fs::read(&again).unwrap());
    let text = String::from_utf8_lossy(&bytes);
    assert!(!text.contains("standardisation") && !text.contains("shape\\"));
}

#[test]
fn descriptions_that_do_not_fit_are_refused() {
    let plain = || model(ModelKind::Ae, "bernoulli");
    for shape in [
        "28x28", "37x", "x37", "", "37 x 1", "+37", "-37x-1", "37x0", "1x1x38",
    ] {
        let error = plain().with_shape(shape).unwrap_err().to_string();
        assert!(error.contains("the 37 inputs of the model"), "{error}");
    }
    let overflowing = format!("{}x{}", usize::MAX, usize::MAX);
    assert!(plain().with_shape(overflowing).is_err());
    let two = Standardisation::new(vec![0.0; 2], vec![1.0; 2]).unwrap();
    let error = plain().with_standardisation(two).unwrap_err().to_string();
    assert_eq!(
        error,
        "the standardisation is of 2 features; expected the 37 inputs of the model"
    );
    for shape in ["37", "37x1", "1x37x1"] {
        assert_eq!(plain().with_shape(shape).unwrap().shape(), Some(shape));
    }
}

/// A model file as one from before there were seals, of which every change has
/// to be found by what it means.
fn unsealed(mut bytes: Vec<u8>) -> Vec<u8> {
    for (from, to) in [("atlas model 2", "atlas model 1"), ("\"sha256", "\"SHA256")] {
        let mut windows = bytes.windows(from.len());
        let at = windows
            .position(|window| window == from.as_bytes())
            .unwrap();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

#[test]
fn files_with_a_standardisation_that_means_nothing_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let whole = Standardisation::new(vec![0.5; PIXELS], vec![2.0; PIXELS]).unwrap();
    let described = model(ModelKind::Ae, "bernoulli")
        .with_standardisation(whole)
        .unwrap();
    described.save(&path, &Default::default()).unwrap();
    let bytes = unsealed(fs::read(&path).unwrap());
    let refused = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        Model::load(&path).unwrap_err().to_string()
    };
    let replaced = |from: &[u8], to: &[u8]| {
        let at = bytes
            .windows(from.len())
            .position(|window| window == from)
            .unwrap();
        let mut changed = bytes.clone();
        changed[at..at + to.len()].copy_from_slice(to);
        changed
    };
    let renamed = replaced(b"standardisation.mean", b"standardisation.meam");
    assert!(refused(&renamed).contains("tensor standardisation.meam is unknown"));
    let renamed = replaced(b"standardisation.deviation", b"strndardisation.deviation");
    let error = refused(&renamed);
    assert!(
        error.contains("tensor standardisation.deviation is missing; expected it with shape [37]"),
        "{error}"
    );
    let mut deviations = Vec::new();
    for _ in 0..PIXELS {
        deviations.extend(2.0_f32.to_le_bytes());
    }
    for odd in [0.0_f32, -1.0, f32::NAN] {
        let mut changed = deviations.clone();
        changed[8..12].copy_from_slice(&odd.to_le_bytes());
        let error = refused(&replaced(&deviations, &changed));
        assert!(
            error.contains("feature 2 has mean 0.5 and deviation"),
            "{error}"
        );
    }
    // The shape in a header: another product.
    let described = described.with_shape("37x1").unwrap();
    described.save(&path, &Default::default()).unwrap();
    let bytes = unsealed(fs::read(&path).unwrap());
    let at = bytes
        .windows(4)
        .position(|window| window == b"37x1")
        .unwrap();
    let mut changed = bytes.clone();
    changed[at] = b'4';
    let error = refused(&changed);
    assert!(
        error.contains("metadata \"shape\" is \"47x1\"; expected sizes joined by x"),
        "{error}"
    );
}

#[test]
fn images_of_no_row_have_no_codes() {
    let model = model(ModelKind::Vae, "bernoulli");
    let none = ArrayView2::<f32>::from_shape((0, PIXELS), &[]).unwrap();
    assert!(model.encode(none).is_empty());
}
