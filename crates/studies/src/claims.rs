//! Statements of the source documents beside what was measured about them.

use evaluation::statistics::sequential::Look;
use evaluation::statistics::{self, Decision, Evidence, Verdict, holm, proportion_interval};
use figures::measured::LEVEL;
use figures::{Drawing, Measured};
use runs::Error;
use serde::{Deserialize, Serialize};

/// The chance of a wrong verdict that is accepted: of one statement alone, and of
/// any in the table of a data set.
pub const SIGNIFICANCE: f64 = 0.05;

/// One statement, what was measured about it, and what follows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Document and running number, such as `000.2`.
    pub id: String,
    /// The data set that the document is about, where these are others: the row
    /// says whether the statement carries over, and is in no total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<String>,
    /// What turns the verdict round, if the numbers do: a whole sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caveat: Option<String>,
    /// The statement, in our words.
    pub statement: String,
    /// The statement as a clause after "that", with numbers, of one that the lead of
    /// the page has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead: Option<String>,
    /// What was measured, in words, with its unit.
    pub quantity: String,
    /// The measurements, one for each model or condition compared.
    pub measured: Vec<Measured>,
    /// Of each model compared, the share of trainings that are in none of them, as
    /// every latent variable collapsed; nothing of a statement that counts all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collapsed: Vec<Measured>,
    /// How the verdict follows from the measurements.
    pub rule: String,
    /// The evidence on each part of the statement.
    pub parts: Vec<Evidence>,
    /// Within which two numbers parts say that something lies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub margins: Vec<[f64; 2]>,
    /// From how many seeds on it would be decided alone with 90 % power, if they
    /// were as these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds_needed: Option<usize>,
    /// After how many seeds it was looked at.
    pub seeds: usize,
    /// The part of the level that this look may spend: all of it, unless seeds
    /// are added until statements are decided.
    pub share: f64,
    /// The smallest level at which the statement is decided alone, this look and
    /// those before it taken together.
    pub p_value: f64,
    /// The same for the table of all statements of a data set (Holm).
    pub adjusted: f64,
    /// What follows for who asks this statement alone.
    pub alone: Verdict,
    /// What follows as one of the table.
    pub verdict: Verdict,
}

/// What a statement's measurements are, and what they say.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// The measurements, one for each model or condition compared.
    pub measured: Vec<Measured>,
    /// The evidence on each part of the statement.
    pub parts: Vec<Evidence>,
    /// Margins of the parts that say that something is as good as the same.
    pub margins: Vec<[f64; 2]>,
    /// Seeds from which on all parts are decided alone with 90 % power; none
    /// where a part does not tell.
    pub seeds_needed: Option<usize>,
    /// What turns the verdict round, if the numbers do: a whole sentence.
    pub caveat: Option<String>,
}

/// A part of a statement: the evidence on it, and what is known about the test.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    evidence: Evidence,
    margins: Vec<[f64; 2]>,
    seeds_needed: Option<usize>,
}

/// Measures what a statement is about, and decides it by the thresholds that its
/// file has.
pub(crate) type Decide = fn(&Drawing<'_>, &[f64]) -> Result<Decided, Error>;

impl Part {
    /// "The quantity is at least (at most) `threshold`".
    #[must_use]
    pub fn of(measured: &Measured, side: statistics::Claim, threshold: f64) -> Self {
        Self {
            evidence: measured.evidence(side, threshold),
            margins: Vec::new(),
            seeds_needed: measured.seeds_needed(threshold, SIGNIFICANCE),
        }
    }

    /// "The quantity is more than (less than) `threshold`": the opposite of "at
    /// most (at least)", so that equal is neither.
    #[must_use]
    pub fn beyond(measured: &Measured, side: statistics::Claim, threshold: f64) -> Self {
        let other = match side {
            statistics::Claim::AtLeast => statistics::Claim::AtMost,
            statistics::Claim::AtMost => statistics::Claim::AtLeast,
        };
        let part = Self::of(measured, other, threshold);
        Self {
            evidence: part.evidence.opposite(),
            ..part
        }
    }

    /// All of `parts` at once: false where any of them is.
    #[must_use]
    pub fn all(parts: &[Self]) -> Self {
        let evidence: Vec<Evidence> = parts.iter().map(|part| part.evidence).collect();
        let together = Evidence::conjunction(&evidence);
        let needed = || parts.iter().map(|part| part.seeds_needed);
        let seeds_needed = if together.supports <= together.refutes {
            most(needed())
        } else {
            // What refutes it is the part that is refuted best.
            let refutes = |part: &&Self| part.evidence.refutes;
            let best = parts
                .iter()
                .min_by(|a, b| refutes(a).total_cmp(&refutes(b)));
            best.and_then(|part| part.seeds_needed)
        };
        Self {
            evidence: together,
            margins: parts.iter().flat_map(|part| part.margins.clone()).collect(),
            seeds_needed,
        }
    }

    /// "The quantity lies from `low` to `high`", as good as the same.
    #[must_use]
    pub fn within(measured: &Measured, low: f64, high: f64) -> Self {
        Self {
            margins: vec![[low, high]],
            ..measured.equivalent(low, high).into()
        }
    }
}

impl From<Evidence> for Part {
    fn from(evidence: Evidence) -> Self {
        Self {
            evidence,
            margins: Vec::new(),
            seeds_needed: None,
        }
    }
}

/// The largest of some numbers; none where one is not known, or there are none.
fn most(numbers: impl Iterator<Item = Option<usize>>) -> Option<usize> {
    let known: Option<Vec<usize>> = numbers.collect();
    known?.into_iter().max()
}

/// The share of trainings whose value `holds`, with its exact interval.
#[must_use]
pub fn share_of_trainings(
    name: &str,
    measured: &Measured,
    holds: impl Fn(f64) -> bool,
) -> Measured {
    let values = measured.by_seed.values();
    let count = values.filter(|value| holds(**value)).count();
    let share = proportion_interval(count, measured.by_seed.len(), LEVEL).ok();
    Measured::together(name, share)
}

/// The verdict of who asks a statement of these parts alone.
#[must_use]
pub fn verdict_of(parts: &[Part]) -> Verdict {
    let evidence: Vec<Evidence> = parts.iter().map(|part| part.evidence).collect();
    Evidence::all(&evidence).verdict(SIGNIFICANCE)
}

impl Decided {
    /// The parts of a statement and the measurements that they follow from.
    #[must_use]
    pub fn new(
        parts: impl IntoIterator<Item = impl Into<Part>>,
        measured: impl IntoIterator<Item = Measured>,
    ) -> Self {
        let parts: Vec<Part> = parts.into_iter().map(Into::into).collect();
        let needed = most(parts.iter().map(|part| part.seeds_needed));
        Self {
            measured: measured.into_iter().collect(),
            parts: parts.iter().map(|part| part.evidence).collect(),
            margins: parts.into_iter().flat_map(|part| part.margins).collect(),
            seeds_needed: needed,
            caveat: None,
        }
    }

    /// The same with what turns it round.
    #[must_use]
    pub fn but(self, caveat: Option<String>) -> Self {
        Self { caveat, ..self }
    }
}

impl Claim {
    /// What `decided` says after a look at so many seeds, for the caller's words
    /// to go with; in a table of its own until [`adjust`] is told the others.
    #[must_use]
    pub(crate) fn at(look: Look, decided: Decided) -> Self {
        let decision = Decision {
            parts: decided.parts,
        };
        let alone = decision.verdict(SIGNIFICANCE * look.share);
        let p_value = (decision.p_value() / look.share).min(1.0);
        Self {
            id: String::new(),
            transfer: None,
            caveat: decided.caveat,
            statement: String::new(),
            lead: None,
            quantity: String::new(),
            measured: decided.measured,
            collapsed: Vec::new(),
            rule: String::new(),
            parts: decision.parts,
            margins: decided.margins,
            seeds_needed: decided.seeds_needed,
            seeds: look.seeds,
            share: look.share,
            p_value,
            adjusted: p_value,
            alone,
            verdict: alone,
        }
    }

    /// Whether nothing is to be said of it in the table as it stands.
    #[must_use]
    pub(crate) fn is_open(&self) -> bool {
        self.adjusted > SIGNIFICANCE
    }
}

/// Takes all statements of a data set for one table: each verdict at the level
/// that [`holm`] leaves it, so that any of them is wrong with a chance of at most
/// [`SIGNIFICANCE`]. Transfers are a table of their own: whether a statement about
/// other data carries over must not cost those about these.
pub(crate) fn adjust<'c>(claims: impl IntoIterator<Item = &'c mut Claim>) {
    let claims = claims.into_iter();
    let (transfers, own): (Vec<_>, Vec<_>) = claims.partition(|claim| claim.transfer.is_some());
    adjust_one_table(own);
    adjust_one_table(transfers);
}

fn adjust_one_table(mut claims: Vec<&mut Claim>) {
    let p_values: Vec<f64> = claims.iter().map(|claim| claim.p_value).collect();
    for (claim, adjusted) in claims.iter_mut().zip(holm(&p_values)) {
        claim.adjusted = adjusted;
        // An adjusted p-value is no less than that alone, so what is decided in
        // the table is alone, and in the same way.
        claim.verdict = if claim.is_open() {
            Verdict::Undecided
        } else {
            claim.alone
        };
    }
}

/// A number in a sentence: two digits, or all before the point.
#[must_use]
pub fn in_short(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 9.95 => 0,
        size if size >= 0.995 => 1,
        _ => 2,
    };
    let unit = 10f64.powi(decimals);
    viz::number::shortest((value * unit).round() / unit)
}

/// The badge of a verdict on the page.
#[must_use]
pub fn badge(verdict: Verdict) -> viz::page::Verdict {
    match verdict {
        Verdict::Supported => viz::page::Verdict::Supported,
        Verdict::Refuted => viz::page::Verdict::Refuted,
        Verdict::Mixed => viz::page::Verdict::Mixed,
        Verdict::Undecided => viz::page::Verdict::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use evaluation::statistics::Claim::{AtLeast, AtMost};
    use evaluation::statistics::Scale;

    use super::*;

    fn measured(values: [f64; 5]) -> Measured {
        Measured::new("m", (0..).zip(values).collect(), Vec::new())
    }

    fn supporting(p: f64) -> Evidence {
        Evidence {
            supports: p,
            refutes: 1.0 - p,
        }
    }

    #[test]
    fn numbers_in_sentences_are_short() {
        let read = [0.0123, 0.5, 1.04, 2.26, 9.97, 83.4, 1234.5].map(in_short);
        assert_eq!(read, ["0.01", "0.5", "1", "2.3", "10", "83", "1235"]);
    }

    #[test]
    fn parts_say_what_they_know() {
        let near = measured([8.8, 9.0, 9.1, 9.2, 8.9]);
        let at_least = Part::of(&near, AtLeast, 8.0);
        assert_eq!(
            verdict_of(std::slice::from_ref(&at_least)),
            Verdict::Supported
        );
        let decided = Decided::new([at_least], [near.clone()]);
        assert!(decided.seeds_needed.is_some_and(|seeds| seeds <= 5));
        let within = Part::within(&near, 8.0, 10.0);
        assert_eq!(
            verdict_of(std::slice::from_ref(&within)),
            Verdict::Supported
        );
        let within = Decided::new([within], []);
        assert_eq!(
            (within.margins, within.seeds_needed),
            (vec![[8.0, 10.0]], None)
        );
        // Equal is not more, and one part that does not tell hides the others.
        let zeros = measured([0.0; 5]).on(Scale::Count);
        let more = verdict_of(&[Part::beyond(&zeros, AtLeast, 0.0)]);
        assert_eq!(more, Verdict::Refuted);
        let no_more = verdict_of(&[Part::of(&zeros, AtMost, 0.0)]);
        assert_eq!(no_more, Verdict::Supported);
        let both = [supporting(0.01).into(), Part::of(&near, AtLeast, 8.0)];
        assert_eq!(Decided::new(both, []).seeds_needed, None);
    }

    #[test]
    fn a_table_asks_more_than_a_statement() {
        let of = |p| Claim::at(Look::only(5), Decided::new([supporting(p)], []));
        let mut table = [of(0.001), of(0.03), of(0.99)];
        let alone: Vec<Verdict> = table.iter().map(|claim| claim.alone).collect();
        use Verdict::{Refuted, Supported, Undecided};
        assert_eq!(alone, [Supported, Supported, Refuted]);
        adjust(&mut table);
        let verdicts: Vec<Verdict> = table.iter().map(|claim| claim.verdict).collect();
        assert_eq!(verdicts, [Supported, Supported, Refuted]);
        let mut longer = [of(0.001), of(0.03), of(0.99), of(0.4)];
        adjust(&mut longer);
        let verdicts: Vec<Verdict> = longer.iter().map(|claim| claim.verdict).collect();
        assert_eq!(verdicts, [Supported, Undecided, Refuted, Undecided]);
        // What was decided alone is still said.
        assert_eq!(longer[1].alone, Supported);
        assert!((longer[1].adjusted - 0.06).abs() < 1e-12);
    }

    #[test]
    fn what_says_all_at_once_is_false_where_a_part_is() {
        let near = measured([8.8, 9.0, 9.1, 9.2, 8.9]);
        let [yes, no] = [8.0, 12.0].map(|least| Part::of(&near, AtLeast, least));
        let both = Part::all(&[yes.clone(), Part::within(&near, 8.0, 10.0)]);
        assert_eq!(verdict_of(std::slice::from_ref(&both)), Verdict::Supported);
        assert_eq!((both.margins, both.seeds_needed), (vec![[8.0, 10.0]], None));
        let refuted = Part::all(&[yes.clone(), no.clone()]);
        assert_eq!(verdict_of(std::slice::from_ref(&refuted)), Verdict::Refuted);
        assert_eq!(refuted.seeds_needed, no.seeds_needed);
        // As parts of their own they differ.
        assert_eq!(verdict_of(&[yes, no]), Verdict::Mixed);
    }

    #[test]
    fn transfers_cost_the_others_nothing() {
        let of = |p, transfer: Option<&str>| Claim {
            transfer: transfer.map(Into::into),
            ..Claim::at(Look::only(5), Decided::new([supporting(p)], []))
        };
        let mut table = [
            of(0.03, None),
            of(0.3, Some("Other")),
            of(0.02, Some("Other")),
        ];
        adjust(&mut table);
        let adjusted = table.each_ref().map(|claim| claim.adjusted);
        assert_eq!(adjusted[0], 0.03);
        assert!((adjusted[2] - 0.04).abs() < 1e-12, "{adjusted:?}");
    }

    #[test]
    fn shares_of_trainings_are_counted() {
        let share = share_of_trainings("s", &measured([0.0, 1.0, 2.0, 0.0, 0.0]), |v| v > 0.0);
        assert_eq!(share.mean(), 0.4);
        let none = Measured::new("m", [].into(), Vec::new());
        assert!(share_of_trainings("s", &none, |_| true).interval.is_none());
    }

    #[test]
    fn a_look_spends_its_share() {
        let look = Look {
            seeds: 5,
            share: 0.125,
        };
        let of = |p| Claim::at(look, Decided::new([supporting(p)], []));
        assert_eq!(of(0.006).alone, Verdict::Supported);
        assert_eq!(of(0.007).alone, Verdict::Undecided);
        assert!((of(0.006).p_value - 0.048).abs() < 1e-12);
    }
}
