//! Whom other servers in the cluster should believe: the ConfigMap `extension-apiserver-authentication`, which servers
//! behind this one read (k8s.io/kubernetes/pkg/controlplane/controller/clusterauthenticationtrust). Several API servers add
//! to it, so that nothing that is there goes but certificates that have expired.

use meta::{Value, value};
use resource::Reader as _;
use serve::{Server, StoreReader};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{How, Wanted};

pub const NAME: &str = "extension-apiserver-authentication";
pub const NAMESPACE: &str = "kube-system";
const PROXY_AUTHORITY: &str = "requestheader-client-ca-file";
/// Written when it has something in it only.
const UID_HEADERS: &str = "requestheader-uid-headers";
/// How long expired certificates stay.
const GRACE_SECONDS: i64 = 300;

/// What this server's flags say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Authorities {
    /// Who signs client certificates, PEM.
    pub clients: String,
    /// Who signs front proxies' certificates, PEM.
    pub proxies: Option<String>,
    /// What is known of front proxies, by the key in the ConfigMap.
    pub proxy_lists: Vec<(&'static str, Vec<String>)>,
}

/// The ConfigMap with what this server adds; `None` when that is in it, or when what is there cannot be read.
pub fn wanted(server: &Server, authorities: &Authorities, now_seconds: i64) -> Option<Wanted> {
    let resources = server.registry.load();
    let reader = StoreReader { resources: &resources, store: &server.store };
    let existing = reader.get("", "configmaps", NAMESPACE, NAME);
    let stored = existing.as_ref().map(|existing| existing["data"].clone()).unwrap_or_default();
    let data = plan(&stored, authorities, now_seconds)?;
    let how = if existing.is_some() { How::Replace } else { How::Create };
    let mut map = existing.unwrap_or_else(|| value!({"metadata": {"name": NAME, "namespace": NAMESPACE}}));
    map.set("apiVersion", "v1");
    map.set("kind", "ConfigMap");
    map.set("data", data);
    Some(Wanted { how, ..Wanted::new(format!("/api/v1/namespaces/{NAMESPACE}/configmaps"), map) })
}

fn plan(stored: &Value, own: &Authorities, now_seconds: i64) -> Option<Value> {
    let mut data = Value::object();
    let clients = join(stored["client-ca-file"].str(), &own.clients, now_seconds)?;
    if !clients.is_empty() {
        data.set("client-ca-file", clients);
    }
    let proxies = join(stored[PROXY_AUTHORITY].str(), own.proxies.as_deref().unwrap_or_default(), now_seconds)?;
    if !proxies.is_empty() {
        data.set(PROXY_AUTHORITY, proxies);
        for (key, names) in &own.proxy_lists {
            let mut all: Vec<String> = match stored[*key].str() {
                "" => vec![],
                text => meta::json::parse(text.as_bytes()).ok()?.value.items().iter().map(|n| n.str().into()).collect(),
            };
            all.extend(names.iter().filter(|name| !all.contains(name)).cloned().collect::<Vec<_>>());
            if *key != UID_HEADERS || !all.is_empty() {
                let list: Vec<Value> = all.into_iter().map(Value::from).collect();
                data.set(key, String::from_utf8_lossy(&meta::json::to_vec(&Value::from(list))).into_owned());
            }
        }
    }
    (data != *stored).then_some(data)
}

/// The certificates of both bundles, each once and without those that have expired, PEM; `None` when one is no bundle.
fn join(stored: &str, own: &str, now_seconds: i64) -> Option<String> {
    let read = |text: &str| if text.is_empty() { Ok(vec![]) } else { outbound::certificates(text) };
    let mut joined: Vec<Vec<u8>> = vec![];
    for certificate in read(stored).ok()?.into_iter().chain(read(own).ok()?) {
        let (_, parsed) = X509Certificate::from_der(&certificate).ok()?;
        let ends = parsed.validity().not_after.timestamp();
        if ends.saturating_add(GRACE_SECONDS) > now_seconds && !joined.iter().any(|known| known[..] == certificate[..])
        {
            joined.push(certificate.to_vec());
        }
    }
    Some(joined.iter().map(|certificate| encode_pem(certificate)).collect())
}

fn encode_pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for (at, letter) in text.char_indices() {
        if at > 0 && at % 64 == 0 {
            pem.push('\n');
        }
        pem.push(letter);
    }
    pem.push_str("\n-----END CERTIFICATE-----\n");
    pem
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority() -> String {
        rcgen::generate_simple_self_signed(["x".to_owned()]).expect("a certificate").cert.pem().replace("\r\n", "\n")
    }

    fn with_proxies(clients: &str, proxies: Option<&str>, names: &[&str]) -> Authorities {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Authorities {
            clients: clients.into(),
            proxies: proxies.map(str::to_owned),
            proxy_lists: vec![("requestheader-allowed-names", names), (UID_HEADERS, vec![])],
        }
    }

    #[test]
    fn what_others_wrote_stays_and_nothing_is_there_twice() {
        let (a, b, p) = (authority(), authority(), authority());
        let first = plan(&Value::Null, &with_proxies(&a, None, &["x"]), 0).expect("a change");
        assert_eq!(first, value!({"client-ca-file": (&a)}));
        let second = plan(&first, &with_proxies(&format!("{a}{b}"), Some(&p), &["x", "y"]), 0).expect("a change");
        let want = value!({
            "client-ca-file": (format!("{a}{b}")), "requestheader-client-ca-file": (&p),
            "requestheader-allowed-names": "[\"x\",\"y\"]"
        });
        assert_eq!(second, want);
        assert_eq!(plan(&second, &with_proxies(&a, None, &["y"]), 0), None);
        let third = plan(&second, &with_proxies(&b, Some(&p), &["z"]), 0).expect("a change");
        assert_eq!(third["requestheader-allowed-names"].str(), "[\"x\",\"y\",\"z\"]");
    }

    #[test]
    fn expired_certificates_go_and_what_cannot_be_read_is_left_alone() {
        let a = authority();
        let stored = value!({"client-ca-file": (&a)});
        // rcgen's certificates last until the year 4096.
        assert_eq!(plan(&stored, &with_proxies("", None, &[]), 70_000_000_000), Some(Value::object()));
        assert_eq!(plan(&value!({"client-ca-file": "nonsense"}), &with_proxies(&a, None, &[]), 0), None);
    }
}
