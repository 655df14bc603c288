//! `rk_headers_*`: lists of headers, to produce with and as they come back in reports.

use super::guard::{bytes, field, guard, is_utf8, live, live_mut, put, text, MAX_FIELD};
use super::handle::{give, handle, take};
use super::types::*;
use crate::client::{HeaderSection, Headers, InPlace, SMALL};
use crate::error::RespErr;
use std::ffi::{c_char, c_void};

/// A list of headers: in order, names may repeat, values may be null. Not thread-safe.
pub struct rk_headers_t {
    pub(super) headers: Headers,
}
handle!(rk_headers_t, b'h');

/// A header of a message that is produced: an element of the arrays that rk_topic_produce_header_array takes. Everything is
/// copied.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rk_header_t {
    /// Name, UTF-8, without a NUL at its end.
    pub name: *const c_char,
    /// Bytes at name.
    pub name_len: usize,
    /// Value, or NULL for a null value.
    pub value: *const c_void,
    /// Bytes at value.
    pub value_len: usize,
}

/// An array of headers as the section that is to be made in the record; `None` if there are none or too many, if not
/// all are short, if one is null, and where rk_headers_add would refuse one.
///
/// # Safety
/// `headers` is NULL or has `count` headers, which stay for `'a`, and whose pointers are NULL or good for reading their lengths.
#[inline(always)]
pub(super) unsafe fn in_place<'a>(headers: *const rk_header_t, count: usize) -> Option<impl HeaderSection + use<'a>> {
    if headers.is_null() || count.wrapping_sub(1) >= SMALL {
        return None;
    }
    // SAFETY: by contract.
    let headers: &'a [rk_header_t] = unsafe { std::slice::from_raw_parts(headers, count) };
    let mut payload = 0;
    for h in headers {
        if h.name.is_null() || h.value.is_null() || h.name_len | h.value_len > SMALL {
            return None;
        }
        // SAFETY: by contract, and it is not NULL.
        if !is_utf8(unsafe { std::slice::from_raw_parts(h.name.cast(), h.name_len) }) {
            return None;
        }
        payload += h.name_len + h.value_len;
    }
    let parts = |h: &'a rk_header_t| {
        // SAFETY: by contract, and none is NULL.
        unsafe {
            let name = std::slice::from_raw_parts(h.name.cast(), h.name_len);
            (name, std::slice::from_raw_parts(h.value.cast(), h.value_len))
        }
    };
    // SAFETY: the lengths were just looked at and added up, and by contract what is in the array stays.
    Some(unsafe { InPlace::new(headers, payload, parts) })
}

/// An array of headers as a list; `None` where rk_headers_add would refuse one of them.
///
/// # Safety
/// As `in_place`.
pub(super) unsafe fn list_of(headers: *const rk_header_t, count: usize) -> Option<Headers> {
    if (headers.is_null() && count > 0) || count > isize::MAX as usize / size_of::<rk_header_t>() {
        return None;
    }
    let mut list = Headers::with_capacity(count);
    for i in 0..count {
        // SAFETY: `i` is in the array, by contract.
        let h = unsafe { &*headers.add(i) };
        let no_value = h.value.is_null() & (h.value_len != 0);
        if no_value | ((h.name_len | h.value_len) > MAX_FIELD) {
            return None;
        }
        // SAFETY: by contract, and the lengths are those of slices.
        let (name, value) = unsafe { (field(h.name.cast(), h.name_len), field(h.value, h.value_len)) };
        list.add(name.filter(|n| is_utf8(n))?, value);
    }
    Some(list)
}

impl rk_headers_t {
    fn give(headers: Headers) -> *mut rk_headers_t {
        give(rk_headers_t { headers })
    }
}

/// Makes an empty list. `initial_count` is a hint of how many headers it will hold.
#[no_mangle]
pub extern "C" fn rk_headers_new(initial_count: usize) -> *mut rk_headers_t {
    guard!(std::ptr::null_mut(), { rk_headers_t::give(Headers::with_capacity(initial_count)) })
}

/// Makes a copy. NULL for NULL.
///
/// # Safety
/// `headers` is NULL or a live list.
#[no_mangle]
pub unsafe extern "C" fn rk_headers_copy(headers: *const rk_headers_t) -> *mut rk_headers_t {
    guard!(std::ptr::null_mut(), { rk_headers_t::give(live!(headers, std::ptr::null_mut()).headers.clone()) })
}

/// Frees a list (but not one that went with an accepted message: that is gone already). NULL is fine.
///
/// # Safety
/// `headers` is NULL or a live list; it is gone afterwards.
#[no_mangle]
pub unsafe extern "C" fn rk_headers_destroy(headers: *mut rk_headers_t) {
    guard!((), {
        // SAFETY: by contract.
        drop(unsafe { take(headers) });
    })
}

/// Appends a header; name and value are copied. The name is UTF-8, `name_len` bytes; `value` NULL is a null value.
/// RK_RESP_ERR__INVALID_ARG if the name is NULL or not UTF-8, or a length is over 2 GiB.
///
/// # Safety
/// `headers` is NULL or a live list; `name` and `value` are NULL or have their lengths.
#[no_mangle]
pub unsafe extern "C" fn rk_headers_add(
    headers: *mut rk_headers_t,
    name: *const c_char,
    name_len: usize,
    value: *const c_void,
    value_len: usize,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let list = live_mut!(headers, RespErr::ERR__INVALID_ARG.0);
        // SAFETY: by contract.
        let (name, value) = unsafe { (bytes(name.cast(), name_len), bytes(value, value_len)) };
        match (name, value) {
            (Ok(Some(name)), Ok(value)) if is_utf8(name) => {
                list.headers.add(name, value);
                RespErr::NO_ERROR.0
            }
            _ => RespErr::ERR__INVALID_ARG.0,
        }
    })
}

/// As rk_headers_add, with C strings; the NUL at the value's end does not belong to it.
///
/// # Safety
/// `headers` is NULL or a live list; `name` and `value` are NULL or C strings.
#[no_mangle]
pub unsafe extern "C" fn rk_headers_add_str(
    headers: *mut rk_headers_t,
    name: *const c_char,
    value: *const c_char,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let list = live_mut!(headers, RespErr::ERR__INVALID_ARG.0);
        // SAFETY: by contract.
        let (name, value) = unsafe { (text(name), super::guard::c_bytes(value)) };
        let Some(name) = name else { return RespErr::ERR__INVALID_ARG.0 };
        list.headers.add(name.as_bytes(), value);
        RespErr::NO_ERROR.0
    })
}

/// Removes all headers of that name. RK_RESP_ERR__NOENT if there were none.
///
/// # Safety
/// `headers` is NULL or a live list; `name` is NULL or a C string.
#[no_mangle]
pub unsafe extern "C" fn rk_headers_remove(headers: *mut rk_headers_t, name: *const c_char) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let list = live_mut!(headers, RespErr::ERR__INVALID_ARG.0);
        // SAFETY: by contract.
        let Some(name) = (unsafe { text(name) }) else { return RespErr::ERR__INVALID_ARG.0 };
        match list.headers.remove(name.as_bytes()) {
            0 => RespErr::ERR__NOENT.0,
            _ => RespErr::NO_ERROR.0,
        }
    })
}

/// Number of headers; 0 for NULL.
///
/// # Safety
/// `headers` is NULL or a live list.
#[no_mangle]
pub unsafe extern "C" fn rk_headers_count(headers: *const rk_headers_t) -> usize {
    guard!(0, { live!(headers, 0).headers.count() })
}

/// The last header of that name: its value, NULL if null. RK_RESP_ERR__NOENT if there is none. What is returned lives
/// until the list is changed or freed. Outputs may be NULL.
///
/// # Safety
/// `headers` is NULL or a live list; `name` is NULL or a C string; outputs are NULL or can be written.
#[no_mangle]
pub unsafe extern "C" fn rk_headers_get_last(
    headers: *const rk_headers_t,
    name: *const c_char,
    value: *mut *const c_void,
    value_len: *mut usize,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let list = live!(headers, RespErr::ERR__INVALID_ARG.0);
        // SAFETY: by contract.
        let Some(name) = (unsafe { text(name) }) else { return RespErr::ERR__INVALID_ARG.0 };
        let Some(found) = list.headers.get_last(name.as_bytes()) else { return RespErr::ERR__NOENT.0 };
        // SAFETY: by contract.
        unsafe { put_field(found, value, value_len) };
        RespErr::NO_ERROR.0
    })
}

/// Header number `index` from 0 on: name (`name_len` bytes, no NUL at its end) and value (NULL if null).
/// RK_RESP_ERR__NOENT past the end. What is returned lives until the list is changed or freed. Outputs may be NULL. The
/// list is walked from its start each time.
///
/// # Safety
/// `headers` is NULL or a live list; outputs are NULL or can be written.
#[no_mangle]
pub unsafe extern "C" fn rk_headers_get(
    headers: *const rk_headers_t,
    index: usize,
    name: *mut *const c_char,
    name_len: *mut usize,
    value: *mut *const c_void,
    value_len: *mut usize,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let list = live!(headers, RespErr::ERR__INVALID_ARG.0);
        let Some((n, v)) = list.headers.iter().nth(index) else { return RespErr::ERR__NOENT.0 };
        // SAFETY: by contract.
        unsafe {
            put(name, n.as_ptr().cast());
            put(name_len, n.len());
            put_field(v, value, value_len);
        }
        RespErr::NO_ERROR.0
    })
}

/// Writes a value that may be null.
///
/// # Safety
/// Outputs are NULL or can be written.
unsafe fn put_field(field: Option<&[u8]>, value: *mut *const c_void, value_len: *mut usize) {
    // SAFETY: by contract.
    unsafe {
        put(value, field.map_or(std::ptr::null(), |v| v.as_ptr().cast()));
        put(value_len, field.map_or(0, <[u8]>::len));
    }
}

/// The headers of a reported message, as a list of the caller's own: free it with rk_headers_destroy.
/// RK_RESP_ERR__NOENT, and NULL in `*headers`, if it has none.
///
/// # Safety
/// `message` is NULL or a message the library handed out, still valid; `headers` is NULL or can be written.
#[no_mangle]
pub unsafe extern "C" fn rk_message_headers(
    message: *const rk_message_t,
    headers: *mut *mut rk_headers_t,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        // SAFETY: by contract.
        unsafe { put(headers, std::ptr::null_mut()) };
        // SAFETY: by contract.
        let Some(m) = (unsafe { message.as_ref() }) else { return RespErr::ERR__INVALID_ARG.0 };
        if headers.is_null() {
            return RespErr::ERR__INVALID_ARG.0;
        }
        // SAFETY: the library set both fields to the record's headers section, or the caller zeroed them.
        let Ok(Some(raw)) = (unsafe { bytes(m._headers, m._headers_len as usize) }) else {
            return RespErr::ERR__NOENT.0;
        };
        match Headers::from_wire(raw) {
            Some(found) if found.count() > 0 => {
                // SAFETY: by contract.
                unsafe { put(headers, rk_headers_t::give(found)) };
                RespErr::NO_ERROR.0
            }
            Some(_) => RespErr::ERR__NOENT.0,
            None => RespErr::ERR__BAD_MSG.0,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_as_they_went_in() {
        // SAFETY: the list is alive, lengths are those of the literals.
        unsafe {
            let h = rk_headers_new(2);
            assert_eq!(rk_headers_add(h, c"a".as_ptr(), 1, c"xyz".as_ptr().cast(), 3), 0);
            assert_eq!(rk_headers_add_str(h, c"b".as_ptr(), std::ptr::null()), 0);
            let not_text = b"\xff";
            assert_eq!(
                rk_headers_add(h, not_text.as_ptr().cast(), 1, std::ptr::null(), 0),
                RespErr::ERR__INVALID_ARG.0
            );
            assert_eq!(rk_headers_add(h, std::ptr::null(), 0, std::ptr::null(), 0), RespErr::ERR__INVALID_ARG.0);
            let (mut value, mut len) = (std::ptr::null(), 9);
            assert_eq!(rk_headers_get_last(h, c"b".as_ptr(), &mut value, &mut len), 0);
            assert!(value.is_null() && len == 0);
            assert_eq!(rk_headers_get_last(h, c"a".as_ptr(), &mut value, &mut len), 0);
            assert_eq!(std::slice::from_raw_parts(value.cast::<u8>(), len), b"xyz");
            assert_eq!(rk_headers_get_last(h, c"c".as_ptr(), &mut value, &mut len), RespErr::ERR__NOENT.0);

            let mut m = rk_message_t::empty();
            let mut out = h;
            assert_eq!(rk_message_headers(&m, &mut out), RespErr::ERR__NOENT.0);
            assert!(out.is_null());
            let wire = crate::ffi::handle::live(h).unwrap().headers.wire();
            (m._headers, m._headers_len) = (wire.as_ptr().cast(), wire.len() as u32);
            assert_eq!(rk_message_headers(&m, &mut out), 0);
            assert_eq!(rk_headers_count(out), 2);
            assert_eq!(rk_headers_remove(out, c"a".as_ptr()), 0);
            assert_eq!(rk_headers_remove(out, c"a".as_ptr()), RespErr::ERR__NOENT.0);
            rk_headers_destroy(out);
            rk_headers_destroy(h);
        }
    }
}
