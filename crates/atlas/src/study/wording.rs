//! Words that captions share.

use viz::number::decimal;
use viz::page::{Block, Text};

use super::TrainedRun;

/// What a source document says, as a quotation.
pub(super) fn said(document: &str, text: &str) -> Block {
    Block::Quotation {
        text: Text::from(text),
        source: format!("Document {document}"),
    }
}

/// `10 000`, with thin spaces from ten thousand on.
pub(super) fn count(n: usize) -> String {
    decimal(n as f64, 0)
}

/// `seed 0, 10 epochs`: what a figure of one run shows.
pub(super) fn seed_and_epochs(run: &TrainedRun) -> String {
    let epochs = run.metrics.len();
    let unit = if epochs == 1 { "epoch" } else { "epochs" };
    format!("seed {}, {epochs} {unit}", run.configuration.training.seed)
}

/// A share as `12 %`, with one decimal below ten per cent unless it is zero.
pub(super) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    let whole = (percent - percent.round()).abs() < 0.05 || percent.abs() >= 10.0;
    format!("{} %", decimal(percent, usize::from(!whole)))
}

/// `a, b and c`.
pub(super) fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_lists_read_well() {
        assert_eq!(percent(0.5), "50 %");
        assert_eq!(percent(0.0314), "3.1 %");
        assert_eq!(percent(0.01), "1 %");
        assert_eq!(listed(&["a".into(), "b".into(), "c".into()]), "a, b and c");
        assert_eq!(listed(&["a".into()]), "a");
        assert_eq!(count(10_000), "10\u{2009}000");
    }
}
