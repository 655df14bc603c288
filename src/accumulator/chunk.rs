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

use super::layout;
use super::record::{self, Fit, RecordRef};
use super::section::HeaderSection;
use crate::sync::{spin_loop, yield_now, AtomicI64, AtomicPtr, AtomicU32, AtomicU64, Ordering::*};
use crate::sys::clock::Tick;
use crate::sys::memory;

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

/// `Chunk::clock` has so many bits of a delta in milliseconds below the lower bits of a reading. Two readings that agree in
/// those are equal, or 2^22 seconds apart, which no batch is open for.
const DELTA_BITS: u32 = 12;
/// No reading has all bits set.
const UNKNOWN_CLOCK: u64 = u64::MAX;

/// Milliseconds from the base timestamp to `now`, if `now` is the reading in `clock`.
#[inline(always)]
fn known_delta(clock: u64, now: Tick) -> Option<i64> {
    // If the readings are equal, what remains is the delta.
    let rest = clock ^ now.bits() << DELTA_BITS;
    (rest < 1 << DELTA_BITS).then_some(rest as i64)
}

#[cold]
#[inline(never)]
fn delta_of(now: Tick, base_timestamp: i64) -> (i64, u64) {
    record::with_zigzag(now.ms().wrapping_sub(base_timestamp))
}

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
    /// See [`layout`].
    pub note: u32,
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

/// What an append needs comes first and fills one line of the cache: with many partitions each message is in another chunk.
#[repr(C, align(128))]
pub struct Chunk {
    state: AtomicU64,
    committed: AtomicU32,
    /// Most records, set at opening.
    max_count: AtomicU32,
    /// Most bytes of records, set at opening.
    max_bytes: AtomicU32,
    base_index: AtomicU32,
    /// From the opening to the base timestamp, microseconds.
    base_since_us: AtomicI64,
    /// The latest reading of the clock that was seen here, and how many milliseconds it is after the base timestamp: nearly
    /// all records have the same reading as the one before. See [`known_delta`].
    clock: AtomicU64,
    data: AtomicPtr<u8>,
    /// Latest timestamp of its records, as a delta to the base timestamp.
    max_delta: AtomicI64,
    capacity: AtomicU32,
    base_timestamp: AtomicI64,
    open_us: AtomicU64,
    #[cfg(loom)]
    pub watch: Watch,
}

#[cfg(not(loom))]
const _: () = assert!(std::mem::offset_of!(Chunk, capacity) + size_of::<u32>() <= 64);

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
            base_since_us: AtomicI64::new(0),
            clock: AtomicU64::new(UNKNOWN_CLOCK),
            data: AtomicPtr::new(std::ptr::null_mut()),
            capacity: AtomicU32::new(0),
            max_delta: AtomicI64::new(i64::MIN),
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
        self.set_bases(&o);
        self.max_delta.store(i64::MIN, Relaxed);
        let generation = (state & !(SEALED | BYTES_MASK | (COUNT_MASK << BYTES_BITS))).wrapping_add(GEN_ONE);
        self.state.store(generation, Release);
    }

    fn set_bases(&self, o: &Opening) {
        self.base_index.store(o.base_index, Relaxed);
        self.base_timestamp.store(o.base_timestamp, Relaxed);
        self.open_us.store(o.open_us, Relaxed);
        self.base_since_us.store(o.base_timestamp.wrapping_mul(1000).wrapping_sub(o.open_us as i64), Relaxed);
        self.clock.store(UNKNOWN_CLOCK, Relaxed);
    }

    /// Claims a place for the record, encodes it there and commits it. Lock-free; any thread.
    ///
    /// `fixed` is `rec.fixed_len()`. The record's time is taken as no earlier than the chunk's opening, which was read
    /// from the precise clock.
    #[allow(unsafe_code)]
    #[inline(always)]
    pub fn append(&self, rec: &RecordRef<'_, impl HeaderSection>, fixed: usize) -> Append {
        let mut state = self.state.load(Acquire);
        loop {
            let (used, index) = (bytes_of(state), count_of(state));
            let offset_delta = self.base_index.load(Relaxed) + index;
            let base_timestamp = self.base_timestamp.load(Relaxed);
            let known = known_delta(self.clock.load(Relaxed), rec.now);
            // Known deltas are not negative, so that they need less.
            let (now_delta, now_zigzag) = match known {
                Some(delta) => (delta, (delta as u64) << 1),
                None => delta_of(rec.now, base_timestamp),
            };
            let (timestamp_delta, timestamp_zigzag) = match rec.timestamp_ms {
                None => (now_delta, now_zigzag),
                Some(t) => record::with_zigzag(t.wrapping_sub(base_timestamp)),
            };
            let fit = Fit::new(fixed, offset_delta, timestamp_delta, timestamp_zigzag);
            let total = fit.total;
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
                        let since = now_delta.wrapping_mul(1000).wrapping_add(self.base_since_us.load(Relaxed));
                        let entry = Entry {
                            opaque: rec.opaque,
                            since_open_us: since.clamp(0, u32::MAX as i64) as u32,
                            note: layout::note(rec, &fit),
                        };
                        let at = data.add(capacity - (index as usize + 1) * ENTRY);
                        if rec.key.is_some() {
                            // Keys scatter over partitions: the next record here comes later than the processor foresees.
                            memory::will_write(data.wrapping_add(used + total + 64));
                            memory::will_write(data.wrapping_add(used + total + 128));
                            memory::will_write(at.wrapping_sub(64));
                        }
                        at.cast::<Entry>().write_unaligned(entry);
                        if timestamp_delta > self.max_delta.load(Relaxed) {
                            self.max_delta.fetch_max(timestamp_delta, Relaxed);
                        }
                        if known.is_none() {
                            self.see(rec.now, now_delta);
                        }
                        record::write(data.add(used), rec, &fit);
                    }
                    self.committed.fetch_add(total as u32, Release);
                    return Append::Done;
                }
            }
        }
    }

    /// Remembers a reading of the clock for the records to come. Only between a claim and its commit, while nobody can open
    /// the chunk anew: the delta is to this generation's base.
    #[cold]
    #[inline(never)]
    fn see(&self, now: Tick, delta: i64) {
        if (0..1 << DELTA_BITS).contains(&delta) {
            self.clock.store(now.bits() << DELTA_BITS | delta as u64, Relaxed);
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

    /// Whether every claim of a sealed chunk is committed.
    pub fn is_complete(&self, bytes: usize) -> bool {
        self.committed.load(Acquire) as usize == bytes
    }

    /// Waits until every claim of a sealed chunk is committed. A claim is a few dozen instructions old at most, unless
    /// its thread was descheduled: so spin briefly, then let it run.
    pub fn complete(&self, bytes: usize) {
        let mut spins = 0u32;
        while !self.is_complete(bytes) {
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
        self.base_timestamp().saturating_add(self.max_delta.load(Relaxed))
    }

    /// Writes a record that is too long to share a block, in a chunk that stays sealed throughout. Returns its length.
    #[allow(unsafe_code)]
    pub(super) fn write_alone(&self, o: Opening, rec: &RecordRef<'_>) -> usize {
        debug_assert!(self.state.load(Relaxed) & SEALED != 0);
        let timestamp_delta = rec.create_ms().wrapping_sub(o.base_timestamp);
        let (delta, zigzag) = record::with_zigzag(timestamp_delta);
        let fit = Fit::new(rec.fixed_len(), o.base_index, delta, zigzag);
        let total = fit.total;
        let (data, capacity) = self.block();
        assert!(total + ENTRY <= capacity, "the block was made for this record");
        self.set_bases(&o);
        self.max_delta.store(timestamp_delta, Relaxed);
        // SAFETY: the chunk is sealed and not published, so this thread alone has the block, and the record with its
        // entry was just checked to fit.
        unsafe {
            record::write(data, rec, &fit);
            let entry = Entry { opaque: rec.opaque, since_open_us: 0, note: layout::note(rec, &fit) };
            data.add(capacity - ENTRY).cast::<Entry>().write_unaligned(entry);
        }
        self.committed.store(total as u32, Release);
        total
    }
}
