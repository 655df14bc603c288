use std::fmt;

/// Result of a decoder.
pub type Result<T> = std::result::Result<T, DecodeError>;

/// Why bytes from the network could not be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeError {
    /// What is wrong, e.g. "length beyond the end of the message".
    pub what: &'static str,
    /// The Kafka field being read, empty when the error is not in a named field.
    pub field: &'static str,
    /// Byte offset from the start of the decoded message.
    pub offset: usize,
}

impl DecodeError {
    /// An error at `offset`, not yet tied to a field.
    pub const fn new(what: &'static str, offset: usize) -> Self {
        Self { what, field: "", offset }
    }

    /// Names the field, unless an inner (more precise) one has been named.
    pub(crate) fn in_field(mut self, field: &'static str) -> Self {
        if self.field.is_empty() {
            self.field = field;
        }
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            write!(f, "{} at byte {}", self.what, self.offset)
        } else {
            write!(f, "{} in {} at byte {}", self.what, self.field, self.offset)
        }
    }
}

impl std::error::Error for DecodeError {}

/// Why a message could not be encoded: it holds more than the protocol's length fields can express.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodeError {
    /// A string longer than 32767 bytes in a version whose strings have a 16-bit length.
    StringTooLong,
    /// An array, byte string or frame of 2 GiB or more.
    TooLarge,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StringTooLong => "string longer than 32767 bytes",
            Self::TooLarge => "message of 2 GiB or more",
        })
    }
}

impl std::error::Error for EncodeError {}
