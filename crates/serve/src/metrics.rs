//! `/metrics` in the text format 0.0.4, with upstream's names.

use std::fmt::Write as _;

use crate::server::Server;

/// The whole page.
pub fn render(server: &Server) -> String {
    let mut page = String::new();
    let _ = writeln!(page, "# HELP apiserver_storage_revision Newest revision of the store.");
    let _ = writeln!(page, "# TYPE apiserver_storage_revision gauge");
    let _ = writeln!(page, "apiserver_storage_revision {}", server.store.revision());
    page
}
