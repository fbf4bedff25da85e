//! Which files are images, of which part and class, in which order.

use std::fs;
use std::path::Path;

use datasets::{PartName, Reading};

use crate::written::{grey_png, put, small, small_pixels};
use crate::{Read, assert_says, load, message, read};

fn all(path: &Path) -> Read {
    read(path, &Reading::default()).unwrap()
}

fn refused(path: &Path) -> String {
    message(path, &Reading::default())
}

fn names(read: &Read, part: usize) -> Vec<(&str, Option<i64>)> {
    read.parts[part]
        .1
        .iter()
        .map(|row| (row.name.as_str(), row.label))
        .collect()
}

#[test]
fn a_flat_folder_is_unlabelled_and_sorted_by_the_bytes_of_names() {
    let folder = tempfile::tempdir().unwrap();
    for (seed, name) in ["b.png", "B.png", "a10.png", "a9.png", "é.PNG"]
        .iter()
        .enumerate()
    {
        put(folder.path(), name, &small(seed as u8));
    }
    let read = all(folder.path());
    assert_eq!(read.parts[0].0, PartName::All);
    assert!(read.class_names.is_empty() && read.remarks.is_empty());
    assert_eq!(
        names(&read, 0),
        [
            ("B.png", None),
            ("a10.png", None),
            ("a9.png", None),
            ("b.png", None),
            ("é.PNG", None)
        ]
    );
    for (row, seed) in read.parts[0].1.iter().zip([1, 2, 3, 0, 4]) {
        assert_eq!(row.bytes, small_pixels(seed));
    }
    let dataset = load(folder.path(), &Reading::default()).unwrap();
    assert_eq!(dataset.train.len() + dataset.test.len(), 5);
    assert!(dataset.train.labels().is_none());
    assert!(dataset.train.names().is_some());
}

#[test]
fn folders_are_classes_in_the_order_of_their_names() {
    let folder = tempfile::tempdir().unwrap();
    for (name, seed) in [
        ("dog/1.png", 1),
        ("cat/2.png", 2),
        ("cat/1.png", 3),
        ("Eel/x.png", 4),
    ] {
        put(folder.path(), name, &small(seed));
    }
    let read = all(folder.path());
    assert_eq!(
        names(&read, 0),
        [
            ("Eel/x.png", Some(0)),
            ("cat/1.png", Some(1)),
            ("cat/2.png", Some(1)),
            ("dog/1.png", Some(2))
        ]
    );
    let classes: Vec<&String> = read.class_names.values().collect();
    assert_eq!(classes, ["Eel", "cat", "dog"]);

    // Other names for the classes, in their order or by number.
    put(folder.path(), "labels.txt", b"Anguilla\nFelis\nCanis\n");
    assert_eq!(all(folder.path()).class_names[&1], "Felis");
    put(folder.path(), "labels.txt", b"2 Canis\n");
    let read = all(folder.path());
    assert_eq!(
        (&*read.class_names[&1], &*read.class_names[&2]),
        ("cat", "Canis")
    );
    assert!(read.remarks.is_empty());
    // The folders' own names in another order would exchange classes.
    put(folder.path(), "labels.txt", b"dog\nEel\ncat\n");
    assert_says(
        &refused(folder.path()),
        &["labels.txt", "\"Eel\"", "\"dog\""],
    );
    put(folder.path(), "labels.txt", b"a\nb\nc\nd\n");
    assert_says(
        &refused(folder.path()),
        &["labels.txt", "class 3", "3 class folders"],
    );
}

#[test]
fn training_and_test_folders_share_their_classes() {
    let folder = tempfile::tempdir().unwrap();
    for (name, seed) in [
        ("train/b/1.png", 1),
        ("train/c/1.png", 2),
        ("test/a/1.png", 3),
        ("test/c/1.png", 4),
    ] {
        put(folder.path(), name, &small(seed));
    }
    // An empty folder of a class that has images in the other part.
    fs::create_dir(folder.path().join("test/b")).unwrap();
    let read = all(folder.path());
    assert_eq!(
        (read.parts[0].0, read.parts[1].0),
        (PartName::Train, PartName::Test)
    );
    assert_eq!(
        names(&read, 0),
        [("train/b/1.png", Some(1)), ("train/c/1.png", Some(2))]
    );
    assert_eq!(
        names(&read, 1),
        [("test/a/1.png", Some(0)), ("test/c/1.png", Some(2))]
    );
    assert_eq!(
        read.class_names.values().collect::<Vec<_>>(),
        ["a", "b", "c"]
    );
    let dataset = load(folder.path(), &Reading::default()).unwrap();
    assert_eq!(dataset.test.labels().unwrap(), [0, 2]);
    assert_eq!(dataset.test.names().unwrap()[1], "test/c/1.png");

    // Validation images beside a test set are left out, and said to be.
    put(folder.path(), "valid/a/1.png", &small(5));
    let read = all(folder.path());
    assert_eq!(read.parts[1].1.len(), 2);
    assert_says(&read.remarks[0], &["valid/", "left out"]);
    fs::remove_dir_all(folder.path().join("test")).unwrap();
    let read = all(folder.path());
    assert_eq!(names(&read, 1), [("valid/a/1.png", Some(0))]);
    assert_says(&read.remarks[0], &["valid/ is taken as the test set"]);

    put(folder.path(), "val/a/1.png", &small(5));
    assert_says(&refused(folder.path()), &["val/", "valid/", "one folder"]);
}

#[test]
fn train_beside_other_folders_is_a_class() {
    let folder = tempfile::tempdir().unwrap();
    for (name, seed) in [("bus/1.png", 1), ("train/1.png", 2)] {
        put(folder.path(), name, &small(seed));
    }
    assert_eq!(
        names(&all(folder.path()), 0),
        [("bus/1.png", Some(0)), ("train/1.png", Some(1))]
    );
    fs::remove_dir_all(folder.path().join("bus")).unwrap();
    // Alone it holds the images, which have no classes then.
    assert_eq!(names(&all(folder.path()), 0), [("train/1.png", None)]);
    put(folder.path(), "Testing/x/1.png", &small(3));
    assert_says(
        &load(folder.path(), &Reading::default())
            .unwrap_err()
            .to_string(),
        &["labels"],
    );
}

#[test]
fn other_files_are_counted_and_known_companions_are_not() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        ".hidden.png",
        ".DS_Store",
        "Thumbs.db",
        "labels.txt",
        "README.md",
        "readme",
        "desktop.ini",
        "__MACOSX/a/._1.png",
        ".git/x/y/z.png",
        "a/._1.png",
    ] {
        put(folder.path(), name, b"nothing");
    }
    put(folder.path(), "labels.txt", b"A\n");
    put(folder.path(), "a/1.png", &small(1));
    put(folder.path(), "a/2.png", &small(2));
    assert!(all(folder.path()).remarks.is_empty());
    put(folder.path(), "a/x.txt", b"");
    put(folder.path(), "notes.pdf", b"");
    assert_eq!(
        all(folder.path()).remarks[0].split(" (").next().unwrap(),
        "2 files that are no PNG, JPEG, WebP or BMP images were passed over"
    );
    for index in 0..5 {
        put(folder.path(), &format!("a/{index}.txt"), b"");
    }
    let remark = &all(folder.path()).remarks[0];
    assert_says(remark, &["7 files", "notes.pdf", "a/0.txt", "a/1.txt, …)"]);
}

#[test]
fn a_single_image_is_a_source_and_too_few_to_train_on() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "no-extension", &small(3));
    let path = folder.path().join("no-extension");
    let read = all(&path);
    assert_eq!(names(&read, 0), [("no-extension", None)]);
    assert_eq!(read.parts[0].1[0].bytes, small_pixels(3));
    let message = load(&path, &Reading::default()).unwrap_err().to_string();
    assert_says(&message, &["holds 1 row", "at least 2"]);
}

#[test]
fn layouts_that_can_be_misread_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("empty")).unwrap();
    assert_says(
        &refused(&at("empty")),
        &["empty holds no PNG, JPEG, WebP or BMP image; expected"],
    );

    put(folder.path(), "texts/a.gif", b"GIF89a");
    assert_says(&refused(&at("texts")), &["(but a.gif)"]);
    put(folder.path(), "texts/b.txt", b"");
    assert_says(&refused(&at("texts")), &["2 other files such as a.gif"]);

    put(folder.path(), "hollow/full/a.png", &small(1));
    fs::create_dir_all(at("hollow/void")).unwrap();
    assert_says(
        &refused(&at("hollow")),
        &["class folder without images, void"],
    );
    fs::remove_dir_all(at("hollow/full")).unwrap();
    assert_says(
        &refused(&at("hollow")),
        &["class folder without images, void"],
    );

    put(folder.path(), "mixed/a.png", &small(1));
    put(folder.path(), "mixed/b/a.png", &small(1));
    assert_says(&refused(&at("mixed")), &["a.png", "(b, …)", "either"]);
    put(folder.path(), "named/x.png/a.png", &small(1));
    put(folder.path(), "named/y.png", &small(1));
    assert_says(&refused(&at("named")), &["y.png", "(x.png, …)"]);

    put(folder.path(), "deep/a/b/c.png", &small(1));
    assert_says(
        &refused(&at("deep")),
        &["deep/a/b", "one level of class folders"],
    );
    put(folder.path(), "split/train/a/b/c.png", &small(1));
    assert_says(&refused(&at("split")), &["split/train/a/b"]);
    fs::create_dir_all(at("half/test")).unwrap();
    put(folder.path(), "half/train/a.png", &small(1));
    assert_says(&refused(&at("half")), &["half/test holds no PNG"]);
}

#[test]
fn different_sizes_are_listed_and_resized_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    for index in 0..4 {
        put(
            folder.path(),
            &format!("{index}.png"),
            &grey_png(3, 2, &[100; 6]),
        );
    }
    put(folder.path(), "y.png", &grey_png(2, 3, &[100; 6]));
    put(folder.path(), "x.png", &grey_png(2, 3, &[100; 6]));
    put(folder.path(), "2.png", &grey_png(1, 1, &[100]));
    assert_says(
        &refused(folder.path()),
        &[
            "3 of 2x3, 2 of 3x2 such as x.png, 1 of 1x1 such as 2.png)",
            "--resize HxW",
            "--resize 2x3",
        ],
    );
    for side in 4..9u32 {
        put(
            folder.path(),
            &format!("s{side}.png"),
            &grey_png(side, side, &vec![0; (side * side) as usize]),
        );
    }
    assert_says(
        &refused(folder.path()),
        &["1 of 5x5 such as s5.png, and 3 more"],
    );
    let resized = Reading {
        resize: Some((4, 5)),
        ..Reading::default()
    };
    let read = read(folder.path(), &resized).unwrap();
    assert_eq!(read.shape.to_string(), "4x5");
    assert_eq!(read.parts[0].1.len(), 11);
    assert_eq!(read.parts[0].1[0].bytes, [100; 20]);
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_and_cycles_end() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        put(folder.path(), "far/1.png", &small(1));
        put(folder.path(), "near/cat/2.png", &small(2));
        symlink(at("far"), at("near/dog")).unwrap();
        symlink(at("far/1.png"), at("near/cat/3.png")).unwrap();
        let read = all(&at("near"));
        assert_eq!(
            names(&read, 0),
            [
                ("cat/2.png", Some(0)),
                ("cat/3.png", Some(0)),
                ("dog/1.png", Some(1))
            ]
        );
        symlink(at("near"), at("near/cat/up")).unwrap();
        assert_says(&refused(&at("near")), &["near/cat/up", "one level"]);
        fs::remove_file(at("near/cat/up")).unwrap();
        symlink("self.png", at("near/cat/self.png")).unwrap();
        assert_says(&refused(&at("near")), &["near/cat/self.png", "cannot read"]);
        fs::remove_file(at("near/cat/self.png")).unwrap();
        symlink("nowhere", at("near/cat/dangling.png")).unwrap();
        assert_says(
            &refused(&at("near")),
            &["near/cat/dangling.png", "cannot read"],
        );
    }

    #[test]
    fn names_that_are_no_utf_8_stay_distinct() {
        let folder = tempfile::tempdir().unwrap();
        for (seed, name) in [&b"a\xff.png"[..], b"a\xfe.png", b"a\\xFE.png"]
            .iter()
            .enumerate()
        {
            fs::write(
                folder.path().join(OsStr::from_bytes(name)),
                small(seed as u8),
            )
            .unwrap();
        }
        let read = all(folder.path());
        assert_eq!(
            names(&read, 0),
            [
                ("a\\xFE.png", None),
                ("a\\xFE.png~", None),
                ("a\\xFF.png", None)
            ]
        );
        for (row, seed) in read.parts[0].1.iter().zip([2, 1, 0]) {
            assert_eq!(row.bytes, small_pixels(seed));
        }
    }

    #[test]
    fn devices_and_pipes_are_no_images() {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), "a.png", &small(1));
        symlink("/dev/zero", folder.path().join("b.png")).unwrap();
        let read = all(folder.path());
        assert_eq!(read.parts[0].1.len(), 1);
        assert_says(&read.remarks[0], &["1 file", "b.png"]);
        assert_says(
            &refused(Path::new("/dev/zero")),
            &["/dev/zero", "a device; expected a regular file"],
        );
    }
}
