//! The messages, one module per API, request and response together.
//!
//! Fields bear Kafka's names in snake case; their versions and defaults are those of Kafka's message definitions.
//! A field that the chosen version lacks is not written and decodes as its default. Error codes stay the plain
//! numbers of the wire, so that an unknown one loses nothing.

pub mod api_versions;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_topics;
pub mod fetch;
pub mod find_coordinator;
pub mod init_producer_id;
pub mod list_offsets;
pub mod metadata;
pub mod produce;

#[cfg(test)]
mod tests;
