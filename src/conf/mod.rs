//! Configuration: one declarative table of properties, parsing and reading back, and the typed [`Settings`] the client runs on.

mod settings;

pub use settings::{AddressFamily, Compression, DebugContexts, DnsLookup, MetadataRecovery, Settings, TopicSettings};
