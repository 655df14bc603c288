//! Calls of the embedded broker.

use super::callbacks::count;
use super::program::{c_string, Program};
use super::World;
use rkafka::ffi::*;
use std::ffi::c_int;
use std::ptr::{null, null_mut};

/// # Safety
/// As [`super::call`].
pub(super) unsafe fn mock(w: &mut World, p: &mut Program<'_>) {
    let b = p.byte();
    // A producer's own cluster is gone with it, so it is asked for each time.
    let lent = b & 1 == 0;
    // SAFETY: by contract; arrays have the count told, or NULL.
    unsafe {
        let c = if lent { rk_producer_mock(w.producers.at(p.byte())) } else { w.clusters.at(p.byte()) };
        let key = i16::from(p.byte() % 40);
        match (b >> 1) % 16 {
            0 if w.clusters.0.len() < 2 => {
                w.clusters.add(rk_mock_cluster_new(c_int::from(p.byte() % 4), null_mut(), 0));
            }
            1 if !lent => rk_mock_cluster_destroy(w.clusters.take(p.byte())),
            // One that is lent stays.
            1 => rk_mock_cluster_destroy(c),
            2 => {
                rk_mock_topic_create(c, p.name(), c_int::from(p.byte() % 20) - 2, c_int::from(p.byte() % 6) - 2);
                let _ = rk_mock_cluster_bootstraps(c);
            }
            3 => {
                rk_mock_topic_delete(c, p.name());
            }
            4 => {
                rk_mock_topic_set_partition_cnt(c, p.name(), c_int::from(p.byte() % 20) - 2);
            }
            5 => {
                rk_mock_partition_set_leader(c, p.name(), p.int(), p.int());
            }
            6 => {
                let mut n = 0usize;
                let name = p.name();
                rk_mock_partition_foreach(c, name, p.int(), Some(count), (&raw mut n).cast());
                rk_mock_partition_foreach(c, name, 0, None, null_mut());
                rk_mock_partition_end_offset(c, name, p.int());
            }
            7 => {
                rk_mock_broker_set_down(c, p.int());
            }
            8 => {
                rk_mock_broker_set_up(c, p.int());
                rk_mock_broker_set_frozen(c, -1, 0);
                rk_mock_broker_hold_responses(c, -1, 0);
            }
            9 => {
                rk_mock_broker_set_rtt(c, p.int(), p.wait());
                rk_mock_broker_drop_connections(c, p.int());
            }
            10 => {
                rk_mock_broker_set_frozen(c, p.int(), p.int());
                rk_mock_broker_hold_responses(c, p.int(), p.int());
            }
            11 => {
                let errors = [p.int(), p.int(), p.int()];
                let (list, n) = if p.byte().is_multiple_of(8) { (null(), 3) } else { (errors.as_ptr(), 3) };
                rk_mock_push_request_errors(c, key, list, n);
                rk_mock_partition_push_request_errors(c, p.name(), p.int(), key, list, n);
            }
            12 => {
                rk_mock_clear_request_errors(c, key);
                let mut n = 0usize;
                match key {
                    0..=9 => rk_mock_set_sasl(c, c_string(b"PLAIN, SCRAM-SHA-512,OAUTHBEARER"), p.number()),
                    10..=14 => rk_mock_set_sasl(c, p.name(), p.number()),
                    15..=19 => rk_mock_set_user(c, c_string(b"user"), c_string(b"pencil")),
                    20 => rk_mock_set_tls(c, p.name(), p.name(), p.name(), null_mut(), 0),
                    21..=24 => rk_mock_set_transaction_version(c, p.int()),
                    25..=29 => rk_mock_transaction_set_coordinator(c, p.name(), p.int()),
                    _ => rk_mock_partition_foreach_committed(c, p.name(), p.int(), Some(count), (&raw mut n).cast()),
                };
                rk_mock_group_committed_offset(c, p.name(), p.name(), p.int());
            }
            13 => rk_mock_drop_connection_mid_response(c, key, p.byte() as usize),
            14 => rk_mock_throttle(c, key, p.int()),
            _ => {
                rk_mock_set_api_versions(c, key, i16::from(p.byte() % 16) - 1, i16::from(p.byte() % 16));
                rk_mock_set_release(c, c_string(if key % 2 == 0 { b"newest" } else { b"0.11" }));
                let _ = (rk_mock_request_cnt(c, key), rk_mock_broker_connection_cnt(c, p.int()));
            }
        }
    }
}
