//! ApiVersions (18): what a broker speaks (KIP-35, KIP-511, KIP-584).

use crate::protocol::error::Result;
use crate::protocol::wire::{message, Wire};
use crate::protocol::Reader;

/// Error code by which a broker refuses the version of an ApiVersions request.
pub const UNSUPPORTED_VERSION: i16 = 35;

message! {
    /// ApiVersionsRequest, v0–v4.
    pub struct ApiVersionsRequest for ApiVersions {
        /// Name of the client library.
        client_software_name: String = String::new(), 3..;
        /// Version of the client library.
        client_software_version: String = String::new(), 3..;
    }

    /// ApiVersionsResponse, v0–v4. Decode it with [`ApiVersionsResponse::decode_any`].
    pub struct ApiVersionsResponse for ApiVersions {
        /// 0, or 35 (UNSUPPORTED_VERSION) in an answer of v0 layout.
        error_code: i16 = 0, 0..;
        /// The APIs of the broker.
        api_keys: Vec<ApiVersion> = Vec::new(), 0..;
        /// Milliseconds for which the client is throttled (KIP-219).
        throttle_time_ms: i32 = 0, 1..;
        /// Features the broker supports.
        supported_features: Vec<SupportedFeatureKey> = Vec::new(), 3.., tag 0;
        /// Epoch of the finalized features, −1 when unknown.
        finalized_features_epoch: i64 = -1, 3.., tag 1;
        /// Cluster-wide features; valid only with an epoch of 0 or more.
        finalized_features: Vec<FinalizedFeatureKey> = Vec::new(), 3.., tag 2;
        /// Set by a KRaft controller ready for the migration from ZooKeeper.
        zk_migration_ready: bool = false, 3.., tag 3;
    }

    /// The versions of one API that a broker speaks.
    pub struct ApiVersion {
        /// API number.
        api_key: i16 = 0, 0..;
        /// Lowest version, inclusive.
        min_version: i16 = 0, 0..;
        /// Highest version, inclusive.
        max_version: i16 = 0, 0..;
    }

    /// A feature that the broker supports.
    pub struct SupportedFeatureKey {
        /// Name of the feature.
        name: String = String::new(), 3..;
        /// Lowest supported version.
        min_version: i16 = 0, 3..;
        /// Highest supported version.
        max_version: i16 = 0, 3..;
    }

    /// A feature finalized in the whole cluster.
    pub struct FinalizedFeatureKey {
        /// Name of the feature.
        name: String = String::new(), 3..;
        /// Highest finalized level.
        max_version_level: i16 = 0, 3..;
        /// Lowest finalized level.
        min_version_level: i16 = 0, 3..;
    }
}

impl ApiVersionsResponse {
    /// Reads the answer to a request of `version`, whichever layout it came in: a broker that does not know the
    /// version answers UNSUPPORTED_VERSION in the layout of v0 (KIP-511), from which the client can choose again.
    ///
    /// # Errors
    /// When the bytes are too few or malformed.
    pub fn decode_any(r: &mut Reader<'_>, version: i16) -> Result<Self> {
        let unsupported = r.rest().first_chunk() == Some(&UNSUPPORTED_VERSION.to_be_bytes());
        if unsupported && version > 0 {
            <Self as Wire>::read(r, 0, false)
        } else {
            Self::decode(r, version)
        }
    }

    /// The versions of an API, if the broker has it.
    pub fn range(&self, api_key: i16) -> Option<(i16, i16)> {
        self.api_keys.iter().find(|a| a.api_key == api_key).map(|a| (a.min_version, a.max_version))
    }
}
