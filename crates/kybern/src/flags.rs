//! The command line. Flags carry kube-apiserver's names; which there are is data ([`table`]), the rest are loops over it.

mod table;

use clap::{Arg, ArgAction, ArgMatches, Command};

use table::{Flag, Kind, REFUSED, UNUSED_SWITCHES, UNUSED_VALUES};

/// How the program was called.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Program {
    /// `kybern serve`: own defaults, a closed set of flags.
    Serve,
    /// `kube-apiserver`, by name or as a subcommand: that program's whole command line and defaults.
    KubeApiserver,
}

/// The flags as given, with defaults filled in.
pub struct Given {
    pub program: Program,
    matches: ArgMatches,
    /// Flags that were given and change nothing.
    pub without_effect: Vec<&'static str>,
}

/// What the command line asks for.
pub enum Call {
    Run(Given),
    /// Text to print, and the exit code.
    Print(String, i32),
}

impl Given {
    /// The value of a flag; "" when it was not given and has no default.
    pub fn text(&self, name: &str) -> &str {
        self.matches.get_one::<String>(name).map(String::as_str).unwrap_or_default()
    }

    pub fn is_set(&self, name: &str) -> bool {
        self.matches.value_source(name) == Some(clap::parser::ValueSource::CommandLine)
    }

    /// The values of a flag that may be repeated and whose values may be joined by commas.
    pub fn list(&self, name: &str) -> Vec<String> {
        let values = self.matches.get_many::<String>(name).into_iter().flatten();
        let parts = values.flat_map(|value| value.split(',')).filter(|part| !part.is_empty());
        parts.map(str::to_owned).collect()
    }

    /// The values of a flag that may be repeated and whose values hold commas.
    pub fn texts(&self, name: &str) -> Vec<String> {
        self.matches.get_many::<String>(name).into_iter().flatten().cloned().collect()
    }

    /// A switch: `--x`, `--x=true`, `--x=false`.
    pub fn switch(&self, name: &str) -> Result<bool, String> {
        match self.text(name) {
            "true" | "1" | "t" | "T" | "TRUE" | "True" => Ok(true),
            "false" | "0" | "f" | "F" | "FALSE" | "False" | "" => Ok(false),
            other => Err(format!("invalid argument {other:?} for --{name}: must be true or false")),
        }
    }

    /// The flags that do something, by name, and their values. Flags hold names of files, never secrets.
    pub fn all(&self) -> Vec<(&'static str, String)> {
        let known = |flag: &&Flag| self.matches.try_contains_id(flag.name).unwrap_or(false);
        let value = |flag: &Flag| match flag.kind {
            Kind::List => format!("[{}]", self.list(flag.name).join(",")),
            Kind::Switch | Kind::Value => self.text(flag.name).to_owned(),
        };
        let mut all: Vec<_> = table::flags().filter(known).map(|flag| (flag.name, value(flag))).collect();
        all.sort_unstable();
        all
    }

    /// Parses the value with `FromStr`; the error names the flag.
    pub fn parse<T: std::str::FromStr>(&self, name: &str) -> Result<T, String>
    where
        T::Err: std::fmt::Display,
    {
        let text = self.text(name);
        text.parse().map_err(|why| format!("invalid argument {text:?} for --{name}: {why}"))
    }
}

/// Reads a command line; the first argument is the program's own name.
pub fn read(args: impl IntoIterator<Item = String>) -> Call {
    let mut args: Vec<String> = args.into_iter().collect();
    let called = args.first().map(|path| path.rsplit('/').next().unwrap_or(path).to_owned()).unwrap_or_default();
    let program = if called == "kube-apiserver" {
        Program::KubeApiserver
    } else {
        match args.get(1).map(String::as_str) {
            Some("serve") => Program::Serve,
            Some("kube-apiserver") => Program::KubeApiserver,
            Some("--version" | "version") => return Call::Print(own_version(), 0),
            Some("--help" | "-h" | "help") => return Call::Print(usage(), 0),
            Some(other) => return Call::Print(format!("unknown command {other:?}\n\n{}", usage()), 2),
            None => return Call::Print(usage(), 2),
        }
    };
    if called != "kube-apiserver" {
        args.remove(0);
    }
    if program == Program::KubeApiserver
        && let Some(text) = version_flag(&args)
    {
        return Call::Print(text, 0);
    }
    parse(program, args.into_iter().map(normalise))
}

fn parse(program: Program, args: impl Iterator<Item = String>) -> Call {
    let matches = match command(program).try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(why) => return Call::Print(why.render().to_string(), why.exit_code()),
    };
    let given = |name: &&&str| matches.value_source(name) == Some(clap::parser::ValueSource::CommandLine);
    if program == Program::KubeApiserver
        && let Some(name) = REFUSED.iter().find(given)
    {
        return Call::Print(format!("--{name} is not supported; refusing to start without what it asks for\n"), 2);
    }
    let without_effect = match program {
        Program::Serve => vec![],
        Program::KubeApiserver => UNUSED_SWITCHES.iter().chain(UNUSED_VALUES).filter(given).copied().collect(),
    };
    Call::Run(Given { program, matches, without_effect })
}

/// `kube_apiserver_style_names` are the same flags as those with dashes.
fn normalise(arg: String) -> String {
    match arg.strip_prefix("--") {
        Some(rest) => {
            let (name, value) = rest.split_once('=').map_or((rest, None), |(name, value)| (name, Some(value)));
            let name = name.replace('_', "-");
            value.map_or_else(|| format!("--{name}"), |value| format!("--{name}={value}"))
        }
        None => arg,
    }
}

fn command(program: Program) -> Command {
    let (name, about) = match program {
        Program::Serve => ("kybern serve", "Serves the Kubernetes API."),
        Program::KubeApiserver => ("kube-apiserver", "Serves the Kubernetes API, called as kube-apiserver."),
    };
    let mut command = Command::new(name).about(about).bin_name(name).no_binary_name(false).disable_version_flag(true);
    let used =
        table::flags().filter(|flag| program == Program::Serve || flag.group != table::OWN || flag.name == "data-dir");
    for (order, flag) in used.enumerate() {
        command = command.arg(used_arg(flag, program).display_order(order));
    }
    if program == Program::KubeApiserver {
        let unused = UNUSED_SWITCHES.iter().map(|name| (name, Kind::Switch));
        let unused = unused.chain(UNUSED_VALUES.iter().chain(REFUSED).map(|name| (name, Kind::Value)));
        for (name, kind) in unused {
            command = command.arg(arg(name, kind).hide(true));
        }
    }
    command
}

fn used_arg(flag: &'static Flag, program: Program) -> Arg {
    let default = match program {
        Program::Serve => flag.default,
        Program::KubeApiserver => flag.default_kube_apiserver.unwrap_or(flag.default),
    };
    let mut arg = arg(flag.name, flag.kind).help(flag.help).help_heading(flag.group);
    if !default.is_empty() {
        arg = arg.default_value(default);
    }
    if flag.name == "v" { arg.short('v') } else { arg }
}

fn arg(name: &'static str, kind: Kind) -> Arg {
    let arg = Arg::new(name).long(name).action(ArgAction::Append);
    match kind {
        // Only `--x=false`, never `--x false`: the next word would be an argument of its own.
        Kind::Switch => arg
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_name("BOOL"),
        Kind::Value => {
            arg.action(ArgAction::Set).overrides_with(name).num_args(1).allow_hyphen_values(true).value_name("VALUE")
        }
        Kind::List => arg.num_args(1).allow_hyphen_values(true).value_name("LIST"),
    }
}

fn version_flag(args: &[String]) -> Option<String> {
    let flag = args.iter().find(|arg| *arg == "--version" || arg.starts_with("--version="))?;
    let raw = flag == "--version=raw";
    Some(if raw { own_version() } else { format!("Kubernetes {}\n", serve::version::git_version()) })
}

fn own_version() -> String {
    format!("kybern {} (Kubernetes {})\n", env!("CARGO_PKG_VERSION"), serve::version::KUBERNETES)
}

fn usage() -> String {
    format!(
        "{}\nThe Kubernetes API server in one small program.\n\n\
         Usage:\n  \
         kybern serve [flags]            serve the API; makes its own certificates and keeps its own data\n  \
         kybern kube-apiserver [flags]   the same with the whole command line of kube-apiserver\n  \
         kybern bench [flags]            measure this or another Kubernetes API server\n  \
         kybern backup [flags] FILE      write a data directory's objects and keys into a file, also while it is used\n  \
         kybern restore [flags] FILE     make a data directory from that file\n  \
         kybern version\n\n\
         kybern serve --help lists the flags.\n",
        own_version()
    )
}

#[cfg(test)]
mod tests;
