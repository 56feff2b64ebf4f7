//! Access for administrators to devices in use: only in namespaces that are marked for it.

use meta::Value;
use meta::field::{ErrorList, Path};
use resource::Context;

const LABEL: &str = "resource.kubernetes.io/admin-access";

/// Requests of a claim; `path` is where upstream reports them, even those of a template.
pub fn validate_requests(ctx: &Context, object: &Value, requests: &Value, errs: &mut ErrorList) {
    let path = Path::new("spec").child("devices").child("requests");
    let asking = requests.items().iter().position(|request| request["exactly"]["adminAccess"].bool());
    validate(ctx, object, asking.map(|i| path.index(i)), errs);
}

/// Results of an allocation that gives what the old one did not.
pub fn validate_results(ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
    let path = Path::new("status").child("allocation").child("devices").child("results");
    let first = |claim: &Value| {
        claim["status"]["allocation"]["devices"]["results"].items().iter().position(|r| r["adminAccess"].bool())
    };
    if first(old).is_none() {
        validate(ctx, object, first(object).map(|i| path.index(i)), errs);
    }
}

fn validate(ctx: &Context, object: &Value, at: Option<Path>, errs: &mut ErrorList) {
    let Some(at) = at.map(|at| at.child("adminAccess")) else { return };
    let name = object["metadata"]["namespace"].str();
    match ctx.reader.get("", "namespaces", "", name) {
        None => errs.internal(
            &at,
            &format!("could not retrieve namespace to verify admin access: namespaces \"{name}\" not found"),
        ),
        Some(namespace) if namespace["metadata"]["labels"][LABEL].str() != "true" => {
            let message =
                format!("admin access to devices requires the `{LABEL}: true` label on the containing namespace");
            errs.forbidden(&at, &message);
        }
        Some(_) => {}
    }
}
