//! A run of chunks that becomes one record batch on the wire, and later one delivery event.

use super::budget::Budget;
use super::chunk::{Entry, ENTRY};
use super::layout;
use super::pool::{ChunkRef, Pool};
use super::record::RecordView;
use crate::sys::checksum::{crc32c_append, crc32c_combine};
use std::sync::Arc;
use std::time::Instant;

/// What batches of one client share.
pub struct Home {
    pub pool: Pool,
    pub budget: Budget,
}

/// Whose records a batch holds. It is told when a batch is dropped without a verdict, so that its records can still be
/// reported: the promise is one report per accepted record, whatever happens to the thread that had it.
pub trait BatchOwner: Send + Sync {
    fn lost(&self, batch: Batch<Self>)
    where
        Self: Sized;
}

pub(super) struct Piece {
    pub chunk: ChunkRef,
    pub bytes: u32,
    pub count: u32,
    /// Memory charged to the budget for it.
    pub charged: usize,
}

impl Piece {
    /// Its records' bytes. To be called once all of them are written (`Chunk::complete`).
    #[allow(unsafe_code)]
    fn records(&self) -> &[u8] {
        debug_assert!(self.chunk.is_complete(self.bytes as usize));
        #[cfg(loom)]
        self.chunk.watch.read(self.count);
        let (data, _) = self.chunk.block();
        // SAFETY: the first `bytes` bytes were claimed, and all claims are committed, so they are written and nobody writes
        // them again before the batch gives the chunk back, which needs `&mut`.
        unsafe { std::slice::from_raw_parts(data, self.bytes as usize) }
    }
}

/// A first piece of so many bytes is summed by the thread that filled it.
const SUM_FROM: u32 = if cfg!(loom) { 0 } else { 16 << 10 };

pub struct Batch<O: BatchOwner> {
    body: Option<Box<Body<O>>>,
}

/// The content of a [`Batch`].
pub struct Body<O: BatchOwner> {
    pub(super) home: Arc<Home>,
    pub owner: Arc<O>,
    /// The place of its first record among all that the partition has accepted: rises from batch to batch, and gives the
    /// parts of a split batch places of their own. Retries go back to the place it tells.
    pub number: u64,
    pub(super) pieces: Vec<Piece>,
    /// Records, and their bytes uncompressed. Right once the batch is closed.
    pub count: u32,
    pub bytes: usize,
    pub base_timestamp: i64,
    pub opened: Instant,
    /// Microseconds since the epoch at opening, on the clock of the entries.
    pub opened_us: u64,
    /// Retries that count against `retries`.
    pub retries: u32,
    /// Times it was taken to be sent; the backoff grows with it.
    pub attempts: u32,
    /// It was written, whole or in part, to a broker that may have taken it.
    pub possibly_persisted: bool,
    /// Not to be sent before this (retry backoff).
    pub not_before: Option<Instant>,
    /// The records compressed, once that was done: codec id and bytes.
    pub compressed: Option<(u8, Vec<u8>)>,
    /// Compression was tried (and may not have been worth it).
    pub compression_tried: bool,
    /// Producer id, epoch and base sequence, once assigned (idempotence).
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    /// The checksum of the first `summed` pieces; see `sum_last`.
    sum: u32,
    pub(super) summed: usize,
    /// Bytes by which it counts as work ahead; none any more once it has its verdict.
    closed: usize,
    complete: bool,
    credits: bool,
    settled: bool,
}

impl<O: BatchOwner> std::ops::Deref for Batch<O> {
    type Target = Body<O>;
    fn deref(&self) -> &Body<O> {
        self.body.as_ref().expect("a batch has its body until it is dropped")
    }
}

impl<O: BatchOwner> std::ops::DerefMut for Batch<O> {
    fn deref_mut(&mut self) -> &mut Body<O> {
        self.body.as_mut().expect("a batch has its body until it is dropped")
    }
}

impl<O: BatchOwner> Batch<O> {
    pub(super) fn new(
        home: Arc<Home>,
        owner: Arc<O>,
        number: u64,
        base_timestamp: i64,
        opened: Instant,
        opened_us: u64,
    ) -> Self {
        Batch {
            body: Some(Box::new(Body {
                home,
                owner,
                number,
                pieces: Vec::new(),
                count: 0,
                bytes: 0,
                base_timestamp,
                opened,
                opened_us,
                retries: 0,
                attempts: 0,
                possibly_persisted: false,
                not_before: None,
                compressed: None,
                compression_tried: false,
                producer_id: -1,
                producer_epoch: -1,
                base_sequence: -1,
                sum: 0,
                summed: 0,
                closed: 0,
                complete: false,
                credits: true,
                settled: false,
            })),
        }
    }

    /// The batch has its verdict: dropping it now gives memory and credits back and tells nobody.
    pub fn settle(&mut self) {
        self.settled = true;
        self.count_as_gone();
    }

    /// Its records were moved elsewhere with their credits: dropping it gives only the memory back.
    pub fn moved(&mut self) {
        self.settled = true;
        self.credits = false;
    }
}

impl<O: BatchOwner> Body<O> {
    /// Waits until every record claimed in it has been written. To be called before its bytes are looked at.
    pub fn complete(&mut self) {
        if !self.complete {
            for p in &self.pieces {
                p.chunk.complete(p.bytes as usize);
            }
            self.complete = true;
        }
    }

    /// It takes no more records.
    pub(super) fn count_as_closed(&mut self) {
        self.closed = self.bytes;
        self.home.budget.closed(self.closed);
    }

    fn count_as_gone(&mut self) {
        self.home.budget.gone(std::mem::take(&mut self.closed));
    }

    /// Now, microseconds since the epoch by the clock as it was when the batch was opened.
    pub fn now_us(&self) -> u64 {
        self.opened_us + self.opened.elapsed().as_micros() as u64
    }

    /// The records' bytes, uncompressed, in order.
    pub fn slices(&self) -> impl Iterator<Item = &[u8]> {
        debug_assert!(self.complete);
        self.pieces.iter().map(Piece::records)
    }

    /// Takes the piece that was just sealed into the checksum, if it can be: on the thread that filled it, since its bytes
    /// are still in that core's cache. Small batches are left to the thread that sends them, for whom one pass is less work.
    pub(super) fn sum_last(&mut self) {
        let Some((p, before)) = self.pieces.split_last() else { return };
        let worth_it = self.summed > 0 || p.bytes >= SUM_FROM;
        if worth_it && self.summed == before.len() && p.chunk.is_complete(p.bytes as usize) {
            self.sum = crc32c_append(self.sum, p.records());
            self.summed += 1;
        }
    }

    /// The CRC-32C of `header` and the records behind it, uncompressed.
    pub fn crc32c_after(&self, header: &[u8]) -> u32 {
        let header = crc32c_append(0, header);
        if self.summed == 0 {
            return self.slices().fold(header, crc32c_append);
        }
        let records = self.slices().skip(self.summed).fold(self.sum, crc32c_append);
        crc32c_combine(header, records, self.bytes)
    }

    /// Latest timestamp among the records.
    pub fn max_timestamp(&self) -> i64 {
        self.pieces.iter().map(|p| p.chunk.max_timestamp()).max().unwrap_or(self.base_timestamp)
    }

    /// Walks the records with what travelled beside them.
    #[inline]
    pub fn records(&self) -> Records<'_> {
        debug_assert!(self.complete);
        Records {
            pieces: self.pieces.iter(),
            at: std::ptr::null(),
            entry: std::ptr::null(),
            left: 0,
            base_timestamp: 0,
            open_us: 0,
        }
    }

    /// Memory charged for it.
    pub fn charged(&self) -> usize {
        self.pieces.iter().map(|p| p.charged).sum()
    }
}

impl<O: BatchOwner> Drop for Batch<O> {
    fn drop(&mut self) {
        let Some(mut body) = self.body.take() else { return };
        if !body.settled && body.count > 0 {
            body.settled = true;
            let owner = Arc::clone(&body.owner);
            owner.lost(Batch { body: Some(body) });
            return;
        }
        body.complete();
        let charged = body.charged();
        for p in body.pieces.drain(..) {
            body.home.pool.put(p.chunk);
        }
        body.home.budget.discharge(charged);
        body.count_as_gone();
        if body.credits {
            body.home.budget.give(body.count);
        }
    }
}

/// A record of a batch, for its report.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    pub record: RecordView<'a>,
    pub timestamp_ms: i64,
    pub opaque: usize,
    pub aux: u32,
    /// When it was handed over, microseconds since the epoch.
    pub handed_over_us: u64,
}

impl<'a> Item<'a> {
    #[inline(always)]
    fn new(entry: &Entry, record: RecordView<'a>, base_timestamp: i64, open_us: u64) -> Item<'a> {
        Item {
            record,
            timestamp_ms: base_timestamp.wrapping_add(record.timestamp_delta),
            opaque: entry.opaque,
            aux: layout::aux(entry.note),
            handed_over_us: open_us + entry.since_open_us as u64,
        }
    }
}

/// Iterator over the records of a batch.
pub struct Records<'a> {
    pieces: std::slice::Iter<'a, Piece>,
    at: *const u8,
    entry: *const u8,
    left: u32,
    base_timestamp: i64,
    open_us: u64,
}

impl<'a> Records<'a> {
    /// Goes to the next piece with records, if this one has none left.
    #[inline(always)]
    fn advance(&mut self) -> Option<()> {
        while self.left == 0 {
            let p = self.pieces.next()?;
            #[cfg(loom)]
            p.chunk.watch.read(p.count);
            let (data, capacity) = p.chunk.block();
            self.at = data;
            self.entry = data.wrapping_add(capacity);
            self.left = p.count;
            self.base_timestamp = p.chunk.base_timestamp();
            self.open_us = p.chunk.open_us();
        }
        Some(())
    }

    /// Calls `f` with the next records, `most` at the most, and returns with how many. For hot loops: where the walk is stays
    /// in registers, and `f` is compiled once for each kind of record that has a note of its own.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub fn each(&mut self, most: usize, mut f: impl FnMut(Item<'a>)) -> usize {
        let mut done = 0;
        while done < most && self.advance().is_some() {
            let count = (self.left as usize).min(most - done);
            let (mut at, mut entry, base_timestamp, open_us) = (self.at, self.entry, self.base_timestamp, self.open_us);
            for _ in 0..count {
                entry = entry.wrapping_sub(ENTRY);
                // SAFETY: as in `next`: `left` records are still to come.
                let e = unsafe { entry.cast::<Entry>().read_unaligned() };
                if layout::is_plain(e.note) {
                    // SAFETY: as above; the note is this record's.
                    let (record, next) = unsafe { layout::read_plain(at, e.note) };
                    at = next;
                    f(Item::new(&e, record, base_timestamp, open_us));
                } else if layout::is_keyed(e.note) {
                    // SAFETY: as above.
                    let (record, next) = unsafe { layout::read_keyed(at, e.note) };
                    at = next;
                    f(Item::new(&e, record, base_timestamp, open_us));
                } else {
                    // SAFETY: as above.
                    let (record, next) = unsafe { layout::read_noted(at, e.note) };
                    at = next;
                    f(Item::new(&e, record, base_timestamp, open_us));
                }
            }
            (self.at, self.entry) = (at, entry);
            self.left -= count as u32;
            done += count;
        }
        done
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Item<'a>;

    #[inline(always)]
    #[allow(unsafe_code)]
    fn next(&mut self) -> Option<Item<'a>> {
        self.advance()?;
        self.left -= 1;
        self.entry = self.entry.wrapping_sub(ENTRY);
        // SAFETY: `left` says that one of the piece's records is still to come: they lie one after the other from the
        // block's start, their entries backwards from its end, each written by `Chunk::append` before it was committed,
        // and untouched while the batch is borrowed.
        let (entry, (record, next)) = unsafe {
            let entry = self.entry.cast::<Entry>().read_unaligned();
            (entry, layout::read_noted(self.at, entry.note))
        };
        self.at = next;
        Some(Item::new(&entry, record, self.base_timestamp, self.open_us))
    }
}
