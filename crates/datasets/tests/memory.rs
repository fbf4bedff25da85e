//! How much memory loading takes, by an allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use datasets::{Lookup, glyphs, idx};
use flate2::Compression;
use flate2::write::GzEncoder;

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system allocator unchanged; the
// counters do not touch the memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(live, Ordering::Relaxed);
        // SAFETY: the caller's promises about `layout` are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `pointer` came from `System.alloc` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most memory `work` holds at once beyond what was held before.
fn peak(work: impl FnOnce()) -> usize {
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    work();
    PEAK.load(Ordering::Relaxed) - before
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
}
