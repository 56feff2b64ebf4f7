//! Mutating admission runs a second time when something in it that may be asked again was followed by a change
//! (k8s.io/apiserver/pkg/admission/reinvocation.go). There is no third time.

use meta::Value;
use std::collections::HashSet;

/// What the rounds of one request know.
#[derive(Clone, Debug, Default)]
pub struct Rounds {
    is_second: bool,
    wanted: bool,
    pub policies: Repeated,
    pub webhooks: Repeated,
}

/// What of one plugin's was done in the first round, and is done again.
#[derive(Clone, Debug, Default)]
pub struct Repeated {
    last: Option<Value>,
    done: HashSet<String>,
    again: HashSet<String>,
}

impl Rounds {
    pub fn is_second(&self) -> bool {
        self.is_second
    }

    /// A change was made that others may want to see.
    pub fn want_second(&mut self) {
        self.wanted = true;
    }

    /// Whether a second round is due; then it begins.
    pub fn begin_second(&mut self) -> bool {
        let begins = self.wanted && !self.is_second;
        self.is_second |= begins;
        begins
    }
}

impl Repeated {
    /// The plugin's turn with the object as it is now. In the second round it may have changed since the last turn.
    pub fn begin(&mut self, is_second: bool, object: &Value) {
        if is_second && self.last.as_ref() != Some(object) {
            self.repeat_done();
        }
    }

    /// The object as the plugin leaves it.
    pub fn end(&mut self, object: &Value) {
        self.last = Some(object.clone());
    }

    /// Something has changed the object: what was done before and may be repeated is.
    pub fn repeat_done(&mut self) {
        self.again.extend(self.done.drain());
    }

    /// This was done, and may be done again.
    pub fn note_done(&mut self, key: &str) {
        self.done.insert(key.to_owned());
    }

    pub fn is_due_again(&self, key: &str) -> bool {
        self.again.contains(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn what_was_followed_by_a_change_is_repeated_once() {
        let mut rounds = Rounds::default();
        assert!(!rounds.begin_second());
        rounds.webhooks.begin(false, &value!({"a": 1}));
        rounds.webhooks.note_done("first");
        rounds.webhooks.repeat_done();
        rounds.want_second();
        rounds.webhooks.note_done("second");
        rounds.webhooks.end(&value!({"a": 2}));
        assert!(rounds.begin_second() && rounds.is_second());
        rounds.webhooks.begin(true, &value!({"a": 2}));
        assert!(rounds.webhooks.is_due_again("first") && !rounds.webhooks.is_due_again("second"));
        rounds.webhooks.begin(true, &value!({"a": 3}));
        assert!(rounds.webhooks.is_due_again("second"));
        assert!(!rounds.begin_second());
    }
}
