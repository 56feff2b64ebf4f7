//! A kubeconfig with everything in it: no file beside it is needed, and it may be copied to another machine.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::pki::Pair;

/// Who the kubeconfig lets one be.
pub enum Identity<'a> {
    Certificate(&'a Pair),
    Token(&'a str),
}

/// `server` is a URL; `ca` is PEM, `None` for plain HTTP.
pub fn render(server: &str, ca: Option<&str>, identity: &Identity<'_>) -> String {
    let authority =
        ca.map(|pem| format!("    certificate-authority-data: {}\n", STANDARD.encode(pem))).unwrap_or_default();
    let user = match identity {
        Identity::Certificate(pair) => format!(
            "    client-certificate-data: {}\n    client-key-data: {}\n",
            STANDARD.encode(&pair.certificate),
            STANDARD.encode(&pair.key)
        ),
        Identity::Token(token) => format!("    token: {}\n", meta::field::quote(token)),
    };
    format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- name: kybern\n  cluster:\n    server: {server}\n{authority}\
         users:\n- name: admin\n  user:\n{user}\
         contexts:\n- name: kybern\n  context:\n    cluster: kybern\n    user: admin\ncurrent-context: kybern\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_quoted() {
        let text = render("http://127.0.0.1:1", None, &Identity::Token("a: \"b\""));
        assert!(text.contains("    token: \"a: \\\"b\\\"\"\n"), "{text}");
        assert!(!text.contains("certificate-authority-data"));
    }
}
