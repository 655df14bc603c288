//! The embedded broker: a Kafka cluster in memory that speaks the real protocol on loopback sockets.
//!
//! [`MockCluster`] starts it, steers it and looks into it. It serves this library's tests, programs that set
//! `test.mock.num.brokers`, and any other Kafka client that is pointed at the `rkafka-broker` program.
//!
//! * [`cluster`]: controls, inspection. `shared`: set-up and state. `server`: the thread of a broker.
//! * `handlers`: one module per API key. `topics`, `log`: what they act upon.
//! * [`batch`], `codec`: reading record batches, apart from the client's own code.
//! * [`txn`], [`groups`]: what coordinators keep. `coordinators`: which broker is one, and what it does by itself.
//! * [`commands`]: the controls as lines of text. [`faults`]: what goes wrong, and when. [`profiles`]: versions of past releases.

pub mod batch;
pub mod cluster;
mod codec;
pub mod commands;
mod coordinators;
pub mod faults;
pub mod groups;
mod handlers;
mod input;
mod log;
pub mod profiles;
mod sasl;
mod security;
mod server;
mod shared;
mod stream;
mod topics;
pub mod txn;

#[cfg(test)]
mod tests;

pub use batch::Strictness;
pub use cluster::txns::{MockMarker, TransactionInfo};
pub use cluster::{MockCluster, MockRecord};
pub use faults::{Faults, HostileMode};
pub use groups::{CommittedOffset, Member};
pub use security::Security;
pub use shared::{Options, SeenRequest};
