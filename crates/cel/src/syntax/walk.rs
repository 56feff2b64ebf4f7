//! The generated parser's way through the grammar: what it reports, and how it goes on after that.

use super::follow::{tokens_at, tokens_within};
use super::grammar::Rule;
use super::network::{Choice, Move, NETWORK, State};
use super::predict::predict;
use super::{Report, Set, escaped};
use crate::lex::{Lexeme, NAMES, Token};
use crate::parse::DEPTH_MAX;
use std::collections::{HashMap, HashSet};

/// How often the parser tries to recover before it gives up, and how many tokens it skips for it each time.
const RECOVERIES_MAX: u32 = 30;
const SKIPPED_MAX: u32 = 512;

/// How many rules may be open: a level of parentheses opens eight. Upstream goes deeper, but this is for broken texts only.
const RULES_MAX: usize = 800;

/// How much looking ahead one text is worth, in configurations of the parser; then the walk ends with what it reported.
const CONFIGURATIONS_MAX: usize = 1_000_000;

/// A syntax error on its way to the rule that recovers from it.
enum Failure {
    /// The token at the walk's place was not expected.
    Mismatch,
    /// No way was left; offsets of the tokens where the decision began and where it failed.
    NoWay(usize, usize),
    /// The walk is over.
    Over,
}

struct Walk<'a> {
    chars: &'a [char],
    tokens: &'a [Lexeme],
    at: usize,
    state: State,
    /// The states after the calls that are open, and for each the strength of its loop.
    follows: Vec<State>,
    reports: Vec<Report>,
    reports_max: usize,
    /// While set nothing is reported: an error was, and no token has matched since.
    recovering: bool,
    recoveries: u32,
    last_error: Option<usize>,
    last_error_states: HashSet<State>,
    configurations: usize,
    /// The ways of decisions that the next token or two decided: by the state, the strength and the tokens.
    decided: HashMap<(State, u8, Token, Option<Token>), usize>,
}

pub fn walk(chars: &[char], tokens: &[Lexeme], reports_max: usize) -> Vec<Report> {
    let mut walk = Walk {
        chars,
        tokens,
        at: 0,
        state: 0,
        follows: vec![],
        reports: vec![],
        reports_max,
        recovering: false,
        recoveries: 0,
        last_error: None,
        last_error_states: HashSet::new(),
        configurations: 0,
        decided: HashMap::new(),
    };
    // The end of the walk was reported where it came about.
    let _ = walk.rule(Rule::Start, 0);
    walk.reports
}

impl Walk<'_> {
    fn lexeme(&self, at: usize) -> Lexeme {
        let last = self.tokens.last().copied();
        self.tokens.get(at).copied().or(last).unwrap_or(Lexeme { token: Token::Eof, start: 0, end: 0 })
    }

    fn next(&self) -> Token {
        self.lexeme(self.at).token
    }

    fn consume(&mut self) {
        if self.next() != Token::Eof {
            self.at += 1;
        }
    }

    fn rule(&mut self, rule: Rule, strength: u8) -> Result<(), Failure> {
        if self.follows.len() > RULES_MAX {
            let message = format!("expression recursion limit exceeded: {DEPTH_MAX}");
            self.reports.push(Report { at: None, message });
            return Err(Failure::Over);
        }
        match self.body(NETWORK.start(rule), strength) {
            Ok(()) => Ok(()),
            Err(Failure::Over) => Err(Failure::Over),
            Err(failure) => {
                self.report_failure(&failure)?;
                self.recover()
            }
        }
    }

    /// From a state to the end of its rule.
    fn body(&mut self, start: State, strength: u8) -> Result<(), Failure> {
        let mut state = start;
        loop {
            let to = NETWORK.state(state);
            if !matches!(to, Move::Stop | Move::Binds(..)) {
                self.state = state;
            }
            state = match to {
                Move::Stop => return Ok(()),
                Move::Binds(_, next) => *next,
                Move::Match(set, next) => {
                    self.expect(*set, *next)?;
                    *next
                }
                Move::Call(rule, strength, next) => {
                    self.follows.push(*next);
                    let done = self.rule(*rule, *strength);
                    self.follows.pop();
                    done?;
                    *next
                }
                Move::Choice(choice, ways) => self.decide(*choice, ways, strength)?,
            };
        }
    }

    fn decide(&mut self, choice: Choice, ways: &[State], strength: u8) -> Result<State, Failure> {
        self.sync(choice)?;
        let (ways, peek): (&[State], bool) = match choice {
            Choice::PlusEntry => return ways.first().copied().ok_or(Failure::Over),
            Choice::LoopBack => match ways.first().map(|entry| NETWORK.state(*entry)) {
                Some(Move::Choice(Choice::LoopEntry { peek }, ways)) => (ways, *peek),
                _ => return Err(Failure::Over),
            },
            Choice::Block { peek } | Choice::LoopEntry { peek } | Choice::PlusBack { peek } => (ways, peek),
        };
        let way = if peek {
            let next = self.next();
            match ways.iter().position(|way| tokens_at(*way).has(next)) {
                Some(way) => way,
                // The only alternatives decided by one token; all else that is may be left out, and then is.
                None if NETWORK.rule_of(self.state) == Rule::EscapeIdent => {
                    return Err(Failure::NoWay(self.at, self.at));
                }
                None => ways.len().saturating_sub(1),
            }
        } else {
            self.predict(ways, strength)?
        };
        ways.get(way).copied().ok_or(Failure::Over)
    }

    fn predict(&mut self, ways: &[State], strength: u8) -> Result<usize, Failure> {
        let start = self.at;
        let (first, second) = (self.next(), self.lexeme(start + 1).token);
        // The loop's two states decide the same, so either may keep it.
        for known in [None, Some(second)] {
            if let Some(way) = self.decided.get(&(self.state, strength, first, known)) {
                return Ok(*way);
            }
        }
        let predicted = predict(ways, strength, |ahead| self.lexeme(start + ahead).token);
        self.configurations += predicted.configurations;
        if self.configurations > CONFIGURATIONS_MAX {
            return Err(Failure::Over);
        }
        let way = predicted.way.map_err(|ahead| Failure::NoWay(start, start + ahead))?;
        match predicted.tokens {
            1 => self.decided.insert((self.state, strength, first, None), way),
            2 => self.decided.insert((self.state, strength, first, Some(second)), way),
            _ => None,
        };
        Ok(way)
    }

    fn expected(&self) -> Set {
        tokens_within(self.state, &self.follows)
    }

    fn expect(&mut self, set: Set, after: State) -> Result<(), Failure> {
        if set.has(self.next()) {
            self.matched();
            self.consume();
            return Ok(());
        }
        self.count_recovery()?;
        if self.deletes_one() {
            self.consume();
            return Ok(());
        }
        let follows_missing = tokens_within(after, &self.follows);
        if follows_missing.has(self.next()) {
            let message = format!("missing {} at {}", self.expected(), self.quoted(self.at));
            self.report_unless_recovering(self.at, message)?;
            return Ok(());
        }
        Err(Failure::Mismatch)
    }

    fn matched(&mut self) {
        self.recovering = false;
        self.last_error = None;
        self.last_error_states.clear();
    }

    /// Skips the next token when the one after it is expected.
    fn deletes_one(&mut self) -> bool {
        let expected = self.expected();
        if !expected.has(self.lexeme(self.at + 1).token) || self.next() == Token::Eof {
            return false;
        }
        if self.report_unwanted().is_err() {
            return false;
        }
        self.consume();
        self.matched();
        true
    }

    fn report_unwanted(&mut self) -> Result<(), Failure> {
        let message = format!("extraneous input {} expecting {}", self.quoted(self.at), self.expected());
        self.report_unless_recovering(self.at, message)
    }

    fn sync(&mut self, choice: Choice) -> Result<(), Failure> {
        if self.recovering {
            return Ok(());
        }
        let possible = tokens_at(self.state);
        if possible.epsilon || possible.has(self.next()) {
            return Ok(());
        }
        match choice {
            Choice::Block { .. } | Choice::LoopEntry { .. } | Choice::PlusEntry => {
                if self.deletes_one() {
                    Ok(())
                } else {
                    Err(Failure::Mismatch)
                }
            }
            Choice::LoopBack | Choice::PlusBack { .. } => {
                self.report_unwanted()?;
                let until = self.expected().or(self.recovery_set());
                self.skip_until(until)
            }
        }
    }

    fn report_failure(&mut self, failure: &Failure) -> Result<(), Failure> {
        match failure {
            Failure::Mismatch => {
                let message = format!("mismatched input {} expecting {}", self.quoted(self.at), self.expected());
                self.report_unless_recovering(self.at, message)
            }
            Failure::NoWay(start, end) => {
                let input = match self.lexeme(*start).token {
                    Token::Eof => "<EOF>".to_owned(),
                    _ => self.text(*start, *end),
                };
                let input = escaped(&input);
                // Upstream rewrites this one, so that a reserved word after a dot reads as it once did.
                let word = input.strip_prefix('.').filter(|word| ["true", "false", "null"].contains(word));
                let message = match word {
                    Some(word) => format!("mismatched input '{word}' expecting IDENTIFIER"),
                    None => format!("no viable alternative at input '{input}'"),
                };
                self.report_unless_recovering(*end, message)
            }
            Failure::Over => Ok(()),
        }
    }

    fn report_unless_recovering(&mut self, at: usize, message: String) -> Result<(), Failure> {
        if self.recovering {
            return Ok(());
        }
        self.recovering = true;
        self.report(at, message)
    }

    fn report(&mut self, at: usize, message: String) -> Result<(), Failure> {
        let over = self.reports.len() >= self.reports_max;
        let message = if over { format!("More than {} syntax errors", super::REPORTS_MAX) } else { message };
        let at = self.lexeme(at).start;
        self.reports.push(Report { at: Some(at), message: format!("Syntax error: {message}") });
        if over { Err(Failure::Over) } else { Ok(()) }
    }

    fn count_recovery(&mut self) -> Result<(), Failure> {
        if self.recoveries == RECOVERIES_MAX {
            self.recoveries += 1;
            self.report(self.at, format!("error recovery attempt limit exceeded: {RECOVERIES_MAX}"))?;
            return Err(Failure::Over);
        }
        self.recoveries += 1;
        Ok(())
    }

    fn recover(&mut self) -> Result<(), Failure> {
        self.count_recovery()?;
        if self.last_error == Some(self.at) && self.last_error_states.contains(&self.state) {
            // Twice at the same place: at least one token goes, or there would be no end.
            self.consume();
        }
        self.last_error = Some(self.at);
        self.last_error_states.insert(self.state);
        self.skip_until(self.recovery_set())
    }

    fn recovery_set(&self) -> Set {
        let follows = self.follows.iter().map(|follow| tokens_at(*follow));
        Set { epsilon: false, ..follows.fold(Set::default(), Set::or) }
    }

    fn skip_until(&mut self, until: Set) -> Result<(), Failure> {
        let mut skipped = 0;
        while self.next() != Token::Eof && !until.has(self.next()) {
            if skipped >= SKIPPED_MAX {
                let message = format!("error recovery token lookahead limit exceeded: {SKIPPED_MAX}");
                self.reports.push(Report { at: None, message });
                return Err(Failure::Over);
            }
            skipped += 1;
            self.consume();
        }
        Ok(())
    }

    /// The text from one token to another, with what is between them.
    fn text(&self, from: usize, to: usize) -> String {
        let (from, to) = (self.lexeme(from), self.lexeme(to));
        self.chars.get(from.start as usize..to.end as usize).unwrap_or(&[]).iter().collect()
    }

    fn quoted(&self, at: usize) -> String {
        match self.lexeme(at).token {
            Token::Eof => format!("'{}'", NAMES.first().copied().unwrap_or_default()),
            _ => format!("'{}'", escaped(&self.text(at, at))),
        }
    }
}
