//! Error codes: negative ones are the client's own, zero and above come from a broker. Numbers and names are librdkafka's.

/// A response or client error code (`rk_resp_err_t` in C).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct RespErr(pub i32);

impl RespErr {
    pub const NO_ERROR: RespErr = RespErr(0);
    pub const UNKNOWN: RespErr = RespErr(-1);
    pub const LOCAL_TRANSPORT: RespErr = RespErr(-195);
}
