//! The input as a program: what calls and their arguments are read from, and the handles that are alive.

use std::ffi::{c_char, c_int, c_void, CString};
use std::ptr::{null, null_mut};

/// Most milliseconds that a call is told to wait.
const MOST_WAIT: u8 = 20;

/// Settings worth combining; wrong ones among them.
pub(super) const SETTINGS: &[(&str, &str)] = &[
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
pub(super) const NAMES: &[&[u8]] =
    &[b"t", b"u", b"a.b_c-d", b"", b".", b"..", b"with space", b"\xff\xfe", b"0123456789abcdef", b"t\xc3\xbc"];

/// The program and where it stands.
pub(super) struct Program<'a>(pub(super) &'a [u8]);

impl Program<'_> {
    pub(super) fn byte(&mut self) -> u8 {
        let Some((&b, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        b
    }

    /// A number that is small, or one of those where things end.
    pub(super) fn number(&mut self) -> i64 {
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

    pub(super) fn int(&mut self) -> c_int {
        self.number() as c_int
    }

    pub(super) fn wait(&mut self) -> c_int {
        c_int::from(self.byte() % (MOST_WAIT + 1))
    }

    /// A C string that lives as long as the process, or NULL.
    pub(super) fn name(&mut self) -> *const c_char {
        let b = self.byte() as usize;
        NAMES.get(b % (NAMES.len() + 1)).map_or(null(), |name| c_string(name))
    }

    /// Bytes for a key or a value; NULL with a length, which must be refused, too.
    pub(super) fn bytes(&mut self) -> (*const c_void, usize) {
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
pub(super) fn c_string(bytes: &[u8]) -> *const c_char {
    use std::collections::HashMap;
    use std::sync::Mutex;
    static MADE: Mutex<Option<HashMap<Vec<u8>, CString>>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap();
    let made = made.get_or_insert_with(HashMap::new);
    made.entry(bytes.to_vec()).or_insert_with(|| CString::new(bytes).unwrap()).as_ptr()
}

/// Handles of one type that are alive.
pub(super) struct Held<T>(pub(super) Vec<*mut T>);

impl<T> Held<T> {
    pub(super) fn add(&mut self, handle: *mut T) {
        if !handle.is_null() {
            self.0.push(handle);
        }
    }

    pub(super) fn at(&self, b: u8) -> *mut T {
        if self.0.is_empty() || b % 8 == 7 {
            null_mut()
        } else {
            self.0[b as usize % self.0.len()]
        }
    }

    pub(super) fn take(&mut self, b: u8) -> *mut T {
        if self.0.is_empty() || b % 8 == 7 {
            null_mut()
        } else {
            let at = b as usize % self.0.len();
            self.0.swap_remove(at)
        }
    }
}
