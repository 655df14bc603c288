//! Record batches of message format v2 (KIP-98), the only format this library writes or reads.
//!
//! * [`batch`]: the 61-byte header, its checksum, and walking the batches of a fetched or produced blob.
//! * [`record`]: the records inside a batch.
//! * [`codec`]: compression of the records.
//! * [`lz`]: the compressor of snappy and lz4.

pub mod batch;
pub mod codec;
pub mod lz;
pub mod record;

pub use batch::{BatchHeader, Batches, RecordBatch, HEADER_LEN};
pub use codec::{compress, decompress, CompressCtx, Compression};
pub use record::{encode_record, Header, HeadersIter, Record, Records};

#[cfg(test)]
mod tests;
