//! Columns as a CSV file with a header (RFC 4180).

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write};

use rayon::prelude::*;

use super::columns::{Column, ColumnType, Values};

/// Rows that one thread writes as text at a time.
const ROWS: usize = 256;

/// The header's names of `columns`: of several numbers in a row the name with
/// 1, 2, … behind it.
pub(super) fn header(columns: &[Column]) -> Vec<String> {
    let mut names = Vec::new();
    for column in columns {
        match column.holds {
            ColumnType::Floats(width) => {
                names.extend((1..=width).map(|number| format!("{}{number}", column.name)));
            }
            _ => names.push(column.name.to_owned()),
        }
    }
    names
}

pub(super) fn write_header(columns: &[Column], out: &mut File) -> io::Result<()> {
    writeln!(out, "{}", header(columns).join(","))
}

/// Writes consecutive rows. Numbers are the shortest that are read back as the
/// same f32.
pub(super) fn append(columns: &[Values<'_>], out: &mut File) -> io::Result<()> {
    let rows = columns.first().map_or(0, Values::rows);
    let starts: Vec<usize> = (0..rows).step_by(ROWS).collect();
    let texts: Vec<String> = starts
        .into_par_iter()
        .map(|first| {
            let mut text = String::new();
            for row in first..rows.min(first + ROWS) {
                write_row(columns, row, &mut text);
            }
            text
        })
        .collect();
    let mut out = BufWriter::new(out);
    for text in texts {
        out.write_all(text.as_bytes())?;
    }
    out.flush()
}

fn write_row(columns: &[Values<'_>], row: usize, text: &mut String) {
    // Writing to a text never fails.
    for (at, column) in columns.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        match column {
            Values::Float(values) => {
                let _ = write!(text, "{:?}", values[row]);
            }
            Values::Floats(values) => {
                for (at, value) in values.row(row).iter().enumerate() {
                    let _ = write!(text, "{}{value:?}", if at > 0 { "," } else { "" });
                }
            }
            Values::Integer(values) => {
                let _ = write!(text, "{}", values[row]);
            }
            Values::Text(values) => write_quoted(values[row], text),
        }
    }
    text.push('\n');
}

fn write_quoted(value: &str, text: &mut String) {
    if value.contains([',', '"', '\n', '\r']) {
        let _ = write!(text, "\"{}\"", value.replace('"', "\"\""));
    } else {
        text.push_str(value);
    }
}
