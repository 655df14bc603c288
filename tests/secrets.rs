//! No memory is given back with a secret in it: the allocator looks into every block that is freed or grown. Only what
//! is the library's own counts, so the broker is another process, and nothing goes through TLS or HTTP, whose libraries
//! have buffers of their own.

// An allocator cannot be written without.
#![allow(unsafe_code)]

use rkafka::client::{Hooks, Message, Producer, Section, PARTITION_UA};
use rkafka::conf::Conf;
use rkafka::security::sasl::aws::Signer;
use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Part of every secret here, and of nothing else.
const MARK: &[u8] = b"nEEdLe";
const PASSWORD: &str = "a-nEEdLe-of-a-password";

struct Watching;

static ARMED: AtomicBool = AtomicBool::new(false);
static FOUND: Mutex<Vec<String>> = Mutex::new(Vec::new());

thread_local! {
    /// This thread is writing down what it found.
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

impl Watching {
    /// # Safety
    /// `block` is of that layout, and alive.
    unsafe fn look(&self, block: *const u8, size: usize) {
        if !ARMED.load(SeqCst) || size < MARK.len() || BUSY.try_with(|b| b.replace(true)).unwrap_or(true) {
            return;
        }
        // SAFETY: by contract. What the program has not written holds what earlier blocks left there.
        let bytes = unsafe { std::slice::from_raw_parts(block, size) };
        if bytes.windows(MARK.len()).any(|w| w == MARK) {
            let trace = Backtrace::force_capture().to_string();
            let ours: Vec<&str> = trace.lines().filter(|l| l.contains("rkafka::")).take(6).map(str::trim).collect();
            FOUND.lock().expect("a lock").push(format!("{size} bytes: {}", ours.join(" < ")));
        }
        let _ = BUSY.try_with(|b| b.set(false));
    }
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Zeroed, so that no block shows what another left.
        // SAFETY: by contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: by contract.
        unsafe {
            self.look(block, layout.size());
            System.dealloc(block, layout);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: by contract.
        unsafe {
            self.look(block, layout.size());
            System.realloc(block, layout, size)
        }
    }
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;

struct Broker(Child, String);

impl Broker {
    fn start(args: &[&str]) -> Broker {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rkafka-broker"))
            .args(["--listen", "127.0.0.1:0"])
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the broker");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let bootstrap = line.split_whitespace().last().expect("an address").to_owned();
        Broker(child, bootstrap)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A life of a producer: made, a message delivered (or refused by authentication), closed.
fn live(bootstrap: &str, settings: &[(&str, &str)], token: Option<&str>) {
    let mut conf = Conf::new();
    conf.set("bootstrap.servers", bootstrap).expect("a setting");
    conf.set("debug", "all").expect("a setting");
    for (name, value) in settings {
        conf.set(name, *value).expect("a setting");
    }
    let copy = conf.clone();
    drop(copy.dump());
    let hooks = Hooks { want_delivery: true, want_errors: true, log: Some(Box::new(|_, _, _| ())), ..Hooks::default() };
    let producer = Producer::new(conf, hooks).expect("a producer");
    drop(copy);
    if let Some(token) = token {
        // Another one before, which is thrown away.
        let in_an_hour =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time").as_millis();
        for _ in 0..2 {
            let extensions = vec![("trace".to_owned(), "x".repeat(300))];
            producer.set_token(token, in_an_hour as i64 + 3_600_000, "alice", extensions).expect("a token");
        }
    }
    let topic = producer.topic("t").expect("a topic");
    let message = Message {
        partition: PARTITION_UA,
        payload: Some(b"x"),
        key: None,
        headers: Section::NONE,
        timestamp_ms: 0,
        opaque: 0,
        block: false,
    };
    producer.produce(&topic, &message).expect("taken");
    let end = Instant::now() + Duration::from_secs(20);
    // A report, or an error of the authentication.
    while producer.poll_event(Some(Duration::from_millis(100))).is_none() {
        assert!(Instant::now() < end, "neither a report nor an error");
    }
    // So that a session is renewed.
    std::thread::sleep(Duration::from_millis(1200));
    producer.close();
}

#[test]
fn memory_is_given_back_without_secrets() {
    // That the allocator sees what is left.
    ARMED.store(true, SeqCst);
    drop(String::from(PASSWORD));
    let mut grows = String::from(PASSWORD);
    grows.reserve(1 << 20);
    drop(zeroize::Zeroizing::new(grows));
    ARMED.store(false, SeqCst);
    assert_eq!(std::mem::take(&mut *FOUND.lock().expect("a lock")).len(), 2);

    let all = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER";
    let user = format!("alice:{PASSWORD}");
    let broker = Broker::start(&["--sasl", all, "--user", &user, "--session", "1000"]);
    let sasl = ("security.protocol", "sasl_plaintext");
    ARMED.store(true, SeqCst);
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        for password in [PASSWORD, "another-nEEdLe"] {
            let settings =
                [sasl, ("sasl.mechanisms", mechanism), ("sasl.username", "alice"), ("sasl.password", password)];
            live(&broker.1, &settings, None);
        }
    }
    let settings = [sasl, ("sasl.mechanisms", "OAUTHBEARER"), ("sasl.oauthbearer.config", "of=nEEdLe")];
    live(&broker.1, &settings, Some("header.nEEdLe-nEEdLe-nEEdLe.signature"));

    let variable = |name: &str| match name {
        "AWS_SECRET_ACCESS_KEY" => Some("nEEdLe/of/aws".to_owned()),
        "AWS_SESSION_TOKEN" => Some("session/nEEdLe+and/what+must/be=escaped".to_owned()),
        "AWS_ACCESS_KEY_ID" | "AWS_REGION" => Some("x".to_owned()),
        _ => None,
    };
    let signer = Signer::new("", variable).expect("a signer");
    drop(signer.token(1_700_000_000_000).expect("a token"));
    drop(signer);
    ARMED.store(false, SeqCst);
    let found = FOUND.lock().expect("a lock");
    assert!(found.is_empty(), "{} blocks:\n{}", found.len(), found.join("\n"));
}
