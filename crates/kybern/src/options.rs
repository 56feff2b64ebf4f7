//! What the flags mean: checked values with every default resolved.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;
use ipnet::IpNet;

use serve::queue::Bounds;

use crate::admission_plugins::AdmissionPlugins;
use crate::auditing::Auditing;
use crate::authentication::Authentication;
use crate::authorization::Authorization;
use crate::data_dir::DataDir;
use crate::flags::{Given, Program};
use crate::kubelets::Kubelets;
use crate::sealing::Sealing;
use crate::serving::Tls;

/// Everything that a server is started with.
#[derive(Clone, Debug)]
pub struct Options {
    pub data_dir: PathBuf,
    /// `None`: objects are kept in the data directory.
    pub etcd: Option<Etcd>,
    pub secure: SocketAddr,
    /// Plain HTTP with full rights, on the loopback address; 0 is off.
    pub insecure_port: u16,
    /// Where others reach this server; `None` on a machine without a network.
    pub advertise_address: Option<IpAddr>,
    pub tls: Tls,
    pub authentication: Authentication,
    pub authorization: Authorization,
    pub admission: AdmissionPlugins,
    pub auditing: Auditing,
    pub sealing: Sealing,
    /// One or two, of different families.
    pub service_ranges: Vec<IpNet>,
    /// First and last.
    pub node_ports: (u16, u16),
    pub aggregation: Aggregation,
    pub kubelets: Kubelets,
    pub event_ttl: Duration,
    pub requests: Requests,
    pub shutdown_delay: Duration,
    /// `-v`
    pub verbosity: u8,
    /// All flags by name, for people to look at.
    pub flags: Vec<(&'static str, String)>,
}

/// `--etcd-*`
#[derive(Clone, Debug)]
pub struct Etcd {
    /// URLs, at least one.
    pub servers: Vec<String>,
    pub prefix: String,
    pub ca: Option<PathBuf>,
    /// Files of the certificate and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Zero: never.
    pub compaction_interval: Duration,
    pub lease_reuse_seconds: i64,
}

/// Bounds and headers of all requests.
#[derive(Clone, Debug)]
pub struct Requests {
    /// Of everything but watches and streams.
    pub timeout: Duration,
    pub watch_timeout_min: Duration,
    /// How probably an answer over HTTP/2 sends its client to a new connection.
    pub goaway_chance: f64,
    pub bounds: Bounds,
    /// Strict-Transport-Security.
    pub hsts: Option<HeaderValue>,
}

const HSTS: &str = "strict-transport-security-directives";
const GOAWAY_CHANCE_MAX: f64 = 0.02;

/// How other servers are reached that serve group versions behind this one.
#[derive(Clone, Debug, Default)]
pub struct Aggregation {
    pub to_endpoints: bool,
    /// Files of the certificate that they know this server by, and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl Options {
    /// The error is one line for the person who wrote the command.
    pub fn resolve(given: &Given) -> Result<Options, String> {
        let bind: IpAddr = given.parse("bind-address")?;
        let port: u16 = given.parse("secure-port")?;
        if port == 0 && given.program == Program::KubeApiserver {
            return Err("--secure-port 0 must be between 1 and 65535, inclusive. It cannot be turned off with 0".into());
        }
        let data_dir = Some(given.text("data-dir")).filter(|dir| !dir.is_empty());
        let insecure_port = if given.program == Program::Serve { given.parse("insecure-port")? } else { 0 };
        Ok(Options {
            etcd: Etcd::resolve(given)?,
            data_dir: data_dir.map_or_else(DataDir::default_root, PathBuf::from),
            secure: SocketAddr::new(bind, port),
            insecure_port,
            advertise_address: advertise_address(given, bind)?,
            tls: Tls::resolve(given)?,
            authentication: Authentication::resolve(given)?,
            authorization: Authorization::resolve(given)?,
            admission: AdmissionPlugins::resolve(given)?,
            auditing: Auditing::resolve(given)?,
            sealing: Sealing::resolve(given)?,
            service_ranges: service_ranges(&given.list("service-cluster-ip-range"))?,
            node_ports: node_ports(given.text("service-node-port-range"))?,
            aggregation: Aggregation::resolve(given)?,
            kubelets: Kubelets::resolve(given)?,
            event_ttl: duration(given, "event-ttl")?,
            requests: Requests::resolve(given)?,
            shutdown_delay: duration(given, "shutdown-delay-duration")?,
            verbosity: given.parse("v")?,
            flags: given.all(),
        })
    }
}

impl Etcd {
    fn resolve(given: &Given) -> Result<Option<Etcd>, String> {
        let servers = given.list("etcd-servers");
        if servers.is_empty() {
            return Ok(None);
        }
        let certificate = pair(given, "etcd-certfile", "etcd-keyfile")?;
        Ok(Some(Etcd {
            servers,
            prefix: given.text("etcd-prefix").to_owned(),
            ca: path(given, "etcd-cafile"),
            certificate,
            compaction_interval: duration(given, "etcd-compaction-interval")?,
            lease_reuse_seconds: given.parse("lease-reuse-duration-seconds")?,
        }))
    }
}

impl Requests {
    fn resolve(given: &Given) -> Result<Requests, String> {
        let goaway_chance: f64 = given.parse("goaway-chance")?;
        if !(0.0..=GOAWAY_CHANCE_MAX).contains(&goaway_chance) {
            return Err(format!("--goaway-chance can not be less than 0 or greater than {GOAWAY_CHANCE_MAX}"));
        }
        let watch_seconds: i64 = given.parse("min-request-timeout")?;
        let watch_seconds =
            u64::try_from(watch_seconds).map_err(|_| "--min-request-timeout can not be negative value".to_owned())?;
        let timeout = duration(given, "request-timeout")?;
        let bound = |name: &str| {
            let number: i64 = given.parse(name)?;
            usize::try_from(number).map_err(|_| format!("--{name} can not be negative value"))
        };
        let bounds = Bounds {
            fair: given.switch("enable-priority-and-fairness")?,
            reading: bound("max-requests-inflight")?,
            mutating: bound("max-mutating-requests-inflight")?,
            // A quarter of the time that a request may take, as upstream has it.
            wait_max: timeout / 4,
        };
        Ok(Requests {
            bounds,
            timeout,
            watch_timeout_min: Duration::from_secs(watch_seconds),
            goaway_chance,
            hsts: hsts(&given.list(HSTS))?,
        })
    }
}

/// The value of the header.
fn hsts(directives: &[String]) -> Result<Option<HeaderValue>, String> {
    let known = |directive: &String| {
        let age = directive.strip_prefix("max-age=").is_some_and(|age| age.parse::<u64>().is_ok());
        age || matches!(directive.as_str(), "includeSubDomains" | "preload")
    };
    if !directives.iter().all(known) {
        return Err(format!(
            "--{HSTS} invalid, allowed values: max-age=expireTime, includeSubDomains, preload. see https://tools.ietf.org/html/rfc6797#section-6.1 for more information"
        ));
    }
    let text = directives.join("; ");
    if text.is_empty() { Ok(None) } else { HeaderValue::from_str(&text).map(Some).map_err(|why| why.to_string()) }
}

impl Aggregation {
    fn resolve(given: &Given) -> Result<Aggregation, String> {
        Ok(Aggregation {
            to_endpoints: given.switch("enable-aggregator-routing")?,
            identity: pair(given, "proxy-client-cert-file", "proxy-client-key-file")?,
        })
    }
}

/// The files of a certificate and its key: both or none.
pub(crate) fn pair(given: &Given, certificate: &str, key: &str) -> Result<Option<(PathBuf, PathBuf)>, String> {
    match (path(given, certificate), path(given, key)) {
        (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
        (None, None) => Ok(None),
        _ => Err(format!("--{certificate} and --{key} belong together")),
    }
}

pub(crate) fn path(given: &Given, name: &str) -> Option<PathBuf> {
    Some(given.text(name)).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// The address that others use. One that only this machine can reach is replaced by that of the default route.
fn advertise_address(given: &Given, bind: IpAddr) -> Result<Option<IpAddr>, String> {
    if !given.text("advertise-address").is_empty() {
        return given.parse("advertise-address").map(Some);
    }
    if !bind.is_loopback() && !bind.is_unspecified() {
        return Ok(Some(bind));
    }
    Ok(default_route_address())
}

/// Nothing is sent: connecting a datagram socket only asks the routing table. 192.0.2.0/24 and 2001:db8::/32 are
/// reserved for examples, so that only a default route matches.
fn default_route_address() -> Option<IpAddr> {
    [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")].into_iter().find_map(|(from, to)| {
        let socket = UdpSocket::bind(from).ok()?;
        socket.connect(to).ok()?;
        Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_loopback())
    })
}

fn service_ranges(texts: &[String]) -> Result<Vec<IpNet>, String> {
    let ranges: Vec<IpNet> = texts
        .iter()
        .map(|text| text.parse().map_err(|_| format!("--service-cluster-ip-range: {text:?} is no CIDR")))
        .collect::<Result<_, _>>()?;
    match ranges.as_slice() {
        [_] => Ok(ranges),
        [a, b] if a.addr().is_ipv4() != b.addr().is_ipv4() => Ok(ranges),
        _ => Err("--service-cluster-ip-range takes one range, or one of IPv4 and one of IPv6".into()),
    }
}

fn node_ports(text: &str) -> Result<(u16, u16), String> {
    let bad = || format!("--service-node-port-range: {text:?} is no range such as 30000-32767");
    let (first, last) = text.split_once('-').ok_or_else(bad)?;
    let (first, last): (u16, u16) = (first.parse().map_err(|_| bad())?, last.parse().map_err(|_| bad())?);
    if first == 0 || first > last { Err(bad()) } else { Ok((first, last)) }
}

pub(crate) fn duration(given: &Given, name: &str) -> Result<Duration, String> {
    let text = given.text(name);
    let bad = || format!("invalid argument {text:?} for --{name}: no duration such as 1h30m or 500ms");
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let unit = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let number: f64 = number.parse().map_err(|_| bad())?;
        seconds += number
            * match unit {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" => 1e-6,
                "" if number == 0.0 => 0.0,
                _ => return Err(bad()),
            };
        rest = after;
    }
    if text.is_empty() { Err(bad()) } else { Duration::try_from_secs_f64(seconds).map_err(|_| bad()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::{Call, read};

    fn resolve(flags: &str) -> Result<Options, String> {
        let line = format!("kybern serve --data-dir=/tmp/k {flags}");
        match read(line.split_whitespace().map(str::to_owned)) {
            Call::Run(given) => Options::resolve(&given),
            Call::Print(text, _) => panic!("{text}"),
        }
    }

    #[test]
    fn defaults() {
        let options = resolve("").expect("the defaults");
        assert_eq!(options.secure.to_string(), "127.0.0.1:6443");
        assert_eq!(options.authorization.modes, ["Node", "RBAC"]);
        assert_eq!(options.event_ttl, Duration::from_secs(3600));
        assert_eq!(options.node_ports, (30000, 32767));
        assert!(options.tls.protocols.http2 && options.authentication.anonymous);
        assert_eq!(options.authentication.audiences, options.authentication.accounts.issuers);
    }

    #[test]
    fn durations_are_those_of_go() {
        for (text, ms) in
            [("1h0m0s", 3_600_000), ("90s", 90_000), ("1m30s", 90_000), ("1.5s", 1500), ("250ms", 250), ("0", 0)]
        {
            let options = resolve(&format!("--shutdown-delay-duration={text}")).expect(text);
            assert_eq!(options.shutdown_delay.as_millis(), ms, "{text}");
        }
    }

    #[test]
    fn mistakes_are_said() {
        let cases = [
            "--bind-address=here",
            "--secure-port=70000",
            "--tls-cert-file=/x",
            "--tls-min-version=1.3",
            "--oidc-issuer-url=https://x",
            "--oidc-issuer-url=http://x --oidc-client-id=x",
            "--oidc-signing-algs=HS256 --oidc-issuer-url=https://x --oidc-client-id=x",
            "--oidc-required-claim=x --oidc-issuer-url=https://x --oidc-client-id=x",
            "--authentication-config=/x --oidc-client-id=x",
            "--authentication-token-webhook-version=v2 --authentication-token-webhook-config-file=/x",
            "--tls-cipher-suites=ROT13",
            "--tls-curve-preferences=P256",
            "--tls-sni-cert-key=/x",
            "--goaway-chance=0.5",
            "--max-requests-inflight=-1",
            "--min-request-timeout=-1",
            "--strict-transport-security-directives=forever",
            "--authorization-mode=Webhook",
            "--authorization-mode=ABAC",
            "--authorization-mode=Magic",
            "--authorization-mode=RBAC,RBAC",
            "--authorization-policy-file=/x",
            "--authorization-webhook-config-file=/x",
            "--authorization-config=/x --authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0",
            "--service-cluster-ip-range=10.0.0.0/16,10.1.0.0/16",
            "--service-node-port-range=9-5",
            "--event-ttl=1d",
            "--event-ttl=",
            "--event-ttl=-1s",
            "--anonymous-auth=perhaps",
            "--etcd-certfile=/x --etcd-servers=http://127.0.0.1:2379",
            "--etcd-compaction-interval=often --etcd-servers=http://127.0.0.1:2379",
            "--service-account-max-token-expiration=1m",
            "--service-account-jwks-uri=http://x",
        ];
        for flags in cases {
            let why = resolve(flags).expect_err(flags);
            let name = flags.split('=').next().unwrap_or_default();
            assert!(why.contains(name), "{flags}: {why}");
        }
    }
}
