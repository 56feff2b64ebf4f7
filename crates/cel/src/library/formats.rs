//! Named formats of strings.

use super::time::parse_timestamp;
use super::url::Url;
use super::{Opaque, Run};
use crate::eval::{Call, Failed};
use crate::value::Value;
use meta::name;

pub struct Format {
    pub name: &'static str,
    /// What its test is charged for, as if it were a regular expression of this length.
    pub regex_size: u64,
    /// What is wrong with a string.
    test: fn(&str) -> Vec<String>,
}

impl PartialEq for Format {
    fn eq(&self, other: &Format) -> bool {
        self.name == other.name
    }
}

/// Every format by the name expressions call it.
static FORMATS: &[Format] = &[
    Format { name: "dns1123Label", regex_size: 30, test: name::dns1123_label },
    Format { name: "dns1123Subdomain", regex_size: 60, test: name::dns1123_subdomain },
    Format { name: "dns1035Label", regex_size: 30, test: name::dns1035_label },
    Format { name: "qualifiedName", regex_size: 60, test: name::qualified_name },
    Format { name: "dns1123LabelPrefix", regex_size: 30, test: |s| name::dns1123_label(&name::mask_trailing_dash(s)) },
    Format {
        name: "dns1123SubdomainPrefix",
        regex_size: 60,
        test: |s| name::dns1123_subdomain(&name::mask_trailing_dash(s)),
    },
    Format { name: "dns1035LabelPrefix", regex_size: 30, test: |s| name::dns1035_label(&name::mask_trailing_dash(s)) },
    Format { name: "labelValue", regex_size: 40, test: name::label_value },
    Format {
        name: "uri",
        regex_size: 770,
        test: |s| match Url::parse(s) {
            Ok(_) => vec![],
            Err(reason) => vec![format!("parse {s:?}: {reason}")],
        },
    },
    Format { name: "uuid", regex_size: 74, test: |s| unless(is_uuid(s), "does not match the UUID format") },
    Format { name: "byte", regex_size: 96, test: |s| unless(is_base64(s), "invalid base64") },
    Format {
        name: "date",
        regex_size: 105,
        test: |s| unless(parse_timestamp(&format!("{s}T00:00:00Z")).is_some(), "invalid date"),
    },
    Format { name: "datetime", regex_size: 105, test: |s| unless(parse_timestamp(s).is_some(), "invalid datetime") },
];

fn unless(holds: bool, message: &str) -> Vec<String> {
    if holds { vec![] } else { vec![message.to_owned()] }
}

fn is_uuid(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    let plain = text.len() == 32;
    (plain || text.len() == 36)
        && text.bytes().enumerate().all(|(at, b)| match !plain && dashes.contains(&at) {
            true => b == b'-',
            false => b.is_ascii_hexdigit(),
        })
}

fn is_base64(text: &str) -> bool {
    let padding = text.bytes().rev().take_while(|b| *b == b'=').count();
    let digits = text.len().saturating_sub(padding);
    let digit = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    !text.is_empty() && text.len().is_multiple_of(4) && padding <= 2 && text.bytes().take(digits).all(digit)
}

pub fn implementation(name: &str) -> Option<Run> {
    Some(match name {
        "format.named" => |call| match call.args {
            [Value::String(wanted)] => {
                let found = FORMATS.iter().find(|format| format.name == &**wanted);
                Ok(Value::optional(found.map(|format| Value::opaque(Opaque::Format(format)))))
            }
            _ => Err(call.no_overload()),
        },
        "validate" => validate,
        name if name.strip_prefix("format.").is_some_and(|name| FORMATS.iter().any(|format| format.name == name)) => {
            |call| {
                let found = call.function.strip_prefix("format.");
                match FORMATS.iter().find(|format| Some(format.name) == found) {
                    Some(format) => Ok(Value::opaque(Opaque::Format(format))),
                    None => Err(call.no_overload()),
                }
            }
        }
        _ => return None,
    })
}

fn validate<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Failed> {
    let [Value::Opaque(of), Value::String(text)] = call.args else { return Err(call.no_overload()) };
    let Opaque::Format(format) = &**of else { return Err(call.no_overload()) };
    let wrong = (format.test)(text);
    Ok(Value::optional((!wrong.is_empty()).then(|| Value::list(wrong.into_iter().map(Value::string).collect()))))
}
