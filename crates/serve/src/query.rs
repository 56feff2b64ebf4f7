//! The query of a request, read as upstream's parameter codec reads it into option structs.

use meta::{Result, Status};

/// The parameters in their order, decoded. Pairs that do not decode are dropped, as Go does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn parse(text: &str) -> Query {
        // Go refuses semicolons, alone among separators, by dropping the pair
        let pairs = text.split('&').filter(|pair| !pair.contains(';'));
        let decoded = pairs.flat_map(|pair| form_urlencoded::parse(pair.as_bytes()).into_owned());
        Query(decoded.collect())
    }

    /// The first value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first value, "" when there is none.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or("")
    }

    /// Absence, "0" and "false" are false; everything else is true, also the empty value.
    pub fn flag(&self, name: &str) -> bool {
        self.maybe_flag(name).unwrap_or(false)
    }

    pub fn maybe_flag(&self, name: &str) -> Option<bool> {
        self.get(name).map(|value| !(value == "0" || value.eq_ignore_ascii_case("false")))
    }

    /// A number; 400 with Go's text when it is none.
    pub fn int(&self, name: &str) -> Result<Option<i64>> {
        self.get(name).map(|value| parse_int(value).map_err(Status::bad_request)).transpose()
    }
}

fn parse_int(text: &str) -> std::result::Result<i64, String> {
    text.parse().map_err(|_| number_error("ParseInt", text))
}

/// The text of Go's strconv for a number that does not parse.
pub fn number_error(function: &str, text: &str) -> String {
    let digits = text.strip_prefix(['+', '-']).filter(|_| function == "ParseInt").unwrap_or(text);
    let numeric = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let why = if numeric { "value out of range" } else { "invalid syntax" };
    format!("strconv.{function}: parsing {}: {why}", meta::field::quote(text))
}

/// A resource version: a number, where "" and "0" are 0. The error is Go's text.
pub fn parse_revision(text: &str) -> std::result::Result<u64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or_else(|| number_error("ParseUint", text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_upstream_reads_them() {
        let query = Query::parse("a=1&a=2&b=%20x+y&watch&f=false&z=0&g=maybe&n=abc&bad=1;c=2");
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(query.text("b"), " x y");
        assert!(query.flag("watch") && query.flag("g") && !query.flag("f") && !query.flag("z") && !query.flag("no"));
        assert_eq!(query.get("bad"), None);
        assert_eq!(query.int("a").ok(), Some(Some(1)));
        let message = query.int("n").map_err(|s| s.message);
        assert_eq!(message, Err("strconv.ParseInt: parsing \"abc\": invalid syntax".into()));
    }

    #[test]
    fn numbers_that_are_none_say_why() {
        let parsed = |text| parse_revision(text).err().unwrap_or_default();
        assert_eq!(parsed("1.5"), "strconv.ParseUint: parsing \"1.5\": invalid syntax");
        assert_eq!(parsed("-1"), "strconv.ParseUint: parsing \"-1\": invalid syntax");
        assert_eq!(
            parsed("99999999999999999999"),
            "strconv.ParseUint: parsing \"99999999999999999999\": value out of range"
        );
        assert_eq!(parse_revision("12"), Ok(12));
    }
}
