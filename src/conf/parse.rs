//! From text to values and back.

use super::table::{Convert, Kind, Property, Status, BUILT_FEATURES};
use super::DebugContexts;
use std::borrow::Cow;

/// The value of one row.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Value {
    /// An alias, a callback or a Java name.
    Nothing,
    /// Most are defaults, which are not copied.
    Text(Option<Cow<'static, str>>),
    Int(i64),
    Float(f64),
    Bool(bool),
    Choice(&'static str),
    Flags(u32),
}

impl Value {
    /// What a row holds before it is set.
    pub fn default_of(row: &Property) -> Value {
        match row.kind {
            Kind::Text { default } => Value::Text(default.map(Cow::Borrowed)),
            Kind::Patterns => Value::Text(None),
            Kind::Int { default, .. } => Value::Int(default),
            Kind::Float { default, .. } => Value::Float(default),
            Kind::Bool { default } => Value::Bool(default),
            Kind::Choice { default, .. } => Value::Choice(default),
            Kind::Flags { values, default } => Value::Flags(flags(values, default, 0).unwrap_or(0)),
            Kind::Alias { .. } | Kind::Callback { .. } | Kind::Java => Value::Nothing,
        }
    }

    /// Overwrites the text, if it is one, before its memory goes back.
    pub fn wipe(&mut self) {
        if let Value::Text(Some(Cow::Owned(text))) = self {
            zeroize::Zeroize::zeroize(text);
        }
    }

    /// Canonical text; None when not set.
    pub fn render(&self, row: &Property) -> Option<String> {
        match self {
            Value::Nothing => None,
            Value::Text(text) => text.as_deref().map(str::to_owned),
            Value::Int(n) => Some(n.to_string()),
            Value::Float(n) => Some(n.to_string()),
            Value::Bool(on) => Some(on.to_string()),
            Value::Choice(word) => Some((*word).to_owned()),
            Value::Flags(bits) => Some(match row.kind {
                Kind::Flags { values, .. } if *bits == all(values) && has_all(values) => "all".to_owned(),
                Kind::Flags { values, .. } => {
                    let set = values.iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0);
                    set.map(|(_, word)| *word).collect::<Vec<_>>().join(",")
                }
                _ => String::new(),
            }),
        }
    }
}

const fn all(values: &[&str]) -> u32 {
    ((1u64 << values.len()) - 1) as u32
}

/// Whether `all` is one of the words, as it is for `debug`.
fn has_all(values: &[&str]) -> bool {
    values.len() == DebugContexts::NAMES.len()
}

/// The words a flags property takes.
pub(super) fn flag_words(values: &[&str]) -> String {
    let words = values.join(", ");
    if has_all(values) {
        format!("{words}, all")
    } else {
        words
    }
}

/// Reads `a,+b,-c`: a list that starts with `+` or `-` changes `current`, any other replaces it. Err holds the word
/// that is not known.
fn flags<'a>(values: &[&str], text: &'a str, current: u32) -> Result<u32, &'a str> {
    let mut bits = if text.trim_start().starts_with(['+', '-']) { current } else { 0 };
    for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let (word, remove) = match word.strip_prefix('-') {
            Some(rest) => (rest.trim_start(), true),
            None => (word.strip_prefix('+').map_or(word, str::trim_start), false),
        };
        let mask = match values.iter().position(|value| value.eq_ignore_ascii_case(word)) {
            Some(bit) => 1 << bit,
            None if has_all(values) && word.eq_ignore_ascii_case("all") => all(values),
            None => return Err(word),
        };
        bits = if remove { bits & !mask } else { bits | mask };
    }
    Ok(bits)
}

/// Decimal, or hexadecimal with `0x`; nothing may follow.
fn integer(text: &str) -> Option<i64> {
    let digits = text.trim();
    let (negative, magnitude) = match digits.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, digits.strip_prefix('+').unwrap_or(digits)),
    };
    let hexadecimal = magnitude.strip_prefix("0x").or_else(|| magnitude.strip_prefix("0X"));
    let (digits, radix) = hexadecimal.map_or((magnitude, 10), |digits| (digits, 16));
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let number = i64::from_str_radix(digits, radix).ok()?;
    Some(if negative { -number } else { number })
}

/// The value of `text` for `row`; Err says what is allowed. `current` is the row's value so far.
pub(super) fn parse(row: &Property, convert: Convert, text: &str, current: &Value) -> Result<Value, String> {
    match row.kind {
        Kind::Text { .. } | Kind::Patterns => {
            let text = text.trim_start();
            // Other clients take an empty text for the default too; without one, it is simply empty.
            let default = Value::default_of(row);
            let keep_default = text.is_empty() && default != Value::Text(None);
            Ok(if keep_default { default } else { Value::Text(Some(Cow::Owned(text.to_owned()))) })
        }
        Kind::Int { min, max, names, .. } => {
            let unit = if convert == Convert::BytesToKib { 1024 } else { 1 };
            let word = names.iter().find(|(word, _)| word.eq_ignore_ascii_case(text.trim()));
            let (low, high) = (min * unit, max * unit);
            let expected = || {
                let words: String = names.iter().map(|(word, _)| format!(" or `{word}`")).collect();
                format!("expected an integer in the range {low}..{high}{words}")
            };
            let number = word.map(|(_, number)| *number).or_else(|| integer(text)).ok_or_else(expected)?;
            if number < low || number > high {
                return Err(format!("{number} is outside the allowed range {low}..{high}"));
            }
            Ok(Value::Int((number + (unit - 1)) / unit))
        }
        Kind::Float { min, max, .. } => {
            let expected = || format!("expected a number in the range {min}..{max}");
            let number: f64 = text.trim().parse().map_err(|_| expected())?;
            if number.is_nan() {
                return Err(expected());
            }
            if number < min || number > max {
                return Err(format!("{number} is outside the allowed range {min}..{max}"));
            }
            Ok(Value::Float(number))
        }
        Kind::Bool { .. } => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "t" | "1" => Ok(Value::Bool(true)),
            "false" | "f" | "0" => Ok(Value::Bool(false)),
            _ => Err("expected true or false".to_owned()),
        },
        Kind::Choice { values, .. } => {
            let mut word = text.trim();
            if convert == Convert::PartitionerClass {
                word = partitioner_of_class(word);
            }
            let known = values.iter().find(|value| value.eq_ignore_ascii_case(word));
            known.map(|value| Value::Choice(value)).ok_or_else(|| format!("expected one of {}", values.join(", ")))
        }
        Kind::Flags { values, .. } => {
            let before = if let Value::Flags(bits) = current { *bits } else { 0 };
            let bits = flags(values, text, before).map_err(|word| {
                format!("`{word}` is not known; expected words out of {}, separated by commas", flag_words(values))
            })?;
            if row.name == "builtin.features" {
                let built = flags(values, BUILT_FEATURES, 0).unwrap_or(0);
                if bits & !built != 0 {
                    let missing = Value::Flags(bits & !built).render(row).unwrap_or_default();
                    return Err(format!("not in this build: {missing} (there are {BUILT_FEATURES})"));
                }
            }
            Ok(Value::Flags(bits))
        }
        Kind::Alias { .. } | Kind::Callback { .. } | Kind::Java => Err("it holds no text".to_owned()),
    }
}

/// Our name of a Java partitioner class; anything else is returned as it is.
fn partitioner_of_class(class: &str) -> &str {
    match class.rsplit('.').next() {
        Some("RoundRobinPartitioner") => "round_robin",
        Some("DefaultPartitioner") => "murmur2_random",
        Some("UniformStickyPartitioner") => "uniform_sticky",
        _ => class,
    }
}

/// The text of `value` as an alias with `convert` shows it.
pub(super) fn render_as(value: &Value, row: &Property, convert: Convert) -> Option<String> {
    match (convert, value) {
        (Convert::BytesToKib, Value::Int(kib)) => Some((kib * 1024).to_string()),
        _ => value.render(row),
    }
}

/// Why `value` may not be set although it is well-formed, if so.
pub(super) fn refusal(row: &Property, value: &Value) -> Option<&'static str> {
    let Status::Refused(why) = row.status else { return None };
    let unset = matches!(value, Value::Text(Some(text)) if text.is_empty());
    (!unset && *value != Value::default_of(row)).then_some(why)
}

/// Splits `bootstrap.servers` into `host:port` entries.
pub(super) fn servers(list: &str) -> Result<Vec<String>, String> {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(server).collect()
}

const DEFAULT_PORT: u16 = 9092;
/// Values of `security.protocol`, which may stand before an address too.
const PROTOCOLS: [&str; 4] = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"];

fn server(entry: &str) -> Result<String, String> {
    let address = match entry.split_once("://") {
        Some((scheme, rest)) if PROTOCOLS.iter().any(|p| scheme.eq_ignore_ascii_case(p)) => rest,
        Some((scheme, _)) => {
            return Err(format!("`{entry}`: `{scheme}` is not a protocol (there are {})", PROTOCOLS.join(", ")))
        }
        None => entry,
    };
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, "")) => (host, None),
            Some((host, port)) => match port.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None => return Err(format!("`{entry}`: expected `:port` after `]`")),
            },
            None => return Err(format!("`{entry}`: `]` is missing")),
        },
        // More than one colon without brackets: an IPv6 address alone.
        None if address.matches(':').count() > 1 => (address, None),
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c == '/' || c == '[' || c == ']') {
        return Err(format!("`{entry}`: expected host:port"));
    }
    let port = match port {
        None => DEFAULT_PORT,
        Some(port) => match port.parse::<u16>() {
            Ok(number) if number != 0 && port.bytes().all(|b| b.is_ascii_digit()) => number,
            _ => return Err(format!("`{entry}`: `{port}` is not a port")),
        },
    };
    if host.contains(':') {
        return Ok(format!("[{host}]:{port}"));
    }
    Ok(format!("{host}:{port}"))
}

/// `client.software.name` and version as brokers accept them (KIP-511): other characters become `-`, and the ends must
/// be letters or digits.
pub(super) fn software(text: &str, otherwise: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let text: String = text.chars().map(|c| if allowed(c) { c } else { '-' }).collect();
    let text = text.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    if text.is_empty() {
        otherwise.to_owned()
    } else {
        text.to_owned()
    }
}

/// The known name nearest to `name`, if any is near enough to be meant.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = name.chars().take(100).map(plain).collect();
    let limit = (wanted.len() / 4).clamp(1, 5);
    // A name whose length alone differs by more is not near.
    let near = known.filter(|candidate| candidate.len().abs_diff(wanted.len()) <= limit);
    let ranked =
        near.map(|candidate| (distance(&wanted, &candidate.chars().map(plain).collect::<Vec<_>>()), candidate));
    ranked.filter(|(distance, _)| *distance <= limit).min().map(|(_, candidate)| candidate)
}

/// `_`, `-` and capitals are not what distinguishes names.
fn plain(c: char) -> char {
    if c == '_' || c == '-' {
        '.'
    } else {
        c.to_ascii_lowercase()
    }
}

/// Insertions, deletions, replacements and swaps of neighbours that make `b` of `a`.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut line = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            line[j] = replaced.min(last[j] + 1).min(line[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                line[j] = line[j].min(before_last[j - 2] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, line);
    }
    last[b.len()]
}
