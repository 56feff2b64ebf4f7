//! `cargo xtask schema`: makes `crates/schema/facts/builtin.facts` of the pinned crates and the overlay.

mod definitions;
mod facts;
mod import;
mod overlay;

pub use definitions::fetch;

use std::path::PathBuf;

/// `import` writes the facts; `check` says whether they are what an import would write; `overlay` takes the facts as they are
/// and writes the overlay that leads to them, for review.
pub fn run(args: &[String]) -> Result<(), String> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../crates/schema/facts");
    let (facts_file, overlay_file) = (dir.join("builtin.facts"), dir.join("overlay.facts"));
    let read = |file: &PathBuf| std::fs::read_to_string(file).map_err(|why| format!("{}: {why}", file.display()));
    let write =
        |file: &PathBuf, text: &str| std::fs::write(file, text).map_err(|why| format!("{}: {why}", file.display()));
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let sources = import::Sources::read(&manifest)?;
    match args.first().map(String::as_str) {
        Some("overlay") => {
            let wanted = facts::read(&read(&facts_file)?)?;
            let imported = sources.import(&packages(&wanted));
            write(&overlay_file, &overlay::between(&imported, &wanted))
        }
        Some("import") => write(&facts_file, &built(&sources, &read(&overlay_file)?)?),
        Some("check") => check(&built(&sources, &read(&overlay_file)?)?, &read(&facts_file)?),
        _ => Err("cargo xtask schema import|check|overlay".into()),
    }
}

fn packages(of: &[facts::Package]) -> Vec<facts::Package> {
    of.iter().map(|p| facts::Package { types: Default::default(), ..p.clone() }).collect()
}

fn built(sources: &import::Sources, overlay: &str) -> Result<String, String> {
    let overlay = overlay::read(overlay)?;
    let mut imported = sources.import(&overlay.packages);
    overlay.apply(&mut imported)?;
    Ok(facts::write(&imported))
}

fn check(built: &str, committed: &str) -> Result<(), String> {
    let differs = built.lines().zip(committed.lines()).find(|(a, b)| a != b);
    match differs {
        Some((a, b)) => {
            Err(format!("an import writes `{a}` where the facts have `{b}`: run cargo xtask schema import"))
        }
        None if built.len() != committed.len() => {
            Err("an import has another length than the facts: run cargo xtask schema import".into())
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    /// The committed facts are what the pinned crates and the overlay give.
    #[test]
    fn facts_are_imported() {
        super::run(&["check".to_string()]).expect("facts and overlay agree");
    }
}
