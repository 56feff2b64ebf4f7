//! What can go wrong with a call.

/// The codes of gRPC that mean something to callers; others are [`Code::Other`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    OutOfRange,
    Unavailable,
    Other(u32),
}

const CODES: &[(u32, Code, &str)] = &[
    (3, Code::InvalidArgument, "InvalidArgument"),
    (4, Code::DeadlineExceeded, "DeadlineExceeded"),
    (5, Code::NotFound, "NotFound"),
    (7, Code::PermissionDenied, "PermissionDenied"),
    (8, Code::ResourceExhausted, "ResourceExhausted"),
    (9, Code::FailedPrecondition, "FailedPrecondition"),
    (11, Code::OutOfRange, "OutOfRange"),
    (14, Code::Unavailable, "Unavailable"),
];

/// gRPC's code for a broken promise of the other side.
const INTERNAL: u32 = 13;

impl Code {
    pub(crate) fn of(number: u32) -> Code {
        CODES.iter().find(|(known, ..)| *known == number).map_or(Code::Other(number), |(_, code, _)| *code)
    }
}

/// A call failed. `Display` is what Go's clients say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub code: Code,
    pub message: String,
    /// False: the other side has certainly not seen the request.
    pub sent: bool,
}

impl Error {
    /// Before anything was sent.
    pub fn unreachable(why: impl std::fmt::Display) -> Error {
        Error { code: Code::Unavailable, message: format!("connection error: desc = \"{why}\""), sent: false }
    }

    /// On the way: it is not known whether the other side has seen the request.
    pub fn interrupted(why: impl std::fmt::Display) -> Error {
        Error { code: Code::Unavailable, message: why.to_string(), sent: true }
    }

    pub fn timed_out(sent: bool) -> Error {
        Error { code: Code::DeadlineExceeded, message: "context deadline exceeded".into(), sent }
    }

    /// The answer is not what the protocol says.
    pub fn malformed(what: &str) -> Error {
        Error { code: Code::Other(INTERNAL), message: format!("malformed {what}"), sent: true }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (CODES.iter().find(|(_, code, _)| *code == self.code), self.code) {
            (Some((_, _, name)), _) => write!(f, "rpc error: code = {name} desc = {}", self.message),
            (None, code) => write!(f, "rpc error: code = {code:?} desc = {}", self.message),
        }
    }
}

impl std::error::Error for Error {}
