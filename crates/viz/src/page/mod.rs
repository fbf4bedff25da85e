//! The single-file page that reads like a short article: text, figures and number tables.

mod markdown;
mod render;
mod style;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use render::escape;

use crate::{VizError, write_atomically};

/// A page: one HTML file with inline style, no script and nothing fetched from a network; its
/// figures are files beside it.
///
/// ```
/// use viz::page::{Block, Page, Section};
/// let page = Page {
///     title: "Latent spaces".into(),
///     lead: vec!["What the model learned.".into()],
///     sections: vec![Section {
///         heading: "Maps".into(),
///         blocks: vec![Block::paragraph("Two maps & their numbers.")],
///     }],
///     ..Page::default()
/// };
/// assert!(page.to_html()?.contains("Two maps &amp; their numbers."));
/// # Ok::<(), viz::VizError>(())
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Page {
    /// Title of the document and its first heading.
    pub title: String,
    /// Line below the title: data set, date of the code, number of seeds.
    pub subtitle: String,
    /// Paragraphs before the table of contents.
    pub lead: Vec<Text>,
    /// The article.
    pub sections: Vec<Section>,
    /// Small print at the end.
    pub footer: Vec<Text>,
}

/// A part of the page with a heading, listed in the table of contents.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Section {
    /// The heading; its letters and digits make the section's anchor.
    pub heading: String,
    /// The content in reading order.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Block {
    /// A heading below the section's.
    Subheading(String),
    /// Running text.
    Paragraph(Text),
    /// What a source says, with where it says it.
    Quotation {
        /// The statement.
        text: Text,
        /// The source's name.
        source: String,
    },
    /// A list of points.
    List(Vec<Text>),
    /// One or more figures; several stand side by side where the page is wide enough.
    Figures(Vec<FigureLink>),
    /// A table of numbers.
    Table(Table),
    /// A table of sentences, such as statements with their verdicts: it takes the page's whole
    /// width, and where that is too narrow for columns each row becomes a card.
    Statements(Table),
}

impl Block {
    /// A paragraph of plain text.
    pub fn paragraph(text: impl Into<Text>) -> Block {
        Block::Paragraph(text.into())
    }

    /// One figure on its own.
    pub fn figure(figure: FigureLink) -> Block {
        Block::Figures(vec![figure])
    }
}

/// Text as a sequence of spans.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text(pub Vec<Span>);

/// A piece of text of one kind. All content is escaped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Span {
    /// As it is.
    Plain(String),
    /// Emphasised.
    Emphasis(String),
    /// Strong.
    Strong(String),
    /// Program text.
    Code(String),
    /// A link to another file of the folder, to an anchor (`#maps`) or to an `https://` address.
    Link {
        /// What is shown.
        text: String,
        /// Where it leads.
        to: String,
    },
    /// The end of a line.
    Break,
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text(vec![Span::Plain(text.to_string())])
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Text(vec![Span::Plain(text)])
    }
}

impl From<Vec<Span>> for Text {
    fn from(spans: Vec<Span>) -> Text {
        Text(spans)
    }
}

/// The anchor of the first section with this heading: its letters and digits in lower case joined
/// by dashes.
///
/// ```
/// assert_eq!(viz::page::anchor("Every statement, measured"), "every-statement-measured");
/// ```
pub fn anchor(heading: &str) -> String {
    let lower = heading.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    if words.is_empty() {
        return "section".to_string();
    }
    words.join("-")
}

/// A picture file shown in the page.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FigureLink {
    /// The file's path relative to the page.
    pub source: String,
    /// Width and height at which it is shown, in CSS pixels (half of the file's for figures of
    /// this crate); what the file has below that is cut off, such as a caption that stands here.
    pub size: (usize, usize),
    /// What the picture shows, for readers who cannot see it.
    pub alternative: String,
    /// Caption below.
    pub caption: Text,
    /// Whether it has no words that a smaller size makes unreadable: such pictures shrink so that
    /// several stand beside each other.
    #[serde(default)]
    pub bare: bool,
    /// Path of the same picture with its axes, relative to the page, linked below the caption.
    #[serde(default)]
    pub with_axes: Option<String>,
}

/// A table of numbers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Table {
    /// Caption above.
    pub caption: Text,
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows, one cell for each column.
    pub rows: Vec<Vec<Cell>>,
}

/// A column's head.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Name.
    pub name: String,
    /// Unit, shown small behind the name; empty for none.
    pub unit: String,
}

impl Column {
    /// A column with a unit (empty for none).
    pub fn new(name: impl Into<String>, unit: impl Into<String>) -> Column {
        Column {
            name: name.into(),
            unit: unit.into(),
        }
    }
}

/// A table's cell.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Cell {
    /// Text, aligned left.
    Text(Text),
    /// A number with fixed decimals, aligned right; a non-finite one is written out.
    Number {
        /// The value.
        value: f64,
        /// Digits after the point.
        decimals: usize,
    },
    /// A mean with its interval, `mean [low, high]`.
    Interval {
        /// The mean.
        mean: f64,
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
        /// Digits after the point.
        decimals: usize,
    },
    /// The outcome of a claim, as a badge.
    Verdict(Verdict),
    /// Nothing to show; drawn as a dash.
    Missing,
}

impl Cell {
    /// A cell of text.
    pub fn text(text: impl Into<Text>) -> Cell {
        Cell::Text(text.into())
    }
}

/// The outcome of comparing a statement with its measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// The measurement agrees.
    Supported,
    /// The measurement disagrees.
    Refuted,
    /// It agrees in part.
    Mixed,
    /// It cannot tell.
    Undecided,
}

impl Verdict {
    /// The verdict's word.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Supported => "supported",
            Verdict::Refuted => "refuted",
            Verdict::Mixed => "mixed",
            Verdict::Undecided => "undecided",
        }
    }
}

/// Whether a file is a page with this generator in its head.
#[must_use]
pub fn is_generated(path: &Path, generator: &str) -> bool {
    /// The head of a page, up to its style sheet.
    const HEAD_BYTES: u64 = 2000;
    let mut head = Vec::new();
    let is_file = std::fs::metadata(path).is_ok_and(|found| found.is_file());
    let is_read = is_file
        && File::open(path)
            .and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head))
            .is_ok();
    is_read && String::from_utf8_lossy(&head).contains(generator)
}

impl Page {
    /// Whether a file holds a page that was written by this program.
    #[must_use]
    pub fn is_ours(path: &Path) -> bool {
        is_generated(path, render::GENERATOR)
    }

    /// The page as HTML; the same page gives the same bytes.
    ///
    /// # Errors
    ///
    /// [`VizError::Link`] for a figure outside of the page's folder or a link that is neither
    /// relative, an anchor nor `https://`; [`VizError::Shape`] for a row with another number of
    /// cells than columns.
    pub fn to_html(&self) -> Result<String, VizError> {
        render::page(self)
    }

    /// The page as Markdown in the dialect of code hosts (GFM): headings, quotations, tables with
    /// pipes, and `img` elements for the figures.
    ///
    /// # Errors
    ///
    /// As [`Page::to_html`].
    pub fn to_markdown(&self) -> Result<String, VizError> {
        markdown::page(self)
    }

    /// Writes the page atomically.
    ///
    /// # Errors
    ///
    /// As [`Page::to_html`] and [`write_atomically`].
    pub fn write(&self, path: &Path) -> Result<(), VizError> {
        write_atomically(path, self.to_html()?.as_bytes())
    }
}
