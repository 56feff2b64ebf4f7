//! The kubeconfig format, as webhooks are configured with it (client-go: tools/clientcmd): the server and the user of the
//! current context. What would run programs (`exec`, `auth-provider`) or go through a proxy is refused.

use std::path::Path;

use base64::Engine as _;
use meta::Value;

use crate::endpoint::{Authority, Endpoint, Identity, Sender};

impl Endpoint {
    /// From a kubeconfig file. Relative paths in it are relative to its folder. The error names the file.
    pub fn read_kubeconfig(path: &Path) -> Result<Endpoint, String> {
        let named = |why: String| format!("{}: {why}", path.display());
        let text = std::fs::read_to_string(path).map_err(|why| named(why.to_string()))?;
        Endpoint::from_kubeconfig(&text, path.parent().unwrap_or(Path::new("."))).map_err(named)
    }

    /// From the text of a kubeconfig file in `folder`.
    pub fn from_kubeconfig(text: &str, folder: &Path) -> Result<Endpoint, String> {
        let config = codec::parse_yaml(text.as_bytes())?.value;
        let current = config["current-context"].str();
        let context = named(&config, "contexts", "context", current)
            .ok_or_else(|| format!("invalid configuration: no context {current:?}, which current-context names"))?;
        let cluster = named(&config, "clusters", "cluster", context["cluster"].str())
            .ok_or_else(|| format!("invalid configuration: no cluster {:?}", context["cluster"].str()))?;
        let nobody = Value::Null;
        let user = match context["user"].str() {
            "" => &nobody,
            name => named(&config, "users", "user", name)
                .ok_or_else(|| format!("invalid configuration: no user {name:?}"))?,
        };
        for (of, key) in [(cluster, "proxy-url"), (user, "exec"), (user, "auth-provider"), (user, "as")] {
            if !of[key].is_empty() {
                return Err(format!("{key} is not supported"));
            }
        }
        let url = cluster["server"].str();
        if url.is_empty() {
            return Err("invalid configuration: no server found for cluster".into());
        }
        let server_name = Some(cluster["tls-server-name"].str()).filter(|name| !name.is_empty());
        Ok(Endpoint {
            url: url.to_owned(),
            address: None,
            authority: authority(cluster, folder)?,
            server_name: server_name.map(str::to_owned),
            identity: identity(user, folder)?,
            sender: sender(user, folder),
        })
    }
}

impl Endpoint {
    /// Takes the credentials that a kubeconfig file has for a host: a user of its name, with or without the port, of the
    /// name with `*` for its first labels, or `*` (upstream: apiserver/pkg/util/webhook/authentication.go). A host that
    /// has none is told nothing.
    pub fn present_credentials(&mut self, path: &Path, host: &str) -> Result<(), String> {
        let named = |why: String| format!("{}: {why}", path.display());
        let text = std::fs::read_to_string(path).map_err(|why| named(why.to_string()))?;
        let config = codec::parse_yaml(text.as_bytes()).map_err(|why| named(why.to_string()))?.value;
        let folder = path.parent().unwrap_or(Path::new("."));
        let user = candidates(host).into_iter().find_map(|name| self::named(&config, "users", "user", &name));
        let Some(user) = user else { return Ok(()) };
        if let Some(key) = ["exec", "auth-provider"].into_iter().find(|key| !user[*key].is_empty()) {
            return Err(named(format!("{key} is not supported")));
        }
        self.identity = identity(user, folder).map_err(named)?;
        self.sender = sender(user, folder);
        Ok(())
    }
}

/// The names under which a host's credentials may be, the best first.
fn candidates(host: &str) -> Vec<String> {
    let mut names = Vec::new();
    for name in [Some(host), host.strip_suffix(":443")].into_iter().flatten() {
        names.push(name.to_owned());
        let mut rest = name;
        while let Some((_, after)) = rest.split_once('.') {
            names.push(format!("*.{after}"));
            rest = after;
        }
    }
    names.push("*".into());
    names
}

/// The item of a list of `{name, KIND: {…}}`.
fn named<'a>(config: &'a Value, list: &str, kind: &str, name: &str) -> Option<&'a Value> {
    config[list].items().iter().find(|item| item["name"].str() == name).map(|item| &item[kind])
}

fn authority(cluster: &Value, folder: &Path) -> Result<Authority, String> {
    let pem = content(cluster, "certificate-authority", folder)?;
    match (pem, cluster["insecure-skip-tls-verify"].bool()) {
        (Some(_), true) => Err("specifying a root certificates file with the insecure flag is not allowed".into()),
        (Some(pem), false) => Ok(Authority::Pem(pem)),
        (None, true) => Ok(Authority::Anything),
        (None, false) => Ok(Authority::System),
    }
}

fn identity(user: &Value, folder: &Path) -> Result<Option<Identity>, String> {
    match (content(user, "client-certificate", folder)?, content(user, "client-key", folder)?) {
        (Some(chain), Some(key)) => Ok(Some(Identity { chain, key })),
        (None, None) => Ok(None),
        _ => Err("client-certificate and client-key belong together".into()),
    }
}

/// A token file counts more than a token, and a token more than a password.
fn sender(user: &Value, folder: &Path) -> Sender {
    match (user["tokenFile"].str(), user["token"].str(), user["username"].str()) {
        ("", "", "") => Sender::Nobody,
        ("", "", name) => Sender::Basic { user: name.to_owned(), password: user["password"].str().to_owned() },
        ("", token, _) => Sender::Token(token.to_owned()),
        (file, _, _) => Sender::TokenFile(folder.join(file)),
    }
}

/// `KEY-data`, in base64, or what is in the file `KEY`.
fn content(of: &Value, key: &str, folder: &Path) -> Result<Option<String>, String> {
    let data = of[format!("{key}-data").as_str()].str();
    if !data.is_empty() {
        let bytes = base64::engine::general_purpose::STANDARD.decode(data.trim());
        let text = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
        return text.map(Some).ok_or_else(|| format!("{key}-data is no base64 of a text"));
    }
    match of[key].str() {
        "" => Ok(None),
        file => {
            let path = folder.join(file);
            std::fs::read_to_string(&path).map(Some).map_err(|why| format!("{key}: {}: {why}", path.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_those_of_the_host() {
        assert_eq!(candidates("a.b:8443"), ["a.b:8443", "*.b:8443", "*"]);
        assert_eq!(
            candidates("a.b.svc:443"),
            ["a.b.svc:443", "*.b.svc:443", "*.svc:443", "a.b.svc", "*.b.svc", "*.svc", "*"]
        );
        let folder = std::env::temp_dir();
        let path = folder.join(format!("kybern-credentials-{}", std::process::id()));
        std::fs::write(&path, r#"{"users": [{"name": "*.svc", "user": {"token": "t"}}]}"#).expect("a file");
        let mut endpoint = Endpoint::new("https://a.b.svc");
        assert_eq!(endpoint.present_credentials(&path, "a.b.svc:443"), Ok(()));
        assert!(matches!(&endpoint.sender, Sender::Token(token) if token == "t"));
        let mut other = Endpoint::new("https://c");
        assert_eq!(other.present_credentials(&path, "c:443"), Ok(()));
        assert!(matches!(other.sender, Sender::Nobody));
        drop(std::fs::remove_file(&path));
    }
}
