//! Which APIs and versions this library speaks, and the headers around them.

use super::error::Result;
use super::{Reader, Writer};

/// One row of the API table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Api {
    /// The API.
    pub key: ApiKey,
    /// Kafka's name of it, as in `ApiVersions`.
    pub name: &'static str,
    /// Lowest version supported here.
    pub min: i16,
    /// Highest version supported here.
    pub max: i16,
    /// First version with flexible (compact and tagged) encoding; `i16::MAX` when there is none.
    pub flexible: i16,
}

macro_rules! api_table {
    ($($name:ident = $key:literal, $min:literal ..= $max:literal, flexible $flexible:expr;)*) => {
        /// The APIs known to this library, with their numbers on the wire.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(i16)]
        #[allow(missing_docs)]
        pub enum ApiKey { $($name = $key,)* }

        /// Every API, in the order of [`ApiKey`].
        pub const APIS: &[Api] = &[$(Api {
            key: ApiKey::$name, name: stringify!($name), min: $min, max: $max, flexible: $flexible,
        },)*];

        impl ApiKey {
            /// The API of a number on the wire, if known.
            pub const fn from_i16(key: i16) -> Option<Self> {
                match key { $($key => Some(Self::$name),)* _ => None }
            }

            /// The row of the table.
            pub const fn api(self) -> &'static Api {
                match self { $(Self::$name => &Api {
                    key: ApiKey::$name, name: stringify!($name), min: $min, max: $max, flexible: $flexible,
                },)* }
            }
        }
    };
}

/// No version of the API is flexible.
const NEVER: i16 = i16::MAX;

// The upper bounds are those of Apache Kafka 4.3 unless a comment says otherwise.
api_table! {
    Produce = 0, 3..=13, flexible 9;
    Fetch = 1, 4..=17, flexible 12;
    ListOffsets = 2, 1..=10, flexible 6;
    Metadata = 3, 1..=13, flexible 9;
    // Later versions name topics by id (KIP-848 groups).
    OffsetCommit = 8, 2..=9, flexible 8;
    OffsetFetch = 9, 1..=9, flexible 6;
    FindCoordinator = 10, 0..=6, flexible 3;
    SaslHandshake = 17, 0..=1, flexible NEVER;
    ApiVersions = 18, 0..=4, flexible 3;
    CreateTopics = 19, 2..=7, flexible 5;
    DeleteTopics = 20, 1..=6, flexible 4;
    // Version 6 (two-phase commit, KIP-939) is not stable yet.
    InitProducerId = 22, 0..=5, flexible 2;
    // From version 4 on brokers ask each other (KIP-890).
    AddPartitionsToTxn = 24, 0..=3, flexible 3;
    AddOffsetsToTxn = 25, 0..=4, flexible 3;
    EndTxn = 26, 0..=5, flexible 3;
    TxnOffsetCommit = 28, 0..=5, flexible 3;
    SaslAuthenticate = 36, 0..=2, flexible 2;
    CreatePartitions = 37, 0..=3, flexible 2;
}

impl ApiKey {
    /// Whether `version` of this API has the flexible encoding.
    #[inline]
    pub const fn is_flexible(self, version: i16) -> bool {
        version >= self.api().flexible
    }

    /// Version of the request header: 2 with tagged fields, else 1.
    #[inline]
    pub const fn request_header_version(self, version: i16) -> i16 {
        if self.is_flexible(version) {
            2
        } else {
            1
        }
    }

    /// Version of the response header: 1 with tagged fields, else 0.
    ///
    /// ApiVersions always has 0: a client must be able to read the answer of a broker that does not know the
    /// request's version (KIP-511).
    #[inline]
    pub const fn response_header_version(self, version: i16) -> i16 {
        match self {
            Self::ApiVersions => 0,
            _ if self.is_flexible(version) => 1,
            _ => 0,
        }
    }

    /// Whether this library has `version` of the API.
    pub const fn supports(self, version: i16) -> bool {
        version >= self.api().min && version <= self.api().max
    }
}

/// The highest version of `key` that both this library and a broker offering `broker_min..=broker_max` speak.
pub fn negotiate(key: ApiKey, broker_min: i16, broker_max: i16) -> Option<i16> {
    let api = key.api();
    let version = api.max.min(broker_max);
    (version >= api.min && version >= broker_min).then_some(version)
}

/// The header of a request, versions 1 and 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestHeader<'a> {
    /// API number; kept raw, because a broker must answer requests it does not know.
    pub api_key: i16,
    /// Version of the API.
    pub api_version: i16,
    /// Number by which the response is matched.
    pub correlation_id: i32,
    /// `client.id`
    pub client_id: Option<&'a str>,
}

impl<'a> RequestHeader<'a> {
    /// Writes the header in the version that API and API version call for.
    pub fn encode(&self, w: &mut Writer, header_version: i16) {
        w.i16(self.api_key);
        w.i16(self.api_version);
        w.i32(self.correlation_id);
        // The client id keeps the old encoding in every header version, so that a broker can read it before it
        // knows whether it knows the version.
        w.nullable_str(self.client_id, false);
        w.no_tagged_fields(header_version >= 2);
    }

    /// Reads the header. For an unknown API or version only the first four fields are read, as if header version 1.
    ///
    /// # Errors
    /// When the bytes are too few or malformed.
    pub fn decode(r: &mut Reader<'a>) -> Result<Self> {
        let api_key = r.i16()?;
        let api_version = r.i16()?;
        let correlation_id = r.i32()?;
        let client_id = r.nullable_str(false)?;
        if ApiKey::from_i16(api_key).is_some_and(|k| k.is_flexible(api_version)) {
            r.skip_tagged_fields()?;
        }
        Ok(Self { api_key, api_version, correlation_id, client_id })
    }
}

/// Starts a request frame: size (to be filled by [`Writer::end_frame`]) and header. Returns the start of the frame.
pub fn begin_request(w: &mut Writer, key: ApiKey, version: i16, correlation_id: i32, client_id: Option<&str>) -> usize {
    let start = w.begin_frame();
    RequestHeader { api_key: key as i16, api_version: version, correlation_id, client_id }
        .encode(w, key.request_header_version(version));
    start
}

/// Starts a response frame: size (to be filled by [`Writer::end_frame`]) and header. Returns the start of the frame.
pub fn begin_response(w: &mut Writer, key: ApiKey, version: i16, correlation_id: i32) -> usize {
    let start = w.begin_frame();
    w.i32(correlation_id);
    w.no_tagged_fields(key.response_header_version(version) >= 1);
    start
}

/// Reads the rest of a response header after its correlation id, which the caller has read to find the request.
///
/// # Errors
/// When the tagged fields of header version 1 are malformed.
pub fn finish_response_header(r: &mut Reader<'_>, key: ApiKey, version: i16) -> Result<()> {
    if key.response_header_version(version) >= 1 {
        r.skip_tagged_fields()?;
    }
    Ok(())
}
