//! Which of a struct's fields an object has, found in one pass, so that encoders can go through the fields in any order.

use meta::{Map, Value};
use schema::Type;

/// Structs with more fields than this (custom resources' only) take a slower road.
const FIELDS_MAX: usize = 128;

/// The entries of a map by field index, and those that are no field.
pub(crate) struct Present<'v> {
    by_field: [Option<&'v Value>; FIELDS_MAX],
    /// For types with more than [`FIELDS_MAX`] fields.
    rest: Vec<Option<&'v Value>>,
    /// Entries of no declared field, in key order.
    pub(crate) others: Vec<(&'v str, &'v Value)>,
}

impl<'v> Present<'v> {
    pub(crate) fn new(ty: &Type, map: &'v Map) -> Present<'v> {
        let rest = if ty.fields.len() > FIELDS_MAX { vec![None; ty.fields.len()] } else { Vec::new() };
        let mut present = Present { by_field: [None; FIELDS_MAX], rest, others: Vec::new() };
        // Keys and names are both sorted: each search begins where the last one ended.
        let mut names = ty.by_name.as_slice();
        for (key, value) in map.iter() {
            let name = |i: &u16| ty.fields.get(usize::from(*i)).map_or("", |f| f.name.as_str());
            let skipped = names.partition_point(|i| name(i) < key);
            names = names.get(skipped..).unwrap_or(&[]);
            match names.first() {
                Some(i) if name(i) == key => present.set(usize::from(*i), value),
                _ => present.others.push((key, value)),
            }
        }
        present
    }

    fn set(&mut self, index: usize, value: &'v Value) {
        let slots = if self.rest.is_empty() { &mut self.by_field[..] } else { &mut self.rest[..] };
        if let Some(slot) = slots.get_mut(index) {
            *slot = Some(value);
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<&'v Value> {
        let slots = if self.rest.is_empty() { &self.by_field[..] } else { &self.rest[..] };
        slots.get(index).copied().flatten()
    }
}
