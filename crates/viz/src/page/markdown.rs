//! The page as Markdown, for code hosts and text editors.

use std::fmt::Write;

use super::render::{
    LINK_BYTES, address, anchors, check_link, check_rows, escape, picture_address,
};
use super::{Block, Cell, FigureLink, Page, Span, Table, Text};
use crate::VizError;
use crate::number::decimal;

/// Pictures wider than this stand alone.
const BESIDE: usize = 420;

pub(super) fn page(page: &Page) -> Result<String, VizError> {
    let mut text = format!("# {}\n\n", plain(&page.title));
    if !page.subtitle.is_empty() {
        let _ = write!(text, "*{}*\n\n", plain(&page.subtitle));
    }
    for lead in &page.lead {
        let _ = write!(text, "{}\n\n", inline(lead)?);
    }
    let anchors = anchors(&page.sections);
    if page.sections.len() > 1 {
        for (section, anchor) in page.sections.iter().zip(&anchors) {
            let _ = writeln!(text, "- [{}](#{anchor})", plain(&section.heading));
        }
        text.push('\n');
    }
    for (section, anchor) in page.sections.iter().zip(&anchors) {
        // Hosts make anchors of headings by rules of their own; this one is ours.
        let _ = write!(
            text,
            "<a id=\"{anchor}\"></a>\n\n## {}\n\n",
            plain(&section.heading)
        );
        for part in &section.blocks {
            block(&mut text, part)?;
        }
    }
    if !page.footer.is_empty() {
        text.push_str("---\n\n");
        for footer in &page.footer {
            let _ = write!(text, "{}\n\n", inline(footer)?);
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    Ok(text)
}

fn block(text: &mut String, block: &Block) -> Result<(), VizError> {
    let _ = match block {
        Block::Subheading(heading) => write!(text, "### {}\n\n", plain(heading)),
        Block::Paragraph(content) => write!(text, "{}\n\n", inline(content)?),
        Block::Quotation { text: said, source } => {
            write!(text, "> {}\n>\n> — {}\n\n", inline(said)?, plain(source))
        }
        Block::List(items) => {
            for item in items {
                let _ = writeln!(text, "- {}", inline(item)?);
            }
            writeln!(text)
        }
        Block::Figures(links) => return figures(text, links),
        Block::Table(content) | Block::Statements(content) => return table(text, content),
    };
    Ok(())
}

/// Small pictures beside each other with their captions below, others one by one.
fn figures(text: &mut String, figures: &[FigureLink]) -> Result<(), VizError> {
    let small = figures.iter().all(|figure| figure.size.0 <= BESIDE);
    let groups: Vec<&[FigureLink]> = if small {
        vec![figures]
    } else {
        figures.chunks(1).collect()
    };
    for group in groups {
        for figure in group {
            let _ = writeln!(
                text,
                "<img src=\"{}\" width=\"{}\" alt=\"{}\">",
                picture_address(&figure.source)?,
                figure.size.0,
                escape(&figure.alternative)
            );
        }
        text.push('\n');
        for figure in group.iter().filter(|figure| !figure.caption.0.is_empty()) {
            let _ = write!(text, "<sub>{}</sub>\n\n", inline(&figure.caption)?);
        }
    }
    Ok(())
}

fn table(text: &mut String, table: &Table) -> Result<(), VizError> {
    check_rows(table)?;
    if !table.caption.0.is_empty() {
        let _ = write!(text, "{}\n\n", inline(&table.caption)?);
    }
    let (mut heads, mut rules) = (String::from("|"), String::from("|"));
    for (index, column) in table.columns.iter().enumerate() {
        let _ = write!(heads, " {}", plain(&column.name));
        if !column.unit.is_empty() {
            let _ = write!(heads, "<br>{}", plain(&column.unit));
        }
        heads.push_str(" |");
        let numbers = table
            .rows
            .iter()
            .any(|row| matches!(row[index], Cell::Number { .. } | Cell::Interval { .. }));
        rules.push_str(if numbers { " ---: |" } else { " --- |" });
    }
    let _ = writeln!(text, "{heads}\n{rules}");
    for row in &table.rows {
        text.push('|');
        for content in row {
            let _ = write!(text, " {} |", cell(content)?);
        }
        text.push('\n');
    }
    text.push('\n');
    Ok(())
}

fn cell(cell: &Cell) -> Result<String, VizError> {
    Ok(match cell {
        Cell::Text(text) => inline(text)?,
        Cell::Number { value, decimals } => decimal(*value, *decimals),
        Cell::Interval {
            mean,
            low,
            high,
            decimals,
        } => format!(
            "{} [{}, {}]",
            decimal(*mean, *decimals),
            decimal(*low, *decimals),
            decimal(*high, *decimals)
        ),
        Cell::Verdict(verdict) => format!("**{}**", verdict.name()),
        Cell::Missing => "–".to_string(),
    })
}

fn inline(text: &Text) -> Result<String, VizError> {
    let mut markdown = String::new();
    for span in &text.0 {
        let _ = match span {
            Span::Plain(text) => write!(markdown, "{}", plain(text)),
            Span::Emphasis(text) => marked(&mut markdown, "*", text),
            Span::Strong(text) => marked(&mut markdown, "**", text),
            // An element and not backticks: code with backticks or pipes stays whole.
            Span::Code(text) => write!(
                markdown,
                "<code>{}</code>",
                escape(text).replace('|', "&#124;")
            ),
            Span::Break => write!(markdown, "<br>"),
            Span::Link { text, to } => {
                check_link(to)?;
                write!(markdown, "[{}]({})", plain(text), address(to, LINK_BYTES))
            }
        };
    }
    Ok(markdown)
}

/// Text between marks, which must touch it: spaces at its ends go outside.
fn marked(markdown: &mut String, mark: &str, text: &str) -> std::fmt::Result {
    let inner = text.trim();
    if inner.is_empty() {
        return write!(markdown, "{text}");
    }
    let start = text.len() - text.trim_start().len();
    let end = text.trim_end().len();
    write!(
        markdown,
        "{}{mark}{}{mark}{}",
        &text[..start],
        plain(inner),
        &text[end..]
    )
}

/// Escapes everything that Markdown could take for markup; a line break would end a table row.
fn plain(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' | '#' => {
                escaped.push('\\');
                escaped.push(c);
            }
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\n' | '\r' => escaped.push(' '),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::{Column, Section, Verdict};
    use super::*;

    fn page_of(blocks: Vec<Block>) -> Page {
        Page {
            title: "Maps".into(),
            sections: vec![Section {
                heading: "One — two".into(),
                blocks,
            }],
            ..Page::default()
        }
    }

    #[test]
    fn tables_have_pipes_and_nothing_breaks_them() {
        let page = page_of(vec![Block::Statements(Table {
            caption: "Numbers".into(),
            columns: vec![
                Column::new("claim", ""),
                Column::new("KL", "nats"),
                Column::new("verdict", ""),
            ],
            rows: vec![vec![
                Cell::text(vec![
                    Span::Emphasis("a|b: ".into()),
                    Span::Break,
                    Span::Plain("p(z|x) < 1\nnat".into()),
                ]),
                Cell::Interval {
                    mean: -1.25,
                    low: -2.0,
                    high: 0.5,
                    decimals: 2,
                },
                Cell::Verdict(Verdict::Mixed),
            ]],
        })]);
        let expected = "# Maps\n\n<a id=\"one-two\"></a>\n\n## One — two\n\nNumbers\n\n\
                        | claim | KL<br>nats | verdict |\n| --- | ---: | --- |\n\
                        | *a\\|b:* <br>p(z\\|x) &lt; 1 nat | −1.25 [−2.00, 0.50] | **mixed** |\n";
        assert_eq!(page.to_markdown().unwrap(), expected);
    }

    #[test]
    fn figures_link_relatively_with_their_captions() {
        let figure = |source: &str, width| FigureLink {
            source: source.into(),
            size: (width, 10),
            alternative: "A \"map\"".into(),
            caption: "About *it*.".into(),
            ..FigureLink::default()
        };
        let markdown = page_of(vec![Block::Figures(vec![
            figure("images/a b.png", 100),
            figure("images/c.png", 100),
        ])])
        .to_markdown()
        .unwrap();
        assert!(
            markdown.contains(
                "<img src=\"images/a%20b.png\" width=\"100\" alt=\"A &quot;map&quot;\">\n<img"
            ),
            "{markdown}"
        );
        assert!(markdown.contains("<sub>About \\*it\\*.</sub>"));
        let outside = page_of(vec![Block::figure(figure("../a.png", 10))]);
        assert!(matches!(outside.to_markdown(), Err(VizError::Link { .. })));
    }

    #[test]
    fn the_prose_comes_in_order_with_our_own_anchors() {
        let mut page = page_of(vec![
            Block::Subheading("Below".into()),
            Block::Quotation {
                text: "Said.".into(),
                source: "Document 000".into(),
            },
            Block::List(vec!["one".into(), "two".into()]),
        ]);
        page.sections.push(Section {
            heading: "One — two".into(),
            blocks: Vec::new(),
        });
        page.footer.push("End.".into());
        let markdown = page.to_markdown().unwrap();
        assert_eq!(markdown, page.to_markdown().unwrap());
        for part in [
            "- [One — two](#one-two)\n- [One — two](#one-two-2)\n",
            "### Below\n\n> Said.\n>\n> — Document 000\n\n- one\n- two\n\n<a id=\"one-two-2\"></a>",
            "---\n\nEnd.\n",
        ] {
            assert!(markdown.contains(part), "{part:?} in {markdown}");
        }
    }
}
