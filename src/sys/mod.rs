//! What the operating system and the processor give: checksums, clocks, sockets, waiting, signals.

pub mod checksum;
pub mod clock;
pub mod fork;
pub mod interrupt;
pub mod memory;
pub mod poll;
pub mod socket;

/// Names the calling thread, as debuggers and `top` show it: at most 15 characters, so that a longer name is cut.
#[allow(unsafe_code)]
pub fn rename_thread(name: &str) {
    let mut bytes: Vec<u8> = name.bytes().take(15).collect();
    bytes.push(0);
    // SAFETY: the name ends with a zero and lives through the call, which names this thread alone.
    #[cfg(all(any(target_os = "linux", target_os = "android"), not(miri)))]
    unsafe {
        libc::pthread_setname_np(libc::pthread_self(), bytes.as_ptr().cast());
    }
    // SAFETY: as above.
    #[cfg(all(target_os = "macos", not(miri)))]
    unsafe {
        libc::pthread_setname_np(bytes.as_ptr().cast());
    }
}

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
