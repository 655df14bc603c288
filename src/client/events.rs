//! What the application is told: the event queue between the client's threads and poll.

use crate::error::RespErr;

/// One thing the application should hear about. Produced by the client's threads, consumed by whoever polls.
pub enum Event {
    /// Fates of the records of one batch; credits and memory go back when it is dropped.
    Delivery(crate::client::delivery::Delivery),
    /// An error of the client as a whole (all brokers down, authentication, fatal errors).
    Error { code: RespErr, text: String, fatal: bool },
    /// A broker asked the client to hold back (KIP-219).
    Throttle { broker_name: String, broker_id: i32, throttle_ms: i32 },
    /// A log line that was asked to go through the queue (`log.queue=true`) or whose callback runs in poll.
    Log { level: i32, facility: &'static str, text: String },
    /// The statistics document, JSON.
    Stats(String),
}
