//! Distribution functions and quantiles the intervals and tests are read from.
//!
//! The incomplete gamma and beta functions are those of `statrs`, erfc is that
//! of `libm`; relative accuracy is about 1e-13 in the body of the distributions,
//! which the tests hold against published tables. What is computed here is what
//! they lack or do worse: erfcx; erfc of `statrs`, good to 1e-10 only; and its
//! quantiles of chi-square (2e-10) and F (5e-9 for 1 of 60,000, and worse beyond).
//! Formulas: Abramowitz & Stegun, *Handbook of Mathematical Functions*, 6.5,
//! 7.1 and 26.5.

use std::f64::consts::PI;

pub use libm::erfc;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};
use statrs::function::beta::checked_beta_reg;
use statrs::function::gamma::{checked_gamma_lr, ln_gamma};

/// Scaled complementary error function exp(x²)·erfc(x), for x ≥ 0.
///
/// Needed where erfc itself underflows (x > 26): the logarithm of a normal
/// tail is −x² + ln erfcx(x).
pub fn erfcx(x: f64) -> f64 {
    if x < 2.0 {
        return (x * x).exp() * erfc(x);
    }
    if x > 25.0 {
        // A&S 7.1.23; the first term left out is 30·x⁻¹⁰ < 4e-13.
        let y = 0.5 / (x * x);
        let series = 1.0 - y * (1.0 - 3.0 * y * (1.0 - 5.0 * y * (1.0 - 7.0 * y)));
        return series / (x * PI.sqrt());
    }
    // erfcx(x) = 1/√π · 1/(x + (1/2)/(x + (2/2)/(x + (3/2)/(x + …)))), A&S 7.1.14,
    // evaluated backwards. N terms leave an error of about exp(−2x√(2N)), so
    // N = 200/x² reaches rounding.
    let terms = 8 + (200.0 / (x * x)) as usize;
    let mut fraction = x;
    for n in (1..=terms).rev() {
        fraction = x + 0.5 * n as f64 / fraction;
    }
    1.0 / (PI.sqrt() * fraction)
}

/// Φ(x): the standard normal distribution function.
pub fn normal_cdf(x: f64) -> f64 {
    0.5 * erfc(-x / std::f64::consts::SQRT_2)
}

/// Φ⁻¹(p), for p in (0, 1).
pub fn normal_quantile(p: f64) -> f64 {
    Normal::standard().inverse_cdf(p)
}

/// Distribution function of chi-square with `degrees` degrees of freedom.
pub fn chi_square_cdf(x: f64, degrees: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x.is_infinite() {
        return 1.0;
    }
    checked_gamma_lr(0.5 * degrees, 0.5 * x).unwrap_or(f64::NAN)
}

/// Quantile of chi-square; `chi_square_quantile(0.95, 2.0)` = 5.991 is the
/// squared radius of the ball that holds 95 % of a 2-D standard normal.
pub fn chi_square_quantile(p: f64, degrees: f64) -> f64 {
    let largest = degrees + 40.0 * (2.0 * degrees).sqrt() + 100.0;
    invert(p, 0.0, largest, |x| chi_square_cdf(x, degrees))
}

/// Distribution function of the norm of a `dimensions`-dimensional standard
/// normal vector.
pub fn chi_cdf(radius: f64, dimensions: f64) -> f64 {
    chi_square_cdf(radius.max(0.0).powi(2), dimensions)
}

/// Distribution function of Student's t.
pub fn student_cdf(t: f64, degrees: f64) -> f64 {
    let tail = 0.5 * incomplete_beta(0.5 * degrees, 0.5, degrees / (degrees + t * t));
    if t > 0.0 { 1.0 - tail } else { tail }
}

/// Quantile of Student's t, for p in (0, 1) and positive `degrees`;
/// `student_quantile(0.975, 4.0)` = 2.776 is the factor of a 95 % interval over
/// five seeds.
pub fn student_quantile(p: f64, degrees: f64) -> f64 {
    StudentsT::new(0.0, 1.0, degrees).map_or(f64::NAN, |student| student.inverse_cdf(p))
}

/// Distribution function of Fisher's F.
pub fn fisher_cdf(x: f64, numerator_degrees: f64, denominator_degrees: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let scaled = numerator_degrees * x;
    incomplete_beta(
        0.5 * numerator_degrees,
        0.5 * denominator_degrees,
        scaled / (scaled + denominator_degrees),
    )
}

/// Quantile of Fisher's F.
pub fn fisher_quantile(p: f64, numerator_degrees: f64, denominator_degrees: f64) -> f64 {
    let mut upper = 2.0;
    while fisher_cdf(upper, numerator_degrees, denominator_degrees) < p && upper < 1e12 {
        upper *= 2.0;
    }
    invert(p, 0.0, upper, |x| {
        fisher_cdf(x, numerator_degrees, denominator_degrees)
    })
}

/// P(X ≤ k) of a binomial variable: `successes` or fewer of `trials`, each with
/// this probability.
pub fn binomial_cdf(successes: u64, trials: u64, probability: f64) -> f64 {
    if successes >= trials {
        return 1.0;
    }
    let more = successes as f64 + 1.0;
    incomplete_beta((trials - successes) as f64, more, 1.0 - probability)
}

/// P(X ≥ k) of a binomial variable, without the digits that 1 − P(X < k) loses.
pub fn binomial_survival(successes: u64, trials: u64, probability: f64) -> f64 {
    match successes {
        0 => 1.0,
        more if more > trials => 0.0,
        _ => {
            let others = (trials - successes) as f64 + 1.0;
            incomplete_beta(successes as f64, others, probability)
        }
    }
}

/// P(T > t) of the noncentral t distribution: of (Z + shift)/S, where Z is
/// standard normal and ν·S² chi-square with ν `degrees` of freedom, at least 1.
///
/// It is the mean of Φ(shift − t·S) over S, here by Simpson's rule over twelve
/// standard deviations about 1; for t below 30 the error is less than 1e-8.
pub fn noncentral_student_survival(t: f64, degrees: f64, shift: f64) -> f64 {
    const STEPS: usize = 2000;
    let half = 0.5 * degrees;
    let constant = std::f64::consts::LN_2 + half * half.ln() - ln_gamma(half);
    let density = |s: f64| {
        let power = if degrees == 1.0 {
            0.0
        } else {
            (degrees - 1.0) * s.ln()
        };
        (constant + power - half * s * s).exp()
    };
    let width = 12.0 / (2.0 * degrees).sqrt();
    let low = (1.0 - width).max(0.0);
    let step = (1.0 + width - low) / STEPS as f64;
    let term = |place: usize| {
        let s = low + step * place as f64;
        let weight = match place {
            0 | STEPS => 1.0,
            odd if odd % 2 == 1 => 4.0,
            _ => 2.0,
        };
        weight * density(s) * normal_cdf(shift - t * s)
    };
    (0..=STEPS).map(term).sum::<f64>() * step / 3.0
}

/// Regularised incomplete beta function I_x(a, b), for a, b > 0 and x in [0, 1].
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    checked_beta_reg(a, b, x).unwrap_or(f64::NAN)
}

/// Bisection to the last bit: a monotone function needs no derivative, and
/// quantiles are taken a handful of times.
fn invert(p: f64, mut lower: f64, mut upper: f64, cdf: impl Fn(f64) -> f64) -> f64 {
    for _ in 0..200 {
        let middle = 0.5 * (lower + upper);
        if middle <= lower || middle >= upper {
            break;
        }
        if cdf(middle) < p {
            lower = middle;
        } else {
            upper = middle;
        }
    }
    0.5 * (lower + upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64, relative: f64) {
        assert!(
            (found - expected).abs() <= relative * expected.abs(),
            "found {found:.15}, expected {expected:.15}"
        );
    }

    // Expected values: NIST/SEMATECH tables and Abramowitz & Stegun table 7.1,
    // with the digits they print.
    #[test]
    fn error_function_matches_the_tables() {
        close(erfc(0.5), 0.479_500_122_186_953_5, 1e-13);
        close(erfc(1.0), 0.157_299_207_050_285_13, 1e-13);
        close(erfc(3.0), 2.209_049_699_858_544e-5, 1e-12);
        close(erfc(-1.0), 1.842_700_792_949_715, 1e-14);
        close(erfcx(1.999_999), erfcx(2.000_001), 1e-6);
        close(erfcx(25.0), erfcx(25.000_000_1), 1e-8);
        close(erfcx(100.0), 0.005_641_613_782_989_433, 1e-13);
    }

    /// In each of the three ways to it and where they meet. SciPy 1.17:
    /// scipy.special.erfcx.
    #[test]
    fn scaled_error_function_is_that_of_scipy() {
        for (x, expected) in [
            (0.0, 1.0),
            (0.5, 0.615_690_344_192_925_8),
            (1.7, 0.291_663_297_075_343_4),
            (2.0, 0.255_395_676_310_505_8),
            (3.0, 0.179_001_151_181_389_98),
            (7.0, 0.079_800_054_329_152_95),
            (20.0, 0.028_174_348_741_051_323),
        ] {
            close(erfcx(x), expected, 1e-13);
        }
        // The first term left out is 945·(2x²)⁻⁵ = 2.5e-13.
        close(erfcx(25.5), 0.022_108_108_052_519_827, 5e-13);
    }

    #[test]
    fn quantiles_match_the_tables() {
        close(normal_quantile(0.975), 1.959_963_984_540_054, 1e-12);
        close(chi_square_quantile(0.95, 2.0), -2.0 * 0.05_f64.ln(), 1e-12);
        close(chi_square_quantile(0.95, 5.0), 11.070_497_693_516, 1e-10);
        close(student_quantile(0.975, 4.0), 2.776_445_105_198, 1e-10);
        close(student_quantile(0.975, 1.0), 12.706_204_736_175, 1e-10);
        close(student_quantile(0.025, 4.0), -2.776_445_105_198, 1e-10);
        close(fisher_quantile(0.95, 4.0, 4.0), 6.388_232_908_695, 1e-9);
        close(fisher_quantile(0.95, 1.0, 10.0), 4.964_602_743_7, 1e-9);
        // SciPy 1.17: scipy.stats.chi2.ppf, far from where small degrees end.
        close(
            chi_square_quantile(0.999, 20_000.0),
            20_623.750_449_079_074,
            1e-9,
        );
    }

    /// As of a distribution that has two values: its function is level between.
    #[test]
    fn a_quantile_is_the_smallest_number_that_reaches_its_probability() {
        let steps = |x: f64| match x {
            x if x < 3.0 => 0.25,
            x if x < 5.0 => 0.5,
            _ => 1.0,
        };
        assert_eq!(invert(0.5, 0.0, 8.0, steps), 3.0);
        assert_eq!(invert(0.6, 0.0, 8.0, steps), 5.0);
    }

    /// Of one and one degrees it is tan²(πp/2), here 4e17.
    #[test]
    fn quantiles_of_f_end_at_the_first_power_of_two_beyond_1e12() {
        close(
            fisher_quantile(1.0 - 1e-9, 1.0, 1.0),
            2.0_f64.powi(40),
            1e-12,
        );
    }

    // SciPy 1.17: scipy.stats.binom.cdf, .sf and nct.sf.
    #[test]
    fn binomial_and_noncentral_t_are_those_of_scipy() {
        close(binomial_cdf(3, 20, 0.3), 0.107_086_804_503_730_87, 1e-12);
        close(binomial_cdf(0, 1000, 0.01), 4.317_124_741_065_82e-5, 1e-11);
        close(
            binomial_survival(15, 40, 0.5),
            0.959_654_766_124_003_8,
            1e-12,
        );
        close(
            binomial_survival(30, 40, 0.5),
            0.001_110_716_886_614_682_3,
            1e-11,
        );
        assert_eq!(binomial_survival(0, 5, 0.3), 1.0);
        assert_eq!(binomial_survival(6, 5, 0.3), 0.0);
        assert_eq!(binomial_cdf(5, 5, 0.3), 1.0);
        assert_eq!(
            [binomial_survival(1, 5, 0.0), binomial_cdf(4, 5, 1.0)],
            [0.0; 2]
        );
        for (t, degrees, shift, expected) in [
            (2.0, 4.0, 1.5, 0.381_071_074_860_345_25),
            (
                1.833_112_932_653_633_5,
                9.0,
                1.581_138_830_084_189_8,
                0.427_289_826_772_073_94,
            ),
            (6.313_751_514_675_043, 1.0, 3.0, 0.361_195_423_950_161_96),
            (1.689_57, 35.0, 3.0, 0.902_574_975_266_974_6),
            (2.13, 4.0, 8.0, 0.999_997_934_876_061_3),
            (2.0, 1000.0, 1.5, 0.308_889_274_465_564_1),
        ] {
            close(
                noncentral_student_survival(t, degrees, shift),
                expected,
                1e-8,
            );
        }
        // S is 1 with a deviation of 0.001, and its density a difference of numbers
        // in the millions.
        close(
            noncentral_student_survival(1.7, 4e5, 1.2),
            0.308_538_230_753_219_7,
            1e-7,
        );
    }

    #[test]
    fn gamma_and_beta_obey_their_identities() {
        close(ln_gamma(0.5), PI.sqrt().ln(), 1e-13);
        close(ln_gamma(10.0), 362_880.0_f64.ln(), 1e-13);
        // One degree of freedom of t is Cauchy; two of chi-square is exponential.
        close(student_cdf(1.0, 1.0), 0.75, 1e-13);
        close(chi_square_cdf(3.0, 2.0), 1.0 - (-1.5_f64).exp(), 1e-13);
        close(chi_cdf(2.0, 1.0), 2.0 * normal_cdf(2.0) - 1.0, 1e-13);
        close(
            incomplete_beta(2.5, 4.0, 0.3) + incomplete_beta(4.0, 2.5, 0.7),
            1.0,
            1e-14,
        );
    }
}
