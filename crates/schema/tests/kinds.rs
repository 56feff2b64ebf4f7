//! Every kind of which an example was recorded is known.

use meta::Gvk;
use std::path::PathBuf;

#[test]
fn recorded_kinds_are_known() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/wire/roundtrip");
    let Ok(files) = std::fs::read_dir(&dir) else {
        println!("skipped: no recordings in {}", dir.display());
        return;
    };
    let schema = schema::builtin();
    let mut unknown = Vec::new();
    let mut known = 0;
    for file in files {
        let name = file.expect("a file").file_name().to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".json") else { continue };
        let mut parts = name.rsplitn(3, '.');
        let (kind, version, group) = (parts.next(), parts.next(), parts.next());
        let group = group.filter(|g| *g != "core").unwrap_or_default();
        match schema.kind(&Gvk::new(group, version.unwrap_or_default(), kind.unwrap_or_default())) {
            Some(_) => known += 1,
            None => unknown.push(name.to_string()),
        }
    }
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(known > 180, "{known} kinds");
}
