//! SaslAuthenticate (36): one message of a SASL mechanism to the broker, and its answer (KIP-152, KIP-368).

use crate::protocol::wire::message;

message! {
    /// SaslAuthenticateRequest, v0–v2.
    pub struct SaslAuthenticateRequest<'a> for SaslAuthenticate {
        /// What the mechanism says; mostly secret.
        auth_bytes: &'a [u8] = &[], 0..;
    }

    /// SaslAuthenticateResponse, v0–v2.
    pub struct SaslAuthenticateResponse<'a> for SaslAuthenticate {
        /// 0, or the error.
        error_code: i16 = 0, 0..;
        /// What went wrong.
        error_message: Option<String> = None, 0.., null 0;
        /// What the mechanism answers.
        auth_bytes: &'a [u8] = &[], 0..;
        /// Milliseconds after which the broker closes the connection unless it is authenticated again; 0: never
        /// (KIP-368).
        session_lifetime_ms: i64 = 0, 1..;
    }
}
