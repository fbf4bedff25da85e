//! How different two colours look and how they stand on white: what the class colours are chosen
//! and tested by.

use crate::Rgb;

/// CIELAB (D65, 2° observer) of an sRGB colour: IEC 61966-2-1 and CIE 15:2004.
pub(crate) fn lab(Rgb(r, g, b): Rgb) -> [f64; 3] {
    let [r, g, b] = [r, g, b].map(linear);
    let x = 0.412_456_4 * r + 0.357_576_1 * g + 0.180_437_5 * b;
    let y = 0.212_672_9 * r + 0.715_152_2 * g + 0.072_175_0 * b;
    let z = 0.019_333_9 * r + 0.119_192_0 * g + 0.950_304_1 * b;
    let [x, y, z] = [x / 0.950_47, y, z / 1.088_83].map(|t| {
        let edge: f64 = 6.0 / 29.0;
        if t > edge.powi(3) {
            t.cbrt()
        } else {
            t / (3.0 * edge * edge) + 4.0 / 29.0
        }
    });
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// The contrast ratio with white of WCAG 2: 1 for white, 21 for black.
pub(crate) fn contrast_with_white(Rgb(r, g, b): Rgb) -> f64 {
    let luminance = 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    1.05 / (luminance + 0.05)
}

fn linear(channel: u8) -> f64 {
    let v = f64::from(channel) / 255.0;
    if v <= 0.040_45 {
        v / 12.92
    } else {
        ((v + 0.055) / 1.055).powf(2.4)
    }
}

/// CIEDE2000 between two CIELAB colours (Sharma, Wu and Dalal 2005, equations 2 to 22); 1 is about
/// what can just be seen.
pub(crate) fn ciede2000(first: [f64; 3], second: [f64; 3]) -> f64 {
    let [l1, a1, b1] = first;
    let [l2, a2, b2] = second;
    let pull = |c: f64| (c.powi(7) / (c.powi(7) + 25f64.powi(7))).sqrt();
    let g = 0.5 * (1.0 - pull(0.5 * (a1.hypot(b1) + a2.hypot(b2))));
    let (a1, a2) = ((1.0 + g) * a1, (1.0 + g) * a2);
    let (c1, c2) = (a1.hypot(b1), a2.hypot(b2));
    let hue = |a: f64, b: f64| {
        if a == 0.0 && b == 0.0 {
            0.0
        } else {
            b.atan2(a).to_degrees().rem_euclid(360.0)
        }
    };
    let (h1, h2) = (hue(a1, b1), hue(a2, b2));
    let grey = c1 * c2 == 0.0;
    let turn = match h2 - h1 {
        _ if grey => 0.0,
        d if d > 180.0 => d - 360.0,
        d if d < -180.0 => d + 360.0,
        d => d,
    };
    let (dl, dc) = (l2 - l1, c2 - c1);
    let dh = 2.0 * (c1 * c2).sqrt() * (0.5 * turn).to_radians().sin();
    let (l, c) = (0.5 * (l1 + l2), 0.5 * (c1 + c2));
    let h = match h1 + h2 {
        sum if grey => sum,
        sum if (h1 - h2).abs() <= 180.0 => 0.5 * sum,
        sum if sum < 360.0 => 0.5 * (sum + 360.0),
        sum => 0.5 * (sum - 360.0),
    };
    let cosine = |degrees: f64| degrees.to_radians().cos();
    let t = 1.0 - 0.17 * cosine(h - 30.0) + 0.24 * cosine(2.0 * h) + 0.32 * cosine(3.0 * h + 6.0)
        - 0.20 * cosine(4.0 * h - 63.0);
    let rotation = 30.0 * (-((h - 275.0) / 25.0).powi(2)).exp();
    let middle = (l - 50.0).powi(2);
    let dl = dl / (1.0 + 0.015 * middle / (20.0 + middle).sqrt());
    let dc = dc / (1.0 + 0.045 * c);
    let dh = dh / (1.0 + 0.015 * c * t);
    let cross = -(2.0 * rotation).to_radians().sin() * 2.0 * pull(c);
    (dl * dl + dc * dc + dh * dh + cross * dc * dh).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    // The first pairs of table 1 of Sharma, Wu and Dalal 2005 and those that exercise each case
    // of the mean hue.
    #[test]
    fn published_pairs_have_their_published_distances() {
        for (first, second, expected) in [
            ([50.0, 2.6772, -79.7751], [50.0, 0.0, -82.7485], 2.0425),
            ([50.0, 0.0, 0.0], [50.0, -1.0, 2.0], 2.3669),
            ([50.0, 2.49, -0.001], [50.0, -2.49, 0.0009], 7.1792),
            ([50.0, 2.49, -0.001], [50.0, -2.49, 0.0011], 7.2195),
            ([50.0, 2.5, 0.0], [50.0, 0.0, -2.5], 4.3065),
            ([50.0, 2.5, 0.0], [61.0, -5.0, 29.0], 22.8977),
            ([50.0, 2.5, 0.0], [56.0, -27.0, -3.0], 31.9030),
            (
                [60.2574, -34.0099, 36.2677],
                [60.4626, -34.1751, 39.4387],
                1.2644,
            ),
            (
                [2.0776, 0.0795, -1.1350],
                [0.9033, -0.0636, -0.5514],
                0.9082,
            ),
        ] {
            for found in [ciede2000(first, second), ciede2000(second, first)] {
                assert!((found - expected).abs() < 6e-5, "{found} for {expected}");
            }
        }
    }

    #[test]
    fn white_black_and_red_are_where_they_should_be() {
        let near = |found: [f64; 3], expected: [f64; 3]| {
            found
                .iter()
                .zip(expected)
                .all(|(a, b)| (a - b).abs() < 0.02)
        };
        assert!(near(lab(Rgb::WHITE), [100.0, 0.0, 0.0]));
        assert!(near(lab(Rgb::BLACK), [0.0, 0.0, 0.0]));
        assert!(near(lab(Rgb(255, 0, 0)), [53.24, 80.09, 67.20]));
        assert!((contrast_with_white(Rgb::BLACK) - 21.0).abs() < 1e-9);
    }
}
