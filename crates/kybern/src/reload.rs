//! Files that may change while the server runs.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;

/// How often files are read again. They are small.
const PERIOD: Duration = Duration::from_secs(1);

/// Calls `changed` with a file's text each time that it has become another than `known`, until the process stops. A file
/// that cannot be read is waited for: files are often replaced by removing them first.
pub fn follow(
    path: PathBuf,
    mut known: String,
    mut stopping: watch::Receiver<bool>,
    mut changed: impl FnMut(&str) + Send + 'static,
) {
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = tokio::time::sleep(PERIOD) => {}
                _ = stopping.wait_for(|stop| *stop) => return,
            }
            match tokio::fs::read_to_string(&path).await {
                Ok(text) if text != known => {
                    changed(&text);
                    known = text;
                }
                _ => {}
            }
        }
    });
}
