//! DenyServiceExternalIPs: no service gets external addresses that it did not have.

use crate::{Attributes, Plugin};
use meta::{Result, Value};

pub struct DenyServiceExternalIPs;

impl Plugin for DenyServiceExternalIPs {
    fn name(&self) -> &'static str {
        "DenyServiceExternalIPs"
    }

    fn validate(&self, attributes: &Attributes, service: &Value) -> Result<()> {
        if !attributes.writes("", "services") {
            return Ok(());
        }
        let had = attributes.old.map(|old| old["spec"]["externalIPs"].items()).unwrap_or_default();
        if service["spec"]["externalIPs"].items().iter().all(|address| had.contains(address)) {
            return Ok(());
        }
        Err(attributes.forbidden("Use of external IPs is denied by admission control"))
    }
}
