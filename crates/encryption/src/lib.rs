//! Objects at rest: sealed with the keys of an EncryptionConfiguration, in the form that kube-apiserver writes, so that
//! data can be moved to it and back. The configuration can be exchanged while the server runs.

mod cipher;
mod config;
mod kms;
mod messages;
mod table;

pub use config::Config;

use arc_swap::ArcSwap;
use bytes::Bytes;
use meta::Str;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use store::{AtRest, Opened, Sealed};
use table::Table;

/// How each resource is sealed, now.
#[derive(Debug)]
pub struct Encryption {
    table: ArcSwap<Table>,
    /// What is stored under which prefix: group and resource. Other keys are those of custom resources, which say it.
    prefixes: BTreeMap<Str, (Str, Str)>,
}

impl Encryption {
    /// `prefixes`: key prefix, group and plural of every built-in resource.
    pub fn new(config: Config, prefixes: impl IntoIterator<Item = (Str, Str, Str)>) -> Result<Encryption, String> {
        let prefixes = prefixes.into_iter().map(|(prefix, group, resource)| (prefix, (group, resource)));
        Ok(Encryption { table: ArcSwap::from_pointee(Table::new(config)?), prefixes: prefixes.collect() })
    }

    /// Seals with other keys from now on. A service that has keys must be well, else everything stays as it is.
    pub fn replace(&self, config: Config) -> Result<(), String> {
        let table = Table::new(config)?;
        if let Some((_, why)) = table.health().into_iter().find_map(|(name, well)| Some((name, well.err()?))) {
            return Err(why);
        }
        self.table.store(Arc::new(table));
        Ok(())
    }

    /// Name and state of every service that has keys, in the order of the configuration.
    pub fn health(&self) -> Vec<(String, Result<(), String>)> {
        self.table.load().health()
    }

    fn resource_of<'a>(&'a self, key: &'a str) -> (&'a str, &'a str) {
        let until = (Bound::Unbounded, Bound::Included(key));
        let nearest = self.prefixes.range::<str, _>(until).next_back();
        if let Some((_, (group, resource))) = nearest.filter(|(prefix, _)| key.starts_with(prefix.as_str())) {
            return (group, resource);
        }
        let mut segments = key.split('/').skip(2);
        (segments.next().unwrap_or_default(), segments.next().unwrap_or_default())
    }
}

impl AtRest for Encryption {
    fn seal(&self, key: &str, kept_key: &[u8], plain: &[u8]) -> Result<Option<Sealed>, String> {
        let (group, resource) = self.resource_of(key);
        self.table.load().seal(group, resource, kept_key, plain)
    }

    fn open(&self, key: &str, kept_key: &[u8], kept: &Bytes) -> Result<Opened, String> {
        let (group, resource) = self.resource_of(key);
        self.table.load().open(group, resource, kept_key, kept)
    }

    fn mark(&self, key: &str) -> u32 {
        let (group, resource) = self.resource_of(key);
        self.table.load().mark(group, resource)
    }
}
