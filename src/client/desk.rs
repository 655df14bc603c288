//! Where the main thread's state lies while that thread waits. What a broker thread brings it that the application is waiting
//! for, the broker thread does itself then: two threads less to be woken, one after the other, before a client's first
//! message can be sent.

use super::main_thread::{MainOp, MainThread};
use super::shared::Shared;
use crossbeam_channel::{Receiver, Select};
use parking_lot::Mutex;
use std::time::Instant;

pub struct Desk {
    inbox: Receiver<MainOp>,
    /// `None` before the main thread is started, and once it ends.
    state: Mutex<Option<Seat>>,
}

struct Seat {
    main: Box<MainThread>,
    /// Until when the main thread waits unless something comes; `None`: for ever.
    waits_until: Option<Instant>,
}

impl Desk {
    pub fn new(inbox: Receiver<MainOp>) -> Desk {
        Desk { inbox, state: Mutex::new(None) }
    }

    pub fn set_up(&self, main: MainThread) {
        *self.state.lock() = Some(Seat { main: Box::new(main), waits_until: Some(Instant::now()) });
    }

    /// Takes the state away: from here on nobody serves.
    pub fn clear(&self) -> Option<Box<MainThread>> {
        self.state.lock().take().map(|seat| seat.main)
    }

    /// The main thread's loop, until it is told to stop; then it ends the client's other threads.
    pub fn run(&self) {
        let mut until = Some(Instant::now());
        loop {
            self.wait(until);
            let mut state = self.state.lock();
            let Some(seat) = state.as_mut() else { return };
            match self.inbox.try_recv() {
                Ok(MainOp::Stop) => break,
                Ok(op) => seat.main.serve(op),
                Err(_) => {}
            }
            seat.main.run_timers();
            until = seat.main.next_timer();
            seat.waits_until = until;
        }
        if let Some(main) = self.clear() {
            main.stop();
        }
    }

    /// Waits for something to come. It stays in the inbox: what is taken out is served before anybody else can serve.
    fn wait(&self, until: Option<Instant>) {
        let mut select = Select::new();
        select.recv(&self.inbox);
        match until {
            Some(at) => drop(select.ready_deadline(at)),
            None => drop(select.ready()),
        }
    }

    /// Serves this on the calling thread, if the main thread is not at work and nothing that came earlier waits for it. Else it
    /// comes back. Only for what takes as little time as metadata does, by a thread that holds no lock.
    fn serve_here(&self, op: MainOp) -> Result<After, MainOp> {
        let Some(mut state) = self.state.try_lock() else { return Err(op) };
        let Some(seat) = state.as_mut().filter(|_| self.inbox.is_empty()) else { return Err(op) };
        seat.main.serve(op);
        let due = seat.main.next_timer();
        let sooner = due.is_some_and(|due| seat.waits_until.is_none_or(|until| due < until));
        Ok(if sooner || seat.main.has_more_to_ask() { After::MainHasToLook } else { After::Nothing })
    }
}

/// What is to be done after something was served in the main thread's place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum After {
    Nothing,
    MainHasToLook,
}

impl Shared {
    /// Serves this here and now, or leaves it to the main thread. True: that one is to be woken (`MainOp::Timers`), which may
    /// wait until what is more urgent is done.
    #[must_use]
    pub fn serve_or_send(&self, op: MainOp) -> bool {
        match self.desk.serve_here(op) {
            Ok(after) => after == After::MainHasToLook,
            Err(op) => {
                let _ = self.main.send(op);
                false
            }
        }
    }
}
