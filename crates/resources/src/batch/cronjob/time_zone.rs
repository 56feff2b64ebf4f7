//! Names of time zones.

use meta::field::{ErrorList, Path};
use std::collections::BTreeSet;
use std::sync::LazyLock;

const PART_MAX: usize = 14;

/// The names of the IANA database.
static NAMES: LazyLock<BTreeSet<&str>> = LazyLock::new(|| include_str!("time_zones.txt").lines().collect());

/// As Go's time.LoadLocation.
pub fn load(name: &str) -> Result<(), String> {
    match name {
        "" | "UTC" | "Local" => Ok(()),
        name if NAMES.contains(name) => Ok(()),
        name => Err(format!("unknown time zone {name}")),
    }
}

pub fn validate(name: &str, path: &Path, errs: &mut ErrorList) {
    if name.is_empty() {
        errs.invalid(path, name, "timeZone must be nil or non-empty string");
        return;
    }
    if !name.split('/').all(is_part) {
        errs.invalid(path, name, &format!("unknown time zone {name}"));
        return;
    }
    if name.eq_ignore_ascii_case("local") {
        let detail = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        errs.invalid(path, name, detail);
    }
    if let Err(wrong) = load(name) {
        errs.invalid(path, name, &wrong);
    }
}

fn is_part(part: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b".-_+".contains(&b);
    (1..=PART_MAX).contains(&part.len())
        && part != "."
        && part != ".."
        && !part.starts_with('-')
        && part.bytes().all(allowed)
}
