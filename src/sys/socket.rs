//! Sockets: resolving a name, starting a connection without blocking, options, scatter writes that raise no SIGPIPE.

use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, TcpKeepalive, Type};
use std::io::{self, IoSlice, Read};
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// Which addresses of a name are used (`broker.address.family`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    Any,
    V4,
    V6,
}

/// Socket options of a broker connection.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes; 0 leaves the system's default.
    pub send_buffer: usize,
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

/// A TCP connection of the client, non-blocking.
#[derive(Debug)]
pub struct Tcp {
    socket: Socket,
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
        Ok(Tcp { socket })
    }

    /// A stream socket that is connected already, such as one of a pair; for tests and fuzzing.
    pub fn of(socket: impl Into<OwnedFd>) -> io::Result<Tcp> {
        let socket = Socket::from(socket.into());
        socket.set_nonblocking(true)?;
        Ok(Tcp { socket })
    }

    /// After the socket became writable: whether the connection stands.
    pub fn connected(&self) -> io::Result<()> {
        match self.socket.take_error()? {
            Some(e) => Err(e),
            None => self.socket.peer_addr().map(drop),
        }
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
