//! What can be wrong with what a page is to hold.

use thiserror::Error;

/// Contents that no page can be made of, each in one sentence.
#[derive(Debug, Error)]
pub enum Error {
    /// Nothing to show.
    #[error("there is no {0} to explore; expected at least one")]
    Nothing(&'static str),
    /// A model or its numbers hold a NaN or an infinity.
    #[error(
        "{title}: {what} holds a NaN or infinite value; expected finite ones only, train it again with a smaller --lr"
    )]
    NotFinite {
        /// The run.
        title: String,
        /// What holds it.
        what: String,
    },
    /// More classes than the labels of a page can tell apart.
    #[error(
        "the data have {0} classes, but the labels of a page tell at most 65536 apart; expected fewer"
    )]
    Classes(usize),
    /// Numbers that do not belong together.
    #[error("{title}: {what} has {found} rows; expected {expected}")]
    Rows {
        /// The run, or the data.
        title: String,
        /// What has them.
        what: &'static str,
        /// How many it has.
        found: usize,
        /// How many there are of the others.
        expected: usize,
    },
    /// A page that browsers would take long to open.
    #[error(
        "the page would have {megabytes:.1} MB, and at most {most} are written; leave something out (--compact, --without-encoder, fewer runs, --images or --thumbnails), or write it with --force"
    )]
    TooLarge {
        /// Its size.
        megabytes: f64,
        /// The limit.
        most: usize,
    },
    /// A number about a model could not be computed.
    #[error(transparent)]
    Evaluation(#[from] evaluation::EvaluationError),
    /// A picture could not be made.
    #[error(transparent)]
    Picture(#[from] viz::VizError),
    /// Text or bytes that could not be written into memory.
    #[error("the page's data cannot be packed: {0}")]
    Packing(String),
}
