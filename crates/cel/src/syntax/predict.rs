//! Which way of a decision to go: all ways are followed at once, token by token, until one is left.

use super::network::{Move, NETWORK, State};
use crate::lex::Token;
use std::collections::HashSet;
use std::rc::Rc;

/// After this many tokens the first of the ways that are left is taken; decisions on real texts take two or three.
const LOOKAHEAD_MAX: usize = 256;
/// More configurations than this are never followed at once.
const CONFIGURATIONS_MAX: usize = 4096;

/// The states to return to, the innermost first. Empty means the rule of the decision, beyond which any caller goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Stack(Option<Rc<(State, Stack)>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Configuration {
    state: State,
    way: usize,
    stack: Stack,
    /// Whether the rule of the decision has ended on this way.
    left: bool,
}

/// What was predicted, and how much looking that took.
pub struct Predicted {
    /// The number of the way, or the offset among the tokens of the one at which no way was left.
    pub way: Result<usize, usize>,
    /// How many tokens were looked at.
    pub tokens: usize,
    pub configurations: usize,
}

/// `strength` is that of the call of the rule that decides.
pub fn predict(ways: &[State], strength: u8, tokens: impl Fn(usize) -> Token) -> Predicted {
    let mut all = Closure { strength, seen: HashSet::new(), found: Vec::new() };
    for (way, state) in ways.iter().enumerate() {
        all.add(Configuration { state: *state, way, stack: Stack(None), left: false });
    }
    let mut current = all.found;
    // A loop goes on rather than that its rule ends and a caller's loop takes the same token.
    let first: HashSet<(State, Stack)> =
        current.iter().filter(|found| found.way == 0).map(|found| (found.state, found.stack.clone())).collect();
    current.retain(|found| found.way == 0 || !first.contains(&(found.state, found.stack.clone())));
    let mut configurations = current.len();
    for at in 0..LOOKAHEAD_MAX {
        let done = |way| Predicted { way, tokens: at + 1, configurations };
        let token = tokens(at);
        let mut next = Closure { strength, seen: HashSet::new(), found: Vec::new() };
        for configuration in &current {
            if let Move::Match(set, to) = NETWORK.state(configuration.state)
                && set.has(token)
            {
                next.add(Configuration { state: *to, ..configuration.clone() });
            }
        }
        // A finished text satisfies the ways that end with it.
        let Some(first) = next.found.iter().map(|found| found.way).min() else {
            // A way on which the deciding rule had ended before the bad token is taken; whoever called reports.
            let ended = current.iter().filter(|found| found.left).map(|found| found.way).min();
            return done(ended.ok_or(at));
        };
        if next.found.iter().all(|found| found.way == first) || token == Token::Eof {
            return done(Ok(first));
        }
        configurations += next.found.len();
        current = next.found;
    }
    let way = current.iter().map(|found| found.way).min().unwrap_or(0);
    Predicted { way: Ok(way), tokens: LOOKAHEAD_MAX, configurations }
}

struct Closure {
    strength: u8,
    seen: HashSet<Configuration>,
    /// The configurations that wait for a token, or are at the end of the first rule.
    found: Vec<Configuration>,
}

impl Closure {
    fn add(&mut self, configuration: Configuration) {
        if self.seen.len() >= CONFIGURATIONS_MAX || !self.seen.insert(configuration.clone()) {
            return;
        }
        let with = |state: &State| Configuration { state: *state, ..configuration.clone() };
        match NETWORK.state(configuration.state) {
            Move::Match(..) => self.found.push(configuration),
            Move::Choice(_, ways) => ways.iter().for_each(|way| self.add(with(way))),
            Move::Binds(strength, next) => {
                // Only the deciding rule knows how it was called.
                let inside = configuration.stack.0.is_none() && !configuration.left;
                if !inside || *strength >= self.strength {
                    self.add(with(next));
                }
            }
            Move::Call(rule, _, next) => {
                let stack = Stack(Some(Rc::new((*next, configuration.stack.clone()))));
                self.add(Configuration { state: NETWORK.start(*rule), stack, ..configuration.clone() });
            }
            Move::Stop => match configuration.stack.0.clone() {
                Some(top) => {
                    let (state, stack) = (*top).clone();
                    self.add(Configuration { state, stack, ..configuration });
                }
                None => {
                    let rule = NETWORK.rule_of(configuration.state);
                    let callers = NETWORK.callers.get(rule as usize).map_or(&[][..], Vec::as_slice);
                    for next in callers {
                        self.add(Configuration { state: *next, left: true, ..configuration.clone() });
                    }
                    // What is waited for at the end of the text is kept, so that it counts as ended.
                    self.found.push(Configuration { left: true, ..configuration });
                }
            },
        }
    }
}
