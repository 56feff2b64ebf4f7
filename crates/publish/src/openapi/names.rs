//! Names of operations, tags and paths, as upstream derives them from group, version and kind.

/// The group as one word: "rbac.authorization.k8s.io" → "RbacAuthorization", the core group → "Core".
pub fn group_word(group: &str) -> String {
    if group.is_empty() {
        return "Core".into();
    }
    group.trim_end_matches(".k8s.io").split('.').map(capitalise).collect()
}

/// The tag of a group's operations: "rbacAuthorization", "core".
pub fn group_tag(group: &str) -> String {
    let word = group_word(group);
    let mut chars = word.chars();
    chars.next().into_iter().flat_map(char::to_lowercase).chain(chars).collect()
}

/// The tag of a group version's operations: "apps_v1".
pub fn version_tag(group: &str, version: &str) -> String {
    format!("{}_{version}", group_tag(group))
}

/// First letter in upper case.
pub fn capitalise(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect()
}

/// "/api/v1", "/apis/apps/v1".
pub fn version_path(group: &str, version: &str) -> String {
    if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") }
}

/// The noun with its article: "a Pod", "an Ingress"; a plural has none: "Endpoints".
pub fn with_article(noun: &str) -> String {
    if noun.ends_with('s') && !noun.ends_with("ss") {
        return noun.to_string();
    }
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O', 'U']) { "an" } else { "a" };
    format!("{article} {noun}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_become_words_and_tags() {
        assert_eq!(group_word("rbac.authorization.k8s.io"), "RbacAuthorization");
        assert_eq!(version_tag("stable.example.com", "v1"), "stableExampleCom_v1");
        assert_eq!(version_tag("", "v1"), "core_v1");
        assert_eq!(
            ["Pod", "Ingress", "Endpoints", "StorageClass"].map(with_article),
            ["a Pod", "an Ingress", "Endpoints", "a StorageClass"]
        );
    }
}
