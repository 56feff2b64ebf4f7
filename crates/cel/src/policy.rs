//! What expressions about requests may refer to: those of admission policies and of webhooks' match conditions
//! (k8s.io/apiserver/pkg/admission/plugin/cel).

use crate::declare::type_written;
use crate::{Env, Objects, Program, Type, Value};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// The fields of the objects that all such expressions know: object, field, type.
const FIELDS: &str = "\
kubernetes.AdmissionRequest kind kubernetes.GroupVersionKind
kubernetes.AdmissionRequest resource kubernetes.GroupVersionResource
kubernetes.AdmissionRequest subResource string
kubernetes.AdmissionRequest requestKind kubernetes.GroupVersionKind
kubernetes.AdmissionRequest requestResource kubernetes.GroupVersionResource
kubernetes.AdmissionRequest requestSubResource string
kubernetes.AdmissionRequest name string
kubernetes.AdmissionRequest namespace string
kubernetes.AdmissionRequest operation string
kubernetes.AdmissionRequest userInfo kubernetes.UserInfo
kubernetes.AdmissionRequest dryRun bool
kubernetes.AdmissionRequest options dyn
kubernetes.GroupVersionKind group string
kubernetes.GroupVersionKind version string
kubernetes.GroupVersionKind kind string
kubernetes.GroupVersionResource group string
kubernetes.GroupVersionResource version string
kubernetes.GroupVersionResource resource string
kubernetes.UserInfo username string
kubernetes.UserInfo uid string
kubernetes.UserInfo groups list(string)
kubernetes.UserInfo extra map(string, list(string))
kubernetes.Namespace metadata kubernetes.NamespaceMetadata
kubernetes.Namespace spec kubernetes.NamespaceSpec
kubernetes.Namespace status kubernetes.NamespaceStatus
kubernetes.NamespaceMetadata name string
kubernetes.NamespaceMetadata generateName string
kubernetes.NamespaceMetadata namespace string
kubernetes.NamespaceMetadata labels map(string, string)
kubernetes.NamespaceMetadata annotations map(string, string)
kubernetes.NamespaceMetadata UID string
kubernetes.NamespaceMetadata creationTimestamp timestamp
kubernetes.NamespaceMetadata deletionGracePeriodSeconds int
kubernetes.NamespaceMetadata deletionTimestamp timestamp
kubernetes.NamespaceMetadata generation int
kubernetes.NamespaceMetadata resourceVersion string
kubernetes.NamespaceMetadata finalizers list(string)
kubernetes.NamespaceSpec finalizers list(string)
kubernetes.NamespaceStatus conditions list(kubernetes.NamespaceCondition)
kubernetes.NamespaceStatus phase string
kubernetes.NamespaceCondition status string
kubernetes.NamespaceCondition type string
kubernetes.NamespaceCondition lastTransitionTime timestamp
kubernetes.NamespaceCondition message string
kubernetes.NamespaceCondition reason string
JSONPatch op string
JSONPatch path string
JSONPatch from string
JSONPatch value dyn";

/// The type of the variable `variables`, whose fields are a policy's own variables.
const VARIABLES: &str = "kubernetes.variables";
/// What expressions that change objects make: parts of the object, whose types are called after the fields they are in,
/// and patches.
const OBJECT: &str = "Object";
const JSON_PATCH: &str = "JSONPatch";

type Fields = HashMap<&'static str, HashMap<&'static str, Type>>;

static OBJECTS: LazyLock<Fields> = LazyLock::new(|| {
    let mut objects = Fields::new();
    for line in FIELDS.lines() {
        let mut words = line.splitn(3, ' ');
        if let (Some(object), Some(field), Some(of)) = (words.next(), words.next(), words.next())
            && let Some(of) = type_written(of)
        {
            objects.entry(object).or_default().insert(field, of);
        }
    }
    objects
});

/// Which of the variables there are beside `object`, `oldObject`, `request` and `namespaceObject`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Variables {
    /// `params`
    pub params: bool,
    /// `authorizer` and `authorizer.requestResource`
    pub authorizer: bool,
    /// The types `Object` and `JSONPatch`, for expressions that change objects.
    pub patches: bool,
}

/// The environment of expressions about requests, and the variables that a policy adds one after the other.
#[derive(Debug, Clone)]
pub struct PolicyEnv {
    /// The fields of `variables`; `None` when there is no such variable.
    variables: Option<HashMap<String, Type>>,
}

#[derive(Debug)]
struct PolicyObjects {
    variables: HashMap<String, Type>,
    patches: bool,
}

impl Objects for PolicyObjects {
    fn is_object(&self, name: &str) -> bool {
        match name {
            VARIABLES => true,
            JSON_PATCH => self.patches,
            name if name == OBJECT || name.starts_with("Object.") => self.patches,
            name => OBJECTS.contains_key(name),
        }
    }

    fn field(&self, object: &str, field: &str) -> Option<Type> {
        match object {
            VARIABLES => self.variables.get(field).cloned(),
            // Without a schema every field may be there.
            object if object == OBJECT || object.starts_with("Object.") => Some(Type::Dyn),
            object => OBJECTS.get(object)?.get(field).cloned(),
        }
    }
}

impl PolicyEnv {
    /// Without `variables`.
    pub fn new() -> PolicyEnv {
        PolicyEnv { variables: None }
    }

    /// With `variables`, which has no field yet.
    pub fn composed() -> PolicyEnv {
        PolicyEnv { variables: Some(HashMap::new()) }
    }

    /// Adds a variable of a policy: what comes after it may use it.
    pub fn add(&mut self, name: &str, of: Type) {
        self.variables.get_or_insert_default().insert(name.to_owned(), of);
    }

    fn env(&self, with: Variables) -> Env {
        let objects = PolicyObjects { variables: self.variables.clone().unwrap_or_default(), patches: with.patches };
        let mut env = Env::new([
            ("object", Type::Dyn),
            ("oldObject", Type::Dyn),
            ("request", Type::object("kubernetes.AdmissionRequest")),
            ("namespaceObject", Type::object("kubernetes.Namespace")),
        ])
        .with_objects(Arc::new(objects));
        if self.variables.is_some() {
            env = env.with_variable("variables", Type::object(VARIABLES));
        }
        if with.params {
            env = env.with_variable("params", Type::Dyn);
        }
        if with.authorizer {
            let named = |name: &str| Type::object(&format!("kubernetes.authorization.{name}"));
            env = env
                .with_variable("authorizer", named("Authorizer"))
                .with_variable("authorizer.requestResource", named("ResourceCheck"));
        }
        if with.patches { env.with_json_patch() } else { env }
    }

    /// Compiles an expression whose value must have one of the types; any type when there are none.
    ///
    /// # Errors
    /// What is wrong with it, as answers say it.
    pub fn compile(&self, text: &str, with: Variables, returned: &[Type]) -> Result<Program, String> {
        let program = self.env(with).compile(text).map_err(|issues| format!("compilation failed: {issues}"))?;
        let found = program.output_type();
        if returned.is_empty() || returned.contains(found) {
            return Ok(program);
        }
        let found = found.declared_name();
        match returned {
            [only] => Err(format!("must evaluate to {} but got {found}", only.declared_name())),
            several => {
                let names: Vec<String> = several.iter().map(Type::declared_name).collect();
                Err(format!("must evaluate to one of [{}] but got {found}", names.join(" ")))
            }
        }
    }
}

impl Default for PolicyEnv {
    fn default() -> PolicyEnv {
        PolicyEnv::new()
    }
}

/// What an expression that applies a configuration makes.
pub fn object_type() -> Type {
    Type::object(OBJECT)
}

/// Where the types of the objects that an expression made are not called after the fields they are in, beginning with the
/// name of the outermost.
pub fn misnamed_types(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if let Value::Struct(object) = value {
        check_names(value, &object.name, &mut found);
    }
    found
}

fn check_names(value: &Value, wanted: &str, found: &mut Vec<String>) {
    match value {
        Value::Struct(object) => {
            if *object.name != *wanted {
                let why = "which matches field name path from root Object type";
                found.push(format!("unexpected type name {:?}, expected {wanted:?}, {why}", &*object.name));
            }
            object.fields.iter().for_each(|(name, field)| check_names(field, &format!("{wanted}.{name}"), found));
        }
        Value::List(list) => list.iter().for_each(|item| check_names(&item, wanted, found)),
        Value::Map(map) => map.iter().for_each(|(_, member)| check_names(&member, wanted, found)),
        _ => {}
    }
}

/// What an expression that makes a JSON patch makes.
pub fn json_patch_type() -> Type {
    Type::list(Type::object(JSON_PATCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Variables = Variables { params: true, authorizer: true, patches: false };

    fn refused(env: &PolicyEnv, text: &str, with: Variables, returned: &[Type]) -> String {
        env.compile(text, with, returned).map(|_| ()).expect_err(text)
    }

    #[test]
    fn every_field_has_a_type() {
        assert_eq!(OBJECTS.values().map(HashMap::len).sum::<usize>(), FIELDS.lines().count());
    }

    #[test]
    fn policies_expressions_are_judged_by_their_variables() {
        let mut env = PolicyEnv::composed();
        env.add("size", Type::Int);
        let compiles =
            |text: &str, with, returned: &[Type]| assert!(env.compile(text, with, returned).is_ok(), "{text}");
        compiles("variables.size > 1 && has(object.metadata)", ALL, &[Type::Bool]);
        compiles("params.limit == request.userInfo.username", ALL, &[Type::Bool]);
        compiles("authorizer.requestResource.check('get').allowed()", ALL, &[Type::Bool]);
        compiles("authorizer.group('').resource('pods').check('get').allowed()", ALL, &[Type::Bool]);
        compiles("null", ALL, &[Type::String, Type::Null]);
        let undefined =
            "compilation failed: ERROR: <input>:1:10: undefined field 'other'\n | variables.other\n | .........^";
        assert_eq!(refused(&env, "variables.other", ALL, &[]), undefined);
        assert!(refused(&env, "params.x", Variables::default(), &[]).contains("undeclared reference to 'params'"));
        assert!(refused(&PolicyEnv::new(), "variables.x", ALL, &[]).contains("undeclared reference to 'variables'"));
        assert_eq!(refused(&env, "1 + 1", ALL, &[Type::Bool]), "must evaluate to bool but got int");
        let several = refused(&env, "timestamp(0)", ALL, &[Type::String, Type::Null]);
        assert_eq!(several, "must evaluate to one of [string null_type] but got google.protobuf.Timestamp");
    }

    #[test]
    fn changes_are_objects_and_patches() {
        let (env, with) = (PolicyEnv::new(), Variables { patches: true, ..ALL });
        let object = "Object{metadata: Object.metadata{labels: {'a': 'b'}}}";
        assert!(env.compile(object, with, &[object_type()]).is_ok());
        let patch = "[JSONPatch{op: 'add', path: '/a/' + jsonpatch.escapeKey('b/c'), value: 1}]";
        assert!(env.compile(patch, with, &[json_patch_type()]).is_ok());
        assert_eq!(refused(&env, "5", with, &[object_type()]), "must evaluate to Object but got int");
        let wrong = refused(&env, "'notalist'", with, &[json_patch_type()]);
        assert_eq!(wrong, "must evaluate to list(JSONPatch) but got string");
        assert!(env.compile(object, ALL, &[]).is_err());
    }
}
