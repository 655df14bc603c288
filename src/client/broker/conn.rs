//! One connection: requests out, responses in, and the requests in flight between them, in order.

use super::super::topic::Partition;
use super::stream::Stream;
use super::MetadataQuery;
use crate::accumulator::batch::Batch;
use crate::protocol::api::ApiKey;
use crate::security::tls::looks_like_tls;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::time::Instant;

/// What a request in flight was for.
pub enum Purpose {
    ApiVersions,
    /// SaslHandshake or SaslAuthenticate; its bytes are secret.
    Sasl,
    Metadata {
        tag: u64,
        /// What was asked, if it was before the broker's versions were known.
        early: Option<MetadataQuery>,
    },
    ProducerId,
    Query {
        tag: u64,
    },
    /// The batches in the order of the request; one that has its verdict already is `None`.
    Produce {
        batches: Vec<Option<Batch<Partition>>>,
        /// The topic id by which each went; metadata may have another one by the time of the answer.
        topic_ids: Vec<[u8; 16]>,
        acks: i16,
    },
    /// Timed out: its fate is decided, and the answer, should it come, is passed over (`socket.max.fails` above 1).
    GivenUp,
}

/// A request, from its first byte written to its response.
pub struct InFlight {
    pub correlation_id: i32,
    pub api: ApiKey,
    pub version: i16,
    /// When it was made, and when the last byte of it was written.
    pub made: Instant,
    pub sent: Instant,
    /// When it counts as lost.
    pub deadline: Instant,
    pub purpose: Purpose,
    /// The bytes of the request but for the batches' records.
    head: Vec<u8>,
    /// Where in `head` each batch's records go.
    cuts: Vec<usize>,
    length: usize,
    written: usize,
}

impl InFlight {
    pub fn new(
        correlation_id: i32,
        api: ApiKey,
        version: i16,
        deadline: Instant,
        purpose: Purpose,
        head: Vec<u8>,
        cuts: Vec<usize>,
    ) -> InFlight {
        let mut length = head.len();
        if let Purpose::Produce { batches, .. } = &purpose {
            length += batches.iter().flatten().map(records_len).sum::<usize>();
        }
        let now = Instant::now();
        InFlight {
            correlation_id,
            api,
            version,
            made: now,
            sent: now,
            deadline,
            purpose,
            head,
            cuts,
            length,
            written: 0,
        }
    }

    /// The bytes still to be written, as slices in order.
    fn rest(&self) -> Vec<IoSlice<'_>> {
        let mut slices: Vec<&[u8]> = Vec::with_capacity(self.cuts.len() * 4 + 1);
        let mut from = 0;
        if let Purpose::Produce { batches, .. } = &self.purpose {
            for (cut, batch) in self.cuts.iter().zip(batches) {
                slices.push(&self.head[from..*cut]);
                from = *cut;
                if let Some(b) = batch {
                    match &b.compressed {
                        Some((_, bytes)) => slices.push(bytes),
                        None => slices.extend(b.slices()),
                    }
                }
            }
        }
        slices.push(&self.head[from..]);
        let mut skip = self.written;
        let mut out = Vec::with_capacity(slices.len());
        for s in slices {
            if skip >= s.len() {
                skip -= s.len();
            } else {
                out.push(IoSlice::new(&s[skip..]));
                skip = 0;
            }
        }
        out
    }

    /// Gives the memory of what is written back; secrets are wiped.
    pub fn forget_bytes(&mut self) {
        if matches!(self.purpose, Purpose::Sasl) {
            zeroize::Zeroize::zeroize(&mut self.head);
        }
        self.head = Vec::new();
    }

    pub fn fully_written(&self) -> bool {
        self.written == self.length
    }

    pub fn started(&self) -> bool {
        self.written > 0
    }
}

/// Length of a batch's records as they go on the wire.
pub fn records_len(b: &Batch<Partition>) -> usize {
    b.compressed.as_ref().map_or(b.bytes, |(_, bytes)| bytes.len())
}

/// Most slices of one write; the system's own limit is 1024.
const MAX_SLICES: usize = 1024;
/// The receive buffer's size at first: enough for most brokers' versions. What is never read into would be cleared, and perhaps
/// new to the process, before the connection's first request.
const FIRST_BUFFER: usize = 1 << 10;
/// What it grows to next, and shrinks to: most responses are far smaller.
const READ_BUFFER: usize = 4 << 10;
/// From which size on it shrinks when it is empty.
const LARGE_BUFFER: usize = 256 << 10;

pub struct Conn {
    pub stream: Stream,
    pub in_flight: VecDeque<InFlight>,
    /// Of those, how many at the end are not fully written.
    unwritten: usize,
    next_correlation_id: i32,
    buffer: Vec<u8>,
    /// The part of `buffer` that holds received bytes.
    start: usize,
    end: usize,
    max_frame: usize,
    /// When the session must be renewed (KIP-368).
    pub session_ends: Option<Instant>,
    pub last_sent: Instant,
    pub last_received: Instant,
    /// `ApiKey` → version range of the broker; empty until it has answered.
    pub versions: Vec<(i16, i16, i16)>,
    /// The broker has answered a request beyond ApiVersions and authentication.
    pub answered: bool,
}

/// What came of writing.
#[derive(Default)]
pub struct Written {
    pub bytes: u64,
    pub requests: u64,
}

impl Conn {
    pub fn new(stream: Stream, max_frame: usize) -> Conn {
        let now = Instant::now();
        Conn {
            stream,
            in_flight: VecDeque::new(),
            unwritten: 0,
            next_correlation_id: 1,
            buffer: vec![0; FIRST_BUFFER],
            start: 0,
            end: 0,
            max_frame,
            session_ends: None,
            last_sent: now,
            last_received: now,
            versions: Vec::new(),
            answered: false,
        }
    }

    pub fn correlation_id(&mut self) -> i32 {
        let id = self.next_correlation_id;
        self.next_correlation_id = id.wrapping_add(1) & i32::MAX;
        id
    }

    pub fn push(&mut self, request: InFlight) {
        self.in_flight.push_back(request);
        self.unwritten += 1;
    }

    /// Requests that are not written whole, and those that wait for their response.
    pub fn counts(&self) -> (usize, usize) {
        (self.unwritten, self.in_flight.len() - self.unwritten)
    }

    /// There are bytes that the socket has not taken.
    pub fn blocked(&self) -> bool {
        self.unwritten > 0 || self.stream.wants_write()
    }

    /// Writes until everything is written or the socket takes no more.
    pub fn flush(&mut self) -> io::Result<Written> {
        let mut sum = Written::default();
        self.stream.push()?;
        while self.unwritten > 0 {
            let at = self.in_flight.len() - self.unwritten;
            let request = &mut self.in_flight[at];
            let rest = request.rest();
            match self.stream.write_vectored(&rest[..rest.len().min(MAX_SLICES)]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    drop(rest);
                    request.written += n;
                    sum.bytes += n as u64;
                    self.last_sent = Instant::now();
                    if request.fully_written() {
                        request.sent = self.last_sent;
                        request.forget_bytes();
                        self.unwritten -= 1;
                        sum.requests += 1;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(sum)
    }

    /// Takes a request that expects no response (acks=0) and is written, wherever it stands: those before it wait for
    /// theirs.
    pub fn take_unanswered(&mut self) -> Option<InFlight> {
        let written = self.in_flight.len() - self.unwritten;
        let unanswered = |r: &InFlight| matches!(r.purpose, Purpose::Produce { acks: 0, .. });
        let at = self.in_flight.iter().take(written).position(unanswered)?;
        self.in_flight.remove(at)
    }

    /// Reads once, and says how much, and whether there may be more to read at once. `Ok((0, _))`: the peer has closed.
    pub fn fill(&mut self) -> io::Result<(usize, bool)> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.buffer.len() > LARGE_BUFFER {
                self.buffer = vec![0; READ_BUFFER];
            }
        } else if self.end == self.buffer.len() {
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            } else {
                // Grown by what has arrived, not by what a length field claims.
                let most = self.max_frame.saturating_add(4).max(READ_BUFFER);
                let n = self.buffer.len().saturating_mul(2).clamp(READ_BUFFER, most);
                self.buffer.resize(n.max(self.buffer.len() + 1), 0);
            }
        }
        let room = self.buffer.len() - self.end;
        let (n, more) = match &mut self.stream {
            // Less than there was room for is all that the socket had.
            Stream::Plain(tcp) => tcp.read(&mut self.buffer[self.end..]).map(|n| (n, n == room))?,
            Stream::Tls(tls) => (tls.read(&mut self.buffer, self.end)?, true),
        };
        self.end += n;
        self.last_received = Instant::now();
        Ok((n, more))
    }

    /// The next whole frame, without its length: a range of the buffer for `bytes`. An error if the length is impossible.
    pub fn next_frame(&mut self) -> Result<Option<std::ops::Range<usize>>, String> {
        let have = &self.buffer[self.start..self.end];
        let Some((len, rest)) = have.split_first_chunk::<4>() else { return Ok(None) };
        let len = i32::from_be_bytes(*len);
        if self.versions.is_empty() && looks_like_tls(have) {
            return Err("the broker's port speaks TLS: set security.protocol to ssl or sasl_ssl".to_owned());
        }
        if len < 4 || len as usize > self.max_frame {
            return Err(format!(
                "a response of {len} bytes: not from 4 to receive.message.max.bytes={} (is this a Kafka broker, \
                 and the right security.protocol?)",
                self.max_frame
            ));
        }
        let len = len as usize;
        if rest.len() < len {
            return Ok(None);
        }
        let from = self.start + 4;
        self.start = from + len;
        Ok(Some(from..from + len))
    }

    /// Size of the receive buffer.
    pub fn buffer_len(&self) -> usize {
        self.buffer.len()
    }

    pub fn bytes(&self, range: std::ops::Range<usize>) -> &[u8] {
        &self.buffer[range]
    }

    /// Versions of an API that the broker speaks.
    pub fn version_range(&self, api: ApiKey) -> Option<(i16, i16)> {
        let key = api as i16;
        self.versions.iter().find(|v| v.0 == key).map(|v| (v.1, v.2))
    }
}
