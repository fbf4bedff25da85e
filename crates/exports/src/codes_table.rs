//! Codes as the arrays of an `.npz` file or the lines of a `.csv` file.

use std::borrow::Cow;

use runs::Error;
use runs::apply::{Column, ColumnType, Destination, Table, Values};

use crate::rows::{EncodedRows, SplitChoice};
use crate::{Exported, ExportedRun};

const MU: &str = "mu";

/// Writes the codes of some rows of the run's data: `index`, `split`, `label` and
/// `class` (of labelled rows), `name` (of files), `mu`, `log_var` (of a VAE) and
/// `reconstruction`; an `.npy` file holds `mu` alone.
///
/// # Errors
/// When the data cannot be had or are not those of the run, or the file cannot be
/// written.
pub fn export(
    run: &ExportedRun,
    choice: SplitChoice,
    destination: Destination,
    download: &mut dyn FnMut(datasets::Progress<'_>),
) -> Result<Exported, Error> {
    let rows = EncodedRows::of(run, choice, download)?;
    let latent = ColumnType::Floats(rows.codes.mean.ncols());
    let (labels, classes, names) = (rows.labels(), rows.classes(), rows.names());
    fn texts<S: AsRef<str>>(texts: &[S]) -> Values<'_> {
        Values::Text(texts.iter().map(AsRef::as_ref).collect())
    }
    let split = rows.split();
    let mut columns = vec![
        (
            Column::new("index", ColumnType::Integer),
            Values::Integer(Cow::Owned(rows.index())),
        ),
        (Column::new("split", ColumnType::Text), texts(&split)),
    ];
    if let Some(labels) = &labels {
        let labels = labels.iter().map(|&label| i64::from(label)).collect();
        let column = Column::new("label", ColumnType::Integer);
        columns.push((column, Values::Integer(Cow::Owned(labels))));
    }
    for (name, values) in [("class", &classes), ("name", &names)] {
        if let Some(values) = values {
            columns.push((Column::new(name, ColumnType::Text), texts(values)));
        }
    }
    columns.push((
        Column::new(MU, latent),
        Values::Floats(rows.codes.mean.view()),
    ));
    if let Some(log_variance) = &rows.codes.log_variance {
        let column = Column::new("log_var", latent);
        columns.push((column, Values::Floats(log_variance.view())));
    }
    columns.push((
        Column::new("reconstruction", ColumnType::Float),
        Values::Float(&rows.reconstruction),
    ));
    let (columns, values): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    let mut table = Table::new(columns, MU, destination)?;
    run.install(|| table.append(values))?;
    let columns = table.names();
    Ok(Exported {
        files: vec![table.finish()?],
        rows: Some(rows.len()),
        columns,
        remarks: Vec::new(),
    })
}
