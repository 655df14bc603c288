//! The table against the properties that clients built on librdkafka have: names, scopes, users, ranges, defaults.
//! `vectors/properties.tsv` holds their facts.

use rkafka::conf::{properties, Conf, Importance, Kind, Property, Scope, UsedBy};

struct Row<'a> {
    scope: Scope,
    name: &'a str,
    alias_of: &'a str,
    used_by: UsedBy,
    kind: &'a str,
    range: &'a str,
    default: &'a str,
    importance: Importance,
    deprecated: bool,
}

fn rows() -> Vec<Row<'static>> {
    let lines = include_str!("vectors/properties.tsv").lines().skip(1);
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            Row {
                scope: if cells[0] == "topic" { Scope::Topic } else { Scope::Global },
                name: cells[1],
                alias_of: cells[2],
                used_by: match cells[3] {
                    "C" => UsedBy::Consumer,
                    "P" => UsedBy::Producer,
                    _ => UsedBy::Both,
                },
                kind: cells[4],
                range: cells[5],
                default: cells[6],
                importance: match cells[7] {
                    "high" => Importance::High,
                    "medium" => Importance::Medium,
                    _ => Importance::Low,
                },
                deprecated: cells.get(8).is_some_and(|flags| flags.contains("deprecated")),
            }
        })
        .collect()
}

fn find(scope: Scope, name: &str) -> &'static Property {
    properties()
        .find(|row| row.scope == scope && row.name == name)
        .unwrap_or_else(|| panic!("{name} ({scope:?}) is missing"))
}

/// Range and default as the file spells them.
fn spelled(kind: &Kind) -> (&'static str, String, String) {
    match kind {
        Kind::Text { default } => ("string", String::new(), default.unwrap_or("").to_owned()),
        Kind::Patterns => ("pattern list", String::new(), String::new()),
        Kind::Int { min, max, default, .. } => ("integer", format!("{min} .. {max}"), default.to_string()),
        Kind::Float { min, max, default } => ("float", format!("{min} .. {max}"), default.to_string()),
        Kind::Bool { default } => ("boolean", "true, false".to_owned(), default.to_string()),
        Kind::Choice { values, default } => ("enum value", values.join(", "), (*default).to_owned()),
        Kind::Flags { values, default } => ("CSV flags", values.join(", "), (*default).to_owned()),
        Kind::Callback { .. } => ("see dedicated API", String::new(), String::new()),
        Kind::Alias { .. } => ("alias", String::new(), String::new()),
        Kind::Java => ("java", String::new(), String::new()),
    }
}

#[test]
fn every_property_is_there_with_its_range_and_default() {
    let rows = rows();
    assert!(rows.len() >= 199, "{} rows", rows.len());
    for row in &rows {
        let name = row.name;
        let ours = find(row.scope, name);
        assert_eq!(ours.used_by, row.used_by, "{name}");
        assert_eq!(ours.importance, row.importance, "{name}");
        assert_eq!(ours.deprecated, row.deprecated, "{name}");
        if !row.alias_of.is_empty() {
            assert!(
                matches!(ours.kind, Kind::Alias { target, .. } if target == row.alias_of),
                "{name}: {:?}",
                ours.kind
            );
            continue;
        }
        let (kind, range, default) = spelled(&ours.kind);
        match name {
            // What this build has is another matter; the words are the same.
            "builtin.features" => {
                assert_eq!(default, "gzip,snappy,ssl,sasl,lz4,sasl_plain,sasl_scram,zstd,sasl_oauthbearer,http,oidc")
            }
            // A string there, with these values checked; and `round_robin` is new.
            "partitioner" => {
                assert_eq!(default, row.default);
                assert_eq!((row.kind, kind), ("string", "enum value"));
            }
            "debug" => assert_eq!(format!("{range}, all"), row.range),
            _ => {
                assert_eq!(kind, row.kind, "{name}");
                assert_eq!(range, row.range, "{name}");
                assert_eq!(default, row.default.replace("\\|", "|"), "{name}");
            }
        }
    }
}

#[test]
fn every_property_is_described_and_every_alias_leads_to_one() {
    let mut seen = std::collections::HashSet::new();
    for row in properties() {
        assert!(seen.insert((row.scope, row.name)), "{} is there twice", row.name);
        match row.kind {
            Kind::Alias { target, .. } => assert!(find(row.scope, target).has_value(), "{}", row.name),
            Kind::Java => {}
            _ => assert!(row.description.ends_with('.'), "{}", row.name),
        }
    }
}

/// Whatever has a value takes its own default as text and gives it back, unsupported ones included.
#[test]
fn defaults_can_be_set_and_read_back() {
    for row in properties().filter(|row| row.has_value()) {
        let mut conf = Conf::new();
        let (default, same) = match row.scope {
            Scope::Global => {
                let default = conf.get(row.name).expect(row.name);
                conf.set(row.name, default.as_str()).unwrap_or_else(|error| panic!("{error}"));
                (default, conf.get(row.name))
            }
            Scope::Topic => {
                let default = conf.get_topic(row.name).expect(row.name);
                conf.set_topic(row.name, default.as_str()).unwrap_or_else(|error| panic!("{error}"));
                (default, conf.get_topic(row.name))
            }
        };
        assert_eq!(same.as_deref(), Ok(default.as_str()), "{}", row.name);
    }
}

/// The ends of every integer range are allowed and what lies beyond is not.
#[test]
fn integer_ranges_hold_at_their_ends() {
    for row in properties().filter(|row| row.scope == Scope::Global) {
        let Kind::Int { min, max, .. } = row.kind else { continue };
        let working = matches!(row.status, rkafka::conf::Status::Working);
        let mut conf = Conf::new();
        for (value, inside) in [(min, true), (max, true), (min - 1, false), (max + 1, false)] {
            let result = conf.set(row.name, value.to_string().as_str());
            if inside && working {
                assert!(result.is_ok(), "{} = {value}: {result:?}", row.name);
                assert_eq!(conf.get(row.name), Ok(value.to_string()));
            } else if !inside {
                let text = result.expect_err(row.name).text().to_owned();
                assert!(text.contains(row.name) && text.contains(&format!("{min}..{max}")), "{text}");
            }
        }
    }
}
