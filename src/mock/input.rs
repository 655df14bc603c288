//! A connection's input: bytes as they come, requests as they are whole.

use std::io::{self, Read};

/// The longest request, as `socket.request.max.bytes`.
const MAX_REQUEST: usize = 100 << 20;
/// The least that a read asks for.
pub const READ_CHUNK: usize = 64 << 10;
/// An empty input buffer beyond this size is given back.
const KEEP_BUFFER: usize = 8 << 20;

/// Bytes received; whole requests are handed out where they lie.
#[derive(Default)]
pub struct Input {
    buf: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    pub fn unread(&self) -> usize {
        self.end - self.start
    }

    /// Reads once or a few times; `Ok(false)` at the end of the stream.
    ///
    /// A request of a known length is read to its end and little further, so that hardly anything is ever moved, and the
    /// buffer grows with what has really come, never by what a length field claims.
    pub fn fill(&mut self, stream: &mut impl Read) -> io::Result<bool> {
        for _ in 0..4 {
            if self.start == self.end {
                (self.start, self.end) = (0, 0);
                if self.buf.len() > KEEP_BUFFER {
                    self.buf = Vec::new();
                }
            }
            let missing = match self.length() {
                Some(len) => (4 + len.min(MAX_REQUEST)).saturating_sub(self.unread()),
                None => 0,
            };
            let want = missing.max(READ_CHUNK);
            if self.buf.len() - self.end < want {
                self.buf.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.unread());
                let grown = (self.end + want).min((self.buf.len() * 2).max(4 * READ_CHUNK));
                if grown > self.buf.len() {
                    self.buf.resize(grown, 0);
                }
            }
            let room = want.min(self.buf.len() - self.end);
            let n = match stream.read(&mut self.buf[self.end..self.end + room]) {
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            if n == 0 {
                return Ok(false);
            }
            self.end += n;
            if n < room || missing <= n {
                break;
            }
        }
        Ok(true)
    }

    /// The length field of the next request; a negative one counts as the largest, which [`Input::frame`] refuses.
    fn length(&self) -> Option<usize> {
        let field: &[u8; 4] = self.buf[self.start..self.end].first_chunk()?;
        Some(usize::try_from(i32::from_be_bytes(*field)).unwrap_or(usize::MAX))
    }

    /// The next request without its length field, if it is whole.
    pub fn frame(&self) -> Result<Option<&[u8]>, String> {
        let Some(len) = self.length() else { return Ok(None) };
        if len > MAX_REQUEST {
            return Err(format!("request of {} bytes", len as i32));
        }
        Ok(self.buf[self.start + 4..self.end].get(..len))
    }

    pub fn consume(&mut self, n: usize) {
        self.start += n;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn frame(len: usize, byte: u8) -> Vec<u8> {
        let mut f = (len as i32).to_be_bytes().to_vec();
        f.resize(4 + len, byte);
        f
    }

    /// Gives what it holds in pieces of a given size.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(buf.len()).min(self.0.len());
            buf[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    #[test]
    fn requests_of_any_size_come_out_whole() {
        let sizes = [0, 1, 5, 300_000, 10, 70_000, 2_000_000, 3];
        let stream: Vec<u8> = sizes.iter().enumerate().flat_map(|(i, n)| frame(*n, i as u8)).collect();
        for piece in [1000, 1 << 16, usize::MAX] {
            let mut input = Input::default();
            let mut from = Pieces(&stream, piece);
            let mut seen = Vec::new();
            while input.fill(&mut from).unwrap() {
                while let Some(f) = input.frame().unwrap() {
                    assert!(f.iter().all(|b| *b as usize == seen.len()));
                    seen.push(f.len());
                    let n = f.len() + 4;
                    input.consume(n);
                }
            }
            assert_eq!(seen, sizes);
        }
    }

    #[test]
    fn a_claimed_length_takes_no_memory() {
        let mut input = Input::default();
        input.fill(&mut Pieces(&(90i32 << 20).to_be_bytes(), 4)).unwrap();
        assert_eq!(input.frame(), Ok(None));
        input.fill(&mut Pieces(&[0; 100], 100)).unwrap();
        assert!(input.buf.len() <= 8 * READ_CHUNK, "{}", input.buf.len());
        for len in [-1i32, i32::MIN, 200 << 20] {
            let mut input = Input::default();
            input.fill(&mut Pieces(&len.to_be_bytes(), 4)).unwrap();
            assert!(input.frame().is_err());
        }
    }
}
