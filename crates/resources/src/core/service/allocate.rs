//! Cluster addresses and node ports of a Service. An address belongs to a service through an IPAddress object that
//! commits with it (upstream: pkg/registry/core/service/{ipallocator,portallocator,storage}).

use super::{NONE, families, needs_health_check_node_port, update};
use crate::rules::cidr::Cidr;
use crate::rules::ip;
use crate::settings::Settings;
use meta::field::{ErrorList, Path, Shown};
use meta::{Result, Status, Value, value};
use resource::{Context, Recorded, SideWrite};
use std::collections::BTreeSet;

const NETWORKING: &str = "networking.k8s.io";

/// Everything that happens before validation: carried over values, families, addresses, ports. On an error the
/// object is left as it was. What cannot be had because nothing is left stays unset.
pub fn prepare(
    settings: &Settings,
    ctx: &Context,
    object: &mut Value,
    old: Option<&Value>,
) -> std::result::Result<(), ErrorList> {
    let mut next = object.clone();
    if let Some(old) = old {
        update::patch_allocated(&mut next, old);
    }
    update::normalize_cluster_ips(&mut next, old);
    *object = next.clone();
    families::prepare(&mut next, old, &configured_families(settings))?;
    let mut random = Random::seeded(object);
    allocate_cluster_ips(settings, ctx, &mut next, old, &mut random)?;
    allocate_node_ports(settings, ctx, &mut next, old, &mut random)?;
    *object = next;
    Ok(())
}

fn configured_families(settings: &Settings) -> Vec<&'static str> {
    settings.service_ranges.iter().map(Cidr::family).collect()
}

/// Numbers that differ from object to object and are the same each time for one: hooks are pure.
struct Random(u64);

impl Random {
    fn seeded(object: &Value) -> Random {
        let metadata = &object["metadata"];
        let texts = [&metadata["uid"], &metadata["name"], &metadata["namespace"], &metadata["creationTimestamp"]];
        let bytes = texts.iter().flat_map(|t| t.str().bytes());
        Random(bytes.fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)))
    }

    /// From 0 to below `end`.
    fn below(&mut self, end: u64) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end.max(1)
    }
}

/// The ranges of one family that addresses are taken from now: those of the ready ServiceCIDRs, or the flag's.
fn ranges(settings: &Settings, ctx: &Context, family: &str) -> Vec<Cidr> {
    let is_ready = |object: &Value| {
        let ready = object["status"]["conditions"].items().iter().find(|c| c["type"].str() == "Ready");
        object["metadata"]["deletionTimestamp"].is_null() && ready.is_none_or(|c| c["status"].str() == "True")
    };
    let stored = ctx.reader.list(NETWORKING, "servicecidrs", "");
    let texts = stored.iter().filter(|o| is_ready(o)).flat_map(|o| o["spec"]["cidrs"].items());
    let mut ranges: Vec<Cidr> = texts.filter_map(|t| Cidr::parse(t.str())).collect();
    ranges.extend(&settings.service_ranges);
    ranges.dedup();
    ranges.retain(|range| range.family() == family);
    ranges
}

fn is_taken(ctx: &Context, address: &str) -> bool {
    ctx.reader.get(NETWORKING, "ipaddresses", "", address).is_some()
}

fn owned(old: Option<&Value>) -> &[Value] {
    match old {
        Some(old) if old["spec"]["type"].str() != "ExternalName" => old["spec"]["clusterIPs"].items(),
        _ => &[],
    }
}

fn allocate_cluster_ips(
    settings: &Settings,
    ctx: &Context,
    object: &mut Value,
    old: Option<&Value>,
    random: &mut Random,
) -> std::result::Result<(), ErrorList> {
    let spec = object.entry("spec");
    let was_headless = old.is_some_and(super::is_headless);
    if spec["type"].str() == "ExternalName" || spec["clusterIPs"][0].str() == NONE || was_headless {
        return Ok(());
    }
    let owned = owned(old);
    let requested = spec["clusterIPs"].clone();
    let mut addresses: Vec<Value> = requested.items().to_vec();
    for (i, family) in spec["ipFamilies"].items().iter().enumerate() {
        let Some(address) = requested[i].as_str() else {
            // an update gives an address only when the first or a second family appears
            match next_address(settings, ctx, family.str(), random) {
                Some(address) if addresses.len() == i => addresses.push(address.into()),
                _ => {}
            }
            continue;
        };
        if owned.iter().any(|ip| ip.str() == address) || old.is_some() && i < owned.len() {
            continue;
        }
        if let Err(why) = check_address(settings, ctx, family.str(), address) {
            let mut errs = ErrorList::new();
            let detail = format!("failed to allocate IP {address}: {why}");
            errs.invalid(&Path::new("spec").child("clusterIPs"), &requested, &detail);
            return Err(errs);
        }
    }
    if let Some(first) = addresses.first() {
        spec.set("clusterIP", first);
        spec.set("clusterIPs", addresses);
    }
    Ok(())
}

fn check_address(settings: &Settings, ctx: &Context, family: &str, address: &str) -> std::result::Result<(), String> {
    let Some(parsed) = ip::parse_sloppy(address) else { return Ok(()) };
    let ranges = ranges(settings, ctx, family);
    let Some(range) = ranges.iter().find(|range| range.contains(parsed)) else {
        return Err("the provided network does not match the current range".into());
    };
    // what a dry run was given stands for an address that is chosen later
    let placeholder = ctx.dry_run && parsed == range.network();
    if !placeholder && !range.is_usable(parsed) {
        return Err(format!("the provided IP ({parsed}) is not in the valid range. The range of valid IPs is {range}"));
    }
    if is_taken(ctx, &parsed.to_string()) {
        return Err("provided IP is already allocated".into());
    }
    Ok(())
}

/// A free address, from the upper part of a range first: the lower is kept for addresses that are asked for.
fn next_address(settings: &Settings, ctx: &Context, family: &str, random: &mut Random) -> Option<String> {
    for range in ranges(settings, ctx, family) {
        if ctx.dry_run {
            return Some(range.network().to_string());
        }
        let usable = range.usable();
        let band = lower_band(usable, 16, 256);
        let upper = usable.saturating_sub(band);
        let start = random.below(upper);
        let offsets = (0..upper).map(|i| band + (start + i) % upper).chain(0..band);
        let free = offsets.map(|offset| range.nth(offset).to_string()).find(|address| !is_taken(ctx, address));
        if free.is_some() {
            return free;
        }
    }
    None
}

/// How many numbers at the beginning of a range are kept back: a sixteenth (or so), from 16 to `most`.
fn lower_band(size: u64, part: u64, most: u64) -> u64 {
    if size < 16 { 0 } else { (size / part).clamp(16, most) }
}

/// The node ports of a service, that of its health check too.
pub fn ports_of(object: &Value) -> impl Iterator<Item = i64> {
    let spec = &object["spec"];
    let health = spec["healthCheckNodePort"].int();
    let ports = spec["ports"].items().iter().map(|p| p["nodePort"].int());
    ports.chain([health]).filter(|n| *n != 0)
}

/// Node ports of one attempt: those of other services and those given so far.
struct Ports<'a> {
    settings: &'a Settings,
    dry_run: bool,
    taken: BTreeSet<i64>,
}

impl Ports<'_> {
    fn reserve(&mut self, port: i64) -> std::result::Result<(), String> {
        let (first, last) = self.settings.node_ports;
        // upstream's dry run does not look at the range
        if !self.dry_run && !(i64::from(first)..=i64::from(last)).contains(&port) {
            return Err(format!("provided port is not in the valid range. The range of valid ports is {first}-{last}"));
        }
        if !self.taken.insert(port) {
            return Err("provided port is already allocated".into());
        }
        Ok(())
    }

    fn next(&mut self, random: &mut Random) -> Option<i64> {
        let (first, last) = self.settings.node_ports;
        if self.dry_run {
            // as upstream: ports that nobody can have, counted up
            let port = self.taken.last().copied().unwrap_or(0).max(i64::from(last) + 1) + 1;
            self.taken.insert(port);
            return Some(port);
        }
        let size = u64::from(last.saturating_sub(first)) + 1;
        let band = lower_band(size, 32, 128);
        let upper = size - band;
        let start = random.below(upper);
        let offsets = (0..upper).map(|i| band + (start + i) % upper).chain(0..band);
        let port = offsets.map(|offset| i64::from(first) + offset as i64).find(|port| !self.taken.contains(port))?;
        self.taken.insert(port);
        Some(port)
    }
}

fn allocate_node_ports(
    settings: &Settings,
    ctx: &Context,
    object: &mut Value,
    old: Option<&Value>,
    random: &mut Random,
) -> std::result::Result<(), ErrorList> {
    let has_node_ports = super::has_type(object, &["NodePort", "LoadBalancer"]);
    if !has_node_ports {
        return Ok(());
    }
    let own: BTreeSet<i64> = old.map(|old| ports_of(old).collect()).unwrap_or_default();
    let (name, namespace) = (object["metadata"]["name"].clone(), object["metadata"]["namespace"].clone());
    let services = ctx.reader.list("", "services", "");
    let others = services.iter().filter(|s| s["metadata"]["name"] != name || s["metadata"]["namespace"] != namespace);
    let mut ports = Ports { settings, dry_run: ctx.dry_run, taken: others.flat_map(ports_of).collect() };
    let wants_ports = super::needs_node_port(object);
    let wants_health_check = needs_health_check_node_port(object);
    let spec = object.entry("spec");
    if let Some(list) = spec.get_mut("ports") {
        assign_node_ports(list, wants_ports, &own, &mut ports, random)?;
    }
    if wants_health_check {
        let path = Path::new("spec").child("healthCheckNodePort");
        match spec["healthCheckNodePort"].int() {
            0 => {
                if let Some(port) = ports.next(random) {
                    spec.set("healthCheckNodePort", port);
                }
            }
            port if own.contains(&port) || !(1..=65535).contains(&port) || old.is_some() => {}
            port => {
                if let Err(why) = ports.reserve(port) {
                    let mut errs = ErrorList::new();
                    let detail = format!("failed to allocate requested HealthCheck NodePort {port}: {why}");
                    errs.internal(&path, &detail);
                    return Err(errs);
                }
            }
        }
    }
    Ok(())
}

/// Ports with the same number and different protocols share a node port.
fn assign_node_ports(
    list: &mut Value,
    wants_ports: bool,
    own: &BTreeSet<i64>,
    ports: &mut Ports,
    random: &mut Random,
) -> std::result::Result<(), ErrorList> {
    let asked: Vec<(i64, i64)> = list.items().iter().map(|p| (p["port"].int(), p["nodePort"].int())).collect();
    let requested = |number: i64| asked.iter().find(|(n, node)| *n == number && *node != 0).map(|(_, node)| *node);
    let mut given: Vec<(i64, i64)> = Vec::new();
    let path = Path::new("spec").child("ports");
    for (i, port) in list.items_mut().iter_mut().enumerate() {
        let (number, node_port) = (port["port"].int(), port["nodePort"].int());
        if node_port == 0 && !wants_ports {
            continue;
        }
        let shared = given.iter().find(|(n, _)| *n == number).map(|(_, node)| *node);
        let chosen = match (node_port, shared) {
            (0, Some(shared)) => Some(shared),
            (0, None) => requested(number),
            (node_port, _) => Some(node_port),
        };
        match chosen {
            Some(chosen) if Some(chosen) == shared || own.contains(&chosen) || given.iter().any(|g| g.1 == chosen) => {
                port.set("nodePort", chosen);
                given.push((number, chosen));
            }
            Some(chosen) => {
                if let Err(why) = ports.reserve(chosen) {
                    let mut errs = ErrorList::new();
                    errs.invalid(&path.index(i).child("nodePort"), Shown(chosen.to_string()), &why);
                    return Err(errs);
                }
                port.set("nodePort", chosen);
                given.push((number, chosen));
            }
            None => {
                if let Some(next) = ports.next(random) {
                    port.set("nodePort", next);
                    given.push((number, next));
                }
            }
        }
    }
    Ok(())
}

/// IPAddress objects for addresses that came, none for those that went; the Endpoints of a deleted service.
pub fn plan_side_writes(ctx: &Context, object: Option<&Value>, old: Option<&Value>) -> Result<Vec<SideWrite>> {
    let addresses = |service: Option<&Value>| -> Vec<String> {
        let Some(service) = service else { return Vec::new() };
        if service["spec"]["type"].str() == "ExternalName" {
            return Vec::new();
        }
        let texts = service["spec"]["clusterIPs"].items().iter();
        texts.filter_map(|t| ip::parse_sloppy(t.str())).map(|ip| ip.to_string()).collect()
    };
    let (new, stored) = (addresses(object), addresses(old));
    let mut writes = Vec::new();
    if let Some(object) = object {
        let spec = &object["spec"];
        let wants = spec["type"].str() != "ExternalName" && !super::is_headless(object);
        if wants && new.len() < spec["ipFamilies"].items().len() {
            return Err(Status::internal("failed to allocate a serviceIP: range is full"));
        }
        for address in new.iter().filter(|a| !stored.contains(a)) {
            writes.push(SideWrite::Create {
                group: NETWORKING.into(),
                resource: "ipaddresses".into(),
                namespace: "".into(),
                name: address.as_str().into(),
                object: ip_address(ctx, object, address),
                recorded: Recorded::Subresource(""),
            });
        }
    }
    for address in stored.iter().filter(|a| !new.contains(a)) {
        writes.push(SideWrite::Delete {
            group: NETWORKING.into(),
            resource: "ipaddresses".into(),
            namespace: "".into(),
            name: address.as_str().into(),
        });
    }
    if let (None, Some(old)) = (object, old) {
        let metadata = &old["metadata"];
        writes.push(SideWrite::Delete {
            group: "".into(),
            resource: "endpoints".into(),
            namespace: metadata["namespace"].str().into(),
            name: metadata["name"].str().into(),
        });
    }
    Ok(writes)
}

fn ip_address(ctx: &Context, service: &Value, address: &str) -> Value {
    let metadata = &service["metadata"];
    value!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IPAddress",
        "metadata": {
            "name": address,
            "creationTimestamp": (ctx.now.to_rfc3339()),
            "labels": {
                "ipaddress.kubernetes.io/ip-family": (families::family_of(address)),
                "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io"
            }
        },
        "spec": {
            "parentRef": {
                "group": "",
                "resource": "services",
                "namespace": (&metadata["namespace"]),
                "name": (&metadata["name"])
            }
        }
    })
}
