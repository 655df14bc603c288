//! Log lines: to a callback at once, to the event queue, or to stderr.

use super::events::Event;
use super::shared::Shared;
use crate::conf::DebugContexts;
use crate::sys::clock;

/// Levels are syslog's.
pub const ERR: i32 = 3;
pub const WARNING: i32 = 4;
pub const NOTICE: i32 = 5;
pub const INFO: i32 = 6;
pub const DEBUG: i32 = 7;

pub struct Logger {
    /// Lines above this level are dropped (`log_level`).
    pub level: i32,
    /// Debug contexts in force (`debug`).
    pub debug: DebugContexts,
    /// Lines go to the event queue (`log.queue`).
    pub queue: bool,
}

impl Logger {
    pub fn emit(&self, shared: &Shared, level: i32, facility: &'static str, text: &str) {
        if level > self.level && !(level == DEBUG && !self.debug.is_empty()) {
            return;
        }
        if self.queue {
            shared.events.push(Event::Log { level, facility, text: text.to_owned() });
        } else if let Some(callback) = &shared.hooks.log {
            callback(level, facility, text);
        } else {
            let now = clock::precise_us();
            let name = shared.name.to_string_lossy();
            eprintln!("%{level}|{}.{:03}|{facility}|{name}| {text}", now / 1_000_000, now / 1000 % 1000);
        }
    }
}

impl Shared {
    pub fn log(&self, level: i32, facility: &'static str, text: impl AsRef<str>) {
        self.log.emit(self, level, facility, text.as_ref());
    }

    /// A debug line, made only if its context is on.
    #[inline]
    pub fn debug(&self, context: DebugContexts, facility: &'static str, text: impl FnOnce() -> String) {
        if self.log.debug.has(context) {
            self.log.emit(self, DEBUG, facility, &text());
        }
    }
}
