//! Whether enough arrives.

use std::collections::VecDeque;
use std::time::Duration;

use super::Patience;

/// The share of the measured time after which what has arrived is noted again.
const NOTES: u32 = 32;

/// What arrived when, over the time that [`Patience`] measures.
pub(super) struct Pace {
    patience: Patience,
    watched: Duration,
    /// Time and bytes until then; the first one is that far back, once so much
    /// time has passed.
    notes: VecDeque<(Duration, u64)>,
}

impl Pace {
    pub(super) fn new(patience: Patience) -> Self {
        Self {
            patience,
            watched: Duration::ZERO,
            notes: [(Duration::ZERO, 0)].into(),
        }
    }

    /// Takes note that `total` bytes have arrived and `elapsed` has passed
    /// since the last call; gives the bytes of the time measured when they are
    /// too few.
    pub(super) fn too_few(&mut self, elapsed: Duration, total: u64) -> Option<u64> {
        let Patience {
            least_rate,
            over,
            tick,
            ..
        } = self.patience;
        // A process that was suspended did not wait for its mirror.
        self.watched += elapsed.min(10 * tick);
        while self.notes.len() > 1 && self.notes[1].0 + over <= self.watched {
            self.notes.pop_front();
        }
        let (since, before) = self.notes[0];
        let last = self.notes[self.notes.len() - 1].0;
        if last + over / NOTES <= self.watched {
            self.notes.push_back((self.watched, total));
        }
        let watched = self.watched - since;
        let arrived = total - before;
        let needed = watched.as_secs_f64() * least_rate as f64;
        (watched >= over && (arrived as f64) < needed).then_some(arrived)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::download::PATIENCE;

    const SECOND: Duration = Duration::from_secs(1);

    /// The second in which a mirror is left that delivers so many bytes in
    /// each one, as far as they are watched.
    fn left_in(seconds: impl IntoIterator<Item = u64>) -> Option<usize> {
        let mut pace = Pace::new(PATIENCE);
        let mut total = 0;
        seconds.into_iter().position(|bytes| {
            total += bytes;
            pace.too_few(SECOND, total).is_some()
        })
    }

    #[test]
    fn a_mirror_is_left_after_thirty_seconds_below_the_least_rate() {
        assert_eq!(left_in([0; 100]), Some(29));
        assert_eq!(left_in([9_999; 100]), Some(29));
        assert_eq!(left_in([10_000; 1000]), None);
        assert_eq!(left_in([0; 29]), None);
    }

    #[test]
    fn what_came_long_ago_does_not_count() {
        let fast = std::iter::repeat_n(1_000_000, 60);
        let left = left_in(fast.chain(std::iter::repeat_n(1, 100)));
        assert!((89..=91).contains(&left.unwrap()), "{left:?}");
    }

    #[test]
    fn a_pause_with_more_behind_it_is_waited_for() {
        let bursts = (0..300).map(|second| if second % 25 == 24 { 400_000 } else { 0 });
        assert_eq!(left_in(bursts), None);
    }

    #[test]
    fn the_time_of_a_suspended_process_is_not_the_mirrors() {
        let mut pace = Pace::new(PATIENCE);
        assert_eq!(pace.too_few(SECOND, 10), None);
        assert_eq!(pace.too_few(3600 * SECOND, 10), None);
        let left = (0..100).position(|_| pace.too_few(SECOND, 10).is_some());
        assert_eq!(left, Some(27));
    }

    #[test]
    fn the_notes_do_not_grow_with_the_transfer() {
        let mut pace = Pace::new(PATIENCE);
        for total in 0..1_000_000 {
            pace.too_few(Duration::from_micros(100), 100 * total);
        }
        assert!(pace.notes.len() <= NOTES as usize + 2);
    }
}
