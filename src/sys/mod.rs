//! What the operating system gives: clocks, sockets, waiting.

pub mod clock;
