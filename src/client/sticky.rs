//! The partitions that producing threads stick to, one for each group of threads, so that threads do not meet in one chunk.

use crate::accumulator::shortcut::SLOTS;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// For so many turns a partition is another thread's. Afterwards that thread may be gone or idle, and the partition must not be
/// left out for it. It is a turn each time any of the threads has filled a chunk or moves on.
const TURNS: u32 = 2 * SLOTS as u32;

/// So often a thread draws its next partition, if others fill those that it drew.
const DRAWS: usize = 8;

/// Of partition -1, which there is not.
const NONE: u64 = u32::MAX as u64;

/// Written once per chunk. Only speed and an even spread depend on it, so that nothing here is ordered.
pub struct Sticky {
    /// The partition in the lower half, the turn at which it was taken in the upper. They share cache lines, since what most
    /// messages need of it, the topic's shortcuts have.
    slots: [AtomicU64; SLOTS],
    turn: AtomicU32,
}

impl Default for Sticky {
    fn default() -> Self {
        Sticky { slots: std::array::from_fn(|_| AtomicU64::new(NONE)), turn: AtomicU32::new(0) }
    }
}

impl Sticky {
    /// The partition that this thread sticks to, or -1.
    #[inline(always)]
    pub fn get(&self, hint: usize) -> i32 {
        self.slots[hint % SLOTS].load(Relaxed) as i32
    }

    pub fn set(&self, hint: usize, partition: i32) {
        let turn = self.turn.fetch_add(1, Relaxed);
        self.slots[hint % SLOTS].store(u64::from(turn) << 32 | u64::from(partition as u32), Relaxed);
    }

    /// Draws a partition, and if another thread fills that one, further ones, of which the first counts that none fills and that
    /// has no greater load: those with a great load must not be drawn more often for it. There may be none.
    pub fn draw(&self, hint: usize, mut draw: impl FnMut() -> i32, load: impl Fn(i32) -> u32) -> i32 {
        let first = draw();
        if !self.others_use(hint, first) {
            return first;
        }
        let better = |&next: &i32| !self.others_use(hint, next) && load(next) <= load(first);
        (1..DRAWS).map(|_| draw()).find(better).unwrap_or(first)
    }

    /// Whether a thread of another group took this partition lately.
    fn others_use(&self, hint: usize, partition: i32) -> bool {
        let now = self.turn.load(Relaxed);
        // A slot may have been set since.
        let age = |slot: u64| now.wrapping_sub((slot >> 32) as u32) as i32;
        let is_theirs = |slot: u64| slot as i32 == partition && age(slot) <= TURNS as i32;
        (0..SLOTS).any(|i| i != hint % SLOTS && is_theirs(self.slots[i].load(Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_anothers_until_that_one_moves_on_or_is_silent() {
        let sticky = Sticky::default();
        assert_eq!(sticky.get(1), -1);
        assert!(!sticky.others_use(1, 0), "nobody took it yet");
        sticky.set(2, 5);
        assert_eq!((sticky.get(2), sticky.get(1)), (5, -1));
        assert!(sticky.others_use(1, 5) && !sticky.others_use(2, 5) && !sticky.others_use(2 + SLOTS, 5));
        sticky.set(2, 6);
        assert!(!sticky.others_use(1, 5) && sticky.others_use(1, 6));
        for _ in 1..TURNS {
            sticky.set(1, 3);
        }
        assert!(sticky.others_use(1, 6));
        sticky.set(1, 3);
        assert!(!sticky.others_use(1, 6));
    }

    #[test]
    fn what_others_fill_is_left_out_where_something_else_is_drawn() {
        let sticky = Sticky::default();
        sticky.set(2, 5);
        sticky.set(3, 6);
        let even = |_| 0;
        let mut drawn = [5, 6, 5, 7, 8].into_iter();
        assert_eq!(sticky.draw(1, || drawn.next().unwrap(), even), 7);
        let mut drawn = [5, 6].into_iter().cycle().take(DRAWS);
        assert_eq!(sticky.draw(1, || drawn.next().unwrap(), even), 5);
        assert_eq!(drawn.next(), None);
        assert_eq!(sticky.draw(2, || 5, even), 5);
    }

    #[test]
    fn a_great_load_is_not_drawn_more_often_because_others_fill_the_rest() {
        let sticky = Sticky::default();
        let loads = [9, 0, 0];
        let draws = |taken: &[i32]| {
            taken.iter().enumerate().for_each(|(i, &partition)| sticky.set(2 + i, partition));
            let mut rng = fastrand::Rng::with_seed(3);
            let mut choose = || crate::partitioner::sticky::choose(&[0, 1, 2], Some(&loads), 0, &mut rng);
            let mut count = [0i32; 3];
            for _ in 0..21_000 {
                count[sticky.draw(1, &mut choose, |i| loads[i as usize]) as usize] += 1;
            }
            count
        };
        // One in 21 goes to the first by its load, and no more if the second is another's, who leaves it nearly to itself.
        let count = draws(&[1]);
        assert!((800..1200).contains(&count[0]) && count[1] < 400, "{count:?}");
        // Nothing else is to be had.
        let count = draws(&[1, 2]);
        assert!((800..1200).contains(&count[0]) && count[1].abs_diff(count[2]) < 700, "{count:?}");
    }
}
