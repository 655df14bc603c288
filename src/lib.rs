//! rkafka: a Kafka client with a C ABI.
//!
//! The C API is in [`ffi`]; `include/rkafka.h` is generated from it. Dependencies point one way:
//! `ffi → client → {accumulator, conf, sys} → protocol`, and `mock → {protocol, sys}`; `error` and `sync` sit under all.
//! `docs/ARCHITECTURE.md` follows a message through these modules.

pub mod accumulator;
pub mod client;
pub mod conf;
pub mod error;
pub mod ffi;
pub mod mock;
pub mod partitioner;
pub mod protocol;
pub mod security;
pub mod sync;
pub mod sys;
