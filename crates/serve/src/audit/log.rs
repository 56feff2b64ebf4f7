//! Events as lines of a file that is rotated. Old files are named after the time at which they were closed, as upstream
//! names them (gopkg.in/natefinch/lumberjack): `audit-2026-01-02T03-04-05.678.log`, with `.gz` when compressed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use audit::Event;
use meta::time::Timestamp;

use super::sink::Backend;
use crate::authenticate::Later;

/// A file without a bound of its own is rotated at this size.
const BYTES_MAX: u64 = 100 << 20;
const DAY_SECONDS: i64 = 24 * 3600;
const COMPRESSED: &str = ".gz";

/// `--audit-log-format`
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Format {
    Json,
    Legacy,
}

/// `--audit-log-max*` and `--audit-log-compress`
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rotation {
    /// 0 is 100 MiB.
    pub bytes_max: u64,
    /// Old files older than this are removed; 0 keeps them.
    pub age_days_max: u32,
    /// More old files than this are removed; 0 keeps them.
    pub backups_max: usize,
    pub compress: bool,
}

/// The log backend.
pub struct Log {
    format: Format,
    out: Mutex<Out>,
}

enum Out {
    Stdout,
    File(Rotated),
}

impl Log {
    /// Opens the file, or standard output for "-".
    pub fn open(path: &Path, format: Format, rotation: Rotation) -> io::Result<Log> {
        let out = match path.as_os_str() == "-" {
            true => Out::Stdout,
            false => Out::File(Rotated::open(path.to_owned(), rotation)?),
        };
        Ok(Log { format, out: Mutex::new(out) })
    }

    fn append(&self, events: &[Arc<Event>]) -> io::Result<()> {
        let mut lines = Vec::with_capacity(1024 * events.len());
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            lines.clear();
            match self.format {
                Format::Json => event.write_json(&mut lines),
                Format::Legacy => lines.extend_from_slice(event.to_legacy().as_bytes()),
            }
            lines.push(b'\n');
            match &mut *out {
                Out::Stdout => io::stdout().lock().write_all(&lines)?,
                Out::File(file) => file.append(&lines)?,
            }
        }
        Ok(())
    }
}

impl Backend for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    /// Writing a line to a file takes a few microseconds; handing it to another thread would take as long.
    fn write<'a>(&'a self, events: &'a [Arc<Event>]) -> Later<'a, Result<(), String>> {
        Box::pin(async move { self.append(events).map_err(|why| why.to_string()) })
    }
}

/// A file that is put aside when it is full.
struct Rotated {
    path: PathBuf,
    rotation: Rotation,
    file: File,
    bytes: u64,
    /// Old files are tidied up by one thread at a time.
    tidying: Arc<Mutex<()>>,
}

impl Rotated {
    fn open(path: PathBuf, rotation: Rotation) -> io::Result<Rotated> {
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        }
        let file = open_file(&path)?;
        let bytes = file.metadata()?.len();
        Ok(Rotated { path, rotation, file, bytes, tidying: Arc::default() })
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let len = line.len() as u64;
        let bytes_max = if self.rotation.bytes_max == 0 { BYTES_MAX } else { self.rotation.bytes_max };
        if self.bytes > 0 && self.bytes.saturating_add(len) > bytes_max {
            self.rotate()?;
        }
        self.file.write_all(line)?;
        self.bytes = self.bytes.saturating_add(len);
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let mut at = Timestamp::now();
        let mut old = backup_path(&self.path, at);
        while old.exists() || with_suffix(&old, COMPRESSED).exists() {
            at.nanos = at.nanos.saturating_add(1_000_000) % 1_000_000_000;
            old = backup_path(&self.path, at);
        }
        fs::rename(&self.path, &old)?;
        self.file = open_file(&self.path)?;
        self.bytes = 0;
        let (path, rotation, tidying) = (self.path.clone(), self.rotation, self.tidying.clone());
        std::thread::spawn(move || {
            let _one_at_a_time = tidying.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(why) = tidy(&path, rotation, Timestamp::now()) {
                tracing::error!(%why, "old audit logs");
            }
        });
        Ok(())
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Stem and extension, with the dot.
fn name_parts(path: &Path) -> (String, String) {
    let text = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
    let extension = text(path.extension()).map_or_else(String::new, |extension| format!(".{extension}"));
    (text(path.file_stem()).unwrap_or_default(), extension)
}

fn backup_path(path: &Path, at: Timestamp) -> PathBuf {
    let (stem, extension) = name_parts(path);
    let time = at.to_rfc3339_micro().replace(':', "-");
    path.with_file_name(format!("{stem}-{}{extension}", time.get(..23).unwrap_or(&time)))
}

/// When an old file was closed; `None` for files that are none of ours.
fn closed_at(path: &Path, name: &str) -> Option<Timestamp> {
    let (stem, extension) = name_parts(path);
    let name = name.strip_suffix(COMPRESSED).unwrap_or(name);
    let time = name.strip_prefix(&stem)?.strip_prefix('-')?.strip_suffix(&extension)?;
    let (date, clock) = time.split_once('T')?;
    Timestamp::parse(&format!("{date}T{}Z", clock.replace('-', ":"))).ok()
}

/// What to do with old files.
#[derive(Debug, Default, PartialEq)]
struct Chores {
    remove: Vec<String>,
    compress: Vec<String>,
}

/// From the names in the directory.
fn plan_chores(path: &Path, names: &[String], rotation: Rotation, now: Timestamp) -> Chores {
    let mut old: Vec<(Timestamp, &String)> =
        names.iter().filter_map(|name| Some((closed_at(path, name)?, name))).collect();
    old.sort_by_key(|(at, _)| std::cmp::Reverse((at.seconds, at.nanos)));
    let age_seconds_max = i64::from(rotation.age_days_max).saturating_mul(DAY_SECONDS);
    let mut chores = Chores::default();
    for (index, (at, name)) in old.into_iter().enumerate() {
        let too_many = rotation.backups_max > 0 && index >= rotation.backups_max;
        let too_old = rotation.age_days_max > 0 && now.seconds.saturating_sub(at.seconds) > age_seconds_max;
        if too_many || too_old {
            chores.remove.push(name.clone());
        } else if rotation.compress && !name.ends_with(COMPRESSED) {
            chores.compress.push(name.clone());
        }
    }
    chores
}

fn tidy(path: &Path, rotation: Rotation, now: Timestamp) -> io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names = fs::read_dir(dir)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let chores = plan_chores(path, &names.collect::<Vec<_>>(), rotation, now);
    for name in chores.remove {
        fs::remove_file(dir.join(name))?;
    }
    for name in chores.compress {
        compress(&dir.join(name))?;
    }
    Ok(())
}

/// The plain file goes only when the compressed one is whole.
fn compress(path: &Path) -> io::Result<()> {
    let mut plain = File::open(path)?;
    let (unfinished, finished) = (with_suffix(path, ".gz.tmp"), with_suffix(path, COMPRESSED));
    let out = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&unfinished)?;
    let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::default());
    io::copy(&mut plain, &mut encoder)?;
    encoder.finish()?.sync_all()?;
    fs::rename(&unfinished, &finished)?;
    fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse_micro(text).expect(text)
    }

    #[test]
    fn old_files_are_named_after_their_end() {
        let path = Path::new("/var/log/audit.log");
        let old = backup_path(path, time("2026-01-02T03:04:05.678901Z"));
        assert_eq!(old, Path::new("/var/log/audit-2026-01-02T03-04-05.678.log"));
        let name = old.file_name().and_then(|name| name.to_str()).expect("a name");
        let at = closed_at(path, name).expect("one of ours");
        assert_eq!(at.seconds, time("2026-01-02T03:04:05.000000Z").seconds);
        assert_eq!(closed_at(path, &format!("{name}.gz")), Some(at));
        for other in ["audit.log", "other-2026-01-02T03-04-05.678.log", "audit-2026.log", "audit-x"] {
            assert_eq!(closed_at(path, other), None, "{other}");
        }
    }

    #[test]
    fn too_many_and_too_old_go_the_rest_is_compressed() {
        let names: Vec<String> = ["2026-01-09T00-00-00.000", "2026-01-08T00-00-00.000", "2026-01-01T00-00-00.000"]
            .iter()
            .map(|time| format!("a-{time}.log"))
            .chain(["a.log".to_owned(), "a-2026-01-07T00-00-00.000.log.gz".to_owned()])
            .collect();
        let now = time("2026-01-10T00:00:00.000000Z");
        let plan = |age_days_max, backups_max, compress| {
            let rotation = Rotation { bytes_max: 0, age_days_max, backups_max, compress };
            let chores = plan_chores(Path::new("a.log"), &names, rotation, now);
            (chores.remove.len(), chores.compress.len())
        };
        assert_eq!(plan(0, 0, false), (0, 0));
        assert_eq!(plan(0, 0, true), (0, 3));
        assert_eq!(plan(5, 0, true), (1, 2));
        assert_eq!(plan(0, 1, true), (3, 1));
        assert_eq!(plan(1, 3, false), (3, 0));
    }

    #[test]
    fn a_full_file_is_put_aside_and_nothing_is_lost() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("logs").join("audit.log");
        let rotation = Rotation { bytes_max: 10, ..Rotation::default() };
        let mut file = Rotated::open(path.clone(), rotation).expect("a file");
        for line in ["first\n", "second\n", "third\n", "longer than the bound\n"] {
            file.append(line.as_bytes()).expect("a line");
        }
        let mut texts: Vec<String> = fs::read_dir(dir.path().join("logs"))
            .expect("the directory")
            .map(|entry| fs::read_to_string(entry.expect("an entry").path()).expect("a file"))
            .collect();
        texts.sort();
        assert_eq!(texts, ["first\n", "longer than the bound\n", "second\n", "third\n"]);
        drop(file);
        let again = Rotated::open(path, rotation).expect("the same file");
        assert_eq!(again.bytes, "longer than the bound\n".len() as u64, "goes on where it was");
    }

    #[test]
    fn compressed_files_have_the_same_content() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a-2026-01-09T00-00-00.000.log");
        fs::write(&path, "some lines\n").expect("a file");
        let rotation = Rotation { compress: true, ..Rotation::default() };
        tidy(&dir.path().join("a.log"), rotation, time("2026-01-10T00:00:00.000000Z")).expect("tidy");
        assert!(!path.exists());
        let bytes = fs::read(with_suffix(&path, COMPRESSED)).expect("the compressed file");
        let mut text = String::new();
        io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut text).expect("gzip");
        assert_eq!(text, "some lines\n");
    }
}
