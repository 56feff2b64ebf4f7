//! `kybern bench`: a load generator for any Kubernetes API server.
//!
//! Without a server it starts one of its own on an empty directory, and then also measures start and restart.

mod load;
mod objects;
mod process;
mod report;
mod steps;
mod target;
mod works;

use clap::{Arg, ArgAction, ArgMatches, Command};
use process::{Child, Watched};
use report::Report;
use std::process::ExitCode;
use target::{Access, Target};

/// How much of everything.
#[derive(Clone, Debug)]
pub struct Amounts {
    pub pods: usize,
    /// Small config maps; 0 for none.
    pub objects: usize,
    pub workers: usize,
    pub connections: usize,
    pub watchers: usize,
    /// Changes that every watcher is told of.
    pub watched_changes: usize,
    /// Calls of the cheap works; lists are repeated a few times only.
    pub calls: usize,
}

/// The subcommand. `args` begin with its name.
pub fn main(args: Vec<String>) -> ExitCode {
    let matches = match command().try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(why) => {
            print!("{}", why.render());
            return ExitCode::from(u8::try_from(why.exit_code()).unwrap_or(1));
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = runtime.map_err(|why| why.to_string()).and_then(|runtime| runtime.block_on(run(&matches)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("kybern bench: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Name, default and help of each flag that takes a value.
const FLAGS: &[(&str, &str, &str)] = &[
    ("server", "", "URL of the server; with --token or --kubeconfig. Without it: a server of its own"),
    ("token", "", "bearer token"),
    ("kubeconfig", "", "kubeconfig with certificates or a token in it"),
    ("pid", "", "processes of the server, joined by commas, whose CPU and memory are read"),
    ("pods", "5000", "how many pods are created"),
    ("objects", "0", "how many small config maps are created after all else, for a label selector that finds 10"),
    ("workers", "32", "calls at a time"),
    ("connections", "4", "HTTP/2 connections"),
    ("watchers", "500", "watches that are told of each change"),
    ("watched-changes", "200", "changes that are told"),
    ("calls", "10000", "calls of the cheap works"),
    ("only", "", "works to run, joined by commas; creating the pods is always one of them"),
    ("json", "", "file to write the figures to"),
];

fn command() -> Command {
    let mut command = Command::new("kybern bench").about("Measures a Kubernetes API server.").no_binary_name(false);
    for (name, default, help) in FLAGS {
        let arg = Arg::new(*name).long(*name).help(*help).action(ArgAction::Set);
        command = command.arg(if default.is_empty() { arg } else { arg.default_value(*default) });
    }
    let steps =
        Arg::new("steps").long("steps").help("what each step of a request costs, in this process; nothing else");
    command.arg(steps.action(ArgAction::SetTrue))
}

async fn run(matches: &ArgMatches) -> Result<(), String> {
    if matches.get_flag("steps") {
        println!("{}", steps::run().await?);
        return Ok(());
    }
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str).unwrap_or_default();
    let number = |name: &str| text(name).parse::<usize>().map_err(|why| format!("--{name}: {why}"));
    let amounts = Amounts {
        pods: number("pods")?.max(1),
        objects: number("objects")?,
        workers: number("workers")?.max(1),
        connections: number("connections")?.max(1),
        watchers: number("watchers")?,
        watched_changes: number("watched-changes")?,
        calls: number("calls")?.max(1),
    };
    let only: Vec<&str> = text("only").split(',').filter(|name| !name.is_empty()).collect();
    let mut report = Report::default();
    let (mut child, access, watched) = if text("server").is_empty() && text("kubeconfig").is_empty() {
        let child = Child::start().await?;
        report.add(child.started("start to ready, empty"));
        let (access, watched) = (child.access()?, Watched::of(vec![child.pid()]));
        (Some(child), access, watched)
    } else {
        let pids = text("pid").split(',').filter(|pid| !pid.is_empty()).map(str::parse);
        let pids = pids.collect::<Result<Vec<u32>, _>>().map_err(|why| format!("--pid: {why}"))?;
        (None, access(text("server"), text("token"), text("kubeconfig"))?, Watched::of(pids))
    };
    let target = Target::connect(&access, amounts.connections).await?;
    let mut works = works::Works { target, watched, amounts, report, only };
    let outcome = run_works(&mut works, &access, child.as_mut()).await;
    // Also when something failed: what was measured until then is true.
    println!("{}", works.report.table());
    if !text("json").is_empty() {
        std::fs::write(text("json"), works.report.json()).map_err(|why| format!("{}: {why}", text("json")))?;
    }
    outcome
}

async fn run_works(works: &mut works::Works<'_>, access: &Access, child: Option<&mut Child>) -> Result<(), String> {
    works.prepare().await?;
    works.note_memory("idle");
    works.run_all(access).await?;
    let is_own = child.is_some();
    if let Some(child) = child {
        child.restart().await?;
        works.report.forget_peak();
        works.report.add(child.started("restart to ready, with all objects"));
        works.watched = Watched::of(vec![child.pid()]);
        works.target = Target::connect(&child.access()?, works.amounts.connections).await?;
        works.note_memory("after restart");
    }
    works.delete_pods().await?;
    works.note_memory("at the end");
    // A server of our own goes away with all that it has.
    if is_own { Ok(()) } else { works.clean_up().await }
}

fn access(server: &str, token: &str, kubeconfig: &str) -> Result<Access, String> {
    let mut access = match kubeconfig {
        "" => Access::default(),
        path => Access::from_kubeconfig(&std::fs::read_to_string(path).map_err(|why| format!("{path}: {why}"))?)?,
    };
    if !server.is_empty() {
        access.server = server.to_owned();
    }
    if !token.is_empty() {
        access.token = token.to_owned();
    }
    Ok(access)
}
