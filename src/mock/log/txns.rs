//! Which transactions of one partition are undecided, and which were aborted (Kafka's transaction index).

use std::collections::HashMap;

struct Aborted {
    producer_id: i64,
    first_offset: i64,
    /// Of the abort marker.
    last_offset: i64,
}

#[derive(Default)]
pub struct TxnIndex {
    /// First offset by producer id.
    open: HashMap<i64, i64>,
    /// In the order of their markers.
    aborted: Vec<Aborted>,
}

impl TxnIndex {
    pub fn is_open(&self, producer_id: i64) -> bool {
        self.open.contains_key(&producer_id)
    }

    /// A transactional batch is appended at `offset`; the first of a transaction opens it.
    pub fn begin(&mut self, producer_id: i64, offset: i64) {
        self.open.entry(producer_id).or_insert(offset);
    }

    /// A marker is appended at `offset`. One without records before it changes nothing.
    pub fn end(&mut self, producer_id: i64, offset: i64, commit: bool) {
        if let Some(first_offset) = self.open.remove(&producer_id) {
            if !commit {
                self.aborted.push(Aborted { producer_id, first_offset, last_offset: offset });
            }
        }
    }

    pub fn first_undecided(&self) -> Option<i64> {
        self.open.values().min().copied()
    }

    /// Producer id and first offset of aborted transactions that reach into `from..to`.
    pub fn aborted(&self, from: i64, to: i64) -> Vec<(i64, i64)> {
        let inside = self.aborted.iter().filter(|a| a.last_offset >= from && a.first_offset < to);
        inside.map(|a| (a.producer_id, a.first_offset)).collect()
    }

    /// The log starts at `offset` now.
    pub fn forget_before(&mut self, offset: i64) {
        let gone = self.aborted.partition_point(|a| a.last_offset < offset);
        self.aborted.drain(..gone);
    }
}
