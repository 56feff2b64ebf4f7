//! Which resource is sealed with what: a configuration made ready.

use crate::cipher::Cipher;
use crate::config::{Config, GroupResource, Kind, Provider};
use crate::kms::{self, Kms};
use bytes::Bytes;
use std::sync::Arc;
use store::{Opened, Sealed};

const SEALED_PREFIX: &[u8] = b"k8s:enc:";

/// One key of one provider. What it seals begins with its prefix.
struct Sealer {
    prefix: String,
    with: With,
}

enum With {
    Nothing,
    Key(Cipher),
    Service(Arc<Kms>),
}

pub(crate) struct Table {
    /// The most special first.
    rules: Vec<(GroupResource, Arc<[Sealer]>)>,
    services: Vec<Arc<Kms>>,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let resources: Vec<&GroupResource> = self.rules.iter().map(|(resource, _)| resource).collect();
        f.debug_struct("Table").field("resources", &resources).field("services", &self.services).finish()
    }
}

impl Table {
    /// Also begins to ask services.
    pub(crate) fn new(config: Config) -> Result<Table, String> {
        let (mut rules, mut services) = (vec![], vec![]);
        for rule in config.rules {
            let mut sealers = vec![];
            for provider in rule.providers {
                match provider {
                    Provider::Identity => sealers.push(Sealer { prefix: String::new(), with: With::Nothing }),
                    Provider::Keys(kind, keys) => {
                        for key in keys {
                            let prefix = format!("k8s:enc:{}:v1:{}:", kind.as_str(), key.name);
                            let with = With::Key(cipher(kind, &key.secret)?);
                            sealers.push(Sealer { prefix, with });
                        }
                    }
                    Provider::Kms(config) => {
                        let prefix = format!("{}{}:", kms::PREFIX, config.name);
                        let service = Arc::new(Kms::start(config)?);
                        services.push(service.clone());
                        sealers.push(Sealer { prefix, with: With::Service(service) });
                    }
                }
            }
            let sealers: Arc<[Sealer]> = sealers.into();
            rules.extend(rule.resources.into_iter().map(|resource| (resource, sealers.clone())));
        }
        // Of equally special ones the first counts: the sort is stable.
        rules.sort_by_key(|(resource, _)| resource.rank());
        Ok(Table { rules, services })
    }

    pub(crate) fn health(&self) -> Vec<(String, Result<(), String>)> {
        self.services.iter().map(|service| (service.config.name.clone(), service.health())).collect()
    }

    fn sealers(&self, group: &str, resource: &str) -> &[Sealer] {
        let rule = self.rules.iter().find(|(of, _)| of.fits(group, resource));
        rule.map_or(&[], |(_, sealers)| sealers)
    }

    pub(crate) fn seal(&self, group: &str, resource: &str, key: &[u8], plain: &[u8]) -> Result<Option<Sealed>, String> {
        let Some(first) = self.sealers(group, resource).first() else { return Ok(None) };
        let mut out = Vec::with_capacity(first.prefix.len() + plain.len() + 64);
        out.extend_from_slice(first.prefix.as_bytes());
        let mark = match &first.with {
            With::Nothing => return Ok(None),
            With::Key(cipher) => cipher.seal(plain, key, &mut out).map(|()| first.mark())?,
            With::Service(service) => service.seal(plain, key, &mut out)?,
        };
        Ok(Some(Sealed { bytes: out.into(), mark }))
    }

    pub(crate) fn open(&self, group: &str, resource: &str, key: &[u8], kept: &Bytes) -> Result<Opened, String> {
        let sealers = self.sealers(group, resource);
        if sealers.is_empty() {
            return open_plain(kept);
        }
        let mut why = None;
        for sealer in sealers {
            let Some(sealed) = kept.strip_prefix(sealer.prefix.as_bytes()) else { continue };
            let opened = match &sealer.with {
                With::Nothing => open_plain(kept),
                With::Key(cipher) => {
                    cipher.open(sealed, key).map(|plain| Opened { bytes: plain.into(), mark: sealer.mark() })
                }
                With::Service(service) => {
                    service.open(kept.slice_ref(sealed), key).map(|(plain, mark)| Opened { bytes: plain.into(), mark })
                }
            };
            match opened {
                Ok(opened) => return Ok(opened),
                // Another key of the same name may be the right one. That it is not plain is the least of reasons.
                Err(reason) if !sealer.prefix.is_empty() || why.is_none() => why = Some(reason),
                Err(_) => {}
            }
        }
        Err(why.unwrap_or_else(|| "no matching prefix found".into()))
    }

    pub(crate) fn mark(&self, group: &str, resource: &str) -> u32 {
        self.sealers(group, resource).first().map_or(0, Sealer::mark)
    }
}

impl Sealer {
    fn mark(&self) -> u32 {
        match &self.with {
            With::Nothing => 0,
            With::Key(_) => crc32c::crc32c(self.prefix.as_bytes()).max(1),
            With::Service(service) => service.mark(),
        }
    }
}

fn open_plain(kept: &Bytes) -> Result<Opened, String> {
    if kept.starts_with(SEALED_PREFIX) {
        return Err("identity transformer tried to read encrypted data".into());
    }
    Ok(Opened { bytes: kept.clone(), mark: 0 })
}

fn cipher(kind: Kind, secret: &[u8]) -> Result<Cipher, String> {
    let cipher = match kind {
        Kind::AesCbc => Cipher::cbc(secret),
        Kind::AesGcm => Cipher::gcm(secret),
        Kind::Secretbox => Cipher::secretbox(secret),
    };
    cipher.ok_or_else(|| format!("{} has no keys of {} bytes", kind.as_str(), secret.len()))
}
