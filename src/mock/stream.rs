//! What a connection of the embedded broker goes through: the socket itself, or TLS upon it.

use rustls::{ServerConfig, ServerConnection};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

pub enum Stream {
    Plain(TcpStream),
    Tls(Box<Tls>),
}

pub struct Tls {
    tcp: TcpStream,
    conn: ServerConnection,
    /// Plaintext bytes that rustls holds.
    plaintext: usize,
}

impl Stream {
    pub fn new(tcp: TcpStream, tls: Option<Arc<ServerConfig>>) -> io::Result<Stream> {
        let Some(config) = tls else { return Ok(Stream::Plain(tcp)) };
        let conn = ServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Stream::Tls(Box::new(Tls { tcp, conn, plaintext: 0 })))
    }

    pub fn fd(&self) -> RawFd {
        match self {
            Stream::Plain(tcp) => tcp.as_raw_fd(),
            Stream::Tls(tls) => tls.tcp.as_raw_fd(),
        }
    }

    /// Something was received that poll knows nothing of.
    pub fn buffered(&self) -> bool {
        matches!(self, Stream::Tls(tls) if tls.plaintext > 0)
    }

    /// Bytes wait that the socket has not taken.
    pub fn wants_write(&self) -> bool {
        matches!(self, Stream::Tls(tls) if tls.conn.wants_write())
    }

    /// Sends those, as far as the socket takes them.
    pub fn push(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(_) => Ok(()),
            Stream::Tls(tls) => tls.push(),
        }
    }
}

impl Tls {
    fn push(&mut self) -> io::Result<()> {
        while self.conn.wants_write() {
            match self.conn.write_tls(&mut self.tcp) {
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.plaintext == 0 {
            let n = self.conn.read_tls(&mut self.tcp)?;
            match self.conn.process_new_packets() {
                Ok(state) => self.plaintext = state.plaintext_bytes_to_read(),
                Err(e) => {
                    // The alert that tells the client why.
                    let _ = self.push();
                    return Err(io::Error::new(io::ErrorKind::InvalidData, e));
                }
            }
            self.push()?;
            if self.plaintext == 0 {
                return if n == 0 { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
            }
        }
        let n = self.conn.reader().read(into)?;
        self.plaintext = self.plaintext.saturating_sub(n);
        Ok(n)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push()?;
        if self.conn.wants_write() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let n = self.conn.writer().write(bytes)?;
        self.push()?;
        Ok(n)
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(tcp) => tcp.read(into),
            Stream::Tls(tls) => tls.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(tcp) => tcp.write(bytes),
            Stream::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.push()
    }
}
