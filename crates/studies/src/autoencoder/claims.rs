//! The statements of document 002 about an autoencoder's codes, held against
//! measurements. What the document blames on the autoencoder, the VAE, which it
//! calls the answer, must have less of.

use evaluation::map::entropy_bits;
use evaluation::statistics::Claim::{AtLeast, AtMost};
use evaluation::statistics::Scale;

use super::judge::decoded;
use super::measures::{Decoded, Form};
use super::spacing;
use super::{AE, AE_8, VAE};
use crate::Drawing;
use crate::claims::{Decide, Decided, Part, in_short};
use crate::measures::plane::{CodeNumbers, code_numbers};
use figures::Measured;
use figures::absence::known;
use runs::Error;

pub(super) const DECISIONS: &[(&str, Decide)] = &[
    ("002.1", not_symmetric),
    ("002.2", not_bounded),
    ("002.3", areas_differ),
    ("002.4", large_gaps),
    ("002.5", ill_formed),
    ("002.6", neighbours),
    ("002.7", far_out),
    ("002.8", ones_and_eights),
    ("002.9", less_diverse),
    ("002.10", gaps_grow),
    ("002.11", the_answer),
    ("002.12", gaps_explain),
];

/// A problem that the document finds: a number of the AE, the same of the VAE,
/// and the first held against the second.
struct Problem {
    ae: Measured,
    vae: Measured,
    /// The difference, or for ratios the ratio.
    against: Measured,
    /// That the AE has no less of it.
    is_worse: Part,
}

impl Problem {
    /// Of numbers whose difference counts.
    fn difference([ae, vae]: [Measured; 2]) -> Self {
        let against = ae.minus(&vae, "AE − VAE");
        let is_worse = Part::of(&against, AtLeast, 0.0);
        Self {
            ae,
            vae,
            against,
            is_worse,
        }
    }

    /// Of numbers that are ratios already.
    fn ratio(both: [Measured; 2]) -> Self {
        let [ae, vae] = both.map(|measured| measured.on(Scale::Ratio));
        let against = ae.over(&vae, "AE / VAE (ratio)");
        let is_worse = Part::of(&against, AtLeast, 1.0);
        Self {
            ae,
            vae,
            against,
            is_worse,
        }
    }

    fn measured(self) -> [Measured; 3] {
        [self.ae, self.vae, self.against]
    }

    /// That the VAE, the remedy, has as much of what the autoencoder is blamed
    /// for.
    fn no_better(&self) -> Option<String> {
        let [ae, vae] = [&self.ae, &self.vae].map(Measured::mean);
        (vae >= ae).then(|| {
            let [ae, vae] = [ae, vae].map(in_short);
            if ae == vae {
                format!("The VAE is no better here: {vae} as well.")
            } else {
                format!("The VAE is worse than the autoencoder here: {vae} against {ae}.")
            }
        })
    }

    /// Decided by the contrast, and by the AE having at least so much of it.
    fn by_contrast_and(self, least: f64) -> Decided {
        let has_it = Part::of(&self.ae, AtLeast, least);
        let evidence = Part::all(&[has_it, self.is_worse.clone()]);
        let caveat = self.no_better();
        Decided::new([evidence], self.measured()).but(caveat)
    }
}

/// A number of the codes of both models.
fn of_the_codes(
    drawing: &Drawing<'_>,
    value: impl Fn(&CodeNumbers) -> Result<f64, Error>,
) -> Result<[Measured; 2], Error> {
    let over = |key: &'static str| -> Result<Measured, Error> {
        let title = drawing.title(key);
        drawing.over_seeds(key, &title, |run| value(&code_numbers(drawing, run)?))
    };
    Ok([over(AE)?, over(VAE)?])
}

/// A number of what random points of one model decode to.
fn of_decoded(
    drawing: &Drawing<'_>,
    key: &str,
    suffix: &str,
    value: impl Fn(&Decoded) -> Result<f64, Error>,
) -> Result<Measured, Error> {
    let title = drawing.title(key);
    drawing.over_seeds(key, &format!("{title}{suffix}"), |run| {
        value(&decoded(drawing, run)?)
    })
}

fn symmetry(drawing: &Drawing<'_>) -> Result<Problem, Error> {
    let found = of_the_codes(drawing, |found| Ok(found.asymmetry()))?;
    Ok(Problem::difference(found))
}

fn extent(drawing: &Drawing<'_>) -> Result<Problem, Error> {
    let found = of_the_codes(drawing, |found| Ok(100.0 * found.extent.share_outside_map))?;
    Ok(Problem::difference(found))
}

fn areas(drawing: &Drawing<'_>) -> Result<Problem, Error> {
    Ok(Problem::ratio(of_the_codes(
        drawing,
        CodeNumbers::area_ratio,
    )?))
}

fn gaps(drawing: &Drawing<'_>) -> Result<Problem, Error> {
    let found = of_the_codes(drawing, |found| Ok(100.0 * found.excess_gaps()?))?;
    Ok(Problem::difference(found))
}

fn unsure(
    drawing: &Drawing<'_>,
    key: &str,
    suffix: &str,
    form: fn(&Decoded) -> &Form,
) -> Result<Measured, Error> {
    of_decoded(drawing, key, suffix, |found| {
        Ok(100.0 * form(found).unsure.get()?)
    })
}

/// Of the AE's random points over the codes, those that decode to nothing certain, %.
fn unsure_of_all(drawing: &Drawing<'_>) -> Result<Measured, Error> {
    unsure(drawing, AE, ", whole extent", |found| &found.whole)
}

/// Random points as the document draws them from the autoencoder, in the middle
/// of the domain, and as the VAE is drawn from.
fn random_points(drawing: &Drawing<'_>) -> Result<Problem, Error> {
    Ok(Problem::difference([
        unsure(drawing, AE, ", middle half", |found| &found.middle)?,
        unsure(drawing, VAE, ", from the prior", |found| &found.prior)?,
    ]))
}

fn steps(drawing: &Drawing<'_>) -> Result<Problem, Error> {
    let lost = |key: &str| {
        of_decoded(drawing, key, "", |found| {
            Ok(100.0 * found.in_deviations.get()?.lost.get()?)
        })
    };
    Ok(Problem::difference([lost(AE)?, lost(VAE)?]))
}

fn not_symmetric(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    Ok(symmetry(drawing)?.by_contrast_and(at[0]))
}

fn not_bounded(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let problem = extent(drawing)?;
    let (evidence, caveat) = (
        Part::of(&problem.against, AtLeast, at[0]),
        problem.no_better(),
    );
    Ok(Decided::new([evidence], problem.measured()).but(caveat))
}

fn areas_differ(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    Ok(areas(drawing)?.by_contrast_and(at[0]))
}

fn large_gaps(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    Ok(gaps(drawing)?.by_contrast_and(at[0]))
}

fn ill_formed(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let real = unsure(drawing, AE, ", test images", |found| &found.real)?;
    let own = unsure(drawing, AE, ", reconstructions", |found| {
        &found.reconstructed
    })?;
    let whole = unsure_of_all(drawing)?;
    let vae_middle = unsure(drawing, VAE, ", middle half", |found| &found.middle)?;
    let problem = random_points(drawing)?;
    let worse_than_own = problem
        .ae
        .minus(&own, "AE, middle half − its reconstructions");
    let parts = [
        Part::of(&worse_than_own, AtLeast, at[0]),
        problem.is_worse.clone(),
    ];
    let caveat = problem.no_better();
    let measured = [real, own, whole, vae_middle]
        .into_iter()
        .chain(problem.measured())
        .chain([worse_than_own]);
    Ok(Decided::new([Part::all(&parts)], measured).but(caveat))
}

fn neighbours(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let problem = steps(drawing)?;
    let more = problem.ae.over(&problem.vae, "AE / VAE (ratio)");
    let (evidence, caveat) = (Part::of(&more, AtLeast, at[0]), problem.no_better());
    let measured = problem.measured().into_iter().chain([more]);
    Ok(Decided::new([evidence], measured).but(caveat))
}

fn far_out(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let farthest = of_the_codes(drawing, |found| {
        let ends = found.extent.minimum.iter().chain(&found.extent.maximum);
        Ok(ends.fold(0.0, |most: f64, end| most.max(end.abs())))
    })?;
    let farthest = farthest.map(|of_model| of_model.on(Scale::Count));
    let evidence = Part::of(&farthest[0], AtLeast, at[0]);
    Ok(Decided::new([evidence], farthest))
}

/// Which class is called so.
fn class_named(drawing: &Drawing<'_>, name: &str) -> Result<usize, Error> {
    let mut names = drawing.dataset.class_names.iter();
    let place = names.position(|known| known == name);
    place.ok_or_else(|| Error::Undefined(format!("no class is called {name}")))
}

fn ones_and_eights(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let pair = || -> Result<[usize; 2], Error> {
        Ok([class_named(drawing, "1")?, class_named(drawing, "8")?])
    };
    let area = of_the_codes(drawing, |found| {
        let areas = &found.areas.get()?.areas;
        let [one, eight] = pair()?.map(|class| areas.get(class).copied().flatten());
        let ratio = one.zip(eight).map(|(one, eight)| one / eight);
        known(ratio, "1 or 8 has fewer than the 20 test codes of an area")
    })?;
    let [area, area_of_vae] = area;
    let area = Measured {
        name: format!("{}, area of 1 over area of 8 (ratio)", area.name),
        ..area
    }
    .on(Scale::Ratio);
    let area_of_vae = Measured {
        name: format!("{}, area of 1 over area of 8 (ratio)", area_of_vae.name),
        ..area_of_vae
    }
    .on(Scale::Ratio);
    let share = |name: &str| {
        of_decoded(
            drawing,
            AE,
            &format!(", random points taken for {name} (%)"),
            |found| Ok(100.0 * found.whole.classes.get()?[class_named(drawing, name)?]),
        )
    };
    let [ones, eights] = [share("1")?, share("8")?];
    let more = ones.minus(&eights, "AE, 1 − 8");
    let parts = [
        Part::of(&area, AtLeast, at[0]),
        Part::of(&more, AtLeast, at[1]),
    ];
    Ok(Decided::new(
        [Part::all(&parts)],
        [area, area_of_vae, ones, eights, more],
    ))
}

fn less_diverse(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let entropy = |key: &str, suffix: &str, form: fn(&Decoded) -> &Form| {
        of_decoded(drawing, key, suffix, |found| {
            Ok(entropy_bits(form(found).classes.get()?.iter().copied()))
        })
    };
    let ae = entropy(AE, ", points over its codes", |found| &found.whole)?;
    let vae = entropy(VAE, ", from the prior", |found| &found.prior)?;
    let real = entropy(AE, ", test images", |found| &found.real)?;
    let against = ae.minus(&vae, "AE − VAE");
    let evidence = Part::of(&against, AtMost, at[0]);
    Ok(Decided::new([evidence], [ae, vae, real, against]))
}

fn gaps_grow(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let of = |key: &str| {
        drawing.over_seeds(key, &drawing.title(key), |run| {
            Ok(100.0 * spacing::measure(drawing, run)?.share_in_gaps)
        })
    };
    let [plane, space, vae] = [of(AE)?, of(AE_8)?, of(VAE)?];
    let name = "AE with eight latent variables − AE with two";
    let more = space.minus(&plane, name);
    let evidence = Part::of(&more, AtLeast, at[0]);
    Ok(Decided::new([evidence], [plane, space, vae, more]))
}

/// Every problem that the document finds, and whether the VAE has less of it.
fn the_answer(drawing: &Drawing<'_>, _: &[f64]) -> Result<Decided, Error> {
    let problems = [
        ("asymmetry", symmetry(drawing)?),
        ("codes outside of −4 … 4 (%)", extent(drawing)?),
        ("areas", areas(drawing)?),
        ("gaps (points)", gaps(drawing)?),
        ("ill-formed images (points)", random_points(drawing)?),
        ("lost by a small step (points)", steps(drawing)?),
    ];
    let evidence = problems
        .each_ref()
        .map(|(_, problem)| problem.is_worse.clone());
    let measured = problems.map(|(what, problem)| Measured {
        name: format!("{what}, {}", problem.against.name),
        ..problem.against
    });
    Ok(Decided::new([Part::all(&evidence)], measured))
}

/// The share of a harm that would be absent if the exposed had it no more often
/// than the others: the attributable fraction (Levin 1953, *The occurrence of lung
/// cancer in man*).
fn gaps_explain(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let unsure = |suffix: &str, place: usize| {
        of_decoded(drawing, AE, suffix, |found| {
            Ok(100.0 * found.unsure_in_gaps.get()?[place])
        })
    };
    let [inside, outside] = [unsure(", in gaps", 0)?, unsure(", elsewhere", 1)?];
    let all = unsure_of_all(drawing)?;
    let owed = "of all ill-formed images, owed to the gaps (%)";
    let owed = all.paired(&outside, owed, |all, outside| 100.0 * (all - outside) / all);
    let evidence = Part::of(&owed, AtLeast, at[0]);
    Ok(Decided::new([evidence], [inside, outside, all, owed]))
}
