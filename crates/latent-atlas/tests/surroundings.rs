//! What the program does where its surroundings are not what it hopes for:
//! nobody listens, names are no text, files are none, memory is short.

#![cfg(target_os = "linux")]

use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn program(folder: &Path) -> Command {
    let mut command = Command::new(cargo_bin("latent-atlas"));
    command
        .current_dir(folder)
        .env_remove("LATENT_ATLAS_DATA")
        .env_remove("LATENT_ATLAS_MIRROR")
        .env_remove("SLURM_CPUS_PER_TASK")
        .stdin(Stdio::null());
    command
}

/// Options of a run that takes a moment.
const SMALL: [&str; 8] = [
    "--hidden", "8", "--latent", "2", "--batch", "4096", "--epochs", "2",
];

/// Runs a line of the shell in which `$P` is the program.
fn shell(folder: &Path, line: &str) -> Output {
    Command::new("bash")
        .args(["-c", line])
        .env("P", cargo_bin("latent-atlas"))
        .env("SMALL", SMALL.join(" "))
        .env_remove("LATENT_ATLAS_DATA")
        .env_remove("SLURM_CPUS_PER_TASK")
        .current_dir(folder)
        .output()
        .expect("there is a bash")
}

fn is_done(run: &Path) -> bool {
    fs::read_to_string(run.join("result.json")).is_ok_and(|text| text.contains("\"done\""))
}

/// The one sentence of a command that must be refused at once.
fn refused(folder: &Path, arguments: &[impl AsRef<OsStr>]) -> String {
    let began = Instant::now();
    let mut child = program(folder)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        if began.elapsed() > Duration::from_secs(60) {
            child.kill().expect("a child");
            panic!(
                "{:?} hangs",
                arguments.iter().map(AsRef::as_ref).collect::<Vec<_>>()
            );
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let mut stderr = Vec::new();
    let mut pipe = child.stderr.take().expect("a pipe");
    pipe.read_to_end(&mut stderr).expect("readable");
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    assert_eq!(status.code(), Some(2), "{stderr}");
    let line = stderr.lines().last().unwrap_or_default().to_owned();
    assert!(line.starts_with("error: "), "{stderr}");
    line
}

#[test]
fn training_ends_well_whoever_has_stopped_listening() {
    let folder = folder();
    let path = folder.path();
    for (name, redirection, code) in [
        ("head", "2>&1 | head -1; exit ${PIPESTATUS[0]}", 0),
        ("head-json", "--json | head -c 1; exit ${PIPESTATUS[0]}", 0),
        ("nobody", "2>&1 | true; exit ${PIPESTATUS[0]}", 0),
        ("stderr-full", "2>/dev/full", 0),
        ("stderr-closed", "2>&-", 0),
        ("stdout-closed", ">&-", 0),
        ("all-closed", "<&- >&- 2>&-", 0),
        ("all-full", ">/dev/full 2>&1", 1),
        ("no-terminal", "</dev/null >/dev/null 2>&1", 0),
    ] {
        let output = shell(path, &format!("$P train $SMALL --out {name} {redirection}"));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{name}: {stderr}");
        assert!(is_done(&path.join(name)), "{name}: {stderr}");
        assert!(!stderr.contains("panicked"), "{name}: {stderr}");
    }
    // The only loss is said where somebody listens.
    let output = shell(path, "$P train $SMALL --quiet --out stdout-full >/dev/full");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr.starts_with("error: the work is done, but"),
        "{stderr}"
    );
    assert!(is_done(&path.join("stdout-full")));
}

#[test]
fn other_commands_end_well_too() {
    let folder = folder();
    let path = folder.path();
    let trained = shell(path, "$P train $SMALL --quiet --out run");
    assert!(trained.status.success());
    for (line, code) in [
        ("$P eval run 2>&- | true; exit ${PIPESTATUS[0]}", 0),
        (
            "$P eval run --json 2>/dev/full | head -1; exit ${PIPESTATUS[0]}",
            0,
        ),
        ("$P encode run glyphs -o codes.csv 2>/dev/full", 0),
        ("$P sample run -o s.png >&- 2>&-", 0),
        (
            "$P figures run --figure training 2>/dev/full | true; exit ${PIPESTATUS[0]}",
            0,
        ),
        ("$P --help | true; exit ${PIPESTATUS[0]}", 0),
        ("$P man | head -1; exit ${PIPESTATUS[0]}", 0),
        ("$P train --hidden x 2>/dev/full", 2),
        ("$P train --no-such-option 2>&-", 2),
    ] {
        let output = shell(path, line);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{line}: {stderr}");
        assert!(!stderr.contains("panicked"), "{line}: {stderr}");
    }
    for written in [
        "run/eval.json",
        "codes.csv",
        "s.png",
        "run/figures/training.png",
    ] {
        assert!(path.join(written).is_file(), "{written}");
    }
}

#[test]
fn files_and_folders_may_have_any_name() {
    let folder = folder();
    let name = OsStr::from_bytes(b"caf\xe9");
    let path = folder.path().join(name);
    fs::create_dir(&path).expect("a new folder");
    let within = |file: &str| path.join(file).into_os_string();
    let text = |file: &str| -> std::ffi::OsString { file.into() };
    let small = SMALL.map(text);
    let command = |words: &[std::ffi::OsString]| {
        let output = program(folder.path()).args(words).arg("--json").output();
        let output = output.expect("the program starts");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words:?}: {stderr}");
        let document: serde_json::Value =
            serde_json::from_slice(&output.stdout).expect("one JSON document");
        (document, stderr)
    };
    let train = [text("train"), text("--out"), within("run")];
    let (document, _) = command(&[&train[..], &small].concat());
    assert_eq!(document["result"]["status"], "done");
    let typed = fs::read_to_string(path.join("run/command.txt")).expect("text");
    assert!(typed.contains(r"caf\351/run"), "{typed}");
    command(&[
        text("train"),
        text("--resume"),
        within("run"),
        text("--epochs"),
        text("3"),
    ]);
    let config = [text("train"), text("--config"), within("run/config.toml")];
    command(
        &[
            &config[..],
            &[
                text("--out"),
                within("again"),
                text("--data-dir"),
                within("data"),
            ],
        ]
        .concat(),
    );
    command(&[text("eval"), within("run")]);
    command(&[
        text("encode"),
        within("run"),
        text("glyphs"),
        text("-o"),
        within("codes.csv"),
    ]);
    command(&[
        text("decode"),
        within("run"),
        within("codes.csv"),
        text("-o"),
        within("x.npz"),
    ]);
    command(&[text("sample"), within("run"), text("-o"), within("s.png")]);
    command(&[
        text("reconstruct"),
        within("run"),
        text("glyphs"),
        text("-o"),
        within("r.png"),
    ]);
    command(&[
        text("interpolate"),
        within("run"),
        text("0"),
        text("1"),
        text("-o"),
        within("i.png"),
    ]);
    let (figures, _) = command(&[
        text("figures"),
        within("run"),
        text("--figure"),
        text("training"),
        text("--out"),
        within("figures"),
    ]);
    assert!(figures["page"].is_string(), "{figures}");
    command(&[
        text("runs"),
        text("table"),
        path.clone().into_os_string(),
        text("-o"),
        within("runs.csv"),
    ]);
    command(&[text("study"), text("new"), within("study.toml")]);
    command(&[text("man"), text("-o"), within("man")]);
    // What stands in a configuration is text: refused before anything is done.
    for words in [
        &[text("train"), within("codes.csv")][..],
        &[text("train"), text("--dataset"), within("codes.csv")],
        &[text("figures"), text("--study"), within("study.toml")],
    ] {
        let message = refused(folder.path(), words);
        assert!(
            message.contains("not UTF-8 text") && message.contains(r"$'"),
            "{message}"
        );
    }
    assert!(!folder.path().join("runs").exists());
}

#[test]
fn pipes_devices_and_folders_are_refused_at_once() {
    let folder = folder();
    let path = folder.path();
    let trained = shell(
        path,
        "$P train $SMALL --quiet --out run && mkfifo p p.toml p.csv p.md p.png",
    );
    assert!(trained.status.success());
    for line in [
        "train --config p.toml",
        "train --config /dev/zero",
        "train --config run",
        "train --out p",
        "train --resume p",
        "figures --study p.toml",
        "figures p",
        "figures run --out p",
        "figures --study lab --quick --markdown p.md",
        "figures --study lab --quick --runs p",
        "reproduce keras-2d --markdown p.md",
        "eval p",
        "encode run glyphs -o p.csv --force",
        "decode run p.csv -o x.npz",
        "decode run /dev/zero -o x.npz",
        "sample run -o p.png --force",
        "sample run -o /dev/stdout",
        "sample run -o none/x.png",
        "runs table run -o p.csv",
        "study new p.toml",
        "man -o p",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let message = refused(path, &words);
        assert!(!message.contains("-writing-"), "{line}: {message}");
    }
    for pipe in ["p", "p.toml", "p.csv", "p.md", "p.png"] {
        let found = fs::symlink_metadata(path.join(pipe)).expect("still there");
        assert!(found.file_type().is_fifo(), "{pipe} was replaced");
    }
}

#[test]
fn a_file_of_a_run_that_is_a_pipe_does_not_hang_anybody() {
    let folder = folder();
    let path = folder.path();
    let trained = shell(path, "$P train $SMALL --quiet --out run");
    assert!(trained.status.success());
    for (file, command) in [
        ("config.toml", "eval run"),
        ("model.safetensors", "eval run"),
        ("model.safetensors", "sample run -o s.png"),
        ("environment.json", "eval run"),
        ("result.json", "runs table run"),
        ("result.json", "train --resume run"),
        ("metrics.jsonl", "figures run --figure training"),
        ("trajectories.npz", "figures run --figure trajectories"),
        ("eval.json", "runs table run"),
    ] {
        let whole = path.join("run").join(file);
        let kept = path.join("kept");
        let was_there = fs::rename(&whole, &kept).is_ok();
        assert!(shell(path, &format!("mkfifo run/{file}")).status.success());
        let words: Vec<&str> = command.split(' ').collect();
        let message = refused(path, &words);
        assert!(
            message.contains("pipe") || message.contains("no config.toml"),
            "{message}"
        );
        fs::remove_file(&whole).expect("the pipe");
        if was_there {
            fs::rename(&kept, &whole).expect("back again");
        }
    }
}

#[test]
fn what_needs_more_memory_than_there_is_is_refused_first() {
    let folder = folder();
    let path = folder.path();
    fs::write(
        path.join("epochs.toml"),
        "[training]\nepochs = 1000000000000000000\n",
    )
    .expect("writable");
    fs::write(
        path.join("seed.toml"),
        "[data]\n\n[training]\nseed = 18446744073709551615\n",
    )
    .expect("writable");
    for (line, words) in [
        (
            "train --samples 65536 --hidden 65536 --latent 1000 --out x",
            "fewer --samples",
        ),
        (
            "train --hidden 65536,65536,65536,65536 --out x",
            "narrower layers with --hidden",
        ),
        (
            "train --latent 65536 --hidden 65536 --samples 65536 --objective iwae --gradients tape --out x",
            "fewer --samples",
        ),
        (
            "train --epochs 1000000000 --set tracking.images_per_class=100000 --out x",
            "tracking.snapshots_per_epoch=1",
        ),
        (
            "train --batch 60000 --samples 65536 --out x",
            "a smaller --batch",
        ),
        ("train --config epochs.toml --out x", "at most 1000000000"),
        (
            "train --config seed.toml --out x",
            "line 4: u64 value was too large; its whole numbers are at most 9223372036854775807",
        ),
        (
            "train --seed 18446744073709551615 --out x",
            "at most 9223372036854775807",
        ),
        (
            "figures --study lab --seeds 18446744073709551615 --out x",
            "--seeds is 18446744073709551615, but must be at most",
        ),
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let message = refused(path, &arguments);
        assert!(message.contains(words), "{line}: {message}");
    }
    assert!(!path.join("x").exists());
    let trained = shell(path, "$P train $SMALL --quiet --out run");
    assert!(trained.status.success());
    let count = refused(
        path,
        &["sample", "run", "-n", "1000000000000000000", "-o", "s.npz"],
    );
    assert!(
        count.contains("-n 1000000000000000000 with 2 latent variables needs"),
        "{count}"
    );
    let steps = [
        "interpolate",
        "run",
        "0",
        "1",
        "--steps",
        "1000000000000000000",
        "-o",
        "s.npz",
    ];
    assert!(refused(path, &steps).contains("--steps 1000000000000000000"));
}

#[test]
fn more_threads_than_pay_are_not_used() {
    let folder = folder();
    let path = folder.path();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let line = format!(
        "$P train $SMALL --threads {} --out many 2>notes",
        16 * cores
    );
    assert!(shell(path, &line).status.success());
    let notes = fs::read_to_string(path.join("notes")).expect("text");
    let most = cores.min(64);
    assert!(
        notes.contains(&format!(
            "--threads is {}, more than the {most} that pay here; using {most}",
            16 * cores
        )),
        "{notes}"
    );
    let environment = fs::read_to_string(path.join("many/environment.json")).expect("text");
    assert!(
        environment.contains(&format!("\"threads\": {most}")),
        "{environment}"
    );
    // Pinned to one core, one thread is used, and the bytes are the same.
    assert!(
        shell(path, "taskset -c 0 $P train $SMALL --quiet --out one")
            .status
            .success()
    );
    let environment = fs::read_to_string(path.join("one/environment.json")).expect("text");
    assert!(environment.contains("\"threads\": 1"), "{environment}");
    let [many, one] = ["many", "one"]
        .map(|run| fs::read(path.join(run).join("model.safetensors")).expect("a model"));
    assert!(many == one, "the number of threads changed the result");
}
