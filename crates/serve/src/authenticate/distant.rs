//! Groups that a token does not carry are asked for where it says (upstream:
//! apiserver/plugin/pkg/authenticator/token/oidc, claimResolver). Whoever answers signs, and is found by discovery.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use auth::distant::{Distant, locate};
use auth::jose::{Claims, Unverified};
use auth::jwt::{Authenticator, Issuer, Mapping, Mappings};
use meta::field::quote;
use meta::time::Timestamp;
use outbound::{Client, Endpoint, Sender};

use super::issuer::{FETCH_TIME_MAX, JwtIssuer, authority};

/// Few are expected for each issuer.
const SIGNERS_MAX: usize = 64;

/// Who signs such claims, by URL.
#[derive(Default)]
pub struct Signers(Mutex<HashMap<String, Arc<JwtIssuer>>>);

impl Signers {
    /// Believed as the issuer is that sent us there: by the same authority, for the same audiences.
    fn find(&self, url: &str, sent_by: &JwtIssuer) -> Result<Arc<JwtIssuer>, String> {
        let mut signers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = signers.get(url) {
            return Ok(known.clone());
        }
        if signers.len() >= SIGNERS_MAX {
            return Err(format!("verifying untrusted issuer {url} failed: there are too many of them"));
        }
        let issuer = Issuer { url: url.to_owned(), discovery_url: None, ..sent_by.rules().issuer.clone() };
        let nothing = || Mapping::Nothing;
        let mappings = Mappings { username: nothing(), groups: nothing(), uid: nothing(), extra: vec![] };
        let rules = Authenticator { issuer, claim_rules: vec![], mappings, user_rules: vec![] };
        let signer = Arc::new(JwtIssuer::new(rules, sent_by.algorithms().to_vec()));
        signers.insert(url.to_owned(), signer.clone());
        Ok(signer)
    }
}

/// The claims with that of the groups, wherever it is.
pub async fn expand(issuer: &JwtIssuer, signers: &Signers, mut claims: Claims) -> Result<Claims, String> {
    let Mapping::Claim { claim, .. } = &issuer.rules().mappings.groups else { return Ok(claims) };
    let Some(distant) = locate(&claims, claim)? else { return Ok(claims) };
    let answered = ask(issuer, &distant).await;
    let token = answered.map_err(|why| format!("while getting distributed claim {}: {why}", quote(claim)))?;
    let url = &distant.url;
    let unverified = Unverified::parse(&token);
    let unverified = unverified.ok_or_else(|| {
        format!("getting untrusted issuer from endpoint {url} failed for claim {}: malformed jwt", quote(claim))
    })?;
    let signer = signers.find(unverified.issuer(), issuer)?;
    let failed = |why: String| format!("verify distributed claim token: {why}");
    let theirs = signer.verify(&token).await.map_err(failed)?;
    signer.rules().check_use(&theirs, Timestamp::now()).map_err(failed)?;
    if claims.adopt(claim, &theirs) {
        return Ok(claims);
    }
    Err(format!("jwt returned by distributed claim endpoint {} did not contain claim: {claim}", quote(url)))
}

async fn ask(issuer: &JwtIssuer, distant: &Distant) -> Result<String, String> {
    let sender = match distant.access_token.as_str() {
        "" => Sender::Nobody,
        token => Sender::Token(token.to_owned()),
    };
    let authority = authority(&issuer.rules().issuer);
    let client = Client::new(&Endpoint { authority, sender, ..Endpoint::new(distant.url.as_str()) })?;
    let answer = client.get(client.target(), FETCH_TIME_MAX).await.map_err(|why| why.text)?;
    String::from_utf8(answer.body.to_vec()).map_err(|_| "could not decode distributed claim response".into())
}
