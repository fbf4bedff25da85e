use std::collections::BTreeMap;
use std::fmt::Write;

use super::style::STYLE;
use super::{Block, Cell, FigureLink, Page, Section, Span, Table, Text, anchor};
use crate::VizError;
use crate::number::decimal;

/// Pictures of a row shrink to this width, CSS pixels (20rem, as in the style sheet).
const LEAST_OF_ROW: usize = 340;
/// Per cent of their width to which pictures with words shrink; on a narrower screen they are moved
/// in their box, for smaller words could not be read.
const LEAST_PERCENT: usize = 58;
/// Tells a page of ours from one of somebody else.
pub(super) const GENERATOR: &str = "<meta name=\"generator\" content=\"Latent Atlas\">";
/// What stays as it is in the address of a link.
pub(super) const LINK_BYTES: &[u8] = b"-._~/#:?=%&";

pub(super) fn page(page: &Page) -> Result<String, VizError> {
    let anchors = anchors(&page.sections);
    let mut html = String::new();
    let title = escape(&page.title);
    let _ = write!(
        html,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         {GENERATOR}\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header>\n<h1>{title}</h1>\n"
    );
    if !page.subtitle.is_empty() {
        let _ = writeln!(html, "<p class=\"subtitle\">{}</p>", escape(&page.subtitle));
    }
    for text in &page.lead {
        let _ = writeln!(html, "<p>{}</p>", inline(text)?);
    }
    html.push_str("</header>\n");
    if page.sections.len() > 1 {
        html.push_str("<nav aria-label=\"Contents\">\n<ol>\n");
        for (section, anchor) in page.sections.iter().zip(&anchors) {
            let heading = escape(&section.heading);
            let _ = writeln!(html, "<li><a href=\"#{anchor}\">{heading}</a></li>");
        }
        html.push_str("</ol>\n</nav>\n");
    }
    for (section, anchor) in page.sections.iter().zip(&anchors) {
        let heading = escape(&section.heading);
        let _ = write!(html, "<section id=\"{anchor}\">\n<h2>{heading}</h2>\n");
        for part in &section.blocks {
            block(&mut html, part)?;
        }
        html.push_str("</section>\n");
    }
    if !page.footer.is_empty() {
        html.push_str("<footer>\n");
        for text in &page.footer {
            let _ = writeln!(html, "<p>{}</p>", inline(text)?);
        }
        html.push_str("</footer>\n");
    }
    html.push_str("</main>\n</body>\n</html>\n");
    Ok(html)
}

fn block(html: &mut String, block: &Block) -> Result<(), VizError> {
    match block {
        Block::Subheading(text) => {
            let _ = writeln!(html, "<h3>{}</h3>", escape(text));
        }
        Block::Paragraph(text) => {
            let _ = writeln!(html, "<p>{}</p>", inline(text)?);
        }
        Block::Quotation { text, source } => {
            let _ = writeln!(
                html,
                "<blockquote>\n<p>{}</p>\n<cite>{}</cite>\n</blockquote>",
                inline(text)?,
                escape(source)
            );
        }
        Block::List(items) => {
            html.push_str("<ul>\n");
            for item in items {
                let _ = writeln!(html, "<li>{}</li>", inline(item)?);
            }
            html.push_str("</ul>\n");
        }
        Block::Figures(figures) => {
            let large = figures.iter().all(|figure| figure.size.0 > LEAST_OF_ROW);
            let shrink = large && figures.iter().all(|figure| figure.bare);
            let class = if shrink { "figures row" } else { "figures" };
            let _ = writeln!(html, "<div class=\"{class}\">");
            for link in figures {
                figure(html, link)?;
            }
            html.push_str("</div>\n");
        }
        Block::Table(content) => table(html, content, Kind::Numbers)?,
        Block::Statements(content) => table(html, content, Kind::Statements)?,
    }
    Ok(())
}

fn figure(html: &mut String, figure: &FigureLink) -> Result<(), VizError> {
    let source = picture_address(&figure.source)?;
    let (width, height) = figure.size;
    let least = if figure.bare {
        String::new()
    } else {
        format!(";--least:{}px", width * LEAST_PERCENT / 100)
    };
    // The caption keeps to the picture's width but never gets too narrow to read.
    let _ = write!(
        html,
        "<figure style=\"width:{}px\">\n<a href=\"{source}\"><img src=\"{source}\" \
         width=\"{width}\" height=\"{height}\" style=\"aspect-ratio:{width}/{height}{least}\" \
         loading=\"lazy\" alt=\"{}\"></a>\n",
        width.max(280),
        escape(&figure.alternative)
    );
    let mut caption = inline(&figure.caption)?;
    if let Some(labelled) = &figure.with_axes {
        let labelled = picture_address(labelled)?;
        let _ = write!(caption, " <a href=\"{labelled}\">With its axes.</a>");
    }
    if !caption.is_empty() {
        let _ = writeln!(html, "<figcaption>{}</figcaption>", caption.trim_start());
    }
    html.push_str("</figure>\n");
    Ok(())
}

fn table(html: &mut String, table: &Table, kind: Kind) -> Result<(), VizError> {
    check_rows(table)?;
    // A caption of the table element would be as wide as the table and scroll away with it.
    let _ = writeln!(html, "<figure class=\"{}\">", kind.class());
    if !table.caption.0.is_empty() {
        let caption = inline(&table.caption)?;
        let _ = writeln!(html, "<figcaption>{caption}</figcaption>");
    }
    // What can be scrolled must be so by the keyboard too.
    html.push_str("<div class=\"scroll\" tabindex=\"0\">\n<table>\n");
    html.push_str("<thead>\n<tr>");
    for (index, column) in table.columns.iter().enumerate() {
        let numbers = table.rows.iter().any(|row| {
            matches!(
                row.get(index),
                Some(Cell::Number { .. } | Cell::Interval { .. })
            )
        });
        let class = if numbers { " class=\"number\"" } else { "" };
        let _ = write!(html, "<th scope=\"col\"{class}>{}", escape(&column.name));
        if !column.unit.is_empty() {
            let _ = write!(html, "<span class=\"unit\">{}</span>", escape(&column.unit));
        }
        html.push_str("</th>");
    }
    html.push_str("</tr>\n</thead>\n<tbody>\n");
    for row in &table.rows {
        html.push_str("<tr>");
        for (content, column) in row.iter().zip(&table.columns) {
            // A card has no heads: each cell names its column itself.
            let label = match kind {
                Kind::Statements if !column.name.is_empty() => {
                    format!(" data-label=\"{}\"", escape(&column.name))
                }
                _ => String::new(),
            };
            cell(html, content, &label)?;
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n</table>\n</div>\n</figure>\n");
    Ok(())
}

/// Whether a table's cells are numbers or sentences.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Numbers,
    Statements,
}

impl Kind {
    fn class(self) -> &'static str {
        match self {
            Kind::Numbers => "table",
            Kind::Statements => "table statements",
        }
    }
}

pub(super) fn check_rows(table: &Table) -> Result<(), VizError> {
    match table
        .rows
        .iter()
        .find(|row| row.len() != table.columns.len())
    {
        Some(row) => Err(VizError::shape(
            "cells of a table row",
            row.len(),
            table.columns.len(),
        )),
        None => Ok(()),
    }
}

fn cell(html: &mut String, cell: &Cell, label: &str) -> Result<(), VizError> {
    let _ = match cell {
        Cell::Text(text) => write!(html, "<td{label}>{}</td>", inline(text)?),
        Cell::Number { value, decimals } => write!(
            html,
            "<td class=\"number\"{label}>{}</td>",
            decimal(*value, *decimals)
        ),
        Cell::Interval {
            mean,
            low,
            high,
            decimals,
        } => write!(
            html,
            "<td class=\"number\"{label}>{} <span class=\"interval\">[{}, {}]</span></td>",
            decimal(*mean, *decimals),
            decimal(*low, *decimals),
            decimal(*high, *decimals)
        ),
        Cell::Verdict(verdict) => write!(
            html,
            "<td{label}><span class=\"verdict {0}\">{0}</span></td>",
            verdict.name()
        ),
        Cell::Missing => write!(html, "<td class=\"number\"{label}>–</td>"),
    };
    Ok(())
}

fn inline(text: &Text) -> Result<String, VizError> {
    let mut html = String::new();
    for span in &text.0 {
        let _ = match span {
            Span::Plain(text) => write!(html, "{}", escape(text)),
            Span::Emphasis(text) => write!(html, "<em>{}</em>", escape(text)),
            Span::Strong(text) => write!(html, "<strong>{}</strong>", escape(text)),
            Span::Code(text) => write!(html, "<code>{}</code>", escape(text)),
            Span::Break => write!(html, "<br>"),
            Span::Link { text, to } => {
                check_link(to)?;
                write!(
                    html,
                    "<a href=\"{}\">{}</a>",
                    address(to, LINK_BYTES),
                    escape(text)
                )
            }
        };
    }
    Ok(html)
}

/// A picture's path as it stands in an attribute.
pub(super) fn picture_address(source: &str) -> Result<String, VizError> {
    if !is_relative(source) {
        return Err(VizError::Link {
            link: source.to_string(),
        });
    }
    Ok(address(source, b"-._~/"))
}

pub(super) fn check_link(to: &str) -> Result<(), VizError> {
    if is_relative(to) || to.starts_with('#') || to.starts_with("https://") {
        return Ok(());
    }
    Err(VizError::Link {
        link: to.to_string(),
    })
}

/// The text between tags or in an attribute of HTML, whatever it holds.
///
/// ```
/// assert_eq!(viz::page::escape("a < b & \"c\""), "a &lt; b &amp; &quot;c&quot;");
/// ```
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// A relative path inside of the page's folder: no scheme, no root, no way up.
fn is_relative(path: &str) -> bool {
    !path.is_empty()
        && !path.starts_with(['/', '\\', '#'])
        && !path.contains([':', '\\'])
        && !path.chars().any(char::is_control)
        && path.split('/').all(|part| part != "..")
}

/// Percent-encodes everything but ASCII letters, digits and the bytes in `kept` (RFC 3986).
pub(super) fn address(link: &str, kept: &[u8]) -> String {
    let mut encoded = String::with_capacity(link.len());
    for byte in link.bytes() {
        if byte == b'&' && kept.contains(&byte) {
            encoded.push_str("&amp;");
        } else if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// One anchor a section, with a number behind when it repeats.
pub(super) fn anchors(sections: &[Section]) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    sections
        .iter()
        .map(|section| {
            let mut anchor = anchor(&section.heading);
            let count = seen.entry(anchor.clone()).or_insert(0);
            *count += 1;
            if *count > 1 {
                let _ = write!(anchor, "-{count}");
            }
            anchor
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Column, Verdict};
    use super::*;

    fn sample() -> Page {
        Page {
            title: "Maps <& \"codes\">".into(),
            subtitle: "test, n = 10 000".into(),
            lead: vec!["A lead.".into()],
            sections: vec![
                Section {
                    heading: "The map".into(),
                    blocks: vec![
                        Block::Paragraph(Text(vec![
                            Span::Plain("a < b ".into()),
                            Span::Code("--k".into()),
                            Span::Link {
                                text: "map".into(),
                                to: "#the-map-2".into(),
                            },
                        ])),
                        Block::figure(FigureLink {
                            source: "maps/a b#1%.png".into(),
                            size: (294, 294),
                            alternative: "A \"map\"".into(),
                            caption: "Caption.".into(),
                            with_axes: Some("maps/a b#1%-labelled.png".into()),
                            ..FigureLink::default()
                        }),
                    ],
                },
                Section {
                    heading: "The map".into(),
                    blocks: vec![Block::Table(Table {
                        caption: "Numbers".into(),
                        columns: vec![
                            Column::new("Claim", ""),
                            Column::new("KL", "nats"),
                            Column::new("Verdict", ""),
                        ],
                        rows: vec![vec![
                            Cell::text("fast"),
                            Cell::Interval {
                                mean: -1.25,
                                low: -2.0,
                                high: 0.5,
                                decimals: 2,
                            },
                            Cell::Verdict(Verdict::Refuted),
                        ]],
                    })],
                },
            ],
            footer: vec!["End.".into()],
        }
    }

    #[test]
    fn everything_is_escaped_and_bytes_repeat() {
        let html = sample().to_html().unwrap();
        assert_eq!(html, sample().to_html().unwrap());
        assert!(html.contains("<h1>Maps &lt;&amp; &quot;codes&quot;&gt;</h1>"));
        assert!(html.contains("a &lt; b <code>--k</code>"));
        assert!(html.contains("src=\"maps/a%20b%231%25.png\" width=\"294\" height=\"294\""));
        assert!(html.contains("alt=\"A &quot;map&quot;\""));
        assert!(html.contains("Caption. <a href=\"maps/a%20b%231%25-labelled.png\">"));
        assert!(html.contains("−1.25 <span class=\"interval\">[−2.00, 0.50]</span>"));
        assert!(html.contains("<span class=\"verdict refuted\">refuted</span>"));
        assert!(html.contains("<section id=\"the-map\">"));
        assert!(html.contains("<section id=\"the-map-2\">"));
    }

    #[test]
    fn tags_balance_and_nothing_is_fetched() {
        let html = sample().to_html().unwrap();
        for tag in [
            "html",
            "head",
            "body",
            "main",
            "header",
            "nav",
            "ol",
            "section",
            "figure",
            "table",
            "thead",
            "tbody",
            "tr",
            "td",
            "a",
            "p",
            "style",
            "footer",
            "blockquote",
        ] {
            let open = html.matches(&format!("<{tag}>")).count()
                + html.matches(&format!("<{tag} ")).count();
            assert_eq!(open, html.matches(&format!("</{tag}>")).count(), "{tag}");
        }
        for fetched in ["http://", "https://", "<script", "@import", "url("] {
            assert!(!html.contains(fetched), "{fetched}");
        }
    }

    #[test]
    fn links_out_of_the_folder_are_refused() {
        for link in [
            "javascript:alert(1)",
            "/etc/passwd",
            "../up.png",
            "a/../../b.png",
            "http://x",
            "",
            "C:\\a.png",
            "data:text/html,x",
            "java\nscript",
        ] {
            let page = Page {
                sections: vec![Section {
                    heading: "s".into(),
                    blocks: vec![Block::figure(FigureLink {
                        source: link.into(),
                        ..FigureLink::default()
                    })],
                }],
                ..Page::default()
            };
            assert!(
                matches!(page.to_html(), Err(VizError::Link { .. })),
                "{link}"
            );
        }
        let page = Page {
            lead: vec![Text(vec![Span::Link {
                text: "x".into(),
                to: "javascript:alert(1)".into(),
            }])],
            ..Page::default()
        };
        assert!(matches!(page.to_html(), Err(VizError::Link { .. })));
    }

    #[test]
    fn statements_name_their_columns_in_every_cell() {
        let mut page = sample();
        let Block::Table(table) = page.sections[1].blocks.remove(0) else {
            panic!("the sample holds a table");
        };
        page.sections[1].blocks.push(Block::Statements(table));
        let html = page.to_html().unwrap();
        assert!(html.contains("<figure class=\"table statements\">"));
        assert!(html.contains("<td data-label=\"Claim\">fast</td>"));
        assert!(html.contains("<td data-label=\"Verdict\"><span class=\"verdict refuted\">"));
    }

    #[test]
    fn a_short_row_is_refused() {
        let mut page = sample();
        page.sections[1].blocks = vec![Block::Table(Table {
            columns: vec![Column::new("a", ""), Column::new("b", "")],
            rows: vec![vec![Cell::Missing]],
            ..Table::default()
        })];
        let error = page.to_html().unwrap_err().to_string();
        assert_eq!(error, "cells of a table row: found 1, expected 2");
    }
}
