//! What the command line understands of what people type, and what it says of
//! the rest.

use std::fs;
use std::path::Path;

use runs::configuration::SETTINGS;
use tempfile::TempDir;

use crate::tiny::program;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Runs a command that must succeed: what it prints on stdout and on stderr.
fn succeed(folder: &TempDir, arguments: &[&str]) -> (String, String) {
    let output = program(folder.path()).args(arguments).output();
    let output = output.expect("the program starts");
    let texts = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("UTF-8"));
    assert!(output.status.success(), "{arguments:?}: {}", texts[1]);
    texts.into()
}

/// Runs a command that must be refused and returns what it says on stderr.
fn refused(folder: &TempDir, arguments: &[&str]) -> String {
    let output = program(folder.path()).args(arguments).output();
    let output = output.expect("the program starts");
    let message = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
    message
}

/// A run that takes a moment.
const SMALL: [&str; 7] = ["train", "--hidden", "8", "--batch", "4096", "--epochs", "1"];

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).expect("readable").count()
}

#[test]
fn an_error_is_one_line_whatever_is_in_the_names() {
    let folder = folder();
    for arguments in [
        ["train", "--set", "model.likelihood=bern\noulli"],
        ["train", "--preset", "ker\nas\x1b[2J"],
        ["train", "--dataset", "no\nwhere"],
        ["eval", "--quiet", "no\nrun\x1b[2J"],
    ] {
        let message = refused(&folder, &arguments);
        let sentence = message.strip_suffix('\n').expect("a line");
        assert!(
            !sentence.contains(char::is_control),
            "{arguments:?}: {sentence:?}"
        );
    }
}

#[test]
fn a_name_that_is_unknown_is_answered_with_the_one_that_is_meant() {
    let folder = folder();
    for (arguments, meant) in [
        (&["train", "--set", "lr=0.1"][..], "training.learning_rate"),
        (&["train", "--set", "latent_dim=3"], "model.latent"),
        (&["train", "--preset", "keras"], "keras-2d"),
        (&["train", "--model", "autoencoder"], "ae"),
        (&["train", "--likelihood", "bce"], "bernoulli"),
        (&["train", "--objective", "elb"], "elbo"),
        (&["reproduce", "table1"], "iwae-table1"),
    ] {
        let message = refused(&folder, arguments);
        let expected = format!("did you mean '{meant}'?\n");
        assert!(message.ends_with(&expected), "{arguments:?}: {message}");
    }
    let message = refused(&folder, &["train", "fashon-mnist"]);
    assert!(message.contains("did you mean fashion-mnist?"), "{message}");
    assert_eq!(entries(folder.path()), 0, "something was written");
}

#[test]
fn a_value_that_is_no_number_is_told_with_its_option() {
    let folder = folder();
    for (arguments, expected) in [
        (
            &["figures", "--first-seed", "x"][..],
            "--first-seed is 'x', but must be a non-negative whole number",
        ),
        (
            &["figures", "--first-seed", "-1"],
            "--first-seed is '-1', but must be a non-negative whole number",
        ),
        (
            &["figures", "--first-seed", "99999999999999999999"],
            "--first-seed is '99999999999999999999', but must be a smaller whole number",
        ),
        (
            &["sample", "run", "-o", "a.png", "--temperature", "warm"],
            "--temperature is 'warm', but must be a number",
        ),
        (
            &["reproduce", "keras-2d", "--seed", "1,b"],
            "--seed is 'b', but must be a non-negative whole number",
        ),
    ] {
        let message = refused(&folder, arguments);
        assert_eq!(message, format!("error: {expected}\n"), "{arguments:?}");
    }
    assert_eq!(entries(folder.path()), 0, "something was written");
}

#[test]
fn names_are_known_in_any_case_and_kept_in_one() {
    let folder = folder();
    let (text, _) = succeed(
        &folder,
        &[
            "train",
            "Fashion_MNIST",
            "--preset",
            "Lab-AE",
            "--print-config",
        ],
    );
    assert!(text.contains("dataset = \"fashion-mnist\""), "{text}");
    assert!(text.contains("kind = \"ae\""), "{text}");
    let run = |name| [&SMALL[..], &[name, "--quiet", "--out", "run"]].concat();
    succeed(&folder, &run("GLYPHS"));
    let (again, _) = succeed(&folder, &run("glyphs"));
    assert!(again.starts_with("already done"), "{again}");
}

#[test]
fn options_are_known_by_what_they_are_called_elsewhere() {
    let folder = folder();
    let (text, _) = succeed(
        &folder,
        &[
            "train",
            "--learning-rate",
            "0.25",
            "--batch-size",
            "64",
            "--latent-dim",
            "3",
            "--hidden-layers",
            "784-512-256-3",
            "--print-config",
        ],
    );
    for line in [
        "learning_rate = 0.25",
        "batch = 64",
        "latent = 3",
        "hidden = [512, 256]",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let message = refused(&folder, &["train", "--hidden", "784-400-20"]);
    assert!(
        message.contains("type --hidden 400 --latent 20 for"),
        "{message}"
    );
}

#[test]
fn a_switch_is_turned_either_way() {
    let folder = folder();
    let print =
        |flags: &[&str]| succeed(&folder, &[&["train", "--print-config"], flags].concat()).0;
    assert!(print(&["--standardise"]).contains("standardise = true"));
    let off = ["--standardise", "--standardise=false", "--invert=false"];
    assert_eq!(print(&off), print(&[]));
    let message = refused(&folder, &["train", "--invert=perhaps"]);
    assert!(message.contains("--invert"), "{message}");
    let message = refused(&folder, &["train", "--maximum", "wide"]);
    assert!(message.contains("expects a number"), "{message}");
}

#[test]
fn a_resumed_run_takes_no_other_settings() {
    let folder = folder();
    for setting in SETTINGS {
        let Some(flag) = setting.flags.first() else {
            continue;
        };
        let message = refused(
            &folder,
            &["train", "--resume", "run", &format!("--{}=1", flag)],
        );
        let is_for_resuming = ["data.dataset", "training.epochs"].contains(&setting.key);
        assert_eq!(
            message.contains("not a run folder"),
            is_for_resuming,
            "{message}"
        );
    }
}

#[test]
fn the_schema_and_the_page_of_settings_are_printed() {
    let folder = folder();
    let (text, _) = succeed(&folder, &["schema", "--markdown", "page.md"]);
    let schema: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(schema["additionalProperties"], false, "{schema}");
    assert_eq!(succeed(&folder, &["schema", "--json"]).0, text);
    let page = fs::read_to_string(folder.path().join("page.md")).expect("written");
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let kept = fs::read_to_string(docs.join("SETTINGS.md")).expect("kept");
    assert!(page == kept, "docs/SETTINGS.md is old");
}

#[test]
fn no_command_takes_0_threads() {
    let folder = folder();
    for command in [
        &["train"][..],
        &["eval", "run"],
        &["encode", "run", "glyphs", "-o", "codes.csv"],
        &["reconstruct", "run", "glyphs", "-o", "pairs.png"],
        &["decode", "run", "codes.csv", "-o", "decoded.npz"],
        &["sample", "run", "-o", "samples.png"],
        &["interpolate", "run", "0", "1", "-o", "strip.png"],
        &["figures"],
        &["reproduce", "keras-2d"],
        &["bench"],
    ] {
        for wrong in ["0", "-1", "all"] {
            let message = refused(&folder, &[command, &["--threads", wrong]].concat());
            assert!(message.contains("at least 1"), "{command:?}: {message}");
            assert!(message.contains("--threads"), "{command:?}: {message}");
        }
    }
    assert_eq!(entries(folder.path()), 0, "something was written");
}

#[test]
fn shells_and_manuals_are_served() {
    let folder = folder();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (script, _) = succeed(&folder, &["completions", shell]);
        assert!(script.contains("latent-atlas"), "{shell}");
        assert!(script.contains("print-config"), "{shell}");
    }
    let (page, _) = succeed(&folder, &["man"]);
    assert!(page.contains(".TH latent-atlas"), "{page}");
    succeed(&folder, &["man", "-o", "pages"]);
    for page in [
        "latent-atlas.1",
        "latent-atlas-train.1",
        "latent-atlas-data-fetch.1",
    ] {
        let text = fs::read_to_string(folder.path().join("pages").join(page)).expect(page);
        assert!(text.contains(".SH NAME"), "{page}");
    }
    let (version, _) = succeed(&folder, &["--version"]);
    let isa = tensor_ops::isa::isa();
    let expected = format!("latent-atlas {} (revision ", env!("CARGO_PKG_VERSION"));
    assert!(version.starts_with(&expected), "{version}");
    assert!(
        version.ends_with(&format!(", instruction set {isa})\n")),
        "{version}"
    );
    assert!(version.contains(", target "), "{version}");
}

#[test]
fn where_results_go_is_looked_at_before_anything_is_loaded() {
    let folder = folder();
    fs::write(folder.path().join("file"), "").expect("writable");
    // No data are there: that would be the complaint if they were loaded first.
    for arguments in [
        &["train", "mnist", "--offline", "--out", "file/run"][..],
        &["reproduce", "keras-2d", "--offline", "--out", "file/run"],
        &[
            "reproduce",
            "keras-2d",
            "--offline",
            "--markdown",
            "file/run",
        ],
        &[
            "figures",
            "--dataset",
            "mnist",
            "--offline",
            "--out",
            "file/f",
        ],
        &[
            "figures",
            "--dataset",
            "mnist",
            "--offline",
            "--runs",
            "file/r",
        ],
        &[
            "encode",
            "nowhere",
            "mnist",
            "--offline",
            "-o",
            "file/x.csv",
        ],
        &["sample", "nowhere", "-o", "file/x.png"],
    ] {
        let message = refused(&folder, arguments);
        assert!(
            message.starts_with("error: file"),
            "{arguments:?}: {message}"
        );
        assert!(
            message.contains("cannot be written: "),
            "{arguments:?}: {message}"
        );
        assert_eq!(message.lines().count(), 1, "{message}");
    }
    let unfinished = folder.path().join("unfinished");
    fs::create_dir(&unfinished).expect("writable");
    // What is called so may be of somebody else.
    fs::write(unfinished.join("config.toml"), "").expect("writable");
    let arguments = ["train", "mnist", "--offline", "--out", "unfinished"];
    let message = refused(&folder, &arguments);
    assert!(message.contains("has not written"), "{message}");
    fs::write(unfinished.join("environment.json"), "").expect("writable");
    let message = refused(&folder, &arguments);
    assert!(message.contains("--resume unfinished"), "{message}");
    assert_eq!(entries(folder.path()), 2, "something was written");
}

#[test]
fn an_epoch_says_which_loss_is_which() {
    let folder = folder();
    let line = |model: &str| {
        let arguments = [&SMALL[..], &["--model", model, "--out", model]].concat();
        let (_, stderr) = succeed(&folder, &arguments);
        let line = stderr.lines().find(|line| line.starts_with("epoch 1/1"));
        line.expect("a line for the epoch").to_owned()
    };
    let vae = line("vae");
    assert!(vae.contains("test loss") && vae.contains("(KL "), "{vae}");
    assert!(vae.contains("running train mean"), "{vae}");
    assert!(line("ae-l2").contains("(½‖z‖² "));
    assert!(!line("ae").contains("KL"));
}

#[test]
fn an_evaluation_looks_at_its_file_before_the_data() {
    let folder = folder();
    succeed(
        &folder,
        &[&SMALL[..], &["--quiet", "--out", "run"]].concat(),
    );
    fs::create_dir(folder.path().join("run/eval.json")).expect("writable");
    let message = refused(&folder, &["eval", "run", "--dataset", "nowhere"]);
    assert!(
        message.starts_with("error: run/eval.json cannot be written"),
        "{message}"
    );
}

#[test]
fn a_finished_run_has_the_fewer_epochs_that_are_asked_for() {
    let folder = folder();
    let data = folder.path().join("data.csv");
    let rows: String = (0..40)
        .map(|i| format!("{},{},0.5\n", i % 2, i % 3))
        .collect();
    fs::write(&data, format!("a,b,c\n{rows}")).expect("writable");
    let whole = [
        "train",
        "data.csv",
        "--quiet",
        "--out",
        "whole",
        "--epochs",
        "3",
        "--hidden",
        "4",
        "--batch",
        "8",
        "--maximum",
        "2",
    ];
    succeed(&folder, &whole);
    fs::remove_file(&data).expect("was there");
    for epochs in ["1", "3"] {
        let (text, _) = succeed(&folder, &["train", "--resume", "whole", "--epochs", epochs]);
        assert!(
            text.starts_with("already done: whole after 3 epochs"),
            "{text}"
        );
    }
    let longer = ["train", "--quiet", "--resume", "whole", "--epochs", "4"];
    let message = refused(&folder, &longer);
    assert!(message.contains("data.csv"), "{message}");
    // One that has not ended cannot be cut short.
    fs::remove_file(folder.path().join("whole/result.json")).expect("was there");
    let message = refused(&folder, &["train", "--resume", "whole", "--epochs", "1"]);
    assert!(message.contains("expected more epochs"), "{message}");
}

#[test]
fn training_ends_with_what_to_type_next() {
    let folder = folder();
    let (text, _) = succeed(&folder, &[&SMALL[..], &["--out", "it's here"]].concat());
    let run = r"'it'\''s here'";
    for line in [
        format!("next: latent-atlas figures {run}"),
        format!("then: latent-atlas eval {run}"),
        format!("or:   latent-atlas encode {run} glyphs -o codes.csv"),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    let again = [&SMALL[..], &["--out", "it's here", "--quiet"]].concat();
    let (text, _) = succeed(&folder, &again);
    assert!(
        text.starts_with("already done") && !text.contains("next:"),
        "{text}"
    );
}

#[test]
fn a_pinned_instruction_set_that_is_not_there_is_refused() {
    let folder = folder();
    let pinned = |arguments: &[&str]| {
        let output = program(folder.path())
            .env(tensor_ops::isa::PIN_VARIABLE, "sse9")
            .args(arguments)
            .output()
            .expect("the program starts");
        let message = String::from_utf8(output.stderr).expect("UTF-8");
        (output.status.code(), message)
    };
    let (code, message) = pinned(&SMALL);
    assert_eq!(code, Some(2), "{message}");
    assert!(
        message.starts_with("error: TENSOR_OPS_ISA is 'sse9'") && message.contains("scalar"),
        "{message}"
    );
    assert_eq!(message.lines().count(), 1, "{message}");
    for harmless in ["--help", "--version"] {
        assert_eq!(pinned(&[harmless]), (Some(0), String::new()), "{harmless}");
    }
    assert_eq!(entries(folder.path()), 0, "something was written");
}

#[test]
fn a_run_records_the_revision_that_the_program_names() {
    let folder = folder();
    succeed(&folder, &[&SMALL[..], &["--out", "run"]].concat());
    let text = fs::read_to_string(folder.path().join("run/environment.json")).expect("readable");
    let environment: serde_json::Value = serde_json::from_str(&text).expect("one document");
    let revision = environment["revision"].as_str().expect("a text");
    let (version, _) = succeed(&folder, &["--version"]);
    let expected = format!("(revision {revision}, ");
    assert!(version.contains(&expected), "{expected} in {version}");
}
