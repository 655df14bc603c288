//! The queue of one partition: the open chunk, which any thread appends to without a lock, and behind a lock, taken once
//! per chunk, the batches in order.

use super::batch::{Batch, BatchOwner, Home, Piece};
use super::budget::Pace;
use super::chunk::{Append, Chunk, Opening, ENTRY, MAX_RECORDS};
use super::pool::{ChunkRef, Pool, CLASSES};
use super::record::RecordRef;
use super::section::HeaderSection;
use crate::sync::{nap, yield_now, AtomicPtr, AtomicUsize, Mutex, Ordering::*};
use crate::sys::clock::{self, Tick};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

/// When a batch is full.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    /// `batch.size`: bytes of records; the first record of a batch may be longer.
    pub bytes: usize,
    /// `batch.num.messages`.
    pub messages: u32,
}

/// What an append changed that others may have to be told.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Change {
    /// The record was taken; if not, it would have had to open a batch and was not to (`may_open`).
    pub appended: bool,
    /// A batch was opened: its linger starts now.
    pub opened: bool,
    /// A batch is full and ready to be sent.
    pub closed: bool,
}

/// The memory limit (`queue.buffering.max.kbytes`) is reached.
#[derive(Debug, PartialEq, Eq)]
pub struct NoMemory {
    /// A batch was closed all the same: the broker thread has to be told.
    pub closed: bool,
}

pub struct PartitionQueue<O: BatchOwner> {
    open: AtomicPtr<Chunk>,
    home: Arc<Home>,
    /// The size of the blocks it uses, an index of [`CLASSES`]: grows and shrinks with the traffic. Written under the lock.
    class: AtomicUsize,
    /// Records go out as they are here, so that threads may sum what they filled.
    uncompressed: bool,
    inner: Mutex<Inner<O>>,
}

/// What is behind the lock of a [`PartitionQueue`].
pub struct Inner<O: BatchOwner> {
    /// The batch that is being filled; its last chunk is the open one.
    open_batch: Option<Batch<O>>,
    /// Closed batches, sorted by number.
    pub ready: VecDeque<Batch<O>>,
    /// Records in the batches closed so far: the number of the next batch.
    next_number: u64,
    /// Batches that a broker thread has taken and not yet settled or put back.
    pub in_flight: u32,
    /// Idempotence: the state of the partition's series.
    pub sequence: Sequence,
}

/// A partition's series of batches under one producer id and epoch.
#[derive(Default)]
pub struct Sequence {
    /// Producer id and epoch, once the first batch was sequenced.
    pub producer: Option<(i64, i16)>,
    /// Sequence of the next new batch's first record.
    pub next: i32,
    /// The broker has taken a batch of this series. Until then one is in flight at a time: a broker that knows nothing of
    /// the producer takes any sequence for the first, also that of a batch whose predecessor failed.
    pub confirmed: bool,
    /// The series has ended: what is open is to come back, then a new one starts.
    pub draining: bool,
    /// The batches in flight: number, and whether the batch may be in the log from an earlier attempt.
    flight: Vec<(u64, bool)>,
}

impl Sequence {
    /// A sequenced batch is now in flight.
    pub fn sent(&mut self, number: u64, in_doubt: bool) {
        self.flight.push((number, in_doubt));
    }

    /// A batch is no longer in flight.
    pub fn came_back(&mut self, number: u64) {
        self.flight.retain(|(n, _)| *n != number);
    }

    /// A batch before this one is in flight.
    pub fn earlier_in_flight(&self, number: u64) -> bool {
        self.flight.iter().any(|(n, _)| *n < number)
    }

    /// A batch that may be in the log already is in flight again.
    pub fn doubt_in_flight(&self) -> bool {
        self.flight.iter().any(|(_, doubt)| *doubt)
    }
}

impl<O: BatchOwner> PartitionQueue<O> {
    pub fn new(home: Arc<Home>, uncompressed: bool) -> Self {
        PartitionQueue {
            open: AtomicPtr::new(std::ptr::null_mut()),
            home,
            class: AtomicUsize::new(0),
            uncompressed,
            inner: Mutex::new(Inner {
                open_batch: None,
                ready: VecDeque::new(),
                next_number: 0,
                in_flight: 0,
                sequence: Sequence::default(),
            }),
        }
    }

    /// Appends without a lock if the open chunk has room.
    #[inline(always)]
    pub fn append(&self, rec: &RecordRef<'_, impl HeaderSection>, fixed: usize) -> Append {
        match ChunkRef::from_ptr(self.open.load(Acquire)) {
            Some(chunk) => chunk.append(rec, fixed),
            None => Append::Full,
        }
    }

    /// Appends under the lock: makes room first, by a new chunk or a new batch. `moved` is for records that
    /// were accepted before, in a batch opened at that time (on both clocks): they pass the memory limit, and their batch
    /// counts as opened then. Unless `may_open`, the record is left alone where it would open a batch (the
    /// caller may want another partition then). `still` is asked under the lock; if it says no, nothing is done and `None`
    /// returned.
    pub fn append_locked(
        &self,
        owner: &Arc<O>,
        rec: &RecordRef<'_>,
        limits: BatchLimits,
        moved: Option<(Instant, u64)>,
        may_open: bool,
        still: impl FnOnce() -> bool,
    ) -> Result<Option<Change>, NoMemory> {
        let class = self.class.load(Relaxed);
        if class + 1 == CLASSES.len() && moved.is_none() {
            match self.home.budget.pace() {
                Pace::On => {}
                Pace::Yield => yield_now(),
                Pace::Nap => nap(),
            }
        }
        // Most calls need a block, most of them of this size or the next.
        self.home.pool.warm((class + 1).min(CLASSES.len() - 1));
        let mut inner = self.inner.lock();
        if !still() {
            return Ok(None);
        }
        let fixed = rec.fixed_len();
        // Another thread may have made room while this one waited for the lock.
        if self.append(rec, fixed) == Append::Done {
            return Ok(Some(Change { appended: true, ..Change::default() }));
        }
        let mut change = Change::default();
        // There was a chunk and the record did not fit: the next may be larger.
        let filled = self.retire_open_chunk(&mut inner).is_some();
        if let (true, true, Some(batch)) = (filled, self.uncompressed, &mut inner.open_batch) {
            batch.sum_last();
        }
        let max_len = rec.max_len();
        if let Some(b) = &inner.open_batch {
            if b.count >= limits.messages || b.bytes + max_len > limits.bytes {
                change.closed = inner.close_batch();
            }
        }
        if inner.open_batch.is_none() && !may_open {
            return Ok(Some(change));
        }
        change.appended = true;
        let mut class = self.class.load(Relaxed);
        if filled && class + 1 < CLASSES.len() {
            class += 1;
            self.class.store(class, Relaxed);
        }
        let (used, records) = inner.open_batch.as_ref().map_or((0, 0), |b| (b.bytes, b.count));
        let (chunk, charged) =
            self.chunk_for(max_len + ENTRY, class, moved.is_some()).ok_or(NoMemory { closed: change.closed })?;
        let now_us = match (moved, &inner.open_batch) {
            (Some(_), _) => rec.now.us(),
            // Within a batch time goes on as it does, whatever is done to the clock meanwhile.
            (None, Some(b)) => b.now_us(),
            (None, None) => clock::precise_us(),
        };
        let number = inner.next_number;
        let batch = match &mut inner.open_batch {
            Some(b) => b,
            none => {
                change.opened = true;
                let (opened, opened_us) = moved.unwrap_or_else(|| (Instant::now(), now_us));
                none.insert(Batch::new(self.home.clone(), owner.clone(), number, rec.create_ms(), opened, opened_us))
            }
        };
        let opening = Opening {
            base_index: records,
            base_timestamp: batch.base_timestamp,
            open_us: now_us,
            max_bytes: (chunk.block().1.min(limits.bytes.saturating_sub(used).max(max_len))) as u32,
            // A block that could not be charged in full takes the one record that it was charged for.
            max_count: if charged < chunk.block().1 {
                1
            } else {
                limits.messages.saturating_sub(records).clamp(1, MAX_RECORDS)
            },
        };
        if max_len + ENTRY > CLASSES[CLASSES.len() - 1] {
            let bytes = chunk.write_alone(opening, rec);
            batch.pieces.push(Piece { chunk, bytes: bytes as u32, count: 1, charged });
            batch.bytes += bytes;
            batch.count += 1;
            if self.uncompressed {
                batch.sum_last();
            }
        } else {
            chunk.open(opening);
            let done = chunk.append(rec, fixed);
            assert!(done == Append::Done, "a fresh chunk has room for the record it was made for");
            batch.pieces.push(Piece { chunk, bytes: 0, count: 0, charged });
            self.open.store(chunk.as_ptr(), Release);
        }
        Ok(Some(change))
    }

    /// A chunk with a block of at least `need` bytes, of the wanted class where memory allows.
    fn chunk_for(&self, need: usize, class: usize, may_exceed: bool) -> Option<(ChunkRef, usize)> {
        let Some(least) = Pool::class_for(need) else {
            if may_exceed {
                self.home.budget.charge_anyway(need);
            } else if !self.home.budget.charge(need) {
                return None;
            }
            let chunk = self.home.pool.oversize(need);
            return Some((chunk, need));
        };
        // Near the limit a smaller block may still be had.
        for class in (least..=class.max(least)).rev() {
            let size = CLASSES[class];
            if self.home.budget.charge(size) {
                return Some((self.home.pool.get(class), size));
            }
        }
        // The last bytes of the limit: charged by the record's own need.
        if may_exceed {
            self.home.budget.charge_anyway(need);
        } else if !self.home.budget.charge(need) {
            return None;
        }
        Some((self.home.pool.get(least), need))
    }

    /// Seals the open chunk, if there is one, and counts it into its batch. Tells how much of its block was used, in percent.
    fn retire_open_chunk(&self, inner: &mut Inner<O>) -> Option<usize> {
        let chunk = ChunkRef::from_ptr(self.open.swap(std::ptr::null_mut(), AcqRel))?;
        let (bytes, count) = chunk.seal();
        let batch = inner.open_batch.as_mut().expect("an open chunk belongs to the open batch");
        let piece = batch.pieces.last_mut().expect("an open chunk is its batch's last");
        piece.bytes = bytes as u32;
        piece.count = count;
        // From here on it counts as what is in it, not as what it could have held.
        let used = bytes + count as usize * ENTRY;
        let spare = piece.charged.saturating_sub(used);
        piece.charged -= spare;
        batch.bytes += bytes;
        batch.count += count;
        self.home.budget.discharge(spare);
        Some((bytes + count as usize * ENTRY) * 100 / chunk.block().1.max(1))
    }

    /// Closes the open batch, so that it can be sent. True if there was one.
    pub fn close_open(&self) -> bool {
        self.close_open_in(&mut self.inner.lock())
    }

    /// As `close_open`, with the lock held.
    pub fn close_open_in(&self, inner: &mut Inner<O>) -> bool {
        if inner.open_batch.is_some() {
            let used = self.retire_open_chunk(inner);
            let alone = inner.open_batch.as_ref().is_some_and(|b| b.pieces.len() == 1);
            if alone && used.is_some_and(|percent| percent < 25) {
                // The partition needs less than it did.
                self.class.store(self.class.load(Relaxed).saturating_sub(1), Relaxed);
            }
        }
        inner.close_batch()
    }

    pub fn lock(&self) -> impl std::ops::DerefMut<Target = Inner<O>> + '_ {
        self.inner.lock()
    }

    /// Records and bytes that wait here, open or ready; not those in flight.
    pub fn queued(&self) -> (u64, u64) {
        let inner = self.inner.lock();
        let (mut n, mut bytes) = inner.open_batch.as_ref().map_or((0, 0), |b| (b.count as u64, b.bytes as u64));
        if let Some(c) = ChunkRef::from_ptr(self.open.load(Acquire)) {
            let (b, k) = c.claimed();
            n += k as u64;
            bytes += b as u64;
        }
        for b in &inner.ready {
            n += b.count as u64;
            bytes += b.bytes as u64;
        }
        (n, bytes)
    }
}

impl<O: BatchOwner> Inner<O> {
    fn close_batch(&mut self) -> bool {
        match self.open_batch.take() {
            Some(mut b) => {
                b.count_as_closed();
                self.next_number = b.number + b.count as u64;
                self.ready.push_back(b);
                true
            }
            None => false,
        }
    }

    /// When the open batch was opened.
    pub fn open_since(&self) -> Option<Instant> {
        self.open_batch.as_ref().map(|b| b.opened)
    }

    /// When the oldest record here was accepted.
    pub fn oldest(&self) -> Option<Instant> {
        self.ready.front().map(|b| b.opened).or(self.open_since())
    }

    pub fn is_empty(&self) -> bool {
        self.open_batch.is_none() && self.ready.is_empty()
    }

    /// Puts a batch that was taken back to its place.
    pub fn put_back(&mut self, batch: Batch<O>) {
        let at = self.ready.partition_point(|b| b.number < batch.number);
        self.ready.insert(at, batch);
    }
}

/// Copies a batch of several records into smaller ones, which take its place: in order, each with a number of its own, and
/// with the part of the batch's sequences that its records had. None holds more than half of its records, or, unless it
/// is a single record, of its bytes. The memory is charged whatever the limit; the batch's own is given back.
///
/// What was compressed is forgotten: the parts are compressed anew when they are sent.
pub fn split<O: BatchOwner>(mut batch: Batch<O>) -> Vec<Batch<O>> {
    debug_assert!(batch.count > 1, "a single record cannot be split");
    batch.complete();
    let queue = PartitionQueue::new(batch.home.clone(), false);
    queue.inner.lock().next_number = batch.number;
    // The bound on records makes sure that there are parts at all: bytes are counted generously.
    let limits = BatchLimits { bytes: batch.bytes / 2, messages: batch.count.div_ceil(2) };
    for item in batch.records() {
        let rec = RecordRef {
            key: item.record.key,
            value: item.record.value,
            headers: item.record.headers,
            timestamp_ms: Some(item.timestamp_ms),
            now: Tick::from_us(item.handed_over_us),
            opaque: item.opaque,
            aux: item.aux,
        };
        let kept =
            queue.append_locked(&batch.owner, &rec, limits, Some((batch.opened, batch.opened_us)), true, || true);
        // Records that were accepted pass every limit; a loss here would be a report that never comes.
        assert!(matches!(kept, Ok(Some(c)) if c.appended), "a record of a split batch is kept");
    }
    queue.close_open();
    let mut parts: Vec<Batch<O>> = queue.inner.lock().ready.drain(..).collect();
    for part in &mut parts {
        part.retries = batch.retries;
        // Sent before, as far as expiry is concerned; the backoff starts anew.
        part.attempts = batch.attempts.min(1);
        part.possibly_persisted = batch.possibly_persisted;
        (part.producer_id, part.producer_epoch) = (batch.producer_id, batch.producer_epoch);
        if batch.base_sequence >= 0 {
            part.base_sequence = sequence_after(batch.base_sequence, (part.number - batch.number) as u32);
        }
    }
    batch.moved();
    parts
}

/// The sequence after `count` records from `first` on: it goes from 2^31 − 1 back to 0.
pub fn sequence_after(first: i32, count: u32) -> i32 {
    ((first as i64 + count as i64) & i32::MAX as i64) as i32
}

impl<O: BatchOwner> Drop for PartitionQueue<O> {
    fn drop(&mut self) {
        // The open chunk must be counted into its batch before the batch is dropped.
        self.close_open();
    }
}
