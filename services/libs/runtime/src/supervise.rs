//! Runs a process's named tasks: the first that fails cancels all, and its error is the process's. A task that ends
//! without an error is done; the others go on.

use std::error::Error;
use std::future::Future;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

type Source = Box<dyn Error + Send + Sync>;

/// The first task that failed.
#[derive(Debug, thiserror::Error)]
#[error("{name} failed: {source}")]
pub struct TaskFailed {
    pub name: String,
    pub source: Source,
}

/// Named tasks with one token: each ends soon after it is cancelled. Dropping the supervisor aborts what still runs.
#[derive(Debug)]
pub struct Supervisor {
    stop: CancellationToken,
    tasks: JoinSet<Result<(), TaskFailed>>,
}

impl Supervisor {
    /// Supervises under `stop`, which a failing task cancels.
    #[must_use]
    pub fn new(stop: CancellationToken) -> Self {
        Self {
            stop,
            tasks: JoinSet::new(),
        }
    }

    /// The token that tasks watch.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts a task on the current runtime. A panic counts as its failure.
    pub fn spawn<F, E>(&mut self, name: &str, task: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Source> + Send + 'static,
    {
        let name = name.to_owned();
        let task = tokio::spawn(task);
        let abort = AbortOnDrop(task.abort_handle());
        self.tasks.spawn(async move {
            let _abort = abort;
            match task.await {
                Ok(Ok(())) => {
                    tracing::debug!(task = name, "ended");
                    Ok(())
                }
                Ok(Err(source)) => Err(TaskFailed {
                    name,
                    source: source.into(),
                }),
                Err(panic) => Err(TaskFailed {
                    name,
                    source: panic.into(),
                }),
            }
        });
    }

    /// Waits until every task has ended. The first failure cancels the token; the others still get to finish.
    ///
    /// # Errors
    /// The first failure; later ones are logged.
    pub async fn join(mut self) -> Result<(), TaskFailed> {
        let mut first = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            let failed = match ended {
                Ok(Ok(())) => continue,
                Ok(Err(failed)) => failed,
                Err(error) => TaskFailed {
                    name: "a supervised task".to_owned(),
                    source: error.into(),
                },
            };
            self.stop.cancel();
            tracing::error!(task = failed.name, error = %failed.source, "failed");
            if first.is_ok() {
                first = Err(failed);
            }
        }
        first
    }
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    async fn until(stop: CancellationToken) -> Result<(), io::Error> {
        stop.cancelled().await;
        Ok(())
    }

    #[tokio::test]
    async fn the_first_failure_cancels_all_and_is_returned() {
        let mut supervisor = Supervisor::new(CancellationToken::new());
        supervisor.spawn("patient", until(supervisor.token()));
        supervisor.spawn("failing", async { Err::<(), _>(io::Error::other("no broker")) });
        supervisor.spawn("done", async { Ok::<(), io::Error>(()) });
        let failed = supervisor.join().await.expect_err("one task failed");
        assert_eq!(failed.to_string(), "failing failed: no broker");
    }

    #[tokio::test]
    async fn a_panic_is_a_failure() {
        let mut supervisor = Supervisor::new(CancellationToken::new());
        supervisor.spawn("patient", until(supervisor.token()));
        supervisor.spawn("clumsy", async {
            if true {
                panic!("dropped it")
            } else {
                Ok::<(), io::Error>(())
            }
        });
        assert_eq!(supervisor.join().await.expect_err("one task panicked").name, "clumsy");
    }

    #[tokio::test]
    async fn a_signal_ends_all_in_order() {
        let stop = CancellationToken::new();
        let mut supervisor = Supervisor::new(stop.clone());
        supervisor.spawn("patient", until(supervisor.token()));
        stop.cancel();
        supervisor.join().await.expect("nothing failed");
    }

    #[tokio::test]
    async fn dropping_it_aborts_what_runs() {
        let (gone, dropped) = tokio::sync::oneshot::channel::<()>();
        let mut supervisor = Supervisor::new(CancellationToken::new());
        supervisor.spawn("endless", async move {
            let _held = gone;
            std::future::pending::<Result<(), io::Error>>().await
        });
        drop(supervisor);
        dropped.await.expect_err("the task's value was dropped");
    }
}
