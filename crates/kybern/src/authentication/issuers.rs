//! OpenID issuers: one by `--oidc-*`, or those of `--authentication-config`, which may change.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use auth::configuration::{self, AuthenticationConfiguration};
use auth::jose::Algorithm;
use auth::jwt::{Authenticator, ClaimRule, Issuer, Mapping, Mappings};
use serve::authenticate::{Anonymous, JwtIssuer, JwtIssuers};
use tokio::sync::watch;

use crate::flags::Given;
use crate::options::path;
use crate::reload::follow;
use crate::trust;

const CONFIG: &str = "authentication-config";
const FLAGS: &[&str] = &[
    "oidc-issuer-url",
    "oidc-client-id",
    "oidc-ca-file",
    "oidc-username-claim",
    "oidc-username-prefix",
    "oidc-groups-claim",
    "oidc-groups-prefix",
    "oidc-signing-algs",
    "oidc-required-claim",
];

/// Where issuers come from.
#[derive(Clone, Debug, Default)]
pub enum Issuers {
    #[default]
    None,
    Flags(Box<Flags>),
    File(PathBuf),
}

#[derive(Clone, Debug)]
pub struct Flags {
    authenticator: Authenticator,
    ca: Option<PathBuf>,
    algorithms: Vec<Algorithm>,
}

impl Issuers {
    pub fn resolve(given: &Given) -> Result<Issuers, String> {
        let by_flags = FLAGS.iter().any(|flag| given.is_set(flag));
        match path(given, CONFIG) {
            Some(_) if by_flags => Err(format!("--{CONFIG} and --oidc-* flags are mutually exclusive")),
            Some(path) => Ok(Issuers::File(path)),
            None if by_flags => Ok(Issuers::Flags(Box::new(Flags::resolve(given)?))),
            None => Ok(Issuers::None),
        }
    }

    /// `flag` is what the flag about anonymous requests says, if it was given, and `anonymous` what holds without a file. In a runtime: keys are fetched, and a file is followed, by tasks.
    pub fn open(
        &self,
        disallowed: &[String],
        flag: Option<bool>,
        anonymous: &Arc<ArcSwap<Anonymous>>,
        stopping: &watch::Receiver<bool>,
    ) -> Result<Option<Arc<JwtIssuers>>, String> {
        match self {
            Issuers::None => Ok(None),
            Issuers::Flags(flags) => Ok(Some(Arc::new(JwtIssuers::new(vec![flags.open()?])))),
            Issuers::File(path) => {
                let text = trust::read_file(CONFIG, path)?;
                let read = read(&text, disallowed, flag).map_err(|why| format!("--{CONFIG}: {why}"))?;
                let issuers = Arc::new(JwtIssuers::default());
                let by_flag = anonymous.load_full();
                take_over(&issuers, anonymous, &by_flag, read);
                let (disallowed, anonymous) = (disallowed.to_vec(), anonymous.clone());
                let followed = issuers.clone();
                follow(path.clone(), text, stopping.clone(), move |text| match self::read(text, &disallowed, flag) {
                    Ok(read) => {
                        tracing::info!("reloaded authentication config");
                        take_over(&followed, &anonymous, &by_flag, read);
                    }
                    Err(why) => tracing::warn!(why, "the issuers stay as they are"),
                });
                Ok(Some(issuers))
            }
        }
    }
}

fn read(text: &str, disallowed: &[String], flag: Option<bool>) -> Result<AuthenticationConfiguration, String> {
    let file = codec::parse_yaml(text.as_bytes())?;
    if let Some(why) = file.strict {
        return Err(format!("strict decoding error: {why}"));
    }
    let read = AuthenticationConfiguration::read(&file.value, disallowed)?;
    if flag.is_some() && read.anonymous.is_some() {
        return Err("--anonymous-auth flag cannot be set when anonymous field is configured in authentication configuration file".into());
    }
    for (index, jwt) in read.jwt.iter().enumerate() {
        if let Some(Err(why)) = jwt.issuer.authority.as_deref().map(outbound::roots) {
            return Err(format!("jwt[{index}].issuer.certificateAuthority: Invalid value: \"<omitted>\": {why}"));
        }
    }
    Ok(read)
}

fn take_over(
    issuers: &JwtIssuers,
    anonymous: &ArcSwap<Anonymous>,
    by_flag: &Arc<Anonymous>,
    read: AuthenticationConfiguration,
) {
    let started = read.jwt.into_iter().map(|rules| started(JwtIssuer::new(rules, Algorithm::ALL.to_vec())));
    issuers.replace(started.collect());
    anonymous.store(match read.anonymous {
        None => by_flag.clone(),
        Some(configuration::Anonymous { enabled, paths }) => Arc::new(match (enabled, paths.is_empty()) {
            (false, _) => Anonymous::Nobody,
            (true, true) => Anonymous::Everywhere,
            (true, false) => Anonymous::Paths(paths),
        }),
    });
}

fn started(issuer: JwtIssuer) -> Arc<JwtIssuer> {
    let issuer = Arc::new(issuer);
    let preparing = issuer.clone();
    tokio::spawn(async move { preparing.prepare().await });
    issuer
}

impl Flags {
    fn resolve(given: &Given) -> Result<Flags, String> {
        let (url, client) = (given.text("oidc-issuer-url"), given.text("oidc-client-id"));
        if url.is_empty() || client.is_empty() {
            return Err(
                "--oidc-issuer-url and --oidc-client-id must be specified together when any --oidc-* flags are set"
                    .into(),
            );
        }
        if !url.starts_with("https://") {
            return Err(format!("--oidc-issuer-url: {url:?}: URL scheme must be https"));
        }
        let algorithm = |name: &String| {
            Algorithm::parse(name).ok_or_else(|| format!("--oidc-signing-algs: unsupported signing alg: {name:?}"))
        };
        let rule = |text: &String| match text.split_once('=') {
            Some((claim, value)) => Ok(ClaimRule::Equals { claim: claim.to_owned(), value: value.to_owned() }),
            None => Err(format!("--oidc-required-claim: {text:?} is not key=value")),
        };
        let groups = match given.text("oidc-groups-claim") {
            "" => Mapping::Nothing,
            claim => Mapping::Claim { claim: claim.to_owned(), prefix: given.text("oidc-groups-prefix").to_owned() },
        };
        let issuer = Issuer { url: url.to_owned(), audiences: vec![client.into()], ..Issuer::default() };
        let mappings = Mappings { username: username(given, url), groups, uid: Mapping::Nothing, extra: vec![] };
        let claim_rules = given.texts("oidc-required-claim").iter().map(rule).collect::<Result<_, _>>()?;
        Ok(Flags {
            authenticator: Authenticator { issuer, claim_rules, mappings, user_rules: vec![] },
            ca: path(given, "oidc-ca-file"),
            algorithms: given.list("oidc-signing-algs").iter().map(algorithm).collect::<Result<_, _>>()?,
        })
    }

    fn open(&self) -> Result<Arc<JwtIssuer>, String> {
        let mut rules = self.authenticator.clone();
        rules.issuer.authority = self.ca.as_deref().map(read_authority).transpose()?;
        Ok(started(JwtIssuer::new(rules, self.algorithms.clone())))
    }
}

fn read_authority(path: &Path) -> Result<String, String> {
    let bundle = trust::read_file("oidc-ca-file", path)?;
    outbound::roots(&bundle).map_err(|why| format!("--oidc-ca-file: {why}"))?;
    Ok(bundle)
}

/// Without a prefix names begin with the issuer, but for addresses; `-` is no prefix at all.
fn username(given: &Given, url: &str) -> Mapping {
    let claim = given.text("oidc-username-claim");
    let prefix = match given.text("oidc-username-prefix") {
        "" if claim != "email" => format!("{url}#"),
        "-" => String::new(),
        prefix => prefix.to_owned(),
    };
    Mapping::Claim { claim: claim.to_owned(), prefix }
}
