//! The statements of document 002 about an autoencoder's codes, held against
//! measurements; the VAE's stand beside.

use evaluation::statistics::Claim::AtLeast;
use evaluation::statistics::Verdict;

use super::measures::{Decoded, Form, decoded};
use super::{AE, VAE};
use crate::Drawing;
use crate::claims::{Claim, Decide, Decided, Part, claim, in_short, verdict_of};
use crate::measures::plane::{CodeNumbers, code_numbers};
use figures::Measured;
use runs::Error;

pub(super) const DECISIONS: &[(&str, Decide)] = &[
    ("002.1", |d, at| {
        of_the_codes(d, at, |found| Ok(found.asymmetry()))
    }),
    ("002.2", |d, at| {
        of_the_codes(d, at, |found| Ok(100.0 * found.extent.share_outside_map))
    }),
    ("002.3", |d, at| {
        of_the_codes(d, at, CodeNumbers::area_ratio)
    }),
    ("002.4", |d, at| {
        of_the_codes(d, at, |found| Ok(100.0 * found.excess_gaps()?))
    }),
    ("002.5", ill_formed),
    ("002.6", neighbours),
];

/// Where the codes lie and what a small step does.
pub(super) fn answer(claims: &[Claim]) -> Option<String> {
    let [outside, area] = [claim(claims, "002.2")?, claim(claims, "002.3")?];
    let mut text = format!(
        "An autoencoder leaves {} % of its codes outside of the square from −4 to 4, and a VAE of the same \
         layers {} %",
        in_short(outside.mean(0)?),
        in_short(outside.mean(1)?),
    );
    if let (Some(ae), Some(vae)) = (area.mean(0), area.mean(1)) {
        text.push_str(&format!(
            "; the class with most room has {} times the area of that with least, in the VAE {}",
            in_short(ae),
            in_short(vae)
        ));
    }
    let step = claim(claims, "002.6");
    if let Some((ae, vae)) = step.and_then(|step| step.mean(0).zip(step.mean(1))) {
        text.push_str(&format!(
            "; and a step of 0.1 from a random point turns the image into another class in {} % of \
             cases, in the VAE in {} %",
            in_short(ae),
            in_short(vae)
        ));
    }
    Some(text + ".")
}

/// That the VAE, the remedy, has as much of what the autoencoder is blamed for.
fn no_better(blame: Verdict, ae: &Measured, vae: &Measured) -> Option<String> {
    let shows = matches!(blame, Verdict::Supported | Verdict::Mixed);
    (shows && vae.mean() >= ae.mean()).then(|| {
        let [ae, vae] = [ae, vae].map(|measured| in_short(measured.mean()));
        if ae == vae {
            format!("The VAE is no better here: {vae} as well.")
        } else {
            format!("The VAE is worse than the autoencoder here: {vae} against {ae}.")
        }
    })
}

/// Decides by a number of the AE's codes, with that of the VAE's beside it.
fn of_the_codes(
    drawing: &Drawing<'_>,
    at: &[f64],
    value: impl Fn(&CodeNumbers) -> Result<f64, Error>,
) -> Result<Decided, Error> {
    let over = |key: &'static str| -> Result<Measured, Error> {
        let title = drawing.title(key);
        drawing.over_seeds(key, &title, |run| value(&code_numbers(drawing, run)?))
    };
    let measured = [over(AE)?, over(VAE)?];
    let parts = [Part::of(&measured[0], AtLeast, at[0])];
    let caveat = no_better(verdict_of(&parts), &measured[0], &measured[1]);
    Ok(Decided::new(parts, measured).but(caveat))
}

fn of_decoded(
    drawing: &Drawing<'_>,
    suffix: &str,
    value: impl Fn(&Decoded) -> Result<f64, Error>,
) -> Result<[Measured; 2], Error> {
    let over = |key: &'static str| -> Result<Measured, Error> {
        let title = drawing.title(key);
        drawing.over_seeds(key, &format!("{title}{suffix}"), |run| {
            value(&decoded(drawing, run)?)
        })
    };
    Ok([over(AE)?, over(VAE)?])
}

fn ill_formed(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let unsure = |suffix: &str, form: fn(&Decoded) -> &Form| {
        of_decoded(drawing, suffix, |found| {
            Ok(100.0 * form(found).unsure.get()?)
        })
    };
    let real = unsure(", test images", |found| &found.real)?;
    let reconstructed = unsure(", reconstructions", |found| &found.reconstructed)?;
    let whole = unsure(", whole extent", |found| &found.whole)?;
    let middle = unsure(", middle half", |found| &found.middle)?;
    let [_, prior] = unsure(", from the prior", |found| &found.prior)?;
    let excesses = [
        middle[0].minus(&real[0], "AE, middle half − test images"),
        middle[0].minus(&reconstructed[0], "AE, middle half − reconstructions"),
    ];
    let parts = excesses
        .each_ref()
        .map(|excess| Part::of(excess, AtLeast, at[0]));
    let [real, _] = real;
    let caveat = no_better(verdict_of(&parts), &middle[0], &middle[1]);
    Ok(Decided::new(
        parts,
        [real]
            .into_iter()
            .chain(reconstructed)
            .chain(whole)
            .chain(middle)
            .chain([prior])
            .chain(excesses),
    )
    .but(caveat))
}

fn neighbours(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let whole = of_decoded(drawing, "", |found| {
        Ok(100.0 * found.pairs.disagreeing.get()?)
    })?;
    let middle = of_decoded(drawing, ", middle", |found| {
        Ok(100.0 * found.middle_pairs.disagreeing.get()?)
    })?;
    let parts = [Part::of(&whole[0], AtLeast, at[0])];
    let caveat = no_better(verdict_of(&parts), &whole[0], &whole[1]);
    Ok(Decided::new(parts, whole.into_iter().chain(middle)).but(caveat))
}
