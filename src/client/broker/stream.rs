//! What a connection's bytes go through: the socket itself, or TLS upon it.

use crate::sys::socket::Tcp;
use rustls::ClientConnection;
use std::io::{self, IoSlice, Read, Write};
use std::os::fd::RawFd;

/// A connected stream, non-blocking.
pub enum Stream {
    Plain(Tcp),
    Tls(Box<TlsStream>),
}

impl Stream {
    pub fn fd(&self) -> RawFd {
        match self {
            Stream::Plain(tcp) => tcp.fd(),
            Stream::Tls(tls) => tls.tcp.fd(),
        }
    }

    /// Takes bytes of the slices, in order; `WouldBlock` if there is room for none. What TLS has taken is encrypted, and
    /// leaves by this call or the next ones, or by `push`.
    pub fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Stream::Plain(tcp) => tcp.write_vectored(slices),
            Stream::Tls(tls) => tls.write_vectored(slices),
        }
    }

    /// Bytes wait to leave that no request accounts for any more.
    pub fn wants_write(&self) -> bool {
        match self {
            Stream::Plain(_) => false,
            Stream::Tls(tls) => tls.conn.wants_write(),
        }
    }

    /// Sends what waits, as far as the socket takes it.
    pub fn push(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(_) => Ok(()),
            Stream::Tls(tls) => tls.push(),
        }
    }
}

/// TLS upon a socket. One record's plaintext is copied once, from where the batch lies into the record that is encrypted
/// in place.
pub struct TlsStream {
    tcp: Tcp,
    conn: ClientConnection,
}

/// Reads a socket as rustls wants it.
struct Socket<'a>(&'a Tcp);

impl Read for Socket<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How a handshake stands.
#[derive(Debug)]
pub enum Handshake {
    Done,
    UnderWay,
}

/// Why a handshake failed.
#[derive(Debug)]
pub enum HandshakeError {
    /// The peer closed the connection before it was done.
    Closed,
    Tls(rustls::Error),
    Io(io::Error),
}

/// rustls's error in an I/O error that it made, or the I/O error.
fn unwrap(e: io::Error) -> HandshakeError {
    match e.downcast::<rustls::Error>() {
        Ok(e) => HandshakeError::Tls(e),
        Err(e) => HandshakeError::Io(e),
    }
}

impl TlsStream {
    pub fn new(tcp: Tcp, conn: ClientConnection) -> TlsStream {
        TlsStream { tcp, conn }
    }

    pub fn fd(&self) -> RawFd {
        self.tcp.fd()
    }

    pub fn wants_write(&self) -> bool {
        self.conn.wants_write()
    }

    /// Version and cipher suite, once the handshake is done.
    pub fn describe(&self) -> String {
        let version = self.conn.protocol_version().map_or_else(|| "?".to_owned(), |v| format!("{v:?}"));
        let suite = self.conn.negotiated_cipher_suite().map_or_else(|| "?".to_owned(), |s| format!("{:?}", s.suite()));
        let kind = self.conn.handshake_kind().map_or_else(|| "?".to_owned(), |k| format!("{k:?}"));
        format!("{version}, {suite}, {} handshake", kind.to_lowercase())
    }

    /// Goes on with the handshake as far as the socket lets.
    pub fn handshake(&mut self) -> Result<Handshake, HandshakeError> {
        loop {
            self.push().map_err(unwrap)?;
            if !self.conn.is_handshaking() {
                return Ok(Handshake::Done);
            }
            if self.conn.wants_write() {
                return Ok(Handshake::UnderWay);
            }
            match self.conn.read_tls(&mut Socket(&self.tcp)) {
                Ok(0) => return Err(HandshakeError::Closed),
                Ok(_) => {
                    if let Err(e) = self.conn.process_new_packets() {
                        // The alert that tells the broker why.
                        let _ = self.push();
                        return Err(HandshakeError::Tls(e));
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(Handshake::UnderWay),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(HandshakeError::Io(e)),
            }
        }
    }

    fn push(&mut self) -> io::Result<()> {
        while self.conn.wants_write() {
            match self.conn.write_tls(&mut Socket(&self.tcp)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.push()?;
        if self.conn.wants_write() {
            // Ciphertext that the socket does not take is enough of a queue.
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let n = self.conn.writer().write_vectored(slices)?;
        self.push()?;
        if n == 0 && slices.iter().any(|s| !s.is_empty()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(n)
    }

    /// Reads the socket once and puts what that gives in plaintext behind `buffer[end..]`, which grows as needed. Returns
    /// the bytes added, `Ok(0)` at the end of the stream; `WouldBlock` if the socket has nothing, or only part of a record.
    pub fn read(&mut self, buffer: &mut Vec<u8>, end: usize) -> io::Result<usize> {
        let n = self.conn.read_tls(&mut Socket(&self.tcp))?;
        let state = match self.conn.process_new_packets() {
            Ok(state) => state,
            Err(e) => {
                let _ = self.push();
                return Err(io::Error::new(io::ErrorKind::InvalidData, e));
            }
        };
        let ready = state.plaintext_bytes_to_read();
        if ready == 0 {
            // A peer that ends without close_notify has lost nothing of ours: each response says its length.
            return if n == 0 || state.peer_has_closed() { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
        }
        if buffer.len() < end + ready {
            buffer.resize(end + ready, 0);
        }
        self.conn.reader().read_exact(&mut buffer[end..end + ready])?;
        Ok(ready)
    }
}
