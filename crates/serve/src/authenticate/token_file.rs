//! `--token-auth-file`: lines of `token,user,uid,"group1,group2"`.

use std::collections::HashMap;

use resource::User;

use super::bearer::{Token, TokenOutcome, Tokens};
use super::{Answer, digest::Digest};

/// A list of tokens that does not change while the server runs.
/// Tokens are looked up by their digest: how long that takes says nothing about them.
#[derive(Default)]
pub struct TokenFile {
    users: HashMap<Digest, User>,
}

impl TokenFile {
    /// Reads the whole file. A line with fewer than three columns is an error, one with an empty token is skipped, and
    /// of two lines with the same token the later one counts, as upstream has it.
    pub fn parse(text: &str) -> Result<TokenFile, String> {
        let mut users = HashMap::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim_end_matches('\r');
            if line.is_empty() {
                continue;
            }
            let number = index.saturating_add(1);
            let mut columns = split_csv(line).map_err(|why| format!("line {number}: {why}"))?.into_iter();
            let (Some(token), Some(name), Some(uid)) = (columns.next(), columns.next(), columns.next()) else {
                return Err(format!("line {number}: a token needs at least 3 columns: token, user name, uid"));
            };
            if token.is_empty() {
                continue;
            }
            let groups = columns.next().unwrap_or_default();
            let groups = groups.split(',').filter(|group| !group.is_empty()).map(Into::into).collect();
            users.insert(Digest::of(&token), User { name: name.into(), uid: uid.into(), groups, extra: vec![] });
        }
        Ok(TokenFile { users })
    }

    /// Adds one token, as a line of the file would.
    pub fn insert(&mut self, token: impl Into<String>, user: User) {
        self.users.insert(Digest::of(&token.into()), user);
    }
}

impl Tokens for TokenFile {
    fn authenticate<'a>(&'a self, token: Token<'a>) -> Answer<'a, TokenOutcome> {
        Answer::Now(Ok(self.users.get(&Digest::of(token.text)).cloned().map(Into::into)))
    }
}

/// The columns of one line: separated by commas, optionally in double quotes, in which `""` is a quote.
fn split_csv(line: &str) -> Result<Vec<String>, String> {
    let mut columns = vec![];
    let mut chars = line.chars().peekable();
    loop {
        let mut column = String::new();
        if chars.peek() == Some(&'"') {
            chars.next();
            loop {
                match chars.next() {
                    Some('"') if chars.peek() == Some(&'"') => {
                        chars.next();
                        column.push('"');
                    }
                    Some('"') => break,
                    Some(other) => column.push(other),
                    None => return Err("a quoted column has no end".into()),
                }
            }
        }
        while let Some(next) = chars.next_if(|c| *c != ',') {
            column.push(next);
        }
        columns.push(column);
        if chars.next().is_none() {
            return Ok(columns);
        }
    }
}
