//! Tables of text in every dialect, and everything that can be wrong with one.

use std::fs;
use std::path::PathBuf;

use datasets::{
    DataError, Dataset, Kind, LabelColumn, Lookup, Reading, Shape, Source, load_source, stream,
};

fn written(text: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn load_as(text: &str, reading: &Reading) -> Result<Dataset, DataError> {
    let (_folder, path) = written(text.as_bytes());
    load_source(
        &Source::Path(path),
        reading,
        &Lookup::default(),
        &mut |_| {},
    )
}

fn load(text: &str) -> Dataset {
    load_as(text, &Reading::default()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The message of an error, having checked that it is one line with the file.
fn message_of(text: &[u8]) -> String {
    let (_folder, path) = written(text);
    let source = Source::Path(path.clone());
    let error = load_source(
        &source,
        &Reading::default(),
        &Lookup::default(),
        &mut |_| {},
    );
    let message = error.unwrap_err().to_string();
    assert!(message.contains(&path.display().to_string()), "{message}");
    assert!(!message.contains('\n'), "{message}");
    message
}

fn message(text: &str) -> String {
    message_of(text.as_bytes())
}

/// Shape, kind, values and labels in the order of the file.
fn rows(text: &str, reading: &Reading) -> (Shape, Kind, Vec<f32>, Vec<i64>) {
    let (_folder, path) = written(text.as_bytes());
    let mut opened = stream(
        &Source::Path(path),
        reading,
        &Lookup::default(),
        &mut |_| {},
    )
    .unwrap();
    let part = &mut opened.parts[0];
    let (shape, kind) = (part.shape(), part.kind());
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    while let Some(chunk) = part.next_chunk(2).unwrap() {
        let mut row = vec![0.0; shape.len()];
        for index in 0..chunk.rows.dim().0 {
            chunk.rows.write(index, &mut row);
            values.extend_from_slice(&row);
        }
        labels.extend(chunk.labels.unwrap_or_default());
    }
    (shape, kind, values, labels)
}

#[test]
fn dialects_are_told_apart() {
    let expected = [0.5, 1.0, 2.0, 3.0, -4.0, 0.25];
    for text in [
        "0.5,1\n2,3\n-4,0.25\n",
        "0.5;1\r\n2;3\r\n-4;0.25\r\n\r\n",
        "0.5\t1\n2\t3\n-4\t0.25",
        "\u{feff}a,b\n0.5,1\n2,3\n-4,.25\n",
        "\"a;b\",\"c\"\n\"0.5\",\"1\"\n2, 3\n-4e0,2.5e-1\n\n",
        "a;\"b,c\"\n0.5;1\n\n2;3\n-4;0.25\n  \n",
        ",a,b\n0,0.5,1\n1,2,3\n2,-4,0.25\n",
    ] {
        let (shape, kind, values, labels) = rows(text, &Reading::default());
        assert_eq!(
            (shape, kind),
            (Shape::Vector { length: 2 }, Kind::Floats),
            "{text}"
        );
        assert_eq!(values, expected, "{text}");
        assert!(labels.is_empty());
    }
}

#[test]
fn labels_are_found_by_name_text_or_number_of_columns() {
    let (.., values, labels) = rows("a,Class,b\n1.5,7,2\n3,-2,4\n5,7,6\n", &Reading::default());
    assert_eq!(values, [1.5, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(labels, [7, -2, 7]);
    let dataset = load("dog,1.5\ncat,2\ndog,3\n\"big, dog\",4\n");
    assert_eq!(dataset.class_names, ["big, dog", "cat", "dog"]);
    assert!(dataset.remarks[0].contains("taken as the labels"));
    let line = |label: u32| format!("{label}{}\n", ",7".repeat(25));
    let dataset = load(&(line(3) + &line(4)));
    assert_eq!(dataset.class_names, ["3", "4"]);
    assert_eq!(dataset.shape(), Shape::grey(5, 5));
    // Asked for.
    let asked = |labels| Reading {
        labels,
        ..Reading::default()
    };
    let (.., labels) = rows("1,0.5\n2,0.25\n", &asked(LabelColumn::First));
    assert_eq!(labels, [1, 2]);
    let (shape, ..) = rows("label,a\n1,0.5\n2,0.25\n", &asked(LabelColumn::None));
    assert_eq!(shape, Shape::Vector { length: 2 });
}

#[test]
fn pixels_are_images_and_other_numbers_vectors() {
    let header = |names: &[&str]| names.join(",");
    let text =
        header(&["label", "pixel0", "pixel1", "pixel2", "pixel3"]) + "\n3,0,51,255,1\n5,1,2,3,4\n";
    let (shape, kind, values, labels) = rows(&text, &Reading::default());
    assert_eq!((shape, kind), (Shape::grey(2, 2), Kind::Bytes));
    assert_eq!(values[..3], [0.0, 0.2, 1.0]);
    assert_eq!(labels, [3, 5]);
    let text = header(&["label", "1x1", "1x2", "2x1", "2x2"]) + "\n3,0,51,255,1\n5,1,2,3,4\n";
    assert_eq!(rows(&text, &Reading::default()).0, Shape::grey(2, 2));
    // Without such names, a few whole numbers are a table.
    let few = "1,2,3,4\n5,6,7,8\n";
    assert_eq!(rows(few, &Reading::default()).1, Kind::Floats);
    let declared = Reading {
        shape: Some(Shape::grey(1, 4)),
        ..Reading::default()
    };
    let (shape, kind, values, _) = rows(few, &declared);
    assert_eq!((shape, kind), (Shape::grey(1, 4), Kind::Bytes));
    assert_eq!(values[1], 2.0 / 255.0);
    let line = ["7"; 25].join(",");
    let many = format!("{line}\n{line}\n");
    assert_eq!(rows(&many, &Reading::default()).0, Shape::grey(5, 5));
    // One field that is no byte makes all of them numbers.
    let fraction = format!("{line}\n{}7.5\n", "7,".repeat(24));
    let (shape, kind, values, _) = rows(&fraction, &Reading::default());
    assert_eq!((shape, kind), (Shape::Vector { length: 25 }, Kind::Floats));
    assert_eq!(values[0], 7.0);
}

#[test]
fn mistakes_are_named_with_their_line_and_column() {
    for (text, parts) in [
        ("a,b\n1,2\n3\n", &["line 3", "1 fields", "2 as in"][..]),
        ("1,2\n3,\n", &["line 2, column 2", "an empty field"]),
        ("a,b\n1,2\n\n3,x\n", &["line 4, column 2 (\"b\")", "\"x\""]),
        ("1,2\n3,nan\n", &["line 2, column 2", "\"nan\"", "finite"]),
        ("1,2\n3,1e60\n", &["\"1e60\""]),
        ("a;b\n0,5;1\n", &["line 2, column 1", "\"0,5\"", "point"]),
        ("label,a\n1,2\n,3\n", &["line 3, column 1", "empty label"]),
        ("label,a\n1,2\n0.5,3\n", &["line 3", "the label \"0.5\""]),
        ("label,a\n1,2\n4294967296,3\n", &["4294967296", "32 bits"]),
        ("NA,1\n2,3\n", &["line 2, column 1", "\"2\"", "a name"]),
        ("label\n1\n2\n", &["none of which holds values"]),
        ("", &["no line"]),
        ("\n\n", &["no line"]),
        ("a,b\n", &["a header and no row"]),
        ("1,2\n", &["holds 1 row"]),
        ("1,\"2\n3,4\n", &["line 1, column 2"]),
    ] {
        let message = message(text);
        for part in parts {
            assert!(message.contains(part), "{text:?}: {message}");
        }
    }
    assert!(message_of(b"1,2\n\x00,4\n").contains("byte 0"));
    assert!(message_of(b"\xff\xfe1\x00").contains("UTF-16"));
    assert!(message_of(b"label,a\n\xff,1\n").contains("UTF-8"));
}

#[test]
fn wide_rows_and_identifiers_end_in_a_sentence() {
    let wide = format!("{}\n1,2\n", vec!["1"; 1_000_000].join(","));
    let found = message(&wide);
    assert!(
        found.contains("2 fields") && found.contains("1000000"),
        "{found}"
    );
    let names: String = (0..70_000).map(|row| format!("row {row},0.5\n")).collect();
    assert!(message(&names).contains("more than 65536 different labels"));
}

#[test]
fn compressed_tables_are_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv.gz");
    fs::write(&path, b"\x1f\x8b").unwrap();
    let source = Source::Path(path);
    let error = load_source(
        &source,
        &Reading::default(),
        &Lookup::default(),
        &mut |_| {},
    );
    assert!(error.unwrap_err().to_string().contains("gunzip"));
}

#[test]
fn a_list_beside_a_table_names_its_numbered_classes() {
    let (folder, path) = written(b"label,a,b\n1,2,3\n2,3,4\n1,9,9\n2,8,7\n");
    fs::write(folder.path().join("labels.txt"), "cat\ndog\n").unwrap();
    let source = Source::Path(path);
    let load = || {
        load_source(
            &source,
            &Reading::default(),
            &Lookup::default(),
            &mut |_| {},
        )
    };
    assert_eq!(load().unwrap().class_names, ["cat", "dog"]);
    fs::remove_file(folder.path().join("labels.txt")).unwrap();
    assert_eq!(load().unwrap().class_names, ["1", "2"]);
}
