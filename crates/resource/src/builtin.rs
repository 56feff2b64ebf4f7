//! Writing down a built-in resource: what is regular is derived, what is not is said.

use crate::*;
use meta::{Gvk, Str};
use schema::{Schema, TypeId};
use std::sync::Arc;

/// All verbs of a stored resource.
pub const ALL_VERBS: &[Verb] = &[
    Verb::Create,
    Verb::Delete,
    Verb::DeleteCollection,
    Verb::Get,
    Verb::List,
    Verb::Patch,
    Verb::Update,
    Verb::Watch,
];

/// The verbs of a status-like subresource.
pub const PART_VERBS: &[Verb] = &[Verb::Get, Verb::Patch, Verb::Update];

impl Descriptor {
    /// A namespaced, stored built-in with all verbs, no hooks and the default strategy. `group` is "" for core;
    /// its storage prefix is "/registry/<plural>", as upstream's is for most built-ins.
    pub fn builtin(schema: &Arc<Schema>, group: &str, version: &str, kind: &str, plural: &str) -> Descriptor {
        let gvk = Gvk::new(group, version, kind);
        let type_id = kind_type(schema, &gvk);
        Descriptor {
            group: group.into(),
            version: version.into(),
            kind: kind.into(),
            list_kind: format!("{kind}List").into(),
            plural: plural.into(),
            singular: kind.to_lowercase().into(),
            short_names: Vec::new(),
            categories: Vec::new(),
            namespaced: true,
            verbs: ALL_VERBS.to_vec(),
            schema: schema.clone(),
            type_id,
            storage: gvk,
            storage_type_id: type_id,
            storage_prefix: format!("/registry/{plural}").into(),
            stored_as_json: false,
            has_opaque_data: false,
            in_etcd: None,
            stored_before: Vec::new(),
            storage_version_hash: Str::default(),
            strategy: Strategy::default(),
            columns: Vec::new(),
            cells: None,
            cell_fields: &[],
            select_fields: Vec::new(),
            unknown_field_names_kind: false,
            subresources: Vec::new(),
            hooks: Arc::new(NoHooks),
            review: None,
            convert: None,
            deprecation: Str::default(),
            acts: None,
            protobuf: true,
        }
    }

    pub fn cluster_scoped(mut self) -> Self {
        self.namespaced = false;
        self
    }

    pub fn short_names(mut self, names: &[&str]) -> Self {
        self.short_names = names.iter().map(|n| Str::from(*n)).collect();
        self
    }

    pub fn categories(mut self, names: &[&str]) -> Self {
        self.categories = names.iter().map(|n| Str::from(*n)).collect();
        self
    }

    pub fn verbs(mut self, verbs: &[Verb]) -> Self {
        self.verbs = verbs.to_vec();
        if !verbs.contains(&Verb::List) {
            self.list_kind = Str::default();
        }
        self
    }

    /// Nothing is stored: reviews, bindings.
    pub fn not_stored(mut self) -> Self {
        self.storage_prefix = Str::default();
        self.storage_version_hash = Str::default();
        self
    }

    /// Objects are questions: only created, never stored.
    pub fn review(mut self, review: Review) -> Self {
        self.review = Some(review);
        self.verbs(&[Verb::Create]).not_stored()
    }

    /// Nothing is stored: a create acts on another object.
    pub fn acts(mut self, action: &'static dyn Action) -> Self {
        self.acts = Some(action);
        self.verbs(&[Verb::Create]).not_stored()
    }

    pub fn storage_prefix(mut self, prefix: &str) -> Self {
        self.storage_prefix = prefix.into();
        self
    }

    pub fn storage_version_hash(mut self, hash: &str) -> Self {
        self.storage_version_hash = hash.into();
        self
    }

    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    pub fn hooks(mut self, hooks: impl Hooks + 'static) -> Self {
        self.hooks = Arc::new(hooks);
        self
    }

    /// Columns as (name, type, format, priority, description), with the function that makes a row's cells.
    pub fn columns(mut self, columns: &[(&str, &str, &str, i32, &str)], cells: Cells) -> Self {
        self.columns = columns
            .iter()
            .map(|(name, kind, format, priority, description)| Column {
                name: Str::from(*name),
                kind: Str::from(*kind),
                format: Str::from(*format),
                description: Str::from(*description),
                priority: *priority,
                json_path: Str::default(),
            })
            .collect();
        self.cells = Some(cells);
        self
    }

    /// Upstream's text about field selectors that it does not know names the kind.
    pub fn unknown_field_names_kind(mut self) -> Descriptor {
        self.unknown_field_names_kind = true;
        self
    }

    /// See [`Descriptor::cell_fields`].
    pub fn cell_fields(mut self, paths: &'static [&'static str]) -> Self {
        self.cell_fields = paths;
        self
    }

    /// A selectable field found at the path of its own name.
    pub fn select_field(self, name: &str) -> Self {
        self.select_value(name, SelectValue::Path(name.into()))
    }

    pub fn select_value(mut self, name: &str, value: SelectValue) -> Self {
        self.select_fields.push(SelectField { name: name.into(), value });
        self
    }

    /// The status subresource: keeps everything but `status` and, in metadata, what upstream lets through.
    pub fn status(self, strategy: Strategy, hooks: impl Hooks + 'static) -> Self {
        self.part("status", PART_VERBS, strategy, hooks)
    }

    /// A subresource that updates the parent through other rules.
    pub fn part(self, name: &str, verbs: &[Verb], strategy: Strategy, hooks: impl Hooks + 'static) -> Self {
        let kind = self.gvk();
        let does = SubresourceKind::Part { strategy, hooks: Arc::new(hooks) };
        self.with_subresource(name, kind, verbs, does)
    }

    pub fn with_subresource(mut self, name: &str, kind: Gvk, verbs: &[Verb], does: SubresourceKind) -> Self {
        self.subresources.push(Subresource { name: name.into(), kind, verbs: verbs.to_vec(), does });
        self
    }

    /// This version is served by conversion from another that is stored.
    pub fn stored_as(mut self, storage: Gvk, convert: impl Convert + 'static) -> Self {
        self.storage_type_id = kind_type(&self.schema, &storage);
        self.storage = storage;
        self.convert = Some(Arc::new(convert));
        self
    }

    /// See [`Descriptor::has_opaque_data`].
    pub fn with_opaque_data(mut self) -> Self {
        self.has_opaque_data = true;
        self
    }

    pub fn in_etcd(mut self, form: crate::descriptor::InEtcd) -> Self {
        self.in_etcd = Some(form);
        self
    }

    /// Objects may be stored in this version, too.
    pub fn stored_before(mut self, api_version: &str, to_storage: crate::descriptor::ToStorage) -> Self {
        self.stored_before.push((api_version.into(), to_storage));
        self
    }

    pub fn deprecated(mut self, text: &str) -> Self {
        self.deprecation = text.into();
        self
    }
}

/// The type of a built-in kind. A missing one is a mistake in the list of resources, found by every start and test.
fn kind_type(schema: &Schema, gvk: &Gvk) -> TypeId {
    match schema.kind(gvk) {
        Some(id) => id,
        None => panic!("the schema has no kind {gvk}"),
    }
}
