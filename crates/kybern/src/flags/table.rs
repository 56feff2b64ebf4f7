//! Which flags there are. Names and defaults are kube-apiserver's (1.36) where it has the flag.

mod audit;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Switch,
    Value,
    /// Repeatable, values joined by commas.
    List,
}

pub struct Flag {
    pub name: &'static str,
    pub kind: Kind,
    /// "" is none.
    pub default: &'static str,
    /// Where it differs when called as kube-apiserver.
    pub default_kube_apiserver: Option<&'static str>,
    pub group: &'static str,
    pub help: &'static str,
}

const fn flag(name: &'static str, kind: Kind, default: &'static str, group: &'static str, help: &'static str) -> Flag {
    Flag { name, kind, default, default_kube_apiserver: None, group, help }
}

/// As kube-apiserver, another default.
const fn but(flag: Flag, default: &'static str) -> Flag {
    Flag { default_kube_apiserver: Some(default), ..flag }
}

pub const OWN: &str = "Own flags";
const SERVING: &str = "Serving";
const STORAGE: &str = "Storage";
const AUTHENTICATION: &str = "Authentication";
const AUTHORIZATION: &str = "Authorization and admission";
const CLUSTER: &str = "Cluster";
const PROCESS: &str = "Process";

use Kind::{List, Switch, Value};

/// The flags that do something, in all tables.
pub fn flags() -> impl Iterator<Item = &'static Flag> {
    [FLAGS, audit::FLAGS].into_iter().flatten()
}

const FLAGS: &[Flag] = &[
    flag(
        "data-dir",
        Value,
        "",
        OWN,
        "Where keys, certificates and data are kept [default: /var/lib/kybern for root, else $XDG_DATA_HOME/kybern]",
    ),
    flag(
        "insecure-port",
        Value,
        "0",
        OWN,
        "Also serve plain HTTP with full rights on this port, on the loopback address only; 0 is off",
    ),
    flag("tls-san", List, "", OWN, "More host names and addresses for the serving certificate that kybern makes"),
    but(flag("bind-address", Value, "127.0.0.1", SERVING, "Address to listen on"), "0.0.0.0"),
    flag("secure-port", Value, "6443", SERVING, "Port for HTTPS"),
    flag(
        "advertise-address",
        Value,
        "",
        SERVING,
        "Address at which the rest of the cluster reaches this server [default: the bind address, or that of the default route]",
    ),
    flag(
        "tls-cert-file",
        Value,
        "",
        SERVING,
        "Serving certificate and chain, PEM [default: one signed by kybern's own CA]",
    ),
    flag("tls-private-key-file", Value, "", SERVING, "Key of --tls-cert-file"),
    flag("tls-min-version", Value, "VersionTLS12", SERVING, "VersionTLS12 or VersionTLS13"),
    flag("tls-cipher-suites", List, "", SERVING, "Cipher suites of TLS 1.2, by Go's names; none is all good ones"),
    flag(
        "tls-curve-preferences",
        List,
        "",
        SERVING,
        "Key exchanges by their numbers, such as 29 for X25519; none is all",
    ),
    flag("tls-sni-cert-key", List, "", SERVING, "Certificate for clients that ask for its name: FILE,FILE[:NAME,NAME]"),
    flag(
        "strict-transport-security-directives",
        List,
        "",
        SERVING,
        "HSTS: max-age=SECONDS, includeSubDomains, preload",
    ),
    flag("request-timeout", Value, "1m0s", SERVING, "How long a request may take that is no watch or stream"),
    flag("min-request-timeout", Value, "1800", SERVING, "Seconds that watches last, at least; at most twice as long"),
    flag("goaway-chance", Value, "0", SERVING, "How probably an HTTP/2 client is sent to a new connection, up to 0.02"),
    flag("enable-priority-and-fairness", Switch, "true", SERVING, "Share seats among senders; else two fixed bounds"),
    flag("max-requests-inflight", Value, "400", SERVING, "Reads at a time; with fairness a part of all seats"),
    flag(
        "max-mutating-requests-inflight",
        Value,
        "200",
        SERVING,
        "Writes at a time; with fairness a part of all seats",
    ),
    flag("disable-http2-serving", Switch, "false", SERVING, "HTTP/1.1 only"),
    flag(
        "http2-max-streams-per-connection",
        Value,
        "0",
        SERVING,
        "Requests at a time on one HTTP/2 connection; 0 is 100",
    ),
    flag("permit-port-sharing", Switch, "false", SERVING, "Listen with SO_REUSEPORT"),
    flag("etcd-servers", List, "", STORAGE, "Keep data in etcd at these URLs instead of the data directory"),
    flag("etcd-prefix", Value, "/registry", STORAGE, "What every key in etcd begins with"),
    flag("etcd-cafile", Value, "", STORAGE, "CA of the etcd servers"),
    flag("etcd-certfile", Value, "", STORAGE, "Client certificate for etcd"),
    flag("etcd-keyfile", Value, "", STORAGE, "Key of --etcd-certfile"),
    flag(
        "etcd-compaction-interval",
        Value,
        "5m0s",
        STORAGE,
        "How often the history in etcd is compacted; 0 leaves that to others",
    ),
    flag("lease-reuse-duration-seconds", Value, "60", STORAGE, "How long one lease in etcd is given to further events"),
    flag("encryption-provider-config", Value, "", STORAGE, "How objects are encrypted: an EncryptionConfiguration"),
    flag(
        "encryption-provider-config-automatic-reload",
        Switch,
        "false",
        STORAGE,
        "Read that file again when it changes",
    ),
    flag("event-ttl", Value, "1h0m0s", STORAGE, "How long events are kept"),
    flag("anonymous-auth", Switch, "true", AUTHENTICATION, "Requests without credentials come from system:anonymous"),
    flag("client-ca-file", Value, "", AUTHENTICATION, "Who signs client certificates [default: kybern's own CA]"),
    flag("token-auth-file", Value, "", AUTHENTICATION, "Static tokens: lines of token,user,uid,\"group1,group2\""),
    flag("requestheader-client-ca-file", Value, "", AUTHENTICATION, "Who signs the certificates of front proxies"),
    flag(
        "requestheader-allowed-names",
        List,
        "",
        AUTHENTICATION,
        "Common names that front proxies may have; none is any",
    ),
    flag("requestheader-username-headers", List, "", AUTHENTICATION, "Headers in which front proxies name the user"),
    flag("requestheader-uid-headers", List, "", AUTHENTICATION, "Headers in which front proxies give the user's uid"),
    flag("requestheader-group-headers", List, "", AUTHENTICATION, "Headers in which front proxies name the groups"),
    flag(
        "requestheader-extra-headers-prefix",
        List,
        "",
        AUTHENTICATION,
        "What headers with further attributes begin with",
    ),
    flag(
        "proxy-client-cert-file",
        Value,
        "",
        AUTHENTICATION,
        "Certificate that aggregated API servers know this one by",
    ),
    flag("proxy-client-key-file", Value, "", AUTHENTICATION, "Key of --proxy-client-cert-file"),
    flag(
        "kubelet-certificate-authority",
        Value,
        "",
        AUTHENTICATION,
        "Who signs the certificates of kubelets; none is any",
    ),
    flag("kubelet-client-certificate", Value, "", AUTHENTICATION, "Certificate that kubelets know this server by"),
    flag("kubelet-client-key", Value, "", AUTHENTICATION, "Key of --kubelet-client-certificate"),
    flag(
        "kubelet-preferred-address-types",
        List,
        "Hostname,InternalDNS,InternalIP,ExternalDNS,ExternalIP",
        CLUSTER,
        "Which of a node's addresses its kubelet is reached at",
    ),
    flag("service-account-issuer", List, "", AUTHENTICATION, "Issuers of service account tokens; the first one signs"),
    flag("service-account-key-file", List, "", AUTHENTICATION, "Keys that service account tokens are checked with"),
    flag(
        "service-account-signing-key-file",
        Value,
        "",
        AUTHENTICATION,
        "Key that service account tokens are signed with",
    ),
    flag("service-account-lookup", Switch, "true", AUTHENTICATION, "Tokens kept in secrets end with these"),
    flag(
        "service-account-max-token-expiration",
        Value,
        "0s",
        AUTHENTICATION,
        "How long service account tokens may be good at most; 0 is no bound",
    ),
    flag(
        "service-account-extend-token-expiration",
        Switch,
        "true",
        AUTHENTICATION,
        "Tokens that kubelets fetch for pods live for a year",
    ),
    flag(
        "service-account-jwks-uri",
        Value,
        "",
        AUTHENTICATION,
        "Where others find the keys of these tokens [default: here]",
    ),
    flag("enable-bootstrap-token-auth", Switch, "false", AUTHENTICATION, "Accept bootstrap tokens kept in kube-system"),
    flag(
        "api-audiences",
        List,
        "",
        AUTHENTICATION,
        "Audiences of tokens that are accepted [default: the first issuer]",
    ),
    flag(
        "authentication-config",
        Value,
        "",
        AUTHENTICATION,
        "OpenID issuers, as an AuthenticationConfiguration; may change",
    ),
    flag("oidc-issuer-url", Value, "", AUTHENTICATION, "OpenID issuer whose tokens are accepted"),
    flag("oidc-client-id", Value, "", AUTHENTICATION, "Whom its tokens must be for"),
    flag("oidc-ca-file", Value, "", AUTHENTICATION, "CA of the issuer [default: those that this machine trusts]"),
    flag("oidc-username-claim", Value, "sub", AUTHENTICATION, "Claim with the user's name"),
    flag(
        "oidc-username-prefix",
        Value,
        "",
        AUTHENTICATION,
        "What names begin with; - is nothing [default: the issuer and #, but for email]",
    ),
    flag("oidc-groups-claim", Value, "", AUTHENTICATION, "Claim with the user's groups"),
    flag("oidc-groups-prefix", Value, "", AUTHENTICATION, "What groups begin with"),
    flag("oidc-signing-algs", List, "RS256", AUTHENTICATION, "Algorithms that its tokens may be signed with"),
    flag("oidc-required-claim", List, "", AUTHENTICATION, "A claim that its tokens must have: key=value"),
    flag(
        "authentication-token-webhook-config-file",
        Value,
        "",
        AUTHENTICATION,
        "Server that is asked about other tokens, as a kubeconfig file",
    ),
    flag("authentication-token-webhook-version", Value, "v1beta1", AUTHENTICATION, "Version of its TokenReviews"),
    flag(
        "authentication-token-webhook-cache-ttl",
        Value,
        "2m0s",
        AUTHENTICATION,
        "How long the webhook's answers are remembered",
    ),
    but(
        flag(
            "authorization-mode",
            List,
            "Node,RBAC",
            AUTHORIZATION,
            "Who decides what is allowed, in order: AlwaysAllow, AlwaysDeny, ABAC, Webhook, RBAC, Node",
        ),
        "AlwaysAllow",
    ),
    flag("authorization-config", Value, "", AUTHORIZATION, "Who decides, as an AuthorizationConfiguration; may change"),
    flag("authorization-policy-file", Value, "", AUTHORIZATION, "Policy of the mode ABAC"),
    flag(
        "authorization-webhook-config-file",
        Value,
        "",
        AUTHORIZATION,
        "Server of the mode Webhook, as a kubeconfig file",
    ),
    flag("authorization-webhook-version", Value, "v1beta1", AUTHORIZATION, "Version of its SubjectAccessReviews"),
    flag(
        "authorization-webhook-cache-authorized-ttl",
        Value,
        "5m0s",
        AUTHORIZATION,
        "How long it is remembered that the webhook allowed something",
    ),
    flag(
        "authorization-webhook-cache-unauthorized-ttl",
        Value,
        "30s",
        AUTHORIZATION,
        "How long it is remembered that the webhook did not",
    ),
    flag("enable-admission-plugins", List, "", AUTHORIZATION, "Admission plugins beside those that are on by default"),
    flag("disable-admission-plugins", List, "", AUTHORIZATION, "Admission plugins to turn off"),
    flag(
        "admission-control-config-file",
        Value,
        "",
        AUTHORIZATION,
        "What admission plugins are told: an AdmissionConfiguration",
    ),
    flag("service-cluster-ip-range", List, "10.0.0.0/24", CLUSTER, "Addresses for services, one range per IP family"),
    flag("service-node-port-range", Value, "30000-32767", CLUSTER, "Ports for services of type NodePort"),
    flag(
        "enable-aggregator-routing",
        Switch,
        "false",
        CLUSTER,
        "Reach aggregated API servers at their endpoints instead of their service's address",
    ),
    flag("shutdown-delay-duration", Value, "0s", PROCESS, "How long to go on serving, no longer ready, after SIGTERM"),
    flag("v", Value, "0", PROCESS, "How much to log: 0 to 10"),
];

/// Flags of kube-apiserver that change nothing here, given as `--x[=BOOL]`.
pub const UNUSED_SWITCHES: &[&str] = &[
    "aggregator-reject-forwarding-redirect",
    "allow-privileged",
    "contention-profiling",
    "emulation-forward-compatible",
    "enable-garbage-collector",
    "enable-logs-handler",
    "log-json-split-stream",
    "log-text-split-stream",
    "permit-address-sharing",
    "profiling",
    "runtime-config-emulation-forward-compatible",
    "shutdown-send-retry-after",
    "watch-cache",
];

/// Flags of kube-apiserver that change nothing here, given with a value.
pub const UNUSED_VALUES: &[&str] = &[
    "admission-control",
    "allow-metric-labels",
    "allow-metric-labels-manifest",
    "apiserver-count",
    "cert-dir",
    "coordinated-leadership-lease-duration",
    "coordinated-leadership-renew-deadline",
    "coordinated-leadership-retry-period",
    "cors-allowed-origins",
    "debug-socket-path",
    "default-watch-cache-size",
    "delete-collection-workers",
    "disabled-metrics",
    "egress-selector-config-file",
    "emulated-version",
    "endpoint-reconciler-type",
    "etcd-count-metric-poll-period",
    "etcd-db-metric-poll-interval",
    "etcd-healthcheck-timeout",
    "etcd-readycheck-timeout",
    "external-hostname",
    "feature-gates",
    "kubelet-port",
    "kubelet-read-only-port",
    "kubelet-timeout",
    "kubernetes-service-node-port",
    "livez-grace-period",
    "log-flush-frequency",
    "log-json-info-buffer-size",
    "log-text-info-buffer-size",
    "logging-format",
    "max-connection-bytes-per-sec",
    "min-compatibility-version",
    "peer-advertise-ip",
    "peer-advertise-port",
    "peer-ca-file",
    "runtime-config",
    "service-account-signing-endpoint",
    "show-hidden-metrics-for-version",
    "shutdown-watch-termination-grace-period",
    "storage-backend",
    "storage-initialization-timeout",
    "storage-media-type",
    "tracing-config-file",
    "vmodule",
    "watch-cache-sizes",
];

/// Flags of kube-apiserver that promise protection which kybern does not give, or name data that it would not see. To
/// accept them would be a lie.
pub const REFUSED: &[&str] = &["etcd-servers-overrides"];
