//! A table of text, for a terminal or a Markdown document.

use std::fmt::Write as _;

use super::Row;

/// Column names and rows of cells, as many in each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Names of the columns.
    pub columns: Vec<&'static str>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn of<R: Row>(rows: &[R]) -> Self {
        Self {
            columns: R::COLUMNS.to_vec(),
            rows: rows.iter().map(R::cells).collect(),
        }
    }

    /// Columns aligned by spaces; the last one is not padded.
    #[must_use]
    pub fn text(&self) -> String {
        let names = self.columns.iter().map(|&name| name.to_owned()).collect();
        let mut lines: Vec<Vec<String>> = std::iter::once(names).chain(self.rows.clone()).collect();
        for column in 1..self.columns.len() {
            let widths = lines.iter().map(|line| line[column - 1].chars().count());
            let width = widths.max().unwrap_or(0);
            for line in &mut lines {
                line[column - 1] = format!("{:width$}  ", line[column - 1]);
            }
        }
        lines.iter().map(|line| line.concat() + "\n").collect()
    }

    /// A Markdown table.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "| {} |", self.columns.join(" | "));
        let _ = writeln!(text, "|{}", "---|".repeat(self.columns.len()));
        for row in &self.rows {
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_hold_every_cell() {
        let table = Table {
            columns: vec!["k", "NLL", "published"],
            rows: vec![vec!["50".into(), "84.9 ± 0.2".into(), "84.78".into()]],
        };
        assert_eq!(
            table.text(),
            "k   NLL         published\n50  84.9 ± 0.2  84.78\n"
        );
        assert_eq!(
            table.markdown(),
            "| k | NLL | published |\n|---|---|---|\n| 50 | 84.9 ± 0.2 | 84.78 |\n"
        );
    }
}
