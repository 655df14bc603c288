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

/// A reading of the coarse clock, as it came: seconds since the epoch above 30 bits of nanoseconds. Within a tick of the
/// kernel's (1 to 4 ms) all readings are equal, and comparing two is cheaper than making a number of milliseconds of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tick(u64);

const NANO_BITS: u32 = 30;

impl Tick {
    /// The latest. A few nanoseconds on Linux; elsewhere the precise clock is read.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub fn now() -> Tick {
        #[cfg(all(target_os = "linux", not(miri)))]
        {
            let mut t = std::mem::MaybeUninit::<libc::timespec>::uninit();
            // SAFETY: `t` is a valid timespec to write to, and this clock exists, so the call cannot fail and writes it.
            let t = unsafe {
                libc::clock_gettime(libc::CLOCK_REALTIME_COARSE, t.as_mut_ptr());
                t.assume_init()
            };
            Tick((t.tv_sec as u64) << NANO_BITS | t.tv_nsec as u64)
        }
        #[cfg(not(all(target_os = "linux", not(miri))))]
        Tick::from_us(precise_us())
    }

    /// The reading that was taken at that time, microseconds since the epoch.
    pub fn from_us(us: u64) -> Tick {
        Tick(((us / 1_000_000) << NANO_BITS) | (us % 1_000_000 * 1000))
    }

    /// Microseconds since the epoch.
    #[inline]
    pub fn us(self) -> u64 {
        (self.0 >> NANO_BITS) * 1_000_000 + (self.0 & ((1 << NANO_BITS) - 1)) / 1000
    }

    /// Milliseconds since the epoch.
    #[inline]
    pub fn ms(self) -> i64 {
        (self.us() / 1000) as i64
    }

    /// The reading as a number.
    #[inline(always)]
    pub fn bits(self) -> u64 {
        self.0
    }
}

/// Microseconds since the epoch.
pub fn precise_us() -> u64 {
    #[cfg(not(miri))]
    return clock_us(libc::CLOCK_REALTIME);
    #[cfg(miri)]
    return std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_micros() as u64);
}
