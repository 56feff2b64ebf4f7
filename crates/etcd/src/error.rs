//! What can go wrong with a call.

use grpc::Code;

/// A call failed. `Display` is what kube-apiserver shows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub code: Code,
    pub message: String,
    /// False: etcd has certainly not seen the request.
    pub sent: bool,
}

impl Error {
    pub(crate) fn timed_out(sent: bool) -> Error {
        grpc::Error::timed_out(sent).into()
    }

    /// The answer is not what the protocol says.
    pub(crate) fn malformed(what: &str) -> Error {
        grpc::Error::malformed(&format!("{what} from etcd")).into()
    }

    /// The revision that was asked for is compacted.
    pub fn is_compacted(&self) -> bool {
        self.code == Code::OutOfRange && self.message.contains("compacted")
    }

    /// The request or transaction is larger than etcd takes.
    pub fn is_too_large(&self) -> bool {
        let told = self.message.contains("request is too large") || self.message.contains("larger than max");
        told && matches!(self.code, Code::InvalidArgument | Code::ResourceExhausted)
    }

    /// The lease is not there any more.
    pub fn is_lease_gone(&self) -> bool {
        self.code == Code::NotFound && self.message.contains("lease not found")
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.message.starts_with("etcdserver:") || self.code == Code::DeadlineExceeded {
            return f.write_str(&self.message);
        }
        grpc::Error { code: self.code, message: self.message.clone(), sent: self.sent }.fmt(f)
    }
}

impl From<grpc::Error> for Error {
    fn from(error: grpc::Error) -> Error {
        let grpc::Error { code, message, sent } = error;
        Error { code, message, sent }
    }
}

impl std::error::Error for Error {}
