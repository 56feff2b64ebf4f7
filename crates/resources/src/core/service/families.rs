//! IP families and their policy: inferred, defaulted and judged before addresses are allocated
//! (upstream: initIPFamilyFields in pkg/registry/core/service/storage/alloc.go).

use super::{NONE, validate};
use crate::rules::immutable::same;
use crate::rules::ip;
use meta::Value;
use meta::field::{ErrorList, Path};

const SINGLE: &str = "SingleStack";
const PREFER_DUAL: &str = "PreferDualStack";
const REQUIRE_DUAL: &str = "RequireDualStack";

/// The family of an address's text.
pub fn family_of(address: &str) -> &'static str {
    if ip::parse_sloppy(address).is_some_and(ip::is_v6) { "IPv6" } else { "IPv4" }
}

fn other(family: &str) -> &'static str {
    if family == "IPv4" { "IPv6" } else { "IPv4" }
}

/// Sets ipFamilyPolicy and ipFamilies. `configured` are the cluster's families, the primary first.
pub fn prepare(object: &mut Value, old: Option<&Value>, configured: &[&'static str]) -> Result<(), ErrorList> {
    if object["spec"]["type"].str() == "ExternalName" || is_kept_preference(object, old) {
        return Ok(());
    }
    let headless_selectorless = object["spec"]["clusterIP"].str() == NONE && object["spec"]["selector"].is_empty();
    if object["spec"]["ipFamilyPolicy"].is_null() {
        let policy = match old.and_then(|old| old["spec"]["ipFamilyPolicy"].as_str()) {
            Some(stored) => stored,
            None if headless_selectorless => REQUIRE_DUAL,
            None => SINGLE,
        };
        object.entry("spec").set("ipFamilyPolicy", policy);
    }
    let mut errs = ErrorList::new();
    validate::validate_cluster_ips(object, old, &mut errs);
    if !errs.is_empty() {
        return Err(errs);
    }
    if let Some(old) = old {
        prepare_change(object, old, &mut errs);
    }
    check_policy(object, &mut errs);
    infer(object, configured, &mut errs);
    if !errs.is_empty() {
        return Err(errs);
    }
    let primary = configured.first().copied().unwrap_or("IPv4");
    let spec = object.entry("spec");
    let single = spec["ipFamilyPolicy"].str() == SINGLE;
    if !headless_selectorless {
        check_configured(spec, configured, &mut errs);
        if !errs.is_empty() {
            return Err(errs);
        }
    }
    if spec["ipFamilies"].is_empty() {
        spec.set("ipFamilies", vec![Value::from(primary)]);
    }
    let first = spec["ipFamilies"][0].str().to_string();
    if !single && spec["ipFamilies"].items().len() == 1 && (headless_selectorless || configured.len() == 2) {
        spec.entry("ipFamilies").array_mut().push(other(&first).into());
    }
    Ok(())
}

/// A service that preferred dual stack and still does is neither upgraded nor downgraded when the cluster changes.
fn is_kept_preference(object: &Value, old: Option<&Value>) -> bool {
    let Some(old) = old else { return false };
    let (new, old) = (&object["spec"], &old["spec"]);
    let preferred = |spec: &Value| spec["ipFamilyPolicy"].str() == PREFER_DUAL;
    preferred(new)
        && preferred(old)
        && old["type"].str() != "ExternalName"
        && same(&new["clusterIPs"], &old["clusterIPs"])
        && same(&new["ipFamilies"], &old["ipFamilies"])
}

/// Setting the policy to single is enough to release what is secondary; anything else must say so.
fn prepare_change(object: &mut Value, old: &Value, errs: &mut ErrorList) {
    let path = Path::new("spec").child("ipFamilyPolicy");
    let stored = &old["spec"];
    let spec = object.entry("spec");
    let policy = spec["ipFamilyPolicy"].clone();
    let lists = [
        ("clusterIPs", "must be 'SingleStack' to release the secondary cluster IP"),
        ("ipFamilies", "must be 'SingleStack' to release the secondary IP family"),
    ];
    for (key, complaint) in lists {
        let (new, old) = (spec[key].items(), stored[key].items());
        if policy.str() == SINGLE {
            if same(&spec[key], &stored[key]) && new.len() > 1 {
                spec.entry(key).array_mut().truncate(1);
            }
        } else if new.len() == 1 && old.len() == 2 && new.first() == old.first() {
            errs.invalid(&path, &policy, complaint);
        }
    }
}

fn check_policy(object: &Value, errs: &mut ErrorList) {
    let spec = &object["spec"];
    let path = Path::new("spec").child("ipFamilyPolicy");
    let policy = &spec["ipFamilyPolicy"];
    for (key, what) in [("clusterIPs", "cluster IPs"), ("ipFamilies", "IP families")] {
        if policy.str() == SINGLE && spec[key].items().len() == 2 {
            let detail = format!("must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified");
            errs.invalid(&path, policy, &detail);
        }
    }
}

/// Adds the families of addresses that were asked for.
fn infer(object: &mut Value, configured: &[&'static str], errs: &mut ErrorList) {
    let path = Path::new("spec").child("clusterIPs");
    let spec = object.entry("spec");
    let ips = spec["clusterIPs"].clone();
    for (i, address) in ips.items().iter().enumerate().take_while(|(_, ip)| ip.str() != NONE) {
        if i < spec["ipFamilies"].items().len() {
            continue;
        }
        let family = family_of(address.str());
        if configured.contains(&family) {
            spec.entry("ipFamilies").array_mut().push(family.into());
        } else {
            errs.invalid(&path.index(i), &ips, &format!("{family} is not configured on this cluster"));
        }
    }
}

fn check_configured(spec: &Value, configured: &[&'static str], errs: &mut ErrorList) {
    let path = Path::new("spec");
    if spec["ipFamilyPolicy"].str() == REQUIRE_DUAL && configured.len() < 2 {
        let detail = "this cluster is not configured for dual-stack services";
        errs.invalid(&path.child("ipFamilyPolicy"), &spec["ipFamilyPolicy"], detail);
    }
    for (i, family) in spec["ipFamilies"].items().iter().enumerate() {
        if !configured.contains(&family.str()) {
            errs.invalid(&path.child("ipFamilies").index(i), family, "not configured on this cluster");
        }
    }
}
