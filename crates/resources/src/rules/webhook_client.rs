//! How a webhook is reached: a URL or a service (k8s.io/apiserver/pkg/util/webhook/validation.go).

use meta::field::{ErrorList, Path};
use meta::{Value, name};

pub const SERVICE_PORT_DEFAULT: i64 = 443;
/// The versions of a review that a server may send.
pub const REVIEW_VERSIONS: &[&str] = &["v1", "v1beta1"];
const URL_FORM: &str = "; desired format: https://host[/path]";

/// Exactly one of `url` and `service`, and what each must look like.
pub fn validate_client(client: &Value, path: &Path, errs: &mut ErrorList) {
    let service = &client["service"];
    match (client["url"].as_str(), service.is_null()) {
        (Some(url), true) => validate_url(url, &path.child("url"), errs),
        (None, false) => {
            let path = path.child("service");
            // Upstream mistakes the one for the other: what is missing is reported under the other's name.
            for (missing, reported) in [("namespace", "name"), ("name", "namespace")] {
                if service[missing].str().is_empty() {
                    errs.required(&path.child(reported), "");
                }
            }
            if let Some(url_path) = service["path"].as_str() {
                validate_url_path(url_path, &path.child("path"), errs);
            }
            let port = service["port"].as_int().unwrap_or(SERVICE_PORT_DEFAULT);
            if let Some(wrong) = name::port_number(port).first() {
                errs.invalid(&path.child("port"), port, &format!("port is not valid: {wrong}"));
            }
        }
        _ => errs.required(path, "exactly one of url or service is required"),
    }
}

fn validate_url(url: &str, path: &Path, errs: &mut ErrorList) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    // Without a scheme the whole text is a path, and there is no host.
    let authority = match scheme {
        "" => "",
        _ => rest.split('/').next().unwrap_or_default(),
    };
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let mut wrong = |value: &str, detail: &str| errs.invalid(path, value, &format!("{detail}{URL_FORM}"));
    if scheme != "https" {
        wrong(scheme, "'https' is the only allowed URL scheme");
    }
    if host.is_empty() {
        wrong(host, "host must be specified");
    }
    for (value, detail) in [
        (user, "user information is not permitted in the URL"),
        (fragment, "fragments are not permitted in the URL"),
        (query, "query parameters are not permitted in the URL"),
    ] {
        if !value.is_empty() {
            wrong(value, detail);
        }
    }
}

fn validate_url_path(url_path: &str, path: &Path, errs: &mut ErrorList) {
    if url_path.is_empty() || url_path == "/" {
        return;
    }
    if url_path == "//" {
        errs.invalid(path, url_path, "segment[0] may not be empty");
        return;
    }
    if !url_path.starts_with('/') {
        errs.invalid(path, url_path, "must start with a '/'");
    }
    // The first character is taken for the slash that it should be.
    let rest = url_path.get(1..).unwrap_or_default();
    let segments: Vec<&str> = rest.strip_suffix('/').unwrap_or(rest).split('/').collect();
    for (i, segment) in segments.iter().enumerate() {
        if segment.is_empty() {
            errs.invalid(path, url_path, &format!("segment[{i}] may not be empty"));
        } else {
            for wrong in name::dns1123_subdomain(segment) {
                errs.invalid(path, url_path, &format!("segment[{i}]: {wrong}"));
            }
        }
    }
}
