//! Recycles chunks. Headers live as long as the pool; blocks of memory come back to it and are handed out again, last
//! in first out so that they are warm, and go back to the system when they have not been needed for a while.
//!
//! Blocks of the largest class are cut from slabs of huge pages, which spares most page faults when a queue fills for the
//! first time. Such a block stays with its header; what goes back is the memory behind it.
#![allow(unsafe_code)]

use super::chunk::{Chunk, MAX_SHARED};
use crate::sync::Mutex;
use crate::sys::memory::{self, SLAB};
use std::alloc::{alloc, dealloc, handle_alloc_error, Layout};
use std::ops::Deref;
use std::ptr::NonNull;

/// Sizes of shared blocks. A partition starts with the smallest and grows as it fills them.
pub const CLASSES: [usize; 4] = [2 << 10, 8 << 10, 32 << 10, MAX_SHARED];

/// A chunk of some pool. Valid as long as that pool, whose `Arc` every holder of a `ChunkRef` keeps.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct ChunkRef(NonNull<Chunk>);

// SAFETY: a `Chunk` is made of atomics, and its block is handed between threads only by the protocol of chunk.rs.
unsafe impl Send for ChunkRef {}
// SAFETY: as above.
unsafe impl Sync for ChunkRef {}

impl Deref for ChunkRef {
    type Target = Chunk;
    #[inline(always)]
    fn deref(&self) -> &Chunk {
        // SAFETY: headers are freed only by `Pool::drop`, and holders of a `ChunkRef` hold the pool.
        unsafe { self.0.as_ref() }
    }
}

impl ChunkRef {
    #[inline(always)]
    pub(super) fn as_ptr(self) -> *mut Chunk {
        self.0.as_ptr()
    }

    /// The chunk behind a pointer that `as_ptr` gave; `None` for null.
    #[inline(always)]
    pub(super) fn from_ptr(p: *mut Chunk) -> Option<ChunkRef> {
        NonNull::new(p).map(ChunkRef)
    }
}

#[derive(Default)]
struct Shelf {
    free: Vec<ChunkRef>,
    /// Fewest on the shelf since the last trim: that many were not needed.
    idle: usize,
}

pub struct Pool {
    shelves: [Mutex<Shelf>; CLASSES.len()],
    /// Headers whose block went back to the allocator.
    bare: Mutex<Vec<ChunkRef>>,
    /// Headers with a block cut from a slab whose memory went back to the system, or was never touched.
    cold: Mutex<Vec<ChunkRef>>,
    all: Mutex<Vec<ChunkRef>>,
    slabs: Mutex<Vec<Slab>>,
}

#[derive(Clone, Copy)]
struct Slab(NonNull<u8>);

// SAFETY: the pointer is only compared and, when the pool is dropped, given back.
unsafe impl Send for Slab {}

/// The smallest page of memory; larger ones are only touched more often than needed.
const PAGE: usize = 4096;
const LARGEST: usize = CLASSES.len() - 1;

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 16).expect("block sizes are far below isize::MAX")
}

fn allocate(size: usize) -> *mut u8 {
    // SAFETY: the size is never zero.
    let p = unsafe { alloc(layout(size)) };
    if p.is_null() {
        handle_alloc_error(layout(size));
    }
    p
}

impl Default for Pool {
    fn default() -> Self {
        Pool {
            shelves: std::array::from_fn(|_| Mutex::new(Shelf::default())),
            bare: Mutex::new(Vec::new()),
            cold: Mutex::new(Vec::new()),
            all: Mutex::new(Vec::new()),
            slabs: Mutex::new(Vec::new()),
        }
    }
}

impl Pool {
    /// The smallest class whose blocks hold `bytes`, if any does.
    pub fn class_for(bytes: usize) -> Option<usize> {
        CLASSES.iter().position(|&size| size >= bytes)
    }

    /// A sealed chunk with a block of that class.
    pub(super) fn get(&self, class: usize) -> ChunkRef {
        {
            let mut shelf = self.shelves[class].lock();
            if let Some(c) = shelf.free.pop() {
                shelf.idle = shelf.idle.min(shelf.free.len());
                return c;
            }
        }
        if class == LARGEST {
            if let Some(c) = self.take_from_slab() {
                return c;
            }
        }
        self.with_block(CLASSES[class])
    }

    /// Sees to it that the next block of that class, unless another thread takes it first, has memory behind it. To be
    /// called without a lock: the system clears memory that is new, which for a huge page can take milliseconds, and a
    /// broker thread that waits for a lock meanwhile sends nothing.
    pub fn warm(&self, class: usize) {
        if class != LARGEST || !self.shelves[class].lock().free.is_empty() {
            return;
        }
        if let Some(chunk) = self.take_from_slab() {
            let (data, capacity) = chunk.block();
            for at in (0..capacity).step_by(PAGE) {
                // SAFETY: within the block, of which the sealed chunk is the only user; volatile, since nobody reads it.
                unsafe { data.add(at).write_volatile(0) };
            }
            self.put(chunk);
        }
    }

    /// A chunk of the largest class whose block is part of a slab.
    fn take_from_slab(&self) -> Option<ChunkRef> {
        let mut cold = self.cold.lock();
        if let Some(c) = cold.pop() {
            return Some(c);
        }
        let slab = memory::map_slab()?;
        self.slabs.lock().push(Slab(slab));
        for i in (0..SLAB / MAX_SHARED).rev() {
            let chunk = self.header();
            // SAFETY: the slab has SLAB bytes, and `i` is one of the blocks that it is cut into.
            chunk.set_block(unsafe { slab.as_ptr().add(i * MAX_SHARED) }, MAX_SHARED);
            cold.push(chunk);
        }
        cold.pop()
    }

    fn in_slab(&self, block: *mut u8) -> bool {
        let base = block as usize & !(SLAB - 1);
        self.slabs.lock().iter().any(|s| s.0.as_ptr() as usize == base)
    }

    /// A header without a block.
    fn header(&self) -> ChunkRef {
        let bare = self.bare.lock().pop();
        bare.unwrap_or_else(|| {
            let c = ChunkRef(NonNull::from(Box::leak(Box::new(Chunk::bare()))));
            self.all.lock().push(c);
            c
        })
    }

    /// A sealed chunk with a block of its own size, for one long record.
    pub(super) fn oversize(&self, bytes: usize) -> ChunkRef {
        self.with_block(bytes.max(MAX_SHARED + 1))
    }

    fn with_block(&self, size: usize) -> ChunkRef {
        let chunk = self.header();
        chunk.set_block(allocate(size), size);
        chunk
    }

    /// Takes back a sealed chunk, all of whose claims are committed.
    pub(super) fn put(&self, chunk: ChunkRef) {
        let (_, capacity) = chunk.block();
        match CLASSES.iter().position(|&size| size == capacity) {
            Some(class) => self.shelves[class].lock().free.push(chunk),
            None => self.strip(chunk),
        }
    }

    fn strip(&self, chunk: ChunkRef) {
        let (data, capacity) = chunk.block();
        if capacity == MAX_SHARED && self.in_slab(data) {
            if let Some(at) = NonNull::new(data) {
                // SAFETY: a block of a slab, on page boundaries; the chunk, sealed and complete, was its only user.
                unsafe { memory::discard(at, MAX_SHARED) };
            }
            self.cold.lock().push(chunk);
            return;
        }
        chunk.set_block(std::ptr::null_mut(), 0);
        // SAFETY: the block was allocated with this layout, and the chunk, sealed and complete, was its only owner.
        unsafe { dealloc(data, layout(capacity)) };
        self.bare.lock().push(chunk);
    }

    /// Gives half of what was not needed since the last call back to the allocator. Called about once a second.
    /// Returns the bytes freed.
    pub fn trim(&self) -> usize {
        let mut freed = 0;
        for (class, shelf) in self.shelves.iter().enumerate() {
            let spare: Vec<ChunkRef> = {
                let mut s = shelf.lock();
                let n = s.idle.div_ceil(2).min(s.free.len());
                // The coldest are at the front.
                let spare = s.free.drain(..n).collect();
                s.idle = s.free.len();
                spare
            };
            freed += spare.len() * CLASSES[class];
            spare.into_iter().for_each(|c| self.strip(c));
        }
        freed
    }

    /// Bytes of blocks that wait to be used.
    pub fn spare_bytes(&self) -> usize {
        self.shelves.iter().zip(CLASSES).map(|(s, size)| s.lock().free.len() * size).sum()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let all = std::mem::take(&mut *self.all.lock());
        for chunk in all {
            let (data, capacity) = chunk.block();
            if !data.is_null() && !(capacity == MAX_SHARED && self.in_slab(data)) {
                // SAFETY: allocated with this layout; nobody holds the chunk, since holders hold the pool.
                unsafe { dealloc(data, layout(capacity)) };
            }
            // SAFETY: made by `Box::leak` in `with_block`, and freed once, here.
            drop(unsafe { Box::from_raw(chunk.as_ptr()) });
        }
        for slab in self.slabs.lock().drain(..) {
            // SAFETY: mapped by `take_from_slab`; the chunks that used it are gone.
            unsafe { memory::unmap_slab(slab.0) };
        }
    }
}
