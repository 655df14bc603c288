//! `CONFIGURATION.md`, made from the table.

use super::parse::{self, Value};
use super::table::{properties, Convert, Importance, Kind, Property, Scope, Status, UsedBy, TABLE};
use std::fmt::Write;

const INTRODUCTION: &str = "\
# Configuration

<!-- Made from the table in src/conf/table; do not edit. `UPDATE=1 cargo test --test docs_current` writes it anew. -->

`rk_conf_set(conf, name, value, …)` takes every property here as text. Names, ranges and defaults are those of other
Kafka clients built on librdkafka; names of the Java producer are aliases where both mean the same.

- **C/P**: `P` used by producers, `C` by consumers, `*` by both. A producer takes consumer properties with a warning and
  ignores them.
- Topic properties are set in the same way and apply to all topics.
- Booleans are `true`, `t`, `1` or `false`, `f`, `0`. Integers are decimal, or hexadecimal with `0x`.
- A NULL value resets a property to its default, and so does an empty text for strings.
- **Refused** properties fail with the reason given unless the default is set. Those with **no effect** are checked,
  kept, and change nothing.

";

/// The text of `CONFIGURATION.md`.
pub fn configuration_md() -> String {
    let mut text = String::from(INTRODUCTION);
    let documented =
        |scope: Scope| properties().filter(move |row| row.scope == scope && !matches!(row.kind, Kind::Java));
    section(&mut text, "Global properties", documented(Scope::Global));
    section(&mut text, "Topic properties", documented(Scope::Topic));
    text.push_str("## Java properties that are refused\n\nProperty | Why\n---------|----\n");
    for row in properties().filter(|row| matches!(row.kind, Kind::Java)) {
        if let Status::Refused(why) = row.status {
            let _ = writeln!(text, "{} | {}", row.name, cell(why));
        }
    }
    text
}

fn section(text: &mut String, title: &str, rows: impl Iterator<Item = &'static Property>) {
    let _ = writeln!(text, "## {title}\n");
    text.push_str("Property | C/P | Range | Default | Importance | Description\n");
    text.push_str("---------|-----|-------|---------|------------|------------\n");
    for row in rows {
        let cells = [
            row.name.to_owned(),
            match row.used_by {
                UsedBy::Both => "\\*",
                UsedBy::Producer => "P",
                UsedBy::Consumer => "C",
            }
            .to_owned(),
            cell(&range(row)),
            cell(&default(row)),
            importance(row).to_owned(),
            cell(&description(row)),
        ];
        let line = cells.join(" | ");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text.push('\n');
}

/// Text for a cell: a bar would end it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The row that holds an alias's value, or the row itself.
fn target(row: &Property) -> (&'static Property, Convert) {
    match TABLE.resolve(row.scope, row.name) {
        Some((at, convert)) => (TABLE.rows()[at], convert),
        None => unreachable!("every row can be found by its name"),
    }
}

fn range(row: &Property) -> String {
    let (row, convert) = target(row);
    match row.kind {
        Kind::Int { min, max, names, .. } => {
            let unit = if convert == Convert::BytesToKib { 1024 } else { 1 };
            let words: String = names.iter().map(|(word, _)| format!(", {word}")).collect();
            format!("{} .. {}{words}", min * unit, max * unit)
        }
        Kind::Float { min, max, .. } => format!("{min} .. {max}"),
        Kind::Bool { .. } => "true, false".to_owned(),
        Kind::Choice { values, .. } => values.join(", "),
        Kind::Flags { values, .. } => parse::flag_words(values),
        _ => String::new(),
    }
}

fn default(row: &Property) -> String {
    let (row, convert) = target(row);
    parse::render_as(&Value::default_of(row), row, convert).unwrap_or_default()
}

fn importance(row: &Property) -> &'static str {
    match row.importance {
        Importance::High => "high",
        Importance::Medium => "medium",
        Importance::Low => "low",
    }
}

fn description(row: &Property) -> String {
    if let Kind::Alias { target, convert } = row.kind {
        return match convert {
            Convert::Same => format!("Alias for `{target}`."),
            Convert::BytesToKib => format!("Alias for `{target}` in bytes, rounded up to kilobytes."),
            Convert::PartitionerClass => {
                format!(
                    "Alias for `{target}` that also knows Java's `RoundRobinPartitioner`, `DefaultPartitioner` and \
                 `UniformStickyPartitioner`."
                )
            }
        };
    }
    let mut text = String::new();
    if row.deprecated {
        text.push_str("**Deprecated.** ");
    }
    match row.status {
        Status::Working => {}
        Status::Refused(why) => {
            let _ = write!(text, "**Refused**: {why}. ");
        }
        Status::NoEffect(why) => {
            let _ = write!(text, "**No effect**: {why}. ");
        }
    }
    text.push_str(row.description);
    match row.kind {
        Kind::Callback { how } if !how.is_empty() => {
            let _ = write!(text, " Set by `{how}`.");
        }
        Kind::Text { .. } => text.push_str(" *Type: string*"),
        Kind::Patterns => text.push_str(" *Type: pattern list*"),
        Kind::Int { .. } => text.push_str(" *Type: integer*"),
        Kind::Float { .. } => text.push_str(" *Type: float*"),
        Kind::Bool { .. } => text.push_str(" *Type: boolean*"),
        Kind::Choice { .. } => text.push_str(" *Type: enum value*"),
        Kind::Flags { .. } => text.push_str(" *Type: CSV flags*"),
        _ => {}
    }
    text
}
