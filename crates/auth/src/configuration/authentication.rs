//! AuthenticationConfiguration: which issuers of JSON web tokens are believed, and who may come without credentials.

mod issuer;
mod mapping;
#[cfg(test)]
mod tests;

use super::known::{Below, Known};
use super::{check_errors, check_form};
use crate::jwt::Authenticator;
use meta::Value;
use meta::field::{ErrorList, Path};

const VERSIONS: &[&str] = &["v1alpha1", "v1beta1", "v1"];
const ISSUERS_MAX: usize = 64;

use Below::{Fields, Leaf};

const ISSUER: Known = &[
    ("url", Leaf),
    ("discoveryURL", Leaf),
    ("certificateAuthority", Leaf),
    ("audiences", Leaf),
    ("audienceMatchPolicy", Leaf),
    ("egressSelectorType", Leaf),
];
const CLAIM_RULE: Known = &[("claim", Leaf), ("requiredValue", Leaf), ("expression", Leaf), ("message", Leaf)];
const PREFIXED: Known = &[("claim", Leaf), ("prefix", Leaf), ("expression", Leaf)];
const MAPPINGS: Known = &[
    ("username", Fields(PREFIXED)),
    ("groups", Fields(PREFIXED)),
    ("uid", Fields(&[("claim", Leaf), ("expression", Leaf)])),
    ("extra", Fields(&[("key", Leaf), ("valueExpression", Leaf)])),
];
const JWT: Known = &[
    ("issuer", Fields(ISSUER)),
    ("claimValidationRules", Fields(CLAIM_RULE)),
    ("claimMappings", Fields(MAPPINGS)),
    ("userValidationRules", Fields(&[("expression", Leaf), ("message", Leaf)])),
];
const ANONYMOUS: Known = &[("enabled", Leaf), ("conditions", Fields(&[("path", Leaf)]))];
const KNOWN: Known = &[("apiVersion", Leaf), ("kind", Leaf), ("jwt", Fields(JWT)), ("anonymous", Fields(ANONYMOUS))];

#[derive(Clone, Debug)]
pub struct AuthenticationConfiguration {
    pub jwt: Vec<Authenticator>,
    /// `None`: the flag says.
    pub anonymous: Option<Anonymous>,
}

/// Who may come without credentials.
#[derive(Clone, Debug, PartialEq)]
pub struct Anonymous {
    pub enabled: bool,
    /// None is everywhere.
    pub paths: Vec<String>,
}

impl AuthenticationConfiguration {
    /// From a file's content as JSON has it. `disallowed` are issuers that tokens of service accounts have.
    pub fn read(file: &Value, disallowed: &[String]) -> Result<AuthenticationConfiguration, String> {
        check_form(file, "AuthenticationConfiguration", VERSIONS, KNOWN)?;
        let mut errs = ErrorList::new();
        let (items, path) = (file["jwt"].items(), Path::new("jwt"));
        if items.len() > ISSUERS_MAX {
            errs.too_many(&path, items.len(), ISSUERS_MAX);
            check_errors(&errs)?;
        }
        let mut jwt: Vec<Authenticator> = vec![];
        for (index, item) in items.iter().enumerate() {
            let path = path.index(index);
            let read = read_jwt(item, disallowed, &path, &mut errs);
            let at = path.child("issuer");
            if jwt.iter().any(|other| other.issuer.url == read.issuer.url) {
                errs.duplicate(&at.child("url"), &read.issuer.url);
            }
            if read.issuer.discovery_url.is_some()
                && jwt.iter().any(|other| other.issuer.discovery_url == read.issuer.discovery_url)
            {
                errs.duplicate(&at.child("discoveryURL"), item["issuer"]["discoveryURL"].str());
            }
            jwt.push(read);
        }
        let anonymous = read_anonymous(&file["anonymous"], &mut errs);
        check_errors(&errs)?;
        Ok(AuthenticationConfiguration { jwt, anonymous })
    }
}

/// One item of `jwt`.
fn read_jwt(item: &Value, disallowed: &[String], path: &Path, errs: &mut ErrorList) -> Authenticator {
    let issuer = issuer::read(&item["issuer"], disallowed, &path.child("issuer"), errs);
    let rules = mapping::claim_rules(&item["claimValidationRules"], &path.child("claimValidationRules"), errs);
    let mappings = mapping::read(&item["claimMappings"], &path.child("claimMappings"), errs);
    mapping::validate_email(&mappings, &rules, &path.child("claimMappings"), errs);
    let user_rules = mapping::user_rules(&item["userValidationRules"], &path.child("userValidationRules"), errs);
    Authenticator { issuer, claim_rules: rules, mappings, user_rules }
}

fn read_anonymous(anonymous: &Value, errs: &mut ErrorList) -> Option<Anonymous> {
    if anonymous.is_null() {
        return None;
    }
    let conditions = anonymous["conditions"].items();
    let enabled = anonymous["enabled"].bool();
    if !enabled && !conditions.is_empty() {
        let shown = meta::field::Shown(meta::json::to_string(&anonymous["conditions"]));
        let path = Path::new("anonymous").child("conditions");
        errs.invalid(&path, shown, "enabled should be set to true when conditions are defined");
    }
    let paths = conditions.iter().map(|condition| condition["path"].str().to_owned()).collect();
    Some(Anonymous { enabled, paths })
}
