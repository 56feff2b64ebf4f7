//! Replays exchanges that were recorded from the real kube-apiserver, and holds the scores above their floors.
//! The recordings lie beside the repository, not in it; without them there is nothing to do.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::repo;
use crate::tools::Server;

const FLOORS: &str = "xtask/wire-floors.tsv";

/// `--floors` compares with the committed floors, `--raise` writes them; other arguments go to the replayer.
pub fn run(args: &[String]) -> Result<(), String> {
    let folder = repo::root().join("../shared/wire");
    if !folder.join("wire.py").exists() {
        println!("no recorded exchanges in ../shared/wire: replay skipped");
        return Ok(());
    }
    let own = ["--floors", "--raise", "--release"];
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    let passed: Vec<&String> = args.iter().filter(|arg| !own.contains(&arg.as_str())).collect();
    let mut scores = BTreeMap::new();
    for corpus in ["scenarios", "objects"] {
        let server = Server::start(has("--release"))?;
        let file = folder.join(format!("corpus/{corpus}.jsonl.gz"));
        for (name, score) in replay(&server, &folder, &file, &passed)? {
            scores.insert(if name == "all" { format!("all {corpus}") } else { name }, score);
        }
    }
    if has("--raise") {
        return raise(&scores);
    }
    if has("--floors") { compare(&scores) } else { Ok(()) }
}

/// Percent of exact answers by kind of case, as the replayer's table has them.
type Scores = BTreeMap<String, f64>;

fn replay(server: &Server, folder: &Path, file: &Path, args: &[&String]) -> Result<Scores, String> {
    let mut python = Command::new("python3");
    python.arg(folder.join("wire.py")).arg("replay").arg("--server").arg(&server.url).args([
        "--token",
        server.token,
        "--by",
    ]);
    python.args(["--show", "0"]).args(args).arg(file);
    let output = python.output().map_err(|why| format!("python3: {why}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    print!("{text}");
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    Ok(read_table(&text))
}

/// Rows of the replayer's table: a name, then cases and the percentages of code, reason and exact.
fn read_table(text: &str) -> Scores {
    let mut scores = Scores::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [name @ .., cases, _, _, exact] = words.as_slice() {
            let exact = exact.trim_end_matches('%').parse::<f64>();
            if let (Ok(_), Ok(exact), false) = (cases.parse::<u64>(), exact, name.is_empty()) {
                scores.insert(name.join(" "), exact);
            }
        }
    }
    scores
}

fn floors() -> Scores {
    let text = repo::read(FLOORS);
    let pairs = text.lines().filter_map(|line| line.split_once('\t'));
    pairs.filter_map(|(name, floor)| Some((name.to_owned(), floor.parse().ok()?))).collect()
}

fn compare(scores: &Scores) -> Result<(), String> {
    let mut fallen = vec![];
    for (name, floor) in floors() {
        let score = scores.get(&name).copied().unwrap_or_default();
        if score < floor {
            fallen.push(format!("{name}: {score:.1} % exact, must be {floor:.1} %"));
        }
    }
    if fallen.is_empty() { Ok(()) } else { Err(fallen.join("\n")) }
}

/// Floors only rise, and stay a little under the score: some recorded exchanges depend on timing.
fn raise(scores: &Scores) -> Result<(), String> {
    let mut floors = floors();
    for (name, score) in scores {
        let floor = (score - 0.5).max(0.0).floor();
        let old = floors.entry(name.clone()).or_default();
        *old = old.max(floor);
    }
    let lines: Vec<String> = floors.iter().map(|(name, floor)| format!("{name}\t{floor}\n")).collect();
    std::fs::write(repo::root().join(FLOORS), lines.concat()).map_err(|why| format!("{FLOORS}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read() {
        let text = "                      cases    code  reason   exact\nv1 Pod create           120   99.2    98.0    91.5\nall 3 1 2 3 4\n\n";
        assert_eq!(read_table(text), Scores::from([("v1 Pod create".to_owned(), 91.5), ("all 3".to_owned(), 4.0)]));
    }
}
