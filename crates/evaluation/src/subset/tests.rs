use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Labels of classes of these sizes, one class after the other as folders are read.
fn by_class(sizes: &[usize]) -> Vec<u32> {
    let classes = sizes.iter().enumerate();
    classes
        .flat_map(|(class, &size)| std::iter::repeat_n(7 * class as u32, size))
        .collect()
}

/// How many of `rows` each class has.
fn counted(labels: &[u32], rows: &[usize], classes: usize) -> Vec<usize> {
    let of = |class: usize| move |&&row: &&usize| labels[row] == 7 * class as u32;
    (0..classes)
        .map(|class| rows.iter().filter(of(class)).count())
        .collect()
}

/// Each row is drawn as often as any other, and each pair: Σ (O − E)²/V over rows,
/// with V of simple random sampling and (n − 1)/n for their sum that is given, is
/// χ² with n − 1 = 19 degrees of freedom, of which 43.82 and 5.41 are the quantiles
/// of 99.9 % and 0.1 % (R, `qchisq`).
#[test]
fn rows_and_pairs_are_equally_probable_over_addresses() {
    let (n, count, addresses) = (20, 7, 20_000);
    let of_seeds = |seed| numbers(seed);
    let of_streams = |stream| Stream::new(5, 1 << 40 | stream);
    for address in [&of_seeds as &dyn Fn(u64) -> Stream, &of_streams] {
        let (mut drawn, mut pairs) = (vec![0.0; n], vec![0.0; n * n]);
        for at in 0..addresses {
            let rows = subset(Population::Rows(n), count, address(at));
            for &i in &rows {
                drawn[i] += 1.0;
                rows.iter().for_each(|&j| pairs[i * n + j] += 1.0);
            }
        }
        let share = count as f64 / n as f64;
        let variance = addresses as f64 * share * (1.0 - share) * n as f64 / (n - 1) as f64;
        let squares = drawn.iter().map(|o| (o - addresses as f64 * share).powi(2));
        let statistic = squares.sum::<f64>() / variance;
        assert!((5.41..43.82).contains(&statistic), "{statistic}");
        let share = share * (count - 1) as f64 / (n - 1) as f64;
        let deviation = (addresses as f64 * share * (1.0 - share)).sqrt();
        for i in 0..n {
            for j in 0..i {
                let off = (pairs[i * n + j] - addresses as f64 * share) / deviation;
                // The largest of 190 normal deviates is beyond 5 once in 10⁴ times.
                assert!(off.abs() < 5.0, "rows {i} and {j}: {off}");
            }
        }
    }
}

/// 10 seats for 47,000, 16,000, 15,800, 12,000, 6,100 and 3,100 votes: the example
/// of the largest remainder with Hare's quota that encyclopaedias print, 5, 2, 1,
/// 1, 1 and 0.
#[test]
fn classes_have_their_shares_by_the_largest_remainder() {
    let labels = by_class(&[470, 160, 158, 120, 61, 31]);
    for seed in 0..50 {
        let rows = subset(Population::Labelled(&labels), 10, numbers(seed));
        assert_eq!(counted(&labels, &rows, 6), [5, 2, 1, 1, 1, 0]);
    }
}

/// Remainders of 1.5 and 0.5 are equal: over many addresses each has the row as
/// often. 5 standard deviations of 400 fair draws are 50.
#[test]
fn chance_decides_between_equal_remainders() {
    let labels = by_class(&[50, 30, 15, 5]);
    let mut of_larger = 0;
    for seed in 0..400 {
        let rows = subset(Population::Labelled(&labels), 10, numbers(seed));
        let found = counted(&labels, &rows, 4);
        assert!(found == [5, 3, 2, 0] || found == [5, 3, 1, 1], "{found:?}");
        of_larger += usize::from(found[2] == 2);
        // By numbers of the labels, 14 and 21, that are none of a row's.
        let [larger, smaller] = [14, 21].map(|label| {
            let [high, low, ..] = numbers(seed).block(0x8000_0000_0000_0000 + label);
            (high, low)
        });
        assert_eq!(found[2] == 2, larger < smaller, "{seed}");
    }
    assert!((150..=250).contains(&of_larger), "{of_larger}");
}

#[test]
fn within_a_class_rows_are_equally_probable() {
    let labels = by_class(&[12, 4]);
    let mut drawn = [0_u32; 16];
    for seed in 0..8000 {
        for row in subset(Population::Labelled(&labels), 4, numbers(seed)) {
            drawn[row] += 1;
        }
    }
    // 2000 ± 39 each.
    assert!(
        drawn.iter().all(|count| (1800..2200).contains(count)),
        "{drawn:?}"
    );
}

#[test]
fn no_row_and_all_rows() {
    for n in [0, 1, 2, 9] {
        let all: Vec<usize> = (0..n).collect();
        let labels = vec![3; n];
        for population in [Population::Rows(n), Population::Labelled(&labels)] {
            assert!(subset(population, 0, numbers(1)).is_empty());
            for count in [n, n + 1, usize::MAX] {
                assert_eq!(subset(population, count, numbers(1)), all);
            }
            assert_eq!((population.len(), population.is_empty()), (n, n == 0));
        }
    }
    let [one, none] = halves(Population::Rows(1), numbers(0));
    assert_eq!((one, none.len()), (vec![0], 0));
}

/// The very rows, so that a number that is published can be measured again: the
/// words of Philox are the same on every machine.
#[test]
fn an_address_has_its_rows_on_every_machine_and_any_number_of_threads() {
    let draw = || subset(Population::Rows(100), 8, numbers(SEED));
    let drawn = draw();
    assert_eq!(drawn, PINNED);
    for threads in [1, 3] {
        let pool = tensor_ops::parallel::ThreadPool::new(threads).unwrap();
        assert_eq!(pool.install(draw), drawn);
    }
    assert_ne!(subset(Population::Rows(100), 8, numbers(1)), drawn);
}

/// From Philox4x32-10 in plain Python, itself held against the vector 6627e8d5 e169c58d
/// bc57ac4c 9b00dbd8 of Random123 (Salmon et al. 2011) for a counter and key of zeros.
const PINNED: [usize; 8] = [41, 54, 57, 59, 60, 80, 83, 90];

#[test]
fn a_random_order_has_every_row_and_begins_with_its_samples() {
    let order = in_random_order(500, 500, numbers(4));
    assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), 500);
    assert_eq!(in_random_order(500, 30, numbers(4)), order[..30]);
    let mut sample = order[..30].to_vec();
    sample.sort_unstable();
    assert_eq!(subset(Population::Rows(500), 30, numbers(4)), sample);
    assert!(in_random_order(0, 5, numbers(4)).is_empty());
}

proptest! {
    #[test]
    fn parts_are_ascending_apart_and_of_the_size_asked_for(
        sizes in proptest::collection::vec(0usize..40, 1..6),
        counts in [0usize..90, 0usize..90, 0usize..90],
        seed in 0u64..1000, labelled in any::<bool>(),
    ) {
        let labels = by_class(&sizes);
        let n = labels.len();
        let population = if labelled { Population::Labelled(&labels) } else { Population::Rows(n) };
        let drawn = parts(population, counts, numbers(seed));
        let mut left = n;
        let mut seen = BTreeSet::new();
        let mut by_size: Vec<usize> = sizes.clone();
        for (rows, count) in drawn.iter().zip(counts) {
            let expected = count.min(left);
            prop_assert_eq!(rows.len(), expected);
            prop_assert!(rows.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(rows.iter().all(|&row| row < n && seen.insert(row)));
            if labelled {
                // Within one row of the class's share of those that were left.
                let found = counted(&labels, rows, sizes.len());
                for (found, size) in found.iter().zip(&mut by_size) {
                    let share = expected as f64 * *size as f64 / left.max(1) as f64;
                    prop_assert!((*found as f64 - share).abs() < 1.0, "{found} of {share}");
                    *size -= found;
                }
            }
            left -= expected;
        }
    }

    #[test]
    fn halves_make_up_all_rows(
        sizes in proptest::collection::vec(0usize..40, 1..6), seed in 0u64..1000,
        labelled in any::<bool>(),
    ) {
        let labels = by_class(&sizes);
        let n = labels.len();
        let population = Population::of(n, labelled.then_some(&labels[..]));
        let [first, second] = halves(population, numbers(seed));
        prop_assert_eq!((first.len(), second.len()), (n.div_ceil(2), n / 2));
        let mut all = [first, second].concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..n).collect::<Vec<_>>());
    }

    /// One row more leaves the others where they were, and each is a sample.
    #[test]
    fn a_larger_sample_holds_a_smaller_one(n in 1usize..300, count in 0usize..300, seed in 0u64..99) {
        let [few, more] = [count, count + 1].map(|count| {
            subset(Population::Rows(n), count, numbers(seed)).into_iter().collect::<BTreeSet<_>>()
        });
        prop_assert_eq!(few.len(), count.min(n));
        prop_assert!(few.is_subset(&more));
    }
}

/// A file ordered by difficulty: the mean over a sample of it is that of all within
/// its standard error, and so is the difference of two halves. The first rows, and
/// the halves of the file, fail by far.
#[test]
fn the_order_of_a_file_does_not_change_a_sample() {
    let n = 10_000;
    let noise = crate::draws::standard_normals(31, n, 1);
    let losses: Vec<f64> = (0..n)
        .map(|row| f64::from(noise[[row, 0]]) + if row < n / 2 { 1.0 } else { 0.0 })
        .collect();
    let mean =
        |rows: &[usize]| rows.iter().map(|&row| losses[row]).sum::<f64>() / rows.len() as f64;
    let all: Vec<usize> = (0..n).collect();
    let deviation = losses.iter().map(|l| (l - mean(&all)).powi(2)).sum::<f64>() / n as f64;
    let deviation = deviation.sqrt();
    for seed in 0..10 {
        let sample = subset(Population::Rows(n), 2000, numbers(seed));
        // Of a finite population: √(1 − m/n) of that with replacement.
        let error = deviation * (0.8_f64 / 2000.0).sqrt();
        assert!((mean(&sample) - mean(&all)).abs() < 4.0 * error, "{seed}");
        let [one, other] = halves(Population::Rows(n), numbers(seed));
        let error = 2.0 * deviation / (n as f64).sqrt();
        assert!((mean(&one) - mean(&other)).abs() < 4.0 * error, "{seed}");
        assert!((mean(&all[..2000]) - mean(&all)).abs() > 15.0 * error);
        assert!((mean(&all[..5000]) - mean(&all[5000..])).abs() > 15.0 * error);
    }
}
