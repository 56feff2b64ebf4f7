//! The schema of the built-in types.

use crate::{Schema, facts};
use std::sync::{Arc, LazyLock};

static BUILTIN: LazyLock<Arc<Schema>> = LazyLock::new(|| match facts::read(FACTS) {
    Ok(schema) => Arc::new(schema),
    Err(why) => panic!("the facts compiled into this program cannot be read: {why}"),
});

const FACTS: &str = include_str!("../facts/builtin.facts");

/// The types of every group and version that upstream knows, read once on first use.
pub fn builtin() -> Arc<Schema> {
    BUILTIN.clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ListType, Presence, Shape};
    use meta::Gvk;

    #[test]
    fn kinds_have_their_fields_numbers_and_order() {
        let schema = builtin();
        let pod = schema.ty(schema.kind(&Gvk::new("", "v1", "Pod")).expect("Pod"));
        let names: Vec<&str> = pod.fields.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["kind", "apiVersion", "metadata", "spec", "status"]);
        let Some(Shape::Object(spec)) = pod.field("spec").map(|f| f.shape.clone()) else { panic!("no spec") };
        let containers = schema.ty(spec).field("containers").expect("containers");
        assert_eq!((containers.number, containers.required, containers.presence), (2, true, Presence::Always));
        assert_eq!(containers.list_type, Some(ListType::Map(vec!["name".into()])));
        let volume = schema.ty(schema.named("io.k8s.api.core.v1.Volume").expect("Volume"));
        let host_path = volume.field("hostPath").expect("hostPath");
        assert_eq!(host_path.path().collect::<Vec<_>>(), [2, 1]);
    }

    #[test]
    fn embeds_within_embeds_keep_their_whole_path() {
        let schema = builtin();
        let name = "io.k8s.api.admissionregistration.v1.NamedRuleWithOperations";
        let rule = schema.ty(schema.named(name).expect(name));
        let path = |f: &str| rule.field(f).expect("a field").path().collect::<Vec<_>>();
        assert_eq!(path("resourceNames"), [1]);
        assert_eq!(path("operations"), [2, 1]);
        assert_eq!(path("apiGroups"), [2, 2, 1]);
    }

    #[test]
    #[ignore = "prints durations and memory"]
    fn load_time() {
        let resident = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
            status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default().to_string()
        };
        println!("{} bytes a field, {} a type; {}", size_of::<crate::Field>(), size_of::<crate::Type>(), resident());
        let mut kept = Vec::new();
        for _ in 0..10 {
            let start = std::time::Instant::now();
            kept.push(facts::read(FACTS).expect("facts"));
            println!("{} types in {:?}; {}", kept[0].types().count(), start.elapsed(), resident());
        }
    }
}
