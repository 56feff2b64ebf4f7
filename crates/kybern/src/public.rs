//! What anybody may read, and what everybody with credentials may: the rules of the roles system:public-info-viewer and
//! system:discovery, which hold before any role is read.

use serve::authenticate::{Answer, GROUP_AUTHENTICATED};
use serve::authorize::{Attributes, Authorizer, Decision};

pub struct PublicPaths;

const PUBLIC: &[&str] = &["/healthz", "/livez", "/readyz", "/version", "/version/"];
const DISCOVERY: &[&str] = &["/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*"];

impl Authorizer for PublicPaths {
    fn authorize<'a>(&'a self, attributes: &'a Attributes<'a>) -> Answer<'a, Decision> {
        let authenticated = attributes.user.groups.iter().any(|group| group == GROUP_AUTHENTICATED);
        let named = |patterns: &[&str]| patterns.iter().any(|pattern| covers(pattern, attributes.path));
        let readable = attributes.resource.is_none() && attributes.verb == "get";
        let allowed = readable && (named(PUBLIC) || authenticated && named(DISCOVERY));
        let decision = if allowed { Decision::Allow } else { Decision::NoOpinion };
        Answer::Now(decision(String::new()))
    }
}

fn covers(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix),
        None => pattern == path,
    }
}
