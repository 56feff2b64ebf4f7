//! A request from its first byte to the last of its answer.

use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt as _;
use http::Response;
use http::request::Parts;
use http_body::Body as _;

use super::Labels;
use crate::body::Body;
use crate::path::PathInfo;
use crate::query::Query;
use crate::server::Server;

/// A request that is being answered. Ends when its client goes away, too.
pub struct Measured {
    server: Arc<Server>,
    labels: Labels,
    began: Instant,
}

impl Measured {
    pub fn begin(server: &Arc<Server>, head: &Parts, query: &Query) -> Measured {
        let info = PathInfo::resolve(&head.method, head.uri.path(), query).unwrap_or_default();
        let labels = Labels::of(&info, &server.registry.load(), query.get("dryRun").is_some());
        server.metrics.count_running(&labels, 1);
        Measured { server: server.clone(), labels, began: Instant::now() }
    }

    /// The answer as it leaves. A stream is open until its last byte, and ends when the server stops.
    pub fn end(self, response: Response<Body>) -> Response<Body> {
        let (code, length) = (response.status().as_u16(), response.body().size_hint().exact());
        if !matches!(response.body(), Body::Pieces(_)) {
            self.server.metrics.observe(self.labels.clone(), code, self.began.elapsed(), length);
        }
        response.map(|body| match body {
            Body::Pieces(pieces) => Body::Pieces(pieces.on_end(move |sent| {
                self.server.metrics.observe(self.labels.clone(), code, self.began.elapsed(), Some(sent))
            })),
            Body::Stream(frames) => {
                let mut stopping = self.server.stopping.clone();
                let open = Open::begin(&self.server, &self.labels);
                let frames = frames.take_until(async move { stopping.wait_for(|stop| *stop).await.is_ok() });
                Body::Stream(Box::pin(frames.map(move |frame| {
                    let _ = &open;
                    frame
                })))
            }
            whole => whole,
        })
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        self.server.metrics.count_running(&self.labels, -1);
    }
}

/// A stream that is being sent.
struct Open {
    server: Arc<Server>,
    labels: Labels,
}

impl Open {
    fn begin(server: &Arc<Server>, labels: &Labels) -> Open {
        server.metrics.count_stream(labels, 1);
        Open { server: server.clone(), labels: labels.clone() }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.server.metrics.count_stream(&self.labels, -1);
    }
}
