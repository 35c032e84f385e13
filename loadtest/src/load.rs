//! Clients that ask one thing after the other, and how long each answer took. What they ask is not its business.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

/// What all clients of a case did.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    /// Sorted.
    latencies_us: Vec<u64>,
    /// From the first request that counts to the last answer.
    time: Duration,
    /// Processor time of whom they asked, from the first request on, uncounted ones included.
    cpu_us: u64,
    all_requests: u64,
}

impl Load {
    pub(crate) fn per_second(&self) -> f64 {
        self.latencies_us.len() as f64 / self.time.as_secs_f64()
    }

    /// The latency that this many of a hundred requests were within; 0 of none.
    pub(crate) fn percentile_ms(&self, percent: usize) -> f64 {
        let at = (self.latencies_us.len() * percent).div_ceil(100).saturating_sub(1);
        self.latencies_us.get(at).copied().unwrap_or(0) as f64 / 1000.0
    }

    pub(crate) fn cpu_each_us(&self) -> f64 {
        self.cpu_us as f64 / self.all_requests.max(1) as f64
    }

    /// With the processor time that was used meanwhile.
    pub(crate) fn with_cpu(mut self, cpu_us: u64) -> Self {
        self.cpu_us = cpu_us;
        self
    }
}

/// Asks with so many clients for `time`, after a tenth of it that isn't counted. `ask` gets the client's number and that
/// of its request, from 0.
pub(crate) async fn drive<F, Asking>(clients: usize, time: Duration, ask: F) -> anyhow::Result<Load>
where
    F: Fn(usize, u64) -> Asking + Send + Sync + 'static,
    Asking: Future<Output = anyhow::Result<()>> + Send,
{
    let (ask, all_requests) = (Arc::new(ask), Arc::new(AtomicU64::new(0)));
    let counted_from = Instant::now() + time / 10;
    let end = counted_from + time;
    let mut asking = JoinSet::new();
    for client in 0..clients {
        let (ask, all_requests) = (ask.clone(), all_requests.clone());
        asking.spawn(async move {
            let mut latencies_us = Vec::new();
            for request in 0.. {
                let begin = Instant::now();
                if begin >= end {
                    break;
                }
                ask(client, request).await?;
                all_requests.fetch_add(1, Ordering::Relaxed);
                if begin >= counted_from {
                    latencies_us.push(u64::try_from(begin.elapsed().as_micros())?);
                }
            }
            anyhow::Ok(latencies_us)
        });
    }
    let mut latencies_us = Vec::new();
    while let Some(asked) = asking.join_next().await {
        latencies_us.extend(asked??);
    }
    let time = counted_from.elapsed();
    latencies_us.sort_unstable();
    Ok(Load {
        latencies_us,
        time,
        cpu_us: 0,
        all_requests: all_requests.load(Ordering::Relaxed),
    })
}

#[cfg(test)]
mod tests {
    //! The arithmetic.
    use super::*;

    #[test]
    fn percentiles_are_latencies_that_occurred() {
        let load = |latencies_us| Load {
            latencies_us,
            time: Duration::from_secs(2),
            cpu_us: 30,
            all_requests: 3,
        };
        let some = load((1..=200).map(|n| n * 1000).collect());
        assert_eq!(
            (some.percentile_ms(50), some.percentile_ms(99), some.percentile_ms(100)),
            (100.0, 198.0, 200.0)
        );
        assert_eq!((some.per_second(), some.cpu_each_us()), (100.0, 10.0));
        assert_eq!(load(Vec::new()).percentile_ms(99), 0.0);
        assert_eq!(load(vec![7000]).percentile_ms(1), 7.0);
    }
}
