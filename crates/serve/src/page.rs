//! Continue tokens: where a page ended, at which revision (k8s.io/apiserver/pkg/storage/continue.go).

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, URL_SAFE_NO_PAD};
use meta::json;

/// Go does not mind bits that are left over.
const LENIENT: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, NO_PAD.with_decode_allow_trailing_bits(true));
const TOKEN_VERSION: &str = "meta.k8s.io/v1";

/// A place in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Continue {
    /// `None`: continue in the newest state, after the page's own has expired.
    pub revision: Option<u64>,
    /// The whole key to begin at.
    pub start: String,
}

impl Continue {
    /// The token, whose key is relative to `prefix`.
    pub fn encode(&self, prefix: &str) -> String {
        let relative = self.start.strip_prefix(prefix).unwrap_or(&self.start);
        let revision = self.revision.map_or(-1, |rv| i64::try_from(rv).unwrap_or(i64::MAX));
        let mut text = format!("{{\"v\":\"{TOKEN_VERSION}\",\"rv\":{revision},\"start\":").into_bytes();
        json::write_string(relative, &mut text);
        text.push(b'}');
        URL_SAFE_NO_PAD.encode(text)
    }

    /// The error is upstream's text, to be shown after "invalid continue token: ".
    pub fn decode(token: &str, prefix: &str) -> Result<Continue, String> {
        let bad = |why: &str| format!("continue key is not valid: {why}");
        let bytes = LENIENT.decode(token).map_err(|_| {
            let at = token.bytes().position(|b| !(b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            bad(&format!("illegal base64 data at input byte {}", at.unwrap_or(token.len() / 4 * 4)))
        })?;
        let parsed = json::parse(&bytes).map_err(|why| bad(&why.0))?.value;
        if !matches!(parsed, meta::Value::Object(_) | meta::Value::Null) {
            let kind = match parsed {
                meta::Value::Array(_) => "array",
                meta::Value::String(_) => "string",
                meta::Value::Bool(_) => "bool",
                _ => "number",
            };
            return Err(bad(&format!("json: cannot unmarshal {kind} into Go value of type storage.continueToken")));
        }
        let version = parsed["v"].str();
        if version != TOKEN_VERSION {
            return Err(bad(&format!("server does not recognize this encoded version {version}")));
        }
        let revision = match parsed["rv"].int() {
            0 => return Err(bad(&format!("incorrect encoded start resourceVersion (version {TOKEN_VERSION})"))),
            rv => u64::try_from(rv).ok(),
        };
        let start = parsed["start"].str();
        if start.is_empty() {
            return Err(bad(&format!("encoded start key empty (version {TOKEN_VERSION})")));
        }
        // a key that a cleaned path would change leaves the prefix
        if start.split('/').any(|segment| segment == ".." || segment == ".") {
            return Err(bad(start));
        }
        Ok(Continue { revision, start: format!("{prefix}{}", start.trim_start_matches('/')) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_as_they_went() {
        for revision in [Some(7), None] {
            let place = Continue { revision, start: "/registry/pods/a/b\0".into() };
            assert_eq!(Continue::decode(&place.encode("/registry/pods/"), "/registry/pods/"), Ok(place));
        }
    }

    #[test]
    fn foreign_tokens_are_refused_in_upstreams_words() {
        for (token, why) in [
            ("abc", "invalid character 'i' looking for beginning of value"),
            ("YWJ", "invalid character 'a' looking for beginning of value"),
            ("!!", "illegal base64 data at input byte 0"),
            ("W10", "json: cannot unmarshal array into Go value of type storage.continueToken"),
            ("eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6NX0", "encoded start key empty (version meta.k8s.io/v1)"),
        ] {
            assert_eq!(Continue::decode(token, "/p/"), Err(format!("continue key is not valid: {why}")), "{token}");
        }
    }
}
