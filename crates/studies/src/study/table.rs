//! The table of measures of a study's models, over seeds.

use figures::Drawing;
use figures::absence::Absences;
use figures::wording::{interval_in_words, seeds_in_words, test_images};
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
            let measured = measure.over_seeds(drawing, &model.key, &model.title)?;
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
        intervals_in_words(measures)
    } else {
        "of one seed".to_owned()
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

/// What the numbers of each measure are over seeds; measures of one kind are told
/// together, and not named where all are.
fn intervals_in_words(measures: &[&'static Measure]) -> String {
    let mut kinds: Vec<(&str, Vec<&str>)> = Vec::new();
    for measure in measures {
        let words = interval_in_words(measure.scale);
        match kinds.iter_mut().find(|(known, _)| *known == words) {
            Some((_, labels)) => labels.push(measure.label),
            None => kinds.push((words, vec![measure.label])),
        }
    }
    let told = kinds.iter().map(|(words, labels)| match kinds.len() {
        1 => format!("over seeds the {words}"),
        _ => format!("over seeds, of {} the {words}", labels.join(", ")),
    });
    told.collect::<Vec<_>>().join("; ")
}
