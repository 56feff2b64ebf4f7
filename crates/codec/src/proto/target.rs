//! What a field number in a message means.

use meta::Gvk;
use schema::{Field, Shape, Type};

/// What a number stands for.
pub(crate) enum Target<'t> {
    Field(usize, &'t Field),
    /// An embedded struct's message, with the packed path of the fields in it (see [`Field::inline`]).
    Embed(u32),
    Unknown,
}

/// Finds numbers in the message of a type, or of a struct embedded in it. Numbers come in ascending order nearly always, so that each
/// search begins where the last one ended.
pub(crate) struct Targets<'t> {
    ty: &'t Type,
    inline: u32,
    next: usize,
}

impl<'t> Targets<'t> {
    /// `inline` is the packed path of the embedded struct; 0 for the type itself.
    pub(crate) fn new(ty: &'t Type, inline: u32) -> Targets<'t> {
        Targets { ty, inline, next: 0 }
    }

    #[inline]
    pub(crate) fn find(&mut self, number: u32) -> Target<'t> {
        let (before, after) = self.ty.by_number.split_at(self.next.min(self.ty.by_number.len()));
        for (step, &index) in after.iter().chain(before).enumerate() {
            let Some(field) = self.ty.fields.get(usize::from(index)) else { continue };
            let target = self.meets(usize::from(index), field, number);
            if let Some(target) = target {
                self.next = (self.next + step) % self.ty.by_number.len().max(1);
                return target;
            }
        }
        Target::Unknown
    }

    #[inline]
    fn meets(&self, index: usize, field: &'t Field, number: u32) -> Option<Target<'t>> {
        if field.inline == self.inline {
            return (field.number == number).then_some(Target::Field(index, field));
        }
        let (outer, inner) = (field.inline & 0xffff, field.inline >> 16);
        match self.inline {
            0 if outer == number => Some(Target::Embed(outer)),
            inline if inline == outer && inner == number => Some(Target::Embed(field.inline)),
            _ => None,
        }
    }
}

/// The kind of an object inside another one (a StatefulSet's claims). Messages do not hold it; upstream's defaults put it back on
/// every read. Items of lists have none.
pub(super) fn nested_kind<'t>(field: &Field, ty: &'t Type) -> Option<&'t Gvk> {
    match (&field.shape, ty.gvks.as_slice()) {
        (Shape::List(_), [gvk]) if field.name != "items" => Some(gvk),
        _ => None,
    }
}
