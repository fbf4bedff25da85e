use std::path::PathBuf;

/// What can go wrong while drawing or writing a picture or a page.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VizError {
    /// A file could not be read, created, written, synced or renamed.
    #[error(
        "cannot write {}: {source}; check that its folder exists and is writable and that the disk is not full",
        path.display()
    )]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// Bytes that are not the PNG they should be.
    #[error("cannot decode a PNG image: {reason}")]
    Decode {
        /// What the decoder found.
        reason: String,
    },
    /// Pixels that the PNG encoder refused.
    #[error("cannot encode a PNG image: {reason}")]
    Encode {
        /// What the encoder found.
        reason: String,
    },
    /// Data whose size or range does not fit what it should describe.
    #[error("{what}: found {found}, expected {expected}")]
    Shape {
        /// The argument at fault.
        what: &'static str,
        /// What was given.
        found: String,
        /// What fits.
        expected: String,
    },
    /// A link of a page that would reach outside of the folder it is in.
    #[error(
        "the link {link:?} of the page is not a relative path; give the file's path relative to the page"
    )]
    Link {
        /// The link as given.
        link: String,
    },
}

impl VizError {
    pub(crate) fn shape(
        what: &'static str,
        found: impl ToString,
        expected: impl ToString,
    ) -> VizError {
        VizError::Shape {
            what,
            found: found.to_string(),
            expected: expected.to_string(),
        }
    }
}
