//! The partitions that producing threads stick to, one for each group of threads, so that threads do not meet in one chunk.

use crate::accumulator::shortcut::SLOTS;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// For so many turns, by all threads, a partition is another thread's. Afterwards that thread may be gone or idle, and the
/// partition must not be left out for it.
const TURNS: u32 = 2 * SLOTS as u32;

/// So often a thread draws its next partition, if others fill those that it drew.
const DRAWS: usize = 8;

/// Of partition -1, which there is not.
const NONE: u64 = u32::MAX as u64;

/// Written about once per batch. Only speed and an even spread depend on it, so that nothing here is ordered.
pub struct Sticky {
    /// The partition in the lower half, the turn at which it was taken in the upper. Read by other threads per batch only, so
    /// that they may share cache lines.
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

    /// Draws a partition, again if another thread fills the one that was drawn; only so often, since there may be no other.
    pub fn draw(&self, hint: usize, mut draw: impl FnMut() -> i32) -> i32 {
        let mut drawn = draw();
        for _ in 1..DRAWS {
            if !self.others_use(hint, drawn) {
                break;
            }
            drawn = draw();
        }
        drawn
    }

    /// Whether a thread of another group took this partition lately.
    fn others_use(&self, hint: usize, partition: i32) -> bool {
        let now = self.turn.load(Relaxed);
        let is_theirs = |slot: u64| slot as i32 == partition && now.wrapping_sub((slot >> 32) as u32) <= TURNS;
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
    fn what_others_fill_is_drawn_only_where_there_is_nothing_else() {
        let sticky = Sticky::default();
        sticky.set(2, 5);
        sticky.set(3, 6);
        let mut drawn = [5, 6, 5, 7, 8].into_iter();
        assert_eq!(sticky.draw(1, || drawn.next().unwrap()), 7);
        let mut drawn = [5, 6].into_iter().cycle().take(DRAWS);
        assert_eq!(sticky.draw(1, || drawn.next().unwrap()), 6);
        assert_eq!(drawn.next(), None);
        assert_eq!(sticky.draw(2, || 5), 5);
    }
}
