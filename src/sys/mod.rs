//! What the operating system and the processor give: checksums, clocks, sockets, waiting, signals.

pub mod checksum;
pub mod clock;
pub mod fork;
pub mod interrupt;
pub mod memory;
pub mod poll;
pub mod socket;

/// Blocks every signal in the calling thread, so that handlers run on the application's own threads.
#[allow(unsafe_code)]
pub fn block_signals() {
    #[cfg(all(unix, not(miri)))]
    // SAFETY: the set is initialised by `sigfillset` before it is used, and both calls only touch this thread's mask.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut set);
        // Faults must not be blocked: a blocked SIGSEGV kills without the program's own handler.
        for sig in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGABRT, libc::SIGTRAP] {
            libc::sigdelset(&mut set, sig);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
    }
}
