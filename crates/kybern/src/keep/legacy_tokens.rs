//! Tokens that secrets keep are watched over: a secret says on which day its token was last used, and a ConfigMap since when
//! this is so (upstream: pkg/serviceaccount/legacy.go, pkg/controlplane/controller/legacytokentracking).

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use meta::time::Timestamp;
use meta::{Value, value};
use resource::Reader as _;
use serve::{Server, StoreReader};
use tokio::time::Instant;

use super::followed_object;
use crate::boot::send;

const LAST_USED: &str = "kubernetes.io/legacy-token-last-used";
const NAMESPACE: &str = "kube-system";
const NAME: &str = "kube-apiserver-legacy-service-account-token-tracking";
const SINCE: &str = "since";
/// Servers that do this and servers that do not would otherwise make and delete the ConfigMap in turns.
const CREATION_PERIOD: Duration = Duration::from_secs(30 * 60);

pub async fn keep(server: &Arc<Server>) {
    tokio::join!(mark_secrets(server), keep_map(server));
}

fn today() -> String {
    Timestamp::now().to_rfc3339().split('T').next().unwrap_or_default().to_owned()
}

async fn mark_secrets(server: &Arc<Server>) {
    let Some(keys) = &server.tokens else { return };
    loop {
        for (namespace, name) in keys.used.next().await {
            let resources = server.registry.load();
            let reader = StoreReader { resources: &resources, store: &server.store };
            let Some(secret) = reader.get("", "secrets", &namespace, &name) else { continue };
            let metadata = &secret["metadata"];
            let today = today();
            if metadata["labels"][LAST_USED].str() == today {
                continue;
            }
            let patch = value!({"metadata": {"uid": (&metadata["uid"]), "labels": {LAST_USED: today}}});
            let path = format!("/api/v1/namespaces/{namespace}/secrets/{name}");
            let (code, why) = send(server, Method::PATCH, &path, "application/merge-patch+json", &patch).await;
            // Replaced or deleted meanwhile: nobody's token lies there any more.
            if !matches!(code, 200 | 404 | 409) {
                tracing::warn!(%path, code, %why, "the last use of a token is not written");
            }
        }
    }
}

/// The ConfigMap was made at the start; here it is made again, and repaired.
async fn keep_map(server: &Arc<Server>) {
    let mut made = Instant::now();
    let mut map = followed_object(server, "", "configmaps", NAMESPACE, NAME);
    loop {
        match map.get(server) {
            None => {
                tokio::time::sleep_until(made + CREATION_PERIOD).await;
                let object = value!({"metadata": {"name": NAME}, "data": {SINCE: (today())}});
                write(server, Method::POST, "", &object).await;
                made = Instant::now();
            }
            Some(mut object) if !is_date(object["data"][SINCE].str()) => {
                object.entry("data").set(SINCE, today());
                write(server, Method::PUT, &format!("/{NAME}"), &object).await;
            }
            Some(_) => {}
        }
        map.changed(server).await;
    }
}

async fn write(server: &Arc<Server>, method: Method, name: &str, object: &Value) {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/configmaps{name}");
    let (code, why) = send(server, method, &path, "application/json", object).await;
    if !matches!(code, 200 | 201 | 404 | 409) {
        tracing::warn!(%path, code, %why, "not written");
    }
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && Timestamp::parse(&format!("{text}T00:00:00Z")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert!(is_date(&today()) && is_date("2024-02-29"));
        for text in ["", "2024-02-30", "2024-2-29", "today", "2024-02-29Z"] {
            assert!(!is_date(text), "{text}");
        }
    }
}
