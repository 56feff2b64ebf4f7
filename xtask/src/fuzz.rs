//! `cargo xtask fuzz [TARGET ...] [--seconds N]`: libFuzzer on the targets in `fuzz/`, on the stable toolchain.
//!
//! Without a sanitizer, since the project has no unsafe code: what is looked for are panics, broken properties, hangs and
//! memory without bound. Each target starts from the recorded objects that it can read and keeps what it finds in
//! `fuzz/corpus`; an input that breaks something lies in `fuzz/artifacts` and is given by its path to repeat it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{repo, tools};

/// What cargo-fuzz passes to the compiler, less the sanitizer.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";
const SECONDS: &str = "600";
const MEMORY_MIB_MAX: u32 = 2048;
/// No input of this size takes so long unless something is wrong.
const INPUT_SECONDS_MAX: u32 = 10;
const INPUT_BYTES_MAX: u32 = 32 * 1024;
const SELECTORS: &str =
    "app in (x,y),!tier,env!=prod\nmetadata.name=x,status.phase!=Running\n{\"app\":\"x\",\"env\":\"a\"}";

pub fn run(args: &[String]) -> Result<(), String> {
    let seconds = args.iter().position(|arg| arg == "--seconds");
    let named: Vec<String> = args.iter().take(seconds.unwrap_or(args.len())).cloned().collect();
    let seconds = seconds.and_then(|at| args.get(at + 1)).map_or(SECONDS, String::as_str);
    let targets = if named.is_empty() { targets() } else { named };
    let triple = host()?;
    let fuzz = repo::root().join("fuzz");
    for target in &targets {
        // Naming the triple keeps the flags away from build scripts and procedural macros.
        let mut build = Command::new("cargo");
        build.args(["build", "--release", "--manifest-path", "fuzz/Cargo.toml", "--bin", target, "--target", &triple]);
        tools::run(build.env("RUSTFLAGS", FLAGS))?;
        let corpus = fuzz.join("corpus").join(target);
        let artifacts = fuzz.join("artifacts").join(target);
        plant(target, &corpus)?;
        std::fs::create_dir_all(&artifacts).map_err(|why| why.to_string())?;
        let mut run = Command::new(fuzz.join("target").join(&triple).join("release").join(target));
        run.arg(&corpus)
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-timeout={INPUT_SECONDS_MAX}"))
            .arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"))
            .arg(format!("-max_len={INPUT_BYTES_MAX}"))
            .arg("-print_final_stats=1");
        tools::run(&mut run)?;
    }
    Ok(())
}

/// Every file in `fuzz/fuzz_targets`.
fn targets() -> Vec<String> {
    let files = repo::files("fuzz/fuzz_targets", &[".rs"]);
    files.iter().filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect()
}

fn host() -> Result<String, String> {
    let said = Command::new("rustc").arg("-vV").output().map_err(|why| format!("rustc: {why}"))?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let triple = said.lines().find_map(|line| line.strip_prefix("host: "));
    triple.map(str::to_owned).ok_or_else(|| "rustc names no host".into())
}

/// Gives a target its first inputs: recorded objects where they are there.
fn plant(target: &str, corpus: &Path) -> Result<(), String> {
    std::fs::create_dir_all(corpus).map_err(|why| why.to_string())?;
    let put = |name: &str, bytes: &[u8]| std::fs::write(corpus.join(name), bytes).map_err(|why| why.to_string());
    if target == "selectors" {
        return put("seed", SELECTORS.as_bytes());
    }
    let recorded = repo::root().join("../shared/wire/roundtrip");
    for entry in std::fs::read_dir(recorded).into_iter().flatten().flatten() {
        let path: PathBuf = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(bytes) = std::fs::read(&path) else { continue };
        match (target, path.extension().and_then(|ending| ending.to_str())) {
            ("json", Some("json")) | ("yaml", Some("yaml")) | ("protobuf", Some("pb")) => put(&name, &bytes)?,
            // Two documents on two lines; strings in JSON hold no line ends.
            ("patch" | "apply", Some("json")) if name.starts_with("v1.Pod") => {
                let line = String::from_utf8_lossy(&bytes).replace('\n', " ");
                put(&name, format!("{line}\n{line}").as_bytes())?;
            }
            _ => {}
        }
    }
    Ok(())
}
