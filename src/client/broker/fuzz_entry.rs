//! What the fuzz targets `connection` and `tls` call; also replayed by `tests/fuzz_corpus.rs`. The peer's bytes come over a
//! socket, in the pieces in which they are written, through the very code of a broker's connection.

use super::conn::Conn;
use super::stream::{Handshake, HandshakeError, Stream, TlsStream};
use crate::security::tls::{explain, TlsContext};
use crate::sys::socket::Tcp;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

/// `receive.message.max.bytes` while fuzzing.
const MAX_FRAME: usize = 1 << 20;

/// A pair of sockets, both non-blocking.
fn pair() -> (Tcp, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    theirs.set_nonblocking(true).expect("a socket");
    (Tcp::of(ours).expect("a socket"), theirs)
}

/// Bytes where responses are due: pieces, each with its length (one byte) before it. Frames come out whole and in order,
/// an impossible length is an error, and memory is used for what has come alone.
pub fn connection(data: &[u8]) {
    let (ours, mut theirs) = pair();
    let mut conn = Conn::new(Stream::Plain(ours), MAX_FRAME);
    let (mut rest, mut sent, mut taken) = (data, 0, 0);
    while let Some((&len, after)) = rest.split_first() {
        let (piece, after) = after.split_at((len as usize).min(after.len()));
        rest = after;
        sent += piece.len();
        theirs.write_all(piece).expect("room in the socket");
        if piece.is_empty() {
            continue;
        }
        match read_frames(&mut conn, &mut taken) {
            Ok(()) => assert!(taken <= sent),
            Err(why) => {
                assert!(why.len() < 1000);
                return;
            }
        }
        assert!(conn.buffer_len() <= (2 * sent).max(1 << 18), "{} bytes for {sent}", conn.buffer_len());
    }
    // Not by closing it: whoever looks at this process's files at that moment would keep it open a little longer.
    theirs.shutdown(Shutdown::Write).expect("a connected socket");
    match fill(&mut conn) {
        Ok((0, false)) => {}
        other => panic!("{other:?} at the end of the stream"),
    }
}

/// Reads what there is; what a signal interrupts is done again, as the broker's thread does.
fn fill(conn: &mut Conn) -> io::Result<(usize, bool)> {
    loop {
        match conn.fill() {
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Reads what has come, to the end of the stream at most; adds what it took to `taken`.
fn read_frames(conn: &mut Conn, taken: &mut usize) -> Result<(), String> {
    loop {
        match fill(conn) {
            Ok((0, _)) => return Ok(()),
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(e) => return Err(e.to_string()),
        }
        while let Some(frame) = conn.next_frame()? {
            *taken += frame.len() + 4;
            assert!(conn.bytes(frame).len() <= MAX_FRAME);
        }
    }
}

/// What the peer of a TLS connection does next, given what it has received: bytes to be sent, or the end.
pub type Peer<'a> = &'a mut dyn FnMut(&[u8]) -> Option<Vec<u8>>;

/// A TLS connection to a peer that may say anything. Returns whether the handshake was done, and the frames' bytes, or the
/// text that an error event would have.
pub fn tls(context: &TlsContext, peer: Peer<'_>) -> Result<usize, String> {
    let (ours, mut theirs) = pair();
    let mut tls = TlsStream::new(ours, context.connect("localhost", None)?);
    let mut heard = Vec::new();
    let mut turn = |theirs: &mut UnixStream| -> bool {
        heard.clear();
        match theirs.read_to_end(&mut heard) {
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            other => drop(other),
        }
        let Some(answer) = peer(&heard) else {
            let _ = theirs.shutdown(Shutdown::Write);
            return false;
        };
        // More than the socket holds is not needed to go wrong.
        let _ = theirs.write(&answer);
        true
    };
    let mut open = true;
    loop {
        match tls.handshake() {
            Ok(Handshake::Done) => break,
            Ok(Handshake::UnderWay) if open => open = turn(&mut theirs),
            Ok(Handshake::UnderWay) => return Err("the peer has closed".to_owned()),
            Err(HandshakeError::Closed) => return Err("the peer has closed".to_owned()),
            Err(HandshakeError::Tls(e)) => return Err(explain(&e, "localhost")),
            Err(HandshakeError::Io(e)) => return Err(io_text(e)),
        }
    }
    assert!(!tls.describe().is_empty());
    let mut conn = Conn::new(Stream::Tls(Box::new(tls)), MAX_FRAME);
    let mut taken = 0;
    while open {
        open = turn(&mut theirs);
        read_frames(&mut conn, &mut taken)?;
        conn.stream.push().map_err(io_text)?;
    }
    Ok(taken)
}

fn io_text(e: io::Error) -> String {
    e.to_string()
}
