//! Which types fit which, and what type parameters turn out to be.

use crate::types::Type;
use std::collections::HashMap;
use std::sync::Arc;

/// Types may nest this deep; deeper ones fit nothing.
const DEPTH_MAX: u32 = 64;
/// Types have at most this many parts; what is beyond becomes `dyn`. A type may name one part many times, so that a short
/// expression has a type of exponentially many parts.
pub const PARTS_MAX: usize = 2_000;
/// How many pairs of types one expression may compare.
const COMPARISONS_MAX: u64 = 5_000_000;

/// What is known of type parameters, by number.
#[derive(Debug, Clone, Default)]
pub struct Bindings {
    known: HashMap<u32, Type>,
    next: u32,
    /// What was bound since the last mark, with what was there before: a failed attempt is undone.
    log: Vec<(u32, Option<Type>)>,
    comparisons: u64,
}

impl Bindings {
    /// A parameter of which nothing is known.
    pub fn fresh(&mut self) -> Type {
        self.next += 1;
        Type::Param(self.next)
    }

    /// Fresh parameters in place of an overload's, which are numbered from 0.
    pub fn instantiate(&mut self, types: &[Type], parameters: u32) -> Vec<Type> {
        if parameters == 0 {
            return types.to_vec();
        }
        let fresh: Vec<Type> = (0..parameters).map(|_| self.fresh()).collect();
        types.iter().map(|of| replace(of, &fresh)).collect()
    }

    /// Whether `second` may stand where `first` is wanted; what that says of parameters is kept when it may.
    pub fn assign(&mut self, first: &Type, second: &Type) -> bool {
        self.assign_all(std::slice::from_ref(first), std::slice::from_ref(second))
    }

    pub fn assign_all(&mut self, firsts: &[Type], seconds: &[Type]) -> bool {
        self.log.clear();
        let fits = self.all_fit(firsts, seconds, 0);
        if !fits {
            while let Some((number, before)) = self.log.pop() {
                match before {
                    Some(before) => self.known.insert(number, before),
                    None => self.known.remove(&number),
                };
            }
        }
        fits
    }

    fn bind(&mut self, number: u32, of: Type) {
        let before = self.known.insert(number, of);
        self.log.push((number, before));
    }

    fn all_fit(&mut self, firsts: &[Type], seconds: &[Type], depth: u32) -> bool {
        firsts.len() == seconds.len() && firsts.iter().zip(seconds).all(|(a, b)| self.fits(a, b, depth))
    }

    fn fits(&mut self, first: &Type, second: &Type, depth: u32) -> bool {
        self.comparisons += 1;
        if depth > DEPTH_MAX || self.comparisons > COMPARISONS_MAX {
            return false;
        }
        if let Type::Param(number) = second {
            match self.substitutes(first, *number, depth) {
                (true, _) => return true,
                (false, true) => return false,
                (false, false) => {}
            }
        }
        if let Type::Param(number) = first {
            return self.substitutes(second, *number, depth).0;
        }
        if first.is_dyn_or_error() || second.is_dyn_or_error() {
            return true;
        }
        match (first, second) {
            (Type::Null, other) | (other, Type::Null) => nullable(other),
            (Type::List(a), Type::List(b)) => self.fits(a, b, depth + 1),
            (Type::Map(a), Type::Map(b)) => self.fits(&a.0, &b.0, depth + 1) && self.fits(&a.1, &b.1, depth + 1),
            (Type::Type(_), Type::Type(_)) => true,
            (Type::Opaque(a, these), Type::Opaque(b, those)) => a == b && self.all_fit(these, those, depth + 1),
            (a, b) => a == b,
        }
    }

    /// Whether `of` may stand for the parameter, and whether something is known of that already.
    fn substitutes(&mut self, of: &Type, number: u32, depth: u32) -> (bool, bool) {
        if *of == Type::Param(number) {
            return (true, true);
        }
        if let Some(known) = self.known.get(&number).cloned() {
            if *of == known {
                return (true, true);
            }
            if self.fits(of, &known, depth + 1) {
                let general = if less_specific(of, &known) { of.clone() } else { known };
                if !self.occurs(number, &general) {
                    self.bind(number, general);
                }
                return (true, true);
            }
            return (false, true);
        }
        if self.occurs(number, of) {
            return (false, false);
        }
        self.bind(number, of.clone());
        (true, false)
    }

    /// Whether the parameter is part of `within`, or is it.
    fn occurs(&self, number: u32, within: &Type) -> bool {
        let mut waiting = vec![within];
        let mut parts = 0;
        while let Some(part) = waiting.pop() {
            parts += 1;
            match part {
                Type::Param(other) if *other == number => return true,
                Type::Param(other) => waiting.extend(self.known.get(other)),
                other => waiting.extend(other.parameters()),
            }
            if parts > PARTS_MAX {
                return true;
            }
        }
        false
    }

    /// The type with all that is known of its parameters; of the others `dyn` is made when `to_dyn`.
    pub fn substitute(&self, of: &Type, to_dyn: bool) -> Type {
        self.substitute_within(of, to_dyn, 0, &mut 0)
    }

    fn substitute_within(&self, of: &Type, to_dyn: bool, depth: u32, parts: &mut usize) -> Type {
        *parts += 1;
        if depth > DEPTH_MAX * 2 || *parts > PARTS_MAX * 2 {
            return Type::Dyn;
        }
        let mut part = |of: &Type| self.substitute_within(of, to_dyn, depth + 1, parts);
        match of {
            Type::Param(number) => match self.known.get(number) {
                Some(known) => part(known),
                None if to_dyn => Type::Dyn,
                None => of.clone(),
            },
            Type::List(items) => Type::list(part(items)),
            Type::Map(both) => Type::map(part(&both.0), part(&both.1)),
            Type::Type(of) => Type::of_type(part(of)),
            Type::Opaque(name, parameters) if !parameters.is_empty() => {
                Type::Opaque(name.clone(), parameters.iter().map(part).collect::<Arc<[Type]>>())
            }
            other => other.clone(),
        }
    }
}

/// Whether the type has more than [`PARTS_MAX`] parts.
pub fn is_too_large(of: &Type) -> bool {
    let mut waiting = vec![of];
    let mut parts = 0;
    while let Some(part) = waiting.pop() {
        parts += 1;
        if parts > PARTS_MAX {
            return true;
        }
        waiting.extend(part.parameters());
    }
    false
}

/// Null may stand for what has an identity rather than only a value.
fn nullable(of: &Type) -> bool {
    matches!(of, Type::Null | Type::Opaque(..) | Type::Object(_) | Type::Duration | Type::Timestamp)
}

/// The more general of two types that fit each other.
pub fn most_general(first: Type, second: Type) -> Type {
    if less_specific(&first, &second) { first } else { second }
}

/// Whether `first` is `second`, or that with something left open.
fn less_specific(first: &Type, second: &Type) -> bool {
    match (first, second) {
        (Type::Dyn | Type::Any | Type::Param(_), _) => true,
        (_, Type::Dyn | Type::Any | Type::Param(_)) => false,
        (Type::List(a), Type::List(b)) => less_specific(a, b),
        (Type::Map(a), Type::Map(b)) => less_specific(&a.0, &b.0) && less_specific(&a.1, &b.1),
        (Type::Type(_), Type::Type(_)) => true,
        (Type::Opaque(a, these), Type::Opaque(b, those)) => {
            a == b && these.len() == those.len() && these.iter().zip(those.iter()).all(|(a, b)| less_specific(a, b))
        }
        (a, b) => a == b,
    }
}

fn replace(of: &Type, fresh: &[Type]) -> Type {
    match of {
        Type::Param(number) => fresh.get(*number as usize).cloned().unwrap_or(Type::Dyn),
        Type::List(items) => Type::list(replace(items, fresh)),
        Type::Map(both) => Type::map(replace(&both.0, fresh), replace(&both.1, fresh)),
        Type::Type(of) => Type::of_type(replace(of, fresh)),
        Type::Opaque(name, parameters) => {
            Type::Opaque(name.clone(), parameters.iter().map(|of| replace(of, fresh)).collect::<Arc<[Type]>>())
        }
        other => other.clone(),
    }
}
