//! Compares values of unrelated types by their `Debug` output: same field names, same values. Type names, `Some` and
//! newtypes are seen through; byte strings and UUIDs count as lists of numbers.

use std::collections::BTreeMap;

#[derive(Debug, PartialEq, Clone)]
pub enum Tree {
    Struct(BTreeMap<String, Tree>),
    List(Vec<Tree>),
    Atom(String),
}

impl Tree {
    pub fn parse(debug: &str) -> Tree {
        let mut p = Parser { s: debug, all: debug };
        let t = p.value();
        assert_eq!(p.s, "", "rest of {debug}");
        t
    }

    /// Whether each of our fields is there in `theirs` with the same value.
    pub fn is_part_of(&self, theirs: &Tree) -> Result<(), String> {
        match (self, theirs) {
            (Tree::Struct(a), Tree::Struct(b)) => a.iter().try_for_each(|(k, v)| match b.get(k) {
                Some(w) => v.is_part_of(w).map_err(|e| format!("{k}: {e}")),
                None => Err(format!("{k} is missing")),
            }),
            (Tree::List(a), Tree::List(b)) if a.len() == b.len() => a
                .iter()
                .zip(b)
                .enumerate()
                .try_for_each(|(i, (v, w))| v.is_part_of(w).map_err(|e| format!("[{i}] {e}"))),
            (a, b) if a == b => Ok(()),
            (a, b) => Err(format!("{a:?} is not {b:?}")),
        }
    }

    pub fn without(mut self, fields: &[&str]) -> Tree {
        let Tree::Struct(m) = &mut self else { panic!("not a struct") };
        m.retain(|k, _| !fields.contains(&k.as_str()));
        self
    }
}

fn numbers(bytes: impl IntoIterator<Item = u8>) -> Tree {
    Tree::List(bytes.into_iter().map(|b| Tree::Atom(b.to_string())).collect())
}

struct Parser<'a> {
    s: &'a str,
    all: &'a str,
}

impl<'a> Parser<'a> {
    fn eat(&mut self, token: &str) -> bool {
        match self.s.strip_prefix(token) {
            Some(rest) => self.s = rest,
            None => return false,
        }
        true
    }

    fn expect(&mut self, token: &str) {
        assert!(self.eat(token), "no {token:?} at {:?} in {}", self.s, self.all);
    }

    fn word(&mut self) -> &'a str {
        let end = self.s.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').unwrap_or(self.s.len());
        let (word, rest) = self.s.split_at(end);
        self.s = rest;
        word
    }

    fn list(&mut self, end: &str) -> Vec<Tree> {
        let mut out = Vec::new();
        while !self.eat(end) {
            out.push(self.value());
            self.eat(", ");
        }
        out
    }

    /// The text between quotes, its escapes kept.
    fn quoted(&mut self) -> &'a str {
        let mut escaped = false;
        for (i, c) in self.s.char_indices() {
            match c {
                '"' if !escaped => {
                    let text = &self.s[..i];
                    self.s = &self.s[i + 1..];
                    return text;
                }
                _ => escaped = c == '\\' && !escaped,
            }
        }
        panic!("no end of string in {}", self.all)
    }

    fn value(&mut self) -> Tree {
        if self.eat("[") {
            return Tree::List(self.list("]"));
        }
        if self.eat("b\"") {
            return numbers(unescape(self.quoted()));
        }
        if self.eat("\"") {
            return Tree::Atom(format!("{:?}", self.quoted()));
        }
        if self.eat("{}") {
            return Tree::Struct(BTreeMap::new());
        }
        let word = self.word();
        assert!(!word.is_empty(), "at {:?} in {}", self.s, self.all);
        if self.eat("(") {
            let inner = self.value();
            self.expect(")");
            return inner;
        }
        if self.eat(" { ") {
            let mut fields = BTreeMap::new();
            while !self.eat(" }") {
                let name = self.word().to_owned();
                self.expect(": ");
                fields.insert(name, self.value());
                self.eat(", ");
            }
            return Tree::Struct(fields);
        }
        if word.len() == 36 && word.matches('-').count() == 4 {
            let hex = word.replace('-', "");
            return numbers((0..16).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()));
        }
        Tree::Atom(word.to_owned())
    }
}

/// The bytes of a byte string literal.
fn unescape(s: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut chars = s.bytes();
    while let Some(b) = chars.next() {
        out.push(match b {
            b'\\' => match chars.next().unwrap() {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'0' => 0,
                b'x' => {
                    let hex = [chars.next().unwrap(), chars.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap()
                }
                c => c,
            },
            b => b,
        });
    }
    out
}

#[test]
fn trees_see_values_not_types() {
    let a = Tree::parse(r#"A { x: 1, s: "a\"b", v: [B(2), None], u: [0, 255], e: {} }"#);
    let b = Tree::parse(r#"C { s: Some("a\"b"), x: D(1), v: [2, None], u: b"\0\xff", more: 1, e: {} }"#);
    assert_eq!(a.is_part_of(&b), Ok(()));
    assert_eq!(b.is_part_of(&a).unwrap_err(), "more is missing");
    assert!(Tree::parse("A { x: [1] }").is_part_of(&Tree::parse("A { x: [2] }")).is_err());
    assert!(Tree::parse("A { x: [1] }").is_part_of(&Tree::parse("A { x: [] }")).is_err());
    assert_eq!(
        Tree::parse("00000000-0000-0000-0000-0000000000ff"),
        Tree::parse("[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255]")
    );
}
