//! Panels of several runs beside each other, and what only some of them have.

use std::collections::BTreeSet;

use runs::Error;
use viz::{LegendEntry, Panel, Plot};

use crate::TrainedRun;
use crate::absence::reason;
use crate::wording::listed;

/// More classes stand in a legend only where they are drawn.
const FULL_LEGEND: usize = 20;

/// Something of each of some runs.
pub(super) type Each<'r, T> = Vec<(&'r TrainedRun, T)>;

/// What `make` makes of the runs that have it, and a sentence about the others
/// for the end of a caption.
///
/// # Errors
/// [`Error::Undefined`] where none has it; errors of `make` that are about
/// anything else.
pub(super) fn of_each<'r, T>(
    runs: &[&'r TrainedRun],
    mut make: impl FnMut(&'r TrainedRun) -> Result<T, Error>,
) -> Result<(Each<'r, T>, String), Error> {
    let mut made = Vec::new();
    let mut lacking: Vec<(String, Vec<String>)> = Vec::new();
    for &run in runs {
        match make(run) {
            Ok(found) => made.push((run, found)),
            Err(error) => {
                let why = reason(error)?;
                match lacking.iter_mut().find(|(other, _)| *other == why) {
                    Some((_, titles)) => titles.push(run.title()),
                    None => lacking.push((why, vec![run.title()])),
                }
            }
        }
    }
    if made.is_empty() {
        let reasons: Vec<String> = lacking.into_iter().map(|(why, _)| why).collect();
        return Err(Error::Undefined(reasons.join(", and ")));
    }
    let sentences = lacking
        .iter()
        .map(|(why, titles)| format!(" Left out: {}, because {why}.", listed(titles)));
    Ok((made, sentences.collect()))
}

/// Panels in a row.
fn across(count: usize) -> usize {
    match count {
        0 | 1 => 1,
        2 | 4 => 2,
        _ => 3,
    }
}

/// Side of so many square panels, canvas units: as many as stand in a row are
/// read without enlarging the page.
pub(super) fn panel_side(count: usize) -> f64 {
    [480.0, 440.0, 300.0][across(count) - 1]
}

/// Panels in rows.
pub(super) fn in_rows(panels: Vec<Panel>) -> Vec<Vec<Panel>> {
    let width = across(panels.len());
    let mut rows = Vec::new();
    let mut panels = panels.into_iter().peekable();
    while panels.peek().is_some() {
        rows.push(panels.by_ref().take(width).collect());
    }
    rows
}

/// Rows of panels, each with the row of those that belong below.
pub(super) fn one_below_the_other(above: Vec<Panel>, below: Vec<Panel>) -> Vec<Vec<Panel>> {
    let pairs = in_rows(above).into_iter().zip(in_rows(below));
    pairs
        .flat_map(|(above, below)| [above, below])
        .filter(|row| row.iter().any(|panel| !matches!(panel, Panel::Empty)))
        .collect()
}

/// The panels of all rows in one, without empty ones: of a single run.
pub(super) fn beside_each_other(rows: Vec<Vec<Panel>>) -> Vec<Vec<Panel>> {
    let panels = rows.into_iter().flatten();
    vec![
        panels
            .filter(|panel| !matches!(panel, Panel::Empty))
            .collect(),
    ]
}

/// Plots whose colours mean the same, in rows of `count` panels: the bar at the
/// end of a row says it for all of it.
pub(super) fn with_one_bar_a_row(mut plots: Vec<Plot>, count: usize) -> Vec<Panel> {
    let (last, width) = (plots.len(), across(count));
    for (index, plot) in plots.iter_mut().enumerate() {
        if index + 1 != last && (index + 1) % width != 0 {
            plot.colour_bar = None;
        }
    }
    plots.into_iter().map(Panel::from).collect()
}

/// The legend of all classes, where there are many only of those that are drawn.
pub(super) fn legend_of_drawn(legend: &mut Vec<LegendEntry>, drawn: &BTreeSet<u32>) {
    if legend.len() > FULL_LEGEND {
        let mut class = 0..;
        legend.retain(|_| class.next().is_some_and(|class| drawn.contains(&class)));
    }
}

/// `for the VAE` or `for VAEs`; nothing without one.
pub(super) fn for_the_vaes(runs: &[&TrainedRun]) -> Option<&'static str> {
    match runs.iter().filter(|run| run.is_variational()).count() {
        0 => None,
        1 => Some("for the VAE"),
        _ => Some("for VAEs"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panels(count: usize) -> Vec<Panel> {
        (0..count).map(|_| Panel::from(Plot::default())).collect()
    }

    #[test]
    fn any_number_of_panels_stands_in_rows() {
        let widths = |count| {
            in_rows(panels(count))
                .iter()
                .map(Vec::len)
                .collect::<Vec<_>>()
        };
        assert_eq!(widths(1), [1]);
        assert_eq!(widths(3), [3]);
        assert_eq!(widths(4), [2, 2]);
        assert_eq!(widths(7), [3, 3, 1]);
        assert_eq!(widths(0), [0; 0]);
        let mut below = panels(3);
        below.push(Panel::Empty);
        let rows = one_below_the_other(panels(4), below);
        assert_eq!(rows.len(), 4);
        assert_eq!(beside_each_other(rows)[0].len(), 7);
        // A row of nothing is no row.
        let none = (0..4).map(|_| Panel::Empty).collect();
        assert_eq!(one_below_the_other(panels(4), none).len(), 2);
    }

    #[test]
    fn of_many_classes_the_legend_has_those_that_are_drawn() {
        let legend = |count: usize| -> Vec<LegendEntry> {
            let entry =
                |class| LegendEntry::new(format!("{class}"), viz::Rgb::GREY, viz::Swatch::Patch);
            (0..count).map(entry).collect()
        };
        let shown = |count| {
            let mut legend = legend(count);
            legend_of_drawn(&mut legend, &BTreeSet::from([3, 20]));
            legend
                .into_iter()
                .map(|entry| entry.label)
                .collect::<Vec<_>>()
        };
        assert_eq!(shown(20).len(), 20);
        assert_eq!(shown(21), ["3", "20"]);
    }

    #[test]
    fn a_row_has_one_bar() {
        let bar = viz::ColourBar {
            label: String::new(),
            map: viz::ColourMap::Viridis,
            limits: [0.0, 1.0],
        };
        let plot = Plot {
            colour_bar: Some(bar),
            ..Plot::default()
        };
        let bars = |plots: usize, count| -> Vec<bool> {
            let panels = with_one_bar_a_row(vec![plot.clone(); plots], count);
            let has_bar =
                |panel: &Panel| matches!(panel, Panel::Plot(plot) if plot.colour_bar.is_some());
            panels.iter().map(has_bar).collect()
        };
        assert_eq!(bars(5, 5), [false, false, true, false, true]);
        assert_eq!(bars(3, 4), [false, true, true]);
    }
}
