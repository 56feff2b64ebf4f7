//! When an indexed job has succeeded before all its indexes have.

use super::indexes;
use meta::Value;
use meta::field::{ErrorList, Path};

const RULES_MAX: usize = 20;
const INDEXES_MAX: usize = 64 * 1024;

pub fn validate(spec: &Value, path: &Path, errs: &mut ErrorList) {
    let rules = spec["successPolicy"]["rules"].items();
    let list = path.child("rules");
    if rules.is_empty() {
        errs.required(&list, "at least one rules must be specified when the successPolicy is specified");
    }
    if rules.len() > RULES_MAX {
        errs.too_many(&list, rules.len(), RULES_MAX);
    }
    for (i, rule) in rules.iter().enumerate() {
        validate_rule(rule, spec["completions"].int(), &list.index(i), errs);
    }
}

fn validate_rule(rule: &Value, completions: i64, path: &Path, errs: &mut ErrorList) {
    let (count, indexes) = (rule["succeededCount"].as_int(), rule["succeededIndexes"].as_str());
    if count.is_none() && indexes.is_none() {
        errs.required(path, "at least one of succeededCount or succeededIndexes must be specified");
    }
    let listed = indexes.map(|text| validate_indexes(text, completions, &path.child("succeededIndexes"), errs));
    let Some(count) = count else { return };
    let at = path.child("succeededCount");
    errs.non_negative(&at, count);
    let limits = [
        (Some(completions), "the number of specified completions"),
        (listed, "the number of indexes in the specified succeededIndexes field"),
    ];
    for (limit, what) in limits {
        if let Some(limit) = limit.filter(|limit| count > *limit) {
            errs.invalid(&at, count, &format!("must be less than or equal to {limit} ({what})"));
        }
    }
}

/// How many indexes are listed: none when the list is wrong.
fn validate_indexes(text: &str, completions: i64, path: &Path, errs: &mut ErrorList) -> i64 {
    if text.len() > INDEXES_MAX {
        errs.too_long(path, INDEXES_MAX);
    }
    indexes::count(text, completions).unwrap_or_else(|wrong| {
        errs.invalid(path, text, &format!("error parsing succeededIndexes: {wrong}"));
        0
    })
}
