//! The request versions that brokers of past releases offer, to imitate them.

use std::collections::BTreeMap;

/// API keys that the embedded broker answers.
pub mod key {
    pub const PRODUCE: i16 = 0;
    pub const FETCH: i16 = 1;
    pub const LIST_OFFSETS: i16 = 2;
    pub const METADATA: i16 = 3;
    pub const OFFSET_COMMIT: i16 = 8;
    pub const OFFSET_FETCH: i16 = 9;
    pub const FIND_COORDINATOR: i16 = 10;
    pub const API_VERSIONS: i16 = 18;
    pub const CREATE_TOPICS: i16 = 19;
    pub const DELETE_TOPICS: i16 = 20;
    pub const INIT_PRODUCER_ID: i16 = 22;
    pub const ADD_PARTITIONS_TO_TXN: i16 = 24;
    pub const ADD_OFFSETS_TO_TXN: i16 = 25;
    pub const END_TXN: i16 = 26;
    pub const TXN_OFFSET_COMMIT: i16 = 28;
    pub const CREATE_PARTITIONS: i16 = 37;
}

/// Version ranges by API key, both ends included.
pub type Versions = BTreeMap<i16, (i16, i16)>;

type Row = (i16, i16, i16);

/// One release per row: (API key, lowest, highest version), as its ApiVersionsResponse has them.
const PROFILES: &[(&str, &[Row])] = &[
    (
        "0.11",
        &[
            (0, 0, 3),
            (1, 0, 5),
            (2, 0, 2),
            (3, 0, 4),
            (8, 0, 3),
            (9, 0, 3),
            (10, 0, 1),
            (18, 0, 1),
            (19, 0, 2),
            (20, 0, 1),
            (22, 0, 0),
            (24, 0, 0),
            (25, 0, 0),
            (26, 0, 0),
            (28, 0, 0),
        ],
    ),
    (
        "1.0",
        &[
            (0, 0, 5),
            (1, 0, 6),
            (2, 0, 2),
            (3, 0, 5),
            (8, 0, 3),
            (9, 0, 3),
            (10, 0, 1),
            (18, 0, 1),
            (19, 0, 2),
            (20, 0, 1),
            (22, 0, 0),
            (24, 0, 0),
            (25, 0, 0),
            (26, 0, 0),
            (28, 0, 0),
            (37, 0, 0),
        ],
    ),
    (
        "2.0",
        &[
            (0, 0, 6),
            (1, 0, 8),
            (2, 0, 3),
            (3, 0, 6),
            (8, 0, 4),
            (9, 0, 4),
            (10, 0, 2),
            (18, 0, 2),
            (19, 0, 3),
            (20, 0, 2),
            (22, 0, 1),
            (24, 0, 1),
            (25, 0, 1),
            (26, 0, 1),
            (28, 0, 1),
            (37, 0, 1),
        ],
    ),
    (
        "2.8",
        &[
            (0, 0, 9),
            (1, 0, 12),
            (2, 0, 6),
            (3, 0, 11),
            (8, 0, 8),
            (9, 0, 7),
            (10, 0, 3),
            (18, 0, 3),
            (19, 0, 7),
            (20, 0, 6),
            (22, 0, 4),
            (24, 0, 3),
            (25, 0, 3),
            (26, 0, 3),
            (28, 0, 3),
            (37, 0, 3),
        ],
    ),
    (
        "3.0",
        &[
            (0, 0, 9),
            (1, 0, 12),
            (2, 0, 7),
            (3, 0, 11),
            (8, 0, 8),
            (9, 0, 8),
            (10, 0, 4),
            (18, 0, 3),
            (19, 0, 7),
            (20, 0, 6),
            (22, 0, 4),
            (24, 0, 3),
            (25, 0, 3),
            (26, 0, 3),
            (28, 0, 3),
            (37, 0, 3),
        ],
    ),
    (
        "3.9",
        &[
            (0, 0, 11),
            (1, 0, 17),
            (2, 0, 9),
            (3, 0, 12),
            (8, 0, 9),
            (9, 0, 9),
            (10, 0, 6),
            (18, 0, 4),
            (19, 0, 7),
            (20, 0, 6),
            (22, 0, 5),
            (24, 0, 5),
            (25, 0, 4),
            (26, 0, 4),
            (28, 0, 4),
            (37, 0, 3),
        ],
    ),
    // Produce starts at 0 here and in the newest too: brokers say so for older librdkafka's sake (KAFKA-18659), and answer
    // from 3 on.
    (
        "4.0",
        &[
            (0, 0, 12),
            (1, 4, 17),
            (2, 1, 10),
            (3, 0, 13),
            (8, 2, 9),
            (9, 1, 9),
            (10, 0, 6),
            (18, 0, 4),
            (19, 2, 7),
            (20, 1, 6),
            (22, 0, 5),
            (24, 0, 5),
            (25, 0, 4),
            (26, 0, 5),
            (28, 0, 5),
            (37, 0, 3),
        ],
    ),
];

/// The releases that [`profile`] knows.
pub fn names() -> impl Iterator<Item = &'static str> {
    PROFILES.iter().map(|(name, _)| *name)
}

/// The versions that a broker of `release` offers, as far as the handlers go; `None` for a release not listed.
pub fn profile(release: &str) -> Option<Versions> {
    let (_, rows) = PROFILES.iter().find(|(name, _)| *name == release)?;
    let supported = newest();
    Some(
        rows.iter()
            .filter_map(|&(key, min, max)| supported.get(&key).map(|&(_, newest)| (key, (min, max.min(newest)))))
            .collect(),
    )
}

/// The `transaction.version` that a cluster of `release` has finalized when it is new.
pub fn transaction_version(release: &str) -> i16 {
    match release {
        "newest" | "4.0" => 2,
        _ => 0,
    }
}

/// Every API and version that the handlers answer.
pub fn newest() -> Versions {
    let mut all: Versions = super::handlers::TABLE.iter().map(|api| (api.key, (api.min, api.max))).collect();
    if let Some(produce) = all.get_mut(&key::PRODUCE) {
        produce.0 = 0;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_releases_offer_less() {
        assert_eq!(profile("0.11").unwrap()[&key::PRODUCE], (0, 3));
        assert!(!profile("0.11").unwrap().contains_key(&key::CREATE_PARTITIONS));
        assert_eq!(profile("4.0").unwrap()[&key::PRODUCE], (0, 12));
        assert!(profile("5.0").is_none());
        for name in names() {
            for (key, (min, max)) in profile(name).unwrap() {
                let api = super::super::handlers::TABLE.iter().find(|a| a.key == key).unwrap();
                assert!(min <= max && max <= api.max && max >= api.min, "{name}: {key} {min}-{max}");
            }
        }
    }
}
