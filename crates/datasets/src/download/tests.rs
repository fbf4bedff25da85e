use super::*;
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

/// Downloads from `servers` in order; returns the result, what was left in
/// the folder, and the reasons mirrors were given up for.
fn run(servers: &[&Server]) -> (Result<Downloaded, DataError>, Vec<String>, Vec<String>) {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("data/set");
    let bases: Vec<String> = servers.iter().map(|server| server.base()).collect();
    let mut reasons = Vec::new();
    let result = download("set", &file(), &folder, &bases, &mut |event| {
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
    let done = download(
        "set",
        &file(),
        root.path(),
        &[server.base() + "/"],
        &mut |event| {
            events.push(format!("{event:?}"));
        },
    )
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
    assert!(reasons[1].contains("SHA-256"), "{reasons:?}");
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
    let done = download(
        "set",
        &file(),
        root.path(),
        &[gone, good.base()],
        &mut |_| {},
    )
    .unwrap();
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
    let refused = agent("https://example.org/x")
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
        let error = download("set", &file(), root.path(), &[base.to_owned()], &mut |_| {});
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
    let error = download("set", &file(), &folder, &[server.base()], &mut |_| {}).unwrap_err();
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
    let error = download("set", &file(), root.path(), &[server.base()], &mut |_| {}).unwrap_err();
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
    let failure = attempt(&url, &mut Full(10), 1000, &mut |_| {});
    assert!(
        matches!(failure, Err(Failure::Write(error)) if error.kind() == io::ErrorKind::StorageFull)
    );
    assert!(matches!(
        attempt(&url, &mut Full(1000), 1000, &mut |_| {}),
        Ok((61, _))
    ));
}

#[test]
fn this_machine_is_recognised() {
    for url in [
        "http://127.0.0.1:80/x",
        "http://localhost/x",
        "http://[::1]:8080/",
    ] {
        assert!(is_loopback(url), "{url}");
    }
    for url in [
        "http://127.0.0.1.example.org/",
        "https://example.org/localhost",
        "x",
    ] {
        assert!(!is_loopback(url), "{url}");
    }
}
