//! The messages, one module per API, request and response together.
//!
//! Fields bear Kafka's names in snake case; their versions and defaults are those of Kafka's message definitions.
//! A field that the chosen version lacks is not written and decodes as its default. Error codes stay the plain
//! numbers of the wire, so that an unknown one loses nothing.

pub mod add_offsets_to_txn;
pub mod add_partitions_to_txn;
pub mod api_versions;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_topics;
pub mod end_txn;
pub mod fetch;
pub mod find_coordinator;
pub mod init_producer_id;
pub mod list_offsets;
pub mod metadata;
pub mod offset_commit;
pub mod offset_fetch;
pub mod produce;
pub mod sasl_authenticate;
pub mod sasl_handshake;
pub mod txn_offset_commit;

#[cfg(test)]
mod tests;
