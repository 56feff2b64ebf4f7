//! Events sent to another server, as lists (upstream: k8s.io/apiserver/plugin/pkg/audit/webhook).

use std::sync::Arc;
use std::time::Duration;

use audit::{Event, event_list};
use bytes::Bytes;
use http::{Method, Uri};
use outbound::{Client, Endpoint};

use super::sink::Backend;
use crate::authenticate::Later;

const TRIES_MAX: u32 = 5;
/// For one try.
const TIME_MAX: Duration = Duration::from_secs(30);

/// The webhook backend. Whatever goes wrong may be better later, so that every failure is tried again.
pub struct Webhook {
    client: Client,
    target: String,
    backoff: Duration,
}

impl Webhook {
    /// `backoff`: between the first and the second try; each later wait is half as much more.
    pub fn new(endpoint: &Endpoint, backoff: Duration) -> Result<Webhook, String> {
        let url: Uri = endpoint.url.parse().map_err(|why| format!("{:?}: {why}", endpoint.url))?;
        let target = url.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        Ok(Webhook { client: Client::new(endpoint)?, target, backoff })
    }

    async fn post(&self, body: Bytes) -> Result<(), String> {
        let answer = self.client.send(Method::POST, &self.target, body, TIME_MAX).await.map_err(|why| why.text)?;
        match answer.code {
            200..300 => Ok(()),
            code => Err(format!("the audit webhook answered with {code}")),
        }
    }

    async fn send(&self, events: &[Arc<Event>]) -> Result<(), String> {
        let events: Vec<Vec<u8>> = events.iter().map(|event| event.to_json()).collect();
        let body = Bytes::from(event_list(events.iter().map(Vec::as_slice)));
        let mut wait = self.backoff;
        for _ in 1..TRIES_MAX {
            let Err(why) = self.post(body.clone()).await else { return Ok(()) };
            tracing::warn!(why, "sending audit events");
            tokio::time::sleep(wait).await;
            wait = wait.saturating_mul(3) / 2;
        }
        self.post(body).await
    }
}

impl Backend for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn write<'a>(&'a self, events: &'a [Arc<Event>]) -> Later<'a, Result<(), String>> {
        Box::pin(self.send(events))
    }

    fn is_concurrent(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Audit, Batching, Mode, Sink};
    use super::*;
    use audit::{Level, Policy, Stage};
    use meta::json;
    use std::sync::Mutex;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// A server that answers each request with the next code, and the bodies that it got.
    async fn receiver(codes: &'static [u16]) -> (Endpoint, Arc<Mutex<Vec<meta::Value>>>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}/audit?x=1", listener.local_addr().expect("an address"));
        let bodies = Arc::<Mutex<Vec<meta::Value>>>::default();
        let got = bodies.clone();
        tokio::spawn(async move {
            for code in codes {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let mut bytes = vec![];
                let body = loop {
                    stream.read_buf(&mut bytes).await.expect("a request");
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    assert!(head.starts_with("POST /audit?x=1 HTTP/1.1"), "{head}");
                    if let Ok(parsed) = json::parse(body.as_bytes()) {
                        break parsed.value;
                    }
                };
                got.lock().expect("no panic").push(body);
                let answer = format!("HTTP/1.1 {code} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.expect("it is sent");
            }
        });
        (Endpoint::new(url), bodies)
    }

    fn event(id: &str) -> Event {
        let now = meta::time::Timestamp::now();
        Event {
            level: Level::Metadata,
            audit_id: id.into(),
            stage: Stage::RequestReceived,
            request_uri: "/".into(),
            verb: "get".into(),
            user: resource::User::default(),
            impersonated_user: None,
            impersonation_constraint: meta::Str::default(),
            source_ips: vec![],
            user_agent: meta::Str::default(),
            object_ref: None,
            response_status: None,
            request_object: None,
            response_object: None,
            request_received: now,
            stage_time: now,
            annotations: vec![],
        }
    }

    fn audit_to(endpoint: &Endpoint, mode: Mode) -> Audit {
        let policy =
            meta::value!({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]});
        let (policy, _) = Policy::from_value(&policy).expect("a policy");
        let webhook = Webhook::new(endpoint, Duration::ZERO).expect("a webhook");
        Audit::new(policy, vec![Sink::new(Box::new(webhook), mode, None)])
    }

    #[tokio::test]
    async fn batches_arrive_although_the_first_try_fails() {
        let (endpoint, bodies) = receiver(&[503, 200, 200]).await;
        let batching = Batching { buffer_size: 10, size_max: 2, wait_max: Duration::from_secs(3600), throttle: None };
        let audit = audit_to(&endpoint, Mode::Batch(batching));
        for id in ["a", "b", "c"] {
            assert!(audit.process(event(id)).await);
        }
        audit.flush().await;
        let bodies = bodies.lock().expect("no panic");
        let mut ids: Vec<String> = bodies
            .iter()
            .map(|list| list["items"].items().iter().map(|event| event["auditID"].str()).collect::<Vec<_>>().concat())
            .collect();
        ids.sort();
        assert_eq!(bodies[0]["kind"].str(), "EventList");
        assert!(ids == ["ab", "ab", "c"] || ids == ["ab", "c", "c"], "{ids:?}");
    }

    #[tokio::test]
    async fn a_strict_sink_refuses_what_it_cannot_record() {
        let nobody = Endpoint::new("http://127.0.0.1:1/");
        assert!(!audit_to(&nobody, Mode::BlockingStrict).process(event("a")).await);
        assert!(audit_to(&nobody, Mode::Blocking).process(event("a")).await);
        let end = Event { stage: Stage::ResponseComplete, ..event("a") };
        assert!(audit_to(&nobody, Mode::BlockingStrict).process(end).await, "it is answered already");
    }

    #[tokio::test]
    async fn what_does_not_fit_into_the_buffer_is_lost_and_counted() {
        let batching = Batching { buffer_size: 1, size_max: 1, wait_max: Duration::ZERO, throttle: None };
        let audit = audit_to(&Endpoint::new("http://127.0.0.1:1/"), Mode::Batch(batching));
        // The task has had no chance to run: this test has the only thread, and does not yield.
        assert!(audit.process(event("a")).await && audit.process(event("b")).await);
        assert_eq!(audit.counts.families()[0].2, [("plugin=\"webhook\"".to_owned(), 1)]);
    }
}
