//! What is said beside the answer, gathered while a request is answered: texts for Warning headers, which are sent with
//! errors, too, and annotations for the audit log.

use std::sync::{Mutex, OnceLock, PoisonError};

use http::HeaderMap;

use crate::answer;
use crate::audit::Trail;
use crate::queue::{self, Flow};

#[derive(Debug, Default)]
pub struct Warnings {
    texts: Mutex<Vec<String>>,
    pub trail: Trail,
    /// Where the request belongs, once that is known.
    flow: OnceLock<Flow>,
}

impl Warnings {
    pub fn new(trail: Trail) -> Warnings {
        Warnings { texts: Mutex::default(), trail, flow: OnceLock::new() }
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

    /// A request belongs to one flow.
    pub fn note_flow(&self, flow: Flow) {
        // It is classified once.
        let _ = self.flow.set(flow);
    }

    /// Warning headers, and those of the flow.
    pub fn add_headers(&self, headers: &mut HeaderMap) {
        answer::add_warnings(headers, &self.take());
        if let Some(flow) = self.flow.get() {
            queue::add_headers(headers, flow);
        }
    }

    /// All so far.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.texts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
