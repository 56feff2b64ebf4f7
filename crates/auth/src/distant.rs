//! Claims that a token does not carry: it says which server has them (OpenID Connect Core 1.0, section 5.6.2).

use meta::Value;

/// Where a claim is.
#[derive(Clone, Debug, PartialEq)]
pub struct Distant {
    pub url: String,
    /// "": the server wants none.
    pub access_token: String,
}

/// `None`: the claim is in the token, or nowhere.
///
/// # Errors
/// What is wrong with the token's directions, in upstream's words.
pub fn locate(claims: &Value, claim: &str) -> Result<Option<Distant>, String> {
    let names = &claims["_claim_names"];
    if claims.get(claim).is_some() || names.is_null() {
        return Ok(None);
    }
    if names.as_object().is_none() || names.entries().any(|(_, source)| source.as_str().is_none()) {
        return Err("oidc: error parsing distributed claim names: not a map of strings".into());
    }
    let sources = &claims["_claim_sources"];
    if sources.is_null() {
        return Err("oidc: no claim sources".into());
    }
    if sources.as_object().is_none() {
        return Err("oidc: could not parse claim sources: not a map".into());
    }
    let Some(source) = names[claim].as_str() else { return Ok(None) };
    let Some(found) = sources.get(source) else {
        return Err(format!("id token _claim_names contained a source {source} missing in _claims_sources"));
    };
    // Without an endpoint the claim may be in a token within the token, which upstream does not look at either.
    let url = found["endpoint"].str();
    let access_token = found["access_token"].str().to_owned();
    Ok((!url.is_empty()).then(|| Distant { url: url.to_owned(), access_token }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn directions_are_followed_or_refused() {
        let names = value!({"groups": "a", "other": "b"});
        let sources = value!({"a": {"endpoint": "https://x", "access_token": "t"}, "b": {"JWT": "x.y.z"}});
        let both = value!({"_claim_names": (&names), "_claim_sources": (&sources)});
        let distant = Distant { url: "https://x".into(), access_token: "t".into() };
        assert_eq!(locate(&both, "groups"), Ok(Some(distant)));
        for (claims, claim) in [
            (both.clone(), "other"),
            (both.clone(), "third"),
            (value!({}), "groups"),
            (value!({"groups": [], "_claim_names": (&names)}), "groups"),
        ] {
            assert_eq!(locate(&claims, claim), Ok(None), "{claims:?}");
        }
        for (claims, text) in [
            (value!({"_claim_names": (&names)}), "no claim sources"),
            (value!({"_claim_names": [], "_claim_sources": (&sources)}), "parsing distributed claim names"),
            (value!({"_claim_names": {"groups": 1}, "_claim_sources": (&sources)}), "parsing distributed claim names"),
            (value!({"_claim_names": (&names), "_claim_sources": 7}), "could not parse claim sources"),
            (value!({"_claim_names": {"groups": "z"}, "_claim_sources": (&sources)}), "contained a source z missing"),
        ] {
            assert!(locate(&claims, "groups").is_err_and(|why| why.contains(text)), "{text}");
        }
    }
}
