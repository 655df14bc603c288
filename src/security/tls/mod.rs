//! TLS by rustls: versions 1.2 and 1.3.

mod client;
mod explain;
mod pem;
mod server;
mod verify;

pub use client::{ca_certificates, TlsContext};
pub(crate) use explain::utc;
pub use explain::{explain, looks_like_tls};
pub(super) use pem::{private_key, read as read_file};
pub use server::server_config;
pub use verify::{Judge, Presented};
