//! The runs of a study that diverged, for its section.

use viz::page::{Block, Cell, Column, Table, Text};

use super::DivergedRun;

/// Which runs diverged and where; nothing when none did.
pub fn table(diverged: &[DivergedRun]) -> Option<Block> {
    if diverged.is_empty() {
        return None;
    }
    let rows = diverged
        .iter()
        .map(|run| {
            vec![
                Cell::text(run.title.as_str()),
                Cell::Number {
                    value: run.seed as f64,
                    decimals: 0,
                },
                Cell::text(run.divergence.as_str()),
            ]
        })
        .collect();
    Some(Block::Table(Table {
        caption: Text::from(
            "Runs that diverged: their loss stopped being finite. They are in none of the numbers \
             below. A model all of whose runs diverged is missing from the figures, and a statement \
             about it stays undecided.",
        ),
        columns: ["model", "seed", "what happened"]
            .map(|name| Column::new(name, ""))
            .into(),
        rows,
    }))
}
