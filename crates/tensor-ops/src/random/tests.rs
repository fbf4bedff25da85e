//! Moments, tails and addressing of the streams.

use rand::Rng;

use super::*;
use crate::isa::Isa;

const COUNT: usize = if cfg!(miri) { 256 } else { 1 << 20 };

fn normals<T: Float>(isa: Available, stream: u64) -> Vec<T> {
    let mut out = vec![T::NAN; COUNT];
    T::normal(
        isa,
        Normal {
            out: &mut out,
            stream: Stream::new(61, stream),
            offset: 0,
        },
    );
    out
}

fn paths() -> impl Iterator<Item = Available> {
    Isa::ALL.into_iter().filter_map(Available::new)
}

#[cfg(not(miri))]
#[test]
fn normals_have_the_moments_and_tails_of_the_distribution() {
    for isa in paths() {
        let z: Vec<f64> = normals::<f32>(isa, 0).into_iter().map(f64::from).collect();
        let n = z.len() as f64;
        let moment = |k: i32| z.iter().map(|z| z.powi(k)).sum::<f64>() / n;
        // Five standard errors of each: Var z^k = E z^2k − (E z^k)².
        for (k, expected, variance) in [
            (1, 0.0, 1.0),
            (2, 1.0, 2.0),
            (3, 0.0, 15.0),
            (4, 3.0, 96.0),
            (6, 15.0, 10_170.0),
        ] {
            let error = (moment(k) - expected).abs();
            assert!(
                error < 5.0 * f64::sqrt(variance / n),
                "moment {k} is off by {error}"
            );
        }
        // P(|Z| > t), from tables.
        for (t, probability) in [
            (1.0, 0.317_310_5),
            (2.0, 0.045_500_3),
            (3.0, 2.699_796e-3),
            (4.0, 6.334_248e-5),
        ] {
            let beyond = z.iter().filter(|z| z.abs() > t).count() as f64;
            let spread = (n * probability).sqrt();
            assert!(
                (beyond - n * probability).abs() < 5.0 * spread,
                "{beyond} beyond {t}"
            );
        }
        // Neighbours come from one pair of words: they must not be correlated.
        for lag in [1, 2, 4, 64] {
            let product: f64 = z.iter().zip(&z[lag..]).map(|(a, b)| a * b).sum();
            let squares: f64 = z
                .iter()
                .zip(&z[lag..])
                .map(|(a, b)| (a * a - 1.0) * (b * b - 1.0))
                .sum();
            assert!(product.abs() < 5.0 * n.sqrt(), "lag {lag}: {product}");
            assert!(
                squares.abs() < 5.0 * 2.0 * n.sqrt(),
                "squares, lag {lag}: {squares}"
            );
        }
    }
}

#[test]
fn f32_and_f64_normals_are_the_same_numbers() {
    for isa in paths() {
        for (single, double) in normals::<f32>(isa, 1)
            .into_iter()
            .zip(normals::<f64>(isa, 1))
        {
            // A rounded u puts r² off by about 2⁻²⁴: absolutely, so that close
            // to the origin the relative error grows.
            let error = (f64::from(single) - double).abs();
            assert!(
                error <= 2e-6 * double.abs() + 1e-6 || error * double.abs() < 1e-7,
                "{single} {double}"
            );
        }
    }
}

#[test]
fn normals_are_finite_at_the_ends_of_the_words() {
    struct Ends;
    impl crate::simd::Operation<f32> for Ends {
        type Result = ();
        #[inline(always)]
        unsafe fn run<L: crate::simd::Line<f32>>(self) {
            use crate::vector::elementary::Elementary;
            for radius in [0, 1, u32::MAX - 1, u32::MAX] {
                for angle in [0, 1 << 29, (1 << 29) - 1, 1 << 30, 1 << 31, u32::MAX] {
                    let (a, b) = f32::fast_normal_pair::<L>(radius, angle);
                    let (c, d) = f64::fast_normal_pair::<crate::simd::PortableF64>(radius, angle);
                    // Where u rounds to 1, r² is off by half a unit of 2⁻²³.
                    let tolerance = if radius > 1 { 3.5e-4 } else { 4e-6 };
                    assert!(
                        (f64::from(a) - c).abs() < tolerance,
                        "{radius} {angle}: {a} {c}"
                    );
                    assert!(
                        (f64::from(b) - d).abs() < tolerance,
                        "{radius} {angle}: {b} {d}"
                    );
                    assert!(a.abs() <= 6.77 && b.abs() <= 6.77);
                }
            }
        }
    }
    for isa in paths() {
        crate::simd::dispatch::<f32, _>(isa, Ends);
    }
}

#[test]
fn value_i_does_not_depend_on_where_the_slice_starts() {
    let stream = Stream::new(3, 9);
    let (mut whole, mut uniform) = (vec![0.0_f32; 300], vec![0.0_f64; 300]);
    fill_normal(&mut whole, stream, 5);
    fill_uniform(&mut uniform, stream, 5);
    for (start, len) in [(0, 1), (1, 7), (58, 3), (59, 70), (123, 177)] {
        let (mut part, mut uniform_part) = (vec![0.0; len], vec![0.0; len]);
        fill_normal(&mut part, stream, 5 + start as u64);
        fill_uniform(&mut uniform_part, stream, 5 + start as u64);
        assert_eq!(part, whole[start..start + len]);
        assert_eq!(uniform_part, uniform[start..start + len]);
    }
}

#[test]
fn uniforms_are_the_words_of_the_stream() {
    let stream = Stream::new(5, 6);
    let (mut single, mut double) = (vec![0.0_f32; 100], vec![0.0_f64; 100]);
    fill_uniform(&mut single, stream, 2);
    fill_uniform(&mut double, stream, 2);
    for i in 0..100 {
        let word = stream.word(2 + i as u64);
        assert_eq!(single[i], (word >> 8) as f32 / 16_777_216.0);
        assert_eq!(double[i], f64::from(word) / 4_294_967_296.0);
        assert!(single[i] < 1.0 && double[i] < 1.0);
    }
}

#[test]
fn generator_reads_the_words_in_order_and_can_be_continued() {
    let stream = Stream::new(8, 1);
    let mut rng = stream.rng(0);
    let first: Vec<u32> = (0..9).map(|_| rng.next_u32()).collect();
    assert_eq!(first, (0..9).map(|i| stream.word(i)).collect::<Vec<_>>());
    let mut again = stream.rng(rng.position());
    assert_eq!(rng.next_u64(), again.next_u64());
    let mut seed = [0; 16];
    seed[0] = 8;
    seed[8] = 1;
    assert_eq!(StreamRng::from_seed(seed).next_u32(), first[0]);
    let mut bytes = [0; 6];
    stream.rng(0).fill_bytes(&mut bytes);
    assert_eq!(bytes[..4], first[0].to_le_bytes());
    assert!((0..1000).all(|_| rng.random_range(0..10) < 10));
}

#[test]
fn streams_and_seeds_differ() {
    let words = |seed, stream| Stream::new(seed, stream).block(0);
    assert_ne!(words(1, 0), words(0, 1));
    assert_ne!(words(1, 0), words(1 << 32, 0));
    assert_ne!(words(0, 1), words(0, 1 << 32));
}
