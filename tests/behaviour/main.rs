//! One test per promise of the client: what its documentation says about metadata, batches, limits, time, connections,
//! events and content, each shown on the embedded broker.

#[path = "../common/mod.rs"]
mod common;

mod batches;
mod certs;
mod connections;
mod content;
mod events;
mod limits;
mod metadata;
mod oidc;
mod recovery;
mod sasl;
mod splits;
mod time;
mod tls;
mod transactions;
mod verdicts;
