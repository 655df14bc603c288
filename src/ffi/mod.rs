//! The C API: handles, guards against NULL and panics, callbacks. `include/rkafka.h` is generated from these files, so
//! their documentation is the header's; `tests/header_current.rs` keeps them together.
//!
//! Rules: an export is `pub unsafe extern "C" fn` with a Safety section and one `guard!` as its body (a test looks); it
//! reads its arguments by the functions of `guard.rs` and `handle.rs` alone; it returns a status and writes outputs last.
//! No logic of Kafka lives here.

#![allow(unsafe_code, non_camel_case_types)]

mod conf;
mod dispatch;
mod error;
mod event;
mod guard;
mod handle;
mod headers;
mod interceptor;
mod metadata;
mod mock;
mod mock_security;
mod network;
mod oauth;
mod producer;
mod topic;
mod topic_partition;
mod transactions;
mod types;
mod version;

pub use conf::*;
pub use error::*;
pub use event::*;
pub use headers::*;
pub use interceptor::*;
pub use metadata::*;
pub use mock::*;
pub use mock_security::*;
pub use network::*;
pub use oauth::*;
pub use producer::*;
pub use topic::*;
pub use topic_partition::*;
pub use transactions::*;
pub use types::*;
pub use version::*;
