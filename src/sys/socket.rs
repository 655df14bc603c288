//! Sockets: resolving a name, starting a connection without blocking, options, scatter writes that raise no SIGPIPE.

use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, TcpKeepalive, Type};
use std::io::{self, IoSlice, Read};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// Which addresses of a name are used (`broker.address.family`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    Any,
    V4,
    V6,
}

/// Bytes of the send buffer of a connection within this host, where nothing is under way for long, so that more would not be
/// there any sooner. Left to itself the system lets the buffer grow to megabytes, and what was written to it is in no cache
/// any more when the broker reads it.
const NEAR_SEND_BUFFER: usize = 512 << 10;

/// Socket options of a broker connection.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes; 0 leaves it to the system, or is [`NEAR_SEND_BUFFER`] within this host.
    pub send_buffer: usize,
    /// Bytes; 0 leaves it to the system.
    pub receive_buffer: usize,
    pub keepalive: bool,
    pub no_delay: bool,
}

/// Makes a socket of a domain, type and protocol.
pub type SocketFn = Box<dyn Fn(i32, i32, i32) -> io::Result<OwnedFd> + Send + Sync>;

/// Connects a non-blocking socket to an address, on behalf of a broker (`host:port`). It may have connected when it returns, or
/// have begun to.
pub type ConnectFn = Box<dyn Fn(RawFd, &SockAddr, &str) -> io::Result<()> + Send + Sync>;

/// What the application does itself of making and connecting sockets.
#[derive(Default)]
pub struct Maker {
    pub socket: Option<SocketFn>,
    pub connect: Option<ConnectFn>,
}

/// All addresses of a host, in the resolver's order. Blocks as long as the resolver does.
pub fn resolve(host: &str, port: u16, family: Family) -> io::Result<Vec<SocketAddr>> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut all: Vec<SocketAddr> = Vec::new();
    for addr in (host, port).to_socket_addrs()? {
        let wanted = match family {
            Family::Any => true,
            Family::V4 => addr.is_ipv4(),
            Family::V6 => addr.is_ipv6(),
        };
        // They are few.
        if wanted && !all.contains(&addr) {
            all.push(addr);
        }
    }
    if all.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address of the wanted family"));
    }
    Ok(all)
}

/// Whether a connection of these two ends does not leave this host.
fn is_near(local: IpAddr, peer: IpAddr) -> bool {
    let (local, peer) = (local.to_canonical(), peer.to_canonical());
    local == peer || peer.is_loopback()
}

/// A TCP connection of the client, non-blocking.
#[derive(Debug)]
pub struct Tcp {
    socket: Socket,
    /// Nobody has said what its send buffer is to be.
    may_bound: bool,
}

impl Tcp {
    /// Starts to connect on behalf of `broker`; the socket becomes writable when that has succeeded or failed (see
    /// `connected`).
    pub fn start(addr: SocketAddr, o: &Options, maker: &Maker, broker: &str) -> io::Result<Tcp> {
        let domain = Domain::for_address(addr);
        let socket = match &maker.socket {
            Some(make) => Socket::from(make(domain.into(), Type::STREAM.into(), Protocol::TCP.into())?),
            None => Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?,
        };
        socket.set_nonblocking(true)?;
        if o.send_buffer > 0 {
            socket.set_send_buffer_size(o.send_buffer)?;
        }
        if o.receive_buffer > 0 {
            socket.set_recv_buffer_size(o.receive_buffer)?;
        }
        if o.no_delay {
            socket.set_tcp_nodelay(true)?;
        }
        if o.keepalive {
            socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(Duration::from_secs(60)))?;
        }
        #[cfg(target_vendor = "apple")]
        socket.set_nosigpipe(true)?;
        let addr = SockAddr::from(addr);
        let connected = match &maker.connect {
            Some(connect) => {
                let connected = connect(socket.as_raw_fd(), &addr, broker);
                // A proxy's handshake is easier to write with a socket that blocks.
                socket.set_nonblocking(true)?;
                connected
            }
            None => socket.connect(&addr),
        };
        match connected {
            Ok(()) => {}
            Err(e) if e.raw_os_error() == Some(libc::EINPROGRESS) || e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
        // The application may have set options of its own.
        let may_bound = o.send_buffer == 0 && maker.socket.is_none() && maker.connect.is_none();
        Ok(Tcp { socket, may_bound })
    }

    /// A stream socket that is connected already, such as one of a pair; for tests and fuzzing.
    pub fn of(socket: impl Into<OwnedFd>) -> io::Result<Tcp> {
        let socket = Socket::from(socket.into());
        socket.set_nonblocking(true)?;
        Ok(Tcp { socket, may_bound: false })
    }

    /// After the socket became writable: whether the connection stands.
    pub fn connected(&self) -> io::Result<()> {
        if let Some(e) = self.socket.take_error()? {
            return Err(e);
        }
        let peer = self.socket.peer_addr()?;
        let local = self.may_bound.then(|| self.socket.local_addr().ok()?.as_socket()).flatten();
        if let (Some(local), Some(peer)) = (local, peer.as_socket()) {
            if is_near(local.ip(), peer.ip()) {
                // Only a wish.
                let _ = self.socket.set_send_buffer_size(NEAR_SEND_BUFFER);
            }
        }
        Ok(())
    }

    pub fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        (&self.socket).read(into)
    }

    /// Writes what the socket takes of the slices, in order.
    pub fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
        const FLAGS: i32 = libc::MSG_NOSIGNAL;
        #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
        const FLAGS: i32 = 0;
        SockRef::from(&self.socket).send_vectored_with_flags(slices, FLAGS)
    }

    pub fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    const DEFAULTS: Options = Options { send_buffer: 0, receive_buffer: 0, keepalive: false, no_delay: true };

    /// The send buffer of a new connection within this host.
    fn send_buffer(o: &Options, maker: &Maker) -> usize {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let tcp = Tcp::start(listener.local_addr().expect("its address"), o, maker, "test:1").expect("a socket");
        let _accepted = listener.accept().expect("a connection");
        while let Err(e) = tcp.connected() {
            assert_eq!(e.kind(), io::ErrorKind::NotConnected);
        }
        tcp.socket.send_buffer_size().expect("its send buffer")
    }

    #[test]
    fn the_send_buffer_within_this_host_is_bounded_unless_somebody_says_what_it_is() {
        // Asked of a socket, since the system has a limit of its own and may double the figure.
        let asked = |bytes| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            socket.set_send_buffer_size(bytes).expect("an option");
            socket.send_buffer_size().expect("its send buffer")
        };
        assert_eq!(send_buffer(&DEFAULTS, &Maker::default()), asked(NEAR_SEND_BUFFER));
        let own = Options { send_buffer: 40_000, ..DEFAULTS };
        assert_eq!(send_buffer(&own, &Maker::default()), asked(40_000));
        let make: SocketFn = Box::new(|domain, kind, protocol| {
            let socket = Socket::new(domain.into(), kind.into(), Some(protocol.into()))?;
            socket.set_send_buffer_size(50_000)?;
            Ok(socket.into())
        });
        let maker = Maker { socket: Some(make), ..Maker::default() };
        assert_eq!(send_buffer(&DEFAULTS, &maker), asked(50_000));
    }

    #[test]
    fn a_connection_is_near_if_it_does_not_leave_this_host() {
        let near = |a: &str, b: &str| is_near(a.parse().expect("an address"), b.parse().expect("an address"));
        assert!(near("127.0.0.1", "127.0.0.1") && near("127.0.0.1", "127.0.0.2") && near("::1", "::1"));
        assert!(near("10.0.0.7", "10.0.0.7") && near("fd00::7", "fd00::7") && near("::ffff:10.0.0.7", "10.0.0.7"));
        assert!(!near("10.0.0.7", "10.0.0.8") && !near("fd00::7", "fd00::8") && !near("192.168.1.2", "203.0.113.9"));
    }
}
