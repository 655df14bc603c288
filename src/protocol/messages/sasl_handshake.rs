//! SaslHandshake (17): the SASL mechanism of a connection (KIP-43, KIP-152).

use crate::protocol::wire::message;

message! {
    /// SaslHandshakeRequest, v0–v1. After v1 the mechanism's messages come in SaslAuthenticate requests.
    pub struct SaslHandshakeRequest for SaslHandshake {
        /// The mechanism that the client has chosen.
        mechanism: String = String::new(), 0..;
    }

    /// SaslHandshakeResponse, v0–v1.
    pub struct SaslHandshakeResponse for SaslHandshake {
        /// 0, or the error.
        error_code: i16 = 0, 0..;
        /// The mechanisms that the broker's listener has.
        mechanisms: Vec<String> = Vec::new(), 0..;
    }
}
