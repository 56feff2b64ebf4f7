//! An EncryptionConfiguration: which resources are sealed with what
//! (k8s.io/apiserver/pkg/apis/apiserver/validation/validation_encryption.go, pkg/server/options/encryptionconfig).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use meta::field::{ErrorList, Path, Shown, quote};
use meta::time::parse_duration;
use meta::{Str, Value, json};
use std::time::Duration;

const API_VERSION: &str = "apiserver.config.k8s.io/v1";
const KIND: &str = "EncryptionConfiguration";
const AES_BYTES: &[usize] = &[16, 24, 32];
const SECRETBOX_BYTES: &[usize] = &[32];
const TIMEOUT: Duration = Duration::from_secs(3);

/// A checked configuration.
pub struct Config {
    /// In their order; the first that fits a resource counts.
    pub(crate) rules: Vec<Rule>,
}

pub(crate) struct Rule {
    pub(crate) resources: Vec<GroupResource>,
    pub(crate) providers: Vec<Provider>,
}

/// "*" is any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupResource {
    pub(crate) group: Str,
    pub(crate) resource: Str,
}

pub(crate) enum Provider {
    Identity,
    /// Of one kind of cipher; the first seals, all open.
    Keys(Kind, Vec<Key>),
    Kms(KmsConfig),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    AesCbc,
    AesGcm,
    Secretbox,
}

pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) secret: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KmsConfig {
    pub(crate) name: String,
    /// The path of a unix socket; one that begins with "@" is in Linux' abstract namespace.
    pub(crate) socket: String,
    pub(crate) timeout: Duration,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::AesCbc, Kind::AesGcm, Kind::Secretbox];

    /// As the file and the prefix of what is sealed have it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Kind::AesCbc => "aescbc",
            Kind::AesGcm => "aesgcm",
            Kind::Secretbox => "secretbox",
        }
    }

    fn key_bytes(self) -> &'static [usize] {
        match self {
            Kind::AesCbc | Kind::AesGcm => AES_BYTES,
            Kind::Secretbox => SECRETBOX_BYTES,
        }
    }
}

impl GroupResource {
    /// `secrets`, `deployments.apps`, `*.apps`, `*.` (the core group), `*.*`
    fn parse(text: &str) -> GroupResource {
        let (resource, group) = text.split_once('.').unwrap_or((text, ""));
        GroupResource { group: group.into(), resource: resource.into() }
    }

    pub(crate) fn fits(&self, group: &str, resource: &str) -> bool {
        (self.group == "*" || self.group == group) && (self.resource == "*" || self.resource == resource)
    }

    /// How special it is: rules for one resource come before those for a group, and these before those for all.
    pub(crate) fn rank(&self) -> u8 {
        u8::from(self.resource == "*") + u8::from(self.group == "*")
    }

    fn shown(&self) -> String {
        if self.group.is_empty() && self.resource != "*" {
            self.resource.to_string()
        } else {
            format!("{}.{}", self.resource, self.group)
        }
    }
}

impl Config {
    /// From the tree of a file. `reload`: the file is going to be read again and again. The error is upstream's text.
    pub fn from_value(config: &Value, reload: bool) -> Result<Config, String> {
        check_kind(config)?;
        let mut errs = ErrorList::new();
        let root = Path::new("resources");
        let listed = config["resources"].items();
        if listed.is_empty() {
            errs.required(&root, "at least one resources is required");
        }
        let (mut rules, mut names) = (vec![], vec![]);
        for (index, rule) in listed.iter().enumerate() {
            let path = root.index(index);
            let resources = read_resources(rule, &path.child("resources"), &mut errs);
            let (listed, path) = (rule["providers"].items(), path.child("providers"));
            if listed.is_empty() {
                errs.required(&path, &format!("at least one {path} is required"));
            }
            let mut providers = vec![];
            for (at, provider) in listed.iter().enumerate() {
                providers.extend(read_provider(provider, &path.index(at), &mut names, reload, &mut errs));
            }
            rules.push(Rule { resources, providers });
        }
        if !errs.is_empty() {
            return Err(errs.message());
        }
        check_masks(&rules)?;
        Ok(Config { rules })
    }
}

fn check_kind(config: &Value) -> Result<(), String> {
    let (version, kind) = (config["apiVersion"].str(), config["kind"].str());
    for (member, text) in [("Kind", kind), ("apiVersion", version)] {
        if text.is_empty() {
            // The file has keys: none of it is shown.
            return Err(format!("Object '{member}' is missing"));
        }
    }
    if version != API_VERSION || kind != KIND {
        let (kind, version) = (quote(kind), quote(version));
        return Err(format!("no kind {kind} is registered for version {version}"));
    }
    Ok(())
}

fn read_resources(rule: &Value, path: &Path, errs: &mut ErrorList) -> Vec<GroupResource> {
    let texts: Vec<&str> = rule["resources"].items().iter().map(Value::str).collect();
    if texts.is_empty() {
        errs.required(path, &format!("at least one {path} is required"));
    }
    let resources: Vec<GroupResource> = texts.iter().map(|text| GroupResource::parse(text)).collect();
    validate_overlap(&texts, &resources, path, errs);
    for (index, (text, resource)) in texts.iter().zip(&resources).enumerate() {
        if let Some(why) = wrong_name(text, resource) {
            errs.invalid(&path.index(index), *text, why);
        }
    }
    resources
}

fn validate_overlap(texts: &[&str], resources: &[GroupResource], path: &Path, errs: &mut ErrorList) {
    let pairs = || {
        let one = resources.iter().enumerate();
        one.flat_map(|(at, one)| resources.iter().skip(at + 1).map(move |other| (one, other)))
    };
    let is_any = |resource: &GroupResource| resource.group == "*" && resource.resource == "*";
    let same = pairs().any(|(one, other)| one == other);
    let overlap = pairs().filter(|(one, other)| one != other).any(|(one, other)| {
        is_any(one) || is_any(other) || (one.group == other.group && (one.resource == "*" || other.resource == "*"))
    });
    let shown = || Shown(format!("[{}]", texts.iter().map(|text| quote(text)).collect::<Vec<_>>().join(",")));
    if same {
        errs.invalid(path, shown(), "the same resource cannot be specified multiple times");
    }
    if overlap {
        let why = "using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed as they will be masked";
        errs.invalid(path, shown(), why);
    }
}

fn wrong_name(text: &str, resource: &GroupResource) -> Option<&'static str> {
    match text {
        _ if text.to_lowercase() != text => Some("resource name should not contain capital letters"),
        "*" => Some("use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources"),
        "apiserveripinfo" | "serviceipallocations" | "servicenodeportallocations" => {
            Some("resources which do not have REST API/s cannot be encrypted")
        }
        _ if resource.group == "events.k8s.io" => Some(
            "'*.events.k8s.io' objects are stored using the 'events' API group in etcd. Use 'events' instead in the config file",
        ),
        _ if resource.group == "extensions" => {
            Some("'extensions' group has been removed and cannot be used for encryption")
        }
        _ if resource.group == "*" && resource.resource != "*" => {
            Some("encrypting the same resource across groups is not supported")
        }
        _ => None,
    }
}

/// A rule that could never be reached is a mistake.
fn check_masks(rules: &[Rule]) -> Result<(), String> {
    let mut before: Vec<&GroupResource> = vec![];
    for rule in rules {
        for resource in &rule.resources {
            let masks = |earlier: &&&GroupResource| {
                earlier.resource == "*"
                    && *earlier != &resource
                    && (earlier.group == "*" || earlier.group == resource.group)
            };
            if let Some(earlier) = before.iter().find(masks) {
                let (own, earlier) = (quote(&resource.shown()), quote(&earlier.shown()));
                return Err(format!("resource {own} is masked by earlier rule {earlier}"));
            }
        }
        before.extend(&rule.resources);
    }
    Ok(())
}

fn read_provider(
    provider: &Value,
    path: &Path,
    names: &mut Vec<String>,
    reload: bool,
    errs: &mut ErrorList,
) -> Option<Provider> {
    let known = ["kms", "aesgcm", "aescbc", "secretbox", "identity"];
    let given: Vec<&str> = known.into_iter().filter(|name| provider.get(name).is_some()).collect();
    let [name] = given.as_slice() else {
        let why = if given.is_empty() {
            "provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity"
        } else {
            "more than one provider specified in a single element, should split into different list elements"
        };
        // Its keys are not shown.
        errs.invalid(path, Shown("{}".into()), why);
        return None;
    };
    match Kind::ALL.into_iter().find(|kind| kind.as_str() == *name) {
        Some(kind) => {
            let path = path.child_named(name).child("keys");
            Some(Provider::Keys(kind, read_keys(&provider[*name]["keys"], kind, &path, errs)))
        }
        None if *name == "identity" => Some(Provider::Identity),
        None => read_kms(&provider["kms"], &path.child("kms"), names, reload, errs).map(Provider::Kms),
    }
}

fn read_keys(listed: &Value, kind: Kind, path: &Path, errs: &mut ErrorList) -> Vec<Key> {
    if listed.items().is_empty() {
        errs.required(path, "at least one keys is required");
    }
    let mut keys = vec![];
    for (index, key) in listed.items().iter().enumerate() {
        let path = path.index(index);
        let (name, secret) = (key["name"].str(), key["secret"].str());
        if name.is_empty() {
            errs.required(&path.child("name"), "name is a mandatory field for a key");
        }
        let path = path.child("secret");
        if secret.is_empty() {
            errs.required(&path, "secret is a mandatory field for a key");
            continue;
        }
        match STANDARD.decode(secret) {
            Err(_) => errs.invalid(&path, "REDACTED", "secrets must be base64 encoded"),
            Ok(secret) if !kind.key_bytes().contains(&secret.len()) => {
                let expected: Vec<String> = kind.key_bytes().iter().map(usize::to_string).collect();
                let (len, expected) = (secret.len(), expected.join(" "));
                let why = format!("secret is not of the expected length, got {len}, expected one of [{expected}]");
                errs.invalid(&path, "REDACTED", &why);
            }
            Ok(secret) => keys.push(Key { name: name.to_owned(), secret }),
        }
    }
    keys
}

fn read_kms(
    kms: &Value,
    path: &Path,
    names: &mut Vec<String>,
    reload: bool,
    errs: &mut ErrorList,
) -> Option<KmsConfig> {
    let name = kms["name"].str();
    let version = kms["apiVersion"].as_str().unwrap_or("v1");
    if name.is_empty() {
        errs.required(&path.child("name"), "name is a mandatory field for a provider");
    }
    if version != "v1" && name.contains(':') {
        let why = format!("invalid KMS provider name {name}, must not contain ':'");
        errs.invalid(&path.child("name"), name, &why);
    }
    if (reload || version != "v1") && names.iter().any(|known| known == name) {
        let why = format!("duplicate KMS provider name {name}, names must be unique");
        errs.invalid(&path.child("name"), name, &why);
    }
    names.push(name.to_owned());
    let timeout = read_timeout(&kms["timeout"], &path.child("timeout"), errs);
    let socket = read_endpoint(kms["endpoint"].str(), &path.child("endpoint"), errs);
    if version != "v1" && !kms["cachesize"].is_null() {
        errs.invalid(&path.child("cachesize"), kms["cachesize"].int(), "cachesize is not supported in v2");
    }
    match version {
        "v2" => {}
        // Off in kube-apiserver, too, unless a feature gate turns it on again.
        "v1" => errs.invalid(
            &path.child("apiVersion"),
            version,
            "KMSv1 is deprecated and will only receive security updates going forward. Use KMSv2 instead.  Set --feature-gates=KMSv1=true to use the deprecated KMSv1 feature.",
        ),
        _ => {
            let why = "unsupported apiVersion apiVersion for KMS provider, only v1 and v2 are supported";
            errs.invalid(&path.child("apiVersion"), version, why);
        }
    }
    Some(KmsConfig { name: name.to_owned(), socket: socket?, timeout: timeout? })
}

fn read_timeout(timeout: &Value, path: &Path, errs: &mut ErrorList) -> Option<Duration> {
    if timeout.is_null() {
        return Some(TIMEOUT);
    }
    let text = timeout.as_str().map_or_else(|| json::to_string(timeout), str::to_owned);
    let nanos = parse_duration(&text).ok().and_then(|nanos| u64::try_from(nanos).ok()).filter(|nanos| *nanos > 0);
    if nanos.is_none() {
        errs.invalid(path, text.as_str(), "timeout should be a positive value");
    }
    nanos.map(Duration::from_nanos)
}

/// `unix:///path`; Go's parser has the path after the authority, which is empty.
fn read_endpoint(endpoint: &str, path: &Path, errs: &mut ErrorList) -> Option<String> {
    if endpoint.is_empty() {
        errs.invalid(path, "", "endpoint is a mandatory field for a kms");
        return None;
    }
    let Some((scheme, rest)) = endpoint.split_once(':') else {
        errs.invalid(path, endpoint, "unsupported scheme \"\" for KMS provider, only unix is supported");
        return None;
    };
    if scheme != "unix" {
        let why = format!("unsupported scheme {} for KMS provider, only unix is supported", quote(scheme));
        errs.invalid(path, endpoint, &why);
        return None;
    }
    let socket = rest.strip_prefix("//").unwrap_or(rest);
    // "unix:///@name" is Go's way to name an abstract socket.
    let socket = socket.strip_prefix("/@").map_or_else(|| socket.to_owned(), |name| format!("@{name}"));
    Some(socket)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use meta::value;

    pub(crate) fn config(rules: Value) -> Result<Config, String> {
        Config::from_value(&value!({"apiVersion": API_VERSION, "kind": KIND, "resources": rules}), false)
    }

    fn refusal(rule: Value) -> String {
        config(value!([rule])).err().expect("a refusal")
    }

    #[test]
    fn a_whole_configuration() {
        let key = STANDARD.encode([7; 32]);
        let config = config(value!([
            {"resources": ["secrets", "configmaps", "pandas.awesome.bears.example"], "providers": [
                {"kms": {"apiVersion": "v2", "name": "one", "endpoint": "unix:///run/kms.sock", "timeout": "5s"}},
                {"aescbc": {"keys": [{"name": "a", "secret": (key.as_str())}, {"name": "b", "secret": (key.as_str())}]}},
                {"secretbox": {"keys": [{"name": "a", "secret": (key.as_str())}]}},
                {"identity": {}}
            ]},
            {"resources": ["*.apps"], "providers": [{"aesgcm": {"keys": [{"name": "a", "secret": (key.as_str())}]}}]},
            {"resources": ["*.*"], "providers": [{"identity": {}}]},
        ]))
        .expect("a configuration");
        let [first, apps, all] = config.rules.as_slice() else { panic!("three rules") };
        let ranks: Vec<u8> = [first, apps, all].iter().map(|rule| rule.resources[0].rank()).collect();
        assert_eq!(ranks, [0, 1, 2]);
        let kms = KmsConfig { name: "one".into(), socket: "/run/kms.sock".into(), timeout: Duration::from_secs(5) };
        assert!(matches!(&first.providers[0], Provider::Kms(read) if *read == kms));
        assert!(
            matches!(&first.providers[1], Provider::Keys(Kind::AesCbc, keys) if keys.len() == 2 && keys[1].name == "b")
        );
        assert!(first.resources[2].fits("awesome.bears.example", "pandas"));
        assert!(apps.resources[0].fits("apps", "deployments") && !apps.resources[0].fits("", "pods"));
    }

    fn assert_refusals(cases: impl IntoIterator<Item = (Value, &'static str)>) {
        for (rule, text) in cases {
            assert_eq!(refusal(rule), text);
        }
    }

    #[test]
    fn mistakes_about_resources_are_told_in_upstreams_words() {
        let identity = || value!([{"identity": {}}]);
        let cases = [
            (
                value!({"resources": [], "providers": (identity())}),
                "resources[0].resources: Required value: at least one resources[0].resources is required",
            ),
            (
                value!({"resources": ["secrets"], "providers": []}),
                "resources[0].providers: Required value: at least one resources[0].providers is required",
            ),
            (
                value!({"resources": ["secrets", "*."], "providers": (identity())}),
                "resources[0].resources: Invalid value: [\"secrets\",\"*.\"]: using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed as they will be masked",
            ),
            (
                value!({"resources": ["secrets", "secrets"], "providers": (identity())}),
                "resources[0].resources: Invalid value: [\"secrets\",\"secrets\"]: the same resource cannot be specified multiple times",
            ),
            (
                value!({"resources": ["*"], "providers": (identity())}),
                "resources[0].resources[0]: Invalid value: \"*\": use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources",
            ),
            (
                value!({"resources": ["Secrets"], "providers": (identity())}),
                "resources[0].resources[0]: Invalid value: \"Secrets\": resource name should not contain capital letters",
            ),
            (
                value!({"resources": ["secrets.*"], "providers": (identity())}),
                "resources[0].resources[0]: Invalid value: \"secrets.*\": encrypting the same resource across groups is not supported",
            ),
            (
                value!({"resources": ["events.events.k8s.io"], "providers": (identity())}),
                "resources[0].resources[0]: Invalid value: \"events.events.k8s.io\": '*.events.k8s.io' objects are stored using the 'events' API group in etcd. Use 'events' instead in the config file",
            ),
            (
                value!({"resources": ["secrets"], "providers": [{}]}),
                "resources[0].providers[0]: Invalid value: {}: provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity",
            ),
        ];
        assert_refusals(cases);
        assert_eq!(
            config(value!([])).err().as_deref(),
            Some("resources: Required value: at least one resources is required")
        );
        let masked = value!([
            {"resources": ["*."], "providers": (identity())}, {"resources": ["secrets"], "providers": (identity())}
        ]);
        assert_eq!(config(masked).err().as_deref(), Some("resource \"secrets\" is masked by earlier rule \"*.\""));
    }
    #[test]
    fn mistakes_about_keys_are_told_and_no_key_is() {
        let keys = |keys: Value| value!({"resources": ["secrets"], "providers": [{"aescbc": {"keys": keys}}]});
        let kms = |kms: Value| value!({"resources": ["secrets"], "providers": [{"kms": kms}]});
        let cases = [
            (keys(value!([])), "resources[0].providers[0].aescbc.keys: Required value: at least one keys is required"),
            (
                keys(value!([{"secret": "AAAAAAAAAAAAAAAAAAAAAA=="}])),
                "resources[0].providers[0].aescbc.keys[0].name: Required value: name is a mandatory field for a key",
            ),
            (
                keys(value!([{"name": "a", "secret": "top secret"}])),
                "resources[0].providers[0].aescbc.keys[0].secret: Invalid value: \"REDACTED\": secrets must be base64 encoded",
            ),
            (
                keys(value!([{"name": "a", "secret": "AAAA"}])),
                "resources[0].providers[0].aescbc.keys[0].secret: Invalid value: \"REDACTED\": secret is not of the expected length, got 3, expected one of [16 24 32]",
            ),
            (
                kms(value!({"apiVersion": "v2", "name": "a:b", "endpoint": "unix:///s"})),
                "resources[0].providers[0].kms.name: Invalid value: \"a:b\": invalid KMS provider name a:b, must not contain ':'",
            ),
            (
                kms(value!({"apiVersion": "v2", "name": "a", "endpoint": "tcp://x"})),
                "resources[0].providers[0].kms.endpoint: Invalid value: \"tcp://x\": unsupported scheme \"tcp\" for KMS provider, only unix is supported",
            ),
            (
                kms(value!({"apiVersion": "v2", "name": "a", "endpoint": "unix:///s", "timeout": "0s"})),
                "resources[0].providers[0].kms.timeout: Invalid value: \"0s\": timeout should be a positive value",
            ),
            (
                kms(value!({"apiVersion": "v2", "name": "a", "endpoint": "unix:///s", "cachesize": 5})),
                "resources[0].providers[0].kms.cachesize: Invalid value: 5: cachesize is not supported in v2",
            ),
        ];
        assert_refusals(cases);
        assert!(refusal(kms(value!({"name": "a", "endpoint": "unix:///s"}))).contains("KMSv1 is deprecated"));
    }
}
