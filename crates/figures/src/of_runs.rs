//! Everything that can be drawn of some runs, side by side on one page.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datasets::Dataset;
use runs::Error;
use runs::atomic_file::{check_folder, check_own, take_folder};
use runs::environment::threads;
use runs::interrupt::Interrupt;
use runs::run_data::{DataLocation, refuse_inside};
use runs::run_folder::RunFolder;
use viz::FigureOutput;
use viz::page::{Block, Cell, Column, Page, Section, Table, Text};

use crate::classifier::classifier_file;
use crate::explore::{self, BESIDE};
use crate::opened::{configurations, differing, how_far, open, with_weights};
use crate::pictures::{Kind, everything, kind};
use crate::wording::{held_out, listed, name_of, own_data, test_images};
use crate::{Drawing, Scale, TrainedRun};

/// What to draw, of which runs and where.
#[derive(Clone, Debug)]
pub struct Request {
    /// The runs, all of one data set.
    pub runs: Vec<RunFolder>,
    /// Names of pictures; empty for all.
    pub pictures: Vec<String>,
    /// Folder of the pictures and of `index.html`.
    pub out: PathBuf,
    /// Threads to use; `None` for all cores.
    pub threads: Option<usize>,
    /// In which formats and sizes, beside what the page shows.
    pub output: FigureOutput,
    /// Where the data are.
    pub location: DataLocation,
    /// The command as typed.
    pub command: String,
}

/// What was made.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The page that shows all pictures.
    pub page: PathBuf,
    /// Every picture, in the order of the page.
    pub figures: Vec<PathBuf>,
}

/// Draws the pictures and writes the page.
///
/// # Errors
/// Runs of different data sets, a run without weights, an unknown picture, a
/// missing data set, an unwritable folder or a stop asked for by a signal.
pub fn draw(
    request: &Request,
    interrupt: &Interrupt,
    download: &mut dyn FnMut(datasets::Progress<'_>),
    observer: &mut dyn FnMut(&Kind),
) -> Result<Outcome, Error> {
    let asked: Vec<&Kind> = request
        .pictures
        .iter()
        .map(|name| kind(name))
        .collect::<Result<_, Error>>()?;
    let mut pictures = everything();
    pictures.retain(|(_, kind, _)| {
        asked.is_empty() || asked.iter().any(|asked| asked.name == kind.name)
    });
    let configurations = configurations(&request.runs)?;
    refuse_inside(&configurations[0].data.dataset, &request.out)?;
    check_folder(&request.out)?;
    check_own(&request.out, is_page)?;
    let dataset = request.location.load(&configurations[0], download)?;
    let (folders, diverged) = with_weights(&request.runs)?;
    let runs = open(&folders, &dataset)?;
    let _taken = take_folder(&request.out, &request.command, is_page)?;
    let pool = tensor_ops::parallel::ThreadPool::new(threads(request.threads))
        .map_err(models::TrainerError::from)?;
    let scale = Scale {
        quick: false,
        seeds: 1,
        until_decided: false,
    };
    let classifiers = classifier_folder(&dataset, &runs[0], request);
    let mut drawing = Drawing::new(&dataset, &runs, &[], scale, &classifiers, &request.out)
        .with_output(request.output.clone());
    let shown: Vec<&TrainedRun> = runs.iter().collect();
    let heading = if runs.len() == 1 {
        "The run"
    } else {
        "The runs"
    };
    let mut blocks = about(&dataset, &runs)?;
    blocks.extend(
        diverged
            .iter()
            .map(|sentence| Block::paragraph(sentence.as_str())),
    );
    let titles: Vec<String> = runs.iter().map(TrainedRun::title).collect();
    let page = Page {
        title: listed(&titles),
        subtitle: format!("on {}, {}", name_of(&dataset), test_images(&dataset)),
        lead: vec![Text::from(
            "Losses are in nats per image: summed over pixels, averaged over images. With each \
             picture there is a JSON file with the numbers it draws and the configurations behind \
             it.",
        )],
        sections: vec![Section {
            heading: heading.into(),
            blocks,
        }],
        footer: vec![Text::from(format!(
            "{}: {}",
            name_of(&dataset),
            dataset.attribution
        ))],
    };
    // What has been drawn so far, for whoever ends the process.
    let page = Arc::new(Mutex::new(page));
    let path = request.out.join("index.html");
    let (drawn, place, command) = (page.clone(), path.clone(), request.command.clone());
    let stopped = move || match lock(&drawn).write(&place) {
        Ok(()) => Error::Interrupted {
            command: command.clone(),
        },
        Err(error) => error.into(),
    };
    let _farewell = interrupt.on_departure(stopped.clone());
    if asked.is_empty() {
        let explorer = pool
            .install(|| explore::beside(&request.out, &dataset, &shown, interrupt))
            .map_err(|error| match error {
                Error::Abandoned => stopped(),
                error => error,
            })?;
        if let Some(first) = lock(&page).sections.first_mut() {
            first.blocks.push(explorer.block(BESIDE));
        }
    }
    for (file, kind, options) in pictures {
        if interrupt.requested() {
            return Err(stopped());
        }
        observer(kind);
        let blocks = pool.install(|| kind.draw(&mut drawing, &shown, &options, &file))?;
        let sections = &mut lock(&page).sections;
        match sections.last_mut() {
            Some(section) if section.heading == kind.title => section.blocks.extend(blocks),
            _ => sections.push(Section {
                heading: kind.title.into(),
                blocks,
            }),
        }
    }
    lock(&page).write(&path)?;
    Ok(Outcome {
        page: path,
        figures: drawing.written(),
    })
}

/// A page that a panic elsewhere does not take from us.
fn lock(page: &Mutex<Page>) -> MutexGuard<'_, Page> {
    page.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a folder holds pictures that this program has drawn, by a version
/// that did not lock it: on a page of ours, or inside a run.
fn is_page(folder: &Path) -> bool {
    let in_a_run = folder.parent().map(RunFolder::at);
    Page::is_ours(&folder.join("index.html")) || in_a_run.is_some_and(|run| run.exists())
}

/// What the runs are: their numbers, and what differs in their configurations.
fn about(dataset: &Dataset, runs: &[TrainedRun]) -> Result<Vec<Block>, Error> {
    let mut blocks: Vec<Block> = own_data(dataset).into_iter().collect();
    blocks.extend(held_out(dataset, runs));
    let number = |value: f64, decimals: usize| {
        if value.is_finite() {
            Cell::Number { value, decimals }
        } else {
            Cell::Missing
        }
    };
    let mut rows = Vec::new();
    for run in runs {
        let mut row = vec![Cell::text(run.title()), Cell::text(how_far(run)?)];
        match run.last() {
            None => row.extend(std::iter::repeat_with(|| Cell::Missing).take(5)),
            Some(last) => {
                row.push(number(last.test.loss, 2));
                row.push(number(last.test.reconstruction, 2));
                row.push(if run.model.spec().kind.penalty_name().is_some() {
                    number(last.test.kl, 2)
                } else {
                    Cell::Missing
                });
                row.push(number(last.train.loss, 2));
                row.push(number(
                    run.metrics.iter().map(|epoch| epoch.seconds).sum(),
                    1,
                ));
            }
        }
        rows.push(row);
    }
    blocks.push(Block::Table(Table {
        caption: Text::from(
            "The last epoch. Test values are taken after it, with z sampled for a VAE; the training \
             loss is the mean over the epoch while the weights change.",
        ),
        columns: vec![Column::new("run", ""), Column::new("trained", ""), Column::new("test loss", "nats"), Column::new("test reconstruction", "nats"), Column::new("test KL or penalty", "nats"), Column::new("training loss", "nats"), Column::new("time", "s")],
        rows,
    }));
    let differing = differing(runs);
    if !differing.is_empty() {
        let mut columns = vec![Column::new("setting", "")];
        columns.extend(runs.iter().map(|run| Column::new(run.title(), "")));
        let rows = differing
            .into_iter()
            .map(|(name, values)| {
                std::iter::once(name)
                    .chain(values)
                    .map(|text| {
                        if text.is_empty() {
                            Cell::Missing
                        } else {
                            Cell::text(text)
                        }
                    })
                    .collect()
            })
            .collect();
        blocks.push(Block::Table(Table {
            caption: Text::from("What differs in their configurations."),
            columns,
            rows,
        }));
    }
    Ok(blocks)
}

/// Where the data set's classifier is kept: beside the runs if it is there
/// already, as studies keep it, and otherwise in the cache, so that the next run
/// of this data set has it; without a cache, with the pictures.
fn classifier_folder(dataset: &Dataset, run: &TrainedRun, request: &Request) -> PathBuf {
    let beside = run.folder.path().parent().map(Path::to_path_buf);
    beside
        .filter(|folder| classifier_file(folder, dataset, 0).exists())
        .or_else(|| request.location.cache.clone())
        .unwrap_or_else(|| request.out.clone())
}
