//! What a page holds is what it was given.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

#[allow(dead_code, reason = "each test uses a part of it")]
mod small_page;

use explorer::{Error, Explorer, Weights};
use models::{Model, ModelSpec};
use small_page::{Payload, contents, images, model, text};

fn two() -> Vec<Model> {
    vec![
        model("vae", "36-20-3", "gaussian/per-pixel", "relu", 1),
        model("ae", "36-2", "bernoulli", "tanh", 2),
    ]
}

#[test]
fn everything_comes_back() {
    let (models, images) = (two(), images(50));
    let contents = contents(&models, &images);
    let page = Explorer::new(&contents).unwrap();
    let payload = Payload::of(&page);
    let manifest = &payload.manifest;
    assert_eq!(manifest["format"], 1);
    assert_eq!(manifest["title"], contents.title.as_str());
    let data = &manifest["data"];
    assert_eq!((&data["rows"], &data["images"]), (&250.into(), &50.into()));
    assert_eq!(data["shape"]["kind"], "image");
    assert_eq!(data["colours"][0], "#3f90da");
    assert_eq!(payload.numbers(&data["index"])[3], 16.0);
    assert_eq!(payload.numbers(&data["labels"])[..4], [0.0, 1.0, 2.0, 0.0]);
    let which = payload.numbers(&data["thumbnails"]["which"]);
    assert!(which.is_sorted() && which.len() == 20);
    let pixels = payload.numbers(&data["thumbnails"]["pixels"]);
    for (thumbnail, &row) in which.iter().enumerate() {
        let found = &pixels[36 * thumbnail..36 * (thumbnail + 1)];
        let expected = images.row(row as usize);
        let alike = found
            .iter()
            .zip(expected)
            .all(|(&a, &b)| a == f64::from(b * 255.0).round());
        assert!(alike, "thumbnail {thumbnail}");
    }
    for (stored, (run, precision)) in manifest["models"]
        .as_array()
        .unwrap()
        .iter()
        .zip(contents.runs.iter().zip(page.precisions()))
    {
        let latent = run.codes.mean.ncols();
        let found = payload.codes(&stored["codes"], "mean");
        for (index, (&found, &expected)) in found.iter().zip(&run.codes.mean).enumerate() {
            let l = index % latent;
            let bound = |name: &str| stored["codes"][name][l].as_f64().unwrap();
            let error = (found - f64::from(expected)).abs();
            assert!(
                error <= (bound("high") - bound("low")) / 65535.0,
                "{index}: {error}"
            );
        }
        assert_eq!(
            stored["codes"]["log_variance"].is_null(),
            run.key == "run-1"
        );
        assert_eq!(stored["kl"].is_null(), run.key == "run-1");
        let losses = run
            .model
            .reconstruction_losses(run.codes.mean.view(), run.images);
        let losses: Vec<f64> = losses.into_iter().map(f64::from).collect();
        assert_eq!(payload.numbers(&stored["reconstruction"]), losses);
        // The layers are those of the model, as exactly as is said.
        let layers = stored["encoder"].as_array().unwrap().iter();
        let layers = layers
            .chain([&stored["head"]])
            .chain(stored["decoder"].as_array().unwrap());
        let found: Vec<f32> = layers.flat_map(|layer| payload.weights(layer)).collect();
        let tensors = run.model.named_tensors();
        let weights = tensors.iter().filter(|tensor| tensor.shape.len() == 2);
        let expected: Vec<f32> = weights.flat_map(|tensor| tensor.values.clone()).collect();
        assert_eq!(found.len(), expected.len());
        let largest = expected
            .iter()
            .fold(0.0_f32, |most, weight| most.max(weight.abs()));
        let error = found
            .iter()
            .zip(&expected)
            .fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
        assert!(
            error > 0.0 && error < 0.03 * largest,
            "{error} of {largest}"
        );
        assert!(precision.decoded_error <= 1e-3 && precision.encoded_error.unwrap() <= 1e-3);
        assert_eq!(stored["precision"]["decoder_bits"], precision.decoder_bits);
        // Moments of training.
        let moments = payload.codes(&stored["trajectories"], "mean");
        assert_eq!(moments.len(), 3 * 50 * latent);
        let expected = 2.0 * f64::from(run.codes.mean[[1, 0]]);
        assert!((moments[100 * latent + latent] - expected).abs() < 1e-3);
        let losses = &stored["metrics"][0];
        assert_eq!(losses["train"]["loss"], 3.1235);
        assert!(losses["train"]["kl"].is_null());
    }
    let [first, second] = [0, 1].map(|model| &manifest["models"][model]);
    assert_eq!(
        (&first["plane"], &second["plane"]),
        (&"variables".into(), &"whole".into())
    );
    assert_eq!(payload.numbers(&first["likelihood"]["log_sigma"]).len(), 36);
}

#[test]
fn the_same_contents_give_the_same_bytes() {
    let (models, images) = (two(), images(40));
    let page = || Explorer::new(&contents(&models, &images)).unwrap();
    let one = page();
    assert_eq!(one.html(), page().html());
    // Nothing of what was given can end the element it stands in.
    let html = one.html();
    assert_eq!(html.matches("</script>").count(), 2);
    assert!(!html.contains("<!--") && text(&one).bytes().all(|b| b != b'<'));
    assert!(html.contains("&lt;/script&gt;&lt;!-- \u{202e}title</title>"));
}

#[test]
fn a_page_without_an_encoder_has_none_and_a_compact_one_has_bytes() {
    let (models, images) = (two(), images(40));
    let mut contents = contents(&models, &images);
    contents.weights = Weights {
        compact: true,
        without_encoder: true,
    };
    let page = Explorer::new(&contents).unwrap();
    let stored = &Payload::of(&page).manifest["models"][0];
    for absent in ["encoder", "head"] {
        assert!(stored[absent].is_null());
    }
    assert!(stored["precision"]["encoder_bits"].is_null());
    let layers = stored["decoder"].as_array().unwrap();
    let bits: Vec<u64> = layers
        .iter()
        .map(|l| l["weight"]["bits"].as_u64().unwrap())
        .collect();
    // The small layer is exact whatever is asked for.
    assert_eq!(bits, [16, 8]);
    assert!(layers[1]["weight"]["high"].is_null());
}

#[test]
fn what_makes_no_page_is_a_sentence() {
    let (models, images) = (two(), images(40));
    let whole = contents(&models, &images);
    let refused =
        |contents: &explorer::Contents<'_>| Explorer::new(contents).unwrap_err().to_string();

    let mut none = whole.clone();
    none.runs.clear();
    assert!(refused(&none).starts_with("there is no run to explore"));

    let mut fewer = whole.clone();
    fewer.data.index.pop();
    assert!(refused(&fewer).contains("the list of labels has 40 rows; expected 39"));

    let mut many = whole.clone();
    many.data.classes = vec![String::new(); 70_000];
    assert!(refused(&many).contains("70000 classes"));

    let mut broken = whole.clone();
    broken.runs[0].codes.mean[[3, 1]] = f32::NAN;
    assert!(refused(&broken).contains("the array of codes holds a NaN"));

    let spec = ModelSpec {
        kind: "ae".parse().unwrap(),
        architecture: "36-2".parse().unwrap(),
        likelihood: "bernoulli".parse().unwrap(),
        posterior_scale: Default::default(),
    };
    // Weights that are finite, and nothing that is made of them.
    let tensors = models[1].named_tensors().into_iter().map(|mut tensor| {
        tensor.values.fill(f32::MAX);
        tensor
    });
    let huge = [Model::from_named_tensors(spec, tensors).unwrap()];
    let broken = contents(&huge, &images);
    assert!(matches!(
        Explorer::new(&broken),
        Err(Error::NotFinite { .. })
    ));
}
