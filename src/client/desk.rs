//! Where the main thread's state lies while that thread waits. What the application is waiting for, the thread that has it does
//! itself then: fewer threads to be started and woken, one after the other, before a client's first message can be sent. In the
//! first moments of a client there is no main thread, and a broker's thread is its deputy (`broker/deputy.rs`).

use super::broker::BrokerHandle;
use super::main_thread::{MainOp, MainThread};
use super::shared::Shared;
use super::spawn;
use crate::error::RespErr;
use crate::sys::checksum;
use crossbeam_channel::{Receiver, Select};
use parking_lot::Mutex;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::*};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Instant;

#[derive(Default)]
pub struct Desk {
    /// `None` before the client is complete, and once it ends.
    seat: Mutex<Option<Seat>>,
    thread: Mutex<Thread>,
    /// The main thread was started, or never will be.
    decided: AtomicBool,
    /// Whose thread does the main thread's work until that is started.
    deputy: OnceLock<Arc<BrokerHandle>>,
}

struct Seat {
    main: Box<MainThread>,
    inbox: Receiver<MainOp>,
    /// Until when the main thread waits unless something comes; `None`: for ever.
    waits_until: Option<Instant>,
}

/// The main thread itself.
#[derive(Default)]
enum Thread {
    #[default]
    NotStarted,
    Started(JoinHandle<()>),
    /// The client is closed.
    Over,
}

impl Desk {
    /// Lays the state down and begins with it, before anybody else can serve.
    pub fn set_up<R>(&self, main: MainThread, inbox: Receiver<MainOp>, begin: impl FnOnce(&mut MainThread) -> R) -> R {
        let mut seat = self.seat.lock();
        let seat = seat.insert(Seat { main: Box::new(main), inbox, waits_until: Some(Instant::now()) });
        begin(&mut seat.main)
    }

    /// Takes the state away: from here on nobody serves, and what was not served is dropped.
    fn clear(&self) -> Option<Box<MainThread>> {
        self.seat.lock().take().map(|seat| seat.main)
    }

    /// The main thread's loop, until it is told to stop; then it ends the client's other threads.
    fn run(&self) {
        // The question takes its time, and longer checksums than a first message's wait for the answer.
        checksum::prepare();
        let Some(inbox) = self.seat.lock().as_ref().map(|seat| seat.inbox.clone()) else { return };
        let mut until = Some(Instant::now());
        loop {
            wait(&inbox, until);
            let mut seat = self.seat.lock();
            let Some(seat) = seat.as_mut() else { return };
            match inbox.try_recv() {
                Ok(MainOp::Stop) => break,
                Ok(op) => seat.main.serve(op),
                Err(_) => {}
            }
            seat.main.run_timers();
            until = seat.main.next_timer();
            seat.waits_until = until;
        }
        drop(inbox);
        if let Some(main) = self.clear() {
            main.stop();
        }
    }

    /// Serves this on the calling thread, if the main thread is not at work and nothing that came earlier waits for it. Else it
    /// comes back. True: the main thread is to look at its timers.
    fn serve_here(&self, op: MainOp) -> Result<bool, MainOp> {
        let Some(mut seat) = self.seat.try_lock() else { return Err(op) };
        let Some(seat) = seat.as_mut().filter(|seat| seat.inbox.is_empty()) else { return Err(op) };
        seat.main.serve(op);
        seat.main.ask(Instant::now());
        let due = seat.main.next_timer();
        Ok(due.is_some_and(|due| seat.waits_until.is_none_or(|until| due < until)))
    }

    /// Makes this broker's thread the deputy, before that thread hears of it.
    pub fn appoint(&self, deputy: &Arc<BrokerHandle>) {
        let _ = self.deputy.set(deputy.clone());
    }

    /// Serves all that waits for the main thread, on the deputy's thread, unless the main thread was started. False: somebody else
    /// is at it, such as the thread that makes the client.
    pub fn stand_in(&self) -> bool {
        // Held, so that nobody starts the main thread meanwhile and tells it to stop.
        let Some(thread) = self.thread.try_lock() else { return false };
        if !matches!(*thread, Thread::NotStarted) {
            return true;
        }
        let Some(mut seat) = self.seat.try_lock() else { return false };
        if let Some(seat) = seat.as_mut() {
            while let Ok(op) = seat.inbox.try_recv() {
                seat.main.serve(op);
            }
            seat.main.run_timers();
        }
        true
    }

    /// Something came for the main thread. While there is none, its deputy is to look.
    fn call(&self) {
        if self.decided.load(Acquire) {
            return;
        }
        if let Some(deputy) = self.deputy.get() {
            deputy.nudge();
        }
    }

    /// Ends the client's threads, unless that was done before.
    pub fn close(&self, shared: &Shared) {
        let thread = std::mem::replace(&mut *self.thread.lock(), Thread::Over);
        self.decided.store(true, Release);
        if let Thread::Started(main) = thread {
            let _ = shared.main.send(MainOp::Stop);
            let _ = main.join();
        }
        // It was not started, or has panicked.
        if let Some(main) = self.clear() {
            main.stop();
        }
    }
}

/// Waits for something to come. It stays in the inbox: what is taken out is served before anybody else can serve.
fn wait(inbox: &Receiver<MainOp>, until: Option<Instant>) {
    let mut select = Select::new();
    select.recv(inbox);
    match until {
        Some(at) => drop(select.ready_deadline(at)),
        None => drop(select.ready()),
    }
}

impl Shared {
    /// Serves this here and now, or leaves it to the main thread. True: that one is to be woken (`MainOp::Timers`), which may
    /// wait until what is more urgent is done. Only for what takes as little time as metadata does; the caller holds no lock.
    #[must_use]
    pub fn serve_or_send(&self, op: MainOp) -> bool {
        self.desk.serve_here(op).unwrap_or_else(|op| {
            self.tell_main(op);
            false
        })
    }

    /// Leaves this to the main thread or its deputy. False: the client is closed.
    pub fn tell_main(&self, op: MainOp) -> bool {
        let told = self.main.send(op).is_ok();
        self.desk.call();
        told
    }

    /// Starts the main thread, unless that was done.
    pub fn start_main(self: &Arc<Self>) -> io::Result<()> {
        let mut thread = self.desk.thread.lock();
        if matches!(*thread, Thread::NotStarted) {
            let shared = self.clone();
            let run = move || shared.desk.run();
            *thread = Thread::Started(spawn::guarded(self.clone(), "rk:main".to_owned(), run)?);
            self.desk.decided.store(true, Release);
        }
        Ok(())
    }

    /// As `start_main`; without a main thread the client cannot go on.
    pub fn need_main(self: &Arc<Self>) {
        if let Err(e) = self.start_main() {
            self.set_fatal(RespErr::ERR__CRIT_SYS_RESOURCE, format!("Failed to start a thread: {e}"));
            self.fail_everything(RespErr::ERR__FATAL);
        }
    }
}
