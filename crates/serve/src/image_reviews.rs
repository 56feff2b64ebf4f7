//! Asking whether images may be used, for the plugin ImagePolicyWebhook.

use std::sync::Arc;
use std::time::Duration;

use admission::ImagePolicy;
use meta::{Value, json};
use outbound::{Backoff, Client, Endpoint, retry};

use crate::authenticate::Remembered;

/// For one try.
const TIME_MAX: Duration = Duration::from_secs(30);

/// The other server, and what it said not long ago.
pub struct ImageReviews {
    client: Client,
    backoff: Backoff,
    allow_time: Duration,
    deny_time: Duration,
    remembered: Remembered<Arc<Value>>,
}

impl ImageReviews {
    /// # Errors
    /// What is wrong with the kubeconfig file.
    pub fn new(policy: &ImagePolicy) -> Result<ImageReviews, String> {
        Ok(ImageReviews {
            client: Client::new(&Endpoint::read_kubeconfig(&policy.kubeconfig)?)?,
            backoff: Backoff { first: policy.backoff, ..Backoff::WEBHOOK },
            allow_time: policy.allow_time,
            deny_time: policy.deny_time,
            remembered: Remembered::default(),
        })
    }

    /// The status of the answer to an ImageReview.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn ask(&self, review: &Value) -> Result<Arc<Value>, String> {
        let key = json::to_string(&review["spec"]);
        if let Some(known) = self.remembered.get(&key) {
            return Ok(known);
        }
        let answered = retry(self.backoff, || self.client.post_json(review, TIME_MAX)).await;
        let status = Arc::new(answered.map_err(|why| why.text)?["status"].clone());
        let time = if status["allowed"].bool() { self.allow_time } else { self.deny_time };
        if !time.is_zero() {
            self.remembered.remember(&key, status.clone(), time);
        }
        Ok(status)
    }
}
