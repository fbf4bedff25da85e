use std::fs;
use std::io::Write;
use std::sync::Arc;

use super::*;
use crate::digest;
use crate::test_server::{Reply, Server};

const GOOD: &[u8] = b"the published bytes of a file that is small enough for a test";

fn file() -> PublishedFile {
    PublishedFile {
        name: "train-labels-idx1-ubyte",
        gz_sha256: digest::sha256_hex(GOOD).leak(),
        content_sha256: None,
        gz_bytes: GOOD.len() as u64,
    }
}

const PATH: &str = "/train-labels-idx1-ubyte.gz";

fn serve(reply: Reply) -> Server {
    Server::start(vec![(PATH.to_owned(), reply)])
}

/// Hundredths of what a user waits.
const SHORT: Patience = Patience {
    least_rate: 1000,
    over: Duration::from_millis(300),
    waits: &[Duration::from_millis(10), Duration::from_millis(20)],
    tick: Duration::from_millis(10),
};

fn mirrors<'a>(bases: &[String], stop: &'a AtomicBool) -> Mirrors<'a> {
    Mirrors {
        patience: SHORT,
        ..Mirrors::new("set", bases.to_vec(), stop)
    }
}

/// Downloads from `bases` in order, where nobody asks for a stop.
fn download(
    bases: &[String],
    folder: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Downloaded, DataError> {
    mirrors(bases, &AtomicBool::new(false)).download(&file(), folder, progress)
}

/// Downloads from `servers` in order; returns the result, what was left in
/// the folder, and the reasons mirrors were given up for.
fn run(servers: &[&Server]) -> (Result<Downloaded, DataError>, Vec<String>, Vec<String>) {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("data/set");
    let bases: Vec<String> = servers.iter().map(|server| server.base()).collect();
    let mut reasons = Vec::new();
    let result = download(&bases, &folder, &mut |event| {
        if let Progress::MirrorFailed { reason, .. } = event {
            reasons.push(reason.to_owned());
        }
    });
    let mut left = Vec::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(fs::read(entry.path()).unwrap(), GOOD);
        left.push(entry.file_name().into_string().unwrap());
    }
    (result, left, reasons)
}

const NAME: &str = "train-labels-idx1-ubyte.gz";

#[test]
fn a_good_file_is_verified_and_put_in_place() {
    let server = serve(Reply::file(GOOD));
    let root = tempfile::tempdir().unwrap();
    let mut events = Vec::new();
    let done = download(&[server.base() + "/"], root.path(), &mut |event| {
        events.push(format!("{event:?}"));
    })
    .unwrap();
    assert_eq!(done.path, root.path().join(NAME));
    assert_eq!(done.bytes, GOOD.len() as u64);
    assert_eq!(done.url, server.base() + PATH);
    assert_eq!(fs::read(done.path).unwrap(), GOOD);
    assert!(events[0].starts_with("Started"), "{events:?}");
    assert!(events[1].starts_with("Received"), "{events:?}");
    assert!(events.last().unwrap().starts_with("Finished"), "{events:?}");
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
}

#[test]
fn a_wrong_hash_moves_on_to_the_second_mirror() {
    let bad = serve(Reply::file(b"something else"));
    let good = serve(Reply::file(GOOD));
    let (result, left, reasons) = run(&[&bad, &good]);
    assert_eq!(result.unwrap().url, good.base() + PATH);
    assert_eq!(left, [NAME]);
    assert_eq!(reasons.len(), 1);
    assert!(
        reasons[0].contains(&digest::sha256_hex(b"something else")),
        "{reasons:?}"
    );
    assert!(reasons[0].contains(file().gz_sha256), "{reasons:?}");
    assert_eq!((bad.requests().len(), good.requests().len()), (1, 1));
}

#[test]
fn a_truncated_body_is_noticed() {
    let announced = serve(Reply::announcing(GOOD.len(), &GOOD[..20]));
    let open_ended = serve(Reply::open_ended(&GOOD[..20]));
    let (result, left, reasons) = run(&[&announced, &open_ended]);
    assert!(matches!(result, Err(DataError::Download { .. })));
    assert!(left.is_empty(), "{left:?}");
    assert!(
        reasons[0].contains("broke off after 20 bytes"),
        "{reasons:?}"
    );
    assert!(
        reasons[1].contains("ended after 20 of 61 bytes"),
        "{reasons:?}"
    );
}

#[test]
fn a_body_that_is_too_large_is_cut_off() {
    let announced = serve(Reply::announcing(1 << 40, b"x"));
    let open_ended = serve(Reply::open_ended(&vec![b'x'; 1 << 20]));
    let (result, left, reasons) = run(&[&announced, &open_ended]);
    assert!(result.is_err() && left.is_empty());
    assert!(
        reasons[0].contains("announces 1099511627776 bytes"),
        "{reasons:?}"
    );
    let limit = 2 * GOOD.len();
    assert!(
        reasons[1].contains(&format!("more than the {limit} bytes")),
        "{reasons:?}"
    );
}

#[test]
fn a_missing_file_names_the_mirrors_and_the_way_out() {
    let server = Server::start(Vec::new());
    let (result, left, _) = run(&[&server]);
    let message = result.unwrap_err().to_string();
    assert!(left.is_empty());
    for part in [
        NAME,
        "set",
        "404",
        &server.base(),
        "$LATENT_ATLAS_MIRROR",
        "data/set by hand",
    ] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
}

#[test]
fn an_unreachable_mirror_moves_on_to_the_next() {
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let good = serve(Reply::file(GOOD));
    let root = tempfile::tempdir().unwrap();
    let done = download(&[gone, good.base()], root.path(), &mut |_| {}).unwrap();
    assert_eq!(done.url, good.base() + PATH);
}

#[test]
fn a_content_encoding_label_does_not_decompress_the_file() {
    let server = serve(Reply::labelled_gzip(GOOD));
    let (result, left, _) = run(&[&server]);
    assert_eq!(result.unwrap().bytes, GOOD.len() as u64);
    assert_eq!(left, [NAME]);
}

#[test]
fn redirects_are_followed_within_http_but_https_never_becomes_http() {
    let target = serve(Reply::file(GOOD));
    let source = serve(Reply::redirect(&(target.base() + PATH)));
    let (result, left, _) = run(&[&source]);
    assert!(result.is_ok());
    assert_eq!(left, [NAME]);
    // The agent made for an https address refuses a plain one at every step
    // of a chain of redirects.
    let refused = transfer::agent("https://example.org/x", SHORT.over)
        .get(target.base() + PATH)
        .call();
    assert!(
        matches!(refused, Err(ureq::Error::RequireHttpsOnly(_))),
        "{refused:?}"
    );
}

#[test]
fn an_address_that_is_none_is_refused() {
    let root = tempfile::tempdir().unwrap();
    for base in ["ftp://example.org", "example.org", ""] {
        let error = download(&[base.to_owned()], root.path(), &mut |_| {});
        assert!(matches!(error, Err(DataError::Mirror { url }) if url == base));
    }
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn a_folder_that_cannot_be_written_is_reported_before_the_network_is_used() {
    let server = serve(Reply::file(GOOD));
    let root = tempfile::tempdir().unwrap();
    let blocked = root.path().join("file");
    fs::write(&blocked, b"").unwrap();
    let folder = blocked.join("set");
    let error = download(&[server.base()], &folder, &mut |_| {}).unwrap_err();
    assert!(matches!(&error, DataError::Write { path, .. } if *path == folder));
    assert!(error.to_string().contains("--data-dir"), "{error}");
    assert!(server.requests().is_empty());
}

#[cfg(unix)]
#[test]
fn a_read_only_folder_is_reported() {
    use std::os::unix::fs::PermissionsExt;
    let server = serve(Reply::file(GOOD));
    let root = tempfile::tempdir().unwrap();
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(root.path().join("probe"), b"").is_ok() {
        // The superuser writes anywhere; the test above covers the message.
        return;
    }
    let error = download(&[server.base()], root.path(), &mut |_| {}).unwrap_err();
    assert!(matches!(error, DataError::Write { .. }));
    assert!(server.requests().is_empty());
}

#[test]
fn a_full_disk_is_our_fault_and_not_the_mirrors() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            let count = buffer.len().min(self.0);
            self.0 -= count;
            if count == 0 {
                Err(io::ErrorKind::StorageFull.into())
            } else {
                Ok(count)
            }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let server = serve(Reply::file(GOOD));
    let url = server.base() + PATH;
    let stop = AtomicBool::new(false);
    let fetch = |room| {
        transfer(
            &url,
            &mut Full(room),
            1000,
            &mirrors(&[], &stop),
            &mut |_| {},
        )
    };
    let failure = fetch(10);
    assert!(
        matches!(failure, Err(Failure::Write(error)) if error.kind() == io::ErrorKind::StorageFull)
    );
    assert_eq!(fetch(1000).ok().map(|done| done.bytes), Some(61));
}

#[test]
fn a_mirror_that_brings_too_little_is_left_for_the_next() {
    let good = serve(Reply::file(GOOD));
    for (bad, expected) in [
        (Reply::silence(), "did not answer within 300ms"),
        (
            Reply::announcing(61, b"").then_silence(),
            "only 0 bytes arrived in the last 300ms, less than 1 kB/s",
        ),
        (
            Reply::announcing(61, &GOOD[..20]).then_silence(),
            "only 20 bytes arrived",
        ),
        (
            Reply::announcing(61, b"").then_drip(Duration::from_millis(20)),
            "bytes arrived in the last 300ms",
        ),
    ] {
        let bad = serve(bad);
        let begun = Instant::now();
        let (result, left, reasons) = run(&[&bad, &good]);
        assert_eq!(result.unwrap().url, good.base() + PATH, "{expected}");
        assert_eq!(left, [NAME]);
        assert_eq!(reasons.len(), 1, "{reasons:?}");
        assert!(reasons[0].contains(expected), "{reasons:?}");
        // Not asked again: others may be faster.
        assert_eq!(bad.requests().len(), 1);
        let seconds = begun.elapsed().as_secs_f64();
        assert!((0.3..20.0).contains(&seconds), "{seconds} s");
    }
}

#[test]
fn a_mirror_that_brings_enough_is_waited_for_however_long_it_takes() {
    // Several times as long as the pace is measured.
    let body = vec![b'x'; 1000];
    let slow = Reply::announcing(body.len(), &[]).then_drip(Duration::from_micros(900));
    let server = serve(slow);
    let published = PublishedFile {
        gz_sha256: digest::sha256_hex(&body).leak(),
        gz_bytes: 1000,
        ..file()
    };
    let (bases, stop) = ([server.base()], AtomicBool::new(false));
    let mut patient = mirrors(&bases, &stop);
    // Far below what a busy machine drips.
    patient.patience.least_rate = 20;
    let root = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let done = patient.download(&published, root.path(), &mut |_| {});
    assert_eq!(done.unwrap().bytes, 1000);
    assert!(begun.elapsed() > 2 * SHORT.over, "{:?}", begun.elapsed());
}

#[test]
fn a_transfer_that_breaks_is_begun_again_at_the_same_mirror() {
    for broken in [
        Reply::reset(),
        Reply::announcing(61, &GOOD[..20]).then_reset(),
        Reply::announcing(61, &GOOD[..20]),
        Reply::open_ended(&GOOD[..20]),
        Reply::status("503 Service Unavailable"),
    ] {
        let server = Server::start(vec![
            (PATH.to_owned(), broken.clone()),
            (PATH.to_owned(), broken),
            (PATH.to_owned(), Reply::file(GOOD)),
        ]);
        let root = tempfile::tempdir().unwrap();
        let mut waits = Vec::new();
        let done = download(&[server.base()], root.path(), &mut |event| match event {
            Progress::Broken { wait, .. } => waits.push(wait),
            Progress::MirrorFailed { reason, .. } => panic!("{reason}"),
            _ => {}
        });
        assert_eq!(fs::read(done.unwrap().path).unwrap(), GOOD);
        assert_eq!(waits, SHORT.waits);
        assert_eq!(server.requests().len(), 3);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }
}

#[test]
fn a_mirror_that_breaks_every_time_is_left() {
    let (bad, good) = (serve(Reply::reset()), serve(Reply::file(GOOD)));
    let bases = [bad.base(), good.base(), bad.base()];
    let root = tempfile::tempdir().unwrap();
    let mut events = Vec::new();
    let done = download(&bases, root.path(), &mut |event| {
        if let Progress::MirrorFailed { is_followed, .. } = event {
            events.push(is_followed);
        }
    });
    assert_eq!(done.unwrap().url, good.base() + PATH);
    assert_eq!(events, [true]);
    assert_eq!(bad.requests().len(), 1 + SHORT.waits.len());

    let alone = [bad.base()];
    let error = download(&alone, root.path(), &mut |event| {
        if let Progress::MirrorFailed { is_followed, .. } = event {
            events.push(is_followed);
        }
    });
    assert!(matches!(error, Err(DataError::Download { .. })));
    assert_eq!(events, [true, false]);
}

#[test]
fn a_mirror_that_failed_is_the_last_one_asked_for_the_next_file() {
    let (bad, good) = (
        serve(Reply::status("404 Not Found")),
        serve(Reply::file(GOOD)),
    );
    let stop = AtomicBool::new(false);
    let bases = [bad.base(), good.base()];
    let mut mirrors = mirrors(&bases, &stop);
    for _ in 0..3 {
        let root = tempfile::tempdir().unwrap();
        let done = mirrors.download(&file(), root.path(), &mut |_| {});
        assert_eq!(done.unwrap().url, good.base() + PATH);
    }
    assert_eq!((bad.requests().len(), good.requests().len()), (1, 3));
}

#[test]
fn a_wrong_answer_is_not_asked_for_again() {
    for wrong in [
        Reply::status("404 Not Found"),
        Reply::file(b"something else of just the same length as the published file!"),
    ] {
        let server = serve(wrong);
        let (result, left, _) = run(&[&server]);
        assert!(result.is_err() && left.is_empty());
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn a_stop_is_heard_at_any_moment_and_leaves_nothing() {
    // With the patience of users, or more: what ends it is the stop.
    let waits: &[(&str, Reply)] = &[
        ("no answer", Reply::silence()),
        ("no body", Reply::announcing(61, b"").then_silence()),
        (
            "a drip",
            Reply::announcing(61, b"").then_drip(Duration::from_millis(20)),
        ),
        ("a wait", Reply::reset()),
    ];
    for (moment, reply) in waits {
        let server = serve(reply.clone());
        let root = tempfile::tempdir().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let signal = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            thread::sleep(Duration::from_millis(150));
            signal.store(true, Ordering::Relaxed);
        });
        let bases = [server.base()];
        let begun = Instant::now();
        let mut patient = Mirrors::new("set", bases.to_vec(), &stop);
        patient.patience.waits = const { &[Duration::from_secs(60)] };
        let result = patient.download(&file(), root.path(), &mut |_| {});
        let took = begun.elapsed();
        thread.join().unwrap();
        let Err(error @ DataError::Stopped { .. }) = result else {
            panic!("{moment}: {result:?}");
        };
        assert!(error.to_string().contains("signal"), "{error}");
        assert!(took < Duration::from_secs(2), "{moment}: {took:?}");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "{moment}");
    }
}
