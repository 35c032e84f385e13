//! A bounded queue in front of an export: what doesn't fit is dropped and counted. Its task sends batches.

use super::collector::Failed;
use super::signal::{Signal, Tally};
use std::future::Future;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Most items that wait for export: about 1 kB each.
const QUEUED: usize = 4_096;
const BATCH: usize = 512;
/// How long an item waits for others.
const LINGER: Duration = Duration::from_millis(500);

/// The end that takes.
#[derive(Debug)]
pub(super) struct Queue<T> {
    signal: &'static Signal,
    sender: mpsc::Sender<T>,
}

/// The end that exports.
#[derive(Debug)]
pub(super) struct Waiting<T> {
    signal: &'static Signal,
    receiver: mpsc::Receiver<T>,
}

pub(super) fn queue<T>(signal: &'static Signal) -> (Queue<T>, Waiting<T>) {
    let (sender, receiver) = mpsc::channel(QUEUED);
    (Queue { signal, sender }, Waiting { signal, receiver })
}

impl<T> Queue<T> {
    /// Takes it, if there is room.
    pub(super) fn put(&self, item: T) {
        if self.sender.try_send(item).is_err() {
            self.signal.count("dropped", 1);
        }
    }
}

impl<T> Waiting<T> {
    /// Sends batches until it is stopped; then what is there.
    pub(super) async fn export<S, F>(mut self, send: S, stop: CancellationToken)
    where
        S: Fn(Vec<T>) -> F,
        F: Future<Output = Result<u64, Failed>>,
    {
        let mut tally = Tally::new(self.signal);
        loop {
            let batch = self.batch(&stop).await;
            if !batch.is_empty() {
                let number = batch.len() as u64;
                tally.enter(number, send(batch).await);
            } else if stop.is_cancelled() {
                return;
            }
        }
    }

    /// What is there is taken at once; for more it waits a moment, unless it is over.
    async fn batch(&mut self, stop: &CancellationToken) -> Vec<T> {
        let waiting = &mut self.receiver;
        let mut batch = Vec::new();
        let first = stop.run_until_cancelled(waiting.recv_many(&mut batch, BATCH)).await;
        if first.is_none() {
            waiting.close();
        }
        let filling = async {
            while batch.len() < BATCH {
                let room = BATCH - batch.len();
                if waiting.recv_many(&mut batch, room).await == 0 {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(LINGER, stop.run_until_cancelled(filling)).await;
        while batch.len() < BATCH
            && let Ok(item) = waiting.try_recv()
        {
            batch.push(item);
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::super::signal::SPANS;
    use super::*;
    use parking_lot::Mutex;

    #[tokio::test(start_paused = true)]
    async fn what_waits_at_the_end_goes_out_in_batches_and_what_didnt_fit_is_gone() {
        let (queue, waiting) = queue(&SPANS);
        for item in 0..QUEUED + 10 {
            queue.put(item);
        }
        let stop = CancellationToken::new();
        stop.cancel();
        let sent = Mutex::new(Vec::new());
        let send = |batch: Vec<usize>| {
            assert!(batch.len() <= BATCH);
            sent.lock().extend(batch);
            std::future::ready(Ok(0))
        };
        waiting.export(send, stop).await;
        assert_eq!(sent.into_inner(), (0..QUEUED).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn a_send_that_fails_loses_its_batch_and_no_other() {
        let (queue, waiting) = queue(&SPANS);
        (0..BATCH + 1).for_each(|item| queue.put(item));
        let stop = CancellationToken::new();
        let (gone, last) = (Mutex::new(0), stop.clone());
        let send = |batch: Vec<usize>| {
            let is_first = batch[0] == 0;
            *gone.lock() += 1;
            if !is_first {
                last.cancel();
            }
            std::future::ready(if is_first { Err(Failed::Silent) } else { Ok(0) })
        };
        waiting.export(send, stop).await;
        assert_eq!(gone.into_inner(), 2);
    }
}
