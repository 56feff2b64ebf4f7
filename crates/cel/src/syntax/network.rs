//! The grammar as states and moves between them, built once.

use super::Set;
use super::grammar::{Piece, RULES, Rule};
use std::sync::LazyLock;

/// A state, by its number in [`Network::states`].
pub type State = u16;

#[derive(Debug, Clone)]
pub enum Move {
    /// The end of a rule.
    Stop,
    /// One of the tokens, then the state.
    Match(Set, State),
    /// A rule, with the strength from which its loop continues, then the state.
    Call(Rule, u8, State),
    /// The way goes on only in a rule called with at most this strength.
    Binds(u8, State),
    /// One of several ways, or with one way a step without a choice.
    Choice(Choice, Vec<State>),
}

/// The kinds of decisions, which synchronise differently; `peek` for those that look at one token only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Alternatives, or something that may be left out.
    Block {
        peek: bool,
    },
    LoopEntry {
        peek: bool,
    },
    /// Before the next turn of the loop whose entry is the only way on.
    LoopBack,
    /// Before the first turn of a loop that has at least one.
    PlusEntry,
    /// After a turn of such a loop.
    PlusBack {
        peek: bool,
    },
}

#[derive(Debug)]
pub struct Network {
    pub states: Vec<Move>,
    /// The rule that every state belongs to.
    pub rules: Vec<Rule>,
    /// The first state of every rule.
    pub starts: Vec<State>,
    /// After which states a rule may end: the calls of every rule, as the states after them.
    pub callers: Vec<Vec<State>>,
}

pub static NETWORK: LazyLock<Network> = LazyLock::new(build);

const ALL: [Rule; 17] = [
    Rule::Start,
    Rule::Expr,
    Rule::Or,
    Rule::And,
    Rule::Relation,
    Rule::Calc,
    Rule::Unary,
    Rule::Member,
    Rule::Primary,
    Rule::ExprList,
    Rule::ListInit,
    Rule::FieldInits,
    Rule::OptField,
    Rule::MapInits,
    Rule::EscapeIdent,
    Rule::OptExpr,
    Rule::Literal,
];

fn build() -> Network {
    let mut network = Network { states: vec![], rules: vec![], starts: vec![], callers: vec![vec![]; ALL.len()] };
    for (rule, piece) in ALL.into_iter().zip(&RULES) {
        let stop = network.add(rule, Move::Stop);
        let start = network.piece(rule, piece, stop);
        network.starts.push(start);
    }
    let calls: Vec<(Rule, State)> = network
        .states
        .iter()
        .filter_map(|state| match state {
            Move::Call(rule, _, next) => Some((*rule, *next)),
            _ => None,
        })
        .collect();
    for (rule, next) in calls {
        if let Some(callers) = network.callers.get_mut(rule as usize) {
            callers.push(next);
        }
    }
    network
}

impl Network {
    pub fn state(&self, state: State) -> &Move {
        self.states.get(usize::from(state)).unwrap_or(&Move::Stop)
    }

    pub fn rule_of(&self, state: State) -> Rule {
        self.rules.get(usize::from(state)).copied().unwrap_or(Rule::Start)
    }

    pub fn start(&self, rule: Rule) -> State {
        self.starts.get(rule as usize).copied().unwrap_or(0)
    }

    fn add(&mut self, rule: Rule, to: Move) -> State {
        self.states.push(to);
        self.rules.push(rule);
        State::try_from(self.states.len() - 1).unwrap_or(State::MAX)
    }

    /// The first state of `piece`, after which `next` follows.
    fn piece(&mut self, rule: Rule, piece: &Piece, next: State) -> State {
        match piece {
            Piece::Tokens(tokens) => self.add(rule, Move::Match(Set::of(tokens), next)),
            Piece::Rule(called, strength) => self.add(rule, Move::Call(*called, *strength, next)),
            Piece::All(pieces) => pieces.iter().rev().fold(next, |next, piece| self.piece(rule, piece, next)),
            Piece::Binds(strength, piece) => {
                let inner = self.piece(rule, piece, next);
                self.add(rule, Move::Binds(*strength, inner))
            }
            Piece::Maybe(piece) => {
                let inner = self.piece(rule, piece, next);
                self.add(rule, Move::Choice(Choice::Block { peek: true }, vec![inner, next]))
            }
            Piece::One(pieces, peek) => {
                let ways = pieces.iter().map(|piece| self.piece(rule, piece, next)).collect();
                self.add(rule, Move::Choice(Choice::Block { peek: *peek }, ways))
            }
            Piece::Star(piece, peek) => {
                let entry = self.add(rule, Move::Stop);
                let back = self.add(rule, Move::Choice(Choice::LoopBack, vec![entry]));
                let body = self.piece(rule, piece, back);
                self.set(entry, Move::Choice(Choice::LoopEntry { peek: *peek }, vec![body, next]));
                entry
            }
            Piece::Plus(piece, peek) => {
                let back = self.add(rule, Move::Stop);
                let body = self.piece(rule, piece, back);
                let entry = self.add(rule, Move::Choice(Choice::PlusEntry, vec![body]));
                self.set(back, Move::Choice(Choice::PlusBack { peek: *peek }, vec![body, next]));
                entry
            }
        }
    }

    fn set(&mut self, state: State, to: Move) {
        if let Some(slot) = self.states.get_mut(usize::from(state)) {
            *slot = to;
        }
    }
}
