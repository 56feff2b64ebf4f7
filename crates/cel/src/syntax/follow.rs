//! Which tokens may come next.

use super::Set;
use super::grammar::Rule;
use super::network::{Move, NETWORK, State};
use std::collections::HashSet;

/// The tokens that may come at `state`; `epsilon` when its rule may end before one does.
pub fn tokens_at(state: State) -> Set {
    let mut found = Set::default();
    look(state, &mut HashSet::new(), &mut found);
    found
}

/// The tokens that may come at `state` in a parse whose callers continue at `follows`, the innermost last.
pub fn tokens_within(state: State, follows: &[State]) -> Set {
    let mut found = tokens_at(state);
    for follow in follows.iter().rev() {
        if !found.epsilon {
            break;
        }
        found.epsilon = false;
        found = found.or(tokens_at(*follow));
    }
    if found.epsilon {
        found.epsilon = false;
        found = found.with(crate::lex::Token::Eof);
    }
    found
}

fn look(state: State, seen: &mut HashSet<State>, found: &mut Set) {
    if !seen.insert(state) {
        return;
    }
    match NETWORK.state(state) {
        Move::Stop => found.epsilon = true,
        Move::Match(set, _) => *found = found.or(*set),
        Move::Binds(_, next) => look(*next, seen, found),
        Move::Choice(_, ways) => ways.iter().for_each(|way| look(*way, seen, found)),
        Move::Call(rule, _, next) => {
            let inner = rule_tokens(*rule);
            *found = found.or(Set { epsilon: found.epsilon, ..inner });
            if inner.epsilon {
                look(*next, seen, found);
            }
        }
    }
}

/// The tokens a rule may start with. No rule of the grammar calls itself first or may be empty, so this ends.
fn rule_tokens(rule: Rule) -> Set {
    tokens_at(NETWORK.start(rule))
}
