//! How much memory loading takes, by an allocator that counts.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use allocation_meter::Meter;
use datasets::{Lookup, Reading, Source, glyphs, idx, load_source};
use flate2::Compression;
use flate2::write::GzEncoder;

#[global_allocator]
static METER: Meter = Meter::new();

/// The most memory `work` holds at once beyond what was held before.
fn peak(work: impl FnOnce()) -> usize {
    METER.peak_during(work).1
}

/// One test: the counters belong to the whole process.
#[test]
fn loading_holds_the_images_once_and_a_wrong_header_takes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, dimensions: &[usize], data: &[u8]| {
        let file = File::create(folder.path().join(name)).unwrap();
        let mut encoder = GzEncoder::new(file, Compression::fast());
        idx::write(&mut encoder, dimensions, data).unwrap();
        encoder.finish().unwrap();
    };
    let sample = glyphs::split(0..1000);
    let pixels = sample.bytes().unwrap();
    let repeated = |count: usize| pixels.as_slice().unwrap().repeat(count / 1000);
    let labels: Vec<u8> = sample.labels().unwrap().iter().map(|&l| l as u8).collect();
    write(
        "train-images-idx3-ubyte.gz",
        &[60_000, 28, 28],
        &repeated(60_000),
    );
    write("train-labels-idx1-ubyte.gz", &[60_000], &labels.repeat(60));
    write(
        "t10k-images-idx3-ubyte.gz",
        &[10_000, 28, 28],
        &repeated(10_000),
    );
    write("t10k-labels-idx1-ubyte.gz", &[10_000], &labels.repeat(10));
    let name = format!("idx:{}", folder.path().display());
    let load = || datasets::load(&name, &Lookup::default(), &mut |_| {}).unwrap();
    // The threads of the pool are counted once, here.
    assert_eq!(load().train.len(), 60_000);

    let bytes = peak(|| assert_eq!(load().test.len(), 10_000));
    assert!(bytes < 57_000_000, "loading from files holds {bytes} bytes");
    // Prepared rows are made piece by piece: no second copy of what is raw.
    let inverted = Reading {
        invert: true,
        ..Reading::default()
    };
    let source = Source::Idx(folder.path().to_owned());
    let load_inverted = || load_source(&source, &inverted, &Lookup::default(), &mut |_| {});
    let bytes = peak(|| assert_eq!(load_inverted().unwrap().test.len(), 10_000));
    assert!(bytes < 75_000_000, "preparing holds {bytes} bytes");
    let bytes = peak(|| assert_eq!(glyphs::dataset().train.len(), 60_000));
    assert!(bytes < 57_000_000, "making the glyphs holds {bytes} bytes");

    // Headers that claim four gigabytes, raw and compressed with a length
    // field that agrees with the file and not with the header.
    let mut claim = idx::header(&[1 << 16, 1 << 8, 1 << 8]);
    claim.resize(5_000_000, 0);
    let raw = folder.path().join("raw");
    std::fs::write(&raw, &claim).unwrap();
    let compressed = folder.path().join("compressed");
    let mut encoder = GzEncoder::new(File::create(&compressed).unwrap(), Compression::none());
    encoder.write_all(&claim).unwrap();
    encoder.finish().unwrap();
    for path in [raw, compressed] {
        let bytes = peak(|| assert!(idx::read_images(&path).is_err()));
        assert!(
            bytes < 1_000_000,
            "refusing {} takes {bytes} bytes",
            path.display()
        );
    }

    folders_of_images_are_streamed_in_little_memory(folder.path());
}

fn folders_of_images_are_streamed_in_little_memory(folder: &Path) {
    let images = folder.join("images");
    std::fs::create_dir(&images).unwrap();
    let mut written = 0;
    let mut stream_of = |count: usize, reading: &Reading| {
        for index in written..count {
            let noise = |x: u32, y: u32| {
                let hash = (index as u32 ^ (x << 16) ^ (y << 24)).wrapping_mul(2_654_435_761);
                image::Luma([(hash >> 24) as u8])
            };
            let image = image::GrayImage::from_fn(64, 64, noise);
            image.save(images.join(format!("{index}.png"))).unwrap();
        }
        written = written.max(count);
        let source = Source::Path(images.clone());
        peak(|| {
            let mut rows = 0;
            let stream = datasets::stream(&source, reading, &Lookup::default(), &mut |_| {});
            for mut part in stream.unwrap().parts {
                while let Some(chunk) = part.next_chunk(16).unwrap() {
                    rows += chunk.rows.dim().0;
                }
            }
            assert_eq!(rows, count);
        })
    };
    let kept = Reading {
        cache: Some(folder.join("cache")),
        ..Reading::default()
    };
    let (few, many) = (100, 1000);
    let first = [
        stream_of(few, &Reading::default()),
        stream_of(few, &kept),
        stream_of(few, &kept),
    ];
    let last = [
        stream_of(many, &Reading::default()),
        stream_of(many, &kept),
        stream_of(many, &kept),
    ];
    for (way, (first, last)) in first.into_iter().zip(last).enumerate() {
        // What is known of a file beside its pixels, of which it has 4096.
        // Kept rows pass through a buffer of 8 MB at most, here all of them.
        let buffer = if way == 0 { 0 } else { (many - few) * 4096 };
        let allowed = first + (many - few) * 500 + buffer;
        assert!(last < allowed, "{way}: {first} bytes, then {last}");
    }

    let claim = folder.join("claim.png");
    let mut png = std::fs::read(images.join("0.png")).unwrap();
    png[16..20].copy_from_slice(&60_000u32.to_be_bytes());
    png[20..24].copy_from_slice(&60_000u32.to_be_bytes());
    let mut checksum = flate2::Crc::new();
    checksum.update(&png[12..29]);
    png[29..33].copy_from_slice(&checksum.sum().to_be_bytes());
    std::fs::write(&claim, png).unwrap();
    let bytes = peak(|| {
        let source = Source::Path(claim.clone());
        let reading = Reading::default();
        assert!(datasets::stream(&source, &reading, &Lookup::default(), &mut |_| {}).is_err());
    });
    assert!(bytes < 200_000, "refusing a claim takes {bytes} bytes");
}
