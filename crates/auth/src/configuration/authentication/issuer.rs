//! The `issuer` of a JWT authenticator.

use crate::jwt::Issuer;
use meta::field::{ErrorList, Path};
use meta::{Str, Value};

pub fn read(issuer: &Value, disallowed: &[String], path: &Path, errs: &mut ErrorList) -> Issuer {
    let (url, discovery) = (issuer["url"].str(), issuer["discoveryURL"].str());
    let at = path.child("url");
    if url.is_empty() {
        errs.required(&at, "");
    } else {
        validate_url(url, disallowed, &at, errs);
    }
    if !discovery.is_empty() {
        let at = path.child("discoveryURL");
        if !url.is_empty() && url.trim_end_matches('/') == discovery.trim_end_matches('/') {
            errs.invalid(&at, discovery, "discoveryURL must be different from URL");
        }
        validate_url(discovery, &[], &at, errs);
    }
    let egress = issuer["egressSelectorType"].str();
    if !matches!(egress, "" | "controlplane" | "cluster") {
        let at = path.child("egressSelectorType");
        errs.invalid(&at, egress, "egress selector must be either controlplane or cluster");
    }
    Issuer {
        url: url.to_owned(),
        discovery_url: Some(discovery.to_owned()).filter(|url| !url.is_empty()),
        authority: Some(issuer["certificateAuthority"].str().to_owned()).filter(|pem| !pem.is_empty()),
        audiences: read_audiences(issuer, path, errs),
    }
}

fn read_audiences(issuer: &Value, path: &Path, errs: &mut ErrorList) -> Vec<Str> {
    let (items, at) = (issuer["audiences"].items(), path.child("audiences"));
    if items.is_empty() {
        errs.required(&at, &format!("at least one {at} is required"));
        return vec![];
    }
    let mut audiences: Vec<Str> = vec![];
    for (index, item) in items.iter().enumerate() {
        if item.str().is_empty() {
            errs.required(&at.index(index), "");
        }
        if audiences.iter().any(|known| known == item.str()) {
            errs.duplicate(&at.index(index), item.str());
        }
        audiences.push(item.str().into());
    }
    let (policy, at) = (issuer["audienceMatchPolicy"].str(), path.child("audienceMatchPolicy"));
    if items.len() > 1 && policy != "MatchAny" {
        errs.invalid(&at, policy, "audienceMatchPolicy must be MatchAny for multiple audiences");
    } else if !matches!(policy, "" | "MatchAny") {
        errs.invalid(&at, policy, "audienceMatchPolicy must be empty or MatchAny for single audience");
    }
    audiences
}

/// The rules of URLs of issuers, which tokens of service accounts must not have.
fn validate_url(url: &str, disallowed: &[String], path: &Path, errs: &mut ErrorList) {
    if disallowed.iter().any(|other| other == url) {
        let all = format!("[{}]", disallowed.join(" "));
        errs.invalid(path, url, &format!("URL must not overlap with disallowed issuers: {all}"));
    }
    let (before, fragment) = url.split_once('#').unwrap_or((url, ""));
    let (before, query) = before.split_once('?').unwrap_or((before, ""));
    let authority = before.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or_default());
    let rules = [
        (before.starts_with("https://"), "URL scheme must be https"),
        (!authority.is_some_and(|authority| authority.contains('@')), "URL must not contain a username or password"),
        (query.is_empty(), "URL must not contain a query"),
        (fragment.is_empty(), "URL must not contain a fragment"),
    ];
    for (_, detail) in rules.into_iter().filter(|(holds, _)| !holds) {
        errs.invalid(path, url, detail);
    }
}
