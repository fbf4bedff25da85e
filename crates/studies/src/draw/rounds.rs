//! Which runs a study is to have, look by look, and what it has decided so far.
//!
//! A study of a fixed number of seeds has one look, which spends all of the
//! level. One that goes on until its statements are decided has several; of each
//! but the first only models get seeds that an open statement asked for. A
//! statement that a look decides keeps that look's numbers and verdict, however
//! many seeds its models get for the sake of others: with the same runs all of it
//! comes out the same again, and nothing has to be remembered.

use std::collections::{BTreeMap, BTreeSet};

use datasets::Dataset;
use evaluation::statistics::sequential::Look;
use runs::Error;

use super::Data;
use crate::claims::{Claim, SIGNIFICANCE, adjust};
use crate::{Drawing, PlannedRun, Scale, Seeds, Study};

/// A study, its runs as far as they are planned, and what they decided.
#[derive(Debug)]
pub(super) struct Asked<'s> {
    pub(super) study: &'s Study,
    pub(super) runs: Vec<PlannedRun>,
    quick: bool,
    first_seed: u64,
    looks: Vec<Look>,
    statements: Vec<Statement>,
}

/// A statement as the look has it that decides it.
#[derive(Debug)]
struct Statement {
    claim: Claim,
    /// Keys of the models it is about.
    models: BTreeSet<String>,
}

impl<'s> Asked<'s> {
    /// With the runs of the first look.
    pub(super) fn of(
        study: &'s Study,
        seeds: Seeds,
        first_seed: u64,
        quick: bool,
        data: &Data,
        dataset: &Dataset,
    ) -> Result<Self, Error> {
        let mut asked = Self {
            study,
            runs: Vec::new(),
            quick,
            first_seed,
            looks: seeds.looks(),
            statements: Vec::new(),
        };
        let first = study.runs(asked.scale_at(asked.looks[0]));
        crate::check(study, &first, dataset)?;
        asked.runs = data.planned(dataset, first)?;
        Ok(asked)
    }

    /// How many looks it may take.
    pub(super) fn looks(&self) -> usize {
        self.looks.len()
    }

    /// What its figures are of: the most seeds that any of its models has.
    pub(super) fn scale(&self) -> Scale {
        let seeds = self.runs.iter().map(|run| run.configuration.training.seed);
        let last = seeds.max().unwrap_or(self.first_seed);
        Scale {
            quick: self.quick,
            first_seed: self.first_seed,
            seeds: (last - self.first_seed) as usize + usize::from(!self.runs.is_empty()),
            until_decided: self.looks.len() > 1,
        }
    }

    /// The fewest seeds that any of its models has.
    pub(super) fn fewest_seeds(&self) -> usize {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for run in &self.runs {
            *counts.entry(&run.key).or_default() += 1;
        }
        counts.into_values().min().unwrap_or(0)
    }

    fn scale_at(&self, look: Look) -> Scale {
        Scale {
            quick: self.quick,
            first_seed: self.first_seed,
            seeds: look.seeds,
            until_decided: self.looks.len() > 1,
        }
    }

    /// Plans the runs that look `number` adds, for models of open statements.
    pub(super) fn plan(
        &mut self,
        number: usize,
        data: &Data,
        dataset: &Dataset,
    ) -> Result<(), Error> {
        if number == 0 || number >= self.looks.len() || self.open() == 0 {
            return Ok(());
        }
        let (before, look) = (self.looks[number - 1], self.looks[number]);
        let open = || self.statements.iter().filter(|of| of.claim.is_open());
        let is_asked = |key: &str| open().any(|statement| statement.models.contains(key));
        let more = self.study.runs(self.scale_at(look)).into_iter();
        let more = more.filter(|run| {
            run.configuration.training.seed >= self.first_seed + before.seeds as u64
                && is_asked(&run.key)
        });
        let more = data.planned(dataset, more.collect())?;
        self.runs.extend(more);
        Ok(())
    }

    /// Decides its open statements by the runs of `drawing`, all it has: those of
    /// look `number`.
    pub(super) fn decide(&mut self, number: usize, drawing: &Drawing<'_>) -> Result<(), Error> {
        let Some(look) = self.looks.get(number) else {
            return Ok(());
        };
        if number == 0 {
            let first = self.study.claims(drawing, *look, |_| true)?;
            self.statements = first.into_iter().map(Statement::from).collect();
            return Ok(());
        }
        let statements = &self.statements;
        let is_open = |id: &str| {
            let mut open = statements.iter().filter(|of| of.claim.is_open());
            open.any(|statement| statement.claim.id == id)
        };
        for (claim, models) in self.study.claims(drawing, *look, is_open)? {
            let mut known = self.statements.iter_mut();
            if let Some(known) = known.find(|known| known.claim.id == claim.id) {
                known.look_again(claim);
                known.models = models;
            }
        }
        Ok(())
    }

    /// Whether look `number` has something to decide.
    pub(super) fn is_due(&self, number: usize) -> bool {
        number == 0 || (number < self.looks.len() && self.open() > 0)
    }

    /// How many of its statements are open.
    pub(super) fn open(&self) -> usize {
        let open = self.statements.iter().filter(|of| of.claim.is_open());
        open.count()
    }

    /// What it has decided.
    pub(super) fn claims(&self) -> impl Iterator<Item = &Claim> {
        self.statements.iter().map(|statement| &statement.claim)
    }
}

/// Holds the statements of all studies, and `others` that the table has from
/// earlier calls, against each other.
pub(super) fn adjust_all(asked: &mut [Asked<'_>], others: &mut [Claim]) {
    let own = asked.iter_mut().flat_map(|asked| &mut asked.statements);
    adjust(own.map(|statement| &mut statement.claim).chain(others));
}

impl From<(Claim, BTreeSet<String>)> for Statement {
    fn from((claim, models): (Claim, BTreeSet<String>)) -> Self {
        Self { claim, models }
    }
}

impl Statement {
    /// Takes what a later look says, unless an earlier one decided the statement
    /// alone with a smaller p-value and the table asks for more. The smallest of
    /// all looks is what Holm's procedure is to have; of those that decide
    /// nothing alone any is as good for it, and the last has most seeds.
    fn look_again(&mut self, later: Claim) {
        let own = self.claim.p_value;
        let is_kept = own <= SIGNIFICANCE && own <= later.p_value;
        if !is_kept {
            self.claim = later;
        }
    }
}

#[cfg(test)]
mod tests {
    use evaluation::statistics::Evidence;

    use super::*;
    use crate::claims::Decided;

    #[test]
    fn the_look_that_decides_alone_is_kept() {
        let at = |seeds, p| {
            let look = Look { seeds, share: 0.25 };
            let evidence = Evidence {
                supports: p,
                refutes: 1.0 - p,
            };
            Claim::at(look, Decided::new([evidence], []))
        };
        let mut statement = Statement::from((at(5, 0.2), BTreeSet::new()));
        statement.look_again(at(10, 0.3));
        assert_eq!(statement.claim.seeds, 10, "undecided: the last look");
        statement.look_again(at(20, 0.01));
        statement.look_again(at(40, 0.012));
        assert_eq!(statement.claim.seeds, 20, "decided alone: the smallest");
        statement.look_again(at(80, 0.001));
        assert_eq!(statement.claim.seeds, 80);
    }
}
