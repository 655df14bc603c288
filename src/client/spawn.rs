//! The one place where the client starts threads: named, and with a panic turned into a fatal error instead of silence.

use super::shared::Shared;
use crate::error::RespErr;
use std::io;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

/// Starts a thread of the client. Signals are left to the application's threads.
pub fn guarded(shared: Arc<Shared>, name: String, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let called = name.clone();
    // The system shows 15 characters of a thread's name.
    Builder::new().name(name.chars().take(15).collect()).spawn(move || {
        crate::sys::block_signals();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
            let what = panic
                .downcast_ref::<&str>()
                .map(|s| s.to_string())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "no text".to_owned());
            shared.set_fatal(RespErr::ERR__FATAL, format!("thread {called} panicked: {what}; this is a bug in rkafka"));
            shared.fail_everything(RespErr::ERR__FATAL);
        }
    })
}
