//! Security: TLS and SASL, apart from sockets and threads, so that client and embedded broker both stand on it.
//!
//! * [`tls`]: certificates and keys, the client's and the server's configuration, errors in words that say what to do.
//! * [`sasl`]: the mechanisms, as exchanges of bytes.
//!
//! The cryptography is that of ring, for TLS as for SCRAM and signatures: it builds within seconds with any C compiler
//! (aws-lc takes minutes and, on some systems, cmake), and its AES-GCM is as fast as a network asks for.

#[doc(hidden)]
pub mod fuzz_entry;
pub mod sasl;
pub mod tls;
