//! Codes of new data.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

use datasets::PartName;
use models::DataTreatment;
use serde::Serialize;

use super::columns::{Column, ColumnType, Values};
use super::destination::Kind;
use super::rows::{DataRows, RowChunk};
use super::table::Table;
use super::{DataRequest, Destination, Observer, TrainedModel};
use crate::error::Error;
use crate::interrupt::Interrupt;

/// What codes can be written as.
pub const ENCODED: &[Kind] = &[
    Kind::Npz,
    Kind::Npy,
    Kind::Csv,
    #[cfg(feature = "parquet")]
    Kind::Parquet,
];

/// What was encoded.
#[derive(Clone, Debug, Serialize)]
pub struct Encoded {
    /// The file written.
    #[serde(serialize_with = "crate::shell::serialize_path")]
    pub output: PathBuf,
    /// The source as it was asked for.
    pub dataset: String,
    /// Rows written.
    pub rows: usize,
    /// Latent variables.
    pub latent: usize,
    /// The arrays of the file, or its columns.
    pub columns: Vec<String>,
    /// Training rows and test rows of the source, or all.
    pub parts: Vec<EncodedPart>,
    /// What was done to values before they were encoded.
    pub data_treatment: DataTreatment,
    /// Seed of the draw that binarised them; `None` where nothing was drawn.
    pub data_seed: Option<u64>,
    /// Whether reconstruction is of standardised values.
    pub standardised: bool,
}

/// One part of what was encoded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EncodedPart {
    /// `train`, `test` or `all`.
    pub part: &'static str,
    /// Its rows.
    pub rows: usize,
    /// Mean of −log p(x|z = μ) over its rows, nats per row.
    pub reconstruction: f64,
}

/// Writes the codes of every row with where it comes from: `index` (position in
/// its part), `split` (where there are two parts, and of the run's own source,
/// which was divided), `label` and `class`, `name`,
/// `mu`, `log_var` (VAE) and `reconstruction`, −log p(x|z = μ) in nats of what
/// the network saw: after the treatment, and standardised where the run's data
/// were. An `.npy` file holds `mu` alone.
///
/// # Errors
/// When the source cannot be had or read or does not fit the model, the file
/// cannot be written, or a stop was asked for; nothing is left then.
pub fn encode(
    trained: &TrainedModel,
    request: &DataRequest,
    destination: Destination,
    interrupt: &Interrupt,
    observer: &dyn Observer,
    download: &mut dyn FnMut(datasets::Progress<'_>),
) -> Result<Encoded, Error> {
    let data = DataRows::open(trained, request, download, observer)?;
    let parts = data.parts();
    let layout = Layout {
        has_split: parts.len() > 1 || data.is_divided(),
        is_labelled: data.is_labelled(),
        has_classes: data.is_labelled() && !data.class_names.is_empty(),
        is_named: data.is_named(),
        is_variational: trained.is_variational(),
        latent: trained.latent(),
    };
    let mut table = Table::new(layout.columns(), MU, destination)?;
    // Of training rows, test rows, and those that are neither.
    let mut sums = BTreeMap::new();
    let class_names = data.class_names.clone();
    let mut encoded = Encoded {
        output: PathBuf::new(),
        dataset: data.name.clone(),
        rows: data.len(),
        latent: trained.latent(),
        columns: table.names(),
        parts: Vec::new(),
        data_treatment: data.treatment,
        data_seed: (data.treatment == DataTreatment::BinarisedOnce).then_some(data.seed),
        standardised: trained.model().standardisation().is_some(),
    };
    observer.began(encoded.rows);
    data.for_each(interrupt, |chunk| {
        let input = trained.input(chunk.images());
        let codes = trained.encode(&input);
        let losses = trained.losses(&input);
        let sides = match &chunk.sides {
            Some(sides) => Cow::Borrowed(&sides[..]),
            None => Cow::Owned(vec![parts[chunk.part].0; losses.len()]),
        };
        for (side, &loss) in sides.iter().zip(&losses) {
            let (rows, sum) = sums.entry(*side).or_insert((0, 0.0));
            *rows += 1;
            *sum += f64::from(loss);
        }
        let classes = classes(&chunk, &class_names);
        let values = layout.values(&chunk, &sides, &classes, &codes, &losses);
        trained.install(|| table.append(values))?;
        observer.advanced(losses.len());
        Ok(ControlFlow::Continue(()))
    })?;
    encoded.parts = sums
        .into_iter()
        .map(|(part, (rows, sum))| EncodedPart {
            part: part.name(),
            rows,
            reconstruction: sum / rows as f64,
        })
        .collect();
    encoded.output = table.finish()?;
    Ok(encoded)
}

const MU: &str = "mu";

/// Which columns there are.
struct Layout {
    has_split: bool,
    is_labelled: bool,
    has_classes: bool,
    is_named: bool,
    is_variational: bool,
    latent: usize,
}

impl Layout {
    fn columns(&self) -> Vec<Column> {
        let codes = ColumnType::Floats(self.latent);
        [
            (true, "index", ColumnType::Integer),
            (self.has_split, "split", ColumnType::Text),
            (self.is_labelled, "label", ColumnType::Integer),
            (self.has_classes, "class", ColumnType::Text),
            (self.is_named, "name", ColumnType::Text),
            (true, MU, codes),
            (self.is_variational, "log_var", codes),
            (true, "reconstruction", ColumnType::Float),
        ]
        .into_iter()
        .filter(|&(is_there, ..)| is_there)
        .map(|(_, name, holds)| Column::new(name, holds))
        .collect()
    }

    /// The values of [`Layout::columns`], in their order.
    fn values<'a>(
        &self,
        chunk: &'a RowChunk,
        sides: &[PartName],
        classes: &'a [String],
        codes: &'a models::Codes,
        losses: &'a [f32],
    ) -> Vec<Values<'a>> {
        let indices = chunk.first as i64..(chunk.first + losses.len()) as i64;
        let mut values = vec![Values::Integer(Cow::Owned(indices.collect()))];
        if self.has_split {
            values.push(Values::Text(sides.iter().map(|side| side.name()).collect()));
        }
        if self.is_labelled {
            let labels = chunk.labels.as_deref().unwrap_or_default();
            values.push(Values::Integer(Cow::Borrowed(labels)));
        }
        if self.has_classes {
            values.push(Values::Text(classes.iter().map(String::as_str).collect()));
        }
        if self.is_named {
            let names = chunk.names.as_deref().unwrap_or_default();
            values.push(Values::Text(names.iter().map(String::as_str).collect()));
        }
        values.push(Values::Floats(codes.mean.view()));
        if let Some(log_variance) = &codes.log_variance {
            values.push(Values::Floats(log_variance.view()));
        }
        values.push(Values::Float(losses));
        values
    }
}

/// The class of each row: its name, or its label where it has none.
fn classes(chunk: &RowChunk, names: &BTreeMap<i64, String>) -> Vec<String> {
    if names.is_empty() {
        return Vec::new();
    }
    let labels = chunk.labels.as_deref().unwrap_or_default();
    labels
        .iter()
        .map(|label| {
            let name = names.get(label).cloned();
            name.unwrap_or_else(|| label.to_string())
        })
        .collect()
}
