//! Balanced trees of `&&` and `||`.

use super::Parser;
use crate::ast::Expr;

impl Parser<'_> {
    /// The tree over `terms`, in which each of `ops` (offsets) stands between the terms it joins, as upstream balances it.
    pub(super) fn balanced(&mut self, function: &str, terms: Vec<Expr>, ops: &[u32]) -> Expr {
        let mut terms = terms.into_iter();
        self.balanced_part(function, &mut terms, ops)
    }

    /// Takes one term more than there are `ops`.
    fn balanced_part(&mut self, function: &str, terms: &mut std::vec::IntoIter<Expr>, ops: &[u32]) -> Expr {
        let middle = ops.len() / 2;
        let Some((before, [at, after @ ..])) = ops.split_at_checked(middle) else {
            return match terms.next() {
                Some(term) => term,
                None => self.broken(0, "unexpected character"),
            };
        };
        let left = self.balanced_part(function, terms, before);
        let right = self.balanced_part(function, terms, after);
        self.call(*at, function, vec![left, right])
    }
}
