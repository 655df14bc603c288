//! `rk_topic_partition_list_*`: lists of partitions with offsets, as structs that C reads and writes itself.

use super::guard::{c_bytes, guard, text};
use super::types::*;
use crate::client::{OffsetToCommit, TopicOffsets};
use crate::error::RespErr;
use std::ffi::{c_char, c_int, c_void, CString};

/// A partition, with an offset. Made by rk_topic_partition_list_add alone.
#[repr(C)]
pub struct rk_topic_partition_t {
    /// Topic name; belongs to the list.
    pub topic: *mut c_char,
    pub partition: i32,
    /// Offset, or RK_OFFSET_INVALID.
    pub offset: i64,
    /// Text to be kept with the offset, `metadata_size` bytes; allocated by malloc and freed with the list. NULL for none.
    pub metadata: *mut c_void,
    pub metadata_size: usize,
    /// The application's own.
    pub opaque: *mut c_void,
    /// Error of the partition, where a call gives one.
    pub err: rk_resp_err_t,
    /// Internal: the leader epoch.
    pub _private: *mut c_void,
}

/// A list of partitions. Not thread-safe. `elems` moves when one is added.
#[repr(C)]
pub struct rk_topic_partition_list_t {
    /// Entries in use.
    pub cnt: c_int,
    /// Entries allocated.
    pub size: c_int,
    pub elems: *mut rk_topic_partition_t,
}

/// The leader epoch is kept one higher, so that all zeros is −1, "not known".
fn epoch_of(p: &rk_topic_partition_t) -> i32 {
    (p._private as usize as i64 - 1) as i32
}

/// Gives the array back as the vector that it was; the list is without one until it is given the next.
///
/// # Safety
/// The list was made by `rk_topic_partition_list_new`, and its counts are as this file left them.
unsafe fn take_elems(list: &mut rk_topic_partition_list_t) -> Vec<rk_topic_partition_t> {
    if list.elems.is_null() {
        return Vec::new();
    }
    let (cnt, size) = (list.cnt.max(0) as usize, list.size.max(0) as usize);
    // SAFETY: `put_elems` took it apart, with these counts.
    let elems = unsafe { Vec::from_raw_parts(list.elems, cnt, size) };
    (list.elems, list.cnt, list.size) = (std::ptr::null_mut(), 0, 0);
    elems
}

fn put_elems(list: &mut rk_topic_partition_list_t, elems: Vec<rk_topic_partition_t>) {
    let mut elems = std::mem::ManuallyDrop::new(elems);
    if elems.capacity() > 0 {
        (list.cnt, list.size) = (elems.len() as c_int, elems.capacity() as c_int);
        list.elems = elems.as_mut_ptr();
    }
}

/// The entries of a list.
///
/// # Safety
/// `list` is NULL or live, and not changed during `'a`.
unsafe fn entries<'a>(list: *const rk_topic_partition_list_t) -> &'a mut [rk_topic_partition_t] {
    // SAFETY: by contract.
    match unsafe { list.as_ref() } {
        Some(l) if !l.elems.is_null() && l.cnt > 0 => {
            // SAFETY: `cnt` entries are in use.
            unsafe { std::slice::from_raw_parts_mut(l.elems, l.cnt as usize) }
        }
        _ => &mut [],
    }
}

/// The entry of a partition.
///
/// # Safety
/// `list` is NULL or live, `topic` NULL or a C string.
unsafe fn entry<'a>(
    list: *const rk_topic_partition_list_t,
    topic: *const c_char,
    partition: i32,
) -> Option<&'a mut rk_topic_partition_t> {
    // SAFETY: by contract; the list's own names are C strings.
    unsafe {
        let topic = c_bytes(topic)?;
        entries(list).iter_mut().find(|e| e.partition == partition && c_bytes(e.topic) == Some(topic))
    }
}

/// The offsets of a list by topic, without entries that have none; `None` for NULL.
///
/// # Safety
/// `list` is NULL or live.
pub(super) unsafe fn offsets_of(list: *const rk_topic_partition_list_t) -> Option<Vec<TopicOffsets>> {
    if list.is_null() {
        return None;
    }
    let mut topics: Vec<TopicOffsets> = Vec::new();
    // SAFETY: by contract.
    for e in unsafe { entries(list) } {
        // SAFETY: the list's names are C strings.
        let Some(name) = (unsafe { text(e.topic) }) else { continue };
        if e.offset < 0 {
            continue;
        }
        let metadata = (!e.metadata.is_null() && e.metadata_size > 0).then(|| {
            // SAFETY: the struct's documentation asks for `metadata_size` bytes.
            let bytes = unsafe { std::slice::from_raw_parts(e.metadata.cast::<u8>(), e.metadata_size) };
            String::from_utf8_lossy(bytes).into_owned()
        });
        let offset = OffsetToCommit { partition: e.partition, offset: e.offset, leader_epoch: epoch_of(e), metadata };
        match topics.iter_mut().find(|t| t.topic == name) {
            Some(t) => t.partitions.push(offset),
            None => topics.push(TopicOffsets { topic: name.to_owned(), partitions: vec![offset] }),
        }
    }
    Some(topics)
}

/// Makes an empty list with room for `size` entries; it grows by itself.
#[no_mangle]
pub extern "C" fn rk_topic_partition_list_new(size: c_int) -> *mut rk_topic_partition_list_t {
    guard!(std::ptr::null_mut(), {
        let mut list = rk_topic_partition_list_t { cnt: 0, size: 0, elems: std::ptr::null_mut() };
        put_elems(&mut list, Vec::with_capacity(size.clamp(0, 1 << 16) as usize));
        Box::into_raw(Box::new(list))
    })
}

/// Frees a list with its entries. NULL is fine.
///
/// # Safety
/// `list` is NULL or live; it is gone afterwards.
#[no_mangle]
pub unsafe extern "C" fn rk_topic_partition_list_destroy(list: *mut rk_topic_partition_list_t) {
    guard!((), {
        if list.is_null() {
            return;
        }
        // SAFETY: made by `rk_topic_partition_list_new`.
        let mut list = unsafe { Box::from_raw(list) };
        // SAFETY: the same.
        for e in unsafe { take_elems(&mut list) } {
            // SAFETY: the name is from `into_raw`; metadata is from malloc by the struct's documentation, or NULL.
            unsafe {
                drop(CString::from_raw(e.topic));
                libc::free(e.metadata);
            }
        }
    })
}

/// Appends a partition, without an offset. The entry belongs to the list, and is good until the next one is added. NULL if
/// the list or the name is NULL or the name is not UTF-8.
///
/// # Safety
/// `list` is NULL or live, `topic` NULL or a C string.
#[no_mangle]
pub unsafe extern "C" fn rk_topic_partition_list_add(
    list: *mut rk_topic_partition_list_t,
    topic: *const c_char,
    partition: i32,
) -> *mut rk_topic_partition_t {
    guard!(std::ptr::null_mut(), {
        // SAFETY: by contract.
        let (Some(l), Some(name)) = (unsafe { list.as_mut() }, unsafe { text(topic) }) else {
            return std::ptr::null_mut();
        };
        // SAFETY: the list is one of ours.
        let mut elems = unsafe { take_elems(l) };
        elems.push(rk_topic_partition_t {
            topic: CString::new(name).unwrap_or_default().into_raw(),
            partition,
            offset: RK_OFFSET_INVALID,
            metadata: std::ptr::null_mut(),
            metadata_size: 0,
            opaque: std::ptr::null_mut(),
            err: RespErr::NO_ERROR.0,
            _private: std::ptr::null_mut(),
        });
        put_elems(l, elems);
        // SAFETY: there is at least the one just added.
        unsafe { l.elems.add(l.cnt as usize - 1) }
    })
}

/// The entry of a partition, or NULL. It belongs to the list.
///
/// # Safety
/// `list` is NULL or live, `topic` NULL or a C string.
#[no_mangle]
pub unsafe extern "C" fn rk_topic_partition_list_find(
    list: *const rk_topic_partition_list_t,
    topic: *const c_char,
    partition: i32,
) -> *mut rk_topic_partition_t {
    guard!(std::ptr::null_mut(), {
        // SAFETY: the same contract.
        unsafe { entry(list, topic, partition) }.map_or(std::ptr::null_mut(), |e| e)
    })
}

/// Sets the offset of a partition. RK_RESP_ERR__UNKNOWN_PARTITION if the list does not hold it.
///
/// # Safety
/// `list` is NULL or live, `topic` NULL or a C string.
#[no_mangle]
pub unsafe extern "C" fn rk_topic_partition_list_set_offset(
    list: *mut rk_topic_partition_list_t,
    topic: *const c_char,
    partition: i32,
    offset: i64,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        // SAFETY: the same contract.
        match unsafe { entry(list, topic, partition) } {
            Some(e) => {
                e.offset = offset;
                RespErr::NO_ERROR.0
            }
            None => RespErr::ERR__UNKNOWN_PARTITION.0,
        }
    })
}

/// Sets the leader epoch of the last message consumed (KIP-320); -1, as at first, for not known.
///
/// # Safety
/// `entry` is NULL or an entry of a live list.
#[no_mangle]
pub unsafe extern "C" fn rk_topic_partition_set_leader_epoch(entry: *mut rk_topic_partition_t, leader_epoch: i32) {
    guard!((), {
        // SAFETY: by contract.
        if let Some(e) = unsafe { entry.as_mut() } {
            e._private = (i64::from(leader_epoch.max(-1)) + 1) as usize as *mut c_void;
        }
    })
}

/// The leader epoch, or -1.
///
/// # Safety
/// `entry` is NULL or an entry of a live list.
#[no_mangle]
pub unsafe extern "C" fn rk_topic_partition_get_leader_epoch(entry: *const rk_topic_partition_t) -> i32 {
    guard!(-1, {
        // SAFETY: by contract.
        unsafe { entry.as_ref() }.map_or(-1, epoch_of)
    })
}
