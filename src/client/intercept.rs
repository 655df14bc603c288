//! Interceptors on the produce path: they see each message before it is encoded, may change its headers, and hear of it
//! when it is refused all the same. With one that sees messages, every message takes `produce_slow` (`slow_partitioner` is
//! on); without, the fast path does not know of them.

use super::headers::Headers;
use super::shared::Shared;
use super::topic::TopicState;
use crate::accumulator::record::RecordRef;
use crate::error::RespErr;
use std::ffi::CStr;
use std::sync::Arc;

/// A message within the produce call.
pub struct Sending<'a> {
    pub topic: &'a CStr,
    /// As asked for: may be [`super::PARTITION_UA`].
    pub partition: i32,
    pub payload: Option<&'a [u8]>,
    pub key: Option<&'a [u8]>,
    /// The headers section; read it with [`super::HeadersRef`].
    pub raw_headers: &'a [u8],
    /// CreateTime in milliseconds since the epoch.
    pub timestamp_ms: i64,
    pub opaque: usize,
}

impl<'a> Sending<'a> {
    fn new(t: &'a TopicState, partition: i32, rec: &RecordRef<'a>) -> Sending<'a> {
        Sending {
            topic: &t.info.cname,
            partition,
            payload: rec.value,
            key: rec.key,
            raw_headers: rec.headers,
            timestamp_ms: rec.create_ms(),
            opaque: rec.opaque,
        }
    }
}

/// Takes a line for the log, a warning.
pub type Warn<'a> = &'a dyn Fn(&str);

/// Sees a message; the headers that it returns replace the message's. An error refuses the message, of which `RefusedFn` is
/// not told then. Runs on producing threads, with no lock held.
pub type SendFn = Box<dyn Fn(&Sending<'_>, Warn<'_>) -> Result<Option<Headers>, RespErr> + Send + Sync>;

/// Hears why a message that a `SendFn` has seen is refused, with the headers it has by now. There will be no report of it.
pub type RefusedFn = Box<dyn Fn(&Sending<'_>, RespErr, Warn<'_>) + Send + Sync>;

impl Shared {
    /// `enqueue` between the interceptors. The credit is taken, and goes back with an error.
    pub(super) fn intercept(
        self: &Arc<Self>,
        t: &TopicState,
        asked: i32,
        block: bool,
        mut rec: RecordRef<'_>,
        hint: usize,
    ) -> Result<(), RespErr> {
        // What interceptors are shown is what will be in the log.
        rec.timestamp_ms = Some(rec.create_ms());
        let mut headers = None;
        if let Some(on_send) = &self.hooks.on_send {
            match on_send(&Sending::new(t, asked, &rec), &|text| self.warn(text)) {
                Ok(changed) => headers = changed,
                Err(e) => {
                    self.home.budget.give(1);
                    return Err(e);
                }
            }
        }
        let rec = RecordRef { headers: headers.as_ref().map_or(rec.headers, Headers::wire), ..rec };
        let result = if rec.fixed_len() > self.max_record {
            self.home.budget.give(1);
            Err(RespErr::ERR_MSG_SIZE_TOO_LARGE)
        } else {
            self.enqueue(t, asked, block, rec, hint)
        };
        if let (Err(e), Some(on_refused)) = (result, &self.hooks.on_refused) {
            on_refused(&Sending::new(t, asked, &rec), e, &|text| self.warn(text));
        }
        result
    }

    fn warn(&self, text: &str) {
        self.log(super::log::WARNING, "ICFAIL", text);
    }
}
