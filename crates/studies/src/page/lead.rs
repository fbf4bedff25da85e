//! What stands before the sections: what was found, for readers with two minutes.

use figures::documents::DOCUMENTS;
use figures::wording::listed;
use viz::page::{Span, Text, anchor};

use super::statements::{claims_heading, in_words};
use super::{Part, StoredSection};
use crate::claims::{Claim, badge};
use crate::{STUDIES, Study};

/// Statements of a study in a file that the lead has.
const MOST_STATEMENTS: usize = 5;

/// The answer first, then what it is the answer to.
pub(super) fn lead(parts: &[Part], several: bool, is_of_the_atlas: bool) -> Vec<Text> {
    let answers = parts.iter().flat_map(|part| answer(part, several));
    let mut lead: Vec<Text> = answers.collect();
    if is_of_the_atlas {
        let documents: Vec<String> = DOCUMENTS
            .iter()
            .map(|document| {
                format!(
                    "“{}” ({}), {}",
                    document.title, document.number, document.about
                )
            })
            .collect();
        lead.push(Text::from(format!(
            "Four short texts explain latent spaces by looking at pictures: {}. Here every picture \
             they show is drawn again from models trained anew, and every statement they make is \
             turned into a quantity with a rule that decides about it. A statement is referred to \
             by the number of its document.",
            listed(&documents)
        )));
    }
    lead.push(Text::from(
        "With each picture, latent-atlas figures writes a JSON file with the numbers it draws and \
         the configuration that made it. Losses are in nats per image: summed over pixels, \
         averaged over images.",
    ));
    lead
}

/// What was found on one data set, a paragraph for each study, and where all of
/// it stands.
fn answer(part: &Part, several: bool) -> Vec<Text> {
    let effort = format!("{}, {}. ", part.dataset, effort(&part.sections));
    let found = part.sections.iter().filter_map(answer_of);
    let mut answer: Vec<Text> = found.map(Text::from).collect();
    answer.push(all_statements(part, several));
    answer[0].0.insert(0, Span::Strong(effort));
    answer
}

fn all_statements(part: &Part, several: bool) -> Text {
    if part.claims.is_empty() {
        return Text::from("No statement was measured.");
    }
    let suffix = if several {
        format!(" — {}", part.dataset)
    } else {
        String::new()
    };
    let (transfers, own): (Vec<Claim>, Vec<Claim>) =
        (part.claims.iter().cloned()).partition(|claim| claim.transfer.is_some());
    let (counted, about) = if own.is_empty() {
        (&transfers, " about other data")
    } else {
        (&own, "")
    };
    let link = Span::Link {
        text: outcome(counted),
        to: format!("#{}", anchor(&claims_heading(&suffix))),
    };
    let mut spans = vec![
        Span::Plain(match counted.len() {
            1 => format!("Of one statement{about} "),
            count => format!("Of {count} statements{about} "),
        }),
        link,
        Span::Plain(".".into()),
    ];
    if !own.is_empty() && !transfers.is_empty() {
        spans.push(Span::Plain(format!(
            " Beside them there {} about other data, in no total: {}.",
            match transfers.len() {
                1 => "is one".to_owned(),
                count => format!("are {count}"),
            },
            outcome(&transfers)
        )));
    }
    Text(spans)
}

/// What a study found: of one that has clauses for it a sentence, of others the
/// statements with what decided.
fn answer_of(section: &StoredSection) -> Option<String> {
    if section.claims.iter().any(|claim| claim.lead.is_some()) {
        return Some(summary(&section.subject, &section.claims));
    }
    let sentences = section.claims.iter().take(MOST_STATEMENTS).map(|claim| {
        let decisive = claim.measured.last().map(in_words).unwrap_or_default();
        let statement = claim.statement.trim_end_matches('.');
        format!("{statement}: {} ({decisive}).", badge(claim.verdict).name())
    });
    let sentences: Vec<String> = sentences.collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// What is true of some statements, in one sentence: `Two planes: of 3 statements 2
/// hold, among them that A; 1 does not.`
fn summary(subject: &str, claims: &[Claim]) -> String {
    use evaluation::statistics::Verdict::{Mixed, Refuted, Supported, Undecided};
    let groups = [
        (Supported, ["holds", "hold"], ""),
        (Refuted, ["does not", "do not"], ""),
        (Mixed, ["holds", "hold"], " in part"),
        (Undecided, ["is undecided", "are undecided"], ""),
    ];
    let parts = groups.into_iter().filter_map(|(verdict, verbs, how)| {
        let group = claims.iter().filter(|claim| claim.verdict == verdict);
        let count = group.clone().count();
        let named: Vec<String> = group
            .filter_map(|claim| Some(format!("that {}", claim.lead.as_ref()?)))
            .collect();
        let among = match named.len() {
            0 => "",
            all if all == count => ": ",
            _ => ", among them ",
        };
        let verb = verbs[usize::from(count > 1)];
        (count > 0).then(|| format!("{count} {verb}{how}{among}{}", listed(&named)))
    });
    let parts: Vec<String> = parts.collect();
    let about = if claims.iter().all(|claim| claim.transfer.is_some()) {
        " about other data"
    } else {
        ""
    };
    let statements = match claims.len() {
        1 => format!("of one statement{about}"),
        count => format!("of {count} statements{about}"),
    };
    format!("{subject}: {statements} {}.", parts.join("; "))
}

pub(super) fn built_in(name: &str) -> Option<&'static Study> {
    STUDIES.iter().find(|study| study.name() == name)
}

/// `5 seeds a model`, and whether the training was cut short.
pub(super) fn effort(sections: &[StoredSection]) -> String {
    let fewest = sections
        .iter()
        .map(|section| section.fewest_seeds.unwrap_or(section.seeds))
        .min()
        .unwrap_or(0);
    let most = sections
        .iter()
        .map(|section| section.seeds)
        .max()
        .unwrap_or(0);
    let mut text = match (fewest, most) {
        (1, 1) => "one seed a model".to_string(),
        (a, b) if a == b => format!("{a} seeds a model"),
        (a, b) => format!("{a} to {b} seeds a model"),
    };
    match sections.iter().filter(|section| section.quick).count() {
        0 => {}
        all if all == sections.len() => text.push_str(", trained briefly for a first look"),
        _ => text.push_str(", some of them trained briefly for a first look"),
    }
    text
}

/// `3 are supported, 1 is refuted`, verdicts without a statement left out.
pub(super) fn outcome(claims: &[Claim]) -> String {
    use evaluation::statistics::Verdict::{Mixed, Refuted, Supported, Undecided};
    let counted: Vec<String> = [Supported, Refuted, Mixed, Undecided]
        .into_iter()
        .filter_map(|verdict| {
            let count = claims
                .iter()
                .filter(|claim| claim.verdict == verdict)
                .count();
            let verb = if count == 1 { "is" } else { "are" };
            (count > 0).then(|| format!("{count} {verb} {}", badge(verdict).name()))
        })
        .collect();
    match counted.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => counted.concat(),
    }
}
