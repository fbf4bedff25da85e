use super::*;
use crate::draws::uniforms;
use models::PixelRows;

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
    assert!(accuracy > 0.97, "{accuracy}");
    assert_eq!(classifier.test_accuracy(), Some(accuracy));
    assert_eq!(classifier.architecture(), "2-32-8-4");
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

/// The gradient of the loss, seen through one step of Adam: with a step size of
/// η the first step moves every weight by −η·sign(gradient), and the sign is
/// that of finite differences.
#[test]
fn the_first_step_follows_the_sign_of_finite_differences() {
    let (images, labels) = quadrants(20, 5);
    let options = ClassifierOptions {
        hidden: vec![7, 5],
        epochs: 1,
        batch: 20,
        learning_rate: 1e-3,
        seed: 9,
    };
    let start = Network::new(&[2, 7, 5, 4], options.seed);
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
    for layer in 0..3 {
        let panels = start.layers[layer].panels();
        for row in 0..panels.rows {
            for col in 0..panels.cols {
                let at = panels.index(row, col);
                let shifted = |h: f32| {
                    let mut moved = start.clone();
                    moved.layers[layer].weight[at] += h;
                    loss(&moved)
                };
                let slope = (shifted(1e-2) - shifted(-1e-2)) / 2e-2;
                let step = after.layers[layer].weight[at] - start.layers[layer].weight[at];
                if slope.abs() > 1e-3 {
                    compared += 1;
                    assert!((step.abs() - 1e-3).abs() < 2e-5, "step {step}");
                    differing += usize::from(slope * f64::from(step) > 0.0);
                }
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
        assert!((moved / expected - 1.0).abs() < 1e-2, "{class}: {moved}");
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
