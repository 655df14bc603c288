//! The lock-free produce queue: records are encoded once, by the calling thread, straight into the chunk of memory from
//! which they will be written to the socket.
//!
//! `chunk` is the concurrent core, `pool` recycles chunks, `batch` is a run of chunks that becomes one record batch,
//! `partition` queues batches in order, `budget` bounds what is queued.

pub mod batch;
pub mod budget;
pub mod chunk;
pub mod partition;
pub mod pool;
pub mod record;

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;
