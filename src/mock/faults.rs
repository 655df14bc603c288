//! What goes wrong, and when: pushed errors, delays, cut connections, throttling, random mixtures, hostile answers.

use std::collections::{HashMap, VecDeque};

/// In place of an error code: close the connection instead of answering (librdkafka's `_TRANSPORT`).
pub const CLOSE: i16 = -195;
/// In place of an error code: never answer the request (librdkafka's `_TIMED_OUT`), nor those behind it on the connection.
pub const SILENCE: i16 = -185;

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A broker's error code for the answer, 0, [`CLOSE`] or [`SILENCE`].
    pub error: i16,
    /// Held back this many milliseconds, besides the broker's own round-trip time.
    pub rtt_ms: u32,
    /// The request is carried out (a batch is appended) before the error strikes.
    pub after: bool,
    /// Only so many bytes of the answer (its length field counted) are sent, then the connection is closed.
    pub cut: Option<usize>,
    /// The leader of each partition in the request moves to another broker after it was carried out.
    pub move_leader: bool,
}

impl Fault {
    pub const NONE: Fault = Fault { error: 0, rtt_ms: 0, after: false, cut: None, move_leader: false };

    pub fn error(error: i16) -> Fault {
        Fault { error, ..Fault::NONE }
    }

    /// Whether the request does its work; if not it is answered (or not) with the error alone.
    pub fn executes(&self) -> bool {
        self.error == 0 || self.after
    }

    /// The code to put into the answer: 0 if there is none or no answer.
    pub fn code(&self) -> i16 {
        if self.error == CLOSE || self.error == SILENCE {
            0
        } else {
            self.error
        }
    }
}

/// A reproducible random mixture of faults: delays, retriable errors before and after appending, closed and cut
/// connections, moved leaders.
///
/// What strikes a request follows from the seed, the broker, the API key and how many such requests that broker has seen,
/// so that the same seed gives the same schedule whatever the threads' timing. Errors are only such as a client retries.
#[derive(Clone, Debug)]
pub struct Faults {
    seed: u64,
    percent: u64,
    max_delay_ms: u64,
    silence: bool,
    seen: HashMap<(i32, i16), u64>,
}

impl Faults {
    /// One request of five is struck, delays are up to 20 ms, and some requests are never answered.
    pub fn random(seed: u64) -> Faults {
        Faults { seed, percent: 20, max_delay_ms: 20, silence: true, seen: HashMap::new() }
    }

    /// How many of a hundred requests are struck.
    pub fn percent(mut self, percent: u32) -> Faults {
        self.percent = percent.min(100) as u64;
        self
    }

    /// The longest delay, milliseconds.
    pub fn max_delay(mut self, ms: u32) -> Faults {
        self.max_delay_ms = ms as u64;
        self
    }

    /// Whether requests may stay unanswered, which costs the client its request time-out each time.
    pub fn silence(mut self, yes: bool) -> Faults {
        self.silence = yes;
        self
    }

    fn next(&mut self, broker: i32, api_key: i16) -> Fault {
        let n = self.seen.entry((broker, api_key)).or_insert(0);
        *n += 1;
        let mut rng = SplitMix(self.seed ^ ((broker as u64) << 48) ^ ((api_key as u64 & 0xffff) << 32) ^ *n);
        rng.next();
        if rng.below(100) >= self.percent {
            return Fault::NONE;
        }
        let delay = rng.below(self.max_delay_ms + 1) as u32;
        let strike = rng.below(100);
        let which = rng.next() as usize;
        let pick = |codes: &[i16]| codes[which % codes.len()];
        match strike {
            0..25 => Fault { rtt_ms: delay, ..Fault::NONE },
            25..40 => Fault { rtt_ms: delay / 4, ..Fault::error(CLOSE) },
            40..55 => Fault { after: true, ..Fault::error(CLOSE) },
            55..65 => Fault { cut: Some(which % 40), ..Fault::NONE },
            65..68 if self.silence => Fault { after: which & 1 == 0, ..Fault::error(SILENCE) },
            68..76 if api_key == 0 => Fault { move_leader: true, ..Fault::NONE },
            76..86 if api_key == 0 => Fault { after: true, ..Fault::error(pick(&[3, 6, 7, 20, 56])) },
            86..100 => match api_key {
                // CORRUPT_MESSAGE, UNKNOWN_TOPIC_OR_PARTITION, LEADER_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER,
                // REQUEST_TIMED_OUT, NETWORK_EXCEPTION, NOT_ENOUGH_REPLICAS, KAFKA_STORAGE_ERROR
                0 => Fault::error(pick(&[2, 3, 5, 6, 7, 13, 19, 56])),
                1 => Fault::error(pick(&[3, 6, 56])),
                2 => Fault::error(pick(&[5, 6])),
                3 => Fault::error(5),
                // COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE
                10 | 22 => Fault::error(pick(&[14, 15])),
                // Also NOT_COORDINATOR, and CONCURRENT_TRANSACTIONS where a transaction is asked for.
                8 | 9 | 28 => Fault::error(pick(&[14, 15, 16])),
                24..=26 => Fault::error(pick(&[14, 15, 16, 51])),
                _ => Fault { rtt_ms: delay, ..Fault::NONE },
            },
            _ => Fault::NONE,
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood): a few instructions, and the same everywhere for a printed seed.
pub struct SplitMix(pub u64);

impl SplitMix {
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 up to `n`, which is not 0, exclusive.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// How a hostile broker answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostileMode {
    /// Not at all hostile.
    None,
    /// The answer stops early, with a length field that says so: the message inside is incomplete.
    Truncate,
    /// The length field says this many bytes, whatever follows.
    Oversize(u32),
    /// Right length and correlation id; then random bytes, or the right ones with some bits flipped, in turn.
    RandomBytes(u64),
    /// The answer trickles.
    OneBytePerSecond,
    /// The answer of another request, so it seems.
    WrongCorrelationId,
    /// Requests are read and carried out, and never answered.
    NeverAnswer,
    /// The length field is −1.
    NegativeLength,
}

/// Makes a hostile answer of a good one (length field, correlation id, message). `n` counts the answers. An empty result
/// means that nothing is sent. [`HostileMode::OneBytePerSecond`] is the sender's business.
pub fn spoil(mode: HostileMode, n: u64, mut answer: Vec<u8>) -> Vec<u8> {
    let set_len = |b: &mut Vec<u8>, len: i32| b[..4].copy_from_slice(&len.to_be_bytes());
    match mode {
        HostileMode::None | HostileMode::OneBytePerSecond => {}
        HostileMode::NeverAnswer => answer.clear(),
        HostileMode::NegativeLength => set_len(&mut answer, -1),
        HostileMode::Oversize(len) => set_len(&mut answer, len as i32),
        HostileMode::WrongCorrelationId => answer[4] ^= 0x40,
        HostileMode::Truncate => {
            // Every length below the right one comes up, from the correlation id alone on.
            let keep = 8 + SplitMix(n).below((answer.len() as u64 - 8).max(1)) as usize;
            answer.truncate(keep);
            set_len(&mut answer, keep as i32 - 4);
        }
        HostileMode::RandomBytes(seed) => {
            let mut rng = SplitMix(seed ^ n.rotate_left(32));
            if n.is_multiple_of(2) {
                answer.resize(8 + rng.below(2000) as usize, 0);
                answer[8..].iter_mut().for_each(|b| *b = rng.next() as u8);
                let len = answer.len() as i32 - 4;
                set_len(&mut answer, len);
            } else if answer.len() > 8 {
                for _ in 0..=rng.below(8) {
                    let at = 8 + rng.below(answer.len() as u64 - 8) as usize;
                    answer[at] ^= 1 << rng.below(8);
                }
            }
        }
    }
    answer
}

/// Every fault that is set, by what it is set for.
#[derive(Default)]
pub struct FaultTable {
    cluster: HashMap<i16, VecDeque<Fault>>,
    broker: HashMap<(i32, i16), VecDeque<Fault>>,
    partition: HashMap<(String, i32, i16), VecDeque<i16>>,
    throttle: HashMap<i16, i32>,
    hostile: HashMap<i16, HostileMode>,
    hostile_all: Option<HostileMode>,
    random: Option<Faults>,
}

impl FaultTable {
    pub fn push(&mut self, broker: Option<i32>, api_key: i16, faults: impl IntoIterator<Item = Fault>) {
        match broker {
            Some(id) => self.broker.entry((id, api_key)).or_default().extend(faults),
            None => self.cluster.entry(api_key).or_default().extend(faults),
        }
    }

    pub fn push_partition(&mut self, topic: &str, partition: i32, api_key: i16, errors: &[i16]) {
        self.partition.entry((topic.to_string(), partition, api_key)).or_default().extend(errors);
    }

    /// Takes the faults of `api_key` back, of the cluster, its brokers and partitions.
    pub fn clear(&mut self, api_key: i16) {
        self.cluster.remove(&api_key);
        self.broker.retain(|(_, key), _| *key != api_key);
        self.partition.retain(|(_, _, key), _| *key != api_key);
    }

    /// Pushed faults of `api_key` that have not struck yet.
    pub fn pending(&self, api_key: i16) -> usize {
        let cluster = self.cluster.get(&api_key).map_or(0, VecDeque::len);
        let broker: usize = self.broker.iter().filter(|((_, k), _)| *k == api_key).map(|(_, q)| q.len()).sum();
        let partition: usize = self.partition.iter().filter(|((_, _, k), _)| *k == api_key).map(|(_, q)| q.len()).sum();
        cluster + broker + partition
    }

    pub fn set_random(&mut self, faults: Option<Faults>) {
        self.random = faults;
    }

    /// Milliseconds, in every answer of `api_key` until set to 0.
    pub fn set_throttle(&mut self, api_key: i16, ms: i32) {
        self.throttle.insert(api_key, ms);
    }

    pub fn throttle(&self, api_key: i16) -> i32 {
        self.throttle.get(&api_key).copied().unwrap_or(0)
    }

    pub fn set_hostile(&mut self, api_key: Option<i16>, mode: HostileMode) {
        match api_key {
            Some(key) => {
                self.hostile.insert(key, mode);
            }
            None => {
                self.hostile.clear();
                self.hostile_all = Some(mode);
            }
        }
    }

    pub fn hostile(&self, api_key: i16) -> HostileMode {
        self.hostile.get(&api_key).copied().or(self.hostile_all).unwrap_or(HostileMode::None)
    }

    /// What strikes this request: the broker's own faults come first, then the cluster's, then the random ones.
    pub fn next(&mut self, broker: i32, api_key: i16) -> Fault {
        if let Some(f) = self.broker.get_mut(&(broker, api_key)).and_then(VecDeque::pop_front) {
            return f;
        }
        if let Some(f) = self.cluster.get_mut(&api_key).and_then(VecDeque::pop_front) {
            return f;
        }
        self.random.as_mut().map_or(Fault::NONE, |r| r.next(broker, api_key))
    }

    /// The error of one partition in a request; 0 if none.
    pub fn next_partition(&mut self, topic: &str, partition: i32, api_key: i16) -> i16 {
        if self.partition.is_empty() {
            return 0;
        }
        let key = (topic.to_string(), partition, api_key);
        self.partition.get_mut(&key).and_then(VecDeque::pop_front).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushed_faults_strike_in_order_broker_first() {
        let mut t = FaultTable::default();
        t.push(None, 0, [Fault::error(6), Fault::error(CLOSE)]);
        t.push(Some(2), 0, [Fault { rtt_ms: 9, ..Fault::error(7) }]);
        assert_eq!(t.pending(0), 3);
        assert_eq!(t.next(2, 3), Fault::NONE);
        assert_eq!(
            (t.next(2, 0).error, t.next(2, 0).error, t.next(2, 0).error, t.next(2, 0)),
            (7, 6, CLOSE, Fault::NONE)
        );
        assert!(!Fault::error(6).executes() && Fault::NONE.executes());
        assert_eq!(Fault::error(CLOSE).code(), 0);
    }

    #[test]
    fn a_seed_gives_the_same_schedule_in_any_interleaving() {
        let (mut a, mut b) = (Faults::random(42), Faults::random(42));
        let forward: Vec<Fault> = (0..500).flat_map(|_| [a.next(1, 0), a.next(2, 0)]).collect();
        let ones: Vec<Fault> = (0..500).map(|_| b.next(1, 0)).collect();
        let twos: Vec<Fault> = (0..500).map(|_| b.next(2, 0)).collect();
        assert!(forward.chunks(2).zip(ones.iter().zip(&twos)).all(|(f, (o, t))| f[0] == *o && f[1] == *t));
        let struck = ones.iter().filter(|f| **f != Fault::NONE).count();
        assert!((50..=150).contains(&struck), "{struck} of 500 at 20 %");
        assert_ne!(ones, (0..500).map(|_| Faults::random(43).next(1, 0)).collect::<Vec<_>>());
        assert!(ones.iter().any(|f| f.after && f.error == CLOSE));
        assert!(ones.iter().any(|f| f.cut.is_some()));
        let mut quiet = Faults::random(42).silence(false);
        assert!((0..5000).all(|_| quiet.next(1, 0).error != SILENCE));
    }

    #[test]
    fn spoilt_answers_are_what_they_say() {
        let good: Vec<u8> = [&12i32.to_be_bytes()[..], &7i32.to_be_bytes(), &[1, 2, 3, 4, 5, 6, 7, 8]].concat();
        let len = |b: &[u8]| i32::from_be_bytes(b[..4].try_into().unwrap());
        assert_eq!(spoil(HostileMode::None, 0, good.clone()), good);
        assert_eq!(len(&spoil(HostileMode::NegativeLength, 0, good.clone())), -1);
        assert_eq!(len(&spoil(HostileMode::Oversize(1 << 30), 0, good.clone())), 1 << 30);
        assert_ne!(spoil(HostileMode::WrongCorrelationId, 0, good.clone())[4..8], good[4..8]);
        assert!(spoil(HostileMode::NeverAnswer, 0, good.clone()).is_empty());
        for n in 0..50 {
            let t = spoil(HostileMode::Truncate, n, good.clone());
            assert!(t.len() < good.len() && t.len() >= 8 && len(&t) as usize == t.len() - 4);
            let r = spoil(HostileMode::RandomBytes(1), n, good.clone());
            assert_eq!(len(&r) as usize, r.len() - 4);
            assert_eq!(r[4..8], good[4..8]);
            assert_ne!(r, good);
        }
    }
}
