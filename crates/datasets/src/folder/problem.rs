//! What can be wrong with an image file or a folder of them.

use std::fmt;
use std::path::PathBuf;

/// What is wrong with an image file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageProblem {
    /// The file has no bytes.
    #[error("holds no bytes; expected a PNG, JPEG, WebP or BMP image, replace or remove it")]
    Empty,
    /// The content is of no format that is read.
    #[error("begins with {found}, which is no PNG, JPEG, WebP or BMP image; convert or remove it")]
    NotImage {
        /// What it begins with, or is.
        found: String,
    },
    /// The file ends before the image does.
    #[error("ends after {bytes} bytes, before its {format} image does; get a complete copy")]
    Truncated {
        /// The format it begins as.
        format: &'static str,
        /// Its size.
        bytes: u64,
    },
    /// The content is not what the format demands.
    #[error("is a damaged {format} image ({detail}); get a clean copy")]
    Damaged {
        /// The format it begins as.
        format: &'static str,
        /// What the decoder said.
        detail: String,
    },
    /// A variant of the format that is not read.
    #[error("is a {format} image of a kind that is not read ({detail}); convert it to PNG")]
    Unsupported {
        /// The format.
        format: &'static str,
        /// What the decoder said.
        detail: String,
    },
    /// More pixels than are read.
    #[error(
        "claims {width}x{height} pixels, more than the {} MB of a decoded image that this reader accepts; make it smaller",
        super::decode::MAX_DECODED_BYTES >> 20
    )]
    TooLarge {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// A larger file than is read.
    #[error(
        "holds {bytes} bytes, more than the {} MB of an image file that this reader accepts; make it smaller",
        super::decode::MAX_FILE_BYTES >> 20
    )]
    LargeFile {
        /// Its size.
        bytes: u64,
    },
    /// More pixels than so small a file can hold.
    #[error(
        "claims {width}x{height} pixels (width by height), which its {bytes} bytes cannot hold as a {format} image; get a clean copy"
    )]
    Implausible {
        /// The format.
        format: &'static str,
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// Size of the file.
        bytes: u64,
    },
    /// The file is another one than when the folder was looked through.
    #[error("changed while its folder was read; start again once nothing writes to it")]
    Changed,
}

/// Why a folder cannot be read as one of images.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FolderProblem {
    /// There is no image in it.
    #[error(
        "holds no PNG, JPEG, WebP or BMP image{}; expected images, or one folder of them per class",
        Others(*others, example.as_deref())
    )]
    NoImages {
        /// Other files in it.
        others: usize,
        /// One of them.
        example: Option<String>,
    },
    /// A class without images.
    #[error("has a class folder without images, {class}; add some to it or remove it")]
    EmptyClass {
        /// The class folder.
        class: String,
    },
    /// Images and folders side by side.
    #[error(
        "holds images ({image}, …) beside folders ({folder}, …); expected either images, or one folder of images per class"
    )]
    Mixed {
        /// One of the images.
        image: String,
        /// One of the folders.
        folder: String,
    },
    /// A folder within a class.
    #[error(
        "has a folder within a class, {}; expected one level of class folders, move its images up or name a folder further down",
        inner.display()
    )]
    Nested {
        /// The folder within a class.
        inner: PathBuf,
    },
    /// Two folders that mean the same part.
    #[error("holds both {first}/ and {second}/; expected one folder of {part} images")]
    TwoOfOnePart {
        /// One folder.
        first: String,
        /// The other.
        second: String,
        /// The part both name.
        part: &'static str,
    },
    /// Names for classes that are not there.
    #[error(
        "has a labels.txt that names class {label}, but its {classes} class folders are 0 to {}; expected one line per class folder, in their order",
        classes - 1
    )]
    NoSuchClass {
        /// The number named.
        label: i64,
        /// How many classes there are.
        classes: usize,
    },
    /// Images of several sizes.
    #[error(
        "holds images of different sizes (height x width: {}); expected one size, bring them to one with --resize HxW, such as --resize {}",
        Sizes(sizes), sizes.first().map_or_else(String::new, |size| format!("{}x{}", size.height, size.width))
    )]
    Sizes {
        /// Every size, the most frequent first.
        sizes: Vec<SizeCount>,
    },
}

/// How many images of a folder have a size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SizeCount {
    /// Rows of pixels.
    pub height: u32,
    /// Pixels in a row.
    pub width: u32,
    /// Images of that size.
    pub count: usize,
    /// The first of them.
    pub example: String,
}

/// Sizes that a message lists.
const LISTED: usize = 5;

struct Sizes<'a>(&'a [SizeCount]);

impl fmt::Display for Sizes<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, size) in self.0.iter().take(LISTED).enumerate() {
            if index > 0 {
                formatter.write_str(", ")?;
            }
            write!(
                formatter,
                "{} of {}x{}",
                size.count, size.height, size.width
            )?;
            // The most frequent size is the expected one: no need to find it.
            if index > 0 {
                write!(formatter, " such as {}", size.example)?;
            }
        }
        match self.0.len().saturating_sub(LISTED) {
            0 => Ok(()),
            more => write!(formatter, ", and {more} more"),
        }
    }
}

struct Others<'a>(usize, Option<&'a str>);

impl fmt::Display for Others<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Others(0, _) | Others(_, None) => Ok(()),
            Others(1, Some(example)) => write!(formatter, " (but {example})"),
            Others(count, Some(example)) => {
                write!(formatter, " (but {count} other files such as {example})")
            }
        }
    }
}
