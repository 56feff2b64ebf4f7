//! `kybern backup` and `kybern restore`: a data directory's objects, keys and certificates in one file.
//!
//! The server may run meanwhile and is not asked: whoever may read its directory may make a backup. A restored directory
//! is `DIR/restoring` until it is whole, and [`DataDir::open`] refuses one that was left so.

use crate::data_dir::{self, DataDir, Secrecy};
use clap::{Arg, Command};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use store::Attachment;

/// The subcommand. `args` begin with its name.
pub fn main(args: Vec<String>) -> ExitCode {
    let restores = args.first().is_some_and(|name| name == "restore");
    let matches = match command(restores).try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(why) => {
            print!("{}", why.render());
            return ExitCode::from(u8::try_from(why.exit_code()).unwrap_or(1));
        }
    };
    let text = |name: &str| matches.get_one::<String>(name).map(PathBuf::from);
    let dir = DataDir { root: text("data-dir").unwrap_or_else(DataDir::default_root) };
    let file = text("FILE").unwrap_or_default();
    let outcome = if restores { restore(&file, &dir) } else { backup(&dir, &file) };
    match outcome {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("kybern {}: {why}", if restores { "restore" } else { "backup" });
            ExitCode::FAILURE
        }
    }
}

fn command(restores: bool) -> Command {
    let (name, about, file) = if restores {
        let about = "Makes a data directory from a backup. Clients list again: their resourceVersions are of the past, and the history of watches begins anew.";
        ("kybern restore", about, "The backup")
    } else {
        let about = "Writes a data directory's objects, keys and certificates into a new file. The server may run and be written to meanwhile. Encrypted objects stay encrypted and need the same keys later.";
        ("kybern backup", about, "The file to write; it must not exist")
    };
    let dir = Arg::new("data-dir").long("data-dir").value_name("DIR").help("As kybern serve has it");
    let file = Arg::new("FILE").required(true).help(file);
    Command::new(name).bin_name(name).about(about).no_binary_name(false).arg(dir).arg(file)
}

fn backup(dir: &DataDir, target: &Path) -> Result<String, String> {
    let said = |path: &Path, why: io::Error| format!("{}: {why}", path.display());
    let attachments = keys(dir).map_err(|why| said(&dir.pki(""), why))?;
    let made = store::backup(&dir.store(), target, &attachments).map_err(|why| said(&dir.store(), why))?;
    let bytes = fs::metadata(target).map_or(0, |file| file.len());
    Ok(format!(
        "{} objects as of revision {}, {} keys and certificates, {:.1} MiB in {}",
        made.objects,
        made.revision,
        attachments.len(),
        bytes as f64 / f64::from(1 << 20),
        target.display()
    ))
}

/// Without them nobody of the old cluster would trust the new one.
fn keys(dir: &DataDir) -> io::Result<Vec<Attachment>> {
    let mut keys = Vec::new();
    for entry in fs::read_dir(dir.pki(""))? {
        let entry = entry?;
        // What is being written is under another name until it is whole.
        let name = entry.file_name().into_string().ok().filter(|name| is_kept(name));
        if let Some(name) = name {
            keys.push(Attachment { name: format!("{PKI}{name}"), bytes: fs::read(entry.path())?.into() });
        }
    }
    keys.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(keys)
}

const PKI: &str = "pki/";

/// Also keeps a backup that somebody changed from writing elsewhere.
fn is_kept(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    name.chars().all(plain) && (name.ends_with(".key") || name.ends_with(".crt") || name.ends_with(".pub"))
}

fn restore(backup: &Path, dir: &DataDir) -> Result<String, String> {
    let said = |why: io::Error| format!("{}: {why}", dir.root.display());
    if fs::read_dir(&dir.root).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(format!("{} is not empty", dir.root.display()));
    }
    let new = DataDir { root: dir.restoring() };
    let restored = store::restore(backup, &new.store()).map_err(|why| why.to_string()).and_then(|restored| {
        write_keys(&new, &restored.attachments)?;
        Ok(restored)
    });
    let restored = restored.inspect_err(|_| {
        // Nothing was there before.
        let _ = fs::remove_dir_all(&new.root);
    })?;
    // The store comes last: with it the directory is whole.
    fs::rename(new.pki(""), dir.pki("")).map_err(said)?;
    fs::rename(new.store(), dir.store()).map_err(said)?;
    fs::remove_dir(&new.root).map_err(said)?;
    fs::File::open(&dir.root).and_then(|root| root.sync_all()).map_err(said)?;
    Ok(format!(
        "{} objects as of revision {} in {}; revisions go on after {}",
        restored.objects,
        restored.revision,
        dir.root.display(),
        restored.newest
    ))
}

fn write_keys(dir: &DataDir, attachments: &[Attachment]) -> Result<(), String> {
    let dir = DataDir::open(dir.root.clone()).map_err(|why| why.to_string())?;
    for Attachment { name, bytes } in attachments {
        let name =
            name.strip_prefix(PKI).filter(|name| is_kept(name)).ok_or(format!("the backup has a file {name:?}"))?;
        let text = std::str::from_utf8(bytes).map_err(|_| format!("{name} is not PEM"))?;
        let secrecy = if name.ends_with(".key") { Secrecy::Secret } else { Secrecy::Public };
        data_dir::write(&dir.pki(name), text, secrecy).map_err(|why| format!("{name}: {why}"))?;
    }
    Ok(())
}
