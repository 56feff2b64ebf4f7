//! EventRateLimit: so many events in a time, from all together, in a namespace, of a user, or about one thing. The
//! time is the request's, so the same requests get the same answers.

use crate::{Attributes, Plugin};
use meta::{Result, Status, Str, Value};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

pub struct EventRateLimit {
    limits: Vec<Limit>,
}

const CACHE_SIZE_DEFAULT: usize = 4096;
/// What a configuration may ask for at most.
const CACHE_SIZE_MAX: usize = 1 << 20;

struct Limit {
    kind: Kind,
    per_second: f64,
    burst: f64,
    keys_max: usize,
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Server,
    Namespace,
    User,
    SourceAndObject,
}

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    /// Unix time in seconds.
    seen: f64,
}

impl EventRateLimit {
    /// From the plugin's configuration: `{"limits": [{"type": "Server", "qps": 50, "burst": 100}]}`.
    ///
    /// # Errors
    /// Of a limit that makes no sense, and of none at all.
    pub fn new(configuration: &Value) -> std::result::Result<EventRateLimit, String> {
        let limits: Vec<Limit> =
            configuration["limits"].items().iter().map(limit).collect::<std::result::Result<_, String>>()?;
        if limits.is_empty() {
            return Err("limits: Invalid value: \"null\": must not be empty".into());
        }
        Ok(EventRateLimit { limits })
    }
}

fn limit(value: &Value) -> std::result::Result<Limit, String> {
    let kind = match value["type"].str() {
        "Server" => Kind::Server,
        "Namespace" => Kind::Namespace,
        "User" => Kind::User,
        "SourceAndObject" => Kind::SourceAndObject,
        other => return Err(format!("limits.type: Unsupported value: {}", meta::field::quote(other))),
    };
    let (qps, burst) = (value["qps"].int(), value["burst"].int());
    if qps <= 0 || burst <= 0 {
        return Err("limits: qps and burst must be positive".into());
    }
    let keys_max = usize::try_from(value["cacheSize"].int()).ok().filter(|size| *size > 0);
    Ok(Limit {
        kind,
        per_second: qps as f64,
        burst: burst as f64,
        keys_max: keys_max.unwrap_or(CACHE_SIZE_DEFAULT).min(CACHE_SIZE_MAX),
        buckets: Mutex::default(),
    })
}

impl Limit {
    fn key(&self, attributes: &Attributes, event: &Value) -> String {
        match self.kind {
            Kind::Server => String::new(),
            Kind::Namespace => attributes.namespace().into(),
            Kind::User => attributes.ctx.user.name.to_string(),
            Kind::SourceAndObject => {
                let (source, object) = (&event["source"], &event["involvedObject"]);
                let parts = [
                    &source["component"],
                    &source["host"],
                    &object["kind"],
                    &object["namespace"],
                    &object["name"],
                    &object["uid"],
                    &object["apiVersion"],
                ];
                parts.iter().map(|part| part.str()).collect()
            }
        }
    }

    /// Takes a token; false when there is none.
    fn accept(&self, key: &str, now: f64) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if !buckets.contains_key(key) && buckets.len() >= self.keys_max {
            let oldest = buckets.iter().min_by(|a, b| a.1.seen.total_cmp(&b.1.seen)).map(|(key, _)| key.clone());
            oldest.and_then(|key| buckets.remove(&key));
        }
        let bucket = buckets.entry(key.to_string()).or_insert(Bucket { tokens: self.burst, seen: now });
        bucket.tokens = (bucket.tokens + (now - bucket.seen).max(0.0) * self.per_second).min(self.burst);
        bucket.seen = now;
        let has = bucket.tokens >= 1.0;
        if has {
            bucket.tokens -= 1.0;
        }
        has
    }
}

impl Plugin for EventRateLimit {
    fn name(&self) -> &'static str {
        "EventRateLimit"
    }

    fn validate(&self, attributes: &Attributes, event: &Value) -> Result<()> {
        let is_event = attributes.writes("", "events") || attributes.writes("events.k8s.io", "events");
        if !is_event || attributes.ctx.dry_run {
            return Ok(());
        }
        let now = attributes.ctx.now.seconds as f64 + f64::from(attributes.ctx.now.nanos) / 1e9;
        let mut refused: Vec<Str> = Vec::new();
        for limit in &self.limits {
            let key = limit.key(attributes, event);
            if !limit.accept(&key, now) {
                refused.push(format!("limit reached on type {:?} for key {key}", limit.kind).into());
            }
        }
        match refused.as_slice() {
            [] => Ok(()),
            [one] => Err(Status::too_many_requests(one.as_str(), 0)),
            many => Err(Status::too_many_requests(format!("[{}]", many.join(", ")), 0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn tokens_come_back_with_time_and_keys_are_bounded() {
        let limit = limit(&value!({"type": "User", "qps": 1, "burst": 2, "cacheSize": 2})).unwrap();
        assert!(limit.accept("a", 0.0) && limit.accept("a", 0.0) && !limit.accept("a", 0.5));
        assert!(limit.accept("a", 1.5));
        assert!(limit.accept("b", 2.0) && limit.accept("c", 3.0));
        assert_eq!(limit.buckets.lock().unwrap().len(), 2);
        assert!(EventRateLimit::new(&value!({"limits": [{"type": "User", "qps": 0, "burst": 1}]})).is_err());
    }
}
