//! The page: its sources put together with what they show.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use viz::page::{escape, is_generated};

use crate::contents::{Contents, Still};
use crate::payload;
use crate::precision::Precision;
use crate::store::stored;
use crate::{Error, Result};

/// A page of more bytes is written, and said to be large.
pub const WARNED_BYTES: usize = 10_000_000;

/// A page of more bytes is refused.
pub const MOST_BYTES: usize = 25_000_000;

/// What the head of every page holds.
pub const GENERATOR: &str = "<meta name=\"generator\" content=\"Latent Atlas explorer\">";

const HTML: &str = include_str!("../page/page.html");
const STYLE: &str = include_str!("../page/style.css");

macro_rules! scripts {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../page/script/", $name, ".js")))),*]
    };
}

/// The page's script, file after file in one scope: words and numbers first,
/// then what is seen, and last the file that begins.
const SCRIPTS: [(&str, &str); SCRIPT_COUNT] = scripts![
    "text",
    "payload",
    "likelihood",
    "network",
    "rows",
    "latent",
    "density",
    "path",
    "schedule",
    "state",
    "axes",
    "picture",
    "view",
    "base_drawing",
    "overlay",
    "layers",
    "inspector",
    "cursor",
    "between",
    "moments",
    "dimensions",
    "own_image",
    "selection",
    "keep",
    "controls",
    "main",
];
const SCRIPT_COUNT: usize = 26;

/// A page and how exactly it computes.
#[derive(Clone, Debug)]
pub struct Explorer {
    html: String,
    precisions: Vec<Precision>,
}

impl Explorer {
    /// The page of these contents; the same contents give the same bytes.
    ///
    /// # Errors
    /// No runs or images, numbers that do not belong together or are not
    /// finite, or more classes than can be told apart.
    pub fn new(contents: &Contents<'_>) -> Result<Self> {
        let stored = stored(contents)?;
        let payload = payload::pack(&stored.manifest, &stored.sections)?;
        Ok(Self {
            html: assembled(&contents.title, &contents.still, &stored.table, &payload),
            precisions: stored.precisions,
        })
    }

    /// The file.
    #[must_use]
    pub fn html(&self) -> &str {
        &self.html
    }

    /// How exactly each run computes in the page.
    #[must_use]
    pub fn precisions(&self) -> &[Precision] {
        &self.precisions
    }

    /// Refuses a page that is too large.
    ///
    /// # Errors
    /// [`Error::TooLarge`] beyond [`MOST_BYTES`].
    pub fn check_size(&self) -> Result<()> {
        if self.html.len() <= MOST_BYTES {
            return Ok(());
        }
        Err(Error::TooLarge {
            megabytes: self.html.len() as f64 / 1e6,
            most: MOST_BYTES / 1_000_000,
        })
    }

    /// What is to be said of a page that is large and yet written.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        (self.html.len() > WARNED_BYTES).then(|| {
            format!(
                "the page has {:.1} MB, which is much to send and to open; fewer --images, --compact or --without-encoder make it smaller",
                self.html.len() as f64 / 1e6
            )
        })
    }
}

/// Whether a file holds a page of this kind.
#[must_use]
pub fn is_ours(path: &Path) -> bool {
    is_generated(path, GENERATOR)
}

fn assembled(title: &str, still: &Still, table: &str, payload: &str) -> String {
    let script: String = SCRIPTS.iter().map(|(_, script)| *script).collect();
    let still = format!(
        "<img src=\"data:image/png;base64,{}\" width=\"{}\" height=\"{}\" alt=\"{}\">",
        STANDARD.encode(&still.png),
        still.size.0,
        still.size.1,
        escape(&still.alternative)
    );
    let title = escape(title);
    let parts = [
        ("title", title.as_str()),
        ("style", STYLE),
        ("static", &still),
        ("table", table),
        ("payload", payload),
        ("script", &script),
    ];
    // In one pass: what is put in may hold what looks like a marker.
    let mut html = String::with_capacity(HTML.len() + payload.len() + script.len() + 200_000);
    let mut rest = HTML;
    while let Some(start) = rest.find("{{") {
        let (before, from) = rest.split_at(start);
        html.push_str(before);
        let part = parts.iter().find_map(|(name, text)| {
            let after = from
                .strip_prefix("{{")?
                .strip_prefix(name)?
                .strip_prefix("}}")?;
            Some((*text, after))
        });
        let (text, after) = part.unwrap_or_else(|| from.split_at(2));
        html.push_str(text);
        rest = after;
    }
    html.push_str(rest);
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_marker_is_filled_once_and_what_is_put_in_is_left_alone() {
        let still = Still {
            png: vec![1, 2, 3],
            size: (4, 5),
            alternative: "\"><script>".into(),
        };
        let html = assembled("</title>{{payload}}", &still, "{{table}}", "UEFZTE9BRA==");
        assert_eq!(html.matches("UEFZTE9BRA==").count(), 1);
        assert!(html.contains("<title>&lt;/title&gt;{{payload}}</title>"));
        assert!(html.contains("alt=\"&quot;&gt;&lt;script&gt;\""));
        assert!(html.contains("{{table}}") && !html.contains("{{static}}"));
        assert!(html[..2000].contains(GENERATOR));
        assert!(html.contains("default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"));
    }

    #[test]
    fn every_file_of_the_script_is_in_the_page() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("page/script");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let mut listed = SCRIPTS.map(|(name, _)| format!("{name}.js"));
        files.sort();
        listed.sort();
        assert_eq!(files, listed);
    }

    #[test]
    fn the_script_cannot_end_early() {
        for (name, script) in SCRIPTS {
            let script = script.to_lowercase();
            assert!(
                !script.contains("</script") && !script.contains("<!--"),
                "{name}"
            );
        }
        assert!(!STYLE.to_lowercase().contains("</style"));
    }
}
