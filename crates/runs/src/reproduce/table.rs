//! A table of text, for a terminal or a Markdown document.

use std::fmt::Write as _;

/// Column names and rows of cells, as many in each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Names of the columns.
    pub columns: Vec<&'static str>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// Columns aligned by spaces; the last one is not padded.
    #[must_use]
    pub fn text(&self) -> String {
        let names = self.columns.iter().map(|&name| name.to_owned()).collect();
        let lines: Vec<&Vec<String>> = std::iter::once(&names).chain(&self.rows).collect();
        let width = |column: usize| {
            lines
                .iter()
                .filter_map(|line| line.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let mut text = String::new();
        for line in &lines {
            for (column, cell) in line.iter().enumerate() {
                if column + 1 == line.len() {
                    let _ = writeln!(text, "{cell}");
                } else {
                    let padding = width(column) - cell.chars().count() + 2;
                    let _ = write!(text, "{cell}{:padding$}", "");
                }
            }
        }
        text
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
