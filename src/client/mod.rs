//! The client: a producer handle, the threads behind it, and what they tell the application.

mod broker;
mod cluster;
mod delivery;
mod desk;
mod events;
mod expiry;
mod forks;
mod headers;
mod idempotence;
mod intercept;
mod log;
mod main_thread;
mod metadata;
mod metadata_request;
mod oidc;
mod produce;
mod producer;
mod registry;
mod shared;
mod spawn;
mod stats;
mod sticky;
mod tokens;
mod topic;
mod transaction;

pub use crate::accumulator::section::{HeaderSection, InPlace, SMALL};
pub use crate::security::sasl::{Custom, Step};
pub use crate::security::tls::Presented;
#[doc(hidden)]
pub use broker::fuzz_entry;
pub use delivery::{Delivery, Report, Reports, Status, OFFSET_INVALID};
pub use events::Event;
pub use forks::{generation, MADE_BEFORE_FORK};
pub use headers::{Headers, HeadersRef, Section};
pub use intercept::{RefusedFn, SendFn, Sending, Warn};
pub use metadata::{BrokerMeta, ClusterMetadata, PartitionMeta, TopicMeta};
pub use produce::{Message, PartitionerArgs, PartitionerFn, PARTITION_UA};
pub use producer::{Producer, PURGE_INFLIGHT, PURGE_NON_BLOCKING, PURGE_QUEUE};
pub use shared::{Hooks, LogFn, SaslFn, VerifyFn};
pub use topic::Topic;
pub use transaction::{GroupMetadata, OffsetToCommit, TopicOffsets};
