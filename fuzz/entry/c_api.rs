//! Random sequences of calls of the C API: what the fuzz target `c_api` runs, and `tests/fuzz_corpus.rs` replays.
//!
//! The input is a program: one byte for a call, then bytes for its arguments. Handles are picked from those alive, or are
//! NULL, or of another type. A handle that was destroyed is never passed again: that is outside of the contract, and what
//! the library notices of it all the same, it notices by reading freed memory. What must be the other way round is tried:
//! topics, events and configurations that outlive their producer.
#![allow(unsafe_code)]

use rkafka::ffi::*;
use std::ffi::{c_char, c_int, c_void, CString};
use std::ptr::{null, null_mut};

/// Most calls of one program.
const MOST_CALLS: usize = 80;
/// Most milliseconds that a call is told to wait.
const MOST_WAIT: u8 = 20;

/// Settings worth combining; wrong ones among them.
const SETTINGS: &[(&str, &str)] = &[
    ("test.mock.num.brokers", "1"),
    ("test.mock.num.brokers", "2"),
    ("bootstrap.servers", "127.0.0.1:1"),
    ("bootstrap.servers", ",,:::"),
    ("transactional.id", "t"),
    ("transaction.timeout.ms", "1000"),
    ("enable.idempotence", "true"),
    ("enable.gapless.guarantee", "true"),
    ("acks", "0"),
    ("acks", "1"),
    ("acks", "all"),
    ("linger.ms", "0"),
    ("linger.ms", "5"),
    ("batch.size", "1"),
    ("batch.num.messages", "1"),
    ("message.max.bytes", "1000"),
    ("queue.buffering.max.messages", "1"),
    ("queue.buffering.max.messages", "100"),
    ("queue.buffering.max.kbytes", "1"),
    ("message.timeout.ms", "1"),
    ("message.timeout.ms", "100"),
    ("compression.codec", "gzip"),
    ("compression.codec", "snappy"),
    ("compression.codec", "lz4"),
    ("compression.codec", "zstd"),
    ("statistics.interval.ms", "1"),
    ("delivery.report.only.error", "true"),
    ("partitioner", "murmur2_random"),
    ("partitioner", "fnv1a"),
    ("max.in.flight.requests.per.connection", "1"),
    ("debug", "all"),
    ("log.queue", "true"),
    ("security.protocol", "ssl"),
    ("security.protocol", "sasl_plaintext"),
    ("sasl.mechanisms", "PLAIN"),
    ("sasl.mechanisms", "SCRAM-SHA-512"),
    ("sasl.mechanisms", "OAUTHBEARER"),
    ("sasl.username", "user"),
    ("sasl.password", "pencil"),
    ("sasl.oauthbearer.config", "principal=user"),
    ("enable.sasl.oauthbearer.unsecure.jwt", "true"),
    ("ssl.ca.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    ("client.id", "ü"),
    ("client.id", "\u{1}"),
    ("no.such.property", "1"),
    ("group.id", "g"),
    ("linger.ms", "-5"),
    ("", ""),
];

/// Names of topics, groups, headers; some are not legal.
const NAMES: &[&[u8]] =
    &[b"t", b"u", b"a.b_c-d", b"", b".", b"..", b"with space", b"\xff\xfe", b"0123456789abcdef", b"t\xc3\xbc"];

/// The program and where it stands.
struct Program<'a>(&'a [u8]);

impl Program<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&b, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        b
    }

    /// A number that is small, or one of those where things end.
    fn number(&mut self) -> i64 {
        match self.byte() {
            255 => -1,
            254 => i64::from(i32::MAX),
            253 => i64::from(i32::MIN),
            252 => i64::MAX,
            251 => i64::MIN,
            250 => i64::from(self.byte()) << 8 | i64::from(self.byte()),
            small => i64::from(small),
        }
    }

    fn int(&mut self) -> c_int {
        self.number() as c_int
    }

    fn wait(&mut self) -> c_int {
        c_int::from(self.byte() % (MOST_WAIT + 1))
    }

    /// A C string that lives as long as the process, or NULL.
    fn name(&mut self) -> *const c_char {
        let b = self.byte() as usize;
        NAMES.get(b % (NAMES.len() + 1)).map_or(null(), |name| c_string(name))
    }

    /// Bytes for a key or a value; NULL with a length, which must be refused, too.
    fn bytes(&mut self) -> (*const c_void, usize) {
        const TEXT: [u8; 2048] = [b'x'; 2048];
        static HELD: [u8; 2048] = TEXT;
        match self.byte() {
            255 => (null(), 5),
            254 => (null(), 0),
            253 => (HELD.as_ptr().cast(), 2000),
            252 => (HELD.as_ptr().cast(), usize::MAX),
            n => (HELD.as_ptr().cast(), n as usize),
        }
    }
}

/// The string with a NUL; kept for good, and made once.
fn c_string(bytes: &[u8]) -> *const c_char {
    use std::collections::HashMap;
    use std::sync::Mutex;
    static MADE: Mutex<Option<HashMap<Vec<u8>, CString>>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap();
    let made = made.get_or_insert_with(HashMap::new);
    made.entry(bytes.to_vec()).or_insert_with(|| CString::new(bytes).unwrap()).as_ptr()
}

/// Handles of one type that are alive.
struct Held<T>(Vec<*mut T>);

impl<T> Held<T> {
    fn add(&mut self, handle: *mut T) {
        if !handle.is_null() {
            self.0.push(handle);
        }
    }

    fn at(&self, b: u8) -> *mut T {
        if self.0.is_empty() || b % 8 == 7 {
            null_mut()
        } else {
            self.0[b as usize % self.0.len()]
        }
    }

    fn take(&mut self, b: u8) -> *mut T {
        if self.0.is_empty() || b % 8 == 7 {
            null_mut()
        } else {
            let at = b as usize % self.0.len();
            self.0.swap_remove(at)
        }
    }
}

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

unsafe extern "C" fn quiet(_: *mut rk_producer_t, _: c_int, _: *const c_char, text: *const c_char, _: *mut c_void) {
    assert!(!text.is_null());
}

/// A delivery callback that calls what is allowed, and what is refused.
unsafe extern "C" fn report(rk: *mut rk_producer_t, m: *const rk_message_t, opaque: *mut c_void) {
    // SAFETY: the library's own arguments; the rest is what the header allows within a callback.
    unsafe {
        assert!(!rk.is_null() && !m.is_null() && !rk_message_errstr(m).is_null() == ((*m).err != 0));
        let mut headers = null_mut();
        if rk_message_headers(m, &mut headers) == 0 {
            assert!(rk_headers_count(headers) > 0);
            rk_headers_destroy(headers);
        }
        assert!(rk_producer_len(rk) > 0);
        if opaque.is_null() {
            return;
        }
        assert!(rk_producer_poll(rk, 0) < 0);
        assert_ne!(rk_producer_flush(rk, 0), 0);
        rk_producer_destroy(rk);
        rk_producer_purge(rk, 3);
    }
}

unsafe extern "C" fn reports(_: *mut rk_producer_t, m: *const rk_message_t, count: usize, _: *mut c_void) {
    assert!(!m.is_null() && count > 0);
}

/// An interceptor that changes headers, and calls what is refused.
unsafe extern "C" fn on_send(
    rk: *mut rk_producer_t,
    m: *const rk_message_t,
    headers: *mut rk_headers_t,
    _: *mut c_void,
) -> rk_resp_err_t {
    let value = [0u8; 1500];
    // SAFETY: the library's own arguments, alive until this returns.
    unsafe {
        assert!(!rk.is_null() && !(*m).topic.is_null() && (*m).err == 0);
        let before = rk_headers_count(headers);
        // For some messages more than `message.max.bytes`.
        assert_eq!(rk_headers_add(headers, c"h".as_ptr(), 1, value.as_ptr().cast(), (*m).len % 3 * 700), 0);
        assert_eq!(rk_headers_count(headers), before + 1);
        if before > 3 {
            assert_eq!(rk_headers_remove(headers, c"h".as_ptr()), 0);
        }
        let again = rk_producer_produce(rk, (*m).topic, 0, 0, null(), 0, null(), 0, 0, null_mut());
        assert_ne!(again, 0);
        assert!(rk_producer_poll(rk, 0) < 0);
        rk_producer_destroy(rk);
        (*m).partition
    }
}

unsafe extern "C" fn on_fate(rk: *mut rk_producer_t, m: *const rk_message_t, _: *mut c_void) -> rk_resp_err_t {
    // SAFETY: the library's own arguments, alive until this returns.
    unsafe {
        assert!(!rk.is_null() && !(*m).topic.is_null());
        let mut headers = null_mut();
        rk_message_headers(m, &mut headers);
        rk_headers_destroy(headers);
        rk_producer_destroy(rk);
        (*m).err
    }
}

unsafe extern "C" fn refresh(rk: *mut rk_producer_t, _: *const c_char, _: *mut c_void) {
    // SAFETY: the library's own handle, within a callback.
    unsafe { rk_producer_oauthbearer_set_token_failure(rk, c_string(b"no").cast()) };
}

unsafe extern "C" fn make_socket(domain: c_int, kind: c_int, protocol: c_int, _: *mut c_void) -> c_int {
    // SAFETY: no pointers.
    unsafe { libc::socket(domain, kind | libc::SOCK_CLOEXEC, protocol) }
}

unsafe extern "C" fn connect(
    fd: c_int,
    addr: *const libc::sockaddr,
    len: c_int,
    id: *const c_char,
    _: *mut c_void,
) -> c_int {
    // SAFETY: the library's own arguments.
    unsafe {
        assert!(libc::strlen(id) > 0);
        if libc::connect(fd, addr, len as libc::socklen_t) == 0 {
            0
        } else {
            *libc::__errno_location()
        }
    }
}

unsafe extern "C" fn verify(
    _: *mut rk_producer_t,
    _: *const c_char,
    _: i32,
    error: *mut c_int,
    _: c_int,
    der: *const c_char,
    size: usize,
    _: *mut c_char,
    _: usize,
    _: *mut c_void,
) -> c_int {
    // SAFETY: the library's own arguments.
    unsafe {
        assert!(size > 0 && *der == 0x30);
        *error = 0;
    }
    1
}

/// Wrong in one of three ways, or right, by the port of the broker.
unsafe extern "C" fn authenticate(
    _: *mut rk_producer_t,
    broker: *const c_char,
    _: i32,
    state: *mut *mut c_void,
    said: *const c_void,
    _: usize,
    out: *mut c_void,
    out_size: *mut usize,
    _: *mut c_char,
    _: usize,
    _: *mut c_void,
) -> c_int {
    // SAFETY: the library's own arguments; the state is what was allocated at the beginning.
    unsafe {
        if out.is_null() {
            libc::free(*state);
            return 0;
        }
        if said.is_null() {
            *state = libc::calloc(1, 16);
        }
        let kind = *broker.add(libc::strlen(broker) - 1) % 4;
        if kind == 0 {
            *out_size += 1;
        } else {
            out.cast::<u8>().copy_from(b"\0user\0pencil".as_ptr(), 12);
            *out_size = 12;
        }
        match kind {
            1 => RK_SASL_FAIL,
            2 => RK_SASL_SEND,
            _ if said.is_null() => RK_SASL_SEND,
            _ => RK_SASL_DONE,
        }
    }
}

unsafe extern "C" fn partition(args: *const rk_partitioner_args_t, _: *mut c_void) -> i32 {
    // SAFETY: the library's own argument.
    unsafe { (*args).partition_cnt - 2 + rk_partitioner_available(args, 1) }
}

unsafe extern "C" fn count(m: *const rk_message_t, opaque: *mut c_void) {
    assert!(!m.is_null());
    // SAFETY: the counter of the caller below.
    unsafe { *opaque.cast::<usize>() += 1 };
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
    let errstr_size = 64 - usize::from(p.0.len() % 65 == 0);
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
                let topic = if p.byte() % 2 == 0 { null_mut() } else { w.topics.at(p.byte()) };
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
                let token = c_string(if p.byte() % 2 == 0 { b"a.b.c" } else { b"no token" });
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

/// # Safety
/// `conf` is NULL or alive.
unsafe fn set_callbacks(conf: *mut rk_conf_t, p: &mut Program<'_>) {
    let b = p.byte();
    // SAFETY: by contract; the callbacks are functions.
    unsafe {
        match b % 8 {
            0 => rk_conf_set_dr_msg_cb(conf, Some(report)),
            1 => rk_conf_set_dr_batch_cb(conf, Some(reports)),
            2 => rk_conf_set_partitioner_cb(conf, Some(partition)),
            3 => rk_conf_set_oauthbearer_token_refresh_cb(conf, Some(refresh)),
            4 => rk_conf_set_opaque(conf, c_string(b"opaque").cast_mut().cast()),
            5 if b & 8 != 0 => {
                let name = c_string(if b & 64 == 0 { b"first" } else { b"second" });
                let (send, told) = ((b & 16 == 0).then_some(on_send as _), (b & 32 == 0).then_some(on_fate as _));
                rk_conf_add_interceptor(conf, name, send, told, null_mut(), null_mut(), 0);
            }
            5 => rk_conf_set_dr_msg_cb(conf, None),
            6 => rk_conf_set_events(conf, p.int()),
            _ => {
                rk_conf_set_socket_cb(conf, (b & 8 == 0).then_some(make_socket as _));
                rk_conf_set_connect_cb(conf, (b & 16 == 0).then_some(connect as _));
                rk_conf_set_ssl_cert_verify_cb(conf, Some(verify));
                let mechanism = if b & 32 == 0 { c_string(b"PLAIN") } else { p.name() };
                rk_conf_set_sasl_cb(conf, mechanism, (b & 64 == 0).then_some(authenticate as _));
            }
        }
    }
}

/// # Safety
/// As [`call`].
unsafe fn produce(w: &mut World, p: &mut Program<'_>) {
    let b = p.byte();
    let (partition, mut flags) = (p.int(), c_int::from(p.byte() % 16));
    // Waiting for room in the queue may be for ever, with nobody to poll.
    flags &= !RK_MSG_F_BLOCK;
    let (mut payload, mut len) = p.bytes();
    let (key, key_len) = p.bytes();
    let time = p.number();
    if flags & RK_MSG_F_FREE != 0 {
        len %= 3000;
        // SAFETY: malloc takes any length.
        payload = unsafe { libc::calloc(len.max(1), 1) };
    }
    let opaque = null_mut();
    // SAFETY: by contract. Headers that went with a message are the library's.
    let accepted = unsafe {
        match b % 4 {
            0 => rk_producer_produce(
                w.producers.at(p.byte()),
                p.name(),
                partition,
                flags,
                payload,
                len,
                key,
                key_len,
                time,
                opaque,
            ),
            1 => {
                let topic = w.topics.at(p.byte());
                rk_topic_produce(topic, partition, flags, payload, len, key, key_len, time, opaque)
            }
            other => {
                let b = p.byte();
                let headers = w.headers.at(b);
                let err = if other == 2 {
                    let rk = w.producers.at(p.byte());
                    let name = p.name();
                    rk_producer_produce_headers(
                        rk, name, partition, flags, payload, len, key, key_len, headers, time, opaque,
                    )
                } else {
                    let topic = w.topics.at(p.byte());
                    rk_topic_produce_headers(topic, partition, flags, payload, len, key, key_len, headers, time, opaque)
                };
                if err == 0 {
                    w.headers.take(b);
                }
                err
            }
        }
    };
    if flags & RK_MSG_F_FREE != 0 && accepted != 0 {
        // SAFETY: refused, so it is still this function's.
        unsafe { libc::free(payload.cast_mut()) };
    }
}

/// # Safety
/// As [`call`].
unsafe fn produce_batch(w: &mut World, p: &mut Program<'_>) {
    let flags = c_int::from(p.byte() % 16) & !(RK_MSG_F_BLOCK | RK_MSG_F_FREE);
    // SAFETY: all zeros is a message.
    let mut messages: Vec<rk_message_t> = (0..p.byte() % 5).map(|_| unsafe { std::mem::zeroed() }).collect();
    for m in &mut messages {
        (m.payload, m.len) = p.bytes();
        (m.key, m.key_len) = p.bytes();
        (m.topic, m.partition, m.timestamp_ms) = (p.name(), p.int(), p.number());
    }
    let (list, n) = (messages.as_mut_ptr(), messages.len());
    // SAFETY: by contract; the messages have the lengths they say, or NULL, or lengths no message has.
    unsafe {
        let accepted = if p.byte() % 2 == 0 {
            let rk = w.producers.at(p.byte());
            rk_producer_produce_batch(rk, p.name(), p.int(), flags, list, n)
        } else {
            rk_topic_produce_batch(w.topics.at(p.byte()), p.int(), flags, list, n)
        };
        assert!(accepted <= n);
    }
}

/// # Safety
/// NULL or alive.
unsafe fn look_at_event(event: *mut rk_event_t) {
    // SAFETY: by contract; outputs can be written.
    unsafe {
        let kind = rk_event_type(event);
        assert!(!rk_event_name(event).is_null());
        let (mut n, mut level, mut a, mut b, mut id, mut ms) = (0, 0, null(), null(), 0, 0);
        rk_event_messages(event, &mut n);
        let m = rk_event_message_next(event);
        assert!(m.is_null() || kind == RK_EVENT_DR);
        rk_message_status(m);
        rk_event_message_count(event);
        rk_event_error(event);
        rk_event_error_is_fatal(event);
        rk_event_log(event, &mut level, &mut a, &mut b);
        rk_event_throttle(event, &mut a, &mut id, &mut ms);
        let _ = (rk_event_error_string(event), rk_event_stats(event), rk_event_config_string(event));
    }
}

/// # Safety
/// As [`call`].
unsafe fn headers(w: &mut World, p: &mut Program<'_>) {
    let b = p.byte();
    let h = w.headers.at(p.byte());
    let (mut name, mut value, mut n, mut m) = (null(), null(), 0, 0);
    // SAFETY: by contract; outputs can be written.
    unsafe {
        match b % 8 {
            0 | 1 => w.headers.add(rk_headers_new(p.byte() as usize)),
            2 => w.headers.add(rk_headers_copy(h)),
            3 => rk_headers_destroy(w.headers.take(p.byte())),
            4 => {
                let (bytes, len) = p.bytes();
                let (name, name_len) = p.bytes();
                rk_headers_add(h, name.cast(), name_len, bytes, len);
            }
            5 => {
                rk_headers_add_str(h, p.name(), p.name());
            }
            6 => {
                rk_headers_remove(h, p.name());
            }
            _ => {
                rk_headers_get(h, p.byte() as usize, &mut name, &mut n, &mut value, &mut m);
                rk_headers_get_last(h, p.name(), &mut value, &mut n);
                rk_headers_count(h);
            }
        }
    }
}

/// # Safety
/// As [`call`].
unsafe fn transaction(w: &mut World, p: &mut Program<'_>) {
    let b = p.byte();
    let rk = w.producers.at(p.byte());
    // SAFETY: by contract.
    unsafe {
        let error = match b % 10 {
            0 | 1 => rk_producer_init_transactions(rk, p.wait()),
            2 => rk_producer_begin_transaction(rk),
            3 => rk_producer_send_offsets_to_transaction(rk, w.lists.at(p.byte()), w.groups.at(p.byte()), p.wait()),
            4 => rk_producer_commit_transaction(rk, p.wait()),
            5 => rk_producer_abort_transaction(rk, p.wait()),
            6 => {
                w.lists.add(rk_topic_partition_list_new(c_int::from(p.byte())));
                if w.lists.0.len() > 3 {
                    rk_topic_partition_list_destroy(w.lists.take(p.byte()));
                }
                null_mut()
            }
            7 => {
                w.groups.add(rk_consumer_group_metadata_new(p.name()));
                w.groups.add(rk_consumer_group_metadata_new_with_genid(p.name(), p.int(), p.name(), p.name()));
                rk_consumer_group_metadata_destroy(w.groups.take(p.byte()));
                null_mut()
            }
            8 => {
                rk_error_destroy(w.errors.take(p.byte()));
                null_mut()
            }
            _ => {
                let e = w.errors.at(p.byte());
                assert!(!rk_error_name(e).is_null() && !rk_error_string(e).is_null());
                rk_error_code(e);
                let _ = (rk_error_is_fatal(e), rk_error_is_retriable(e), rk_error_txn_requires_abort(e));
                null_mut()
            }
        };
        w.errors.add(error);
    }
}

/// # Safety
/// As [`call`].
unsafe fn mock(w: &mut World, p: &mut Program<'_>) {
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
                let (list, n) = if p.byte() % 8 == 0 { (null(), 3) } else { (errors.as_ptr(), 3) };
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
