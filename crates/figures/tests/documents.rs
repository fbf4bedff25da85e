//! The pictures that the documents have: the layers, the classes of random images,
//! a path through classes, the codes that explain an image, and gaps.

mod support;

use runs::run_folder::{RunResult, Status};
use serde_json::Value;
use support::{drawn, load, small_glyphs, trained, unlabelled_vectors};

const PICTURES: [&str; 5] = ["architecture", "classes", "path", "explained", "gaps"];

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    list(value).iter().map(|n| n.as_f64().unwrap()).collect()
}

#[test]
fn of_a_vae_and_an_autoencoder() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_glyphs(folder.path());
    let run = |name, kind| {
        let settings = ["model.hidden=[16]", "model.latent=3", kind];
        trained(folder.path(), &data, name, &settings)
    };
    let (vae, ae) = (run("v", "model.kind=vae"), run("a", "model.kind=ae"));
    let drawn = drawn(&[&vae, &ae], &PICTURES, folder.path().join("both")).unwrap();

    let boxes = |model: usize| -> Vec<u64> {
        let layers = list(&list(drawn.data("architecture"))[model]["layers"]);
        layers
            .iter()
            .map(|layer| layer[1].as_u64().unwrap())
            .collect()
    };
    assert_eq!(boxes(0), [784, 16, 6, 3, 16, 784]);
    assert_eq!(boxes(1), [784, 16, 3, 16, 784]);

    let classes = drawn.data("classes");
    let models = list(&classes["models"]);
    let dataset = load(&vae);
    let labels = dataset.test.labels().unwrap();
    let of_class = |class| labels.iter().filter(|&&label| label == class).count();
    let own: Vec<f64> = (0..10)
        .map(|class| of_class(class) as f64 / 100.0)
        .collect();
    assert_eq!(numbers(&classes["data"]), own);
    for shares in [&models[0]["shares"], &models[1]["shares"]] {
        let shares = numbers(shares);
        assert_eq!(shares.len(), 10);
        assert!(
            (shares.iter().sum::<f64>() - 1.0).abs() < 1e-9,
            "{shares:?}"
        );
    }
    let caption = drawn.caption("classes");
    assert!(
        caption.contains("z ~ N(0, I); for AE 784-16-3 of the normal"),
        "{caption}"
    );

    let path = drawn.data("path");
    assert_eq!(list(&path["classes"]).len(), 4);
    for model in list(&path["models"]) {
        assert!(
            list(&model["codes"])
                .iter()
                .all(|code| list(code).len() == 3)
        );
    }

    for gaps in list(drawn.data("gaps")) {
        assert_eq!(gaps["random_codes"], 50);
        let [median, usual] = ["median", "usual"].map(|name| gaps[name].as_f64().unwrap());
        assert!(0.0 < median && median < usual);
        assert!((0.0..=1.0).contains(&gaps["share_in_gaps"].as_f64().unwrap()));
    }

    // Only distributions have an ellipse; on it a trained model loses something.
    let explained = list(drawn.data("explained"));
    assert_eq!(explained.len(), 3);
    assert!(explained.iter().all(|image| image["model"] == "v"));
    assert!(drawn.caption("explained").contains("Left out: AE 784-16-3"));
}

#[test]
fn without_labels_what_needs_classes_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let data = unlabelled_vectors(folder.path());
    let settings = [
        "model.hidden=[]",
        "model.latent=2",
        "model.likelihood=gaussian-identity",
    ];
    let run = trained(folder.path(), &data, "run", &settings);
    let drawn = drawn(&[&run], &PICTURES, folder.path().join("alone")).unwrap();
    let names: Vec<&String> = drawn.pictures.keys().collect();
    assert_eq!(names, ["architecture", "explained", "gaps"]);
    assert_eq!(drawn.page.matches("Left out: ").count(), 2);
    assert_eq!(list(drawn.data("explained")).len(), 3);
}

#[test]
fn of_a_single_class_everything_else_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let unlabelled = std::fs::read_to_string(unlabelled_vectors(folder.path())).unwrap();
    let path = folder.path().join("one-class.csv");
    let labelled = unlabelled.lines().enumerate().map(|(row, line)| {
        let label = if row == 0 { "label" } else { "only" };
        format!("{line},{label}\n")
    });
    std::fs::write(&path, labelled.collect::<String>()).unwrap();
    let settings = [
        "model.hidden=[]",
        "model.latent=2",
        "model.likelihood=gaussian-identity",
    ];
    let run = trained(folder.path(), &path.display().to_string(), "run", &settings);
    let drawn = drawn(&[&run], &[], folder.path().join("alone")).unwrap();
    for name in ["interpolation", "codes", "explained", "training"] {
        assert!(
            drawn.pictures.contains_key(name),
            "{name}: {:?}",
            drawn.pictures.keys()
        );
    }
    for name in ["path", "classes", "regions"] {
        assert!(!drawn.pictures.contains_key(name), "{name}");
    }
    assert!(drawn.page.contains("it takes two classes"));
}

#[test]
fn a_run_that_diverged_before_it_had_weights_is_named_and_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let data = unlabelled_vectors(folder.path());
    let run = |name, seed| {
        let settings = ["model.likelihood=gaussian", "model.hidden=[4]", seed];
        trained(folder.path(), &data, name, &settings)
    };
    let (finished, diverged) = (run("f", "training.seed=1"), run("d", "training.seed=2"));
    let result = diverged.read_result().unwrap().unwrap();
    std::fs::remove_file(diverged.model()).unwrap();
    diverged
        .write_result(&RunResult {
            status: Status::Diverged,
            divergence: Some("training diverged in epoch 1, step 3: the loss is not finite".into()),
            ..result
        })
        .unwrap();
    let both = [&finished, &diverged];
    let page = drawn(&both, &["training"], folder.path().join("both"))
        .unwrap()
        .page;
    assert!(
        page.contains("Left out") && page.contains("step 3"),
        "{page}"
    );
    let alone = drawn(&both[1..], &["training"], folder.path().join("alone"));
    let message = alone.err().unwrap().to_string();
    assert!(
        message.contains("has no weights to draw") && message.contains("step 3"),
        "{message}"
    );
}
