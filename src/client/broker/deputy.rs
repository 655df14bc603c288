//! The first moments of a client: until its first batch is answered, and for two milliseconds at most, the thread of the first
//! broker that is asked does the main thread's work too, and looks for the broker's answers rather than sleep. Where a broker is
//! near, to start a thread and to wake a sleeping core take longer than its answer.

use super::conn::{InFlight, Purpose};
use super::link::Link;
use super::rehearsal::rehearse;
use super::thread::BrokerThread;
use super::LinkState;
use crate::client::main_thread::MainOp;
use crate::conf::{DebugContexts, SecurityProtocol};
use crate::error::RespErr;
use std::net::IpAddr;
use std::os::fd::RawFd;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// For how long at most the main thread may be done without.
const FIRST_MOMENTS: Duration = Duration::from_millis(2);

/// The version of Metadata that brokers have from Kafka 0.11 on, as they have record batches. It names leaders, but neither their
/// epochs nor the topics' ids.
pub(super) const EARLY_VERSION: i16 = 4;

/// For how long an answer is looked for before the thread sleeps.
const EAGER: Duration = Duration::from_micros(80);

impl BrokerThread {
    /// `BrokerOp::StandIn`
    pub(super) fn begin_to_stand_in(&mut self) {
        self.request_to_come = true;
        if self.goes_on_at_once() {
            self.deputy_until = Some(Instant::now() + FIRST_MOMENTS);
        } else {
            self.shared.need_main();
        }
    }

    /// This thread has to wait neither for a resolver nor for the application, nor has it keys to work out.
    fn goes_on_at_once(&self) -> bool {
        let sockets = &self.shared.hooks.sockets;
        self.shared.settings.security.protocol == SecurityProtocol::Plaintext
            && sockets.socket.is_none()
            && sockets.connect.is_none()
            && self.me.address.lock().0.parse::<IpAddr>().is_ok()
    }

    /// Asks for metadata right behind the question for the broker's versions: brokers answer one request after the other, so that
    /// there is nothing to wait for. The rest of what there is to know is asked for later.
    pub(super) fn ask_early(&mut self) {
        if self.deputy_until.is_none() || self.has_asked_early {
            return;
        }
        let Some(at) = self.metadata_queue.iter().position(|(query, _)| query.leaders_will_do) else { return };
        let Some((query, tag)) = self.metadata_queue.remove(at) else { return };
        self.has_asked_early = true;
        let early = Some(query.clone());
        self.write_metadata(query, EARLY_VERSION, Purpose::Metadata { tag, early });
        rehearse();
    }

    /// Whether the connection may have failed because of that: the broker's versions came, this answer did not. Then it is asked
    /// once more, on another connection and knowing its versions.
    pub(super) fn early_refused(&mut self) -> bool {
        let Link::Up(conn) = &mut self.link else { return false };
        let is_early = |r: &InFlight| matches!(r.purpose, Purpose::Metadata { early: Some(_), .. });
        if conn.versions.is_empty() || !conn.in_flight.front().is_some_and(is_early) {
            return false;
        }
        let mut lost = Vec::from(std::mem::take(&mut conn.in_flight));
        if let Purpose::Metadata { tag, early: Some(query) } = lost.remove(0).purpose {
            self.metadata_queue.push_front((query, tag));
        }
        self.shared.debug(DebugContexts::METADATA, "METADATA", || {
            format!("{}: no answer to Metadata v{EARLY_VERSION}: connecting anew", self.me.name())
        });
        self.me.counters.disconnects.fetch_add(1, Relaxed);
        self.me.set_state(LinkState::Init);
        self.link = Link::Down { retry_at: Instant::now() };
        self.abandon(lost, RespErr::ERR__TRANSPORT);
        true
    }

    /// What waits for the main thread, if this thread is its deputy; else that one may have to be woken.
    pub(super) fn serve_main(&mut self) {
        let has_to_look = std::mem::take(&mut self.main_has_to_look);
        if self.deputy_until.is_some() {
            if !self.shared.desk.stand_in() {
                // Not before the next round, which is to come at once.
                self.me.nudge();
            }
        } else if has_to_look {
            self.shared.tell_main(MainOp::Timers);
        }
    }

    /// How long to look for news of the socket before sleeping.
    pub(super) fn eagerness(&self, socket: Option<RawFd>) -> Duration {
        let answer_due = !matches!(&self.link, Link::Up(conn) if conn.in_flight.is_empty());
        let eager = self.deputy_until.is_some() && socket.is_some() && answer_due;
        if eager {
            EAGER
        } else {
            Duration::ZERO
        }
    }

    /// Starts the main thread once the first batch is answered or it is time.
    pub(super) fn hand_over_in_time(&mut self, answered: bool) {
        if self.deputy_until.is_some_and(|until| answered || Instant::now() >= until) {
            self.hand_over();
        }
    }

    pub(super) fn hand_over(&mut self) {
        if self.deputy_until.take().is_some() {
            self.shared.need_main();
        }
    }
}
