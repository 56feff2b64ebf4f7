//! From what a path names to what is served there: 404 for what is not, 405 for methods it does not have.

use crate::path::PathInfo;
use crate::registry::{Endpoint, Resources};
use http::Method;
use meta::{Reason, Result, Status};
use resource::{Descriptor, Stream, Subresource, SubresourceKind, Verb};
use std::sync::Arc;

/// What a request is about.
pub struct Route {
    /// What is served, as of the beginning of the request.
    pub resources: Arc<Resources>,
    pub endpoint: Arc<Endpoint>,
    /// `None`: the resource itself.
    pub part: Option<Subresource>,
    pub info: PathInfo,
}

/// Why there is no route.
pub enum NoRoute {
    /// A group that nobody serves: upstream's mux answers in plain text.
    UnknownGroup,
    Refused(Status),
}

impl Route {
    pub fn find(resources: Arc<Resources>, method: &Method, info: PathInfo) -> std::result::Result<Route, NoRoute> {
        let Some(endpoint) = resources.endpoint(&info.group, &info.version, &info.resource).cloned() else {
            let known = info.group.is_empty() || resources.has_builtin_group(&info.group);
            return Err(if known { NoRoute::Refused(Status::resource_not_found()) } else { NoRoute::UnknownGroup });
        };
        let is_custom = endpoint.descriptor.stored_as_json;
        let elsewhere = is_custom && !fits_scope(&endpoint.descriptor, &info, method);
        let part = match find_part(&endpoint.descriptor, &info) {
            _ if elsewhere => return Err(NoRoute::UnknownGroup),
            Ok(part) => part,
            Err(_) if is_custom => {
                let d = &endpoint.descriptor;
                return Err(NoRoute::Refused(Status::not_found(&d.group, &d.plural, &info.name)));
            }
            Err(status) => return Err(NoRoute::Refused(status)),
        };
        let mut methods = match &part {
            Some(part) => part_methods(part),
            None => methods(&endpoint.descriptor, &info),
        };
        if is_custom && part.is_none() && !info.watch_path {
            // Upstream does not look at the name of what is created.
            methods.push("POST");
        }
        check_method(&methods, method).map_err(|status| {
            let d = &endpoint.descriptor;
            let custom = || Status::method_not_supported(&d.group, &d.plural, info.verb);
            NoRoute::Refused(if is_custom { custom() } else { status })
        })?;
        Ok(Route { resources, endpoint, part, info })
    }

    /// 400 for a name in the path that no object can have.
    pub fn check_name(&self) -> Result<()> {
        let name = &self.info.name;
        let wrong = meta::name::path_segment(name);
        if !self.info.is_named || wrong.is_empty() {
            return Ok(());
        }
        let quoted = meta::field::quote(name);
        Err(Status::bad_request(format!("Name parameter invalid: {quoted}: {}", wrong.join(";"))))
    }

    pub fn descriptor(&self) -> &Descriptor {
        &self.endpoint.descriptor
    }
}

/// Whether a custom resource is served at this kind of path. Across namespaces there is nothing but reading.
fn fits_scope(descriptor: &Descriptor, info: &PathInfo, method: &Method) -> bool {
    let reads_all = !info.is_named && *method == Method::GET;
    if descriptor.namespaced { info.in_namespace || reads_all } else { !info.in_namespace }
}

/// The subresource that the path names, and whether the path fits the resource's scope.
fn find_part(descriptor: &Descriptor, info: &PathInfo) -> Result<Option<Subresource>> {
    let scope_fits = if descriptor.namespaced { info.in_namespace || !info.is_named } else { !info.in_namespace };
    if !scope_fits {
        return Err(Status::resource_not_found());
    }
    if info.subresource.is_empty() {
        return Ok(None);
    }
    let part = descriptor.subresource(&info.subresource).filter(|_| !info.watch_path);
    let part = part.filter(|p| matches!(info.rest.as_str(), "" | "/") || matches!(p.does, SubresourceKind::Connect(_)));
    part.cloned().map(Some).ok_or_else(Status::resource_not_found)
}

/// The methods of a resource at this kind of path.
fn methods(descriptor: &Descriptor, info: &PathInfo) -> Vec<&'static str> {
    let of = |pairs: &[(Verb, &'static str)]| {
        pairs.iter().filter(|(verb, _)| descriptor.verbs.contains(verb)).map(|(_, method)| *method).collect()
    };
    if info.watch_path {
        of(&[(Verb::Watch, "GET")])
    } else if info.is_named {
        of(&[(Verb::Get, "GET"), (Verb::Update, "PUT"), (Verb::Patch, "PATCH"), (Verb::Delete, "DELETE")])
    } else if descriptor.namespaced && !info.in_namespace {
        of(&[(Verb::List, "GET")])
    } else {
        of(&[(Verb::List, "GET"), (Verb::Create, "POST"), (Verb::DeleteCollection, "DELETE")])
    }
}

fn part_methods(part: &Subresource) -> Vec<&'static str> {
    let method = |verb: &Verb| match verb {
        Verb::Create => "POST",
        Verb::Update => "PUT",
        Verb::Patch => "PATCH",
        Verb::Delete | Verb::DeleteCollection => "DELETE",
        Verb::Get | Verb::List | Verb::Watch => "GET",
    };
    let mut methods: Vec<&'static str> = part.verbs.iter().map(method).collect();
    if let SubresourceKind::Connect(to) = &part.does
        && to.stream() == Stream::Proxy
    {
        methods.extend(["HEAD", "OPTIONS"]);
    }
    methods
}

fn check_method(methods: &[&str], method: &Method) -> Result<()> {
    if methods.is_empty() {
        return Err(Status::resource_not_found());
    }
    if methods.contains(&method.as_str()) {
        return Ok(());
    }
    Err(method_not_allowed())
}

/// What upstream's router says of a path that is no resource's, before any document is looked for: 405 for other
/// methods than GET on a version's document.
pub fn check_document(resources: &Resources, method: &Method, path: &str) -> Result<()> {
    match version_of(path) {
        Some((group, version)) if method != Method::GET && resources.has_version(group, version) => {
            Err(method_not_allowed())
        }
        // Unlike the lists of groups and of a group's versions, which the aggregator answers whatever the method.
        None if method != Method::GET && path.trim_matches('/') == "api" => Err(method_not_allowed()),
        _ => Ok(()),
    }
}

/// Whether a path that nobody answers is below a group that is served: then 404 is a Status, else plain text.
pub fn is_below_group(resources: &Resources, path: &str) -> bool {
    version_of(path).is_some_and(|(group, _)| group.is_empty() || resources.has_builtin_group(group))
}

/// Group and version of the path of a version's document.
fn version_of(path: &str) -> Option<(&str, &str)> {
    let mut parts = path.trim_matches('/').split('/');
    let (group, version) = match parts.next()? {
        "api" => ("", parts.next()?),
        "apis" => (parts.next()?, parts.next()?),
        _ => return None,
    };
    parts.next().is_none().then_some((group, version))
}

/// 405 of a path that exists.
pub fn method_not_allowed() -> Status {
    let text = "the server does not allow this method on the requested resource";
    let mut status = Status::failure(405, Reason::MethodNotAllowed, text);
    status.details = Some(Box::default());
    status
}
