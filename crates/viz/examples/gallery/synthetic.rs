//! Deterministic stand-ins for what trained models give.

use viz::Field;

/// A stream of normal deviates (Box–Muller over SplitMix64).
pub(crate) struct Normal(pub(crate) u64);

impl Normal {
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn next(&mut self) -> f64 {
        let (u, v) = (1.0 - self.uniform(), self.uniform());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }
}

pub(crate) fn digits() -> Vec<String> {
    (0..10).map(|digit| digit.to_string()).collect()
}

pub(crate) fn fashion() -> Vec<String> {
    [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ]
    .map(String::from)
    .to_vec()
}

/// Ten elongated clusters, as codes of images are.
pub(crate) fn codes(count: usize, spread: f64, seed: u64) -> (Vec<[f64; 2]>, Vec<u32>) {
    let mut normal = Normal(seed);
    (0..count)
        .map(|i| {
            let class = i % 10;
            let turn = class as f64 * 0.628 + 0.3;
            let reach = if class == 8 { 0.1 } else { spread };
            let along = 0.5 * spread * normal.next();
            let across = 0.18 * spread * normal.next();
            let radius = reach + 0.6 * along;
            let at = [
                radius * turn.cos() - across * turn.sin(),
                radius * turn.sin() + across * turn.cos(),
            ];
            (at, class as u32)
        })
        .unzip()
}

/// A 28 × 28 blob whose shape depends on the code: a stand-in for a decoded image.
pub(crate) fn tile(z: [f64; 2]) -> Vec<u8> {
    let (angle, squeeze) = (0.5 * z[0], 1.0 + 0.16 * z[1]);
    (0..784)
        .map(|i| {
            let (x, y) = ((i % 28) as f64 - 13.5, (i / 28) as f64 - 13.5);
            let (u, v) = (
                x * angle.cos() - y * angle.sin(),
                x * angle.sin() + y * angle.cos(),
            );
            let ring = ((u * squeeze).powi(2) + (v / squeeze).powi(2)).sqrt() - 7.0;
            (255.0 * (-0.25 * ring * ring).exp()).round() as u8
        })
        .collect()
}

pub(crate) fn gaussian([x, y]: [f64; 2], mean: [f64; 2], deviation: [f64; 2]) -> f64 {
    let (u, v) = ((x - mean[0]) / deviation[0], (y - mean[1]) / deviation[1]);
    (-0.5 * (u * u + v * v)).exp() / (std::f64::consts::TAU * deviation[0] * deviation[1])
}

/// The density of a few Gaussians over the plane.
pub(crate) fn mixture(steps: usize) -> Field {
    let parts = [
        ([-1.2, 0.6], [0.5, 0.35]),
        ([0.9, 1.0], [0.3, 0.6]),
        ([0.2, -0.9], [0.7, 0.4]),
    ];
    Field::sample(steps, steps, [-3.0, 3.0], [-3.0, 3.0], |at| {
        parts.iter().map(|(m, d)| gaussian(at, *m, *d) / 3.0).sum()
    })
}
