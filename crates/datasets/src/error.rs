//! Everything that can go wrong with a data set, one sentence each.

use std::fmt;
use std::io;
use std::path::PathBuf;

use memory::TooLarge;

use crate::folder::{FolderProblem, ImageProblem};
use crate::shape::Shape;

/// Why a data set could not be found, read, verified, downloaded or written.
///
/// Every message is one sentence that names the file or the name concerned,
/// what was found, what was expected and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The name is no data set of the registry, not of the form `idx:DIR`, and
    /// no path that exists.
    #[error(
        "there is no data set or file \"{name}\"{}: expected {}, idx:DIR, or the path of a folder or file with images",
        Meant(*nearest), crate::registry::NAMES.join(", ")
    )]
    UnknownDataset {
        /// The name as given.
        name: String,
        /// The name of the registry that it resembles.
        nearest: Option<&'static str>,
    },
    /// A text that is no shape.
    #[error(
        "\"{text}\" is no shape: expected height and width such as 28x28, with channels such as 64x64x3, or the length of a vector such as 512"
    )]
    Shape {
        /// The text as given.
        text: String,
    },
    /// An option of reading has a value beyond its range.
    #[error("{option} is {found}; expected {expected}")]
    Reading {
        /// The option.
        option: &'static str,
        /// Its value.
        found: String,
        /// What it may be.
        expected: &'static str,
    },
    /// Rows have another length than `--shape` says.
    #[error(
        "{} holds {} of {found}, but --shape is {declared}; expected a shape of {} values",
        path.display(), found.noun(), found.len()
    )]
    DeclaredShape {
        /// The file concerned.
        path: PathBuf,
        /// The shape found.
        found: Shape,
        /// The shape asked for.
        declared: Shape,
    },
    /// Images with a number of channels that is none of grey, colour, and
    /// these with transparency.
    #[error(
        "{} holds images of {channels} channels; expected 1 (grey), 2 (grey and alpha), 3 (colour) or 4 (colour and alpha); name another shape with --shape, or a vector's length",
        path.display()
    )]
    Channels {
        /// The file concerned.
        path: PathBuf,
        /// Channels found.
        channels: usize,
    },
    /// A value is NaN or infinite.
    #[error(
        "{} holds {found} in row {row}, position {position}, both counted from 0; expected finite numbers, remove or replace it",
        path.display()
    )]
    NotFinite {
        /// The file concerned.
        path: PathBuf,
        /// The row, counted from 0.
        row: usize,
        /// The position in the row, counted from 0.
        position: usize,
        /// The value.
        found: f32,
    },
    /// A list of class names that fits the labels neither by position nor by
    /// number.
    #[error(
        "{} names {names} classes, but there are {labels} labels and none of its lines is for label {label}; begin each line with its label, such as \"{label} name\"",
        path.display()
    )]
    ListedNames {
        /// The list.
        path: PathBuf,
        /// Names in it.
        names: usize,
        /// Different labels.
        labels: usize,
        /// The first label beyond the list.
        label: i64,
    },
    /// Class folders are listed under one another's names.
    #[error(
        "{} gives the class folder {class:?} the name of another one, {name:?}; expected other names, or the folders' own in the order of their names",
        path.display()
    )]
    SwappedNames {
        /// The list.
        path: PathBuf,
        /// The class by its folder.
        class: String,
        /// Its line.
        name: String,
    },
    /// Rows that hold nothing.
    #[error("{} holds rows of no values; expected at least one value in a row", path.display())]
    NoValues {
        /// The file concerned.
        path: PathBuf,
    },
    /// Fewer rows than a training and a test set need.
    #[error(
        "{} holds {found} row{}; expected at least {needed}{}",
        path.display(), if *found == 1 { "" } else { "s" }, if *needed > 1 { ", to train on and to test with" } else { "" }
    )]
    TooFew {
        /// The file or folder concerned.
        path: PathBuf,
        /// Rows found.
        found: usize,
        /// Rows needed.
        needed: usize,
    },
    /// More rows, or longer ones, than IDX files and the order of a training
    /// number.
    #[error(
        "{} holds {found} rows of {shape}; expected at most {} rows and as much along each side, take a part of it",
        path.display(), u32::MAX
    )]
    TooMany {
        /// The file or folder concerned.
        path: PathBuf,
        /// Rows found.
        found: usize,
        /// What a row is.
        shape: Shape,
    },
    /// Training or test images have labels, the others none.
    #[error(
        "{} has labels but {} has none; expected labels for both or for neither",
        with.display(), without.display()
    )]
    LabelsOfOnePart {
        /// The part with labels.
        with: PathBuf,
        /// The part without.
        without: PathBuf,
    },
    /// A file is of no format that can be read.
    #[error(
        "{} is no file that can be loaded: expected an image, .npz, .npy, .csv or .parquet, or a folder with images or IDX files",
        path.display()
    )]
    UnknownFormat {
        /// The file concerned.
        path: PathBuf,
    },
    /// A folder holds several IDX data sets.
    #[error(
        "{} holds several data sets ({}); name one of them, such as idx:{}",
        folder.display(), prefixes.join(", "), folder.join(prefixes.first().map_or("", String::as_str)).display()
    )]
    SeveralSets {
        /// The folder searched.
        folder: PathBuf,
        /// What their files begin with.
        prefixes: Vec<String>,
    },
    /// A file that names classes is not understood.
    #[error("{}, line {line}: \"{found}\" names no class; expected {expected}", path.display())]
    ClassNames {
        /// The file concerned.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// A file or folder exists but could not be read.
    #[error("cannot read {}: {source}; check that it is a readable file", path.display())]
    Read {
        /// The file concerned.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// An array or table is not what it should be.
    #[error("{}{place}: found {found}; expected {expected}", path.display())]
    Table {
        /// The file concerned.
        path: PathBuf,
        /// Where in the file, such as `, line 3, column 5`; empty for all of it.
        place: String,
        /// What was found.
        found: String,
        /// What was expected, with what to do.
        expected: String,
    },
    /// A file is not the IDX file that was expected.
    #[error("{}: {problem}", path.display())]
    Idx {
        /// The file concerned.
        path: PathBuf,
        /// What is wrong with its content.
        problem: IdxProblem,
    },
    /// A file is not the image that was expected.
    #[error("{} {problem}", path.display())]
    Image {
        /// The file concerned.
        path: PathBuf,
        /// What is wrong with it.
        problem: ImageProblem,
    },
    /// A file in a column of a table is not the image that was expected.
    #[error("{}{place}: the file in row {row}, counted from 0, {problem}", path.display())]
    ImageInColumn {
        /// The table.
        path: PathBuf,
        /// The column, such as `, column image.bytes`.
        place: String,
        /// The row, counted from 0.
        row: u64,
        /// What is wrong with the file.
        problem: ImageProblem,
    },
    /// A folder is not laid out as one of images.
    #[error("{} {problem}", path.display())]
    Folder {
        /// The folder concerned.
        path: PathBuf,
        /// What is wrong with it.
        problem: FolderProblem,
    },
    /// The image file and the label file of a split hold different numbers.
    #[error(
        "{} holds {images} images but {} holds {labels} labels: expected one label per image, use two files of the same split",
        image_path.display(), label_path.display()
    )]
    CountMismatch {
        /// The image file.
        image_path: PathBuf,
        /// The label file.
        label_path: PathBuf,
        /// Images found.
        images: usize,
        /// Labels found.
        labels: usize,
    },
    /// Training and test images differ in shape.
    #[error(
        "{} holds {} of {test} but {} holds {} of {train}: expected the same shape in both splits, use files of one data set",
        test_path.display(), test.noun(), train_path.display(), train.noun()
    )]
    SizeMismatch {
        /// The training image file.
        train_path: PathBuf,
        /// The test image file.
        test_path: PathBuf,
        /// Shape of the training images.
        train: Shape,
        /// Shape of the test images.
        test: Shape,
    },
    /// A folder lacks an IDX file.
    #[error("{} has no {file}: expected that file, raw or .gz; add it or name another folder", folder.display())]
    MissingFile {
        /// The folder searched.
        folder: PathBuf,
        /// Canonical name of the missing file.
        file: &'static str,
    },
    /// A file of a named data set has other bytes than the published one.
    #[error(
        "{} has SHA-256 {found}, but the published {dataset} file has {expected}: delete it and run `data fetch {dataset}`, or load the folder as idx:DIR if the change is intended",
        path.display()
    )]
    Altered {
        /// The data set it should belong to.
        dataset: &'static str,
        /// The file concerned.
        path: PathBuf,
        /// SHA-256 found.
        found: String,
        /// SHA-256 expected.
        expected: &'static str,
    },
    /// The data set is in none of the folders and downloading is switched off.
    #[error(
        "the four files of {dataset} ({accepted}) were not found in {}, and downloading is switched off: run `data fetch {dataset}` where the network is allowed, or name the folder that holds {dataset}/ with --data-dir",
        Listed(searched)
    )]
    Offline {
        /// The data set asked for.
        dataset: &'static str,
        /// The forms its files are accepted in.
        accepted: &'static str,
        /// Folders searched, in order.
        searched: Vec<PathBuf>,
    },
    /// `data path` of a data set that is in none of the folders.
    #[error(
        "the four files of {dataset} ({accepted}) were not found in {}: run `data fetch {dataset}`, or name the folder that holds {dataset}/ with --data-dir",
        Listed(searched)
    )]
    NotFound {
        /// The data set asked for.
        dataset: &'static str,
        /// The forms its files are accepted in.
        accepted: &'static str,
        /// Folders searched, in order.
        searched: Vec<PathBuf>,
    },
    /// No mirror delivered the file.
    #[error(
        "cannot download {file} of {dataset} ({}): check the network, name another mirror in $LATENT_ATLAS_MIRROR, or put the file into {} by hand",
        attempts.join("; "), folder.display()
    )]
    Download {
        /// The data set concerned.
        dataset: &'static str,
        /// The file concerned.
        file: &'static str,
        /// Where the file belongs.
        folder: PathBuf,
        /// One entry per mirror: its address and what went wrong.
        attempts: Vec<String>,
    },
    /// [`Lookup::stop`](crate::Lookup::stop) was set during a download.
    #[error(
        "stopped by a signal while {file} of {dataset} was downloaded; nothing of that file was kept, repeat the command"
    )]
    Stopped {
        /// The data set concerned.
        dataset: &'static str,
        /// The file that was not finished.
        file: String,
    },
    /// A mirror address is not an http or https URL.
    #[error(
        "mirror \"{url}\" is no http:// or https:// address: correct $LATENT_ATLAS_MIRROR or the mirror option"
    )]
    Mirror {
        /// The address as given.
        url: String,
    },
    /// A file or folder could not be written (read-only, full, no permission).
    #[error(
        "cannot write {}: {source}; free space there or name another folder with --data-dir",
        path.display()
    )]
    Write {
        /// The file or folder concerned.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// More memory is needed than the machine has.
    #[error("{0}; keep fewer or smaller rows there, or use a machine with more memory")]
    Memory(TooLarge),
    /// The operation makes no sense for this data set.
    #[error("{dataset} {reason}")]
    NotApplicable {
        /// The data set concerned.
        dataset: String,
        /// Why, with what to do instead.
        reason: &'static str,
    },
}

/// What is wrong with the content of an IDX file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdxProblem {
    /// The first two bytes are not zero.
    #[error(
        "begins with bytes {}, but an IDX file begins with 00 00, a type and a number of dimensions; replace it with the original file",
        Bytes(found)
    )]
    Magic {
        /// The first four bytes.
        found: [u8; 4],
    },
    /// The file ends inside the header.
    #[error("holds {found} bytes, but its IDX header alone takes {expected}; get a complete copy")]
    ShortHeader {
        /// Bytes found.
        found: u64,
        /// Bytes the header takes.
        expected: u64,
    },
    /// The type byte is none of the six the format defines.
    #[error(
        "has element type 0x{found:02x}, which the IDX format does not define; expected 0x08 (unsigned byte) or 0x09 to 0x0e, replace it with the original file"
    )]
    UnknownType {
        /// The type byte.
        found: u8,
    },
    /// Labels that are no whole numbers.
    #[error("holds {name} elements; expected whole numbers for labels, use the label file")]
    LabelType {
        /// The name of the type.
        name: &'static str,
    },
    /// Something other than padding follows the gzip stream.
    #[error(
        "has other bytes ({} …) behind its gzip stream; expected its end, remove them or get a clean copy",
        Bytes(found)
    )]
    TrailingGzip {
        /// The first of these bytes.
        found: Vec<u8>,
    },
    /// The number of dimensions is not the one wanted.
    #[error("has {found} dimensions, expected {expected} ({what}); use the right file")]
    Dimensions {
        /// Dimensions found.
        found: u8,
        /// Dimensions wanted.
        expected: usize,
        /// What was wanted, in words.
        what: &'static str,
    },
    /// A dimension is zero.
    #[error(
        "claims the size {}, which holds nothing; expected every dimension to be at least 1, replace it",
        Size(dimensions)
    )]
    Empty {
        /// Dimensions found.
        dimensions: Vec<u32>,
    },
    /// The dimensions multiply to more bytes than an address can name.
    #[error(
        "claims the size {}, more than the {} bytes that can be addressed; its header is damaged, replace it",
        Size(dimensions),
        isize::MAX
    )]
    TooLarge {
        /// Dimensions found.
        dimensions: Vec<u32>,
    },
    /// Fewer bytes than the header promises.
    #[error("holds {found} bytes{}, but its header ({}) needs {expected}; get a complete copy", Unpacked(*unpacked), Size(dimensions))]
    Short {
        /// Bytes found, header included.
        found: u64,
        /// Bytes needed, header included.
        expected: u64,
        /// Dimensions found.
        dimensions: Vec<u32>,
        /// Whether the count is of decompressed bytes.
        unpacked: bool,
    },
    /// A compressed file far too small for the size its header promises.
    #[error(
        "is {compressed} compressed bytes, which cannot hold the {expected} bytes its header ({}) needs; get a complete copy",
        Size(dimensions)
    )]
    Implausible {
        /// Size of the .gz file.
        compressed: u64,
        /// Bytes needed, header included.
        expected: u64,
        /// Dimensions found.
        dimensions: Vec<u32>,
    },
    /// More bytes than the header promises.
    #[error("holds more than the {expected} bytes{} that its header ({}) needs; replace it with the original file", Unpacked(*unpacked), Size(dimensions))]
    Trailing {
        /// Bytes needed, header included.
        expected: u64,
        /// Dimensions found.
        dimensions: Vec<u32>,
        /// Whether the count is of decompressed bytes.
        unpacked: bool,
    },
    /// The gzip stream ends early.
    #[error(
        "is a truncated gzip file (it ends after {found} decompressed bytes); get a complete copy"
    )]
    TruncatedGzip {
        /// Decompressed bytes that could be read.
        found: u64,
    },
    /// The gzip stream is damaged.
    #[error("is a damaged gzip file ({detail}); get a complete copy")]
    DamagedGzip {
        /// What the decoder said.
        detail: String,
    },
}

struct Meant(Option<&'static str>);

impl fmt::Display for Meant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(formatter, " (did you mean {name}?)"),
            None => Ok(()),
        }
    }
}

struct Listed<'a>(&'a [PathBuf]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, path) in self.0.iter().enumerate() {
            let separator = match index {
                0 => "",
                _ if index + 1 == self.0.len() => " or ",
                _ => ", ",
            };
            write!(formatter, "{separator}{}", path.display())?;
        }
        Ok(())
    }
}

struct Bytes<'a>(&'a [u8]);

impl fmt::Display for Bytes<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str(" ")?;
            }
            write!(formatter, "{byte:02x}")?;
        }
        Ok(())
    }
}

struct Size<'a>(&'a [u32]);

impl fmt::Display for Size<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, size) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("×")?;
            }
            write!(formatter, "{size}")?;
        }
        Ok(())
    }
}

struct Unpacked(bool);

impl fmt::Display for Unpacked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0 { " once decompressed" } else { "" })
    }
}
