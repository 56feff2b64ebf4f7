//! `metav1.Status`: the one error that leaves the server, with upstream's codes, reasons and texts
//! (k8s.io/apimachinery/pkg/api/errors).

use crate::field::ErrorList;
use crate::gvk::group_resource;
use crate::{Map, Str, Value, value};

/// The machine-readable reason of a Status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// "": an error that upstream does not classify.
    Unknown,
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    AlreadyExists,
    Conflict,
    Gone,
    Expired,
    Invalid,
    ServerTimeout,
    Timeout,
    TooManyRequests,
    MethodNotAllowed,
    NotAcceptable,
    RequestEntityTooLarge,
    UnsupportedMediaType,
    InternalError,
    ServiceUnavailable,
    StoreReadError,
}

impl Reason {
    const ALL: &[Reason] = &[
        Reason::BadRequest,
        Reason::Unauthorized,
        Reason::Forbidden,
        Reason::NotFound,
        Reason::AlreadyExists,
        Reason::Conflict,
        Reason::Gone,
        Reason::Expired,
        Reason::Invalid,
        Reason::ServerTimeout,
        Reason::Timeout,
        Reason::TooManyRequests,
        Reason::MethodNotAllowed,
        Reason::NotAcceptable,
        Reason::RequestEntityTooLarge,
        Reason::UnsupportedMediaType,
        Reason::InternalError,
        Reason::ServiceUnavailable,
        Reason::StoreReadError,
    ];

    /// The reason that another server names; one that upstream does not have is unknown.
    pub fn named(text: &str) -> Reason {
        Reason::ALL.iter().copied().find(|reason| reason.as_str() == text).unwrap_or(Reason::Unknown)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Unknown => "",
            Reason::BadRequest => "BadRequest",
            Reason::Unauthorized => "Unauthorized",
            Reason::Forbidden => "Forbidden",
            Reason::NotFound => "NotFound",
            Reason::AlreadyExists => "AlreadyExists",
            Reason::Conflict => "Conflict",
            Reason::Gone => "Gone",
            Reason::Expired => "Expired",
            Reason::Invalid => "Invalid",
            Reason::ServerTimeout => "ServerTimeout",
            Reason::Timeout => "Timeout",
            Reason::TooManyRequests => "TooManyRequests",
            Reason::MethodNotAllowed => "MethodNotAllowed",
            Reason::NotAcceptable => "NotAcceptable",
            Reason::RequestEntityTooLarge => "RequestEntityTooLarge",
            Reason::UnsupportedMediaType => "UnsupportedMediaType",
            Reason::InternalError => "InternalError",
            Reason::ServiceUnavailable => "ServiceUnavailable",
            Reason::StoreReadError => "StoreReadError",
        }
    }
}

/// One entry of `details.causes`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cause {
    pub reason: Str,
    pub message: String,
    pub field: String,
}

/// `details`: what the error is about. Empty members are left out on the wire.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details {
    pub name: Str,
    pub group: Str,
    /// The resource's plural, or the Kind for [`Reason::Invalid`], as upstream has it.
    pub kind: Str,
    pub uid: Str,
    pub causes: Vec<Cause>,
    pub retry_after_seconds: i64,
}

/// An answer that is no object: a failure, or the success of a delete.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    pub code: u16,
    pub success: bool,
    pub reason: Reason,
    pub message: String,
    pub details: Option<Box<Details>>,
    /// `metadata.continue`: how to go on with a list whose page has expired; else "".
    pub continue_token: Str,
}

pub type Result<T> = std::result::Result<T, Status>;

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Status {}

impl Status {
    pub fn failure(code: u16, reason: Reason, message: impl Into<String>) -> Status {
        Status { code, success: false, reason, message: message.into(), details: None, continue_token: Str::default() }
    }

    /// Code 200 with what was deleted.
    pub fn success(details: Details) -> Status {
        let message = String::new();
        Status {
            code: 200,
            success: true,
            reason: Reason::Unknown,
            message,
            details: Some(Box::new(details)),
            continue_token: Str::default(),
        }
    }

    fn about(mut self, group: &str, kind: &str, name: &str) -> Status {
        let details = self.details.get_or_insert_default();
        details.group = group.into();
        details.kind = kind.into();
        details.name = name.into();
        self
    }

    /// Adds a cause, making the details when there are none.
    pub fn with_cause(mut self, reason: &str, message: impl Into<String>, field: impl Into<String>) -> Status {
        let cause = Cause { reason: reason.into(), message: message.into(), field: field.into() };
        self.details.get_or_insert_default().causes.push(cause);
        self
    }

    /// Also sent as the Retry-After header.
    pub fn with_retry_after(mut self, seconds: i64) -> Status {
        self.details.get_or_insert_default().retry_after_seconds = seconds;
        self
    }

    /// 400
    pub fn bad_request(message: impl Into<String>) -> Status {
        Status::failure(400, Reason::BadRequest, message)
    }

    /// 401, upstream's fixed text.
    pub fn unauthorized() -> Status {
        Status::failure(401, Reason::Unauthorized, "Unauthorized")
    }

    /// 403 `RESOURCE "NAME" is forbidden: WHY`; without a name `RESOURCE is forbidden: WHY`; without a resource `forbidden: WHY`.
    pub fn forbidden(group: &str, resource: &str, name: &str, why: &str) -> Status {
        let message = if resource.is_empty() {
            format!("forbidden: {why}")
        } else if name.is_empty() {
            format!("{} is forbidden: {why}", group_resource(group, resource))
        } else {
            format!("{} {} is forbidden: {why}", group_resource(group, resource), crate::field::quote(name))
        };
        Status::failure(403, Reason::Forbidden, message).about(group, resource, name)
    }

    /// 404 `RESOURCE "NAME" not found`
    pub fn not_found(group: &str, resource: &str, name: &str) -> Status {
        let message = format!("{} {} not found", group_resource(group, resource), crate::field::quote(name));
        Status::failure(404, Reason::NotFound, message).about(group, resource, name)
    }

    /// 404 for a path that names no resource.
    pub fn resource_not_found() -> Status {
        let mut status = Status::failure(404, Reason::NotFound, "the server could not find the requested resource");
        status.details = Some(Box::default());
        status
    }

    /// 409 `RESOURCE "NAME" already exists`
    pub fn already_exists(group: &str, resource: &str, name: &str) -> Status {
        let message = format!("{} {} already exists", group_resource(group, resource), crate::field::quote(name));
        Status::failure(409, Reason::AlreadyExists, message).about(group, resource, name)
    }

    /// 409 `Operation cannot be fulfilled on RESOURCE "NAME": WHY`
    pub fn conflict(group: &str, resource: &str, name: &str, why: &str) -> Status {
        let what = group_resource(group, resource);
        let message = format!("Operation cannot be fulfilled on {what} {}: {why}", crate::field::quote(name));
        Status::failure(409, Reason::Conflict, message).about(group, resource, name)
    }

    /// 410
    pub fn expired(message: impl Into<String>) -> Status {
        Status::failure(410, Reason::Expired, message)
    }

    /// 422 `KIND.GROUP "NAME" is invalid: ERRORS` with a cause for each error.
    pub fn invalid(group: &str, kind: &str, name: &str, errs: ErrorList) -> Status {
        let what = group_resource(group, kind);
        let mut message = format!("{what} {} is invalid", crate::field::quote(name));
        if !errs.is_empty() {
            message.push_str(": ");
            message.push_str(&errs.message());
        }
        let mut status = Status::failure(422, Reason::Invalid, message).about(group, kind, name);
        for error in errs {
            status = status.with_cause(error.kind.reason(), error.body, error.field);
        }
        status
    }

    /// 405 `VERB is not supported on resources of kind "RESOURCE"`
    pub fn method_not_supported(group: &str, resource: &str, verb: &str) -> Status {
        let what = group_resource(group, resource);
        let message = format!("{verb} is not supported on resources of kind {}", crate::field::quote(&what));
        Status::failure(405, Reason::MethodNotAllowed, message).about(group, resource, "")
    }

    /// 500 `Internal error occurred: WHY`
    pub fn internal(why: impl std::fmt::Display) -> Status {
        let why = why.to_string();
        Status::failure(500, Reason::InternalError, format!("Internal error occurred: {why}")).with_cause("", why, "")
    }

    /// 504
    pub fn timeout(message: impl Into<String>) -> Status {
        Status::failure(504, Reason::Timeout, message)
    }

    /// 429 with a time to wait.
    pub fn too_many_requests(message: impl Into<String>, retry_after_seconds: i64) -> Status {
        Status::failure(429, Reason::TooManyRequests, message).with_retry_after(retry_after_seconds)
    }

    /// The object as it goes on the wire.
    pub fn to_value(&self) -> Value {
        let mut v = value!({
            "kind": "Status", "apiVersion": "v1", "metadata": {},
            "status": (if self.success { "Success" } else { "Failure" })
        });
        if !self.continue_token.is_empty() {
            v.entry("metadata").set("continue", &self.continue_token);
        }
        if !self.message.is_empty() {
            v.set("message", &self.message);
        }
        if self.reason != Reason::Unknown {
            v.set("reason", self.reason.as_str());
        }
        if let Some(details) = self.details.as_ref().filter(|d| !self.success || **d != Box::default()) {
            v.set("details", details.to_value());
        }
        // only a success that is no plain 200 says its code
        if !self.success || self.code != 200 {
            v.set("code", i64::from(self.code));
        }
        v
    }
}

impl Details {
    fn to_value(&self) -> Value {
        let mut map = Map::new();
        for (key, text) in [("name", &self.name), ("group", &self.group), ("kind", &self.kind), ("uid", &self.uid)] {
            if !text.is_empty() {
                map.insert(key, text);
            }
        }
        if !self.causes.is_empty() {
            map.insert("causes", self.causes.iter().map(Cause::to_value).collect::<Vec<Value>>());
        }
        if self.retry_after_seconds != 0 {
            map.insert("retryAfterSeconds", self.retry_after_seconds);
        }
        Value::Object(map)
    }
}

impl Cause {
    fn to_value(&self) -> Value {
        let mut map = Map::new();
        for (key, text) in [("reason", self.reason.as_str()), ("message", &self.message), ("field", &self.field)] {
            if !text.is_empty() {
                map.insert(key, text);
            }
        }
        Value::Object(map)
    }
}
