use std::collections::HashMap;

use super::*;
use crate::draws::uniforms;
use models::PixelRows;
use safetensors::tensor::{Dtype, TensorView, serialize};

/// Two-pixel images whose class is the quadrant they lie in.
fn quadrants(n: usize, seed: u64) -> (Array2<u8>, Vec<u32>) {
    let images = uniforms(seed, n, 2).mapv(|u| (255.0 * u) as u8);
    let labels = images
        .rows()
        .into_iter()
        .map(|row| u32::from(row[0] > 127) + 2 * u32::from(row[1] > 127))
        .collect();
    (images, labels)
}

fn small() -> ClassifierOptions {
    ClassifierOptions {
        hidden: vec![32, 8],
        epochs: 20,
        batch: 50,
        learning_rate: 0.01,
        seed: 3,
    }
}

#[test]
fn learns_the_quadrants() {
    let (images, labels) = quadrants(3000, 1);
    let mut classifier = Classifier::train(images.view(), &labels, 4, &small()).unwrap();
    let (test, test_labels) = quadrants(1000, 2);
    let accuracy = classifier
        .measure_test_accuracy(test.view(), &test_labels)
        .unwrap();
    assert!((0.97..=1.0).contains(&accuracy), "{accuracy}");
    assert_eq!(classifier.test_accuracy(), Some(accuracy));
    assert_eq!(classifier.architecture(), "2-32-8-4");
    assert_eq!((classifier.pixels(), classifier.class_count()), (2, 4));
    assert_eq!(classifier.feature_count(), 8);
    let probabilities = classifier.probabilities(test.view()).unwrap();
    for row in probabilities.rows() {
        assert!((row.sum() - 1.0).abs() < 1e-5);
    }
    // Values in [0, 1] and bytes are the same images.
    let values = test.mapv(|b| f32::from(b) / 255.0);
    assert_eq!(
        classifier.probabilities(values.view()).unwrap(),
        probabilities
    );
    let features = classifier.features(test.view()).unwrap();
    assert_eq!(features.dim(), (1000, 8));
    assert!(features.iter().all(|&f| f >= 0.0) && features.iter().any(|&f| f > 0.0));
}

/// Of 600 images, which are several blocks, every fifth is said to be of another class.
#[test]
fn the_accuracy_is_the_share_of_labels_found() {
    let (images, labels) = quadrants(200, 1);
    let options = ClassifierOptions {
        epochs: 1,
        ..small()
    };
    let mut classifier = Classifier::train(images.view(), &labels, 4, &options).unwrap();
    let (images, _) = quadrants(600, 8);
    let probabilities = classifier.probabilities(images.view()).unwrap();
    let mut classes = classifier.classify(images.view()).unwrap();
    for (row, &class) in probabilities.rows().into_iter().zip(&classes) {
        let own = row[class as usize];
        assert!(row.iter().all(|&other| other <= own));
    }
    // A row is the same alone.
    let last = images.slice(ndarray::s![599.., ..]);
    let alone = classifier.probabilities(last).unwrap();
    assert_eq!(alone.row(0), probabilities.row(599));
    for class in classes.iter_mut().step_by(5) {
        *class = (*class + 1) % 4;
    }
    let accuracy = classifier.measure_test_accuracy(images.view(), &classes);
    assert_eq!(accuracy.unwrap(), 0.8);
}

#[test]
fn the_first_of_equally_likely_classes_is_chosen() {
    for (probabilities, class) in [
        ([0.2_f32, 0.4, 0.4], 1),
        ([0.4, 0.4, 0.2], 0),
        ([0.1, 0.2, 0.7], 2),
        ([0.6, 0.1, 0.3], 0),
    ] {
        assert_eq!(likeliest(ndarray::aview1(&probabilities)), class);
    }
}

#[test]
fn logits_beyond_exponentials_have_probabilities() {
    for shift in [-200.0_f32, 0.0, 150.0] {
        let mut row = [1.0_f32, 2.0, 5.0].map(|share| share.ln() + shift);
        network::softmax(&mut row);
        for (found, expected) in row.iter().zip([0.125, 0.25, 0.625]) {
            assert!((found - expected).abs() < 1e-5, "{row:?}");
        }
    }
}

/// The test vectors that come with FNV.
#[test]
fn the_fingerprint_is_fnv_1a_of_the_weights() {
    for (text, hash) in [
        ("", 0xcbf2_9ce4_8422_2325),
        ("a", 0xaf63_dc4c_8601_ec8c),
        ("foobar", 0x8594_4171_f739_67e8),
    ] {
        assert_eq!(fnv_1a(text.bytes()), hash, "{text}");
    }
    let classifier = Classifier {
        network: Network::new(&[3, 2, 2], 4),
        test_accuracy: None,
    };
    let tensors = classifier.network.named_tensors();
    let bytes: Vec<u8> = tensors
        .iter()
        .flat_map(|tensor| tensor.values.iter().flat_map(|value| value.to_le_bytes()))
        .collect();
    // Two layers: six weights and two biases, four and two.
    assert_eq!(bytes.len(), 4 * (6 + 2 + 4 + 2));
    let hash = fnv_1a(bytes.into_iter());
    assert_eq!(classifier.fingerprint(), format!("{hash:016x}"));
}

/// The gradient of the loss, seen through one step of Adam: with a step size of
/// η the first step moves every weight by −η·sign(gradient), and the sign is
/// that of finite differences. The wide layer's weights are in parts, of which each
/// moves.
#[test]
fn the_first_step_follows_the_sign_of_finite_differences() {
    first_step(vec![7, 5]);
    first_step(vec![70, 5]);
}

fn first_step(hidden: Vec<usize>) {
    let (images, labels) = quadrants(20, 5);
    let widths = [&[2], &hidden[..], &[4]].concat();
    let options = ClassifierOptions {
        hidden,
        epochs: 1,
        batch: 20,
        learning_rate: 1e-3,
        seed: 9,
    };
    let start = Network::new(&widths, options.seed);
    let after = training::train(images.view().into(), &labels, 4, &options);
    let loss = |network: &Network| -> f64 {
        let mut buffers = network.buffers(20);
        let mut out = vec![0.0; 80];
        let pixels = PixelRows::Bytes(images.as_slice().unwrap());
        network.infer(pixels, 0, 3, &mut buffers, &mut out);
        labels
            .iter()
            .enumerate()
            .map(|(i, &label)| -f64::from(out[4 * i + label as usize]).ln() / 20.0)
            .sum()
    };
    let (mut compared, mut differing) = (0, 0);
    let mut compare = |of: &dyn Fn(&mut Network) -> &mut f32| {
        let shifted = |h: f32| {
            let mut moved = start.clone();
            *of(&mut moved) += h;
            loss(&moved)
        };
        let slope = (shifted(1e-3) - shifted(-1e-3)) / 2e-3;
        let step = *of(&mut after.clone()) - *of(&mut start.clone());
        if slope.abs() > 2e-3 {
            compared += 1;
            assert!((step.abs() - 1e-3).abs() < 2e-5, "step {step}");
            differing += usize::from(slope * f64::from(step) > 0.0);
        }
    };
    for (layer, of_layer) in start.layers.iter().enumerate() {
        let panels = of_layer.panels();
        for col in 0..panels.cols {
            compare(&|network| &mut network.layers[layer].bias[col]);
            for row in 0..panels.rows {
                let at = panels.index(row, col);
                compare(&|network| &mut network.layers[layer].weight[at]);
            }
        }
    }
    assert!(
        compared >= 30 && differing == 0,
        "{differing} of {compared} signs differ"
    );
}

/// Where all images are one, so are the gradients of all batches, and each step of
/// Adam moves a weight by its own step size: they fall by a sixth of the first each
/// time, six of them in two epochs of three batches.
#[test]
fn the_step_size_falls_linearly_from_batch_to_batch() {
    let images = Array2::from_elem((20, 2), 200u8);
    let options = ClassifierOptions {
        hidden: vec![7, 5],
        epochs: 2,
        batch: 8,
        learning_rate: 1e-4,
        seed: 9,
    };
    let start = Network::new(&[2, 7, 5, 4], options.seed);
    let after = training::train(images.view().into(), &[1; 20], 4, &options);
    let sum = 1e-4 * (6.0 + 5.0 + 4.0 + 3.0 + 2.0 + 1.0) / 6.0;
    let (before, after) = (&start.layers[2].bias, &after.layers[2].bias);
    for class in 0..4 {
        let moved = f64::from(after[class] - before[class]);
        let expected = if class == 1 { sum } else { -sum };
        assert!((moved / expected - 1.0).abs() < 5e-3, "{class}: {moved}");
    }
}

#[test]
fn threads_do_not_change_the_weights() {
    let (images, labels) = quadrants(500, 1);
    let options = ClassifierOptions {
        epochs: 2,
        ..small()
    };
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| Classifier::train(images.view(), &labels, 4, &options).unwrap())
    };
    let one = run(1);
    assert_eq!(one, run(3));
    assert_eq!(one.fingerprint(), run(2).fingerprint());
    let other = ClassifierOptions {
        seed: 4,
        ..options.clone()
    };
    let other = Classifier::train(images.view(), &labels, 4, &other).unwrap();
    assert_ne!(one.fingerprint(), other.fingerprint());
}

#[test]
fn survives_its_file() {
    let (images, labels) = quadrants(200, 1);
    let options = ClassifierOptions {
        epochs: 1,
        ..small()
    };
    let mut classifier = Classifier::train(images.view(), &labels, 4, &options).unwrap();
    classifier
        .measure_test_accuracy(images.view(), &labels)
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("classifier.safetensors");
    classifier.save(&path).unwrap();
    assert_eq!(Classifier::load(&path).unwrap(), classifier);
    let bytes = std::fs::read(&path).unwrap();
    classifier.save(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

    let damaged = folder.path().join("damaged");
    for broken in [
        &bytes[..bytes.len() - 5],
        &bytes[..7],
        b"not safetensors at all",
    ] {
        std::fs::write(&damaged, broken).unwrap();
        let message = Classifier::load(&damaged).unwrap_err().to_string();
        assert!(message.contains("damaged"), "{message}");
    }
    let refused = |bytes: &[u8]| {
        std::fs::write(&damaged, bytes).unwrap();
        Classifier::load(&damaged).unwrap_err().to_string()
    };
    let mut changed = bytes.clone();
    for bit in (0..8 * bytes.len()).step_by((8 * bytes.len() / 500) | 1) {
        changed[bit / 8] ^= 1 << (bit % 8);
        let message = refused(&changed);
        assert!(message.contains("damaged"), "bit {bit}: {message}");
        changed[bit / 8] ^= 1 << (bit % 8);
    }
    // As files from before there were seals.
    let at = bytes
        .windows(12)
        .position(|part| part == b"classifier 2")
        .unwrap();
    let mut not_finite = bytes.clone();
    not_finite[at + 11] = b'1';
    let at = bytes
        .windows(7)
        .position(|part| part == br#""sha256"#)
        .unwrap();
    not_finite[at + 1] = b'S';
    let end = not_finite.len();
    not_finite[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(refused(&not_finite).contains("NaN"));
    assert!(Classifier::load(&folder.path().join("absent")).is_err());
    assert!(
        classifier
            .save(&folder.path().join("no/such/folder"))
            .is_err()
    );
}

/// A file without a seal, of these widths and of tensors as they come.
fn written(format: &str, widths: &[usize], tensors: &[(&str, Dtype, &[usize])]) -> Vec<u8> {
    let bytes = [0u8; 256];
    let views = tensors.iter().map(|&(name, kind, shape)| {
        let length = 4 * shape.iter().product::<usize>();
        let view = TensorView::new(kind, shape.to_vec(), &bytes[..length]).unwrap();
        (name, view)
    });
    let metadata = format!(r#"{{"format":"{format}","widths":{widths:?},"test_accuracy":0.25}}"#);
    let entries = HashMap::from([("latent_atlas".to_owned(), metadata)]);
    serialize(views, Some(entries)).unwrap()
}

#[test]
fn a_file_is_read_if_its_widths_and_tensors_are_those_of_a_classifier() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("written.safetensors");
    let read = |bytes: Vec<u8>| {
        std::fs::write(&path, bytes).unwrap();
        Classifier::load(&path).map_err(|error| error.to_string())
    };
    let of_format = |number: usize| format!("latent-atlas classifier {number}");
    let tensors = |kind: Dtype, shape: &'static [usize]| {
        [
            ("classifier.0.weight", Dtype::F32, &[3, 2][..]),
            ("classifier.0.bias", Dtype::F32, &[3]),
            ("classifier.2.weight", kind, shape),
            ("classifier.2.bias", Dtype::F32, &[4]),
        ]
    };
    let good = tensors(Dtype::F32, &[4, 3]);
    let found = read(written(&of_format(1), &[2, 3, 4], &good)).unwrap();
    assert_eq!(
        (found.architecture(), found.test_accuracy()),
        ("2-3-4".to_owned(), Some(0.25))
    );
    // Files of the present format have seals.
    let unsealed = read(written(&of_format(2), &[2, 3, 4], &good)).unwrap_err();
    assert!(unsealed.contains("is damaged"), "{unsealed}");
    for (kind, shape) in [(Dtype::I32, &[4, 3]), (Dtype::F32, &[3, 4])] {
        let bytes = written(&of_format(1), &[2, 3, 4], &tensors(kind, shape));
        let found = read(bytes).unwrap_err();
        let expected =
            format!("holds classifier.2.weight as {kind:?} {shape:?} instead of F32 [4, 3]");
        assert!(found.contains(&expected), "{found}");
    }
    let most = MAXIMUM_WIDTH;
    for widths in [&[2, 3][..], &[2], &[2, 0, 4], &[2, most + 1, 4]] {
        let found = read(written(&of_format(1), widths, &good[..2])).unwrap_err();
        assert!(
            found.contains(&format!("states the widths {widths:?}")),
            "{found}"
        );
    }
    let found = read(written(&of_format(1), &[2, most, 4], &good)).unwrap_err();
    assert!(found.contains("classifier.0.weight"), "{found}");
    let found = read(written(&of_format(1), &[2, 3, 4], &good[..3])).unwrap_err();
    assert!(
        found.contains("lacks the tensor classifier.2.bias"),
        "{found}"
    );
}

#[test]
fn bad_input_is_an_error() {
    let (images, labels) = quadrants(20, 1);
    let train = |images: &Array2<u8>, labels: &[u32], options: &ClassifierOptions| {
        Classifier::train(images.view(), labels, 4, options)
    };
    assert!(train(&images, &labels[1..], &small()).is_err());
    assert!(train(&images, &[9; 20], &small()).is_err());
    assert!(train(&Array2::zeros((0, 2)), &[], &small()).is_err());
    for options in [
        ClassifierOptions {
            hidden: vec![],
            ..small()
        },
        ClassifierOptions {
            hidden: vec![0],
            ..small()
        },
        ClassifierOptions {
            batch: 0,
            ..small()
        },
        ClassifierOptions {
            epochs: 0,
            ..small()
        },
        ClassifierOptions {
            learning_rate: f64::NAN,
            ..small()
        },
        ClassifierOptions {
            learning_rate: f64::INFINITY,
            ..small()
        },
        ClassifierOptions {
            learning_rate: 0.0,
            ..small()
        },
        ClassifierOptions {
            hidden: vec![MAXIMUM_WIDTH + 1],
            ..small()
        },
    ] {
        assert!(train(&images, &labels, &options).is_err());
    }
    let classifier = train(
        &images,
        &labels,
        &ClassifierOptions {
            epochs: 1,
            ..small()
        },
    )
    .unwrap();
    assert!(
        classifier
            .probabilities(Array2::<f32>::zeros((3, 5)).view())
            .is_err()
    );
}
