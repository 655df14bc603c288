//! Clocks. Message timestamps come from the kernel's coarse real-time clock, which costs a few nanoseconds and is right
//! to its tick (1 to 4 ms); time-outs use `Instant`, which no clock change moves.

#[cfg(not(miri))]
#[allow(unsafe_code)]
fn clock_us(id: libc::clockid_t) -> u64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `t` is a valid timespec to write to; the clock ids used here always exist, so the call cannot fail.
    unsafe { libc::clock_gettime(id, &mut t) };
    t.tv_sec as u64 * 1_000_000 + t.tv_nsec as u64 / 1000
}

/// Microseconds since the epoch, right to the kernel's tick (1 to 4 ms). A few nanoseconds on Linux.
#[inline]
pub fn coarse_us() -> u64 {
    #[cfg(all(target_os = "linux", not(miri)))]
    return clock_us(libc::CLOCK_REALTIME_COARSE);
    #[cfg(not(all(target_os = "linux", not(miri))))]
    return precise_us();
}

/// Microseconds since the epoch.
pub fn precise_us() -> u64 {
    #[cfg(not(miri))]
    return clock_us(libc::CLOCK_REALTIME);
    #[cfg(miri)]
    return std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_micros() as u64);
}
