//! Keys in memory and in etcd: the same but for what they begin with.

use std::sync::Arc;

/// What keys in memory begin with.
const ROOT: &str = "/registry";

#[derive(Debug)]
pub(super) struct Keys {
    /// Without a slash at the end.
    prefix: String,
}

impl Keys {
    /// As upstream has it, a prefix begins with one slash and ends with none.
    pub(super) fn new(prefix: &str) -> Keys {
        Keys { prefix: format!("/{}", prefix.trim_matches('/')) }
    }

    pub(super) fn in_etcd(&self, key: &str) -> Vec<u8> {
        let rest = key.strip_prefix(ROOT).unwrap_or(key);
        [self.prefix.trim_end_matches('/'), rest].concat().into_bytes()
    }

    /// `None`: the key is not one of ours.
    pub(super) fn in_memory(&self, key: &[u8]) -> Option<Arc<str>> {
        let rest = std::str::from_utf8(key).ok()?.strip_prefix(self.prefix.trim_end_matches('/'))?;
        rest.starts_with('/').then(|| [ROOT, rest].concat().into())
    }

    /// All of ours: the first key, and the end.
    pub(super) fn range(&self) -> (Vec<u8>, Vec<u8>) {
        let start = self.in_etcd("/");
        let mut end = start.clone();
        // The byte after the slash.
        end.pop();
        end.push(b'/' + 1);
        (start, end)
    }
}

/// Every key that etcd has, as a range.
pub(super) fn everything() -> (Vec<u8>, Vec<u8>) {
    (vec![0], vec![0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_kube_apiserver() {
        for (prefix, want) in
            [("/registry", "/registry/pods/a/b"), ("kube/one/", "/kube/one/pods/a/b"), ("/", "/pods/a/b")]
        {
            let keys = Keys::new(prefix);
            assert_eq!(String::from_utf8(keys.in_etcd("/registry/pods/a/b")).as_deref(), Ok(want));
            assert_eq!(keys.in_memory(want.as_bytes()).as_deref(), Some("/registry/pods/a/b"));
            let (start, end) = keys.range();
            assert!(*start < *want.as_bytes() && *want.as_bytes() < *end);
        }
        let keys = Keys::new("/registry");
        for foreign in ["/registry2/pods/a", "/registr", "/registry", "compact_rev_key"] {
            assert_eq!(keys.in_memory(foreign.as_bytes()), None, "{foreign}");
            let (start, end) = keys.range();
            assert!(*foreign.as_bytes() < *start || *foreign.as_bytes() >= *end, "{foreign}");
        }
    }
}
