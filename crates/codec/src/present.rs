//! Which of a struct's fields an object has, found in one pass, so that encoders can go through the fields in any order.

use meta::{Map, Value};
use schema::Type;

/// Structs with more fields than this, and objects with more entries than a byte counts, take a slower road.
const FIELDS_MAX: usize = 64;

/// The entries of a map by field index, and those that are no field.
pub(crate) struct Present<'v> {
    map: &'v Map,
    /// One more than the position of the entry; 0 where there is none.
    positions: [u8; FIELDS_MAX],
    /// Used instead when there are more fields or entries than fit.
    many: Vec<u32>,
    /// Entries of no declared field, in key order.
    pub(crate) others: Vec<(&'v str, &'v Value)>,
}

impl<'v> Present<'v> {
    pub(crate) fn new(ty: &Type, map: &'v Map) -> Present<'v> {
        let fits = ty.fields.len() <= FIELDS_MAX && map.len() < usize::from(u8::MAX);
        let many = if fits { Vec::new() } else { vec![0; ty.fields.len()] };
        let mut present = Present { map, positions: [0; FIELDS_MAX], many, others: Vec::new() };
        for (position, (key, value)) in map.iter().enumerate() {
            match ty.field_index(key) {
                Some(index) => present.set(index, position + 1),
                None => present.others.push((key, value)),
            }
        }
        present
    }

    fn set(&mut self, index: usize, position: usize) {
        if let Some(slot) = self.many.get_mut(index) {
            *slot = position as u32;
        } else if let Some(slot) = self.positions.get_mut(index) {
            *slot = position as u8;
        }
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&'v Value> {
        let position = match self.many.is_empty() {
            true => self.positions.get(index).copied().map_or(0, usize::from),
            false => self.many.get(index).copied().map_or(0, |p| p as usize),
        };
        self.map.entry_at(position.checked_sub(1)?).map(|(_, value)| value)
    }
}
