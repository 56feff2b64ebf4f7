//! Label and field selectors: parsing with upstream's error texts, matching, printing
//! (k8s.io/apimachinery/pkg/labels, pkg/fields).

mod field;
mod parse;

pub use field::{FieldSelector, FieldTerm};

use crate::field::{ErrorList, Path, Shown};
use crate::{Str, Value, name};
use parse::{Parser, scan};
use std::fmt;

/// How a label requirement relates a key to its values. The three spellings of equality are kept apart for printing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Exists,
    DoesNotExist,
    Equals,
    DoubleEquals,
    NotEquals,
    In,
    NotIn,
    GreaterThan,
    LessThan,
}

/// One condition on labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Requirement {
    pub key: Str,
    pub operator: Operator,
    /// Sorted, each once.
    pub values: Vec<Str>,
}

/// A conjunction of requirements, sorted by key; none selects everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LabelSelector {
    pub requirements: Vec<Requirement>,
    /// Selects nothing at all (a null LabelSelector object).
    pub nothing: bool,
}

impl Requirement {
    /// A requirement that upstream's NewRequirement accepts; the error is its aggregated text.
    pub fn new(key: &str, operator: Operator, mut values: Vec<Str>) -> Result<Requirement, String> {
        values.sort_unstable();
        values.dedup();
        let mut errs = ErrorList::new();
        let bad = name::qualified_name(key);
        if !bad.is_empty() {
            errs.invalid(&Path::new("key"), key, &bad.join("; "));
        }
        let path = Path::new("values");
        let shown =
            || Shown(format!("[{}]", values.iter().map(|v| crate::field::quote(v)).collect::<Vec<_>>().join(",")));
        match operator {
            Operator::In | Operator::NotIn if values.is_empty() => {
                errs.invalid(&path, shown(), "for 'in', 'notin' operators, values set can't be empty");
            }
            Operator::Equals | Operator::DoubleEquals | Operator::NotEquals if values.len() != 1 => {
                errs.invalid(&path, shown(), "exact-match compatibility requires one single value");
            }
            Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
                errs.invalid(&path, shown(), "values set must be empty for exists and does not exist");
            }
            Operator::GreaterThan | Operator::LessThan => {
                if values.len() != 1 {
                    errs.invalid(&path, shown(), "for 'Gt', 'Lt' operators, exactly one value is required");
                }
                for (i, value) in values.iter().enumerate().filter(|(_, v)| v.parse::<i64>().is_err()) {
                    errs.invalid(&path.index(i), value, "for 'Gt', 'Lt' operators, the value must be an integer");
                }
            }
            _ => {}
        }
        for (i, value) in values.iter().enumerate() {
            let bad = name::label_value(value);
            if !bad.is_empty() {
                errs.invalid(&path.index(i).key(key), value, &bad.join("; "));
            }
        }
        if errs.is_empty() { Ok(Requirement { key: key.into(), operator, values }) } else { Err(errs.message()) }
    }

    /// Whether a label's value (`None`: no such label) satisfies this.
    pub fn matches(&self, value: Option<&str>) -> bool {
        match self.operator {
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::In | Operator::Equals | Operator::DoubleEquals => value.is_some_and(|v| self.has(v)),
            Operator::NotIn | Operator::NotEquals => value.is_none_or(|v| !self.has(v)),
            Operator::GreaterThan | Operator::LessThan => {
                let limit = self.values.first().and_then(|v| v.parse::<i64>().ok());
                match (value.and_then(|v| v.parse::<i64>().ok()), limit) {
                    (Some(v), Some(limit)) if self.operator == Operator::GreaterThan => v > limit,
                    (Some(v), Some(limit)) => v < limit,
                    _ => false,
                }
            }
        }
    }

    fn has(&self, value: &str) -> bool {
        self.values.iter().any(|v| v == value)
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.values.join(",");
        match self.operator {
            Operator::Exists => f.write_str(&self.key),
            Operator::DoesNotExist => write!(f, "!{}", self.key),
            Operator::Equals => write!(f, "{}={values}", self.key),
            Operator::DoubleEquals => write!(f, "{}=={values}", self.key),
            Operator::NotEquals => write!(f, "{}!={values}", self.key),
            Operator::In => write!(f, "{} in ({values})", self.key),
            Operator::NotIn => write!(f, "{} notin ({values})", self.key),
            Operator::GreaterThan => write!(f, "{}>{values}", self.key),
            Operator::LessThan => write!(f, "{}<{values}", self.key),
        }
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, requirement) in self.requirements.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            requirement.fmt(f)?;
        }
        Ok(())
    }
}

impl LabelSelector {
    /// From a query parameter: `app in (x,y),!tier,env!=prod`. The error is upstream's text.
    pub fn parse(text: &str) -> Result<LabelSelector, String> {
        let mut requirements = Parser { tokens: scan(text), at: 0 }.parse()?;
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(LabelSelector { requirements, nothing: false })
    }

    /// From a LabelSelector object (`matchLabels`, `matchExpressions`); null selects nothing, `{}` everything.
    pub fn from_value(selector: &Value) -> Result<LabelSelector, String> {
        if selector.is_null() {
            return Ok(LabelSelector { requirements: Vec::new(), nothing: true });
        }
        let mut requirements = Vec::new();
        for (key, value) in selector["matchLabels"].entries() {
            requirements.push(Requirement::new(key, Operator::Equals, vec![value.str().into()])?);
        }
        for expression in selector["matchExpressions"].items() {
            let operator = match expression["operator"].str() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => return Err(format!("{} is not a valid label selector operator", crate::field::quote(other))),
            };
            let values = expression["values"].items().iter().map(|v| v.str().into()).collect();
            requirements.push(Requirement::new(expression["key"].str(), operator, values)?);
        }
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(LabelSelector { requirements, nothing: false })
    }

    /// Every label of a map equal: a replication controller's selector.
    pub fn from_labels(labels: &Value) -> LabelSelector {
        let requirement = |(key, value): (&str, &Value)| Requirement {
            key: key.into(),
            operator: Operator::Equals,
            values: vec![value.str().into()],
        };
        LabelSelector { requirements: labels.entries().map(requirement).collect(), nothing: false }
    }

    /// Selects every object.
    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty() && !self.nothing
    }

    /// Whether labels, given as a lookup, are selected.
    pub fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        !self.nothing && self.requirements.iter().all(|r| r.matches(label(&r.key)))
    }

    /// Whether a map of labels (an object's `metadata.labels`) is selected.
    pub fn matches_value(&self, labels: &Value) -> bool {
        self.matches(|key| labels.get(key).map(Value::str))
    }

    /// LabelSelector object as upstream's FormatLabelSelector prints it.
    pub fn format(selector: &Value) -> String {
        match LabelSelector::from_value(selector) {
            Err(_) => "<error>".to_string(),
            Ok(s) if s.nothing || s.requirements.is_empty() => "<none>".to_string(),
            Ok(s) => s.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value;

    fn selects(selector: &str, labels: &Value) -> bool {
        LabelSelector::parse(selector).unwrap_or_else(|e| panic!("{selector}: {e}")).matches_value(labels)
    }

    #[test]
    fn label_selectors_select() {
        let labels = value!({"app": "x", "tier": "fe", "num": "5", "empty": ""});
        for yes in [
            "",
            "app=x",
            "app==x",
            "app!=y",
            "app in (x,z)",
            "app notin (y)",
            "tier",
            "!nope",
            "num>3",
            "num<10,num>4",
            "empty=",
            "empty in (,a)",
            "nope!=x",
            "app=x,tier in (fe),!gone",
            " app = x ",
            "empty in ()",
        ] {
            assert!(selects(yes, &labels), "{yes}");
        }
        for no in ["app=y", "app!=x", "!app", "nope", "nope=x", "num>5", "num<5", "app in ()", "nope>1", "app>1"] {
            assert!(!selects(no, &labels), "{no}");
        }
    }

    #[test]
    fn label_selectors_that_do_not_parse_say_why_as_upstream_does() {
        for (text, error) in [
            ("app x", "unable to parse requirement: found 'x', expected: in, notin, =, ==, !=, gt, lt"),
            ("app=a=b", "found '=', expected: ',' or 'end of string'"),
            ("=x", "found '=', expected: !, identifier, or 'end of string'"),
            ("app in", "unable to parse requirement: found '' expected: '('"),
            ("app in (a", "unable to parse requirement: found '', expected: ',' or ')'"),
            ("!", "unable to parse requirement: found '', expected: identifier"),
            ("app=!x", "unable to parse requirement: found '!', expected: identifier"),
            ("app,,tier", "found ',', expected: identifier after ','"),
            (
                "a>b",
                "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value must be an integer",
            ),
        ] {
            assert_eq!(LabelSelector::parse(text), Err(error.to_string()), "{text}");
        }
    }

    #[test]
    fn selectors_print_as_they_parse() {
        for text in ["a=b", "a in (x,y),!b", "a notin (),c>3", "k==v", "x!=y"] {
            let once = LabelSelector::parse(text).map(|s| s.to_string());
            let twice = once.as_deref().map(|s| LabelSelector::parse(s).map(|s| s.to_string()));
            assert_eq!(twice, Ok(once.clone()), "{text}");
        }
    }

    #[test]
    fn field_selectors_parse_and_select() {
        let selector = FieldSelector::parse(r"metadata.name=a,status.phase!=Run\,ning,x==").unwrap_or_default();
        assert_eq!(selector.exact("metadata.name").map(Str::as_str), Some("a"));
        let field = |name: &str| if name == "metadata.name" { "a" } else { "" };
        assert!(selector.matches(field));
        assert_eq!(selector.to_string(), r"metadata.name=a,status.phase!=Run\,ning,x=");
        assert_eq!(
            FieldSelector::parse("metadata.name>a"),
            Err("invalid selector: 'metadata.name>a'; can't understand 'metadata.name>a'".into())
        );
        assert!(FieldSelector::parse(r"a=b\c").is_err());
        assert!(FieldSelector::parse("a=b=c").is_err());
    }

    #[test]
    fn label_selector_objects() {
        let object = value!({"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "Exists"}]});
        let selector = LabelSelector::from_value(&object).unwrap_or_default();
        assert!(selector.matches_value(&value!({"a": "b", "c": ""})));
        assert!(!selector.matches_value(&value!({"a": "b"})));
        assert_eq!(LabelSelector::format(&object), "a=b,c");
        assert!(!LabelSelector::from_value(&Value::Null).unwrap_or_default().matches_value(&value!({})));
        assert!(LabelSelector::from_value(&value!({})).unwrap_or_default().matches_value(&value!({})));
    }
}
