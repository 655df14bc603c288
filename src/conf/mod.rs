//! Configuration: one declarative table of properties, parsing and reading back, and the typed [`Settings`] the client
//! runs on.

mod assertion;
mod doc;
mod finalize;
#[doc(hidden)]
pub mod fuzz_entry;
mod parse;
mod security;
mod settings;
mod table;

pub use assertion::{AssertionAlgorithm, AssertionSettings};
pub use doc::configuration_md;
pub use security::{
    OAuthSettings, SaslMechanism, SaslSettings, Secret, SecurityProtocol, SecuritySettings, TlsSettings,
};
pub use settings::{AddressFamily, Compression, DebugContexts, Settings, TopicSettings};
pub use table::{properties, Importance, Kind, Property, Scope, Status, UsedBy};

use parse::Value;
use std::fmt;
use table::TABLE;

/// Why a property could not be set or read. The text is for people and names property, value and what is allowed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ConfError {
    /// No property has this name.
    Unknown(String),
    /// The value is not allowed.
    Invalid(String),
}

impl ConfError {
    pub fn text(&self) -> &str {
        match self {
            ConfError::Unknown(text) | ConfError::Invalid(text) => text,
        }
    }
}

impl fmt::Display for ConfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for ConfError {}

/// Shown instead of passwords and keys.
const REDACTED: &str = "[redacted]";

/// A configuration: a value for each property of [`properties`].
#[derive(Clone)]
pub struct Conf {
    /// By row.
    values: Vec<Value>,
    /// By row: set by the application, be it to the default.
    modified: Vec<bool>,
    /// Name of a SASL mechanism that the application brings along.
    custom_mechanism: Option<String>,
    /// Rows to which the last [`finalize`](Self::finalize) gave a value, and what they had before, in that order.
    adjusted: Vec<(usize, Value)>,
}

impl Default for Conf {
    fn default() -> Conf {
        Conf::new()
    }
}

impl fmt::Debug for Conf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.dump()).finish()
    }
}

/// Passwords and keys are wiped.
impl Drop for Conf {
    fn drop(&mut self) {
        for at in TABLE.secrets() {
            self.values[at].wipe();
        }
    }
}

impl Conf {
    /// All defaults.
    pub fn new() -> Conf {
        let rows = TABLE.rows();
        Conf {
            values: rows.iter().map(|row| Value::default_of(row)).collect(),
            modified: vec![false; rows.len()],
            custom_mechanism: None,
            adjusted: Vec::new(),
        }
    }

    /// Names a SASL mechanism that the application brings along; `sasl.mechanisms` chooses it. It goes before one of the same
    /// name that is built in. `None`: there is none.
    pub fn set_custom_mechanism(&mut self, name: Option<&str>) -> Result<(), ConfError> {
        let allowed = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if let Some(name) = name.filter(|n| !(1..=20).contains(&n.len()) || !n.bytes().all(allowed)) {
            // RFC 4422, section 3.1.
            return Err(ConfError::Invalid(format!(
                "SASL mechanism \"{name}\": 1 to 20 of the characters A-Z, 0-9, - and _ are wanted"
            )));
        }
        self.custom_mechanism = name.map(str::to_owned);
        Ok(())
    }

    /// Sets a property by name or alias; None resets it to its default. Topic properties apply to all topics. On error
    /// nothing is changed.
    pub fn set<'a>(&mut self, name: &str, value: impl Into<Option<&'a str>>) -> Result<(), ConfError> {
        let scope = if TABLE.find(Scope::Global, name).is_some() { Scope::Global } else { Scope::Topic };
        self.set_scoped(scope, name, value.into())
    }

    /// As [`set`](Self::set), but for the properties of topic scope alone, of which some have the name of a global one.
    pub fn set_topic<'a>(&mut self, name: &str, value: impl Into<Option<&'a str>>) -> Result<(), ConfError> {
        self.set_scoped(Scope::Topic, name, value.into())
    }

    fn set_scoped(&mut self, scope: Scope, name: &str, value: Option<&str>) -> Result<(), ConfError> {
        let (at, convert) = TABLE.resolve(scope, name).ok_or_else(|| unknown(name))?;
        let row = TABLE.rows()[at];
        let invalid = |why: String| Err(ConfError::Invalid(why));
        match (row.kind, row.status) {
            (Kind::Java, Status::Refused(advice)) => {
                return invalid(format!("Configuration property \"{name}\" is not supported: {advice}"));
            }
            (Kind::Callback { .. }, Status::Refused(why)) => {
                return invalid(format!("Configuration property \"{name}\" cannot be set: {why}"));
            }
            (Kind::Callback { how }, _) => {
                return invalid(format!("Configuration property \"{name}\" is set by {how}, not as text"));
            }
            _ => {}
        }
        let Some(text) = value else {
            if row.secret {
                self.values[at].wipe();
            }
            self.values[at] = Value::default_of(row);
            self.modified[at] = false;
            return Ok(());
        };
        let shown = if row.secret { REDACTED } else { text };
        let parsed = parse::parse(row, convert, text, &self.values[at]).and_then(|value| {
            if row.name == "metadata.broker.list" {
                parse::servers(text)?;
            }
            match parse::refusal(row, &value) {
                Some(why) => Err(why.to_owned()),
                None => Ok(value),
            }
        });
        match parsed {
            Ok(value) => {
                if row.secret {
                    self.values[at].wipe();
                }
                self.values[at] = value;
                self.modified[at] = true;
                Ok(())
            }
            Err(why) => invalid(format!("Invalid value \"{shown}\" for configuration property \"{name}\": {why}")),
        }
    }

    /// The current value by name or alias in canonical text; empty when it has none. Secrets are given as they are.
    pub fn get(&self, name: &str) -> Result<String, ConfError> {
        self.get_scoped(Scope::Global, name)
            .or_else(|| self.get_scoped(Scope::Topic, name))
            .ok_or_else(|| unknown(name))
    }

    /// As [`get`](Self::get), but for the properties of topic scope alone.
    pub fn get_topic(&self, name: &str) -> Result<String, ConfError> {
        self.get_scoped(Scope::Topic, name).ok_or_else(|| unknown(name))
    }

    fn get_scoped(&self, scope: Scope, name: &str) -> Option<String> {
        let (at, convert) = TABLE.resolve(scope, name)?;
        let row = TABLE.rows()[at];
        if matches!(row.kind, Kind::Java) {
            return None;
        }
        Some(parse::render_as(&self.values[at], row, convert).unwrap_or_default())
    }

    /// Every property that has a value, by name in ascending order, without aliases; secrets as `[redacted]`. A topic
    /// property that shares the name of a global one is left out when it is not set itself.
    pub fn dump(&self) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        for (at, row) in TABLE.rows().iter().enumerate() {
            let shadowed = row.scope == Scope::Topic && TABLE.find(Scope::Global, row.name).is_some();
            if shadowed && !self.modified[at] {
                continue;
            }
            // A secret is not even rendered: that would be a copy of it.
            let text = match &self.values[at] {
                Value::Text(Some(_)) if row.secret => Some(REDACTED.to_owned()),
                value => value.render(row),
            };
            lines.extend(text.map(|text| (row.name.to_owned(), text)));
        }
        lines.sort();
        lines
    }

    /// True when the application has set the property, by this name or another of it.
    pub fn is_modified(&self, name: &str) -> bool {
        let global = TABLE.resolve(Scope::Global, name);
        global.or_else(|| TABLE.resolve(Scope::Topic, name)).is_some_and(|(at, _)| self.modified[at])
    }
}

fn unknown(name: &str) -> ConfError {
    let known = properties().filter(|row| !matches!(row.kind, Kind::Java)).map(|row| row.name);
    let hint = match parse::nearest(name, known) {
        Some(near) => format!(", did you mean \"{near}\"?"),
        None => String::new(),
    };
    ConfError::Unknown(format!("No such configuration property: \"{name}\"{hint}"))
}

/// A configuration and a scope of it, for typed reading by the names of the table.
struct Typed<'a> {
    conf: &'a Conf,
    scope: Scope,
}

impl Typed<'_> {
    fn value(&self, name: &str) -> Option<&Value> {
        let found = TABLE.resolve(self.scope, name).map(|(at, _)| &self.conf.values[at]);
        debug_assert!(found.is_some(), "no property {name}");
        found
    }

    fn int(&self, name: &str) -> i64 {
        match self.value(name) {
            Some(Value::Int(n)) => *n,
            _ => 0,
        }
    }

    /// For properties whose range begins at 0 or above.
    fn size(&self, name: &str) -> usize {
        usize::try_from(self.int(name)).unwrap_or(0)
    }

    fn count(&self, name: &str) -> u32 {
        u32::try_from(self.int(name)).unwrap_or(0)
    }

    fn float(&self, name: &str) -> f64 {
        match self.value(name) {
            Some(Value::Float(n)) => *n,
            _ => 0.0,
        }
    }

    fn on(&self, name: &str) -> bool {
        matches!(self.value(name), Some(Value::Bool(true)))
    }

    fn text(&self, name: &str) -> &str {
        match self.value(name) {
            Some(Value::Text(Some(text))) => text,
            Some(Value::Choice(word)) => word,
            _ => "",
        }
    }

    fn flags(&self, name: &str) -> u32 {
        match self.value(name) {
            Some(Value::Flags(bits)) => *bits,
            _ => 0,
        }
    }
}
