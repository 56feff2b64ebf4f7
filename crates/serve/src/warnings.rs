//! What is said beside the answer, gathered while a request is answered: texts for Warning headers, which are sent with
//! errors, too, and annotations for the audit log.

use std::sync::{Mutex, PoisonError};

use crate::audit::Trail;

#[derive(Debug, Default)]
pub struct Warnings {
    texts: Mutex<Vec<String>>,
    pub trail: Trail,
}

impl Warnings {
    pub fn new(trail: Trail) -> Warnings {
        Warnings { texts: Mutex::default(), trail }
    }

    pub fn add(&self, text: impl Into<String>) {
        self.extend([text.into()]);
    }

    pub fn extend(&self, texts: impl IntoIterator<Item = String>) {
        let mut known = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        for text in texts {
            // A write may be decided more than once.
            if !known.contains(&text) {
                known.push(text);
            }
        }
    }

    /// All so far.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.texts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
