//! The sample: mutants in their order, until so many that compile have been
//! tested.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use latent_atlas::Output;

use super::list::Mutant;
use super::outcomes::{Fate, Outcomes};
use super::stages::{Stages, Workshop};

/// A mutant that was drawn; without a fate it is listed as equivalent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found<'a> {
    pub(super) mutant: &'a Mutant,
    pub(super) fate: Option<Fate>,
}

pub(super) struct Survey<'a> {
    /// In the order in which they are drawn.
    pub(super) mutants: &'a [Mutant],
    /// Keys of those that are not tried.
    pub(super) equivalent: &'a BTreeSet<String>,
    /// How many that compile are tested.
    pub(super) wanted: usize,
    pub(super) stages: &'a Stages,
    pub(super) output: &'a Output,
}

impl<'a> Survey<'a> {
    /// Tests them in all workshops at once. Which are drawn does not depend on
    /// how many there are.
    pub(super) fn run(
        &self,
        workshops: &[Workshop],
        outcomes: Outcomes,
    ) -> anyhow::Result<Vec<Found<'a>>> {
        let draw = Draw {
            progress: Mutex::new(Progress {
                outcomes,
                next: 0,
                in_work: 0,
                viable: 0,
                is_over: false,
                found: Vec::new(),
            }),
            changed: Condvar::new(),
        };
        thread::scope(|scope| {
            let workers: Vec<_> = workshops
                .iter()
                .map(|workshop| scope.spawn(|| self.work(workshop, &draw)))
                .collect();
            let results = workers.into_iter().map(|worker| {
                let result = worker.join();
                result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            results.collect::<anyhow::Result<Vec<()>>>()
        })?;
        let progress = draw.progress.into_inner();
        let mut found = progress.unwrap_or_else(PoisonError::into_inner).found;
        found.sort_by_key(|(place, _)| *place);
        Ok(found.into_iter().map(|(_, found)| found).collect())
    }

    fn work(&self, workshop: &Workshop, draw: &Draw<'a>) -> anyhow::Result<()> {
        while let Some((place, mutant)) = self.draw(draw) {
            let tried = self.stages.try_mutant(mutant, workshop);
            let mut progress = draw.lock();
            progress.in_work -= 1;
            let kept = tried.and_then(|(fate, by)| {
                progress.outcomes.keep(&mutant.key(), fate, &by)?;
                progress.count(place, mutant, Some(fate));
                let (viable, wanted) = (progress.viable, self.wanted);
                let name = fate.name();
                let line = format!("{viable}/{wanted} {name} {}", mutant.name());
                self.output.note(&if by.is_empty() {
                    line
                } else {
                    format!("{line} ({by})")
                });
                Ok(())
            });
            progress.is_over |= kept.is_err();
            drop(progress);
            draw.changed.notify_all();
            kept?;
        }
        Ok(())
    }

    /// The next mutant to test, or none. As many are in work as could be needed
    /// if all of them compile, so that none is tested that one after the other
    /// would not have been.
    fn draw(&self, draw: &Draw<'a>) -> Option<(usize, &'a Mutant)> {
        let mut progress = draw.lock();
        loop {
            if progress.is_over || progress.viable >= self.wanted {
                return None;
            }
            if progress.viable + progress.in_work >= self.wanted {
                let waited = draw.changed.wait(progress);
                progress = waited.unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let place = progress.next;
            let mutant = self.mutants.get(place)?;
            progress.next += 1;
            let key = mutant.key();
            if self.equivalent.contains(&key) {
                progress.count(place, mutant, None);
            } else if let Some(fate) = progress.outcomes.known(&key) {
                progress.count(place, mutant, Some(fate));
            } else {
                progress.in_work += 1;
                return Some((place, mutant));
            }
        }
    }
}

struct Draw<'a> {
    progress: Mutex<Progress<'a>>,
    changed: Condvar,
}

impl<'a> Draw<'a> {
    fn lock(&self) -> MutexGuard<'_, Progress<'a>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Progress<'a> {
    outcomes: Outcomes,
    /// The place of the mutant that is drawn next.
    next: usize,
    in_work: usize,
    viable: usize,
    /// Whether one could not be tested.
    is_over: bool,
    found: Vec<(usize, Found<'a>)>,
}

impl<'a> Progress<'a> {
    fn count(&mut self, place: usize, mutant: &'a Mutant, fate: Option<Fate>) {
        self.viable += usize::from(fate.is_some_and(|fate| fate != Fate::Unviable));
        self.found.push((place, Found { mutant, fate }));
    }
}
