//! The lock-free produce queue: records are encoded once, by the calling thread, straight into the chunk of memory from
//! which they will be written to the socket.
//!
//! `chunk` is the concurrent core, `record` encodes, `section` its headers, `layout` notes what a report needs to find, `pool`
//! recycles chunks, `batch` is a run of chunks that becomes one record batch, `partition` queues batches in order, `budget`
//! bounds what is queued, `shortcut` spares producing threads look-ups.

pub mod batch;
pub mod budget;
pub mod chunk;
pub mod layout;
pub mod partition;
pub mod pool;
pub mod record;
pub mod section;
pub mod shortcut;

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;
