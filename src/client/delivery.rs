//! Delivery: a batch with its verdict, on its way to the application, and the walk over its reports.

use super::topic::Partition;
use crate::accumulator::batch::{self, Batch};
use crate::error::RespErr;
use std::ffi::CStr;

/// Offset of a record whose offset is not known.
pub const OFFSET_INVALID: i64 = -1001;

/// What is known of a record's being in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub enum Status {
    /// Never written to a broker, or refused by it.
    NotPersisted = 0,
    /// Written to a broker, whose answer is not known.
    PossiblyPersisted = 1,
    /// In the log, by the broker's word.
    Persisted = 2,
}

/// A batch's fate.
#[derive(Clone, Copy, Debug)]
pub struct Verdict {
    pub err: RespErr,
    pub status: Status,
    /// Offset of the first record, or [`OFFSET_INVALID`].
    pub base_offset: i64,
    /// The broker's time for all records (LogAppendTime), or −1: they keep their own.
    pub append_time: i64,
}

impl Verdict {
    pub fn failed(err: RespErr, status: Status) -> Verdict {
        Verdict { err, status, base_offset: OFFSET_INVALID, append_time: -1 }
    }
}

/// One batch's reports. Drop gives its memory and credits back, so keep it no longer than needed.
pub struct Delivery {
    batch: Batch<Partition>,
    verdict: Verdict,
    settled_us: u64,
    /// Records of their own fate within the batch (KIP-467): index and code.
    own: Vec<(u32, RespErr)>,
}

impl Delivery {
    pub(super) fn new(mut batch: Batch<Partition>, verdict: Verdict, own: Vec<(u32, RespErr)>) -> Delivery {
        batch.complete();
        batch.settle();
        // What was compressed has been sent; only the records themselves are needed from here on.
        batch.compressed = None;
        let settled_us = batch.now_us();
        Delivery { batch, verdict, settled_us, own }
    }

    pub fn topic_name(&self) -> &CStr {
        &self.batch.owner.info.cname
    }

    pub fn partition(&self) -> i32 {
        self.batch.owner.index
    }

    /// The batch's error; single records may differ (see [`Report::err`]).
    pub fn err(&self) -> RespErr {
        self.verdict.err
    }

    /// Its reports bear the broker's time (LogAppendTime), not their own.
    pub fn has_append_time(&self) -> bool {
        self.verdict.append_time >= 0
    }

    /// Every record of it succeeded.
    pub fn clean(&self) -> bool {
        self.verdict.err == RespErr::NO_ERROR && self.own.iter().all(|(_, e)| *e == RespErr::NO_ERROR)
    }

    /// Number of reports.
    pub fn count(&self) -> usize {
        self.batch.count as usize
    }

    /// What all its reports have in common, if they do: error, partition, status.
    pub fn common(&self) -> Option<(RespErr, i32, Status)> {
        let all = self.own.is_empty() && self.partition() >= 0;
        all.then_some((self.verdict.err, self.partition(), self.verdict.status))
    }

    /// As `reports`, for a hot loop.
    #[inline(always)]
    pub fn each_report<'a>(&'a self, f: impl FnMut(Report<'a>)) {
        let mut reports = self.reports();
        if self.common().is_some() {
            reports.each_in_common(usize::MAX, f);
        } else {
            reports.for_each(f);
        }
    }

    /// Walks the reports, in the order in which the records were accepted.
    #[inline]
    pub fn reports(&self) -> Reports<'_> {
        Reports {
            records: self.batch.records(),
            verdict: self.verdict,
            partition: self.batch.owner.index,
            undecided: self.batch.owner.index < 0,
            settled_us: self.settled_us,
            next: 0,
            own: &self.own,
        }
    }
}

/// The fate of one record.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    pub err: RespErr,
    pub partition: i32,
    pub offset: i64,
    pub timestamp_ms: i64,
    pub payload: Option<&'a [u8]>,
    pub key: Option<&'a [u8]>,
    /// The headers section; read it with [`super::HeadersRef`].
    pub raw_headers: &'a [u8],
    pub opaque: usize,
    /// From produce to verdict.
    pub latency_us: i64,
    pub status: Status,
}

/// Iterator over a delivery's reports.
pub struct Reports<'a> {
    records: batch::Records<'a>,
    verdict: Verdict,
    partition: i32,
    /// The records have no partition yet; each carries the one asked for.
    undecided: bool,
    settled_us: u64,
    next: u32,
    own: &'a [(u32, RespErr)],
}

impl<'a> Reports<'a> {
    /// Calls `f` with the next reports, `most` at the most, and returns with how many; of a delivery whose reports have
    /// their fate in common ([`Delivery::common`]). See [`batch::Records::each`].
    #[inline(always)]
    pub fn each_in_common(&mut self, most: usize, mut f: impl FnMut(Report<'a>)) -> usize {
        let Verdict { err, status, base_offset, append_time } = self.verdict;
        let (partition, settled_us) = (self.partition, self.settled_us);
        let (mut offset, step) = if base_offset >= 0 { (base_offset + self.next as i64, 1) } else { (base_offset, 0) };
        let count = self.records.each(most, |it| {
            f(Report {
                err,
                partition,
                offset,
                timestamp_ms: if append_time >= 0 { append_time } else { it.timestamp_ms },
                payload: it.record.value,
                key: it.record.key,
                raw_headers: it.record.headers,
                opaque: it.opaque,
                latency_us: settled_us.saturating_sub(it.handed_over_us) as i64,
                status,
            });
            offset += step;
        });
        self.next += count as u32;
        count
    }
}

impl<'a> Iterator for Reports<'a> {
    type Item = Report<'a>;

    #[inline(always)]
    fn next(&mut self) -> Option<Report<'a>> {
        let it = self.records.next()?;
        let v = &self.verdict;
        let mut err = v.err;
        if !self.own.is_empty() {
            if let Some(&(_, e)) = self.own.iter().find(|(i, _)| *i == self.next) {
                err = e;
            }
        }
        let offset = if v.base_offset >= 0 { v.base_offset + self.next as i64 } else { v.base_offset };
        self.next += 1;
        Some(Report {
            err,
            partition: if self.undecided { it.aux as i32 } else { self.partition },
            offset,
            timestamp_ms: if v.append_time >= 0 { v.append_time } else { it.timestamp_ms },
            payload: it.record.value,
            key: it.record.key,
            raw_headers: it.record.headers,
            opaque: it.opaque,
            latency_us: self.settled_us.saturating_sub(it.handed_over_us) as i64,
            status: v.status,
        })
    }
}
