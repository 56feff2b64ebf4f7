//! The record of the node ports that are taken: one object, as upstream has it. A write of a service that takes or
//! gives back a port writes the record in the same transaction, so that of two that want one port the later one sees
//! what the earlier one got.

use super::allocate::ports_of;
use crate::core::rangeallocation::PLURAL;
use crate::rules::base64;
use crate::settings::Settings;
use meta::{Value, value};
use resource::{Context, Recorded, SideWrite};
use std::collections::BTreeSet;

const NAME: &str = "servicenodeports";

/// The write of the record; none when the ports stay as they are.
pub fn plan_write(
    settings: &Settings,
    ctx: &Context,
    object: Option<&Value>,
    old: Option<&Value>,
) -> Option<SideWrite> {
    let ports = |service: Option<&Value>| service.map(|service| ports_of(service).collect()).unwrap_or_default();
    let (new, had): (BTreeSet<i64>, BTreeSet<i64>) = (ports(object), ports(old));
    if new == had || ctx.dry_run {
        return None;
    }
    // The record is read before the services: what is written after it makes this write fail.
    let stored = ctx.reader.get("", PLURAL, "", NAME);
    let own = &object.or(old)?["metadata"];
    let services = ctx.reader.list("", "services", "");
    let is_other = |s: &&Value| s["metadata"]["name"] != own["name"] || s["metadata"]["namespace"] != own["namespace"];
    let mut taken: BTreeSet<i64> = services.iter().filter(is_other).flat_map(ports_of).collect();
    let was_taken = new.iter().any(|port| !had.contains(port) && taken.contains(port));
    taken.extend(&new);
    let (first, last) = settings.node_ports;
    let mut record = stored.clone().unwrap_or_else(|| value!({"metadata": {"name": NAME}}));
    record.set("range", format!("{first}-{last}"));
    record.set("data", base64::encode(&bitmap(&taken, first.into(), last.into())));
    if was_taken {
        // Since it was chosen: the write cannot succeed, and the attempt runs again.
        record.entry("metadata").set("resourceVersion", "0");
    }
    let (group, resource, namespace, name) = ("".into(), PLURAL.into(), "".into(), NAME.into());
    let (object, recorded) = (record, Recorded::Nothing);
    Some(match stored.is_some() || was_taken {
        true => SideWrite::Update { group, resource, namespace, name, object, recorded },
        false => SideWrite::Create { group, resource, namespace, name, object, recorded },
    })
}

/// One bit for each port, the first port's is the lowest: the bytes of a big-endian number without leading zeros.
fn bitmap(taken: &BTreeSet<i64>, first: i64, last: i64) -> Vec<u8> {
    let offsets: Vec<usize> = taken.range(first..=last).filter_map(|port| usize::try_from(port - first).ok()).collect();
    let mut bytes = vec![0_u8; offsets.last().map_or(0, |highest| highest / 8 + 1)];
    for offset in offsets {
        if let Some(byte) = bytes.get_mut(offset / 8) {
            *byte |= 1 << (offset % 8);
        }
    }
    bytes.reverse();
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_counted_from_the_end() {
        assert_eq!(bitmap(&BTreeSet::new(), 30000, 32767), []);
        assert_eq!(bitmap(&BTreeSet::from([30000, 30009, 40000]), 30000, 32767), [2, 1]);
    }
}
