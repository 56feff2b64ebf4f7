//! The ConfigMap that tells servers behind this one whom to believe follows the files that flags name, and is made again when
//! somebody takes from it.

use std::sync::Arc;
use std::time::Duration;

use serve::Server;

use super::followed_object;
use crate::boot::authorities::{Authorities, NAME, NAMESPACE};
use crate::boot::ensure_authorities;

/// How often files are read again. They are small.
const PERIOD: Duration = Duration::from_secs(1);

/// `read` says what the files say now; while they cannot be read nothing changes.
pub async fn keep(server: &Arc<Server>, read: &(impl Fn() -> Result<Authorities, String> + Sync)) {
    let mut map = followed_object(server, "", "configmaps", NAMESPACE, NAME);
    let mut known = read().unwrap_or_default();
    loop {
        if let Err(why) = ensure_authorities(server, &known).await {
            tracing::warn!(why, "the trusted authorities are not written");
        }
        let others = async {
            loop {
                tokio::time::sleep(PERIOD).await;
                match read() {
                    Ok(now) if now != known => return Some(now),
                    _ => {}
                }
            }
        };
        let others = tokio::select! {
            others = others => others,
            () = map.changed(server) => None,
        };
        known = others.unwrap_or(known);
    }
}
