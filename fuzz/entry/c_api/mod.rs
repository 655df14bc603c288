//! Random sequences of calls of the C API: what the fuzz target `c_api` runs, and `tests/fuzz_corpus.rs` replays.
//!
//! The input is a program: one byte for a call, then bytes for its arguments. Handles are picked from those alive, or are
//! NULL, or of another type. A handle that was destroyed is never passed again: that is outside of the contract, and what
//! the library notices of it all the same, it notices by reading freed memory. What must be the other way round is tried:
//! topics, events and configurations that outlive their producer.
#![allow(unsafe_code)]

mod callbacks;
mod calls;
mod mock;
mod program;

use callbacks::{quiet, set_callbacks};
use calls::{headers, look_at_event, produce, produce_batch, transaction};
use mock::mock;
use program::{c_string, Held, Program, SETTINGS};
use rkafka::ffi::*;
use std::ffi::{c_char, c_void};
use std::ptr::{null, null_mut};

/// Most calls of one program.
const MOST_CALLS: usize = 80;
struct World {
    confs: Held<rk_conf_t>,
    producers: Held<rk_producer_t>,
    topics: Held<rk_topic_t>,
    headers: Held<rk_headers_t>,
    events: Held<rk_event_t>,
    clusters: Held<rk_mock_cluster_t>,
    lists: Held<rk_topic_partition_list_t>,
    groups: Held<rk_consumer_group_metadata_t>,
    errors: Held<rk_error_t>,
    metadata: Held<rk_metadata_t>,
}

/// Runs the program, then destroys what is left, in an order that the program's last byte chooses.
pub fn c_api(data: &[u8]) {
    let mut w = World {
        confs: Held(Vec::new()),
        producers: Held(Vec::new()),
        topics: Held(Vec::new()),
        headers: Held(Vec::new()),
        events: Held(Vec::new()),
        clusters: Held(Vec::new()),
        lists: Held(Vec::new()),
        groups: Held(Vec::new()),
        errors: Held(Vec::new()),
        metadata: Held(Vec::new()),
    };
    let mut p = Program(data);
    for _ in 0..MOST_CALLS {
        if p.0.is_empty() {
            break;
        }
        // SAFETY: handles are alive, NULL, or of another type; strings and buffers are what they are said to be.
        unsafe { call(&mut w, &mut p) };
    }
    let producers_first = data.last().is_some_and(|b| b % 2 == 0);
    // SAFETY: each is alive and forgotten here.
    unsafe {
        if producers_first {
            w.producers.0.drain(..).for_each(|h| rk_producer_destroy(h));
        }
        w.topics.0.drain(..).for_each(|h| rk_topic_destroy(h));
        w.events.0.drain(..).for_each(|h| rk_event_destroy(h));
        w.producers.0.drain(..).for_each(|h| rk_producer_destroy(h));
        w.confs.0.drain(..).for_each(|h| rk_conf_destroy(h));
        w.headers.0.drain(..).for_each(|h| rk_headers_destroy(h));
        w.clusters.0.drain(..).for_each(|h| rk_mock_cluster_destroy(h));
        w.lists.0.drain(..).for_each(|h| rk_topic_partition_list_destroy(h));
        w.groups.0.drain(..).for_each(|h| rk_consumer_group_metadata_destroy(h));
        w.errors.0.drain(..).for_each(|h| rk_error_destroy(h));
        w.metadata.0.drain(..).for_each(|h| rk_metadata_destroy(h));
    }
}

/// One call.
///
/// # Safety
/// The handles of `w` are alive.
unsafe fn call(w: &mut World, p: &mut Program<'_>) {
    let mut text: [c_char; 64] = [1; 64];
    let errstr = text.as_mut_ptr();
    let errstr_size = 64 - usize::from(p.0.len().is_multiple_of(65));
    // SAFETY: by contract; see each.
    unsafe {
        match p.byte() {
            0..=19 => w.confs.add(new_conf(p)),
            20..=23 => w.confs.add(rk_conf_dup(w.confs.at(p.byte()))),
            24..=27 => rk_conf_destroy(w.confs.take(p.byte())),
            28..=47 => {
                let conf = w.confs.at(p.byte());
                let (name, value) = SETTINGS[p.byte() as usize % SETTINGS.len()];
                let value = if p.byte() == 0 { null() } else { c_string(value.as_bytes()) };
                let set = rk_conf_set(conf, c_string(name.as_bytes()), value, errstr, errstr_size);
                let mut size = p.byte() as usize % 64;
                let told = rk_conf_get(conf, c_string(name.as_bytes()), errstr, &mut size);
                let _ = (set, told);
            }
            48..=50 => {
                let mut n = 0;
                let list = rk_conf_dump(w.confs.at(p.byte()), &mut n);
                assert_eq!(list.is_null(), n == 0);
                rk_conf_dump_free(list, n);
            }
            51..=58 => set_callbacks(w.confs.at(p.byte()), p),
            59..=78 => {
                let b = p.byte();
                let conf = w.confs.at(b);
                if w.producers.0.len() < 3 {
                    rk_conf_set_log_cb(conf, Some(quiet));
                    let rk = rk_producer_new(conf, errstr, errstr_size);
                    if !rk.is_null() {
                        w.confs.take(b);
                    }
                    w.producers.add(rk);
                }
            }
            79..=83 => rk_producer_destroy(w.producers.take(p.byte())),
            84..=87 => {
                let flags = p.int();
                let b = p.byte();
                let rk = w.producers.at(b);
                // Unknown flags are refused, and the producer lives on.
                if rk_producer_destroy_flags(rk, flags) == 0 {
                    w.producers.take(b);
                }
            }
            88..=107 => {
                let rk = w.producers.at(p.byte());
                w.topics.add(rk_producer_topic(rk, p.name()));
            }
            108..=110 => {
                let topic = w.topics.take(p.byte());
                let _ = rk_topic_name(topic);
                rk_topic_destroy(topic);
            }
            111..=140 => produce(w, p),
            141..=144 => produce_batch(w, p),
            145..=154 => {
                rk_producer_poll(w.producers.at(p.byte()), p.wait());
            }
            155..=162 => {
                let event = rk_producer_poll_event(w.producers.at(p.byte()), p.wait());
                w.events.add(event);
            }
            163..=170 => look_at_event(w.events.at(p.byte())),
            171..=173 => rk_event_destroy(w.events.take(p.byte())),
            174..=177 => {
                rk_producer_flush(w.producers.at(p.byte()), p.wait());
            }
            178..=180 => {
                rk_producer_purge(w.producers.at(p.byte()), p.int());
            }
            181..=183 => {
                let rk = w.producers.at(p.byte());
                rk_producer_len(rk);
                rk_producer_fatal_error(rk, errstr, errstr_size);
                let _ = (rk_producer_name(rk), rk_producer_event_fd(rk));
            }
            184..=187 => {
                let mut metadata = null();
                let topic = if p.byte().is_multiple_of(2) { null_mut() } else { w.topics.at(p.byte()) };
                let rk = w.producers.at(p.byte());
                rk_producer_metadata(rk, p.int(), topic, &mut metadata, p.wait());
                w.metadata.add(metadata.cast_mut());
            }
            188 => rk_metadata_destroy(w.metadata.take(p.byte())),
            189..=199 => headers(w, p),
            200..=224 => transaction(w, p),
            225..=231 => {
                let list = w.lists.at(p.byte());
                let entry = rk_topic_partition_list_add(list, p.name(), p.int());
                rk_topic_partition_set_leader_epoch(entry, p.int());
                rk_topic_partition_get_leader_epoch(entry);
                let name = p.name();
                rk_topic_partition_list_set_offset(list, name, 0, p.number());
                rk_topic_partition_list_find(list, name, p.int());
            }
            232..=243 => mock(w, p),
            244..=246 => {
                let rk = w.producers.at(p.byte());
                let extensions = [p.name(), p.name(), p.name()];
                let n = p.byte() as usize % 4;
                let token = c_string(if p.byte().is_multiple_of(2) { b"a.b.c" } else { b"no token" });
                let expires = p.number();
                rk_producer_oauthbearer_set_token(
                    rk,
                    token,
                    expires,
                    p.name(),
                    extensions.as_ptr(),
                    n,
                    errstr,
                    errstr_size,
                );
                rk_producer_oauthbearer_set_token_failure(rk, p.name());
                rk_producer_set_sasl_credentials(rk, p.name(), c_string(b"pencil"));
            }
            247..=251 => wrong_type(w, p),
            _ => {
                let code = p.int();
                assert!(!rk_err2str(code).is_null() && !rk_err2name(code).is_null());
                assert!(!rk_version_str().is_null() && rk_version() > 0);
            }
        }
    }
}

/// A configuration that more often than not makes a producer.
fn new_conf(p: &mut Program<'_>) -> *mut rk_conf_t {
    let conf = rk_conf_new();
    let set = |name: &str, value: &str| {
        // SAFETY: the configuration is alive, the strings are C strings.
        unsafe { rk_conf_set(conf, c_string(name.as_bytes()), c_string(value.as_bytes()), null_mut(), 0) };
    };
    match p.byte() % 4 {
        0 => set("bootstrap.servers", "127.0.0.1:1"),
        1 => {}
        _ => set("test.mock.num.brokers", "1"),
    }
    conf
}

/// Handles of one type where another is due. Each must be refused.
///
/// # Safety
/// As [`call`].
unsafe fn wrong_type(w: &mut World, p: &mut Program<'_>) {
    let (b, which) = (p.byte(), p.byte());
    let any: *mut c_void = match which % 6 {
        0 => w.confs.at(b).cast(),
        1 => w.producers.at(b).cast(),
        2 => w.topics.at(b).cast(),
        3 => w.headers.at(b).cast(),
        4 => w.events.at(b).cast(),
        _ => w.clusters.at(b).cast(),
    };
    // SAFETY: alive, of a type with a tag, so that the wrong one is noticed.
    unsafe {
        if which % 6 != 0 {
            assert_ne!(
                rk_conf_set(any.cast(), c_string(b"acks"), c_string(b"1"), null_mut(), 0),
                rk_conf_res_t::RK_CONF_OK
            );
            rk_conf_destroy(any.cast());
        }
        if which % 6 != 1 {
            assert!(rk_producer_poll(any.cast(), 0) < 0);
            rk_producer_destroy(any.cast());
        }
        if which % 6 != 2 {
            assert_ne!(rk_topic_produce(any.cast(), 0, 0, null(), 0, null(), 0, 0, null_mut()), 0);
            rk_topic_destroy(any.cast());
        }
        if which % 6 != 3 {
            assert_ne!(rk_headers_add_str(any.cast(), c_string(b"a"), c_string(b"b")), 0);
            rk_headers_destroy(any.cast());
        }
        if which % 6 != 4 {
            assert_eq!(rk_event_type(any.cast()), RK_EVENT_NONE);
            rk_event_destroy(any.cast());
        }
        if which % 6 != 5 {
            assert_ne!(rk_mock_broker_set_up(any.cast(), 1), 0);
            rk_mock_cluster_destroy(any.cast());
        }
    }
}
