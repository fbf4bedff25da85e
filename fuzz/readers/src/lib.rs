//! Every reader of bytes that the project has, each as a function of the bytes
//! of one file.
//!
//! One list serves the targets of cargo-fuzz, the property tests of `cargo
//! test` and the long runs of `cargo xtask ci --full`. A file ends in content or
//! in one sentence that names it; anything else (a panic, a hang, memory that
//! its size does not justify, a changed file taken for the one that was
//! written) is a finding.

pub mod mutation;
mod reading;
mod repair;

use std::path::Path;

/// Where a [`Reader`] puts its files: in memory where the system has such a
/// folder.
///
/// # Panics
/// When no temporary folder can be made.
#[must_use]
pub fn place() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    made.expect("a temporary folder")
}

/// A reader of one kind of file.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    /// What the kind is called in every list and option.
    pub name: &'static str,
    /// Bytes that reading may take beyond 64 times those of the file.
    pub allowance: usize,
    /// Brings lengths and checksums of a changed file in order, so that what is
    /// behind them is reached.
    pub repair: Option<fn(&mut Vec<u8>)>,
    open: fn(&Path) -> Opened,
}

/// A reader with the files beside the one that it reads.
pub struct Opened {
    /// Good files of the kind.
    pub files: Vec<Vec<u8>>,
    /// Reads a file with these bytes.
    read: Read,
}

type Read = Box<dyn FnMut(&[u8]) -> Outcome>;

/// What reading a file ended in: nothing more to say, or the error's sentence.
pub type Outcome = Result<(), String>;

impl Reader {
    /// Prepares the reader, with its files in the folder `place`.
    ///
    /// # Panics
    /// When the folder cannot be written.
    #[must_use]
    pub fn open(&self, place: &Path) -> Opened {
        std::fs::create_dir_all(place).expect("a folder for files");
        (self.open)(place)
    }

    /// The reader of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        READERS.iter().find(|reader| reader.name == name)
    }
}

impl Opened {
    /// Reads a file with these bytes, and gives the sentence of its error.
    ///
    /// # Panics
    /// When the reader does, takes a changed file for another, or its error is
    /// more than one line.
    pub fn read(&mut self, bytes: &[u8]) -> Outcome {
        let outcome = (self.read)(bytes);
        if let Err(sentence) = &outcome {
            assert!(!sentence.contains('\n'), "more than one line: {sentence}");
        }
        outcome
    }
}

const MEBIBYTE: usize = 1 << 20;

const fn reader(name: &'static str, open: fn(&Path) -> Opened) -> Reader {
    Reader {
        name,
        // Buffers of a fixed size, and a million values that need no proof.
        allowance: 8 * MEBIBYTE,
        repair: None,
        open,
    }
}

const fn picture(name: &'static str, open: fn(&Path) -> Opened) -> Reader {
    Reader {
        // A small file may hold a large image; what decoding may take is
        // bounded by itself.
        allowance: 1024 * MEBIBYTE,
        ..reader(name, open)
    }
}

const fn tensors(name: &'static str, open: fn(&Path) -> Opened) -> Reader {
    Reader {
        repair: Some(|bytes| repair::safetensors(bytes)),
        ..reader(name, open)
    }
}

const fn sealed(name: &'static str, repair: fn(&mut Vec<u8>), open: fn(&Path) -> Opened) -> Reader {
    Reader {
        repair: Some(repair),
        ..reader(name, open)
    }
}

/// All readers.
pub static READERS: &[Reader] = &[
    reader("idx", reading::data::idx_images),
    reader("idx-labels", reading::data::idx_labels),
    reader("npy", reading::data::npy),
    reader("npz", reading::data::npz),
    reader("csv", reading::data::csv),
    #[cfg(feature = "parquet")]
    reader("parquet", reading::data::parquet),
    reader("class-names", reading::data::class_names),
    reader("emnist-mapping", reading::data::emnist_mapping),
    Reader {
        repair: Some(|bytes| repair::png(bytes)),
        ..picture("png", reading::pictures::png)
    },
    picture("jpeg", reading::pictures::jpeg),
    picture("bmp", reading::pictures::bmp),
    picture("webp", reading::pictures::webp),
    reader("cache-entry", reading::pictures::cache_entry),
    tensors("model", reading::weights::model),
    tensors("state", reading::weights::state),
    tensors("two-layer-state", reading::weights::two_layer_state),
    tensors("classifier", reading::weights::classifier),
    sealed(
        "configuration",
        repair::text,
        reading::run_files::configuration,
    ),
    sealed(
        "former-configuration",
        repair::text,
        reading::run_files::former_configuration,
    ),
    sealed("metrics", repair::json_lines, reading::run_files::metrics),
    sealed("result", repair::json_document, reading::run_files::result),
    sealed(
        "environment",
        repair::json_document,
        reading::run_files::environment,
    ),
    sealed(
        "evaluation",
        repair::json_document,
        reading::run_files::evaluation,
    ),
    sealed(
        "trajectories",
        repair::archive,
        reading::run_files::trajectories,
    ),
    reader("codes-npy", reading::run_files::codes_npy),
    reader("codes-npz", reading::run_files::codes_npz),
    reader("codes-csv", reading::run_files::codes_csv),
    reader("study", reading::studies::study),
    sealed("section", repair::json_document, reading::studies::section),
    tensors("import-safetensors", reading::imports::safetensors),
    sealed("import-torch", repair::archive, reading::imports::torch),
    reader("import-onnx", reading::imports::onnx),
    reader("name-map", reading::imports::name_map),
];
