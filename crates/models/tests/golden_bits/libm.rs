//! Digests of what the platform's mathematical library computes.

use std::hint::black_box;

use sha2::{Digest, Sha256};

use crate::pinned::{Entries, hexadecimal};

const POINTS: u32 = 4096;

/// A digest of every function that training calls in the platform's library,
/// over arguments of the size that training has.
pub(crate) fn digests() -> Entries {
    let of_f64 = |low: f64, high: f64, function: fn(f64) -> f64| {
        digest((0..POINTS).map(|point| {
            let share = (f64::from(point) + 0.5) / f64::from(POINTS);
            function(black_box(low + share * (high - low))).to_le_bytes()
        }))
    };
    let of_f32 = |low: f32, high: f32, function: fn(f32) -> f32| {
        digest((0..POINTS).map(|point| {
            let share = (point as f32 + 0.5) / POINTS as f32;
            function(black_box(low + share * (high - low))).to_le_bytes()
        }))
    };
    let powers = [
        (0.9, 1.0),
        (0.999, 1.0),
        (0.5, 1.0),
        (0.75, 1.0),
        (10.0, -1.0 / 7.0),
    ];
    let powers = powers.into_iter().flat_map(|(base, exponent)| {
        (1..=20).map(move |step| {
            let power = black_box::<f64>(base).powf(exponent * f64::from(step));
            power.to_le_bytes()
        })
    });
    Entries::from([
        ("f64 exp".to_owned(), of_f64(-40.0, 0.0, f64::exp)),
        ("f64 ln".to_owned(), of_f64(0.001, 60.0, f64::ln)),
        (
            "f64 cos".to_owned(),
            of_f64(0.0, std::f64::consts::PI, f64::cos),
        ),
        ("f64 pow".to_owned(), digest(powers)),
        ("f32 exp".to_owned(), of_f32(-40.0, 0.0, f32::exp)),
        ("f32 ln".to_owned(), of_f32(1.0, 3.0, f32::ln)),
    ])
}

fn digest<const N: usize>(values: impl Iterator<Item = [u8; N]>) -> String {
    let mut hasher = Sha256::new();
    values.for_each(|bytes| hasher.update(bytes));
    hexadecimal(hasher)
}
