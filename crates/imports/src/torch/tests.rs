use std::io::Write as _;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

/// An archive of a pickle and storages.
fn archive(pickle: &[u8], storages: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut add = |name: &str, content: &[u8]| {
        zip.start_file(format!("model/{name}"), options)
            .expect("a new entry");
        zip.write_all(content).expect("memory");
    };
    add("data.pkl", pickle);
    for (key, content) in storages {
        add(&format!("data/{key}"), content);
    }
    zip.finish().expect("memory").into_inner()
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'X');
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

fn wholes(out: &mut Vec<u8>, wholes: &[i32]) {
    out.push(b'(');
    for whole in wholes {
        out.push(b'J');
        out.extend(whole.to_le_bytes());
    }
    out.push(b't');
}

/// {"w": a tensor of FloatStorage "0"}.
fn pickle(offset: i32, shape: &[i32], strides: &[i32], numbers: i32) -> Vec<u8> {
    let mut out = b"\x80\x02}".to_vec();
    text(&mut out, "w");
    out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    text(&mut out, "storage");
    out.extend(b"ctorch\nFloatStorage\n");
    text(&mut out, "0");
    text(&mut out, "cpu");
    out.push(b'J');
    out.extend(numbers.to_le_bytes());
    out.extend(b"tQJ");
    out.extend(offset.to_le_bytes());
    wholes(&mut out, shape);
    wholes(&mut out, strides);
    out.extend(b"\x89ccollections\nOrderedDict\n)RtRs.");
    out
}

fn storage(count: usize) -> Vec<u8> {
    (0..count)
        .flat_map(|index| (index as f32).to_le_bytes())
        .collect()
}

fn read_tensor(pickle: &[u8], count: usize) -> Result<Vec<f32>, String> {
    let (tensors, _) = read(&archive(pickle, &[("0", &storage(count))]))?;
    Ok(tensors
        .into_iter()
        .next()
        .and_then(|tensor| tensor.values)
        .unwrap_or_default())
}

#[test]
fn strides_and_offsets_are_followed() {
    let read = |offset, shape: &[i32], strides: &[i32]| {
        read_tensor(&pickle(offset, shape, strides, 24), 24).expect("within the storage")
    };
    assert_eq!(read(0, &[2, 3], &[3, 1]), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(read(0, &[3, 2], &[1, 3]), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    assert_eq!(read(5, &[2], &[7]), [5.0, 12.0]);
    assert_eq!(read(1, &[2, 1, 2], &[4, 99, 2]), [1.0, 3.0, 5.0, 7.0]);
    assert_eq!(read(3, &[], &[]), [3.0]);
    assert_eq!(read(0, &[0, 4], &[4, 1]), [] as [f32; 0]);
}

#[test]
fn tensors_outside_of_their_storage_are_refused() {
    for (offset, shape, strides) in [
        (0, &[5, 5][..], &[5, 1][..]),
        (20, &[2, 3], &[3, 1]),
        (0, &[2, 2], &[i32::MAX, 1]),
        (-1, &[2], &[1]),
        (0, &[-2], &[1]),
        (0, &[2, 2], &[1]),
        (25, &[1], &[1]),
        (0, &[i32::MAX, i32::MAX, i32::MAX], &[0, 0, 0]),
    ] {
        let reason = read_tensor(&pickle(offset, shape, strides, 24), 24).unwrap_err();
        assert!(
            ["outside of its storage", "damaged", "claims more values"]
                .iter()
                .any(|it| reason.contains(it)),
            "{reason}"
        );
    }
}

#[test]
fn nothing_of_a_pickle_is_run() {
    for (pickle, expected) in [
        (
            &b"\x80\x02cos\nsystem\n(X\x02\0\0\0lstR."[..],
            "asks for os.system",
        ),
        (b"\x80\x02c__builtin__\neval\n.", "__builtin__.eval"),
        (
            b"\x80\x02ccollections\nOrderedDict\n)\x81.",
            "instruction '\\u{81}'",
        ),
        (b"\x80\x02(i", "instruction 'i'"),
        (b"\x80\x05.", "protocol 5"),
        (b"\x80\x02", "damaged"),
        (b"\x80\x02.", "damaged"),
        (b"\x80\x02(.", "damaged"),
        (b"\x80\x02h\x07.", "damaged"),
        (b"\x80\x02X\xff\xff\xff\xff.", "damaged"),
        (b"\x80\x02K\x01.", "holds a number"),
        (b"\x80\x02}X\x05\0\0\0epochK\x01s.", "with the keys epoch"),
        (b"\x80\x02]K\x01a.", "holds a list"),
    ] {
        let reason = read(&archive(pickle, &[])).unwrap_err();
        assert!(reason.contains(expected), "{reason}");
    }
    // Deeper than any stack, and more than is kept.
    let mut deep = b"\x80\x02)".to_vec();
    deep.extend([0x85; 100_000]);
    deep.push(b'.');
    assert!(
        read(&archive(&deep, &[]))
            .unwrap_err()
            .contains("holds a list")
    );
    let mut wide = b"\x80\x02".to_vec();
    wide.extend([b')'; 200_000]);
    assert!(
        read(&archive(&wide, &[]))
            .unwrap_err()
            .contains("more than")
    );
}

#[test]
fn archives_of_others_are_told_what_to_do() {
    let of = |name: &str| {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        zip.start_file(name, options).expect("a new entry");
        let bytes = zip.finish().expect("memory").into_inner();
        read(&bytes).unwrap_err()
    };
    assert!(of("model.weights.h5").contains("archive of Keras"));
    assert!(of("arr_0.npy").contains("numpy.load"));
    assert!(of("other").contains("without data.pkl"));
    assert!(
        read(b"PK\x03\x04")
            .unwrap_err()
            .contains("damaged zip archive")
    );
    let missing = archive(&pickle(0, &[1], &[1], 1), &[]);
    assert!(
        read(&missing)
            .unwrap_err()
            .contains("model/data/0 cannot be read")
    );
}

#[test]
fn entries_that_share_bytes_are_refused() {
    // {"w0": storage 0, "w1": storage 1}, whose entries are then made one.
    let mut both = b"\x80\x02}".to_vec();
    for key in ["0", "1"] {
        let one = pickle(0, &[6000], &[1], 6000);
        let one = &one[3..one.len() - 1];
        let at = one
            .windows(6)
            .position(|it| it == b"X\x01\0\0\x000")
            .expect("its key");
        both.extend(&one[..at + 5]);
        both.extend(key.as_bytes());
        both.extend(&one[at + 6..]);
    }
    both.push(b'.');
    let whole = archive(&both, &[("0", &storage(6000)), ("1", &storage(6000))]);
    assert_eq!(read(&whole).expect("two tensors").0.len(), 2);
    // The second of the directory's entries for storages points to the first.
    let mut shared = archive(&both, &[("0", &storage(6000)), ("1", &[0; 4])]);
    let of = |key: &[u8], bytes: &[u8]| {
        let name = [b"model/data/", key].concat();
        bytes
            .windows(name.len())
            .rposition(|it| it == name)
            .expect("an entry")
            - 46
    };
    let (first, second) = (of(b"0", &shared), of(b"1", &shared));
    // Checksum and both sizes, then where it lies.
    for range in [16..28, 42..46] {
        shared.copy_within(first + range.start..first + range.end, second + range.start);
    }
    let reason = read(&shared).unwrap_err();
    assert!(reason.contains("longer in all than the file"), "{reason}");
}

#[test]
fn shapes_have_no_more_dimensions_than_weights_can() {
    let of = |dimensions: usize| {
        read_tensor(&pickle(0, &vec![1; dimensions], &vec![1; dimensions], 1), 1)
    };
    assert_eq!(of(8).expect("eight"), [0.0]);
    let reason = of(9).unwrap_err();
    assert!(reason.contains("a tensor of 9 dimensions"), "{reason}");
}
