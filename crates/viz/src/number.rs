//! Numbers as text: ticks at round values, the minus sign U+2212, no exponent below 10⁴.

/// `value` with fixed decimals and a true minus sign; thousands are set apart by thin spaces from
/// ten thousand on; a dash for NaN, as where a number is missing. Of more than 1,074 decimals, all
/// that an `f64` can have, the rest is left out.
///
/// ```
/// assert_eq!(viz::number::decimal(-3.25, 1), "−3.2");
/// assert_eq!(viz::number::decimal(60000.0, 0), "60\u{2009}000");
/// assert_eq!(viz::number::decimal(-0.01, 1), "0.0");
/// assert_eq!(viz::number::decimal(0.5, usize::MAX).len(), 2 + 1074);
/// ```
pub fn decimal(value: f64, decimals: usize) -> String {
    if value.is_nan() {
        return "–".to_string();
    }
    if value.is_infinite() {
        return if value > 0.0 { "∞" } else { "−∞" }.to_string();
    }
    let decimals = decimals.min(1074);
    let digits = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut text = String::new();
    // A value that rounds to zero has no sign.
    if value < 0.0 && digits.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
        text.push('−');
    }
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && whole.len() > 4 && (whole.len() - index).is_multiple_of(3) {
            text.push('\u{2009}');
        }
        text.push(digit);
    }
    text.push_str(fraction);
    text
}

/// Round values (1, 2 or 5 times a power of ten apart) inside of [low, high], about `count` of
/// them, with their labels: Heckbert's loose-label rule without loosening the range.
///
/// ```
/// let ticks = viz::number::nice_ticks(-4.0, 4.0, 5);
/// let labels: Vec<&str> = ticks.iter().map(|(_, label)| label.as_str()).collect();
/// assert_eq!(labels, ["−4", "−2", "0", "2", "4"]);
/// ```
pub fn nice_ticks(low: f64, high: f64, count: usize) -> Vec<(f64, String)> {
    ticks(low, high, count, 0.0)
}

/// As [`nice_ticks`], whole numbers only: for what is counted.
///
/// ```
/// let ticks = viz::number::whole_ticks(0.0, 3.0, 5);
/// let labels: Vec<&str> = ticks.iter().map(|(_, label)| label.as_str()).collect();
/// assert_eq!(labels, ["0", "1", "2", "3"]);
/// ```
pub fn whole_ticks(low: f64, high: f64, count: usize) -> Vec<(f64, String)> {
    ticks(low, high, count, 1.0)
}

/// Ticks whose distance is at least `least`, a power of ten or 0.
fn ticks(low: f64, high: f64, count: usize, least: f64) -> Vec<(f64, String)> {
    let span = high - low;
    // NaN fails this comparison too.
    if !(span > 0.0 && span.is_finite()) {
        return Vec::new();
    }
    let raw = (span / count.max(1) as f64).max(least);
    let power = raw.log10().floor();
    let magnitude = 10f64.powi(power as i32);
    let fraction = raw / magnitude;
    // Geometric means of neighbouring steps decide.
    let step = if fraction < std::f64::consts::SQRT_2 {
        1.0
    } else if fraction < 10f64.sqrt() {
        2.0
    } else if fraction < 50f64.sqrt() {
        5.0
    } else {
        10.0
    };
    let exponent = if step == 10.0 { power + 1.0 } else { power } as i32;
    let step = step * magnitude;
    // Below the normal numbers, or beyond the digits of the ends, steps cannot be told apart.
    let largest = low.abs().max(high.abs());
    if !step.is_normal() || largest / step > 1e15 {
        return Vec::new();
    }
    let slack = 1e-9 * span;
    // Divided before they are added, which must stay finite.
    let first = (low / step - slack / step).ceil() as i64;
    let last = (high / step + slack / step).floor() as i64;
    (first..=last)
        .map(|i| {
            let value = i as f64 * step;
            (value, tick_label(value, exponent, largest))
        })
        .collect()
}

/// Powers of ten inside of [low, high] with their labels, thinned to about `count`; with fewer
/// than two powers inside, [`nice_ticks`].
pub fn log_ticks(low: f64, high: f64, count: usize) -> Vec<(f64, String)> {
    powers(low, high, count).unwrap_or_else(|| nice_ticks(low, high, count))
}

/// As [`log_ticks`], whole numbers only.
pub fn whole_log_ticks(low: f64, high: f64, count: usize) -> Vec<(f64, String)> {
    let Some(mut ticks) = powers(low, high, count) else {
        return whole_ticks(low, high, count);
    };
    ticks.retain(|(value, _)| *value >= 1.0);
    ticks
}

/// The powers of ten inside of [low, high], none for what has no logarithm; `None` for fewer than
/// two powers.
fn powers(low: f64, high: f64, count: usize) -> Option<Vec<(f64, String)>> {
    if !(low > 0.0 && high > low && high.is_finite()) {
        return Some(Vec::new());
    }
    let first = (low.log10() - 1e-9).ceil() as i32;
    let last = (high.log10() + 1e-9).floor() as i32;
    if last - first < 1 {
        return None;
    }
    let stride = ((last - first) as usize / count.max(1) + 1) as i32;
    let plain = first >= -3 && last <= 4;
    let ticks = (first..=last)
        .filter(|exponent| exponent.rem_euclid(stride) == 0)
        .map(|exponent| {
            let value = 10f64.powi(exponent);
            let label = if plain {
                decimal(value, (-exponent).max(0) as usize)
            } else {
                power_of_ten(exponent)
            };
            (value, label)
        });
    Some(ticks.collect())
}

/// A number with the fewest digits that tell it from its neighbours, as somebody wrote it.
///
/// ```
/// use viz::number::shortest;
/// assert_eq!([shortest(0.25), shortest(-4.0), shortest(60000.0)], ["0.25", "−4", "60\u{2009}000"]);
/// assert_eq!([shortest(3e-4), shortest(2.5e9)], ["3×10⁻⁴", "2.5×10⁹"]);
/// ```
pub fn shortest(value: f64) -> String {
    let places = |text: &str| text.split('.').nth(1).map_or(0, str::len);
    let size = value.abs();
    if size == 0.0 || !value.is_finite() || (1e-3..1e6).contains(&size) {
        return decimal(value, places(&format!("{value}")));
    }
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let power = power_of_ten(exponent.parse().unwrap_or(0));
    match mantissa {
        "1" => power,
        "-1" => format!("−{power}"),
        _ => {
            let mantissa = decimal(mantissa.parse().unwrap_or(f64::NAN), places(mantissa));
            format!("{mantissa}×{power}")
        }
    }
}

fn tick_label(value: f64, exponent: i32, largest: f64) -> String {
    if largest >= 1e6 || exponent < -5 {
        let power = largest.log10().floor() as i32;
        if value == 0.0 {
            return "0".to_string();
        }
        let decimals = (power - exponent).max(0) as usize;
        let mantissa = decimal(value / 10f64.powi(power), decimals);
        return format!("{mantissa}×{}", power_of_ten(power));
    }
    decimal(value, (-exponent).max(0) as usize)
}

fn power_of_ten(exponent: i32) -> String {
    const SUPERSCRIPTS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let mut text = String::from("10");
    if exponent < 0 {
        text.push('⁻');
    }
    for digit in exponent.unsigned_abs().to_string().bytes() {
        text.push(SUPERSCRIPTS[usize::from(digit - b'0')]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: Vec<(f64, String)>) -> Vec<String> {
        ticks.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn steps_are_one_two_or_five() {
        assert_eq!(
            labels(nice_ticks(0.0, 1.0, 5)),
            ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(
            labels(nice_ticks(148.3, 161.9, 5)),
            ["150", "152", "154", "156", "158", "160"]
        );
        assert_eq!(
            labels(nice_ticks(-0.012, 0.011, 4)),
            ["−0.010", "−0.005", "0.000", "0.005", "0.010"]
        );
        assert_eq!(
            labels(nice_ticks(0.0, 60000.0, 3)),
            ["0", "20\u{2009}000", "40\u{2009}000", "60\u{2009}000"]
        );
        assert_eq!(
            labels(nice_ticks(0.0, 3e6, 3)),
            ["0", "1×10⁶", "2×10⁶", "3×10⁶"]
        );
    }

    #[test]
    fn ticks_stay_inside_and_their_number_is_near_the_wish() {
        for (low, high) in [
            (-3.7, 9.2),
            (0.0, 0.003),
            (1e-7, 2e-7),
            (-1e5, 3.0),
            (5.0, 5.5),
        ] {
            for count in 2..9 {
                let ticks = nice_ticks(low, high, count);
                let slack = 1e-9 * (high - low);
                assert!(
                    ticks
                        .iter()
                        .all(|t| t.0 >= low - slack && t.0 <= high + slack)
                );
                assert!(
                    ticks.len() <= 2 * count + 1,
                    "{low} {high} {count}: {}",
                    ticks.len()
                );
                assert!(
                    ticks.len() * 2 + 2 >= count,
                    "{low} {high} {count}: {}",
                    ticks.len()
                );
            }
        }
    }

    #[test]
    fn empty_and_broken_ranges_have_no_ticks() {
        assert!(nice_ticks(1.0, 1.0, 5).is_empty());
        assert!(nice_ticks(0.0, 5e-324, 5).is_empty());
        assert!(nice_ticks(1e300, 1e300 * (1.0 + 2e-16), 5).is_empty());
        assert!(nice_ticks(-1e308, 1e308, 5).is_empty());
        assert!(nice_ticks(0.0, f64::MAX, 5).len() < 9);
        assert!(nice_ticks(f64::NAN, 1.0, 5).is_empty());
        assert!(nice_ticks(0.0, f64::INFINITY, 5).is_empty());
        assert!(log_ticks(0.0, 1.0, 5).is_empty());
    }

    #[test]
    fn decades_are_labelled_plainly_while_they_are_short() {
        assert_eq!(
            labels(log_ticks(0.005, 20.0, 6)),
            ["0.01", "0.1", "1", "10"]
        );
        assert_eq!(labels(log_ticks(1e-6, 1.0, 3)), ["10⁻⁶", "10⁻³", "10⁰"]);
    }

    #[test]
    fn numbers_without_a_value_are_named() {
        assert_eq!(decimal(f64::NAN, 2), "–");
        assert_eq!(decimal(f64::NEG_INFINITY, 2), "−∞");
    }
}
