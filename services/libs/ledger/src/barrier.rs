//! Asks where the ledger ends, once for all callers that wait: those that arrive while it is asked share the next
//! question, since the running one may have been answered before their caller's reason to ask.

use kafka_log::{Error, Watermarks};
use tokio::sync::{mpsc, oneshot};

/// Callers that may wait for one answer; more wait to be let in.
const MAX_WAITING: usize = 1024;

type Answer = oneshot::Sender<Result<i64, Error>>;

/// Cheap to clone. The task behind it ends with the last clone.
#[derive(Clone)]
pub(crate) struct EndOfLedger {
    questions: mpsc::Sender<Answer>,
}

impl EndOfLedger {
    pub(crate) fn start(watermarks: Watermarks, topic: String) -> Self {
        let (questions, waiting) = mpsc::channel(MAX_WAITING);
        tokio::spawn(answer(watermarks, topic, waiting));
        Self { questions }
    }

    /// End of what was committed at some moment after this call began.
    pub(crate) async fn ask(&self) -> Result<i64, Error> {
        let (sender, answer) = oneshot::channel();
        self.questions.send(sender).await.map_err(|_| Error::Stopped)?;
        answer.await.map_err(|_| Error::Stopped)?
    }
}

async fn answer(watermarks: Watermarks, topic: String, mut waiting: mpsc::Receiver<Answer>) {
    let mut callers = Vec::new();
    while waiting.recv_many(&mut callers, MAX_WAITING).await > 0 {
        let end = watermarks.range(&topic, 0).await.map(|(_, end)| end);
        for caller in callers.drain(..) {
            // A caller that was cancelled wants no answer.
            let _ = caller.send(end.clone());
        }
    }
}
