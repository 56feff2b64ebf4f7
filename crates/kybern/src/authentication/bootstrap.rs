//! `--enable-bootstrap-token-auth`

use std::sync::Arc;

use meta::time::Timestamp;
use serve::authenticate::{Answer, Token, TokenOutcome, Tokens};
use serve::{Resources, StoreReader};
use store::Store;

/// Tokens of machines that want to join, checked against secrets as they are now.
pub struct BootstrapTokens {
    pub store: Store,
    pub resources: Arc<Resources>,
}

impl Tokens for BootstrapTokens {
    fn authenticate<'a>(&'a self, token: Token<'a>) -> Answer<'a, TokenOutcome> {
        let reader = StoreReader { resources: &self.resources, store: &self.store };
        let user = resources::bootstrap_token_bearer(&reader, token.text, Timestamp::now());
        Answer::Now(Ok(user.map(Into::into)))
    }
}
