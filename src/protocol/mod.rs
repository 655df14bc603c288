//! The Kafka wire protocol: primitive types, API table, messages, record batches.
//!
//! Everything here is a pure function of bytes: no sockets, threads or clock. Decoders return values without side
//! effects; no length or count taken from the wire is trusted before it is compared with the bytes that are left.
//!
//! * [`Reader`] and [`Writer`]: primitive types of both encodings, the old one and the flexible one (KIP-482).
//! * [`api`]: which APIs and versions this library speaks, request and response headers, version negotiation.
//! * [`messages`]: one module per API, each message with both directions.
//! * [`records`]: record batches of message format v2 and their codecs.

pub mod api;
mod error;
#[doc(hidden)]
pub mod fuzz_entry;
pub mod messages;
mod reader;
pub mod records;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
mod wire;
mod writer;

pub use api::{negotiate, ApiKey, RequestHeader};
pub use error::{DecodeError, EncodeError};
pub use reader::Reader;
pub use writer::Writer;

/// A topic id (KIP-516). All zero means "no id".
pub type Uuid = [u8; 16];

/// The absent topic id.
pub const ZERO_UUID: Uuid = [0; 16];
