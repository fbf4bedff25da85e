//! The command `explore`: pages of runs of any kind of data, and what is refused
//! in a sentence.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use datasets::idx;
use serde_json::Value;

fn program(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("latent-atlas").expect("cargo built it");
    command
        .current_dir(folder)
        .env_remove("LATENT_ATLAS_DATA")
        .env("LATENT_ATLAS_CACHE", folder.join("cache"));
    command
}

fn succeed(command: &mut Command) -> String {
    let output = command.output().expect("the program starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    String::from_utf8(output.stdout).expect("output is UTF-8")
}

/// The one line of a command that must be refused with code 2.
fn refused(command: &mut Command) -> String {
    let output = command.arg("--quiet").output().expect("the program starts");
    let stderr = String::from_utf8(output.stderr).expect("output is UTF-8");
    assert_eq!(output.status.code(), Some(2), "{command:?}: {stderr}");
    let line = stderr.trim_end();
    assert!(
        line.starts_with("error: ") && !line.contains('\n'),
        "{line}"
    );
    line.to_owned()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A folder with 60 training and 40 test rows of these sizes, which vary by more
/// than one number; labels of three classes if asked for.
fn data(root: &Path, name: &str, sizes: &[usize], labelled: bool) {
    let length: usize = sizes.iter().product();
    let value = |row: usize, at: usize| {
        let phase = (row * row % 17) as f64 + 0.3 * (at * (1 + row % 3)) as f64;
        (127.5 + 127.5 * phase.sin()) as u8
    };
    for (count, part) in [(60, "train"), (40, "t10k")] {
        let values = (0..count * length).map(|at| value(at / length, at % length));
        let file = format!("{part}-images-idx3-ubyte");
        write(root, name, &file, &[&[count], sizes].concat(), values);
        if labelled {
            let labels = (0..count).map(|row| (row % 3) as u8);
            write(
                root,
                name,
                &format!("{part}-labels-idx1-ubyte"),
                &[count],
                labels,
            );
        }
    }
}

/// An IDX file in a folder, which is made if it is missing.
fn write(root: &Path, folder: &str, file: &str, sizes: &[usize], values: impl Iterator<Item = u8>) {
    let folder = root.join(folder);
    fs::create_dir_all(&folder).expect("a new folder");
    let mut bytes = Vec::new();
    let values: Vec<u8> = values.collect();
    idx::write(&mut bytes, sizes, &values).expect("writing to memory");
    fs::write(folder.join(file), bytes).expect("a writable folder");
}

fn train(root: &Path, source: &str, out: &str, more: &[&str]) {
    let small = ["--quiet", "--hidden", "8", "--batch", "20", "--epochs", "2"];
    let mut command = program(root);
    command.args(["train", source, "--out", out]).args(small);
    succeed(command.args(more));
}

/// What the command says as JSON, and the page.
fn explored(root: &Path, arguments: &[&str]) -> (Value, String) {
    let mut command = program(root);
    command.arg("explore").args(arguments);
    let text = succeed(command.args(["-o", "page.html", "--json", "--force"]));
    let document: Value = serde_json::from_str(&text).expect("one JSON document");
    let page = fs::read_to_string(root.join("page.html")).expect("written");
    assert_eq!(document["bytes"], page.len());
    assert!(page.contains("id=\"payload\">H4sI"), "a payload");
    assert!(page.contains("src=\"data:image/png;base64,iVBORw0KGgo"));
    assert!(!page.contains("{{"), "a marker is left");
    (document, page)
}

#[test]
fn runs_of_any_data_and_latent_size_make_a_page() {
    for (name, sizes, labelled, more) in [
        ("grey", &[6, 5][..], true, &["--latent", "2"][..]),
        ("line", &[4, 4], false, &["--latent", "1"]),
        ("colour", &[40, 44, 3], true, &["--latent", "3"]),
        ("vectors", &[7], true, &["--latent", "3", "--model", "ae"]),
        (
            "unlabelled",
            &[9],
            false,
            &["--latent", "1", "--model", "ae"],
        ),
        (
            "standardised",
            &[5],
            true,
            &[
                "--latent",
                "2",
                "--standardise",
                "--likelihood",
                "gaussian-identity",
            ],
        ),
        (
            "binarised",
            &[5, 5],
            true,
            &["--latent", "2", "--treatment", "binarised-once"],
        ),
        (
            "wide",
            &[6, 6],
            true,
            &["--latent", "300", "--model", "ae-l2"],
        ),
    ] {
        let root = folder();
        data(root.path(), name, sizes, labelled);
        train(root.path(), name, "run", more);
        let (document, page) = explored(root.path(), &["run"]);
        assert_eq!(document["images"], 40, "{name}");
        assert_eq!(document["thumbnails"], 40, "{name}");
        let error = document["runs"][0]["decoded_error"].as_f64();
        assert!(
            error.is_some_and(|error| error <= 1e-3),
            "{name}: {document}"
        );
        assert_eq!(
            page.contains("Images shown of each class")
                || page.contains("Vectors shown of each class"),
            labelled,
            "{name}"
        );
        if name == "wide" {
            // Of so many variables the principal directions take seconds.
            continue;
        }
        // Some of the rows: binarised ones as they are among all.
        let (document, _) = explored(root.path(), &["run", "--images", "11", "--thumbnails", "4"]);
        assert_eq!(document["images"], 11, "{name}");
        assert_eq!(document["thumbnails"], 4, "{name}");
    }
}

#[test]
fn runs_side_by_side_are_told_apart_and_give_the_same_bytes() {
    let root = folder();
    data(root.path(), "grey", &[6, 5], true);
    train(root.path(), "grey", "a", &["--latent", "2"]);
    train(root.path(), "grey", "b", &["--latent", "2", "--seed", "7"]);
    train(
        root.path(),
        "grey",
        "c",
        &["--latent", "2", "--model", "ae"],
    );
    let (document, page) = explored(root.path(), &["a", "b", "c"]);
    for title in ["seed 42", "seed 7", "AE 30-8-2"] {
        assert!(page.contains(title), "{title}");
    }
    assert_eq!(document["runs"].as_array().map(Vec::len), Some(3));
    let (_, again) = explored(root.path(), &["a", "b", "c", "--threads", "1"]);
    assert!(page == again, "the same runs give the same bytes");
    let (document, small) = explored(
        root.path(),
        &["a", "b", "c", "--compact", "--without-encoder"],
    );
    assert!(small.len() < page.len());
    assert_eq!(document["runs"][0]["decoder_bits"], 8);
    assert!(document["runs"][0]["encoder_bits"].is_null());
    // A page of this kind is replaced unasked, another file is not.
    let mut command = program(root.path());
    let text = succeed(command.args(["explore", "a", "-o", "page.html"]));
    assert!(
        text.starts_with("wrote page.html: ") && text.contains("VAE 30-8-2: weights of"),
        "{text}"
    );
    fs::write(root.path().join("mine.html"), "<p>mine</p>").expect("writable");
    let message = refused(program(root.path()).args(["explore", "a", "-o", "mine.html"]));
    assert!(
        message.contains("mine.html exists and is no explorer"),
        "{message}"
    );
    let mine = fs::read_to_string(root.path().join("mine.html")).expect("readable");
    assert_eq!(mine, "<p>mine</p>");
}

#[test]
fn what_no_page_can_be_made_of_is_refused_in_a_sentence() {
    let root = folder();
    let path = root.path();
    data(path, "grey", &[6, 5], true);
    data(path, "other", &[6, 6], true);
    train(path, "grey", "run", &["--latent", "2"]);
    train(path, "other", "another", &["--latent", "2"]);
    let message = |arguments: &[&str]| {
        let mut command = program(path);
        command.arg("explore").args(arguments);
        let said = refused(command.args(["-o", "page.html"]));
        assert!(!path.join("page.html").exists(), "{said}");
        said
    };
    assert!(message(&["run", "another"]).contains("runs side by side are of one data set"));
    assert!(message(&["grey"]).contains("is not a run folder"));
    assert!(message(&["run", "--images", "0"]).contains("--images is 0"));
    assert!(message(&["run", "./run"]).contains("./run was named twice"));
    let many = vec!["run"; 13];
    assert!(message(&many).contains("13 runs were named"));
    // Into the data, or no page at all.
    let into = refused(program(path).args(["explore", "run", "-o", "grey/page.html"]));
    assert!(into.contains("read as data"), "{into}");
    let ending = refused(program(path).args(["explore", "run", "-o", "page.png"]));
    assert!(
        ending.contains("-o is page.png; expected the name of a page, such as page.html"),
        "{ending}"
    );
    let nowhere = refused(program(path).args(["explore", "run", "-o", "no/such/page.html"]));
    assert!(nowhere.contains("no/such/page.html"), "{nowhere}");
    // A run of which the results alone are kept, and one that has not come to its first
    // checkpoint.
    let [model, result] = ["run/model.safetensors", "run/result.json"].map(|name| path.join(name));
    let [weights, ended] = [&model, &result].map(|file| fs::read(file).expect("readable"));
    fs::remove_file(&model).expect("it was there");
    assert!(message(&["run"]).contains("without its weights, which were not kept"));
    fs::remove_file(&result).expect("it was there");
    assert!(message(&["run"]).contains("has no model.safetensors yet"));
    fs::write(&result, ended).expect("writable");
    // A bit of the weights that has changed.
    let mut damaged = weights.clone();
    let last = damaged.len() - 3;
    damaged[last] ^= 0x40;
    fs::write(&model, damaged).expect("writable");
    assert!(message(&["run"]).contains("is damaged"), "damaged");
    fs::write(&model, weights).expect("writable");
    assert!(message(&["run", "gone"]).contains("gone is not a run folder"));
}

#[test]
fn a_run_that_diverged_is_left_out_and_named() {
    let root = folder();
    let path = root.path();
    data(path, "grey", &[6, 5], true);
    train(path, "grey", "run", &["--latent", "2"]);
    let output = program(path)
        .args([
            "train", "grey", "--quiet", "--hidden", "8", "--latent", "2", "--out", "wild",
        ])
        .args(["--lr", "1e30", "--batch", "20", "--epochs", "3"])
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(3));
    let message = refused(program(path).args(["explore", "wild", "-o", "page.html"]));
    assert!(
        message.contains("wild") && message.contains("--lr"),
        "{message}"
    );
    let (document, _) = explored(path, &["run", "wild"]);
    assert_eq!(document["runs"].as_array().map(Vec::len), Some(1));
    let remark = document["remarks"][0].as_str().unwrap_or_default();
    assert!(remark.starts_with("Left out: wild"), "{document}");
}

#[test]
fn a_page_that_would_be_too_large_is_written_when_forced() {
    let root = folder();
    let path = root.path();
    // Pictures of 2000 vectors of noise, which nothing packs.
    const LENGTH: usize = 9600;
    let noise = |at: usize| {
        let mixed = (at as u64 + 1).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed ^ mixed >> 31).wrapping_mul(0x94d0_49bb_1331_11eb) >> 56) as u8
    };
    for (count, part) in [(60, "train"), (2000, "t10k")] {
        let file = format!("{part}-images-idx3-ubyte");
        write(
            path,
            "large",
            &file,
            &[count, LENGTH],
            (0..count * LENGTH).map(noise),
        );
    }
    train(path, "large", "run", &["--latent", "1"]);
    let mut command = program(path);
    let message = refused(command.args(["explore", "run", "-o", "page.html"]));
    assert!(message.contains("and at most 25 are written"), "{message}");
    assert!(!path.join("page.html").exists());
    let (document, _) = explored(path, &["run"]);
    let remark = document["remarks"][0].as_str().unwrap_or_default();
    assert!(
        remark.contains("which is much to send and to open"),
        "{document}"
    );
}
