//! What no published crate says, written by hand in `crates/schema/facts/overlay.facts`, and its difference to the rest.
//!
//! ```text
//! package apps.v1 io.k8s.api.apps.v1 apps/v1   every package of the schema, in order
//! type Deployment = kind                       words instead of the imported ones ("=" alone: none)
//! type Thing new kind                          a type that is not imported; all its fields follow
//! type RootPaths absent                        a message that is no type
//!  replicas ptr noreq                          changes to a field: presence, words, `no` and a word, `shape=…`, `number=…`
//!  phase after=spec 9 string omit req          a field that is not imported, at its place; `first` for the front
//!  old absent                                  a field that is no more
//! ```

use super::facts::{Field, Package, Type, stem};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The overlay: packages in order, and what it says of types, as lines.
#[derive(Default)]
pub struct Overlay {
    pub packages: Vec<Package>,
    /// By package alias and type name.
    changes: BTreeMap<(String, String), Change>,
}

#[derive(Default)]
struct Change {
    /// After the type's name.
    words: Vec<String>,
    /// Lines of fields.
    fields: Vec<String>,
}

const HEADER: &str =
    "# What no published crate says of the built-in types. The form is described in xtask/src/schema/overlay.rs.\n";

const PRESENCES: &[&str] = &["ptr", "nil", "omit", "always"];

pub fn read(text: &str) -> Result<Overlay, String> {
    let mut overlay = Overlay::default();
    let mut open = None;
    for line in text.lines().filter(|l| !l.starts_with('#') && !l.is_empty()) {
        let wrong = || format!("cannot read: {line}");
        let words: Vec<String> = line.split(' ').map(str::to_string).collect();
        match words.as_slice() {
            [first, ..] if first.is_empty() => {
                let change: &mut Change =
                    open.as_ref().and_then(|key| overlay.changes.get_mut(key)).ok_or_else(wrong)?;
                change.fields.push(line.trim_start().to_string());
            }
            [first, alias, name, api_version] if first == "package" => overlay.packages.push(Package {
                alias: alias.clone(),
                name: name.clone(),
                api_version: api_version.clone(),
                types: BTreeMap::new(),
            }),
            [first, name, words @ ..] if first == "type" => {
                let key = (overlay.packages.last().ok_or_else(wrong)?.alias.clone(), name.clone());
                overlay.changes.insert(key.clone(), Change { words: words.to_vec(), fields: Vec::new() });
                open = Some(key);
            }
            _ => return Err(wrong()),
        }
    }
    Ok(overlay)
}

impl Overlay {
    /// Makes the changes.
    pub fn apply(&self, packages: &mut [Package]) -> Result<(), String> {
        for ((alias, name), change) in &self.changes {
            let package =
                packages.iter_mut().find(|p| p.alias == *alias).ok_or_else(|| format!("no package {alias}"))?;
            match change.words.first().map(String::as_str) {
                Some("absent") => drop(package.types.remove(name)),
                Some("new") => {
                    let words = change.words.get(1..).unwrap_or_default().to_vec();
                    let fields: Result<Vec<Field>, String> = change.fields.iter().map(|line| whole(line)).collect();
                    package.types.insert(name.clone(), Type { words, fields: fields? });
                }
                _ => {
                    let ty =
                        package.types.get_mut(name).ok_or_else(|| format!("no type {alias}.{name} is imported"))?;
                    change.apply(ty).map_err(|why| format!("{alias}.{name}: {why}"))?;
                }
            }
        }
        Ok(())
    }
}

impl Change {
    fn apply(&self, ty: &mut Type) -> Result<(), String> {
        if self.words.first().is_some_and(|w| w == "=") {
            ty.words = self.words.get(1..).unwrap_or_default().to_vec();
        }
        for line in &self.fields {
            let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
            let at = ty.fields.iter().position(|f| f.name == name);
            let place = rest.split(' ').next().unwrap_or_default();
            match (place, at) {
                ("absent", Some(at)) => drop(ty.fields.remove(at)),
                ("first", None) => ty.fields.insert(0, whole(&format!("{name} {}", after_word(rest)))?),
                (place, None) => {
                    let before = place.strip_prefix("after=").ok_or_else(|| format!("no field {name} is imported"))?;
                    let at =
                        ty.fields.iter().position(|f| f.name == before).ok_or_else(|| format!("no field {before}"))?;
                    ty.fields.insert(at + 1, whole(&format!("{name} {}", after_word(rest)))?);
                }
                (_, Some(at)) => {
                    let field = ty.fields.get_mut(at).ok_or("no such place")?;
                    modify(field, rest);
                    if let Some(before) = place.strip_prefix("after=") {
                        let field = ty.fields.remove(at);
                        let at = ty
                            .fields
                            .iter()
                            .position(|f| f.name == before)
                            .ok_or_else(|| format!("no field {before}"))?;
                        ty.fields.insert(at + 1, field);
                    }
                }
            }
        }
        Ok(())
    }
}

fn after_word(text: &str) -> &str {
    text.split_once(' ').map_or("", |(_, rest)| rest)
}

/// A field from its whole line, as the facts have it.
fn whole(line: &str) -> Result<Field, String> {
    let text = format!("package - - -\ntype -\n {line}\n");
    let mut packages = super::facts::read(&text)?;
    let ty = packages.pop().and_then(|p| p.types.into_values().next());
    ty.and_then(|t| t.fields.into_iter().next()).ok_or_else(|| format!("cannot read field: {line}"))
}

fn modify(field: &mut Field, words: &str) {
    let (words, enums) = match words.strip_prefix("enum:") {
        Some(enums) => ("", Some(enums)),
        None => words.split_once(" enum:").map_or((words, None), |(words, enums)| (words, Some(enums))),
    };
    field.enums = enums.map_or_else(|| std::mem::take(&mut field.enums), str::to_string);
    for word in words.split(' ').filter(|w| !w.is_empty() && !w.starts_with("after=")) {
        if PRESENCES.contains(&word) {
            field.presence = word.to_string();
        } else if let Some(shape) = word.strip_prefix("shape=") {
            field.shape = shape.to_string();
        } else if let Some(number) = word.strip_prefix("number=") {
            field.number = number.to_string();
        } else if let Some(kind) = word.strip_prefix("no").filter(|kind| !kind.is_empty()) {
            field.remove_word(kind);
        } else {
            field.set_word(word);
        }
    }
}

/// The overlay that makes `wanted` of `imported`: to be run once after the facts were changed directly, and reviewed.
pub fn between(imported: &[Package], wanted: &[Package]) -> String {
    let mut out = String::from(HEADER);
    for package in wanted {
        let _ = writeln!(out, "package {} {} {}", package.alias, package.name, package.api_version);
        let none = BTreeMap::new();
        let have = imported.iter().find(|p| p.alias == package.alias).map_or(&none, |p| &p.types);
        for name in have.keys().filter(|name| !package.types.contains_key(*name)) {
            let _ = writeln!(out, "type {name} absent");
        }
        for (name, ty) in &package.types {
            match have.get(name) {
                None => {
                    let _ = writeln!(
                        out,
                        "type {}",
                        [&[name.clone(), "new".into()], ty.words.as_slice()].concat().join(" ")
                    );
                    let one = Package { types: BTreeMap::from([(name.clone(), ty.clone())]), ..Package::default() };
                    let lines = super::facts::write(&[one]);
                    lines.lines().skip(2).for_each(|l| out.extend([l, "\n"]));
                }
                Some(have) => type_difference(name, have, ty, &mut out),
            }
        }
    }
    out
}

fn type_difference(name: &str, have: &Type, want: &Type, out: &mut String) {
    let mut lines = Vec::new();
    let gone = have.fields.iter().filter(|f| !want.fields.iter().any(|w| w.name == f.name));
    lines.extend(gone.map(|f| format!(" {} absent", f.name)));
    let mut order: Vec<&str> =
        have.fields.iter().map(|f| f.name.as_str()).filter(|n| want.fields.iter().any(|w| w.name == *n)).collect();
    let mut before = "";
    for (at, field) in want.fields.iter().enumerate() {
        let place = if before.is_empty() { "first".to_string() } else { format!("after={before}") };
        match have.fields.iter().find(|f| f.name == field.name) {
            None => {
                lines.push(whole_line(field, &place));
                order.insert(at, &field.name);
            }
            Some(have) => {
                let mut change = field_difference(have, field);
                if order.get(at) != Some(&field.name.as_str()) {
                    change.insert_str(0, &format!(" {place}"));
                    order.retain(|n| *n != field.name);
                    order.insert(at, &field.name);
                }
                if !change.is_empty() {
                    lines.push(format!(" {}{change}", field.name));
                }
            }
        }
        before = &field.name;
    }
    if have.words != want.words {
        let _ = writeln!(out, "type {}", [&[name.to_string(), "=".into()], want.words.as_slice()].concat().join(" "));
    } else if !lines.is_empty() {
        let _ = writeln!(out, "type {name}");
    }
    lines.iter().for_each(|l| out.extend([l.as_str(), "\n"]));
}

fn whole_line(field: &Field, place: &str) -> String {
    let ty = Type { words: Vec::new(), fields: vec![field.clone()] };
    let one = Package { types: BTreeMap::from([(String::new(), ty)]), ..Package::default() };
    let text = super::facts::write(&[one]);
    let line = text.lines().nth(2).unwrap_or_default().trim_start();
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    format!(" {name} {place} {rest}")
}

/// The words that turn one field into the other, each after a space.
fn field_difference(have: &Field, want: &Field) -> String {
    let mut out = String::new();
    if have.number != want.number {
        let _ = write!(out, " number={}", want.number);
    }
    if have.shape != want.shape {
        let _ = write!(out, " shape={}", want.shape);
    }
    if have.presence != want.presence {
        let _ = write!(out, " {}", want.presence);
    }
    for word in have.words.iter().filter(|w| want.word(stem(w)).is_none()) {
        let _ = write!(out, " no{}", stem(word));
    }
    for word in want.words.iter().filter(|w| !have.words.contains(w)) {
        let _ = write!(out, " {word}");
    }
    if have.enums != want.enums {
        let _ = write!(out, " enum:{}", want.enums);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::facts;
    use super::*;

    /// Whatever differs, the overlay made from the difference leads from the one to the other.
    #[test]
    fn an_overlay_makes_up_the_difference() {
        let imported = "package x.v1 io.x.v1 x.io/v1\n\
            type Gone\n a 1 string omit\n\
            type Kept kind\n a 1 string omit\n b 2 int32 ptr req\n c 3 []string always list:atomic\n d 4 string omit\n";
        let wanted = "package x.v1 io.x.v1 x.io/v1\n\
            type Kept\n z 9 bool omit\n c 3 []string omit list:set\n a 1.1 bytes ptr req =\"x\" enum:A,B C\n e 5 Other nil\n b 2 int32 ptr\n\
            type Other atomic\n a 1 string always\n";
        let (imported, wanted) = (facts::read(imported).expect("facts"), facts::read(wanted).expect("facts"));
        let overlay = read(&between(&imported, &wanted)).expect("an overlay");
        let mut changed = imported.clone();
        overlay.apply(&mut changed).expect("applies");
        assert_eq!(facts::write(&changed), facts::write(&wanted));
        let mut same = wanted.clone();
        read(&between(&wanted, &wanted)).and_then(|o| o.apply(&mut same)).expect("applies");
        assert_eq!(same, wanted);
    }

    #[test]
    fn changes_to_what_is_not_imported_are_errors() {
        let mut imported = facts::read("package x.v1 io.x.v1 x.io/v1\ntype A\n a 1 string omit\n").expect("facts");
        for line in ["type B\n a ptr", "type A\n b ptr", "type A\n b after=c 2 string omit"] {
            let overlay = read(&format!("package x.v1 io.x.v1 x.io/v1\n{line}\n")).expect("an overlay");
            assert!(overlay.apply(&mut imported).is_err(), "{line}");
        }
    }
}
