//! ApiVersions (18), v0–v4.
//!
//! * Offers what the cluster's version table says.
//! * A version that is not offered is answered in the layout of v0 with UNSUPPORTED_VERSION and the versions of this API
//!   alone (KIP-511), from which a client chooses again.
//! * From v3 on the finalized features are told: `transaction.version`, if it is not 0 (KIP-584, KIP-890). That it may be 0
//!   can be said from v4 on alone, so v3 does not list it as supported.
//! * From v3 on the client's name and version must be such as Kafka takes; else INVALID_REQUEST.

use super::{key, Reply, Request};
use crate::mock::shared::Shared;
use crate::protocol::api::begin_response;
use crate::protocol::messages::api_versions::{
    ApiVersion, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use crate::protocol::{ApiKey, DecodeError, Reader, Writer};

const UNSUPPORTED_VERSION: i16 = 35;
const INVALID_REQUEST: i16 = 42;
const TRANSACTION_VERSION: &str = "transaction.version";
/// The newest there is.
pub const MAX_TRANSACTION_VERSION: i16 = 2;

pub fn handle(cx: &Request<'_>, r: &mut Reader<'_>, w: &mut Writer) -> Result<Reply, DecodeError> {
    let request = ApiVersionsRequest::decode(r, cx.version)?;
    let mut error_code = cx.fault.code();
    if cx.version >= 3 && !(valid(&request.client_software_name) && valid(&request.client_software_version)) {
        error_code = INVALID_REQUEST;
    }
    let mut api_keys: Vec<ApiVersion> = cx.shared.versions.read().iter().map(offer).collect();
    if !cx.shared.security.read().mechanisms.is_empty() {
        for api in [ApiKey::SaslHandshake.api(), ApiKey::SaslAuthenticate.api()] {
            api_keys.push(offer((&(api.key as i16), &(api.min, api.max))));
        }
    }
    let mut response =
        ApiVersionsResponse { error_code, api_keys, throttle_time_ms: cx.throttle_ms, ..Default::default() };
    {
        let name = || TRANSACTION_VERSION.to_string();
        let level = cx.shared.txns.lock().version;
        response.finalized_features_epoch = 1;
        if cx.version >= 4 {
            response.supported_features =
                vec![SupportedFeatureKey { name: name(), min_version: 0, max_version: MAX_TRANSACTION_VERSION }];
        }
        if level > 0 {
            response.finalized_features =
                vec![FinalizedFeatureKey { name: name(), max_version_level: level, min_version_level: level }];
        }
    }
    response.encode(w, cx.version);
    Ok(Reply::Answer)
}

/// The whole answer, its frame included, to a version that is not offered.
pub fn refuse(shared: &Shared, correlation_id: i32) -> Writer {
    let api_keys = shared.versions.read().iter().filter(|(k, _)| **k == key::API_VERSIONS).map(offer).collect();
    let mut w = Writer::new();
    let start = begin_response(&mut w, ApiKey::ApiVersions, 0, correlation_id);
    ApiVersionsResponse { error_code: UNSUPPORTED_VERSION, api_keys, ..Default::default() }.encode(&mut w, 0);
    // A few dozen bytes always fit.
    let _ = w.end_frame(start, 0);
    w
}

fn offer((&api_key, &(min_version, max_version)): (&i16, &(i16, i16))) -> ApiVersion {
    ApiVersion { api_key, min_version, max_version }
}

/// Letters, digits, `-` and `.`, beginning and ending with a letter or digit.
fn valid(s: &str) -> bool {
    let b = s.as_bytes();
    let inner = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.');
    b.first().is_some_and(u8::is_ascii_alphanumeric)
        && b.last().is_some_and(u8::is_ascii_alphanumeric)
        && b.iter().all(inner)
}
