//! The FlowSchemas and PriorityLevelConfigurations that every cluster has are kept as they should be, also while the server
//! runs (pkg/registry/flowcontrol/ensurer, pkg/registry/flowcontrol/rest).

use std::sync::Arc;
use std::time::Duration;

use serve::Server;
use tokio::time::sleep;

use crate::boot::ensure_flow_control;

/// As upstream.
const PERIOD: Duration = Duration::from_secs(60);

pub async fn keep(server: &Arc<Server>) {
    loop {
        sleep(PERIOD).await;
        if let Err(why) = ensure_flow_control(server).await {
            tracing::warn!(why, "flow schemas and priority levels stay as they are");
        }
    }
}
