//! The table of measures of a study's models, over seeds.

use figures::Drawing;
use figures::absence::Absences;
use figures::wording::{seeds_in_words, test_images};
use runs::Error;
use viz::page::{Block, Cell, Column, Table, Text};

use super::models::Model;
use crate::measures::Measure;

/// A row for each model, a column for each measure.
pub(super) fn of_models(
    drawing: &Drawing<'_>,
    models: &[Model],
    measures: &[&'static Measure],
) -> Result<Block, Error> {
    let mut absences = Absences::default();
    let mut rows = Vec::new();
    for model in models {
        let mut row = vec![Cell::text(drawing.title(&model.key))];
        for measure in measures {
            let measured =
                drawing.over_seeds(&model.key, &model.title, |run| measure.of(drawing, run))?;
            row.push(absences.over_seeds(&measured, measure.decimals));
        }
        rows.push(row);
    }
    let mut columns = vec![Column::new("model", "")];
    columns.extend(
        measures
            .iter()
            .map(|measure| Column::new(measure.label, measure.unit)),
    );
    let intervals = if drawing.scale.seeds > 1 {
        "means with 95 % intervals over seeds (Student's t)"
    } else {
        "of one seed"
    };
    let meanings: Vec<String> = measures
        .iter()
        .map(|measure| format!("{}: {}", measure.label, measure.about))
        .collect();
    Ok(Block::Table(Table {
        caption: Text::from(format!(
            "Numbers on {}, {}; {intervals}. {}.{}",
            test_images(drawing.dataset),
            seeds_in_words(drawing.scale),
            figures::wording::capitalised(&meanings.join("; ")),
            absences.sentence(),
        )),
        columns,
        rows,
    }))
}
