//! A figure's legend: rows of entries in a strip below the panels.

use crate::legend::{LegendEntry, WIDEST_LABEL, WIDEST_LABEL_OF_MANY};

/// Between two entries of a row, canvas units.
pub(crate) const LEGEND_SPACE: f64 = 22.0;

/// More rows than these end in the number of entries without room.
const MAX_LEGEND_ROWS: usize = 14;

pub(crate) struct LegendRow {
    pub(crate) entries: Vec<LegendEntry>,
    pub(crate) width: f64,
}

/// Entries in as many rows as the width needs, of about equal numbers if that leaves few enough.
/// Otherwise names are cut and rows filled one after the other, down to a remark on the rest.
pub(crate) fn legend_rows(entries: &[LegendEntry], width: f64) -> Vec<LegendRow> {
    let cut = |widest: f64| -> Vec<LegendEntry> {
        entries
            .iter()
            .map(|entry| entry.shortened(widest))
            .collect()
    };
    let whole = cut(WIDEST_LABEL);
    if let Some(rows) = equal_rows(&whole, width, MAX_LEGEND_ROWS) {
        return rows;
    }
    let short = cut(WIDEST_LABEL_OF_MANY);
    let filled = filled_rows(&short, width);
    if filled.len() <= MAX_LEGEND_ROWS {
        return filled;
    }
    let mut shown: usize = filled[..MAX_LEGEND_ROWS]
        .iter()
        .map(|r| r.entries.len())
        .sum();
    loop {
        let mut part = short[..shown].to_vec();
        part.push(LegendEntry::more(entries.len() - shown));
        let rows = filled_rows(&part, width);
        if rows.len() <= MAX_LEGEND_ROWS || shown == 0 {
            return rows;
        }
        shown -= 1;
    }
}

/// Each row as full as `width` allows.
fn filled_rows(entries: &[LegendEntry], width: f64) -> Vec<LegendRow> {
    let mut rows: Vec<LegendRow> = Vec::new();
    for entry in entries {
        let own = entry.width();
        match rows.last_mut() {
            Some(row) if row.width + LEGEND_SPACE + own <= width => {
                row.width += LEGEND_SPACE + own;
                row.entries.push(entry.clone());
            }
            _ => rows.push(LegendRow {
                entries: vec![entry.clone()],
                width: own,
            }),
        }
    }
    rows
}

/// The entries in the fewest rows of equal numbers that are no wider than `width`; `None` when
/// that are more than `most`.
fn equal_rows(entries: &[LegendEntry], width: f64, most: usize) -> Option<Vec<LegendRow>> {
    let widths: Vec<f64> = entries.iter().map(LegendEntry::width).collect();
    let row_width =
        |row: &[f64]| row.iter().sum::<f64>() + LEGEND_SPACE * row.len().saturating_sub(1) as f64;
    if entries.is_empty() {
        return Some(Vec::new());
    }
    let length = (1..=most)
        .map(|rows| entries.len().div_ceil(rows))
        .find(|&length| {
            // A single entry that is wider widens the figure.
            length == 1 || widths.chunks(length).all(|row| row_width(row) <= width)
        })?;
    let rows = entries.chunks(length).zip(widths.chunks(length));
    let rows = rows.map(|(row, widths)| LegendRow {
        entries: row.to_vec(),
        width: row_width(widths),
    });
    Some(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Rgb, Swatch};

    fn entries(count: usize, word: &str) -> Vec<LegendEntry> {
        (0..count)
            .map(|i| LegendEntry::new(format!("{word} {i}"), Rgb::BLACK, Swatch::Patch))
            .collect()
    }

    #[test]
    fn every_entry_is_shown_or_counted_in_few_rows() {
        for count in [0usize, 1, 2, 10, 62, 300, 5000] {
            for word in [
                "a",
                "class",
                "an overlong name of one class among the others",
            ] {
                for width in [10.0, 260.0, 900.0] {
                    let rows = legend_rows(&entries(count, word), width);
                    assert!(rows.len() <= MAX_LEGEND_ROWS);
                    let all: Vec<&LegendEntry> = rows.iter().flat_map(|r| &r.entries).collect();
                    let more = all.last().filter(|entry| entry.swatch == Swatch::None);
                    let hidden = match more {
                        Some(_) => count + 1 - all.len(),
                        None => 0,
                    };
                    assert_eq!(all.len() - usize::from(more.is_some()) + hidden, count);
                    if let Some(entry) = more {
                        assert_eq!(entry.label, format!("… and {hidden} more"));
                    }
                    for row in &rows {
                        assert!(row.width <= width || row.entries.len() == 1);
                    }
                }
            }
        }
    }

    #[test]
    fn one_long_name_does_not_take_the_room_of_sixty() {
        let mut all = entries(62, "class");
        all[4].label = "Regenschirmständer, zusammengeklappt und geföhnt".into();
        let rows = legend_rows(&all, 480.0);
        let shown: usize = rows.iter().map(|row| row.entries.len()).sum();
        assert_eq!(shown, 62);
    }
}
