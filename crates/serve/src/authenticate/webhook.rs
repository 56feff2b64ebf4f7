//! Tokens that another server knows (upstream: apiserver/plugin/pkg/authenticator/token/webhook).

use std::time::Duration;

use meta::{Str, Value, value};
use outbound::{Backoff, Client, retry};
use resource::User;

use super::{Answer, Bearer, Rejected, Remembered, Token, TokenOutcome, Tokens};

/// Sends a TokenReview for each token that it does not remember the answer to.
pub struct TokenWebhook {
    client: Client,
    /// Of authentication.k8s.io: `v1` or `v1beta1`.
    version: &'static str,
    /// How long it is remembered whose a token is, and that it is nobody's. That something went wrong is not remembered.
    time: Duration,
    /// For one try.
    time_max: Duration,
    pub backoff: Backoff,
    /// Of this server: what a token is good for whose review does not say.
    audiences: Vec<Str>,
    remembered: Remembered<Option<Bearer>>,
}

impl TokenWebhook {
    pub fn new(client: Client, version: &'static str, time: Duration, audiences: Vec<Str>) -> TokenWebhook {
        TokenWebhook {
            client,
            version,
            time,
            time_max: Duration::from_secs(30),
            backoff: Backoff::WEBHOOK,
            audiences,
            remembered: Remembered::default(),
        }
    }

    async fn bearer(&self, token: Token<'_>) -> Result<Option<Bearer>, String> {
        let list = |texts: &[Str]| texts.iter().map(Value::from).collect::<Vec<Value>>();
        let mut spec = value!({"token": (token.text)});
        if !token.audiences.is_empty() {
            spec.set("audiences", list(token.audiences));
        }
        let question = meta::json::to_string(&spec);
        if let Some(known) = self.remembered.get(&question) {
            return Ok(known);
        }
        let review = value!({
            "kind": "TokenReview",
            "apiVersion": (format!("authentication.k8s.io/{}", self.version)),
            "metadata": {"creationTimestamp": null},
            "spec": spec,
            "status": {"user": {}}
        });
        let answered = retry(self.backoff, || self.client.post_json(&review, self.time_max)).await;
        let answer = answered.map_err(|why| why.text).inspect_err(|why| {
            tracing::warn!(why, "the webhook for tokens did not answer");
        })?;
        let status = &answer["status"];
        let bearer = if status["authenticated"].bool() { self.accepted(status, token.audiences) } else { None };
        let error = status["error"].str();
        if bearer.is_none() && !error.is_empty() {
            return Err(error.to_owned());
        }
        self.remembered.remember(&question, bearer.clone(), self.time);
        Ok(bearer)
    }

    /// `None` for a token that is good for others only.
    fn accepted(&self, status: &Value, wanted: &[Str]) -> Option<Bearer> {
        let said: Vec<Str> = texts(&status["audiences"]);
        let good = if said.is_empty() { &self.audiences } else { &said };
        let audiences: Vec<Str> = good.iter().filter(|audience| wanted.contains(audience)).cloned().collect();
        if audiences.is_empty() && !wanted.is_empty() {
            return None;
        }
        let info = &status["user"];
        let mut extra: Vec<(Str, Vec<Str>)> =
            info["extra"].entries().map(|(key, values)| (key.into(), texts(values))).collect();
        extra.sort();
        let user = User {
            name: info["username"].str().into(),
            uid: info["uid"].str().into(),
            groups: texts(&info["groups"]),
            extra,
        };
        Some(Bearer { user, audiences })
    }
}

fn texts(list: &Value) -> Vec<Str> {
    list.items().iter().map(|item| Str::from(item.str())).collect()
}

impl Tokens for TokenWebhook {
    fn authenticate<'a>(&'a self, token: Token<'a>) -> Answer<'a, TokenOutcome> {
        Answer::Later(Box::pin(async move { self.bearer(token).await.map_err(Rejected) }))
    }
}
