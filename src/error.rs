//! Errors: the codes ([`RespErr`]), an error with text and flags ([`Error`]), and what a producer must do about the code of
//! a ProduceResponse ([`produce_action`]).
//!
//! Negative codes are the client's own, zero and above come from a broker. Numbers and names are those every
//! librdkafka-based client knows.

mod codes;
mod produce;

pub use codes::ERR_TABLE;
pub use produce::{produce_action, ErrAction, PersistedHint};

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::fmt;

/// A response or client error code (`rk_resp_err_t` in C). Codes this version does not know are carried unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct RespErr(pub i32);

/// One row of [`ERR_TABLE`].
#[derive(Clone, Copy)]
pub struct ErrDesc {
    pub code: RespErr,
    /// Name without prefix, for example `_MSG_TIMED_OUT` or `UNKNOWN_TOPIC_OR_PART`.
    pub name: &'static CStr,
    /// Text for people, for example `Local: Message timed out`.
    pub description: &'static CStr,
}

/// Unknown codes whose names are kept. A broker can send 65,536 different ones and a C caller four billion; past this many,
/// all share one name, so that nothing grows without bound.
const UNKNOWN_NAMES_MAX: usize = 256;

static UNKNOWN_NAMES: Mutex<BTreeMap<i32, &'static CStr>> = Mutex::new(BTreeMap::new());

/// The name of a code that is not in the table: `ERR_<n>?`. It lives for ever, as C callers expect of an error name.
fn unknown_name(code: i32) -> &'static CStr {
    let mut names = UNKNOWN_NAMES.lock();
    if let Some(name) = names.get(&code) {
        return name;
    }
    if names.len() >= UNKNOWN_NAMES_MAX {
        return c"ERR_?";
    }
    match CString::new(format!("ERR_{code}?")) {
        Ok(name) => {
            let name: &'static CStr = Box::leak(name.into_boxed_c_str());
            names.insert(code, name);
            name
        }
        Err(_) => c"ERR_?",
    }
}

impl RespErr {
    pub const NO_ERROR: RespErr = RespErr(0);

    /// The code of a broker's response as it is on the wire.
    pub fn from_wire(code: i16) -> RespErr {
        RespErr(i32::from(code))
    }

    pub fn is_ok(self) -> bool {
        self == RespErr::NO_ERROR
    }

    pub fn is_err(self) -> bool {
        !self.is_ok()
    }

    /// True for codes raised by this client rather than by a broker. −1 is a broker's "unknown server error".
    pub fn is_local(self) -> bool {
        self.0 < -1
    }

    /// The table row, or None for a code this version does not know.
    pub fn desc(self) -> Option<&'static ErrDesc> {
        ERR_TABLE.binary_search_by_key(&self.0, |row| row.code.0).ok().map(|at| &ERR_TABLE[at])
    }

    /// `_MSG_TIMED_OUT`; for an unknown code `ERR_<n>?`.
    pub fn name(self) -> &'static str {
        self.name_cstr().to_str().unwrap_or("ERR_?")
    }

    /// [`name`](Self::name) with a NUL at its end.
    pub fn name_cstr(self) -> &'static CStr {
        self.desc().map_or_else(|| unknown_name(self.0), |row| row.name)
    }

    /// `Local: Message timed out`; for an unknown code its name.
    pub fn description(self) -> &'static str {
        self.description_cstr().to_str().unwrap_or("ERR_?")
    }

    /// [`description`](Self::description) with a NUL at its end.
    pub fn description_cstr(self) -> &'static CStr {
        self.desc().map_or_else(|| unknown_name(self.0), |row| row.description)
    }
}

impl fmt::Debug for RespErr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.0)
    }
}

impl fmt::Display for RespErr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description())
    }
}

/// An error with its text and what can be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    code: RespErr,
    text: String,
    fatal: bool,
    retriable: bool,
    txn_requires_abort: bool,
}

impl Error {
    pub fn new(code: RespErr, text: impl Into<String>) -> Error {
        Error { code, text: text.into(), fatal: false, retriable: false, txn_requires_abort: false }
    }

    /// The producer cannot go on: every later call fails with this error.
    pub fn fatal(code: RespErr, text: impl Into<String>) -> Error {
        Error { fatal: true, ..Error::new(code, text) }
    }

    /// The same call may succeed when made again.
    pub fn retriable(code: RespErr, text: impl Into<String>) -> Error {
        Error { retriable: true, ..Error::new(code, text) }
    }

    /// The current transaction must be aborted; the producer can be used after that.
    pub fn txn_requires_abort(code: RespErr, text: impl Into<String>) -> Error {
        Error { txn_requires_abort: true, ..Error::new(code, text) }
    }

    pub fn code(&self) -> RespErr {
        self.code
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn is_fatal(&self) -> bool {
        self.fatal
    }

    pub fn is_retriable(&self) -> bool {
        self.retriable
    }

    pub fn requires_abort(&self) -> bool {
        self.txn_requires_abort
    }
}

impl From<RespErr> for Error {
    fn from(code: RespErr) -> Error {
        Error::new(code, code.description())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.is_empty() {
            return write!(f, "{}", self.code);
        }
        write!(f, "{} ({})", self.text, self.code.name())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted_and_complete() {
        assert!(ERR_TABLE.windows(2).all(|w| w[0].code < w[1].code));
        // 63 local codes with the markers, -1, and the brokers' codes up to 133 with END_ALL.
        assert_eq!(ERR_TABLE.len(), 191);
        for row in ERR_TABLE {
            let local = row.code.is_local();
            assert_eq!(row.name.to_bytes().starts_with(b"_"), local, "{:?}", row.name);
            assert!(!row.description.to_bytes().is_empty(), "{:?}", row.name);
            assert_eq!(row.code.desc().map(|d| d.name), Some(row.name));
        }
    }

    #[test]
    fn names_and_descriptions() {
        assert_eq!(RespErr::ERR__MSG_TIMED_OUT.0, -192);
        assert_eq!(RespErr::ERR__MSG_TIMED_OUT.name(), "_MSG_TIMED_OUT");
        assert_eq!(RespErr::ERR__MSG_TIMED_OUT.description(), "Local: Message timed out");
        assert_eq!(RespErr::ERR_UNKNOWN_TOPIC_OR_PART.0, 3);
        assert_eq!(RespErr::from_wire(3).to_string(), "Broker: Unknown topic or partition");
        assert_eq!(RespErr::NO_ERROR.to_string(), "Success");
        assert_eq!(RespErr::from_wire(-1).name(), "UNKNOWN");
        assert_eq!(format!("{:?}", RespErr::ERR__QUEUE_FULL), "_QUEUE_FULL(-184)");
    }

    #[test]
    fn unknown_codes_have_names_without_growing_for_ever() {
        assert_eq!(RespErr(9999).name(), "ERR_9999?");
        assert_eq!(RespErr(9999).name_cstr().as_ptr(), RespErr(9999).name_cstr().as_ptr());
        for code in 20_000..21_000 {
            assert!(RespErr(code).name().starts_with("ERR_"));
        }
        assert!(UNKNOWN_NAMES.lock().len() <= UNKNOWN_NAMES_MAX);
        assert_eq!(RespErr(50_000).name(), "ERR_?");
    }

    #[test]
    fn error_flags_and_text() {
        let error = Error::fatal(RespErr::ERR__FENCED, "fenced by a newer producer");
        assert!(error.is_fatal() && !error.is_retriable() && !error.requires_abort());
        assert_eq!(error.to_string(), "fenced by a newer producer (_FENCED)");
        assert_eq!(Error::from(RespErr::ERR__STATE).text(), "Local: Erroneous state");
    }
}
