//! The facts of types as text: the form of `crates/schema/facts/builtin.facts`, read into lines that can be changed and
//! written again. What the words mean is said where the server reads them, in `crates/schema/src/facts.rs`.

use std::collections::BTreeMap;
use std::fmt::Write;

/// A package of types.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Package {
    pub alias: String,
    pub name: String,
    /// "apps/v1"; "-" for none.
    pub api_version: String,
    pub types: BTreeMap<String, Type>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Type {
    pub words: Vec<String>,
    pub fields: Vec<Field>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Field {
    pub name: String,
    /// "5", or "1.5" for a field of an embedded message.
    pub number: String,
    pub shape: String,
    pub presence: String,
    /// In the order of [`WORDS`].
    pub words: Vec<String>,
    /// Last on the line: values may have spaces.
    pub enums: String,
}

/// The words of a field, in their order; each stands for itself and for what begins with it and a colon.
const WORDS: &[&str] = &["req", "=", "list", "patch", "key", "mapatomic", "mapgranular", "wrapped", "go"];

/// The kind of a word: "list" of "list:map:name".
pub fn stem(word: &str) -> &str {
    if word.starts_with('=') { "=" } else { word.split(':').next().unwrap_or(word) }
}

impl Field {
    /// Sets a word, instead of any of its kind.
    pub fn set_word(&mut self, word: &str) {
        self.remove_word(stem(word));
        self.words.push(word.to_string());
        self.words.sort_by_key(|w| WORDS.iter().position(|known| *known == stem(w)));
    }

    pub fn remove_word(&mut self, kind: &str) {
        self.words.retain(|w| stem(w) != kind);
    }

    pub fn word(&self, kind: &str) -> Option<&str> {
        self.words.iter().map(String::as_str).find(|w| stem(w) == kind)
    }

    fn write(&self, out: &mut String) {
        let _ = write!(out, " {} {} {} {}", self.name, self.number, self.shape, self.presence);
        for word in &self.words {
            out.extend([" ", word]);
        }
        if !self.enums.is_empty() {
            let _ = write!(out, " enum:{}", self.enums);
        }
        out.push('\n');
    }
}

/// Packages in the order of their names; types in theirs.
pub fn write(packages: &[Package]) -> String {
    let mut out = String::new();
    for package in packages.iter().filter(|p| !p.types.is_empty()) {
        let _ = writeln!(out, "package {} {} {}", package.alias, package.name, package.api_version);
        for (name, ty) in &package.types {
            let _ = writeln!(out, "type {}", [std::slice::from_ref(name), ty.words.as_slice()].concat().join(" "));
            ty.fields.iter().for_each(|f| f.write(&mut out));
        }
    }
    out
}

/// Reads what [`write`] writes.
pub fn read(text: &str) -> Result<Vec<Package>, String> {
    let mut packages: Vec<Package> = Vec::new();
    let mut open = String::new();
    for line in text.lines() {
        let mut words = line.split(' ').map(str::to_string);
        let wrong = || format!("cannot read: {line}");
        if let Some(field) = line.strip_prefix(' ') {
            let ty = packages.last_mut().and_then(|p| p.types.get_mut(&open)).ok_or_else(wrong)?;
            ty.fields.push(read_field(field).ok_or_else(wrong)?);
            continue;
        }
        match words.next().as_deref() {
            Some("package") => {
                let mut next = || words.next().ok_or_else(wrong);
                packages.push(Package { alias: next()?, name: next()?, api_version: next()?, ..Package::default() });
            }
            Some("type") => {
                open = words.next().ok_or_else(wrong)?;
                let package = packages.last_mut().ok_or_else(wrong)?;
                package.types.insert(open.clone(), Type { words: words.collect(), fields: Vec::new() });
            }
            _ => return Err(wrong()),
        }
    }
    Ok(packages)
}

fn read_field(line: &str) -> Option<Field> {
    let (line, enums) = line.split_once(" enum:").unwrap_or((line, ""));
    let mut words = line.split(' ').map(str::to_string);
    Some(Field {
        name: words.next()?,
        number: words.next()?,
        shape: words.next()?,
        presence: words.next()?,
        words: words.collect(),
        enums: enums.to_string(),
    })
}
