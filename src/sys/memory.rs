//! Large memory straight from the system, in huge pages where it gives them: one page fault per 2 MiB instead of 512.
#![allow(unsafe_code)]

use std::ptr::NonNull;

/// Size and alignment of a slab.
pub const SLAB: usize = 2 << 20;

/// Maps a slab, zeroed. `None` where the system gives none, or has no such call; the allocator then serves.
pub fn map_slab() -> Option<NonNull<u8>> {
    #[cfg(all(target_os = "linux", not(miri)))]
    // SAFETY: an anonymous private mapping at an address of the system's choice touches nothing that exists; the two
    // parts given back lie within it, outside the aligned slab that is returned.
    unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let p = libc::mmap(std::ptr::null_mut(), 2 * SLAB, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
        if p == libc::MAP_FAILED {
            return None;
        }
        let p = p.cast::<u8>();
        let before = p.align_offset(SLAB);
        let slab = p.add(before);
        if before > 0 {
            libc::munmap(p.cast(), before);
        }
        let after = SLAB - before;
        if after > 0 {
            libc::munmap(slab.add(SLAB).cast(), after);
        }
        // Only a wish: without it the slab works all the same.
        libc::madvise(slab.cast(), SLAB, libc::MADV_HUGEPAGE);
        NonNull::new(slab)
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    None
}

/// Gives a slab back.
///
/// # Safety
/// `slab` is from `map_slab`, is given back once, and nothing points into it any more.
pub unsafe fn unmap_slab(slab: NonNull<u8>) {
    // SAFETY: the caller's promise.
    #[cfg(all(target_os = "linux", not(miri)))]
    unsafe {
        libc::munmap(slab.as_ptr().cast(), SLAB);
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    let _ = slab;
}

/// Lets the system take the memory of a part of a slab back; it reads as zeros when it is used again.
///
/// # Safety
/// The part lies within a slab from `map_slab`, on page boundaries, and its content is of no more use.
pub unsafe fn discard(at: NonNull<u8>, len: usize) {
    // SAFETY: the caller's promise.
    #[cfg(all(target_os = "linux", not(miri)))]
    unsafe {
        libc::madvise(at.as_ptr().cast(), len, libc::MADV_DONTNEED);
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    let _ = (at, len);
}

/// Asks the processor to fetch a line of memory that is going to be written. Any address will do.
#[inline(always)]
pub fn will_write(at: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch reads and writes nothing, and does nothing at an address that is not mapped.
    unsafe {
        std::arch::asm!("prefetchw [{}]", in(reg) at, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = at;
}
