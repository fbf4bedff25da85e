//! Every measure on degenerate data: an error that says what was found, or a
//! value in which nothing is NaN or infinite.

use evaluation::aggregate_posterior::{Lattice, aggregate_mass};
use evaluation::class_areas::class_areas;
use evaluation::codes::{axis_symmetry, code_extent, whiten};
use evaluation::elbo::{kl_per_dimension, sample_codes, sampled_losses};
use evaluation::entropy_floor::entropy_floor;
use evaluation::frechet::frechet_distance_of;
use evaluation::gaps::gaps;
use evaluation::knn::knn_accuracy;
use evaluation::likelihood::likelihood_bounds;
use evaluation::map::{LatticeShape, centre_change, change_field, class_map, neighbour_change};
use evaluation::mmd::{mmd_permutation_test, mmd_to_prior};
use evaluation::overlap::posterior_overlap;
use evaluation::prdc::{expected_coverage, prdc};
use evaluation::rates::rate_decomposition;
use evaluation::round_trip::compare_round_trip;
use evaluation::sphericity::sphericity;
use evaluation::statistics::Claim::AtLeast;
use evaluation::statistics::{
    Scale, interval, one_sided, paired_difference, spread, spread_comparison, t_interval,
};
use evaluation::stretch::{DecoderNetwork, ImageMetric};
use evaluation::trajectory::trajectories;
use evaluation::variance_law::variance_law;
use evaluation::{Classifier, ClassifierOptions, EvaluationError, EvaluationOptions, evaluate};
use models::{Codes, Images, Initialisation, Model, ModelKind, ModelSpec};
use ndarray::{Array2, Array3, Axis, array};

const CLASSES: usize = 7;

/// Codes, log variances of their posteriors, and labels.
struct Case {
    name: &'static str,
    codes: Array2<f32>,
    log_variances: Array2<f32>,
    labels: Vec<u32>,
}

/// Deterministic numbers without a pattern, between −1 and 1.
fn scattered(rows: usize, columns: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, columns), |(i, j)| {
        let at = (i * 7919 + j * 104_729 + i * j * 31 + 17) % 1009;
        2.0 * at as f32 / 1009.0 - 1.0
    })
}

fn cases() -> Vec<Case> {
    let of = |name, codes: Array2<f32>| {
        let (n, latent) = codes.dim();
        Case {
            name,
            log_variances: scattered(n, latent).mapv(|value| value - 3.0),
            labels: (0..n).map(|image| (image % CLASSES) as u32).collect(),
            codes,
        }
    };
    let with = |mut case: Case, log_variance: f32| {
        case.log_variances.fill(log_variance);
        case
    };
    let labelled = |mut case: Case, label: fn(usize) -> u32| {
        case.labels = (0..case.codes.nrows()).map(label).collect();
        case
    };
    let mut constant_dimension = scattered(60, 2);
    constant_dimension.column_mut(1).fill(0.1);
    let mut outlier = Array2::from_elem((60, 2), 0.3);
    outlier[[17, 0]] = 5e6;
    let mut lowest = Array2::zeros((60, 2));
    lowest.column_mut(0).fill(f32::MIN_POSITIVE);
    lowest[[0, 0]] = 0.0;
    let few_points = Array2::from_shape_fn((60, 2), |(i, j)| ((i / 20 + j) % 2) as f32);
    let mut mostly_one = scattered(60, 2);
    mostly_one.slice_mut(ndarray::s![..57, ..]).fill(0.7);
    vec![
        of("none", Array2::zeros((0, 2))),
        of("no dimension", Array2::zeros((9, 0))),
        of("one image", array![[0.4, -0.2]]),
        of("two images", scattered(2, 2)),
        of("two alike", Array2::from_elem((2, 2), 0.1)),
        of("all equal", Array2::from_elem((60, 2), 0.1)),
        of("all at the origin", Array2::zeros((60, 2))),
        of("a constant dimension", constant_dimension),
        of(
            "on a line",
            Array2::from_shape_fn((60, 2), |(i, _)| i as f32),
        ),
        of("duplicates", few_points),
        of("mostly one point", mostly_one),
        of("an outlier", outlier),
        of("the smallest spread", lowest),
        of("far out", scattered(60, 2).mapv(|value| 1e18 * value)),
        of("latent 1", scattered(60, 1)),
        of("latent 1, all equal", Array2::from_elem((60, 1), 0.1)),
        of("n below latent", scattered(8, 40)),
        of("large latent", scattered(300, 200)),
        labelled(of("one class", scattered(60, 2)), |_| 3),
        labelled(of("empty classes", scattered(60, 2)), |image| {
            6 * (image % 2) as u32
        }),
        labelled(
            of("more classes than there are", scattered(60, 2)),
            |image| image as u32,
        ),
        labelled(of("a label of all bits", scattered(60, 2)), |_| u32::MAX),
        with(of("points for posteriors", scattered(60, 2)), -75.0),
        with(of("narrower than numbers", scattered(60, 2)), -3e4),
        with(of("wider than numbers", scattered(60, 2)), 3e4),
        with(of("narrow, in many dimensions", scattered(60, 100)), -20.0),
        of("not finite", array![[0.0, 1.0], [f32::NAN, 0.0]]),
        of(
            "infinite",
            array![[0.0, 1.0], [f32::INFINITY, 0.0], [1.0, 1.0]],
        ),
    ]
}

/// What a measure said of a case: nothing that is no number, or one sentence.
fn holds<T: std::fmt::Debug>(case: &str, measure: &str, found: Result<T, EvaluationError>) -> bool {
    match found {
        Ok(value) => {
            let text = format!("{value:?}");
            let no_number = |word: &str| word == "NaN" || word == "inf";
            let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
            assert!(
                !words.into_iter().any(no_number),
                "{measure} of {case}: {text}"
            );
            true
        }
        Err(error) => {
            let text = error.to_string();
            assert!(
                text.contains("expected") || text.contains("needed"),
                "{measure} of {case}: {text}"
            );
            false
        }
    }
}

#[test]
fn every_measure_of_codes_ends_in_numbers_or_in_a_sentence() {
    let mut measured = std::collections::BTreeMap::<&str, usize>::new();
    for case in cases() {
        let Case {
            name,
            codes: array,
            log_variances,
            labels,
        } = &case;
        let (codes, variances) = (array.view(), log_variances.view());
        let posteriors = Codes {
            mean: array.clone(),
            log_variance: Some(log_variances.clone()),
        };
        let shape = LatticeShape {
            rows: array.nrows(),
            columns: 1,
        };
        let reversed = array.slice(ndarray::s![..;-1, ..]);
        let moments = Array3::from_shape_fn((2, array.nrows(), array.ncols()), |(t, i, j)| {
            array[[i, j]] * t as f32
        });
        let widths = moments.mapv(|_| log_variances.first().copied().unwrap_or(0.0));
        let finite = |measure: &'static str, is_ok: bool| (measure, is_ok);
        let results = [
            finite(
                "code_extent",
                holds(name, "code_extent", code_extent(codes)),
            ),
            finite(
                "axis_symmetry",
                holds(name, "axis_symmetry", axis_symmetry(codes)),
            ),
            finite(
                "whiten",
                holds(
                    name,
                    "whiten",
                    whiten(codes).map(|white| white.into_raw_vec_and_offset().0),
                ),
            ),
            finite("sphericity", holds(name, "sphericity", sphericity(codes))),
            finite("gaps", holds(name, "gaps", gaps(codes, 20, 0.05, 1))),
            finite(
                "class_areas",
                holds(
                    name,
                    "class_areas",
                    class_areas(codes, labels, CLASSES, 0.9),
                ),
            ),
            finite(
                "class_areas of many",
                holds(name, "class_areas", class_areas(codes, labels, 60, 0.9)),
            ),
            finite(
                "knn",
                holds(
                    name,
                    "knn",
                    knn_accuracy(codes, labels, reversed, labels, &[1, 5, 15]),
                ),
            ),
            finite(
                "knn of all",
                holds(
                    name,
                    "knn",
                    knn_accuracy(codes, labels, codes, labels, &[array.nrows()]),
                ),
            ),
            finite(
                "mmd_to_prior",
                holds(name, "mmd_to_prior", mmd_to_prior(codes, 20, 10, 1)),
            ),
            finite(
                "mmd_permutation",
                holds(
                    name,
                    "mmd_permutation",
                    mmd_permutation_test(codes, reversed, 10, 1),
                ),
            ),
            finite(
                "frechet",
                holds(name, "frechet", frechet_distance_of(codes, reversed)),
            ),
            finite("prdc", holds(name, "prdc", prdc(codes, reversed, 5))),
            finite(
                "round_trip",
                holds(name, "round_trip", compare_round_trip(codes, reversed)),
            ),
            finite("kl", holds(name, "kl", kl_per_dimension(codes, variances))),
            finite(
                "variance_law",
                holds(name, "variance_law", variance_law(codes, variances)),
            ),
            finite(
                "rates",
                holds(name, "rates", rate_decomposition(&posteriors, 1)),
            ),
            finite(
                "overlap",
                holds(
                    name,
                    "overlap",
                    posterior_overlap(codes, variances, &[0.0, 1.0], 5, 1),
                ),
            ),
            finite(
                "trajectories",
                holds(
                    name,
                    "trajectories",
                    trajectories(&[0.0, 1.0], moments.view(), Some(widths.view())),
                ),
            ),
            finite(
                "aggregate",
                holds(
                    name,
                    "aggregate",
                    aggregate_mass(
                        codes,
                        variances,
                        Lattice {
                            half_width: 8.0,
                            cells: 21,
                        },
                    )
                    .map(|mass| mass.against_prior(0.1)),
                ),
            ),
            finite(
                "neighbour_change",
                holds(name, "neighbour_change", neighbour_change(codes, shape)),
            ),
            finite(
                "centre_change",
                holds(name, "centre_change", centre_change(codes, shape, 1)),
            ),
            finite(
                "change_field",
                holds(name, "change_field", change_field(codes, shape)),
            ),
            finite(
                "class_map",
                holds(
                    name,
                    "class_map",
                    class_map(codes.mapv(f32::abs).view(), shape, 0.01),
                ),
            ),
        ];
        for (measure, is_ok) in results {
            *measured.entry(measure).or_default() += usize::from(is_ok);
        }
    }
    // The cases are degenerate for some measures and not for all: none may
    // refuse everything. A patch of one tile has no neighbours.
    for (measure, count) in measured {
        assert!(
            count >= 5 || measure == "centre_change",
            "{measure}: {count}"
        );
    }
}

#[test]
fn what_has_no_value_is_absent_and_null() {
    let equal = Array2::from_elem((60, 2), 0.1_f32);
    let round = sphericity(equal.view()).unwrap();
    assert_eq!(
        (round.eigenvalue_ratio, round.radius_distance, round.bingham),
        (None, None, None)
    );
    let json = serde_json::to_value(&round).unwrap();
    assert!(json["mean_direction"].is_null() && json["radius_distance_to_prior"].is_number());
    let axis = axis_symmetry(equal.view()).unwrap()[1];
    assert_eq!((axis.standardised_mean, axis.asymmetry), (None, 1.0));
    let origin = Array2::<f32>::zeros((60, 2));
    assert_eq!(code_extent(origin.view()).unwrap().offset_share, None);
    assert_eq!(code_extent(equal.view()).unwrap().offset_share, Some(1.0));
    let permuted = mmd_permutation_test(equal.view(), equal.view(), 10, 1).unwrap();
    assert_eq!((permuted.mmd_squared, permuted.ratio), (0.0, None));
    assert!(serde_json::to_value(permuted).unwrap()["ratio"].is_null());
    let line = scattered(60, 1);
    assert_eq!(sphericity(line.view()).unwrap().bingham_p_value, None);
    let far = Array2::from_elem((3, 2), 1e4_f32);
    let trip = compare_round_trip(far.view(), far.view()).unwrap();
    assert_eq!((trip.mean, trip.prior_weighted_mean), (0.0, None));
    let tile = LatticeShape {
        rows: 1,
        columns: 1,
    };
    assert_eq!(
        class_map(array![[1.0, 0.0]].view(), tile, 0.01)
            .unwrap()
            .boundary_share,
        None
    );
    let posteriors = Codes {
        mean: array![[0.3, 0.1]],
        log_variance: Some(array![[-1.0, -2.0]]),
    };
    let rates = rate_decomposition(&posteriors, 1).unwrap();
    assert_eq!(rates.mutual_information_standard_error, None);
    assert_eq!(expected_coverage(5, 9, 5), None);
    assert_eq!(expected_coverage(5, 0, 2), None);
}

#[test]
fn few_and_equal_seeds_have_no_spread_to_compare() {
    for (name, first, second) in [
        ("none", vec![], vec![]),
        ("one", vec![1.0], vec![2.0]),
        ("equal", vec![0.1; 5], vec![0.1; 5]),
        ("one side equal", vec![0.1, 0.2, 0.4], vec![0.1; 3]),
        ("other side equal", vec![0.1; 3], vec![0.1, 0.2, 0.4]),
        ("beyond squares", vec![1e300, -1e300], vec![0.0, 1.0]),
        (
            "beyond differences",
            vec![f64::MAX, 1.0],
            vec![-f64::MAX, 1.0],
        ),
        ("not finite", vec![f64::NAN, 1.0], vec![f64::INFINITY, 1.0]),
    ] {
        holds(name, "t_interval", t_interval(&first, 0.95));
        holds(
            name,
            "paired_difference",
            paired_difference(&first, &second, 0.95),
        );
        for scale in [Scale::Real, Scale::Ratio, Scale::Share, Scale::Count] {
            let measure = format!("{scale:?}");
            holds(name, &measure, interval(&first, scale, 0.95));
            let evidence = one_sided(&first, scale, AtLeast, 0.5);
            holds(name, &measure, evidence);
        }
        holds(name, "spread", spread(&first, &second));
        holds(
            name,
            "spread_comparison",
            spread_comparison(&first, &second, 0.95),
        );
    }
    assert!(spread_comparison(&[0.1, 0.2, 0.4], &[0.3; 3], 0.95).is_err());
    assert!(spread_comparison(&[0.3; 3], &[0.1, 0.2, 0.4], 0.95).is_ok());
}

fn model(kind: ModelKind, architecture: &str, likelihood: &str) -> Model {
    let spec = ModelSpec {
        kind,
        architecture: architecture.parse().unwrap(),
        likelihood: likelihood.parse().unwrap(),
        posterior_scale: Default::default(),
    };
    Model::new(spec, Initialisation::PyTorchUniform, 1).unwrap()
}

/// Bytes and values, one image to many, all alike and not, odd values.
fn image_cases() -> Vec<(&'static str, Array2<f32>)> {
    let image = Array2::from_shape_fn((1, 12), |(_, pixel)| pixel as f32 / 11.0);
    let mut high = image.clone();
    high[[0, 4]] = 1.5;
    let mut broken = image.clone();
    broken[[0, 4]] = f32::NAN;
    vec![
        ("none", Array2::zeros((0, 12))),
        ("black", Array2::zeros((30, 12))),
        ("white", Array2::ones((30, 12))),
        ("one", image.clone()),
        ("all equal", image.broadcast((30, 12)).unwrap().to_owned()),
        ("scattered", scattered(30, 12).mapv(f32::abs)),
        ("standardised", scattered(30, 12).mapv(|value| 3.0 * value)),
        ("huge", scattered(30, 12).mapv(|value| 1e30 * value)),
        ("high", high),
        ("not finite", broken),
        ("narrow", Array2::zeros((30, 11))),
    ]
}

#[test]
fn every_measure_of_a_model_ends_in_numbers_or_in_a_sentence() {
    let mut measured = 0;
    for (kind, architecture, likelihood) in [
        (ModelKind::Vae, "12-5-2", "bernoulli"),
        (ModelKind::Vae, "12-5-1", "continuous-bernoulli"),
        (ModelKind::Vae, "12-30", "gaussian-identity/0.1"),
        (ModelKind::Ae, "12-5-2", "bernoulli"),
        (ModelKind::AeL2, "12-5-1", "gaussian/scalar"),
    ] {
        let model = model(kind, architecture, likelihood);
        for (name, values) in image_cases() {
            let bytes = values.mapv(|value| (255.0 * value) as u8);
            for images in [Images::from(&values), Images::from(&bytes)] {
                let options = EvaluationOptions::default();
                let found = evaluate(&model, images, &options);
                if let Ok(found) = &found {
                    measured += 1;
                    let text = serde_json::to_string(found).unwrap();
                    let read: evaluation::Evaluation = serde_json::from_str(&text).unwrap();
                    assert_eq!(&read, found, "{name}");
                }
                holds(name, "evaluate", found);
                holds(name, "sampled_losses", sampled_losses(&model, images, 1, 2));
                holds(name, "entropy_floor", entropy_floor(images));
                let bounds = likelihood_bounds(&model, images, 12, 1, &|| {});
                if let Ok(bounds) = &bounds {
                    let error = bounds.nll[&12].standard_error;
                    assert_eq!(error.is_none(), images.nrows() == 1, "{name}");
                }
                holds(name, "likelihood_bounds", bounds);
            }
        }
        let latent = model.spec().architecture.latent;
        let network = DecoderNetwork::of_model(&model);
        for metric in [
            ImageMetric::MeanImages,
            ImageMetric::Outputs,
            ImageMetric::FisherRao,
        ] {
            for codes in [
                Array2::zeros((0, latent)),
                Array2::zeros((1, latent)),
                scattered(9, latent).mapv(|z| 1e20 * z),
            ] {
                holds(
                    architecture,
                    "stretch",
                    network.stretch(codes.view(), metric),
                );
            }
        }
    }
    assert!(measured > 40, "{measured}");
}

#[test]
fn a_classifier_of_degenerate_data_is_trained_or_refused() {
    let options = ClassifierOptions {
        hidden: vec![6, 4],
        epochs: 2,
        ..ClassifierOptions::default()
    };
    let mut trained = 0;
    for (name, values) in image_cases() {
        let n = values.nrows();
        let alternating = |classes: u32| (0..n as u32).map(|i| i % classes).collect::<Vec<u32>>();
        for (labels, class_count) in [
            (vec![0; n], 1),
            (vec![2; n], 9),
            (alternating(7), 7),
            (alternating(7), 3),
            (alternating(2), 100_000),
            (vec![u32::MAX; n], 300),
            (vec![0; n + 1], 3),
        ] {
            let found = Classifier::train(&values, &labels, class_count, &options);
            let Ok(mut classifier) = found else {
                let error = found.unwrap_err().to_string();
                assert!(
                    error.contains("expected") || error.contains("needed"),
                    "{error}"
                );
                continue;
            };
            trained += 1;
            holds(
                name,
                "accuracy",
                classifier.measure_test_accuracy(&values, &labels),
            );
            let huge = name == "huge";
            if !huge {
                let probabilities = classifier
                    .probabilities(&values)
                    .map(|p| p.into_raw_vec_and_offset().0);
                assert!(holds(name, "probabilities", probabilities));
                let classes = classifier.classify(&values).unwrap();
                assert!(classes.iter().all(|&class| (class as usize) < class_count));
            }
        }
    }
    assert!(trained > 15, "{trained}");
}

#[test]
fn codes_of_collapsed_models_are_sampled_without_noise_of_nothing() {
    let codes = Codes {
        mean: Array2::from_elem((4, 3), 0.5),
        log_variance: Some(Array2::from_elem((4, 3), -200.0)),
    };
    assert!(sample_codes(&codes, 3).iter().all(|&z| z == 0.5));
    assert_eq!(codes.mean.len_of(Axis(0)), 4);
}
