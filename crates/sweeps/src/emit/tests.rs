use std::process::{Command, Stdio};

use runs::configuration::Configuration;

use super::*;
use crate::plan::PlannedRun;

/// A plan of so many runs, each so many seconds long.
fn plan(runs: u64, seconds: f64, dataset: &str) -> Plan {
    let run = |seed: u64| {
        let mut configuration = Configuration::default();
        configuration.training.seed = seed;
        configuration.data.dataset = dataset.into();
        PlannedRun {
            id: format!("{seed:012}"),
            run: format!("run-{seed}"),
            model: "vae".into(),
            seed,
            digest: String::new(),
            dataset_sha256: String::new(),
            seconds,
            configuration,
        }
    };
    Plan {
        runs: (0..runs).map(run).collect(),
    }
}

fn request<'a>(engine: Engine, plan: &'a Plan) -> Request<'a> {
    Request {
        engine,
        plan,
        path: Path::new("my plan.jsonl"),
        folder: Path::new("runs"),
        working_folder: Path::new("/home/me/it's here"),
        program: "latent-atlas".into(),
        shards: None,
        minutes: 30.0,
        most: MOST_TASKS,
        cores: 2,
        keep: Keep::Weights,
        evaluates: false,
        nll_samples: None,
        dataset: None,
        portable: false,
        data_dir: None,
        image: "registry/latent-atlas:1",
    }
}

#[test]
fn shards_are_never_shorter_than_asked_nor_more_than_there_may_be() {
    for (runs, seconds, shards) in [
        (24, 1.0, 1),
        // An hour of two cores: two of half an hour.
        (72, 100.0, 2),
        (10_000, 3600.0, 1001),
        (3, 1e6, 3),
    ] {
        let plan = plan(runs, seconds, "glyphs");
        let script = emit(&request(Engine::Slurm, &plan)).expect("a script");
        assert_eq!(script.shards, shards, "{runs} of {seconds} s");
    }
    let plan = plan(24, 1.0, "glyphs");
    let mut asked = request(Engine::Slurm, &plan);
    asked.shards = Some(24);
    assert_eq!(emit(&asked).expect("asked for").shards, 24);
    asked.shards = Some(25);
    let message = emit(&asked).expect_err("more than runs").to_string();
    assert!(message.contains("between 1 and 24"), "{message}");
    (asked.shards, asked.minutes) = (None, 5.0);
    let message = emit(&asked).expect_err("too short").to_string();
    assert!(message.contains("at least 10"), "{message}");
}

#[test]
fn scripts_are_short_and_name_what_is_needed() {
    let plan = plan(24, 600.0, "mnist");
    for engine in Engine::ALL {
        let mut asked = request(engine, &plan);
        asked.shards = Some(4);
        asked.evaluates = true;
        asked.portable = true;
        asked.keep = Keep::All;
        asked.nll_samples = Some(64);
        asked.data_dir = Some("data".into());
        let text = emit(&asked).expect("a script").text;
        let name = engine.name();
        assert!(
            text.lines().count() <= MOST_LINES,
            "{name}: {}",
            text.lines().count()
        );
        for part in ["data fetch mnist --data-dir data", "75", "sweep merge"] {
            assert!(text.contains(part), "{name} lacks {part}: {text}");
        }
        let words = [
            "--nll-samples",
            "--eval",
            "--portable",
            "--keep",
            "--offline",
            "--threads",
        ];
        for word in words {
            assert!(text.contains(word), "{name} lacks {word}: {text}");
        }
        // Containers get words, and shells what they take for the same.
        let path = match engine {
            Engine::Kubernetes => "\"my plan.jsonl\", \"--runs\"",
            Engine::Slurm | Engine::Parallel => "run 'my plan.jsonl' --runs",
        };
        assert!(text.contains(path), "{name} lacks {path}: {text}");
        let embedded = self::plan(2, 1.0, "glyphs");
        let text = emit(&request(engine, &embedded)).expect("a script").text;
        assert!(!text.contains("data fetch"), "{name}: {text}");
    }
}

#[test]
fn a_shell_understands_the_scripts() {
    let plan = plan(24, 600.0, "mnist");
    for engine in [Engine::Slurm, Engine::Parallel] {
        let text = emit(&request(engine, &plan)).expect("a script").text;
        let shell = Command::new("bash")
            .args(["-n", "-c", &text])
            .stdin(Stdio::null())
            .output();
        let Ok(output) = shell else {
            // A machine without bash.
            return;
        };
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{said}\n{text}");
    }
}

/// The script of GNU parallel with a program that ends as it is told by a file for each
/// shard.
#[cfg(unix)]
#[test]
fn parallel_is_told_what_would_come_again_and_tries_the_rest() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("writable");
        path.display().to_string()
    };
    let program = write(
        "program",
        r#"#!/bin/bash
[ "$1" = --version ] && exit
[ "$2" = status ] && { cat status; grep -q 'done' status; exit $((4 * $?)); }
shard=$(grep -o '[0-9]*/[0-9]*' <<<"$*"); shard=${shard%/*}
trap 'echo $shard >> stopped; exit 75' TERM
echo $shard >> started
[ $(cat code-$shard) = wait ] || exit $(cat code-$shard)
while :; do sleep 0.02; done
"#,
    );
    executable(Path::new(&program));
    write("status", "4 runs: 4 done");
    let script = |plan: &Plan| {
        let mut asked = request(Engine::Parallel, plan);
        asked.program = program.clone().into();
        asked.working_folder = folder;
        asked.shards = Some(3);
        emit(&asked).expect("a script").text
    };
    let call = |plan: &Plan, codes: [u8; 3]| {
        for (shard, code) in codes.iter().enumerate() {
            write(&format!("code-{shard}"), &code.to_string());
        }
        let _ = std::fs::remove_file(folder.join("started"));
        let output = Command::new("bash")
            .args(["-c", &script(plan)])
            .stdin(Stdio::null())
            .output()
            .expect("it was there");
        let started = std::fs::read_to_string(folder.join("started")).unwrap_or_default();
        let mut started: Vec<String> = started.lines().map(str::to_owned).collect();
        started.sort();
        (output.status.code(), started.concat())
    };
    let is_there = Command::new("bash")
        .args(["-c", "command -v parallel"])
        .stdin(Stdio::null())
        .output();
    if !is_there.is_ok_and(|output| output.status.success()) {
        return;
    }
    let first = plan(3, 600.0, "glyphs");
    let end = |code: i32, started: &str| (Some(code), started.to_owned());
    // Stopped shards are tried three times, and again by the next call alone.
    assert_eq!(call(&first, [3, 75, 0]), end(75, "01112"));
    write("status", "4 runs: 3 done, 1 diverged");
    assert_eq!(call(&first, [3, 0, 0]), end(3, "1"));
    assert_eq!(call(&first, [3, 0, 0]), end(3, ""));
    // Another plan of the same name is another one.
    let second = plan(4, 600.0, "glyphs");
    assert_eq!(call(&second, [2, 3, 0]), end(2, "012"));
    // What was wrong is mended: what has ended takes a moment.
    assert_eq!(call(&second, [0, 3, 0]), end(3, "012"));
    // What parallel takes for done and is not is looked at again by the next call.
    write("status", "4 runs: 4 missing");
    assert_eq!(call(&second, [0, 3, 0]), end(75, ""));
    assert_eq!(call(&second, [0, 0, 0]), end(75, "012"));
    write("status", "4 runs: 4 done");
    assert_eq!(call(&second, [0, 0, 0]), end(0, "012"));
    // What is damaged would be so again.
    write("status", "4 runs: 1 damaged");
    assert_eq!(call(&second, [0, 0, 0]), end(2, ""));
    write("status", "4 runs: 4 done");
    // The same plan with other options is other work.
    let mut asked = request(Engine::Parallel, &second);
    let name = |asked: &Request<'_>| {
        let text = emit(asked).expect("a script").text;
        let joblog = text.split(".joblog").next().expect("named");
        joblog.rsplit(' ').next().expect("a word").to_owned()
    };
    let plain = name(&asked);
    asked.evaluates = true;
    assert_ne!(name(&asked), plain);
    // Parallel itself has failed.
    let refused = Command::new("bash")
        .args(["-c", &script(&second)])
        .env("JOBS", "many")
        .stdin(Stdio::null())
        .output()
        .expect("it was there");
    assert_eq!(refused.status.code(), Some(2));
    // Signals reach the shards, and are waited for.
    write("code-0", "wait");
    let third = plan(5, 600.0, "glyphs");
    std::fs::remove_file(folder.join("started")).ok();
    let mut child = Command::new("bash")
        .args(["-c", &script(&third)])
        .stdin(Stdio::null())
        .spawn()
        .expect("it was there");
    while !folder.join("started").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let sent = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(sent.expect("kill").success());
    assert_eq!(child.wait().expect("a child").code(), Some(75));
    let stopped = std::fs::read_to_string(folder.join("stopped")).expect("stopped");
    assert_eq!(stopped, "0\n");
    // A machine that is not there.
    let nowhere = Command::new("bash")
        .args(["-c", &script(&third)])
        .env("HOSTS", "1/no-such-host.invalid")
        .stdin(Stdio::null())
        .output()
        .expect("it was there");
    assert_eq!(nowhere.status.code(), Some(2));
}

/// What a plan is of, or the script is told, decides where containers look.
#[test]
fn containers_are_sent_to_files_of_their_volume_alone() {
    let on_volume = |path: &str| format!("{}/{path}", kubernetes::VOLUME);
    let photos = format!("idx:{}", on_volume("p"));
    let told_photos = format!("\"--dataset\", \"{photos}\"");
    let copy = format!("copy them to the volume {}", kubernetes::VOLUME);
    for (dataset, told, said) in [
        ("mnist", None, Ok("data fetch mnist")),
        ("glyphs", None, Ok("needs nothing fetched")),
        ("/home/me/photos", None, Err(copy.as_str())),
        ("idx:/data/mine", None, Err("the data /data/mine")),
        (
            "/home/me/photos",
            Some("photos"),
            Ok("holds the data photos"),
        ),
        (
            "/home/me/photos",
            Some(photos.as_str()),
            Ok(told_photos.as_str()),
        ),
        ("glyphs", Some("../photos"), Err("the data ../photos")),
    ] {
        let plan = plan(24, 600.0, dataset);
        let mut asked = request(Engine::Kubernetes, &plan);
        asked.dataset = told;
        match (emit(&asked), said) {
            (Ok(script), Ok(part)) => assert!(script.text.contains(part), "{}", script.text),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (found, said) => panic!("{found:?}, expected {said:?}"),
        }
    }
    let plan = plan(24, 600.0, "glyphs");
    let cases: [(&str, &str, bool); 6] = [
        ("plan.jsonl", "runs", true),
        (&on_volume("a/plan.jsonl"), &on_volume("runs"), true),
        ("/home/me/plan.jsonl", "runs", false),
        ("../plan.jsonl", "runs", false),
        ("plan.jsonl", "/scratch/runs", false),
        (&on_volume("../plan.jsonl"), "runs", false),
    ];
    for (path, runs, is_there) in cases {
        let mut asked = request(Engine::Kubernetes, &plan);
        (asked.path, asked.folder) = (Path::new(path), Path::new(runs));
        assert_eq!(emit(&asked).is_ok(), is_there, "{path} {runs}");
    }
}

/// No name is taken for an option.
#[test]
fn paths_that_begin_as_options_do_are_written_otherwise() {
    let plan = plan(24, 600.0, "mnist");
    for engine in Engine::ALL {
        let mut asked = request(engine, &plan);
        asked.path = Path::new("-plan.jsonl");
        asked.folder = Path::new("--runs");
        asked.data_dir = Some("-d".into());
        let text = emit(&asked).expect("a script").text;
        for option in [
            " -plan",
            "\"-plan",
            " --runs --runs",
            "\"--runs\", \"--runs\"",
        ] {
            assert!(!text.contains(option), "{option}: {text}");
        }
        assert!(
            text.contains("./-plan.jsonl") && text.contains("./--runs"),
            "{text}"
        );
        assert!(!text.contains("--data-dir -d"), "{text}");
    }
}

#[cfg(unix)]
fn executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;

    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("ours");
}

/// The script of Slurm with a program that does what it is told, and commands of Slurm
/// that write down that they were called.
#[cfg(unix)]
#[test]
fn a_task_is_requeued_on_75_alone_and_hands_its_signals_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("writable");
        executable(&path);
        path.display().to_string()
    };
    let program = write(
        "program",
        "#!/bin/bash\n[ -n \"$CODE\" ] && exit $CODE\ntrap 'exit 75' TERM\ntouch began\nwhile :; do sleep 0.02; done\n",
    );
    write("scontrol", "#!/bin/bash\necho \"$@\" >> requeued\n");
    let plan = plan(4, 600.0, "glyphs");
    let mut asked = request(Engine::Slurm, &plan);
    asked.program = program.into();
    asked.working_folder = folder;
    let script = emit(&asked).expect("a script").text;
    let start = |code: &str| {
        let path = std::env::var("PATH").unwrap_or_default();
        Command::new("bash")
            .args(["-c", &script])
            .env("PATH", format!("{}:{path}", folder.display()))
            .env("SLURM_ARRAY_TASK_ID", "1")
            .env("SLURM_ARRAY_JOB_ID", "70")
            .env("SLURM_JOB_ID", "70")
            .env("CODE", code)
            .stdin(Stdio::null())
            .spawn()
    };
    let requeued = || std::fs::read_to_string(folder.join("requeued")).unwrap_or_default();
    for code in [0, 1, 2, 3, 137] {
        let Ok(mut child) = start(&code.to_string()) else {
            // A machine without bash.
            return;
        };
        let status = child.wait().expect("a child");
        assert_eq!(status.code(), Some(code));
        assert_eq!(requeued(), "", "after code {code}");
    }
    let mut child = start("75").expect("a shell");
    assert_eq!(child.wait().expect("a child").code(), Some(75));
    assert_eq!(requeued(), "requeue 70_1\n");
    let mut child = start("").expect("a shell");
    while !folder.join("began").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let sent = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(sent.expect("kill").success());
    assert_eq!(child.wait().expect("a child").code(), Some(75));
    assert_eq!(requeued(), "requeue 70_1\nrequeue 70_1\n");
}
