//! `/version`: the release whose behaviour is served, and whose code serves it.

use meta::{Value, value};

/// The Kubernetes release that answers are equal to.
pub const KUBERNETES: &str = "1.36.2";

/// `v1.36.2+kybern.0.1.0`: build metadata in the sense of semantic versions, so that version checks of clients hold.
pub fn git_version() -> String {
    format!("v{KUBERNETES}+kybern.{}", env!("CARGO_PKG_VERSION"))
}

/// The document at `/version`. There is no Go in it, but clients parse the field.
pub fn document() -> Value {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    value!({
        "major": "1",
        "minor": "36",
        "emulationMajor": "1",
        "emulationMinor": "36",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35",
        "gitVersion": (git_version()),
        "gitCommit": (option_env!("KYBERN_GIT_COMMIT").unwrap_or("unknown")),
        "gitTreeState": "clean",
        "buildDate": (option_env!("KYBERN_BUILD_DATE").unwrap_or("1970-01-01T00:00:00Z")),
        "goVersion": "go1.26",
        "compiler": "rustc",
        "platform": (format!("{}/{arch}", std::env::consts::OS))
    })
}
