//! Times as Kubernetes writes them: RFC 3339 in UTC, to the second (`Time`) or with six digits (`MicroTime`).

/// A moment: Unix seconds and nanoseconds of the second. Go's zero time is not a Timestamp but an absent value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    pub seconds: i64,
    pub nanos: u32,
}
