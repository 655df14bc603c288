//! fork(2): what is to be done around it.

/// Has `before` called in the thread that forks, before each fork of this process, and afterwards `parent` in the parent
/// and `child` in the child, in that same thread. For the life of the process: call it once.
///
/// In the child no other thread exists, and locks that those held stay locked: `child` must do with atomics and with locks
/// that `before` took.
pub fn on_fork(before: extern "C" fn(), parent: extern "C" fn(), child: extern "C" fn()) {
    // SAFETY: the functions are safe to call and live as long as the library, with which the registration goes.
    #[cfg(not(miri))]
    #[allow(unsafe_code)]
    unsafe {
        libc::pthread_atfork(Some(before), Some(parent), Some(child));
    }
    #[cfg(miri)]
    let _ = (before, parent, child);
}
