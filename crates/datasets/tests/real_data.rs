//! The published MNIST and Fashion-MNIST files, where they are on this
//! machine: in `$LATENT_ATLAS_DATA`, or in `shared/data` beside the workspace.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use std::path::{Path, PathBuf};

use datasets::{Dataset, FileStatus, Lookup};

/// Where `set` may be looked up, or nothing, said aloud.
fn lookup(set: &str) -> Option<Lookup> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let environment = std::env::var_os("LATENT_ATLAS_DATA")
        .filter(|value| !value.is_empty())
        .map(PathBuf::from);
    let lookup = Lookup {
        data_dir: environment,
        default_dir: beside,
        offline: true,
        ..Lookup::default()
    };
    let present = datasets::path(&set.parse().unwrap(), &lookup).is_ok();
    if !present {
        eprintln!("skipped: {set} is neither in $LATENT_ATLAS_DATA nor in ../shared/data");
    }
    present.then_some(lookup)
}

fn check(name: &str, floor: f64, counts: impl Fn(&Dataset)) {
    let Some(lookup) = lookup(name) else { return };
    let report = datasets::verify(&name.parse().unwrap(), &lookup).unwrap();
    assert!(report.ok, "{:?}", report.problems);
    assert!(report.files.iter().all(|file| {
        matches!(
            file.status,
            FileStatus::Published | FileStatus::Recompressed
        )
    }));
    let dataset = datasets::load(name, &lookup, &mut |_| panic!("no download")).unwrap();
    assert_eq!(
        report.fingerprint.as_deref(),
        Some(dataset.fingerprint.as_str())
    );
    assert_eq!(dataset.train.images().dim(), (60_000, 784));
    assert_eq!(dataset.test.images().dim(), (10_000, 784));
    assert_eq!(dataset.train.labels().unwrap().len(), 60_000);
    let entropy = dataset.test.grey_entropy().unwrap();
    assert!(
        (entropy - floor).abs() < 0.005,
        "{name}: {entropy} nats, expected {floor}"
    );
    counts(&dataset);
}

#[test]
fn mnist() {
    check("mnist", 45.53, |dataset| {
        assert_eq!(dataset.train.labels().unwrap()[..5], [5, 0, 4, 1, 9]);
        assert_eq!(
            dataset.test.class_counts(10).unwrap(),
            [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
        );
        assert_eq!(
            dataset.fingerprint,
            "ac89dbc26b7b0b5f68ff586bc0579a0c16e78b3436b0c71ccdd0169cbebf9ff7"
        );
    });
}

#[test]
fn fashion_mnist() {
    check("fashion-mnist", 189.86, |dataset| {
        assert_eq!(dataset.train.class_counts(10), Some(vec![6000; 10]));
        assert_eq!(dataset.test.class_counts(10), Some(vec![1000; 10]));
        assert_eq!(dataset.class_names[9], "Ankle boot");
        assert_eq!(
            dataset.fingerprint,
            "7b0688d0999122d67a4eb2b95499a3bf7c5afbfaef15b7295b9f619d9e48a0bc"
        );
    });
}

/// One published set in the folder of another is refused, not taken for it.
#[test]
fn a_set_in_the_folder_of_another_is_refused() {
    let Some(lookup) = lookup("fashion-mnist") else {
        return;
    };
    let fashion = datasets::path(&"fashion-mnist".parse().unwrap(), &lookup).unwrap();
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("mnist");
    std::fs::create_dir(&folder).unwrap();
    for path in &fashion.files {
        let absolute = path.canonicalize().unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(&absolute, folder.join(path.file_name().unwrap())).unwrap();
        #[cfg(not(unix))]
        std::fs::hard_link(&absolute, folder.join(path.file_name().unwrap())).unwrap();
    }
    let wrong = Lookup {
        data_dir: Some(root.path().to_owned()),
        ..Lookup::default()
    };
    let error = datasets::load("mnist", &wrong, &mut |_| {}).unwrap_err();
    assert!(
        matches!(
            error,
            datasets::DataError::Altered {
                dataset: "mnist",
                ..
            }
        ),
        "{error}"
    );
}
