//! The objects that a policy takes its parameters from.

use crate::Attributes;
use meta::Value;
use meta::selector::LabelSelector;

/// Why the parameters of a binding cannot be had.
pub enum Unbound {
    /// The kind of the policy's parameters is not there.
    Policy(String),
    Binding(String),
}

/// The parameters a binding names, each to be judged with; one that is absent where there are none.
///
/// # Errors
/// They cannot be had, or there are none and the binding denies that.
pub fn params(attributes: &Attributes, spec: &Value, reference: &Value) -> Result<Vec<Option<Value>>, Unbound> {
    let kind = &spec["paramKind"];
    if kind.is_null() {
        return Ok(vec![None]);
    }
    let (group, version) = match kind["apiVersion"].str() {
        text if text.contains('/') => text.split_once('/').unwrap_or_default(),
        text => ("", text),
    };
    let served = attributes.cluster.resources_of(group, version, kind["kind"].str());
    let Some(served) = served.first() else {
        let kind = kind["kind"].str();
        let why = format!("failed to find resource referenced by paramKind: '{group}/{version}, Kind={kind}'");
        return Err(Unbound::Policy(why));
    };
    if reference.is_null() {
        return Ok(vec![None]);
    }
    let binding = |why: &str| Unbound::Binding(why.to_owned());
    let namespace = match (served.namespaced, reference["namespace"].str()) {
        (false, "") => "",
        (false, _) => return Err(binding("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")),
        (true, "") if attributes.namespace().is_empty() => {
            let why = "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources";
            return Err(binding(why));
        }
        (true, "") => attributes.namespace(),
        (true, named) => named,
    };
    let reader = attributes.ctx.reader;
    let found: Vec<Option<Value>> = match reference["name"].str() {
        "" => {
            let selector = LabelSelector::from_value(&reference["selector"]).map_err(|why| binding(&why))?;
            let all = reader.list(group, &served.plural, namespace).into_iter();
            all.filter(|object| selector.matches_value(&object["metadata"]["labels"])).map(Some).collect()
        }
        name => reader.get(group, &served.plural, namespace, name).map(Some).into_iter().collect(),
    };
    if found.is_empty() && reference["parameterNotFoundAction"].str() == "Deny" {
        return Err(binding("no params found for policy binding with `Deny` parameterNotFoundAction"));
    }
    Ok(found)
}
