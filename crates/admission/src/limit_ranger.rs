//! LimitRanger: gives containers the defaults of their namespace's LimitRanges, and holds pods and claims to the limits.

use crate::resource_list::{ResourceList, of_containers};
use crate::{Attributes, Operation, Plugin};
use meta::quantity::Quantity;
use meta::{Result, Value};

pub struct LimitRanger;

const ANNOTATION: &str = "kubernetes.io/limit-ranger";

impl Plugin for LimitRanger {
    fn name(&self) -> &'static str {
        "LimitRanger"
    }

    fn admit(&self, attributes: &Attributes, object: &mut Value) -> Result<()> {
        if is_limited(attributes) && attributes.resource == "pods" {
            for range in ranges(attributes) {
                prepare_pod(object, &range);
            }
        }
        Ok(())
    }

    fn validate(&self, attributes: &Attributes, object: &Value) -> Result<()> {
        if !is_limited(attributes) {
            return Ok(());
        }
        for range in ranges(attributes) {
            let mut errs = Vec::new();
            for limit in range["spec"]["limits"].items() {
                match (attributes.resource, limit["type"].str()) {
                    ("pods", "Container") => validate_containers(&object["spec"], limit, &mut errs),
                    ("pods", "Pod") => validate_whole(&object["spec"], limit, &mut errs),
                    ("persistentvolumeclaims", "PersistentVolumeClaim") => validate_claim(object, limit, &mut errs),
                    _ => {}
                }
            }
            match errs.as_slice() {
                [] => {}
                [one] => return Err(attributes.forbidden(one)),
                many => return Err(attributes.forbidden(&format!("[{}]", many.join(", ")))),
            }
        }
        Ok(())
    }
}

/// Containers come and change with creation and resizing only.
fn is_limited(attributes: &Attributes) -> bool {
    let creates = attributes.operation == Operation::Create;
    let updates = attributes.operation == Operation::Update;
    match attributes.subresource() {
        "" => {
            creates && attributes.is("", "pods") || (creates || updates) && attributes.is("", "persistentvolumeclaims")
        }
        "resize" => updates && attributes.group.is_empty() && attributes.resource == "pods",
        _ => false,
    }
}

fn ranges(attributes: &Attributes) -> Vec<Value> {
    attributes.ctx.reader.list("", "limitranges", attributes.namespace())
}

/// What is missing is set, and told in an annotation.
fn prepare_pod(pod: &mut Value, range: &Value) {
    let limits = range["spec"]["limits"].items().iter().filter(|limit| limit["type"].str() == "Container");
    let (mut requests, mut maxima) = (ResourceList::default(), ResourceList::default());
    for limit in limits {
        requests.0.extend(ResourceList::of(&limit["defaultRequest"]).0);
        maxima.0.extend(ResourceList::of(&limit["default"]).0);
    }
    let mut told = Vec::new();
    for (field, noun) in [("containers", "container"), ("initContainers", "init container")] {
        let Some(containers) = pod.entry("spec").get_mut(field) else { continue };
        for container in containers.items_mut() {
            let name = container["name"].str().to_string();
            for (kind, word, defaults) in [("requests", "request", &requests), ("limits", "limit", &maxima)] {
                let set = set_missing(container, kind, defaults);
                if !set.is_empty() {
                    told.push(format!("{} {word} for {noun} {name}", set.join(", ")));
                }
            }
        }
    }
    if !told.is_empty() {
        let text = format!("LimitRanger plugin set: {}", told.join("; "));
        pod.entry("metadata").entry("annotations").set(ANNOTATION, text);
    }
}

fn set_missing(container: &mut Value, kind: &str, defaults: &ResourceList) -> Vec<String> {
    let have = &container["resources"][kind];
    let missing = defaults.only(|name| have.get(name).is_none());
    for (name, amount) in &missing.0 {
        container.entry("resources").entry(kind).set(name, amount.to_string());
    }
    missing.0.into_keys().collect()
}

/// The limits of one LimitRange entry, held against requests and limits; `errs` gets upstream's texts.
struct Held<'a> {
    kind: &'a str,
    requests: ResourceList,
    limits: ResourceList,
}

impl Held<'_> {
    fn validate(&self, limit: &Value, errs: &mut Vec<String>) {
        for (name, min) in &ResourceList::of(&limit["min"]).0 {
            errs.extend(self.below(name, min));
        }
        for (name, max) in &ResourceList::of(&limit["max"]).0 {
            errs.extend(self.above(name, max));
        }
        for (name, ratio) in &ResourceList::of(&limit["maxLimitRequestRatio"]).0 {
            errs.extend(self.out_of_ratio(name, ratio));
        }
    }

    fn below(&self, name: &str, min: &Quantity) -> Option<String> {
        let text = format!("minimum {name} usage per {} is {min}", self.kind);
        let Some(request) = self.requests.get(name) else { return Some(format!("{text}.  No request is specified")) };
        if request < min {
            return Some(format!("{text}, but request is {request}"));
        }
        let limit = self.limits.get(name).filter(|limit| *limit < min)?;
        Some(format!("{text}, but limit is {limit}"))
    }

    fn above(&self, name: &str, max: &Quantity) -> Option<String> {
        let text = format!("maximum {name} usage per {} is {max}", self.kind);
        let Some(limit) = self.limits.get(name) else { return Some(format!("{text}.  No limit is specified")) };
        if limit > max {
            return Some(format!("{text}, but limit is {limit}"));
        }
        let request = self.requests.get(name).filter(|request| *request > max)?;
        Some(format!("{text}, but request is {request}"))
    }

    fn out_of_ratio(&self, name: &str, ratio: &Quantity) -> Option<String> {
        let text = format!("{name} max limit to request ratio per {} is {ratio}", self.kind);
        let given = |list: &ResourceList| list.get(name).filter(|amount| !amount.is_zero()).cloned();
        let Some(request) = given(&self.requests) else {
            return Some(format!("{text}, but no request is specified or request is 0"));
        };
        let Some(limit) = given(&self.limits) else {
            return Some(format!("{text}, but no limit is specified or limit is 0"));
        };
        let observed = limit.milli_value() as f64 / request.milli_value() as f64;
        let over = observed * 1000.0 > ratio.milli_value() as f64;
        over.then(|| format!("{text}, but provided ratio is {observed:.6}"))
    }
}

fn validate_containers(spec: &Value, limit: &Value, errs: &mut Vec<String>) {
    for container in ["containers", "initContainers"].iter().flat_map(|field| spec[*field].items()) {
        let of = |kind: &str| ResourceList::of(&container["resources"][kind]);
        Held { kind: "Container", requests: of("requests"), limits: of("limits") }.validate(limit, errs);
    }
}

fn validate_whole(spec: &Value, limit: &Value, errs: &mut Vec<String>) {
    let (requests, limits) = (of_containers(spec, "requests"), of_containers(spec, "limits"));
    Held { kind: "Pod", requests, limits }.validate(limit, errs);
}

/// Claims have requests only.
fn validate_claim(claim: &Value, limit: &Value, errs: &mut Vec<String>) {
    let requests = ResourceList::of(&claim["spec"]["resources"]["requests"]);
    let kind = "PersistentVolumeClaim";
    for (bound, name, exceeds) in
        [("min", "minimum", std::cmp::Ordering::Less), ("max", "maximum", std::cmp::Ordering::Greater)]
    {
        for (resource, amount) in &ResourceList::of(&limit[bound]).0 {
            let text = format!("{name} {resource} usage per {kind} is {amount}");
            match requests.get(resource) {
                None => errs.push(format!("{text}.  No request is specified")),
                Some(request) if request.cmp(amount) == exceeds => {
                    errs.push(format!("{text}, but request is {request}"))
                }
                Some(_) => {}
            }
        }
    }
}
