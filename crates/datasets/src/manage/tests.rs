use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::fingerprint::fingerprint;
use crate::registry::FILE_NAMES;
use crate::test_server::{Reply, Server};

fn gz(content: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn idx_bytes(dimensions: &[usize], data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    idx::write(&mut bytes, dimensions, data).unwrap();
    bytes
}

/// Four small IDX files: five training and two test images of 2×3 pixels.
fn contents() -> [Vec<u8>; 4] {
    let pixels: Vec<u8> = (0..30).map(|i| i * 8).collect();
    [
        idx_bytes(&[5, 2, 3], &pixels),
        idx_bytes(&[5], &[0, 1, 2, 3, 9]),
        idx_bytes(&[2, 2, 3], &pixels[..12]),
        idx_bytes(&[2], &[7, 7]),
    ]
}

/// A published set of the small files, `plain` of them with a content hash.
fn small_set(plain: bool) -> &'static NamedSet {
    let contents = contents();
    let file = |index: usize| {
        let stored = gz(&contents[index], 9);
        PublishedFile {
            name: FILE_NAMES[index],
            gz_sha256: digest::sha256_hex(&stored).leak(),
            content_sha256: plain.then(|| &*digest::sha256_hex(&contents[index]).leak()),
            gz_bytes: stored.len() as u64,
        }
    };
    Box::leak(Box::new(NamedSet {
        name: "small",
        title: "Small",
        torchvision_folder: "SMALL",
        files: [file(0), file(1), file(2), file(3)],
        mirrors: &[],
        class_names: &["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"],
        licence: "none",
        attribution: "none",
    }))
}

fn server() -> Server {
    let contents = contents();
    let route = |index: usize| {
        (
            format!("/small/{}.gz", FILE_NAMES[index]),
            Reply::file(&gz(&contents[index], 9)),
        )
    };
    Server::start((0..4).map(route).collect())
}

fn lookup(root: &Path, mirrors: Vec<String>) -> Lookup {
    Lookup {
        data_dir: Some(root.join("data")),
        default_dir: root.join("default"),
        mirrors,
        ..Lookup::default()
    }
}

fn put(folder: &Path, level: Option<u32>) {
    fs::create_dir_all(folder).unwrap();
    for (name, content) in FILE_NAMES.iter().zip(contents()) {
        match level {
            Some(level) => fs::write(folder.join(format!("{name}.gz")), gz(&content, level)),
            None => fs::write(folder.join(name), content),
        }
        .unwrap();
    }
}

fn load_source(source: &Source, lookup: &Lookup) -> Result<Dataset, DataError> {
    load::load_source(source, &Reading::default(), lookup, &mut |_| {})
}

fn listing(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn fetch_downloads_what_is_missing_once_and_load_needs_no_network_then() {
    let server = server();
    let root = tempfile::tempdir().unwrap();
    let lookup = lookup(root.path(), vec![server.base()]);
    let source = Source::Named(small_set(true));

    let report = fetch(&source, &lookup, &mut |_| {}).unwrap();
    assert_eq!(
        report.folder.as_deref(),
        Some(&*root.path().join("data/small"))
    );
    assert!(
        report
            .files
            .iter()
            .all(|file| file.action == FetchAction::Downloaded)
    );
    assert_eq!(server.requests().len(), 4);
    assert_eq!(listing(&root.path().join("data/small")).len(), 4);

    let again = fetch(&source, &lookup, &mut |_| panic!("nothing to do")).unwrap();
    assert!(
        again
            .files
            .iter()
            .all(|file| file.action == FetchAction::Present)
    );
    let offline = Lookup {
        offline: true,
        ..lookup
    };
    let dataset = load_source(&source, &offline).unwrap();
    assert_eq!(server.requests().len(), 4);
    assert_eq!(dataset.name, "small");
    assert_eq!(dataset.class_names[9], "j");
    assert_eq!(dataset.train.images().dim(), (5, 6));
    assert_eq!(dataset.train.labels(), Some(&[0, 1, 2, 3, 9][..]));
    let test = dataset.test.bytes().unwrap();
    assert_eq!(test.row(1).to_vec(), [48, 56, 64, 72, 80, 88]);
    let hashes = contents().map(|content| digest::sha256_hex(&content));
    assert_eq!(
        dataset.fingerprint,
        fingerprint(hashes.each_ref().map(String::as_str))
    );
}

#[test]
fn load_downloads_an_absent_set_and_completes_a_partial_one() {
    let server = server();
    let root = tempfile::tempdir().unwrap();
    let lookup = lookup(root.path(), vec![server.base()]);
    let source = Source::Named(small_set(false));
    let folder = root.path().join("data/small");
    put(&folder, Some(9));
    fs::remove_file(folder.join("t10k-labels-idx1-ubyte.gz")).unwrap();
    let dataset = load_source(&source, &lookup).unwrap();
    assert_eq!(dataset.test.labels(), Some(&[7, 7][..]));
    assert_eq!(server.requests(), ["/small/t10k-labels-idx1-ubyte.gz"]);
}

#[test]
fn an_absent_set_says_how_to_get_it() {
    let root = tempfile::tempdir().unwrap();
    let mut lookup = lookup(root.path(), vec!["http://127.0.0.1:1".to_owned()]);
    lookup.offline = true;
    let source = Source::Named(small_set(true));
    let offline = load_source(&source, &lookup).unwrap_err();
    assert!(matches!(offline, DataError::Offline { .. }));
    assert!(matches!(
        verify(&source, &lookup),
        Err(DataError::NotFound { .. })
    ));
    let message = path(&source, &lookup).unwrap_err().to_string();
    for part in ["small", "data fetch small", "--data-dir", "default"] {
        assert!(message.contains(part), "{part} is not in: {message}");
        assert!(
            offline.to_string().contains(part),
            "{part} is not in: {offline}"
        );
    }
    assert_eq!(
        fs::read_dir(root.path()).unwrap().count(),
        0,
        "nothing is created"
    );
}

#[test]
fn a_complete_folder_is_only_read() {
    let root = tempfile::tempdir().unwrap();
    let lookup = lookup(root.path(), Vec::new());
    // In the second place, in torchvision's layout, raw.
    let folder = root.path().join("default/SMALL/raw");
    put(&folder, None);
    let source = Source::Named(small_set(true));
    let before = listing(&folder);
    load_source(&source, &lookup).unwrap();
    fetch(&source, &lookup, &mut |_| {}).unwrap();
    assert!(verify(&source, &lookup).unwrap().ok);
    assert_eq!(path(&source, &lookup).unwrap().folder, Some(folder.clone()));
    assert_eq!(listing(&folder), before);
    assert!(!root.path().join("data").exists());
}

#[test]
fn altered_files_are_refused_by_load_and_fetch_and_reported_by_verify() {
    let root = tempfile::tempdir().unwrap();
    let lookup = lookup(root.path(), Vec::new());
    let folder = root.path().join("data/small");
    let source = Source::Named(small_set(true));
    put(&folder, None);
    // A valid IDX file of the same size with one other pixel.
    let target = folder.join(FILE_NAMES[2]);
    let mut content = contents()[2].clone();
    *content.last_mut().unwrap() ^= 1;
    fs::write(&target, &content).unwrap();

    for error in [
        load_source(&source, &lookup).map(|_| ()).unwrap_err(),
        fetch(&source, &lookup, &mut |_| {})
            .map(|_| ())
            .unwrap_err(),
    ] {
        assert!(
            matches!(&error, DataError::Altered { path, .. } if *path == target),
            "{error}"
        );
        assert!(
            error.to_string().contains(&digest::sha256_hex(&content)),
            "{error}"
        );
    }
    let report = verify(&source, &lookup).unwrap();
    assert!(!report.ok);
    assert_eq!(report.problems.len(), 1);
    let status: Vec<FileStatus> = report.files.iter().map(|file| file.status).collect();
    use FileStatus::{Altered, Published};
    assert_eq!(status, [Published, Published, Altered, Published]);
    assert_eq!(
        fs::read(&target).unwrap(),
        content,
        "the file is left alone"
    );
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["files"][2]["status"], "altered");
    assert_eq!(json["counts"], serde_json::json!([5, 2]));
}

#[test]
fn recompressed_files_hold_the_published_content() {
    let root = tempfile::tempdir().unwrap();
    let lookup = lookup(root.path(), Vec::new());
    put(&root.path().join("data/small"), Some(0));
    let source = Source::Named(small_set(true));
    let report = verify(&source, &lookup).unwrap();
    assert!(report.ok, "{:?}", report.problems);
    assert!(
        report
            .files
            .iter()
            .all(|file| file.status == FileStatus::Recompressed)
    );
    load_source(&source, &lookup).unwrap();
    // Without a known content hash, only the published bytes will do.
    let source = Source::Named(small_set(false));
    assert!(!verify(&source, &lookup).unwrap().ok);
    let error = load_source(&source, &lookup).unwrap_err();
    assert!(matches!(error, DataError::Altered { .. }));
}

#[test]
fn compressed_files_whose_names_lost_their_ending_are_the_published_ones() {
    for plain in [true, false] {
        let root = tempfile::tempdir().unwrap();
        let lookup = lookup(root.path(), Vec::new());
        let folder = root.path().join("data/small");
        put(&folder, Some(9));
        for name in FILE_NAMES {
            fs::rename(folder.join(format!("{name}.gz")), folder.join(name)).unwrap();
        }
        let source = Source::Named(small_set(plain));
        let report = verify(&source, &lookup).unwrap();
        assert!(report.ok, "{:?}", report.problems);
        assert!(
            report
                .files
                .iter()
                .all(|file| file.status == FileStatus::Published)
        );
        assert_eq!(load_source(&source, &lookup).unwrap().train.len(), 5);
        let fetched = fetch(&source, &lookup, &mut |_| {}).unwrap();
        assert!(
            fetched
                .files
                .iter()
                .all(|file| file.action == FetchAction::Present)
        );
    }
}

#[test]
fn damaged_files_are_reported_by_verify() {
    let root = tempfile::tempdir().unwrap();
    let lookup = lookup(root.path(), Vec::new());
    let folder = root.path().join("data/small");
    put(&folder, Some(9));
    let target = folder.join("train-images-idx3-ubyte.gz");
    let stored = fs::read(&target).unwrap();
    fs::write(&target, &stored[..stored.len() - 9]).unwrap();
    let report = verify(&Source::Named(small_set(true)), &lookup).unwrap();
    assert!(!report.ok && report.fingerprint.is_none());
    assert_eq!(report.files[0].status, FileStatus::Damaged);
    assert!(
        report.problems[0].contains("truncated gzip"),
        "{:?}",
        report.problems
    );
}

#[test]
fn a_folder_named_by_idx_loads_and_verifies() {
    let root = tempfile::tempdir().unwrap();
    let lookup = lookup(root.path(), Vec::new());
    put(root.path(), Some(6));
    let source: Source = format!("idx:{}", root.path().display()).parse().unwrap();
    let dataset = load_source(&source, &lookup).unwrap();
    assert_eq!(dataset.name, format!("idx:{}", root.path().display()));
    let report = verify(&source, &lookup).unwrap();
    assert!(report.ok);
    assert_eq!(report.fingerprint, Some(dataset.fingerprint));
    assert!(
        report
            .files
            .iter()
            .all(|file| file.status == FileStatus::Readable)
    );
    let error = fetch(&source, &lookup, &mut |_| {}).unwrap_err();
    assert!(matches!(error, DataError::NotApplicable { .. }));
}

#[test]
fn the_embedded_set_needs_no_files_and_is_itself() {
    let root = tempfile::tempdir().unwrap();
    let lookup = lookup(root.path(), Vec::new());
    let source: Source = "glyphs".parse().unwrap();
    assert!(
        fetch(&source, &lookup, &mut |_| {})
            .unwrap()
            .files
            .is_empty()
    );
    assert!(path(&source, &lookup).unwrap().folder.is_none());
    let report = verify(&source, &lookup).unwrap();
    assert!(report.ok, "{:?}", report.problems);
    assert_eq!(report.counts, Some([60_000, 10_000]));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}
