//! What a request is about, from its method, path and query alone (k8s.io/apiserver/pkg/endpoints/request/requestinfo.go).

use crate::query::Query;
use auth::Selection;
use http::Method;
use meta::Str;

/// What the path names. Parts that are absent are "".
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PathInfo {
    pub path: String,
    /// `get`, `list`, `watch`, …; the method in lower case for paths that name no resource.
    pub verb: &'static str,
    /// Whether the path names a resource.
    pub is_resource: bool,
    pub group: Str,
    pub version: Str,
    pub namespace: Str,
    /// Whether the path has a namespace segment (which may be empty).
    pub in_namespace: bool,
    pub resource: Str,
    pub subresource: Str,
    pub name: Str,
    /// The name is a segment of the path, not a field selector's.
    pub is_named: bool,
    /// What follows the subresource: a proxied path, with its slashes at both ends; "" when nothing follows.
    pub rest: String,
    /// Which objects of a collection, for authorizers.
    pub selection: Selection,
    /// The verb came from a deprecated `/watch/` path.
    pub watch_path: bool,
    /// A deprecated `/proxy/` path.
    pub proxy_path: bool,
}

/// Subresources of a namespace that are not resources within it.
const NAMESPACE_PARTS: &[&str] = &["status", "finalize"];

impl PathInfo {
    /// 500 text for a path that ends in the middle of a special verb.
    pub fn resolve(method: &Method, path: &str, query: &Query) -> Result<PathInfo, String> {
        let decoded = percent_decode(path);
        let mut info = PathInfo { path: decoded.clone(), verb: method_name(method), ..PathInfo::default() };
        let trimmed = decoded.trim_matches('/');
        let parts: Vec<&str> = if trimmed.is_empty() { Vec::new() } else { trimmed.split('/').collect() };
        let Some((version_at, mut parts)) = split_prefix(&parts) else { return Ok(info) };
        info.group = version_at.0.into();
        info.version = version_at.1.into();
        info.is_resource = true;
        info.verb = verb_of(method);
        if let [special @ ("watch" | "proxy"), after @ ..] = parts {
            if after.is_empty() {
                return Err(format!("unable to determine kind and namespace from url, {path}"));
            }
            info.watch_path = *special == "watch";
            info.proxy_path = *special == "proxy";
            if info.watch_path {
                info.verb = "watch";
            }
            parts = after;
        }
        info.read_namespace(&mut parts);
        if let [resource, after @ ..] = parts {
            info.resource = (*resource).into();
            info.name = after.first().copied().unwrap_or("").into();
            info.is_named = !info.name.is_empty();
            if info.proxy_path {
                // the old form has the proxied path right behind the name
                info.subresource = "proxy".into();
                info.rest = rest_of(path, after.get(1..));
                return Ok(info);
            }
            info.subresource = after.get(1).copied().unwrap_or("").into();
            info.rest = rest_of(path, after.get(2..));
        }
        info.refine_verb(query);
        Ok(info)
    }

    fn read_namespace(&mut self, parts: &mut &[&str]) {
        if let ["namespaces", namespace, after @ ..] = *parts {
            self.namespace = (*namespace).into();
            // `namespaces/x` and its own subresources are about the namespace itself
            if let [first, ..] = after
                && !NAMESPACE_PARTS.contains(first)
            {
                self.in_namespace = true;
                *parts = after;
            }
        }
    }

    /// A collection is listed, watched or deleted as a whole; there a field selector may name the one object.
    fn refine_verb(&mut self, query: &Query) {
        if self.name.is_empty() && self.verb == "get" {
            self.verb = if query.flag("watch") { "watch" } else { "list" };
        } else if self.name.is_empty() && self.verb == "delete" {
            self.verb = "deletecollection";
        }
        if matches!(self.verb, "list" | "watch" | "deletecollection") && self.name.is_empty() {
            self.selection = Selection::parse(query.text("fieldSelector"), query.text("labelSelector"));
            let named = self.selection.fields.iter().find(|term| term.equal && term.field == "metadata.name");
            if let Some(term) = named.filter(|term| meta::name::path_segment(&term.value).is_empty()) {
                self.name = term.value.clone();
            }
        }
    }
}

/// The path as Go's `URL.Path` has it. What does not decode stays as it is.
fn percent_decode(path: &str) -> String {
    if !path.contains('%') {
        return path.to_owned();
    }
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| *first == b'%').and_then(|h| std::str::from_utf8(h).ok());
        match hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = after.get(2..).unwrap_or(&[]);
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Group and version, and what follows them; `None` for a path that is too short to name a resource.
fn split_prefix<'a, 'b>(parts: &'b [&'a str]) -> Option<((&'a str, &'a str), &'b [&'a str])> {
    match parts {
        ["api", version, after @ ..] if !after.is_empty() => Some((("", version), after)),
        ["apis", group, version, after @ ..] if !after.is_empty() => Some(((group, version), after)),
        _ => None,
    }
}

/// The parts as they stand at the end of the path, with the slashes around them.
fn rest_of(path: &str, parts: Option<&[&str]>) -> String {
    let parts = parts.unwrap_or(&[]);
    let slash = if path.ends_with('/') { "/" } else { "" };
    if parts.is_empty() { slash.to_owned() } else { format!("/{}{slash}", parts.join("/")) }
}

fn verb_of(method: &Method) -> &'static str {
    match method.as_str() {
        "POST" => "create",
        "GET" | "HEAD" => "get",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ => "",
    }
}

fn method_name(method: &Method) -> &'static str {
    match method.as_str() {
        "POST" => "post",
        "GET" => "get",
        "HEAD" => "head",
        "PUT" => "put",
        "PATCH" => "patch",
        "DELETE" => "delete",
        "OPTIONS" => "options",
        "TRACE" => "trace",
        "CONNECT" => "connect",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(method: &str, uri: &str) -> PathInfo {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
        PathInfo::resolve(&method, path, &Query::parse(query)).unwrap_or_default()
    }

    #[test]
    fn proxied_paths_keep_their_slashes_in_both_forms() {
        let cases = [
            ("/api/v1/namespaces/a/pods/p/proxy", "a", "pods", "p", ""),
            ("/api/v1/namespaces/a/pods/p/proxy/", "a", "pods", "p", "/"),
            ("/api/v1/namespaces/a/services/https:s:1/proxy/x/y/", "a", "services", "https:s:1", "/x/y/"),
            ("/api/v1/nodes/n/proxy/metrics", "", "nodes", "n", "/metrics"),
            ("/api/v1/proxy/nodes/n/metrics", "", "nodes", "n", "/metrics"),
            ("/api/v1/proxy/namespaces/a/pods/p/x/", "a", "pods", "p", "/x/"),
            ("/api/v1/proxy/namespaces/a/services/s", "a", "services", "s", ""),
        ];
        for (path, namespace, resource, name, rest) in cases {
            let info = resolve("POST", path);
            let got = (&*info.namespace, &*info.resource, &*info.name, &*info.subresource, &*info.rest, info.verb);
            assert_eq!(got, (namespace, resource, name, "proxy", rest, "create"), "{path}");
        }
    }

    #[test]
    fn paths_resolve_to_what_they_name() {
        for (method, uri, want) in [
            ("GET", "/api/v1/namespaces/a/pods", "list |v1|a|pods||"),
            ("GET", "/api/v1/namespaces/a/pods?watch=1", "watch |v1|a|pods||"),
            ("GET", "/api/v1/namespaces/a/pods/x/log", "get |v1|a|pods|x|log"),
            ("HEAD", "/api/v1/nodes/x", "get |v1||nodes|x|"),
            ("GET", "/api/v1/namespaces/a", "get |v1|a|namespaces|a|"),
            ("PUT", "/api/v1/namespaces/a/finalize", "update |v1|a|namespaces|a|finalize"),
            ("DELETE", "/apis/apps/v1/deployments", "deletecollection apps|v1||deployments||"),
            ("GET", "/api/v1/watch/namespaces/a/pods/x", "watch |v1|a|pods|x|"),
            ("GET", "/api/v1/pods?fieldSelector=metadata.name%3Dx", "list |v1||pods|x|"),
            ("GET", "/api/v1/namespaces/a/configmaps/%C3%BC", "get |v1|a|configmaps|ü|"),
            ("GET", "/api/v1/namespaces/a/configmaps/a%2Fb", "get |v1|a|configmaps|a|b"),
            ("PATCH", "/apis/g/v1/things/x/status", "patch g|v1||things|x|status"),
            ("GET", "/apis/apps/v1", "get ||||"),
        ] {
            let i = resolve(method, uri);
            let got = if i.is_resource {
                format!(
                    "{} {}|{}|{}|{}|{}|{}",
                    i.verb, i.group, i.version, i.namespace, i.resource, i.name, i.subresource
                )
            } else {
                format!("{} ||||", i.verb)
            };
            assert_eq!(got, want, "{method} {uri}");
        }
    }
}
