//! The paths of a group version: a loop over verbs and subresources.

use super::Source;
use super::names::{capitalise, group_tag, group_word, version_path, version_tag, with_article};
use super::operation::*;
use super::parameters::{self, Parameter};
use meta::Gvk;
use resource::{Descriptor, Subresource, SubresourceKind, Verb};

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.";

/// The fixed paths under `/openapi/v3/{key}`, outside of any group version.
fn fixed_path(key: &str) -> Option<Path> {
    let types = OBJECT_TYPES;
    let meta = |name: &str| Content::Definition(format!("{META}{name}"));
    let operation = match key {
        "api" => {
            Operation::document("core", "getCoreAPIVersions", "get available API versions", types, meta("APIVersions"))
        }
        "apis" => {
            Operation::document("apis", "getAPIVersions", "get available API versions", types, meta("APIGroupList"))
        }
        "version" => {
            let info = Content::Definition("io.k8s.apimachinery.pkg.version.Info".into());
            Operation::document(
                "version",
                "getCodeVersion",
                "get the version information for this server",
                &["application/json"],
                info,
            )
        }
        "openid/v1/jwks" => Operation {
            consumes: &[],
            ..Operation::document(
                "openid",
                "getServiceAccountIssuerOpenIDKeyset",
                "get service account issuer OpenID JSON Web Key Set (contains public token verification keys)",
                &["application/jwk-set+json"],
                Content::Text,
            )
        },
        ".well-known/openid-configuration" => Operation {
            consumes: &[],
            ..Operation::document(
                "WellKnown",
                "getServiceAccountIssuerOpenIDConfiguration",
                "get service account issuer OpenID configuration, also known as the 'OIDC discovery doc'",
                &["application/json"],
                Content::Text,
            )
        },
        _ => return None,
    };
    Some(Path::new(format!("/{key}/"), vec![operation]))
}

/// The keys of [`fixed_path`].
const FIXED: &[&str] = &[".well-known/openid-configuration", "api", "apis", "openid/v1/jwks", "version"];

/// The keys of all documents, in order: "api/v1", "apis/apps", "version", …
pub fn keys(source: &Source) -> Vec<String> {
    let mut keys: Vec<String> = FIXED.iter().map(|k| k.to_string()).collect();
    for group in source.groups {
        if has_document(source, &group.name) {
            keys.push(format!("apis/{}", group.name));
        }
        let own = |version: &&meta::Str| is_own(source, &group.name, version);
        let prefix = if group.name.is_empty() { "api".to_string() } else { format!("apis/{}", group.name) };
        keys.extend(group.versions.iter().filter(own).map(|version| format!("{prefix}/{version}")));
    }
    keys.sort();
    keys
}

/// Whether this server serves a group version itself; other servers have documents of their own.
fn is_own(source: &Source, group: &str, version: &str) -> bool {
    source.descriptors.iter().any(|d| d.group == group && d.version == version)
}

/// The paths of a document's key; `None` when there is no such document.
pub fn of(source: &Source, key: &str) -> Option<Vec<Path>> {
    if let Some(path) = fixed_path(key) {
        return Some(vec![path]);
    }
    if let Some((group, version)) = group_version(key) {
        return is_own(source, group, version).then(|| version_paths(source, group, version));
    }
    let group = key.strip_prefix("apis/").filter(|g| !g.is_empty())?;
    has_document(source, group).then(|| vec![group_path(group)])
}

/// Group and version of "api/v1" or "apis/apps/v1".
pub fn group_version(key: &str) -> Option<(&str, &str)> {
    match key.split_once('/')? {
        ("api", version) => Some(("", version)),
        ("apis", rest) => rest.split_once('/').filter(|(group, _)| !group.is_empty()),
        _ => None,
    }
}

/// Whether a group has a path of its own: groups of custom resources only have not, nor has the core group.
fn has_document(source: &Source, group: &str) -> bool {
    !group.is_empty() && source.descriptors.iter().any(|d| d.group == group && d.protobuf)
}

/// The path of a group's own document.
fn group_path(name: &str) -> Path {
    let id = format!("get{}APIGroup", group_word(name));
    let response = Content::Definition(format!("{META}APIGroup"));
    let operation = Operation::document(&group_tag(name), &id, "get information of a group", OBJECT_TYPES, response);
    Path::new(format!("/apis/{name}/"), vec![operation])
}

/// All paths of a group version.
fn version_paths(source: &Source, group: &str, version: &str) -> Vec<Path> {
    let own = || source.descriptors.iter().filter(|d| d.group == group && d.version == version);
    let mut paths = Vec::new();
    if own().any(|d| d.protobuf) {
        let id = format!("get{}{}APIResources", group_word(group), capitalise(version));
        let response = Content::Definition(format!("{META}APIResourceList"));
        let tag = version_tag(group, version);
        let document = Operation::document(&tag, &id, "get available resources", OBJECT_TYPES, response);
        paths.push(Path::new(format!("{}/", version_path(group, version)), vec![document]));
    }
    own().for_each(|d| Writer::new(source, d).write(&mut paths));
    paths.sort_by(|a, b| a.path.cmp(&b.path));
    paths
}

/// Writes the paths of one resource.
struct Writer<'a> {
    source: &'a Source<'a>,
    d: &'a Descriptor,
    /// "CoreV1".
    version_word: String,
    definition: String,
    list_definition: String,
}

/// An object's or a subresource's operation: what the names and descriptions are made of.
struct Target<'a> {
    /// "" or the subresource's name.
    sub: &'a str,
    kind: Gvk,
    definition: String,
}

impl<'a> Writer<'a> {
    fn new(source: &'a Source<'a>, d: &'a Descriptor) -> Writer<'a> {
        let definition = d.schema.ty(d.type_id).name.to_string();
        let package = definition.rsplit_once('.').map_or("", |(package, _)| package);
        let list_definition = format!("{package}.{}", d.list_kind);
        let version_word = format!("{}{}", group_word(&d.group), capitalise(&d.version));
        Writer { source, d, version_word, definition, list_definition }
    }

    fn write(&self, paths: &mut Vec<Path>) {
        let prefix = version_path(&self.d.group, &self.d.version);
        let plural = &self.d.plural;
        let scope = if self.d.namespaced { "/namespaces/{namespace}" } else { "" };
        let collection = format!("{prefix}{scope}/{plural}");
        let object = format!("{collection}/{{name}}");
        let has = |verb| self.d.verbs.contains(&verb);
        add(paths, &collection, self.collection());
        add(paths, &object, self.object());
        for sub in &self.d.subresources {
            self.subresource(&format!("{object}/{}", sub.name), sub, paths);
        }
        if self.d.namespaced && has(Verb::List) {
            add(paths, &format!("{prefix}/{plural}"), vec![self.list(true)]);
        }
        if has(Verb::Watch) && self.d.protobuf {
            if self.d.namespaced {
                add(paths, &format!("{prefix}/watch/{plural}"), vec![self.watch_list(true)]);
            }
            add(paths, &format!("{prefix}/watch{scope}/{plural}"), vec![self.watch_list(false)]);
            add(paths, &format!("{prefix}/watch{scope}/{plural}/{{name}}"), vec![self.watch()]);
        }
    }

    fn collection(&self) -> Vec<Operation> {
        let mut operations = Vec::new();
        for verb in [Verb::List, Verb::Create, Verb::DeleteCollection].into_iter().filter(|v| self.d.verbs.contains(v))
        {
            operations.push(match verb {
                Verb::List => self.list(false),
                Verb::Create => self.create(&self.whole(), self.scope_parameters()),
                _ => self.delete_collection(),
            });
        }
        operations
    }

    fn object(&self) -> Vec<Operation> {
        let target = self.whole();
        let verbs = [Verb::Get, Verb::Update, Verb::Patch, Verb::Delete];
        verbs.into_iter().filter(|v| self.d.verbs.contains(v)).filter_map(|v| self.on_object(v, &target)).collect()
    }

    fn subresource(&self, path: &str, sub: &Subresource, paths: &mut Vec<Path>) {
        let builtin = schema::builtin();
        let definition = builtin.kind(&sub.kind).map(|id| builtin.ty(id).name.to_string());
        // A custom resource's operations are all of its own kind, also where they take and give a Scale.
        let kind = if self.d.protobuf { sub.kind.clone() } else { self.d.gvk() };
        let definition = definition.unwrap_or_else(|| self.definition.clone());
        let target = Target { sub: &sub.name, kind, definition };
        if let SubresourceKind::Connect(_) = sub.does {
            if sub.verbs == [Verb::Get] {
                return add(paths, path, vec![self.read_stream(&target)]);
            }
            add(paths, path, self.connect(&target, sub, false));
            if sub.verbs.contains(&Verb::Delete) {
                add(paths, &format!("{path}/{{path}}"), self.connect(&target, sub, true));
            }
            return;
        }
        let operation = |verb: &Verb| match verb {
            Verb::Create => Some(self.create(&target, self.object_parameters(&target))),
            verb => self.on_object(*verb, &target),
        };
        add(paths, path, sub.verbs.iter().filter_map(operation).collect());
    }

    fn whole(&self) -> Target<'static> {
        Target { sub: "", kind: self.d.gvk(), definition: self.definition.clone() }
    }

    /// "read" + "CoreV1" + "NamespacedPod" + "Status".
    fn id(&self, verb: &str, sub: &str, infix: &str) -> String {
        let scope = if self.d.namespaced { "Namespaced" } else { "" };
        format!("{verb}{}{infix}{scope}{}{}", self.version_word, self.d.kind, capitalise(sub))
    }

    fn operation(
        &self,
        method: &'static str,
        id: String,
        description: String,
        action: &'static str,
        kind: &Gvk,
    ) -> Operation {
        Operation {
            method,
            tag: version_tag(&self.d.group, &self.d.version),
            id,
            description,
            consumes: if self.d.protobuf { ANY_TYPE } else { CUSTOM_TYPES },
            produces: self.object_types().to_vec(),
            parameters: Vec::new(),
            body: None,
            response: Content::Text,
            codes: &[200],
            action: Some((action, kind.clone())),
        }
    }

    fn object_types(&self) -> &'static [&'static str] {
        if self.d.protobuf { OBJECT_TYPES } else { CUSTOM_TYPES }
    }

    fn options(&self, name: &'static str) -> Vec<Parameter> {
        self.source.options(name)
    }

    /// `pretty`, and the namespace of a namespaced resource.
    fn scope_parameters(&self) -> Vec<Parameter> {
        let mut out = vec![parameters::pretty()];
        out.extend(self.d.namespaced.then(parameters::namespace));
        out
    }

    fn object_parameters(&self, target: &Target) -> Vec<Parameter> {
        let mut out = self.scope_parameters();
        out.push(Parameter::path("name", &format!("name of the {}", target.kind.kind)));
        out
    }

    fn create(&self, target: &Target, mut parameters: Vec<Parameter>) -> Operation {
        let description = match target.sub {
            "" => format!("create {}", with_article(&self.d.kind)),
            sub => format!("create {sub} of {}", with_article(&self.d.kind)),
        };
        let mut operation =
            self.operation("post", self.id("create", target.sub, ""), description, "post", &target.kind);
        parameters.extend(self.options("CreateOptions"));
        operation.parameters = parameters::sorted(parameters, &[]);
        operation.body = Some(Body { definition: target.definition.clone(), required: true });
        operation.response = Content::Definition(target.definition.clone());
        operation.codes = &[200, 201, 202];
        operation
    }

    /// Get, update, patch or delete of one object or a part of it; `None` for other verbs.
    fn on_object(&self, verb: Verb, target: &Target) -> Option<Operation> {
        let (method, word, options) = match verb {
            // Only custom resources say what a read may ask for.
            Verb::Get => ("get", "read", if self.d.protobuf { "" } else { "GetOptions" }),
            Verb::Update => ("put", "replace", "UpdateOptions"),
            Verb::Patch => ("patch", "patch", "PatchOptions"),
            Verb::Delete => ("delete", "delete", "DeleteOptions"),
            _ => return None,
        };
        let does = if verb == Verb::Patch { "partially update" } else { word };
        let description = match (verb, target.sub) {
            (Verb::Delete, _) => format!("delete {}", with_article(&self.d.kind)),
            (_, "") => format!("{does} the specified {}", self.d.kind),
            (_, sub) => format!("{does} {sub} of the specified {}", self.d.kind),
        };
        let mut operation = self.operation(method, self.id(word, target.sub, ""), description, method, &target.kind);
        let mut parameters = self.object_parameters(target);
        parameters.extend(self.options(options));
        operation.parameters = parameters::sorted(parameters, &[]);
        operation.response = Content::Definition(target.definition.clone());
        match verb {
            Verb::Update => {
                operation.body = Some(Body { definition: target.definition.clone(), required: true });
                operation.codes = &[200, 201];
            }
            Verb::Patch => {
                operation.consumes = if self.d.protobuf { PATCH_TYPES } else { CUSTOM_PATCH_TYPES };
                operation.body = Some(Body { definition: format!("{META}Patch"), required: true });
                operation.codes = if self.d.protobuf { &[200, 201] } else { &[200] };
            }
            Verb::Delete => {
                operation.body = Some(Body { definition: format!("{META}DeleteOptions"), required: false });
                operation.codes = &[200, 202];
                if !self.d.strategy.delete_returns_object {
                    operation.response = Content::Definition(format!("{META}Status"));
                }
            }
            _ => {}
        }
        Some(operation)
    }

    fn delete_collection(&self) -> Operation {
        let description = format!("delete collection of {}", self.d.kind);
        let mut operation = self.operation(
            "delete",
            self.id("delete", "", "Collection"),
            description,
            "deletecollection",
            &self.d.gvk(),
        );
        let mut parameters = self.scope_parameters();
        parameters.extend(self.options("ListOptions"));
        if self.d.protobuf {
            parameters.extend(self.options("DeleteOptions"));
            parameters.retain(|p| p.name != "watch" && p.name != "allowWatchBookmarks");
            operation.body = Some(Body { definition: format!("{META}DeleteOptions"), required: false });
        }
        operation.parameters = parameters::sorted(parameters, &[]);
        operation.response = Content::Definition(format!("{META}Status"));
        operation
    }

    fn list(&self, all_namespaces: bool) -> Operation {
        let watched = self.d.verbs.contains(&Verb::Watch) && self.d.protobuf;
        let does = if watched { "list or watch" } else { "list" };
        let id = self.list_id("list", "", all_namespaces);
        let mut operation =
            self.operation("get", id, format!("{does} objects of kind {}", self.d.kind), "list", &self.d.gvk());
        let mut parameters = self.options("ListOptions");
        parameters.extend(self.scope_parameters());
        operation.parameters = parameters::sorted(parameters, if all_namespaces { &["namespace"] } else { &[] });
        operation.response = Content::Definition(self.list_definition.clone());
        if self.d.protobuf {
            operation.produces.extend(WATCH_TYPES);
        }
        operation
    }

    /// "list" + "CoreV1" + "NamespacedPod", "watch" + "CoreV1" + "PodListForAllNamespaces".
    fn list_id(&self, verb: &str, list: &str, all_namespaces: bool) -> String {
        if all_namespaces {
            return format!("{verb}{}{}{list}ForAllNamespaces", self.version_word, self.d.kind);
        }
        format!("{}{list}", self.id(verb, "", ""))
    }

    fn watch_list(&self, all_namespaces: bool) -> Operation {
        let description = format!(
            "watch individual changes to a list of {}. deprecated: use the 'watch' parameter with a list operation instead.",
            self.d.kind
        );
        let mut operation = self.list(all_namespaces);
        operation.id = self.list_id("watch", "List", all_namespaces);
        operation.description = description;
        operation.action = Some(("watchlist", self.d.gvk()));
        operation.response = Content::Definition(format!("{META}WatchEvent"));
        operation
    }

    fn watch(&self) -> Operation {
        let description = format!(
            "watch changes to an object of kind {}. deprecated: use the 'watch' parameter with a list operation instead, \
             filtered to a single item with the 'fieldSelector' parameter.",
            self.d.kind
        );
        let mut operation = self.watch_list(false);
        operation.id = self.id("watch", "", "");
        operation.description = description;
        operation.action = Some(("watch", self.d.gvk()));
        operation.parameters.extend(self.object_parameters(&self.whole()));
        operation.parameters = parameters::sorted(std::mem::take(&mut operation.parameters), &[]);
        operation
    }

    /// A subresource that is read as text: the log.
    fn read_stream(&self, target: &Target) -> Operation {
        let description = format!("read {} of the specified {}", target.sub, self.d.kind);
        let mut operation = self.operation("get", self.id("read", target.sub, ""), description, "get", &target.kind);
        let mut parameters = self.object_parameters(target);
        let options = format!("{}{}Options", self.definition, capitalise(target.sub));
        parameters.extend(parameters::fields(&self.d.schema, &self.source.descriptions, &options));
        operation.parameters = parameters::sorted(parameters, &[]);
        operation.produces.insert(0, "text/plain");
        operation
    }

    /// A byte stream: the same for each method, with or without the rest of the path.
    fn connect(&self, target: &Target, sub: &Subresource, with_path: bool) -> Vec<Operation> {
        let methods: &[&str] = match sub.verbs.contains(&Verb::Delete) {
            true => &["get", "put", "post", "delete", "options", "head", "patch"],
            false => &["get", "post"],
        };
        let mut parameters = self.object_parameters(target);
        parameters.extend(parameters::fields(&self.d.schema, &self.source.descriptions, &target.definition));
        parameters.extend(with_path.then(|| Parameter::path("path", "path to the resource")));
        let parameters = parameters::sorted(parameters, &["pretty"]);
        let connect = |method: &'static str| {
            let description =
                format!("connect {} requests to {} of {}", method.to_uppercase(), target.sub, self.d.kind);
            let mut id = self.id("connect", target.sub, &capitalise(method));
            if with_path {
                id.push_str("WithPath");
            }
            let mut operation = self.operation(method, id, description, "connect", &target.kind);
            operation.produces = ANY_TYPE.to_vec();
            operation.parameters = parameters.clone();
            operation
        };
        methods.iter().map(|m| connect(m)).collect()
    }
}

fn add(paths: &mut Vec<Path>, path: &str, operations: Vec<Operation>) {
    if !operations.is_empty() {
        paths.push(Path::new(path.to_string(), operations));
    }
}
