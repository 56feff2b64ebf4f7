//! Events gathered into batches by a task of their own, so that requests do not wait
//! (upstream: k8s.io/apiserver/plugin/pkg/audit/buffered).

use std::sync::Arc;
use std::time::Duration;

use audit::Event;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use super::sink::Writer;

/// Batches on their way at a time, where the backend can have several.
const CONCURRENT_MAX: u32 = 16;

/// `--audit-*-batch-*`
#[derive(Clone, Debug, PartialEq)]
pub struct Batching {
    /// Events that wait; what comes on top is lost.
    pub buffer_size: usize,
    pub size_max: usize,
    /// How long the first event of a batch waits for company.
    pub wait_max: Duration,
    /// `None`: as fast as they come.
    pub throttle: Option<Throttle>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Throttle {
    /// Batches per second.
    pub rate: f64,
    pub burst: u32,
}

enum Message {
    Event(Arc<Event>),
    Flush(oneshot::Sender<()>),
}

pub(super) struct Batches {
    queue: mpsc::Sender<Message>,
}

impl Batches {
    pub(super) fn start(writer: Arc<Writer>, batching: Batching) -> Batches {
        let (queue, waiting) = mpsc::channel(batching.buffer_size.max(1));
        let permits = if writer.backend.is_concurrent() { CONCURRENT_MAX } else { 1 };
        let bucket = batching.throttle.map(|throttle| Bucket::full(throttle, Instant::now()));
        let task = Task { writer, batching, bucket, permits, sending: Arc::new(Semaphore::new(permits as usize)) };
        tokio::spawn(task.run(waiting));
        Batches { queue }
    }

    /// The error: there are too many already.
    pub(super) fn push(&self, event: Arc<Event>) -> Result<(), String> {
        self.queue.try_send(Message::Event(event)).map_err(|_| "audit buffer queue blocked".to_owned())
    }

    pub(super) async fn flush(&self) {
        let (tell, told) = oneshot::channel();
        if self.queue.send(Message::Flush(tell)).await.is_ok() {
            // A task that is gone has nothing more to write.
            let _ = told.await;
        }
    }
}

struct Task {
    writer: Arc<Writer>,
    batching: Batching,
    bucket: Option<Bucket>,
    permits: u32,
    sending: Arc<Semaphore>,
}

impl Task {
    async fn run(mut self, mut waiting: mpsc::Receiver<Message>) {
        while let Some(first) = waiting.recv().await {
            let (batch, flush) = self.collect(first, &mut waiting).await;
            if !batch.is_empty() {
                self.send(batch).await;
            }
            if let Some(tell) = flush {
                // All permits are back when every batch has arrived.
                drop(self.sending.acquire_many(self.permits).await);
                let _ = tell.send(());
            }
        }
    }

    async fn collect(
        &self,
        first: Message,
        waiting: &mut mpsc::Receiver<Message>,
    ) -> (Vec<Arc<Event>>, Option<oneshot::Sender<()>>) {
        let mut batch = match first {
            Message::Event(event) => vec![event],
            Message::Flush(tell) => return (vec![], Some(tell)),
        };
        let deadline = Instant::now() + self.batching.wait_max;
        while batch.len() < self.batching.size_max {
            match tokio::time::timeout_at(deadline, waiting.recv()).await {
                Ok(Some(Message::Event(event))) => batch.push(event),
                Ok(Some(Message::Flush(tell))) => return (batch, Some(tell)),
                Ok(None) | Err(_) => break,
            }
        }
        (batch, None)
    }

    async fn send(&mut self, batch: Vec<Arc<Event>>) {
        if let Some(bucket) = &mut self.bucket {
            tokio::time::sleep(bucket.take(Instant::now())).await;
        }
        let Ok(permit) = self.sending.clone().acquire_owned().await else { return };
        let writer = self.writer.clone();
        let sent = async move {
            if let Err(why) = writer.write(&batch).await {
                tracing::error!(why, sink = writer.backend.name(), events = batch.len(), "audit events are lost");
            }
            drop(permit);
        };
        if self.writer.backend.is_concurrent() {
            tokio::spawn(sent);
        } else {
            sent.await;
        }
    }
}

/// A token bucket.
#[derive(Debug)]
struct Bucket {
    throttle: Throttle,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn full(throttle: Throttle, now: Instant) -> Bucket {
        Bucket { throttle, tokens: f64::from(throttle.burst), at: now }
    }

    /// Takes a token; how long to wait until it is there.
    fn take(&mut self, now: Instant) -> Duration {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.tokens = (self.tokens + since * self.throttle.rate).min(f64::from(self.throttle.burst)) - 1.0;
        Duration::try_from_secs_f64(-self.tokens / self.throttle.rate).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_then_the_rate_holds() {
        let start = Instant::now();
        let mut bucket = Bucket::full(Throttle { rate: 10.0, burst: 2 }, start);
        let ms = |at: u64, bucket: &mut Bucket| bucket.take(start + Duration::from_millis(at)).as_millis();
        assert_eq!([0, 0, 0, 0].map(|at| ms(at, &mut bucket)), [0, 0, 100, 200]);
        assert_eq!(ms(1000, &mut bucket), 0, "rested");
    }
}
