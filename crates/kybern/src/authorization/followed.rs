//! A configuration file of authorizers that may change while the server runs.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use auth::configuration::Authorizer as Wanted;
use serve::authorize::Authorizer;

use super::{Modes, read};
use crate::reload::follow;

/// Takes over changes. Only webhooks may come, go and change; a file that asks for more, or is wrong, changes nothing.
pub fn follow_configuration(
    path: PathBuf,
    known: String,
    mut modes: Modes,
    began_with: Vec<Wanted>,
    ordered: Arc<ArcSwap<Vec<Arc<dyn Authorizer>>>>,
) {
    let stopping = modes.parts.stopping.clone();
    follow(path, known, stopping, move |text| {
        let opened = read(text).and_then(|wanted| {
            check_kinds(&began_with, &wanted)?;
            modes.open(&wanted)
        });
        match opened {
            Ok(authorizers) => {
                tracing::info!("reloaded authz config");
                ordered.store(Arc::new(authorizers));
            }
            Err(why) => tracing::warn!(why, "the authorizers stay as they are"),
        }
    });
}

fn check_kinds(before: &[Wanted], after: &[Wanted]) -> Result<(), String> {
    let kinds = |all: &[Wanted]| -> BTreeSet<String> {
        all.iter().map(|wanted| wanted.kind.clone()).filter(|kind| kind != "Webhook").collect()
    };
    let (before, after) = (kinds(before), kinds(after));
    let changed: Vec<&String> = before.symmetric_difference(&after).collect();
    if changed.is_empty() { Ok(()) } else { Err(format!("{changed:?} may only change with a new start")) }
}
