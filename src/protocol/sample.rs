//! Random values of message types, for tests.

use super::messages::produce::{PartitionResponse, ProduceResponse};
use super::Uuid;

/// A small random generator (SplitMix64); the same seed gives the same values.
pub(crate) struct Gen(pub u64);

impl Gen {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// A type with random values that `version` of its message can express.
pub(crate) trait Sample: Sized {
    fn sample(g: &mut Gen, version: i16) -> Self;
}

macro_rules! int_sample {
    ($($ty:ty),*) => {$(
        impl Sample for $ty {
            fn sample(g: &mut Gen, _: i16) -> Self {
                match g.below(8) {
                    0 => 0,
                    1 => -1,
                    2 => <$ty>::MIN,
                    3 => <$ty>::MAX,
                    _ => g.next() as $ty,
                }
            }
        }
    )*};
}

int_sample!(i8, i16, i32, i64);

impl Sample for bool {
    fn sample(g: &mut Gen, _: i16) -> Self {
        g.below(2) == 1
    }
}

impl Sample for Uuid {
    fn sample(g: &mut Gen, _: i16) -> Self {
        match g.below(4) {
            0 => [0; 16],
            _ => std::array::from_fn(|_| g.next() as u8),
        }
    }
}

const LONG: &str =
    "a string of more than 127 bytes, so that its compact length takes two bytes: ................................\
    ................................................";

const STRINGS: [&str; 10] =
    ["", "t", "topic-a", "topic-b", "host.example", "10.0.0.1", "naïve", "日本語", "zone-1", LONG];

const BYTES: [&[u8]; 5] = [b"", b"r", b"records", &[0, 255, 128, 34, 92], &[7; 300]];

impl<'a> Sample for &'a str {
    fn sample(g: &mut Gen, _: i16) -> &'a str {
        STRINGS[g.below(STRINGS.len() as u64) as usize]
    }
}

impl<'a> Sample for &'a [u8] {
    fn sample(g: &mut Gen, _: i16) -> &'a [u8] {
        BYTES[g.below(BYTES.len() as u64) as usize]
    }
}

impl Sample for String {
    fn sample(g: &mut Gen, version: i16) -> Self {
        <&str>::sample(g, version).to_owned()
    }
}

impl<T: Sample> Sample for Option<T> {
    fn sample(g: &mut Gen, version: i16) -> Self {
        (g.below(4) > 0).then(|| T::sample(g, version))
    }
}

impl<T: Sample> Sample for Vec<T> {
    fn sample(g: &mut Gen, version: i16) -> Self {
        (0..g.below(4)).map(|_| T::sample(g, version)).collect()
    }
}

impl Sample for PartitionResponse<'_> {
    fn sample(g: &mut Gen, v: i16) -> Self {
        let mut p = Self {
            index: Sample::sample(g, v),
            error_code: Sample::sample(g, v),
            base_offset: Sample::sample(g, v),
            log_append_time_ms: Sample::sample(g, v),
            ..Self::default()
        };
        if v >= 5 {
            p.log_start_offset = Sample::sample(g, v);
        }
        if v >= 8 {
            p.record_errors = Sample::sample(g, v);
            p.error_message = Sample::sample(g, v);
        }
        if v >= 10 && bool::sample(g, v) {
            p.current_leader = Sample::sample(g, v);
        }
        p
    }
}

impl Sample for ProduceResponse<'_> {
    fn sample(g: &mut Gen, v: i16) -> Self {
        let mut m = Self { throttle_time_ms: Sample::sample(g, v), ..Self::default() };
        for _ in 0..g.below(4) {
            let (topic, topic_id) = if v >= 13 { ("", Uuid::sample(g, v)) } else { (<&str>::sample(g, v), [0; 16]) };
            for _ in 0..=g.below(3) {
                m.responses.push(PartitionResponse { topic, topic_id, ..Sample::sample(g, v) });
            }
        }
        if v >= 10 {
            m.node_endpoints = Sample::sample(g, v);
        }
        m
    }
}
