//! What is stored: an object revision, its decoded metadata, and its encodings.

use crate::packing::Kept;
use bytes::Bytes;
use meta::Str;
use std::any::Any;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

/// What the store knows of an object besides its bytes. Made by whoever encoded the bytes, or by [`Resource::extract`]
/// after a restart; both must agree.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meta {
    /// "" for cluster-scoped objects.
    pub namespace: Str,
    pub name: Str,
    /// Sorted by key, keys distinct.
    pub labels: Vec<(Str, Str)>,
    /// The values of the resource's selectable fields, in the descriptor's order.
    pub fields: Vec<Str>,
    /// Unix seconds after which the object is deleted by the store (events).
    pub expires_at_seconds: Option<i64>,
}

impl Meta {
    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&Str> {
        let at = self.labels.binary_search_by(|(k, _)| k.as_str().cmp(key)).ok()?;
        self.labels.get(at).map(|(_, value)| value)
    }
}

/// One revision of one object. Immutable.
#[derive(Debug)]
pub struct Object {
    /// As kube-apiserver's etcd key: "/registry/pods/default/web". Shared by all revisions of the object.
    pub key: Arc<str>,
    /// The revision of the transaction that wrote this (resourceVersion). In a deletion's event: the deletion's.
    pub revision: u64,
    pub create_revision: u64,
    /// As stored: protobuf envelope or JSON.
    pub(crate) kept: Kept,
    pub meta: Meta,
    /// [`Resource::fingerprint`] of what `meta` was made with.
    pub(crate) fingerprint: u32,
    /// Of what is kept: [`crate::AtRest::mark`].
    pub(crate) mark: u32,
    pub(crate) encodings: EncodingSlot,
}

impl Object {
    /// As stored: protobuf envelope or JSON. Cheap: nothing is copied.
    pub fn bytes(&self) -> Bytes {
        self.kept.bytes()
    }

    pub fn bytes_len(&self) -> usize {
        self.kept.len()
    }

    /// The object in another form (`form` is the caller's number for a media type and transform, below [`FORMS_MAX`]),
    /// made by `encode` at most once while the object is in demand, then shared by all who ask with the same `owner`:
    /// what decides how forms look. Those of another owner are forgotten.
    pub fn encoded<T>(&self, owner: &Arc<T>, form: usize, encode: impl FnOnce(&Object) -> Bytes) -> Bytes
    where
        T: Send + Sync + 'static,
    {
        let encodings = self.encodings.get(owner);
        let Some(slot) = encodings.forms.get(form) else { return encode(self) };
        let mut made = 0;
        let bytes = slot.get_or_init(|| {
            let bytes = encode(self);
            made = bytes.len();
            bytes
        });
        let bytes = bytes.clone();
        self.encodings.cache.grew(&encodings, made);
        bytes
    }

    /// Whether a reader found what the bytes hold well formed, so that the next one need not look again.
    pub fn is_proven(&self) -> bool {
        self.encodings.proven.load(Ordering::Relaxed)
    }

    pub fn prove(&self) {
        self.encodings.proven.store(true, Ordering::Relaxed);
    }

    /// What [`Object::encoded`] made for this owner and still has.
    pub fn encoded_before<T>(&self, owner: &Arc<T>, form: usize) -> Option<Bytes> {
        let known = self.encodings.known().filter(|known| known.is_of(owner))?;
        known.forms.get(form)?.get().cloned()
    }

    /// The same revision with the metadata that `resource` makes; read from the bytes only when it may differ.
    pub(crate) fn claimed_by(self: &Arc<Object>, resource: &Resource) -> Arc<Object> {
        let fingerprint = resource.fingerprint();
        if self.fingerprint == fingerprint {
            return self.clone();
        }
        let bytes = self.bytes();
        let canonical = resource.canonical_bytes(&bytes);
        let mut meta = resource.meta_of(&self.key, canonical.as_ref().unwrap_or(&bytes));
        meta.expires_at_seconds = self.meta.expires_at_seconds;
        let kept = canonical.map_or_else(|| self.kept.clone(), Kept::of);
        Arc::new(Object { kept, meta, fingerprint, ..self.deleted_at(self.revision) })
    }

    /// The same object as of the deletion at `revision`.
    pub(crate) fn deleted_at(&self, revision: u64) -> Object {
        Object {
            key: self.key.clone(),
            revision,
            create_revision: self.create_revision,
            kept: self.kept.clone(),
            meta: self.meta.clone(),
            fingerprint: self.fingerprint,
            mark: self.mark,
            encodings: self.encodings.fresh(),
        }
    }
}

/// Forms that [`Object::encoded`] keeps.
pub const FORMS_MAX: usize = 8;

/// All encodings that are kept at a time. Who encodes more than this at once gains nothing by keeping it.
pub const ENCODED_BYTES_MAX: usize = 48 << 20;

struct Encodings {
    /// Held, so that no other can have its address.
    owner: Arc<dyn Any + Send + Sync>,
    forms: [OnceLock<Bytes>; FORMS_MAX],
    bytes: AtomicUsize,
}

impl Encodings {
    fn is_of<T>(&self, owner: &Arc<T>) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(&self.owner), Arc::as_ptr(owner))
    }
}

impl std::fmt::Debug for Encodings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encodings").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// Keeps the encodings that were made last: a watch's fan-out and repeated lists share them, older ones go.
#[derive(Debug, Default)]
pub(crate) struct EncodingCache {
    recent: Mutex<Recent>,
}

#[derive(Debug, Default)]
struct Recent {
    encodings: VecDeque<Arc<Encodings>>,
    bytes: usize,
    /// How often [`EncodingCache::tick`] found nothing new.
    quiet: u32,
}

/// After so many ticks without anything new the memory is worth more than what is in it: to make all of it again once in
/// that time costs nothing.
const QUIET_TICKS_MAX: u32 = 60;

impl EncodingCache {
    /// Counts what an object's encodings grew by, and forgets the oldest until all fit.
    fn grew(&self, encodings: &Arc<Encodings>, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.quiet = 0;
        recent.bytes += bytes;
        if encodings.bytes.fetch_add(bytes, Ordering::Relaxed) == 0 {
            recent.encodings.push_back(encodings.clone());
        }
        while recent.bytes > ENCODED_BYTES_MAX {
            let Some(oldest) = recent.encodings.pop_front() else { return };
            // What others make of it from here on is no longer counted with it, but as new.
            recent.bytes = recent.bytes.saturating_sub(oldest.bytes.swap(0, Ordering::Relaxed));
        }
    }
}

impl EncodingCache {
    /// Called every second: gives the memory back when nothing was made for a while.
    pub(crate) fn tick(&self) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.quiet += 1;
        if recent.quiet >= QUIET_TICKS_MAX {
            let old = std::mem::take(&mut *recent);
            drop(recent);
            // Who still has them may make more of them, which counts as new.
            old.encodings.iter().for_each(|encodings| encodings.bytes.store(0, Ordering::Relaxed));
        }
    }
}

/// An object's way to its encodings.
#[derive(Debug)]
pub(crate) struct EncodingSlot {
    cache: Arc<EncodingCache>,
    own: Mutex<Weak<Encodings>>,
    /// See [`Object::is_proven`].
    proven: AtomicBool,
}

impl EncodingSlot {
    pub(crate) fn new(cache: &Arc<EncodingCache>) -> EncodingSlot {
        EncodingSlot { cache: cache.clone(), own: Mutex::new(Weak::new()), proven: AtomicBool::new(false) }
    }

    fn fresh(&self) -> EncodingSlot {
        EncodingSlot::new(&self.cache)
    }

    fn known(&self) -> Option<Arc<Encodings>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    fn get<T: Send + Sync + 'static>(&self, owner: &Arc<T>) -> Arc<Encodings> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.upgrade().filter(|known| known.is_of(owner)).unwrap_or_else(|| {
            let (owner, forms) = (owner.clone(), Default::default());
            let encodings = Arc::new(Encodings { owner, forms, bytes: AtomicUsize::new(0) });
            *own = Arc::downgrade(&encodings);
            encodings
        })
    }
}

/// Reads an object's metadata out of its stored bytes.
pub type Extract = Arc<dyn Fn(&str, &[u8]) -> Result<Meta, String> + Send + Sync>;

/// Stored bytes in the form in which this program stores them; `None` when they are in that form, or cannot be read.
pub type Canonical = Arc<dyn Fn(&[u8]) -> Option<Bytes> + Send + Sync>;

/// What is stored under one key prefix.
#[derive(Clone)]
pub struct Resource {
    /// With a slash at the end: "/registry/pods/". No resource's prefix begins with another's.
    pub prefix: Str,
    /// From key and stored bytes. Called for objects whose metadata was made with other fields or by another version of
    /// this program; otherwise the metadata is stored beside the bytes.
    pub extract: Extract,
    /// The names of the selectable fields, in the order of `Meta::fields`.
    pub field_names: Vec<Str>,
    /// For bytes that another program, or another version of this one, has stored: in memory all objects of a resource
    /// have one form. `None`: there is only one.
    pub canonical: Option<Canonical>,
    /// The other way: what goes into an etcd that is shared with another program. `None`: the bytes as they are.
    pub in_etcd: Option<Canonical>,
}

impl Resource {
    /// Two resources with the same make the same metadata of the same bytes. Never 0, which stands for none.
    pub(crate) fn fingerprint(&self) -> u32 {
        let names = self.field_names.iter().map(|name| name.as_bytes());
        let texts = [env!("CARGO_PKG_VERSION").as_bytes()].into_iter().chain(names);
        texts.fold(1, |crc, text| crc32c::crc32c_append(crc32c::crc32c_append(crc, text), b"\0")).max(1)
    }

    pub(crate) fn canonical_bytes(&self, bytes: &[u8]) -> Option<Bytes> {
        self.canonical.as_ref()?(bytes)
    }

    pub(crate) fn bytes_in_etcd(&self, bytes: &[u8]) -> Option<Bytes> {
        self.in_etcd.as_ref()?(bytes)
    }

    /// The metadata in an object's bytes. When they cannot be read there is no reason to lose the object: name and
    /// namespace are in the key, so it can still be read and deleted.
    pub(crate) fn meta_of(&self, key: &str, bytes: &[u8]) -> Meta {
        (self.extract)(key, bytes).unwrap_or_else(|_| {
            let mut segments = key.get(self.prefix.len()..).unwrap_or_default().rsplit('/');
            let name = segments.next().unwrap_or_default().into();
            Meta { name, namespace: segments.next().unwrap_or_default().into(), ..Meta::default() }
        })
    }
}

impl std::fmt::Debug for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resource").field("prefix", &self.prefix).field("field_names", &self.field_names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_shared_and_bounded() {
        let cache = Arc::<EncodingCache>::default();
        let object = |n: u64| Object {
            key: n.to_string().into(),
            revision: n,
            create_revision: n,
            kept: Kept::of(Bytes::new()),
            meta: Meta::default(),
            fingerprint: 0,
            mark: 0,
            encodings: EncodingSlot::new(&cache),
        };
        let size = ENCODED_BYTES_MAX / 4;
        let encode = |_: &Object| Bytes::from(vec![0; size]);
        let objects: Vec<Object> = (0..6).map(object).collect();
        let owner = Arc::new(());
        for object in &objects {
            let made = object.encoded(&owner, 1, encode);
            assert_eq!(object.encoded(&owner, 1, |_| panic!("once")).as_ptr(), made.as_ptr());
            assert!(object.encoded_before(&owner, 0).is_none());
        }
        let kept: Vec<bool> = objects.iter().map(|object| object.encoded_before(&owner, 1).is_some()).collect();
        assert_eq!(kept, [false, false, true, true, true, true]);
        let made = |_: &Object| Bytes::from_static(b"x");
        assert_eq!(objects[0].encoded(&owner, FORMS_MAX, made), "x", "unknown forms are not kept");
        let old = objects[4].encoded_before(&owner, 1).map(|bytes| bytes.as_ptr());
        (1..QUIET_TICKS_MAX).for_each(|_| cache.tick());
        assert_eq!(objects[4].encoded_before(&owner, 1).map(|bytes| bytes.as_ptr()), old);
        objects[5].encoded(&owner, 2, made);
        (1..QUIET_TICKS_MAX).for_each(|_| cache.tick());
        assert!(objects[4].encoded_before(&owner, 1).is_some(), "something was made meanwhile");
        cache.tick();
        assert!(objects.iter().all(|object| object.encoded_before(&owner, 1).is_none()), "nobody asks any more");
        objects[5].encoded(&owner, 1, made);
        let other = Arc::new(1_u8);
        assert!(objects[5].encoded_before(&other, 1).is_none());
        assert_eq!(objects[5].encoded(&other, 1, made), "x", "another owner's forms are others");
        assert!(objects[5].encoded_before(&owner, 1).is_none() && objects[5].encoded_before(&other, 1).is_some());
    }
}
