//! Ctrl-C and SIGTERM for this crate's own programs. The library never installs a handler: signals are the application's.

use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

extern "C" fn note(_: libc::c_int) {
    INTERRUPTED.store(true, Ordering::SeqCst);
}

/// From now on SIGINT and SIGTERM set the flag that is returned instead of ending the process. Either also ends a
/// [`poll`](super::poll::poll) of the thread that receives it.
pub fn catch() -> &'static AtomicBool {
    let handler: extern "C" fn(libc::c_int) = note;
    for sig in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the handler does nothing but store to an atomic, which is allowed in a signal handler, and lives for
        // the whole program.
        #[allow(unsafe_code)]
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as libc::sighandler_t;
            libc::sigemptyset(&mut action.sa_mask);
            libc::sigaction(sig, &action, std::ptr::null_mut());
        }
    }
    &INTERRUPTED
}
