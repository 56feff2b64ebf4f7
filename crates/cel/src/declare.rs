//! Functions and their overloads, read from a table.

use crate::types::Type;
use std::collections::HashMap;
use std::sync::Arc;

#[derive(Debug)]
pub struct Function {
    pub name: &'static str,
    pub overloads: Vec<Overload>,
}

#[derive(Debug)]
pub struct Overload {
    /// The library it belongs to; environments leave libraries out by name.
    pub library: &'static str,
    /// Upstream's id, on which costs depend.
    pub id: &'static str,
    pub member: bool,
    /// The types of the arguments, of a method's target first; type parameters are numbered from 0.
    pub args: Vec<Type>,
    pub result: Type,
    /// How many type parameters there are.
    pub parameters: u32,
}

/// The types that can be put in order, summed up, and compared, the last as pairs of argument types.
const COMPARABLE: &[&str] = &["int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes"];
const SUMMABLE: &[&str] = &["int", "uint", "double", "duration"];
const ORDERED: &[(&str, &str)] = &[
    ("bool", "bool, bool"),
    ("int64", "int, int"),
    ("int64_double", "int, double"),
    ("int64_uint64", "int, uint"),
    ("uint64", "uint, uint"),
    ("uint64_double", "uint, double"),
    ("uint64_int64", "uint, int"),
    ("double", "double, double"),
    ("double_int64", "double, int"),
    ("double_uint64", "double, uint"),
    ("string", "string, string"),
    ("bytes", "bytes, bytes"),
    ("timestamp", "timestamp, timestamp"),
    ("duration", "duration, duration"),
];

/// The functions of a table as [`crate::library`] has it. The table is part of the program: what is wrong in it is left
/// out, and a test finds that.
pub fn read(table: &'static str) -> HashMap<&'static str, Function> {
    let mut functions: HashMap<&'static str, Function> = HashMap::new();
    for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut words = line.splitn(4, ' ');
        let (Some(library), Some(name), Some(id), Some(signature)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            continue;
        };
        let function = functions.entry(name).or_insert_with(|| Function { name, overloads: Vec::new() });
        for (id, signature) in instances(id, signature) {
            function.overloads.extend(overload(library, id, &signature));
        }
    }
    functions
}

/// A line for every type that a template stands for.
fn instances(id: &'static str, signature: &str) -> Vec<(&'static str, String)> {
    let leaked = |id: String| -> &'static str { Box::leak(id.into_boxed_str()) };
    let of = |template: &str, names: &[(&str, &str)]| {
        let one =
            |(name, types): &(&str, &str)| (leaked(id.replace(template, name)), signature.replace(template, types));
        names.iter().map(one).collect()
    };
    let same = |names: &[&'static str]| -> Vec<(&str, &str)> { names.iter().map(|name| (*name, *name)).collect() };
    if signature.contains("<comparable>") {
        return of("<comparable>", &same(COMPARABLE));
    }
    if signature.contains("<summable>") {
        return of("<summable>", &same(SUMMABLE));
    }
    if signature.contains("<ordered>") {
        return of("<ordered>", ORDERED);
    }
    vec![(id, signature.to_owned())]
}

fn overload(library: &'static str, id: &'static str, signature: &str) -> Option<Overload> {
    let mut reader = Reader { rest: signature, parameters: Vec::new() };
    let mut args = Vec::new();
    let member = !reader.rest.starts_with('(');
    if member {
        args.push(reader.of_type()?);
        reader.eat(".")?;
    }
    reader.eat("(")?;
    while !reader.rest.starts_with(')') {
        args.push(reader.of_type()?);
        let _ = reader.eat(", ");
    }
    reader.eat(") -> ")?;
    let result = reader.of_type()?;
    let parameters = u32::try_from(reader.parameters.len()).unwrap_or(u32::MAX);
    reader.rest.is_empty().then_some(Overload { library, id, member, args, result, parameters })
}

/// A type as the table writes it.
pub fn type_written(text: &str) -> Option<Type> {
    Reader { rest: text, parameters: Vec::new() }.of_type()
}

struct Reader<'a> {
    rest: &'a str,
    parameters: Vec<&'a str>,
}

impl<'a> Reader<'a> {
    fn eat(&mut self, text: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(text)?;
        Some(())
    }

    fn word(&mut self) -> &'a str {
        let end =
            self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.').unwrap_or(self.rest.len());
        // The dot before the arguments of a method is no part of the name of its target's type.
        let (word, rest) = self.rest.split_at(end);
        match word.strip_suffix('.') {
            Some(shorter) => {
                self.rest = self.rest.get(shorter.len()..).unwrap_or("");
                shorter
            }
            None => {
                self.rest = rest;
                word
            }
        }
    }

    fn of_type(&mut self) -> Option<Type> {
        let word = self.word();
        let mut parameters = Vec::new();
        if self.eat("(").is_some() {
            while !self.rest.starts_with(')') {
                parameters.push(self.of_type()?);
                let _ = self.eat(", ");
            }
            self.eat(")")?;
        }
        let mut parameters = parameters.into_iter();
        Some(match word {
            "dyn" => Type::Dyn,
            "any" => Type::Any,
            "null" => Type::Null,
            "bool" => Type::Bool,
            "int" => Type::Int,
            "uint" => Type::Uint,
            "double" => Type::Double,
            "string" => Type::String,
            "bytes" => Type::Bytes,
            "timestamp" => Type::Timestamp,
            "duration" => Type::Duration,
            "list" => Type::list(parameters.next()?),
            "map" => Type::map(parameters.next()?, parameters.next()?),
            "type" => Type::of_type(parameters.next()?),
            "" => return None,
            name if name.starts_with("net.") || name == crate::types::OPTIONAL => {
                Type::Opaque(name.into(), parameters.collect::<Arc<[Type]>>())
            }
            name if name.len() == 1 => {
                let known = self.parameters.iter().position(|known| *known == name);
                let number = known.unwrap_or_else(|| {
                    self.parameters.push(name);
                    self.parameters.len() - 1
                });
                Type::Param(u32::try_from(number).unwrap_or(u32::MAX))
            }
            name => Type::object(name),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_read_as_they_are_written() {
        let one = overload("l", "id", "optional_type(map(K, V)).(K, list(net.IP)) -> optional_type(V)").unwrap();
        assert!(one.member);
        assert_eq!(one.parameters, 2);
        assert_eq!(one.args[0], Type::optional(Type::map(Type::Param(0), Type::Param(1))));
        assert_eq!(one.args[2], Type::list(Type::opaque("net.IP")));
        assert_eq!(one.result, Type::optional(Type::Param(1)));
    }

    #[test]
    fn every_line_of_the_table_is_read() {
        let lines = |line: &&str| !line.is_empty() && !line.starts_with('#');
        let table = include_str!("library/functions.txt");
        for line in table.lines().filter(lines) {
            let words: Vec<&str> = line.splitn(4, ' ').collect();
            for (id, signature) in instances(words[2].to_owned().leak(), words[3]) {
                assert!(overload("l", id, &signature).is_some(), "{line}");
            }
        }
    }
}
