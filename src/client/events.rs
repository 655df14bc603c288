//! What the application is told: the queue between the client's threads and whoever polls.

use super::delivery::Delivery;
use crate::conf::Secret;
use crate::error::RespErr;
use crate::sys::poll::Wake;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// One thing the application should hear about.
pub enum Event {
    /// Fates of the records of one batch; credits and memory go back when it is dropped.
    Delivery(Delivery),
    /// An error of the client as a whole (a broker lost, all brokers down, fatal errors).
    Error { code: RespErr, text: String, fatal: bool },
    /// A broker asked the client to hold back (KIP-219).
    Throttle { broker_name: String, broker_id: i32, throttle_ms: i32 },
    /// A log line whose way leads through the queue (`log.queue=true`).
    Log { level: i32, facility: &'static str, text: String },
    /// The statistics document, JSON.
    Stats(String),
    /// A token is wanted; with the property `sasl.oauthbearer.config`.
    TokenRefresh(Secret),
}

/// Events in order. Any thread pushes, any thread pops.
#[derive(Default)]
pub struct EventQueue {
    events: Mutex<VecDeque<Event>>,
    /// Length, to look at without the lock.
    len: AtomicUsize,
    /// Those that are not deliveries.
    others: AtomicUsize,
    arrived: Condvar,
    /// Made when somebody asks for the descriptor.
    descriptor: OnceLock<Wake>,
}

impl EventQueue {
    pub fn push(&self, event: Event) {
        let mut q = self.events.lock();
        if !matches!(event, Event::Delivery(_)) {
            self.others.fetch_add(1, Relaxed);
        }
        q.push_back(event);
        self.len.store(q.len(), Release);
        // Readable from the first event on. Under the lock, so that it cannot come after the drain of a thread that has
        // emptied the queue.
        if let (1, Some(wake)) = (q.len(), self.descriptor.get()) {
            wake.wake();
        }
        drop(q);
        self.arrived.notify_one();
    }

    /// Takes the next event; waits at most `timeout` for it (`None`: for ever, zero: not at all).
    pub fn pop(&self, timeout: Option<Duration>) -> Option<Event> {
        if self.len.load(Acquire) == 0 && timeout == Some(Duration::ZERO) {
            return None;
        }
        let until = timeout.and_then(|t| Instant::now().checked_add(t));
        let mut q = self.events.lock();
        while q.is_empty() {
            match until {
                Some(t) => {
                    if self.arrived.wait_until(&mut q, t).timed_out() {
                        break;
                    }
                }
                None => self.arrived.wait(&mut q),
            }
        }
        let event = q.pop_front();
        if matches!(&event, Some(e) if !matches!(e, Event::Delivery(_))) {
            self.others.fetch_sub(1, Relaxed);
        }
        self.len.store(q.len(), Release);
        if q.is_empty() {
            if let Some(wake) = self.descriptor.get() {
                wake.drain();
            }
        }
        event
    }

    pub fn len(&self) -> usize {
        self.len.load(Acquire)
    }

    /// Events that wait and are not deliveries.
    pub fn others(&self) -> usize {
        self.others.load(Relaxed)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A descriptor that is readable while the queue is not empty. It belongs to the queue: poll it, don't read or close it.
    pub fn descriptor(&self) -> io::Result<RawFd> {
        let q = self.events.lock();
        if self.descriptor.get().is_none() {
            let wake = Wake::new()?;
            if !q.is_empty() {
                wake.wake();
            }
            let _ = self.descriptor.set(wake);
        }
        drop(q);
        Ok(self.descriptor.get().map_or(-1, Wake::fd))
    }
}
