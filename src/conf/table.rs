//! The table of properties. Each row says everything about one: it drives parsing, reading back and `CONFIGURATION.md`.

mod client;
mod consumer;
mod extra;
mod producer;
mod security;
mod topic;

/// Features by name for `builtin.features`.
pub(super) static FEATURES: [&str; 14] = [
    "gzip",
    "snappy",
    "ssl",
    "sasl",
    "regex",
    "lz4",
    "sasl_gssapi",
    "sasl_plain",
    "sasl_scram",
    "plugins",
    "zstd",
    "sasl_oauthbearer",
    "http",
    "oidc",
];
/// What this build has of [`FEATURES`].
pub(super) const BUILT_FEATURES: &str =
    "gzip,snappy,ssl,sasl,lz4,sasl_plain,sasl_scram,zstd,sasl_oauthbearer,http,oidc";

pub(super) static PARTITIONERS: [&str; 9] = [
    "random",
    "consistent",
    "consistent_random",
    "murmur2",
    "murmur2_random",
    "fnv1a",
    "fnv1a_random",
    "round_robin",
    "uniform_sticky",
];

const NO_CALLBACK: &str = "there is no such callback in this version";

/// Which configuration a property belongs to. Topic properties can be set among the global ones too.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scope {
    Global,
    Topic,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UsedBy {
    Both,
    Producer,
    Consumer,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Importance {
    High,
    Medium,
    Low,
}

/// What setting a property does in this version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    Working,
    /// Only the default may be set; anything else fails with this reason.
    Refused(&'static str),
    /// Any valid value may be set and changes nothing, for this reason; a warning says so.
    NoEffect(&'static str),
}

/// What values a property takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Text {
        default: Option<&'static str>,
    },
    /// Regular expressions separated by commas.
    Patterns,
    Int {
        min: i64,
        max: i64,
        default: i64,
        /// Words for numbers.
        names: &'static [(&'static str, i64)],
    },
    Float {
        min: f64,
        max: f64,
        default: f64,
    },
    Bool {
        default: bool,
    },
    Choice {
        values: &'static [&'static str],
        default: &'static str,
    },
    /// Words separated by commas, each a bit; `all` is every one.
    Flags {
        values: &'static [&'static str],
        default: &'static str,
    },
    /// Set by a function, named here, rather than by text.
    Callback {
        how: &'static str,
    },
    /// Another name of a property of the same scope (`target`).
    Alias {
        target: &'static str,
        convert: Convert,
    },
    /// A property of the Java client that cannot work here: setting it fails with advice.
    Java,
}

/// How an alias's values differ from those of its target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Convert {
    Same,
    /// Bytes for a target in units of 1,024 bytes; rounded up.
    BytesToKib,
    /// Names of Java classes.
    PartitionerClass,
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    pub name: &'static str,
    pub scope: Scope,
    pub used_by: UsedBy,
    pub kind: Kind,
    pub importance: Importance,
    pub deprecated: bool,
    /// Never shown: dumps and error texts say `[redacted]`.
    pub secret: bool,
    pub status: Status,
    pub description: &'static str,
}

const fn row(name: &'static str, kind: Kind) -> Property {
    Property {
        name,
        scope: Scope::Global,
        used_by: UsedBy::Both,
        kind,
        importance: Importance::Low,
        deprecated: false,
        secret: false,
        status: Status::Working,
        description: "",
    }
}

pub(super) const fn text(name: &'static str) -> Property {
    row(name, Kind::Text { default: None })
}

pub(super) const fn patterns(name: &'static str) -> Property {
    row(name, Kind::Patterns)
}

pub(super) const fn int(name: &'static str, min: i64, max: i64, default: i64) -> Property {
    row(name, Kind::Int { min, max, default, names: &[] })
}

pub(super) const fn float(name: &'static str, min: f64, max: f64, default: f64) -> Property {
    row(name, Kind::Float { min, max, default })
}

pub(super) const fn boolean(name: &'static str, default: bool) -> Property {
    row(name, Kind::Bool { default })
}

pub(super) const fn choice(name: &'static str, values: &'static [&'static str], default: &'static str) -> Property {
    row(name, Kind::Choice { values, default })
}

pub(super) const fn flags(name: &'static str, values: &'static [&'static str], default: &'static str) -> Property {
    row(name, Kind::Flags { values, default })
}

pub(super) const fn callback(name: &'static str, how: &'static str) -> Property {
    row(name, Kind::Callback { how })
}

pub(super) const fn alias(name: &'static str, target: &'static str) -> Property {
    row(name, Kind::Alias { target, convert: Convert::Same })
}

pub(super) const fn java(name: &'static str, advice: &'static str) -> Property {
    row(name, Kind::Java).refused(advice)
}

impl Property {
    const fn or(mut self, value: &'static str) -> Property {
        self.kind = Kind::Text { default: Some(value) };
        self
    }

    const fn named(mut self, words: &'static [(&'static str, i64)]) -> Property {
        if let Kind::Int { min, max, default, .. } = self.kind {
            self.kind = Kind::Int { min, max, default, names: words };
        }
        self
    }

    const fn converted(mut self, how: Convert) -> Property {
        if let Kind::Alias { target, .. } = self.kind {
            self.kind = Kind::Alias { target, convert: how };
        }
        self
    }

    const fn topic(mut self) -> Property {
        self.scope = Scope::Topic;
        self
    }

    const fn producer(mut self) -> Property {
        self.used_by = UsedBy::Producer;
        self
    }

    const fn consumer(mut self) -> Property {
        self.used_by = UsedBy::Consumer;
        self
    }

    const fn high(mut self) -> Property {
        self.importance = Importance::High;
        self
    }

    const fn medium(mut self) -> Property {
        self.importance = Importance::Medium;
        self
    }

    const fn deprecated(mut self) -> Property {
        self.deprecated = true;
        self
    }

    const fn secret(mut self) -> Property {
        self.secret = true;
        self
    }

    const fn refused(mut self, why: &'static str) -> Property {
        self.status = Status::Refused(why);
        self
    }

    const fn no_effect(mut self, why: &'static str) -> Property {
        self.status = Status::NoEffect(why);
        self
    }

    const fn about(mut self, description: &'static str) -> Property {
        self.description = description;
        self
    }

    /// True for a row that holds a value (no alias, no callback, not a Java name).
    pub const fn has_value(&self) -> bool {
        !matches!(self.kind, Kind::Alias { .. } | Kind::Callback { .. } | Kind::Java)
    }
}

/// Where the rows are, in the order of the documentation.
const GROUPS: [&[Property]; 6] =
    [client::ROWS, security::ROWS, producer::ROWS, topic::ROWS, consumer::ROWS, extra::ROWS];

const COUNT: usize = {
    let (mut count, mut group) = (0, 0);
    while group < GROUPS.len() {
        count += GROUPS[group].len();
        group += 1;
    }
    count
};

/// All rows and where to find them. Made by the compiler: a client's start would show what it takes to put them together.
pub(super) struct Table {
    rows: [&'static Property; COUNT],
    /// Of each row, the one that holds its value: of an alias its target.
    holders: [u16; COUNT],
    /// Places of rows by the hash of scope and name; a place that is taken is followed by the next one.
    places: [u16; PLACES],
    secrets: [u16; SECRETS],
}

/// A power of two, several times as many as there are rows.
const PLACES: usize = 1024;
const FREE: u16 = u16::MAX;
const _: () = assert!(COUNT < PLACES / 2, "more places are needed");

const SECRETS: usize = {
    let rows = all_rows();
    let (mut count, mut at) = (0, 0);
    while at < COUNT {
        count += rows[at].secret as usize;
        at += 1;
    }
    count
};

pub(super) static TABLE: Table = Table::new();

const fn all_rows() -> [&'static Property; COUNT] {
    let mut rows = [&GROUPS[0][0]; COUNT];
    let (mut count, mut group) = (0, 0);
    while group < GROUPS.len() {
        let mut at = 0;
        while at < GROUPS[group].len() {
            rows[count] = &GROUPS[group][at];
            count += 1;
            at += 1;
        }
        group += 1;
    }
    rows
}

/// FNV-1a.
const fn hash(scope: Scope, name: &[u8]) -> usize {
    let mut hash = 0x811c_9dc5 ^ scope as u32;
    let mut at = 0;
    while at < name.len() {
        hash = (hash ^ name[at] as u32).wrapping_mul(0x0100_0193);
        at += 1;
    }
    (hash ^ hash >> 16) as usize % PLACES
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while a.len() == b.len() && at < a.len() && a[at] == b[at] {
        at += 1;
    }
    a.len() == b.len() && at == a.len()
}

impl Table {
    const fn new() -> Table {
        let rows = all_rows();
        let mut table = Table { rows, holders: [0; COUNT], places: [FREE; PLACES], secrets: [0; SECRETS] };
        let (mut at, mut secrets) = (0, 0);
        while at < COUNT {
            let mut place = hash(rows[at].scope, rows[at].name.as_bytes());
            while table.places[place] != FREE {
                let other = rows[table.places[place] as usize];
                let twice =
                    other.scope as u8 == rows[at].scope as u8 && same(other.name.as_bytes(), rows[at].name.as_bytes());
                assert!(!twice, "two properties of one scope have the same name");
                place = (place + 1) % PLACES;
            }
            table.places[place] = at as u16;
            if rows[at].secret {
                table.secrets[secrets] = at as u16;
                secrets += 1;
            }
            at += 1;
        }
        at = 0;
        while at < COUNT {
            table.holders[at] = match rows[at].kind {
                Kind::Alias { target, .. } => match table.place_of(rows[at].scope, target.as_bytes()) {
                    Some(holder) => {
                        assert!(rows[holder as usize].has_value(), "an alias of what holds no value");
                        holder
                    }
                    None => panic!("an alias of what is not a property of its scope"),
                },
                _ => at as u16,
            };
            at += 1;
        }
        table
    }

    const fn place_of(&self, scope: Scope, name: &[u8]) -> Option<u16> {
        let mut place = hash(scope, name);
        while self.places[place] != FREE {
            let row = self.rows[self.places[place] as usize];
            if row.scope as u8 == scope as u8 && same(row.name.as_bytes(), name) {
                return Some(self.places[place]);
            }
            place = (place + 1) % PLACES;
        }
        None
    }

    pub fn rows(&self) -> &[&'static Property] {
        &self.rows
    }

    /// The rows whose values are secrets.
    pub fn secrets(&self) -> impl Iterator<Item = usize> + '_ {
        self.secrets.iter().map(|at| usize::from(*at))
    }

    /// The row of this very name and scope, an alias itself included.
    pub fn find(&self, scope: Scope, name: &str) -> Option<usize> {
        self.place_of(scope, name.as_bytes()).map(usize::from)
    }

    /// The row that holds the value of that row: of an alias, that of the property.
    pub fn holder(&self, at: usize) -> usize {
        usize::from(self.holders[at])
    }

    /// The row that holds the value of `name`, and how values given by that name are converted.
    pub fn resolve(&self, scope: Scope, name: &str) -> Option<(usize, Convert)> {
        let at = self.find(scope, name)?;
        let convert = match self.rows[at].kind {
            Kind::Alias { convert, .. } => convert,
            _ => Convert::Same,
        };
        Some((self.holder(at), convert))
    }
}

/// Every row, in the order of the documentation.
pub fn properties() -> impl Iterator<Item = &'static Property> {
    TABLE.rows.iter().copied()
}
