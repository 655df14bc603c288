//! Waiting for descriptors, and the wake descriptor by which one thread ends another's wait.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

/// One descriptor to wait for: what is asked, and after [`poll`], what was found.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct PollFd(libc::pollfd);

impl PollFd {
    /// Waits for errors and hang-up alone, unless `read` or `write` is asked. A negative `fd` is skipped by [`poll`].
    pub fn new(fd: RawFd, read: bool, write: bool) -> Self {
        let events = if read { libc::POLLIN } else { 0 } | if write { libc::POLLOUT } else { 0 };
        PollFd(libc::pollfd { fd, events, revents: 0 })
    }

    pub fn fd(&self) -> RawFd {
        self.0.fd
    }

    /// Changes what is asked, keeping the descriptor.
    pub fn set_interest(&mut self, read: bool, write: bool) {
        *self = PollFd::new(self.0.fd, read, write);
    }

    /// There is something to read, or end of file, or an error that the next read will tell.
    pub fn readable(&self) -> bool {
        self.0.revents & (libc::POLLIN | libc::POLLHUP | libc::POLLERR | libc::POLLNVAL) != 0
    }

    /// There is room to write, or an error that the next write will tell.
    pub fn writable(&self) -> bool {
        self.0.revents & (libc::POLLOUT | libc::POLLERR | libc::POLLNVAL) != 0
    }

    /// The peer is gone or the descriptor is in error; data may still be readable.
    pub fn hung_up(&self) -> bool {
        self.0.revents & (libc::POLLHUP | libc::POLLERR | libc::POLLNVAL) != 0
    }
}

/// Waits until a descriptor of `fds` is ready or `timeout` has passed (`None`: for ever), and returns how many are ready.
///
/// A signal ends the wait early with `Ok(0)`: callers loop around this anyway. Time-outs are kept to the microsecond on
/// Linux; elsewhere they are rounded up to the millisecond, so that a caller never wakes just before its deadline.
pub fn poll(fds: &mut [PollFd], timeout: Option<Duration>) -> io::Result<usize> {
    #[cfg(target_os = "linux")]
    let n = {
        let ts = timeout.map(|d| libc::timespec {
            tv_sec: d.as_secs().min(i32::MAX as u64) as libc::time_t,
            tv_nsec: d.subsec_nanos() as libc::c_long,
        });
        let ts_ptr = ts.as_ref().map_or(std::ptr::null(), |t| t as *const libc::timespec);
        // SAFETY: `PollFd` is a transparent `pollfd`, so the slice is an array of `fds.len()` of them, borrowed mutably
        // for the call; `ts_ptr` is null or points to `ts`, which outlives the call; a null mask leaves signals alone.
        #[allow(unsafe_code)]
        unsafe {
            libc::ppoll(fds.as_mut_ptr().cast(), fds.len() as libc::nfds_t, ts_ptr, std::ptr::null())
        }
    };
    #[cfg(not(target_os = "linux"))]
    let n = {
        let ms = timeout.map_or(-1, |d| d.as_nanos().div_ceil(1_000_000).min(i32::MAX as u128) as libc::c_int);
        // SAFETY: `PollFd` is a transparent `pollfd`, so the slice is an array of `fds.len()` of them, borrowed mutably
        // for the call.
        #[allow(unsafe_code)]
        unsafe {
            libc::poll(fds.as_mut_ptr().cast(), fds.len() as libc::nfds_t, ms)
        }
    };
    if n < 0 {
        let e = io::Error::last_os_error();
        if e.kind() == io::ErrorKind::Interrupted {
            fds.iter_mut().for_each(|f| f.0.revents = 0);
            return Ok(0);
        }
        return Err(e);
    }
    Ok(n as usize)
}

/// As [`poll`], but looks again and again for that long before it sleeps; in the second half others that want this core get it.
pub fn poll_eagerly(fds: &mut [PollFd], eager: Duration, timeout: Option<Duration>) -> io::Result<usize> {
    if eager > Duration::ZERO && timeout.is_none_or(|t| t > Duration::ZERO) {
        let begun = Instant::now();
        let eager = timeout.map_or(eager, |t| t.min(eager));
        loop {
            match poll(fds, Some(Duration::ZERO)) {
                Ok(0) => {}
                found => return found,
            }
            let waited = begun.elapsed();
            if waited >= eager {
                break;
            } else if waited > eager / 2 {
                std::thread::yield_now();
            }
        }
        let left = timeout.map(|t| t.saturating_sub(begun.elapsed()));
        return poll(fds, left);
    }
    poll(fds, timeout)
}

/// A descriptor that any thread can make readable: put [`Wake::fd`] among the descriptors of a [`poll`], call
/// [`Wake::wake`] from elsewhere to end it, then [`Wake::drain`] before looking at what there is to do.
///
/// Wakes before a drain merge into one. Every method takes `&self` and is safe from any thread; `wake` never blocks.
/// An eventfd on Linux, a pipe elsewhere.
pub struct Wake {
    read: OwnedFd,
    #[cfg(not(target_os = "linux"))]
    write: OwnedFd,
}

impl Wake {
    #[cfg(target_os = "linux")]
    pub fn new() -> io::Result<Wake> {
        // SAFETY: no pointers are passed; the result is checked below.
        #[allow(unsafe_code)]
        let fd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `fd` was just opened and nothing else owns it.
        #[allow(unsafe_code)]
        let read = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Wake { read })
    }

    #[cfg(not(target_os = "linux"))]
    pub fn new() -> io::Result<Wake> {
        let mut fds = [0 as RawFd; 2];
        // SAFETY: `fds` has room for the two descriptors that pipe() writes.
        #[allow(unsafe_code)]
        if unsafe { libc::pipe(fds.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: both descriptors were just opened and nothing else owns them.
        #[allow(unsafe_code)]
        let (read, write) = unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) };
        for fd in fds {
            // SAFETY: `fd` is open, and fcntl with these commands takes no pointers.
            #[allow(unsafe_code)]
            let failed = unsafe {
                libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK) < 0
                    || libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) < 0
            };
            if failed {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(Wake { read, write })
    }

    /// The descriptor to wait on for reading. It stays owned by the `Wake`.
    pub fn fd(&self) -> RawFd {
        self.read.as_raw_fd()
    }

    /// Makes the descriptor readable until the next [`Wake::drain`].
    pub fn wake(&self) {
        #[cfg(target_os = "linux")]
        let fd = self.read.as_raw_fd();
        #[cfg(not(target_os = "linux"))]
        let fd = self.write.as_raw_fd();
        let one = 1u64.to_ne_bytes();
        let len = if cfg!(target_os = "linux") { one.len() } else { 1 };
        // SAFETY: `one` has `len` readable bytes and `fd` is open as long as `self` lives. A full pipe or counter
        // (EAGAIN) means that the descriptor is readable already, so the result does not matter.
        #[allow(unsafe_code)]
        unsafe {
            libc::write(fd, one.as_ptr().cast(), len);
        }
    }

    /// Takes back every wake so far, and says whether there was one.
    pub fn drain(&self) -> bool {
        let mut buf = [0u8; 64];
        let mut woken = false;
        loop {
            // SAFETY: `buf` has `buf.len()` writable bytes and the descriptor is open as long as `self` lives.
            #[allow(unsafe_code)]
            let n = unsafe { libc::read(self.read.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len()) };
            if n <= 0 {
                return woken;
            }
            woken = true;
            // An eventfd's one read takes the whole counter, a short read empties a pipe.
            if cfg!(target_os = "linux") || (n as usize) < buf.len() {
                return true;
            }
        }
    }
}

impl AsRawFd for Wake {
    fn as_raw_fd(&self) -> RawFd {
        self.fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    #[test]
    fn wake_is_seen_once() {
        let w = Wake::new().unwrap();
        let mut fds = [PollFd::new(w.fd(), true, false)];
        assert_eq!(poll(&mut fds, Some(Duration::ZERO)).unwrap(), 0);
        w.wake();
        w.wake();
        assert_eq!(poll(&mut fds, None).unwrap(), 1);
        assert!(fds[0].readable() && !fds[0].hung_up());
        assert!(w.drain());
        assert!(!w.drain());
        assert_eq!(poll(&mut fds, Some(Duration::ZERO)).unwrap(), 0);
    }

    #[test]
    fn wake_ends_a_wait_in_another_thread() {
        let w = std::sync::Arc::new(Wake::new().unwrap());
        let w2 = w.clone();
        let t = std::thread::spawn(move || {
            let mut fds = [PollFd::new(w2.fd(), true, false)];
            poll(&mut fds, Some(Duration::from_secs(30))).unwrap()
        });
        w.wake();
        assert_eq!(t.join().unwrap(), 1);
    }

    #[test]
    fn timeout_is_not_cut_short() {
        let t = Instant::now();
        assert_eq!(poll(&mut [], Some(Duration::from_micros(1500))).unwrap(), 0);
        assert!(t.elapsed() >= Duration::from_micros(1500));
    }

    #[test]
    fn looking_before_sleeping_changes_neither_what_is_found_nor_when() {
        let w = Wake::new().unwrap();
        let mut fds = [PollFd::new(w.fd(), true, false)];
        for (eager, timeout) in
            [(0, 2), (1, 3), (3, 1), (1, 0)].map(|(a, b)| (Duration::from_millis(a), Duration::from_millis(b)))
        {
            let begun = Instant::now();
            assert_eq!(poll_eagerly(&mut fds, eager, Some(timeout)).unwrap(), 0);
            assert!(begun.elapsed() >= timeout, "{:?} of {timeout:?}", begun.elapsed());
        }
        w.wake();
        assert_eq!(poll_eagerly(&mut fds, Duration::from_secs(30), None).unwrap(), 1);
        assert!(fds[0].readable());
        w.drain();
        let wakes_late = std::thread::scope(|s| {
            s.spawn(|| {
                std::thread::sleep(Duration::from_millis(20));
                w.wake();
            });
            poll_eagerly(&mut fds, Duration::from_millis(1), None).unwrap()
        });
        assert_eq!(wakes_late, 1);
    }

    #[test]
    fn sockets_tell_readable_writable_and_hang_up() {
        let (a, mut b) = UnixStream::pair().unwrap();
        let mut fds = [PollFd::new(a.as_raw_fd(), true, true)];
        poll(&mut fds, None).unwrap();
        assert!(fds[0].writable() && !fds[0].readable());
        fds[0].set_interest(true, false);
        b.write_all(b"x").unwrap();
        poll(&mut fds, None).unwrap();
        assert!(fds[0].readable() && !fds[0].hung_up());
        drop(b);
        poll(&mut fds, None).unwrap();
        assert!(fds[0].hung_up());
    }
}
