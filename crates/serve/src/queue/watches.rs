//! How many watches are open on what: a write has its watchers told (k8s.io/apiserver/pkg/util/flowcontrol/watch_tracker.go).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use meta::Str;

use crate::path::PathInfo;

/// Group, resource, namespace and name.
type Key = [Str; 4];

#[derive(Clone, Debug, Default)]
pub(super) struct Watches(Arc<Mutex<HashMap<Key, usize>>>);

/// An open watch; it counts until this is dropped.
#[derive(Debug, Default)]
pub struct OpenWatch(Option<(Watches, Key)>);

impl Watches {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open(&self, info: &PathInfo) -> OpenWatch {
        // Such a watch, as every kubelet has one, hears of few objects: fields that can be selected are indexed. (Upstream
        // has an index of pods by their nodes only.)
        let selects = |term: &meta::selector::FieldTerm| {
            !term.field.starts_with("metadata.") && term.equal && !term.value.is_empty()
        };
        if info.selection.fields.iter().any(selects) {
            return OpenWatch::default();
        }
        let key = [&info.group, &info.resource, &info.namespace, &info.name].map(Str::clone);
        let mut open = self.lock();
        let count = open.entry(key.clone()).or_default();
        *count = count.saturating_add(1);
        OpenWatch(Some((self.clone(), key)))
    }

    /// How many hear of a write: those of all objects, of its namespace's, and of the object itself.
    pub(super) fn count(&self, info: &PathInfo) -> usize {
        if self.lock().is_empty() {
            return 0;
        }
        let none = Str::default();
        let of = |namespace: &Str, name: &Str| [&info.group, &info.resource, namespace, name].map(Str::clone);
        let mut keys = vec![of(&none, &none)];
        if !info.namespace.is_empty() {
            keys.push(of(&info.namespace, &none));
        }
        if !info.name.is_empty() {
            keys.push(of(&info.namespace, &info.name));
        }
        let open = self.lock();
        keys.iter().filter_map(|key| open.get(key)).sum()
    }
}

impl Drop for OpenWatch {
    fn drop(&mut self) {
        let Some((watches, key)) = &self.0 else { return };
        let mut open = watches.lock();
        if let Some(count) = open.get_mut(key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(namespace: &str, name: &str, fields: &str) -> PathInfo {
        PathInfo {
            resource: "pods".into(),
            namespace: namespace.into(),
            name: name.into(),
            selection: auth::Selection::parse(fields, ""),
            ..PathInfo::default()
        }
    }

    #[test]
    fn watches_count_where_they_hear() {
        let watches = Watches::default();
        let all = watches.open(&info("", "", ""));
        let _own = (watches.open(&info("a", "", "")), watches.open(&info("a", "x", "")));
        let _node = (watches.open(&info("", "", "spec.nodeName=n")), watches.open(&info("", "", "spec.nodeName!=n")));
        let counts =
            || [("a", "x"), ("a", "y"), ("a", ""), ("b", "x")].map(|(ns, name)| watches.count(&info(ns, name, "")));
        assert_eq!(counts(), [4, 3, 3, 2]);
        drop(all);
        assert_eq!(counts(), [3, 2, 2, 1]);
        assert_eq!(watches.count(&PathInfo { group: "other".into(), ..info("a", "x", "") }), 0);
        drop((_own, _node));
        assert!(watches.lock().is_empty());
    }
}
