//! One thread per broker: its connection, its requests, and the batches of the partitions that it leads.

mod auth;
mod conn;
mod deputy;
#[doc(hidden)]
pub mod fuzz_entry;
mod link;
mod produce;
mod rehearsal;
mod respond;
mod schedule;
mod stream;
mod thread;

use super::stats::BrokerCounters;
use super::topic::Partition;
use crate::protocol::api::ApiKey;
use crate::protocol::Writer;
use crate::sys::poll::Wake;
use crossbeam_channel::{unbounded, Receiver, Sender};
use parking_lot::Mutex;
use std::io;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering::*};
use std::sync::Arc;

pub use thread::spawn;

/// What a broker thread is asked for. From → to is noted at each.
pub enum BrokerOp {
    /// Any → broker: something changed in this partition's queue.
    Look(Arc<Partition>),
    /// Main → broker: send this metadata request; the answer goes to the main thread under `tag`.
    Metadata { request: MetadataQuery, tag: u64 },
    /// Main → broker: get a producer id; the answer goes to the main thread.
    ProducerId,
    /// Main → broker: send this request; the answer goes to the main thread under `tag`.
    Query { query: Query, tag: u64 },
    /// Application → broker: give everything in flight the verdict "purged"; answer when done.
    Purge(Sender<()>),
    /// Main → broker: the broker is to be found at another address from now on.
    Address(String, u16),
    /// Main → broker: connect, for there will be a request soon, and do the main thread's work until that is started.
    StandIn,
    /// Main → broker: close the connection if nothing needs it.
    Release,
    /// Main → broker: this bootstrap broker is known now. The thread goes on by this handle, with the connection that it has.
    Become(Arc<BrokerHandle>),
    /// Main → broker: the broker is no longer in the cluster; give everything back and end.
    Retire,
    /// Main → broker: end, giving what is in flight back or its verdict.
    Stop,
}

/// A metadata request, whatever the broker's version of it.
#[derive(Clone, Debug)]
pub struct MetadataQuery {
    /// `None`: all topics.
    pub topics: Option<Vec<String>>,
    pub allow_auto_create: bool,
    /// Leaders are all that is wanted of the answer for now.
    pub leaders_will_do: bool,
}

/// A request whose answer is for the main thread to read.
pub struct Query {
    pub api: ApiKey,
    /// Versions that will do.
    pub versions: RangeInclusive<i16>,
    /// Writes the body in that version.
    pub body: Box<dyn FnOnce(&mut Writer, i16) + Send>,
}

impl Query {
    pub fn new(api: ApiKey, least: i16, most: i16, body: impl FnOnce(&mut Writer, i16) + Send + 'static) -> Query {
        Query { api, versions: least..=most, body: Box::new(body) }
    }
}

/// State of a broker's connection, as statistics name it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum LinkState {
    Init,
    Down,
    TryConnect,
    Connect,
    SslHandshake,
    ApiVersionQuery,
    AuthHandshake,
    AuthReq,
    Up,
}

impl LinkState {
    pub const ALL: [LinkState; 9] = [
        Self::Init,
        Self::Down,
        Self::TryConnect,
        Self::Connect,
        Self::SslHandshake,
        Self::ApiVersionQuery,
        Self::AuthHandshake,
        Self::AuthReq,
        Self::Up,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Init => "INIT",
            Self::Down => "DOWN",
            Self::TryConnect => "TRY_CONNECT",
            Self::Connect => "CONNECT",
            Self::SslHandshake => "SSL_HANDSHAKE",
            Self::AuthHandshake => "AUTH_HANDSHAKE",
            Self::AuthReq => "AUTH_REQ",
            Self::ApiVersionQuery => "APIVERSION_QUERY",
            Self::Up => "UP",
        }
    }
}

/// A broker as the other threads see it.
pub struct BrokerHandle {
    /// Node id; negative for a bootstrap broker whose id is not known.
    pub id: i32,
    /// Host and port.
    pub address: Mutex<(String, u16)>,
    thread: Arc<ThreadSide>,
}

/// The thread behind a handle: how to reach it, and how its connection fares. A bootstrap broker that becomes known has two
/// handles for a time, and one thread.
pub struct ThreadSide {
    ops: Sender<BrokerOp>,
    inbox: Receiver<BrokerOp>,
    wake: Wake,
    /// The thread is not waiting, or has been woken: no need to write to the wake descriptor.
    awake: AtomicBool,
    /// Something was asked for since the thread last began its loop; see `nudge`.
    nudged: AtomicBool,
    state: AtomicU8,
    pub state_since: Mutex<std::time::Instant>,
    /// Consecutive failures to connect.
    pub failures: AtomicI32,
    pub counters: BrokerCounters,
}

impl std::ops::Deref for BrokerHandle {
    type Target = ThreadSide;
    fn deref(&self) -> &ThreadSide {
        &self.thread
    }
}

impl BrokerHandle {
    pub fn new(id: i32, host: String, port: u16) -> io::Result<Arc<BrokerHandle>> {
        let (ops, inbox) = unbounded();
        let thread = Arc::new(ThreadSide {
            ops,
            inbox,
            wake: Wake::new()?,
            awake: AtomicBool::new(true),
            nudged: AtomicBool::new(true),
            state: AtomicU8::new(0),
            state_since: Mutex::new(std::time::Instant::now()),
            failures: AtomicI32::new(0),
            counters: BrokerCounters::default(),
        });
        Ok(Arc::new(BrokerHandle { id, address: Mutex::new((host, port)), thread }))
    }

    /// Another handle of its thread, under this id.
    pub fn known_as(&self, id: i32) -> Arc<BrokerHandle> {
        Arc::new(BrokerHandle { id, address: Mutex::new(self.address.lock().clone()), thread: self.thread.clone() })
    }

    /// `host:port/id`, as logs and statistics name it.
    pub fn name(&self) -> String {
        if self.id >= 0 {
            format!("{}/{}", self.node_name(), self.id)
        } else {
            format!("{}/bootstrap", self.node_name())
        }
    }

    pub fn node_name(&self) -> String {
        let a = self.address.lock();
        format!("{}:{}", a.0, a.1)
    }

    fn thread_name(&self) -> String {
        if self.id >= 0 {
            format!("rk:b{}", self.id)
        } else {
            format!("rk:boot{}", -1 - self.id)
        }
    }

    pub fn send(&self, op: BrokerOp) {
        let _ = self.ops.send(op);
        self.nudge();
    }

    pub fn look(&self, p: Arc<Partition>) {
        self.send(BrokerOp::Look(p));
    }

    /// Lets the thread run through its whole loop once more, wherever in the loop it is now: either it sees `nudged`
    /// before it waits, or this sees that it is about to wait. (Each side writes its flag, then reads the other's, all in
    /// one total order.)
    pub fn nudge(&self) {
        self.nudged.store(true, SeqCst);
        if !self.awake.swap(true, SeqCst) {
            self.counters.wakeups.fetch_add(1, Relaxed);
            self.wake.wake();
        }
    }

    pub fn state(&self) -> LinkState {
        LinkState::ALL[self.state.load(Relaxed) as usize % LinkState::ALL.len()]
    }

    fn set_state(&self, s: LinkState) {
        if self.state.swap(s as u8, Relaxed) != s as u8 {
            *self.state_since.lock() = std::time::Instant::now();
        }
    }
}
