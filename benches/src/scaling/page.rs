//! The page `SCALING.md`.

use std::fmt::Write as _;

use super::pictures::{EVALUATIONS, FOLDER, MEMORY, TRAININGS};
use super::{Axis, Cost, Measure, Outcome, Point, Row, Scaling};

/// The page as Markdown.
pub(super) fn page(scaling: &Scaling) -> String {
    let mut page = String::new();
    // Writing into a text does not fail.
    let _ = write_page(scaling, &mut page);
    page
}

fn write_page(scaling: &Scaling, page: &mut String) -> std::fmt::Result {
    let (machine, environment) = (&scaling.machine, &scaling.environment);
    let memory = machine
        .available_bytes
        .map_or_else(String::new, |available| {
            format!(", {} of memory free", bytes(available))
        });
    let cores = machine.cores;
    writeln!(
        page,
        "# What it costs as everything grows\n\n\
         Written by `cargo xtask scaling`, which measures all of it on the machine where it\n\
         runs. These lines are of a machine of {cores} core{}: {}, {}{memory}.\n\n\
         Every line comes from a process of its own. *FMA peak* is the rate of\n\
         multiply-adds in registers of as many threads right before and after that line,\n\
         by which a slow moment of the machine can be told; *held* is the most memory\n\
         that the process had beyond what it began with, *told* what the program says\n\
         before it takes any, which is what it refuses by. What does not fit, or takes\n\
         longer than such a page is worth, is there with what it would need; *about* stands\n\
         before a time that was not measured.\n",
        if cores == 1 { "" } else { "s" },
        machine.processor,
        environment.instruction_set,
    )?;
    write_trainings(scaling, page)?;
    write_evaluations(scaling, page)
}

fn write_trainings(scaling: &Scaling, page: &mut String) -> std::fmt::Result {
    writeln!(
        page,
        "## Training\n\n\
         A VAE with one hidden layer on each side, written pixels-hidden-latent, Bernoulli\n\
         likelihood, of images with a fifth of their pixels ink. The time of an epoch is\n\
         that of all its images at the speed of the fastest of four groups of steps, and\n\
         the share is that of the peak; GFLOP/s count dense work, with the zeros that are\n\
         skipped.\n\n\
         ![Time per image]({FOLDER}/{TRAININGS})\n\n\
         ![Memory]({FOLDER}/{MEMORY})"
    )?;
    for (sweep, rows) in &scaling.trainings {
        writeln!(
            page,
            "\n### By {}\n\n\
             | model | images | batch | threads | epoch | one image | GFLOP/s | FMA peak | share | told | held |\n\
             |---|---|---|---|---|---|---|---|---|---|---|",
            match sweep.axis {
                Axis::Several => "several at once, where the machine ends",
                axis => axis.noun(),
            }
        )?;
        for row in rows {
            let Point::Training(point) = &row.point else {
                continue;
            };
            let what = format!(
                "{} | {} | {} | {}",
                point.architecture(),
                grouped(point.images),
                grouped(point.rows()),
                point.threads
            );
            let told = row.told_bytes.map_or_else(absent, bytes);
            match &row.outcome {
                Outcome::Measured(cost) => {
                    let gflops = cost.gflops.unwrap_or(f64::NAN);
                    writeln!(
                        page,
                        "| {what} | {} | {} | {gflops:.0} | {:.0} | {:.0} % | {told} | {} |",
                        duration(cost.seconds),
                        duration(cost.seconds / point.images as f64),
                        cost.peak_gflops,
                        100.0 * gflops / cost.peak_gflops,
                        held(cost)
                    )?;
                }
                Outcome::Estimated { seconds } => {
                    let epoch = duration(*seconds);
                    writeln!(
                        page,
                        "| {what} | about {epoch} | – | – | – | – | {told} | – |"
                    )?;
                }
                Outcome::Left { reason } => {
                    writeln!(
                        page,
                        "| {what} | not measured: {reason} | – | – | – | – | {told} | – |"
                    )?;
                }
            }
        }
    }
    Ok(())
}

fn write_evaluations(scaling: &Scaling, page: &mut String) -> std::fmt::Result {
    writeln!(
        page,
        "\n## Evaluation\n\n\
         Of random rows: codes with L latent variables, or features of D dimensions. Rates\n\
         and neighbours take at most 10,000 codes, of all posteriors and among all\n\
         references; their result says how many. Inputs are not counted in *held*; what is\n\
         *told* of losses and rates is what `eval` is refused by. A time that was not\n\
         measured follows from the line above it by how the work grows.\n\n\
         | measure | time grows with |\n|---|---|"
    )?;
    for measure in Measure::ALL {
        writeln!(page, "| {} | {} |", measure.name(), measure.growth())?;
    }
    writeln!(
        page,
        "\n![Time of evaluations]({FOLDER}/{EVALUATIONS})\n\n\
         | measure | rows | dimensions | threads | time | FMA peak | told | held |\n\
         |---|---|---|---|---|---|---|---|"
    )?;
    for row in &scaling.evaluations {
        write_evaluation(row, page)?;
    }
    Ok(())
}

fn write_evaluation(row: &Row, page: &mut String) -> std::fmt::Result {
    let Point::Evaluation(point) = &row.point else {
        return Ok(());
    };
    let what = format!(
        "{} | {} | {} | {}",
        point.measure.name(),
        grouped(point.rows),
        grouped(point.dimensions),
        point.threads
    );
    let told = row.told_bytes.map_or_else(absent, bytes);
    match &row.outcome {
        Outcome::Measured(cost) => writeln!(
            page,
            "| {what} | {} | {:.0} | {told} | {} |",
            duration(cost.seconds),
            cost.peak_gflops,
            held(cost)
        ),
        Outcome::Estimated { seconds } => {
            writeln!(
                page,
                "| {what} | about {} | – | {told} | – |",
                duration(*seconds)
            )
        }
        Outcome::Left { reason } => {
            writeln!(page, "| {what} | not measured: {reason} | – | {told} | – |")
        }
    }
}

fn held(cost: &Cost) -> String {
    cost.held_bytes.map_or_else(absent, bytes)
}

fn absent() -> String {
    "–".to_owned()
}

/// A number of bytes with its unit, to three digits.
pub(super) fn bytes(count: u64) -> String {
    let units = [("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12)];
    let count = count as f64;
    let fits = |(_, unit): &&(&str, f64)| count < 999.5 * unit;
    let (name, unit) = units.iter().find(fits).unwrap_or(&units[3]);
    format!("{} {name}", three_digits(count / unit))
}

/// Seconds in the unit in which they are read, to three digits.
fn duration(seconds: f64) -> String {
    let units = [
        ("µs", 1e-6, 1e-3),
        ("ms", 1e-3, 1.0),
        ("s", 1.0, 120.0),
        ("min", 60.0, 7_200.0),
        ("h", 3_600.0, 172_800.0),
        ("d", 86_400.0, f64::INFINITY),
    ];
    let fits = |(_, _, below): &&(&str, f64, f64)| seconds < *below;
    let (name, unit, _) = units.iter().find(fits).unwrap_or(&units[5]);
    format!("{} {name}", three_digits(seconds / unit))
}

fn three_digits(value: f64) -> String {
    let decimals = match value {
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// A number with commas between thousands.
fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::tests::example;
    use super::*;

    #[test]
    fn numbers_have_their_units() {
        let found = [0, 999, 1_500, 12_345_678, 999_600_000, 49_152_000_000].map(bytes);
        let expected = [
            "0.00 kB", "1.00 kB", "1.50 kB", "12.3 MB", "1.00 GB", "49.2 GB",
        ];
        assert_eq!(found, expected);
        let found = [2.5e-6, 0.0123, 1.0, 119.0, 120.0, 7_200.0, 1e6].map(duration);
        let expected = [
            "2.50 µs", "12.3 ms", "1.00 s", "119 s", "2.00 min", "2.00 h", "11.6 d",
        ];
        assert_eq!(found, expected);
        let found = [7, 999, 1_000, 49_152, 1_000_000].map(grouped);
        assert_eq!(found, ["7", "999", "1,000", "49,152", "1,000,000"]);
    }

    #[test]
    fn every_point_has_a_line_whatever_became_of_it() {
        let scaling = example();
        let page = page(&scaling);
        let points: usize = scaling.trainings.iter().map(|(_, rows)| rows.len()).sum();
        let lines = page
            .lines()
            .filter(|line| line.starts_with("| 784-256-2 |"));
        assert_eq!(lines.count(), points);
        for part in [
            "a processor",
            "| 784-256-2 | 10,000 | 128 | 1 | 500 ms | 50.0 µs | 40 | 80 | 50 % | 3.00 MB | 4.00 MB |",
            "not measured: it needs 5 GB",
            "| rates | 1,000 | 2 | 1 | about 2.00 min | – | – | – |",
            "scaling/training.png",
        ] {
            assert!(page.contains(part), "{part} is not in:\n{page}");
        }
        // Every line of a table has as many columns as its head.
        let mut columns = 0;
        for line in page.lines() {
            let found = line.matches('|').count();
            assert!(columns == 0 || found == columns || found == 0, "{line}");
            columns = found;
        }
    }
}
