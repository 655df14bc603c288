//! A chunk: a block of memory into which many threads encode records at once, without a lock.
//!
//! One 64-bit state word holds a generation, a sealed bit, the record count and the bytes claimed. A thread claims the
//! next index and its bytes with one compare-and-swap, writes the record and its report entry into what it claimed, and
//! adds the length to `committed`. Once the chunk is sealed and `committed` equals the bytes claimed, its content is
//! complete and belongs to whoever sealed it.
//!
//! Records grow from the front of the block, report entries (16 bytes each) from its back.
//!
//! Reclamation: a `Chunk` header is never freed before the pool itself, and every reopening raises its generation. So a
//! thread that holds a stale pointer reads valid memory, and its compare-and-swap fails.

use super::record::{self, RecordRef};
use crate::sync::{spin_loop, yield_now, AtomicI64, AtomicPtr, AtomicU32, AtomicU64, Ordering::*};

/// Largest block in which records share the state word; a longer record gets a block of its own (see `Pool::oversize`).
pub const MAX_SHARED: usize = 1 << 16;
/// Bytes of a report entry.
pub const ENTRY: usize = 16;

const BYTES_BITS: u32 = 18;
const COUNT_BITS: u32 = 13;
const BYTES_MASK: u64 = (1 << BYTES_BITS) - 1;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;
const SEALED: u64 = 1 << (BYTES_BITS + COUNT_BITS);
const GEN_ONE: u64 = SEALED << 1;

/// Most records in one chunk, by the width of the count.
pub const MAX_RECORDS: u32 = COUNT_MASK as u32;

#[inline(always)]
fn bytes_of(state: u64) -> usize {
    (state & BYTES_MASK) as usize
}

#[inline(always)]
fn count_of(state: u64) -> u32 {
    ((state >> BYTES_BITS) & COUNT_MASK) as u32
}

/// What travels beside a record to its report.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Entry {
    pub opaque: usize,
    /// Microseconds from the chunk's opening to the record's hand-over.
    pub since_open_us: u32,
    pub aux: u32,
}

/// What a chunk is told when it is opened.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    /// Offset delta of its first record.
    pub base_index: u32,
    /// The batch's base timestamp, milliseconds since the epoch.
    pub base_timestamp: i64,
    /// Now, microseconds since the epoch.
    pub open_us: u64,
    /// Most bytes of records, at most the block's size.
    pub max_bytes: u32,
    /// Most records.
    pub max_count: u32,
}

/// Tells loom of accesses to the memory of the first records, which are raw pointers' and so out of its sight: it then
/// demands that each is ordered before or after every write.
#[cfg(loom)]
#[derive(Default)]
pub struct Watch([loom::cell::UnsafeCell<()>; 4]);

// SAFETY: the cells hold nothing; loom judges who may access them when.
#[cfg(loom)]
#[allow(unsafe_code)]
unsafe impl Sync for Watch {}

#[cfg(loom)]
impl Watch {
    fn written(&self, index: u32) {
        if let Some(cell) = self.0.get(index as usize) {
            cell.with_mut(|_| ());
        }
    }

    pub fn read(&self, count: u32) {
        self.0.iter().take(count as usize).for_each(|cell| cell.with(|_| ()));
    }
}

#[repr(align(128))]
pub struct Chunk {
    #[cfg(loom)]
    pub watch: Watch,
    state: AtomicU64,
    committed: AtomicU32,
    /// Most records, set at opening.
    max_count: AtomicU32,
    /// Most bytes of records, set at opening.
    max_bytes: AtomicU32,
    base_index: AtomicU32,
    base_timestamp: AtomicI64,
    open_us: AtomicU64,
    data: AtomicPtr<u8>,
    capacity: AtomicU32,
    /// Latest timestamp of its records.
    max_timestamp: AtomicI64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Append {
    Done,
    /// It is full for this record, sealed, or has been recycled: take the slow path.
    Full,
}

impl Chunk {
    /// A header without memory, sealed.
    pub(super) fn bare() -> Chunk {
        Chunk {
            #[cfg(loom)]
            watch: Watch::default(),
            state: AtomicU64::new(SEALED),
            committed: AtomicU32::new(0),
            max_count: AtomicU32::new(0),
            max_bytes: AtomicU32::new(0),
            base_index: AtomicU32::new(0),
            base_timestamp: AtomicI64::new(0),
            open_us: AtomicU64::new(0),
            data: AtomicPtr::new(std::ptr::null_mut()),
            capacity: AtomicU32::new(0),
            max_timestamp: AtomicI64::new(i64::MIN),
        }
    }

    pub(super) fn block(&self) -> (*mut u8, usize) {
        (self.data.load(Relaxed), self.capacity.load(Relaxed) as usize)
    }

    /// Gives the header its memory. Only the pool calls it, for a chunk that nobody else can claim in (sealed).
    pub(super) fn set_block(&self, data: *mut u8, capacity: usize) {
        debug_assert!(self.state.load(Relaxed) & SEALED != 0);
        self.data.store(data, Relaxed);
        self.capacity.store(capacity as u32, Relaxed);
    }

    /// Opens a sealed chunk under the next generation; after this any thread that has the pointer may append.
    pub fn open(&self, o: Opening) {
        let state = self.state.load(Relaxed);
        debug_assert!(state & SEALED != 0, "only a sealed chunk may be opened");
        debug_assert!(o.max_bytes <= self.capacity.load(Relaxed) && o.max_count <= MAX_RECORDS);
        self.committed.store(0, Relaxed);
        self.max_count.store(o.max_count, Relaxed);
        self.max_bytes.store(o.max_bytes, Relaxed);
        self.base_index.store(o.base_index, Relaxed);
        self.base_timestamp.store(o.base_timestamp, Relaxed);
        self.open_us.store(o.open_us, Relaxed);
        self.max_timestamp.store(i64::MIN, Relaxed);
        let generation = (state & !(SEALED | BYTES_MASK | (COUNT_MASK << BYTES_BITS))).wrapping_add(GEN_ONE);
        self.state.store(generation, Release);
    }

    /// Claims a place for the record, encodes it there and commits it. Lock-free; any thread.
    ///
    /// `fixed` is `rec.fixed_len()`. The record's time is taken as no earlier than the chunk's opening, which was read
    /// from the precise clock.
    #[allow(unsafe_code)]
    #[inline(always)]
    pub fn append(&self, rec: &RecordRef<'_>, fixed: usize) -> Append {
        let mut state = self.state.load(Acquire);
        loop {
            let (used, index) = (bytes_of(state), count_of(state));
            let offset_delta = self.base_index.load(Relaxed) + index;
            let timestamp_delta = rec.timestamp_ms.wrapping_sub(self.base_timestamp.load(Relaxed));
            let body = RecordRef::body_len(fixed, timestamp_delta, offset_delta);
            let total = record::total_len(body);
            let capacity = self.capacity.load(Relaxed) as usize;
            if state & SEALED != 0
                || index >= self.max_count.load(Relaxed)
                || used + total > self.max_bytes.load(Relaxed) as usize
                || used + total + (index as usize + 1) * ENTRY > capacity
            {
                return Append::Full;
            }
            let claimed = state + (1 << BYTES_BITS) + total as u64;
            match self.state.compare_exchange_weak(state, claimed, AcqRel, Acquire) {
                Err(now) => state = now,
                Ok(_) => {
                    #[cfg(loom)]
                    self.watch.written(index);
                    // SAFETY: the swap succeeded, so the fields read above belong to this generation, and it claimed
                    // `total` bytes from `used` and entry `index` for this thread alone; both were just checked to lie
                    // within `capacity` and not to meet. The block stays until every claim is committed (`complete`).
                    unsafe {
                        let data = self.data.load(Relaxed);
                        record::write(data.add(used), rec, body, timestamp_delta, offset_delta);
                        let since = rec.now_us.saturating_sub(self.open_us.load(Relaxed)).min(u32::MAX as u64);
                        let entry = Entry { opaque: rec.opaque, since_open_us: since as u32, aux: rec.aux };
                        let at = data.add(capacity - (index as usize + 1) * ENTRY);
                        at.cast::<Entry>().write_unaligned(entry);
                    }
                    if rec.timestamp_ms > self.max_timestamp.load(Relaxed) {
                        self.max_timestamp.fetch_max(rec.timestamp_ms, Relaxed);
                    }
                    self.committed.fetch_add(total as u32, Release);
                    return Append::Done;
                }
            }
        }
    }

    /// Ends claiming; returns the bytes and records claimed. The caller holds the partition's lock, so one seals at a time.
    pub fn seal(&self) -> (usize, u32) {
        let state = self.state.fetch_or(SEALED, AcqRel);
        debug_assert!(state & SEALED == 0, "sealed twice");
        (bytes_of(state), count_of(state))
    }

    /// Bytes and records claimed so far.
    pub fn claimed(&self) -> (usize, u32) {
        let state = self.state.load(Acquire);
        (bytes_of(state), count_of(state))
    }

    /// Waits until every claim of a sealed chunk is committed. A claim is a few dozen instructions old at most, unless
    /// its thread was descheduled: so spin briefly, then let it run.
    pub fn complete(&self, bytes: usize) {
        let mut spins = 0u32;
        while self.committed.load(Acquire) as usize != bytes {
            spins += 1;
            if spins < 64 {
                spin_loop();
            } else {
                yield_now();
            }
        }
    }

    pub fn open_us(&self) -> u64 {
        self.open_us.load(Relaxed)
    }

    pub fn base_timestamp(&self) -> i64 {
        self.base_timestamp.load(Relaxed)
    }

    /// Latest timestamp of the records; right once the chunk is complete.
    pub fn max_timestamp(&self) -> i64 {
        self.max_timestamp.load(Relaxed)
    }

    /// Writes a record that is too long to share a block, in a chunk that stays sealed throughout. Returns its length.
    #[allow(unsafe_code)]
    pub(super) fn write_alone(&self, o: Opening, rec: &RecordRef<'_>) -> usize {
        debug_assert!(self.state.load(Relaxed) & SEALED != 0);
        let timestamp_delta = rec.timestamp_ms.wrapping_sub(o.base_timestamp);
        let body = RecordRef::body_len(rec.fixed_len(), timestamp_delta, o.base_index);
        let total = record::total_len(body);
        let (data, capacity) = self.block();
        assert!(total + ENTRY <= capacity, "the block was made for this record");
        self.base_index.store(o.base_index, Relaxed);
        self.base_timestamp.store(o.base_timestamp, Relaxed);
        self.open_us.store(o.open_us, Relaxed);
        self.max_timestamp.store(rec.timestamp_ms, Relaxed);
        // SAFETY: the chunk is sealed and not published, so this thread alone has the block, and the record with its
        // entry was just checked to fit.
        unsafe {
            record::write(data, rec, body, timestamp_delta, o.base_index);
            let entry = Entry { opaque: rec.opaque, since_open_us: 0, aux: rec.aux };
            data.add(capacity - ENTRY).cast::<Entry>().write_unaligned(entry);
        }
        self.committed.store(total as u32, Release);
        total
    }
}
