//! Levels, versions and the labels of a namespace that choose them.

use meta::Value;
use meta::field::{ErrorList, Path};
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Privileged,
    Baseline,
    Restricted,
}

/// A version of the Pod Security Standards: the minor of Kubernetes 1.x, or the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    Latest,
    Minor(u32),
}

/// What one mode asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelVersion {
    pub level: Level,
    pub version: Version,
}

/// The three modes of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    pub enforce: LevelVersion,
    pub audit: LevelVersion,
    pub warn: LevelVersion,
}

impl fmt::Display for LevelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Privileged => "privileged",
            Level::Baseline => "baseline",
            Level::Restricted => "restricted",
        };
        match self.version {
            Version::Latest => write!(f, "{level}:latest"),
            Version::Minor(minor) => write!(f, "{level}:v1.{minor}"),
        }
    }
}

impl Level {
    pub fn parse(text: &str) -> Option<Level> {
        match text {
            "privileged" => Some(Level::Privileged),
            "baseline" => Some(Level::Baseline),
            "restricted" => Some(Level::Restricted),
            _ => None,
        }
    }
}

impl Version {
    pub fn parse(text: &str) -> Option<Version> {
        if text == "latest" {
            return Some(Version::Latest);
        }
        let minor = text.strip_prefix("v1.")?;
        let canonical = minor == "0" || !minor.starts_with('0');
        let digits = !minor.is_empty() && minor.bytes().all(|b| b.is_ascii_digit());
        if canonical && digits { minor.parse().ok().map(Version::Minor) } else { None }
    }
}

const LABEL_PREFIX: &str = "pod-security.kubernetes.io/";

/// The labels of one mode, and what is wrong with them.
fn mode(labels: &Value, mode: &str, errs: &mut ErrorList) -> (Option<Option<Level>>, Option<Option<Version>>) {
    let mut read = |key: String, bad: fn(&str) -> bool, detail: &str| {
        let text = labels.get(&key)?.str();
        if bad(text) {
            errs.invalid(&Path::new("metadata").child("labels").key(&key), text, detail);
        }
        Some(text)
    };
    let level_detail = "must be one of privileged, baseline, restricted";
    let level = read(format!("{LABEL_PREFIX}{mode}"), |t| Level::parse(t).is_none(), level_detail);
    let version_detail = "must be \"latest\" or \"v1.x\"";
    let version = read(format!("{LABEL_PREFIX}{mode}-version"), |t| Version::parse(t).is_none(), version_detail);
    (level.map(Level::parse), version.map(Version::parse))
}

impl Policy {
    /// Nothing is asked for.
    pub const PRIVILEGED: Policy = {
        let privileged = LevelVersion { level: Level::Privileged, version: Version::Latest };
        Policy { enforce: privileged, audit: privileged, warn: privileged }
    };

    /// The policy of a namespace's labels. A bad enforce level counts as restricted; bad audit and warn levels as
    /// privileged; a bad version as the latest.
    pub fn of_labels(labels: &Value, default: Policy) -> (Policy, ErrorList) {
        let mut errs = ErrorList::new();
        let mut policy = default;
        let (enforce, enforce_version) = mode(labels, "enforce", &mut errs);
        let (audit, audit_version) = mode(labels, "audit", &mut errs);
        let (warn, warn_version) = mode(labels, "warn", &mut errs);
        for (slot, level, otherwise) in [
            (&mut policy.enforce, enforce, Level::Restricted),
            (&mut policy.audit, audit, Level::Privileged),
            (&mut policy.warn, warn, Level::Privileged),
        ] {
            if let Some(level) = level {
                slot.level = level.unwrap_or(otherwise);
            }
        }
        for (slot, version) in [
            (&mut policy.enforce, enforce_version),
            (&mut policy.audit, audit_version),
            (&mut policy.warn, warn_version),
        ] {
            if let Some(version) = version {
                slot.version = version.unwrap_or(Version::Latest);
            }
        }
        // Who enforces a level is also warned at it, unless told otherwise: workloads are only ever warned about.
        let enforces = matches!(enforce, Some(Some(_)));
        if warn.is_none() && enforces && policy.enforce.level > policy.warn.level {
            policy.warn.level = policy.enforce.level;
            if warn_version.is_none() {
                policy.warn.version = policy.enforce.version;
            }
        }
        (policy, errs)
    }

    /// The defaults of a configuration: `{"enforce": "baseline", "enforce-version": "latest", …}`.
    ///
    /// # Errors
    /// Of a level or version that does not exist.
    pub fn of_defaults(defaults: &Value) -> Result<Policy, String> {
        let mut policy = Policy::PRIVILEGED;
        for (mode, slot) in [("enforce", &mut policy.enforce), ("audit", &mut policy.audit), ("warn", &mut policy.warn)]
        {
            if let Some(text) = defaults[mode].as_str() {
                let known = Level::parse(text);
                slot.level = known.ok_or(format!(
                    "defaults.{mode}: Invalid value: \"{text}\": must be one of privileged, baseline, restricted"
                ))?;
            }
            let version = format!("{mode}-version");
            if let Some(text) = defaults[version.as_str()].as_str() {
                let known = Version::parse(text);
                slot.version = known
                    .ok_or(format!("defaults.{version}: Invalid value: \"{text}\": must be \"latest\" or \"v1.x\""))?;
            }
        }
        Ok(policy)
    }

    pub fn is_privileged(&self) -> bool {
        [self.enforce, self.audit, self.warn].iter().all(|mode| mode.level == Level::Privileged)
    }
}
