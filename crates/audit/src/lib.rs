//! What is recorded of requests: the policy that says how much, and the events that are written. No file is read and
//! nothing is sent here (upstream: k8s.io/apiserver/pkg/audit).

mod event;
mod policy;
mod source;

pub use event::{API_VERSION, Event, ObjectReference, event_list, response_status, without_managed_fields};
pub use policy::{Policy, Request, Verdict};
pub use source::source_addresses;

/// How much of a request is recorded. Ordered: each level has what those before it have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    None,
    Metadata,
    Request,
    RequestResponse,
}

impl Level {
    pub const ALL: [Level; 4] = [Level::None, Level::Metadata, Level::Request, Level::RequestResponse];

    pub fn as_str(self) -> &'static str {
        match self {
            Level::None => "None",
            Level::Metadata => "Metadata",
            Level::Request => "Request",
            Level::RequestResponse => "RequestResponse",
        }
    }
}

/// When an event is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Before anything is done.
    RequestReceived,
    /// The head of the answer is sent, its body follows: watches and other long answers only.
    ResponseStarted,
    /// The whole answer is there.
    ResponseComplete,
    /// The server broke while it answered.
    Panic,
}

impl Stage {
    pub const ALL: [Stage; 4] = [Stage::RequestReceived, Stage::ResponseStarted, Stage::ResponseComplete, Stage::Panic];

    pub fn as_str(self) -> &'static str {
        match self {
            Stage::RequestReceived => "RequestReceived",
            Stage::ResponseStarted => "ResponseStarted",
            Stage::ResponseComplete => "ResponseComplete",
            Stage::Panic => "Panic",
        }
    }
}
