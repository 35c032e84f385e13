//! From other crates' errors to what a caller is told.

use super::{ApiError, Code, Detail};
use endpoint_settings::Problem;
use ledger::WriteError;

/// While Kafka can't be asked: soon enough for a leader that moves.
const KAFKA_RETRY_SEC: u64 = 2;
/// While the history's database doesn't answer, or isn't made yet.
const HISTORY_RETRY_SEC: u64 = 5;
/// While there is no clerk: about half of what it takes the group to choose another.
const CLERK_RETRY_SEC: u64 = 3;

impl From<Vec<Problem>> for ApiError {
    /// 403 when nothing but scopes is missing, else 400.
    fn from(problems: Vec<Problem>) -> Self {
        let code = if problems.iter().all(|problem| problem.is_permission) {
            Code::PermissionDenied
        } else {
            Code::InvalidRequest
        };
        let detail = |problem: Problem| Detail {
            path: problem.path,
            message: problem.message,
        };
        Self {
            code,
            ..Self::invalid_all(problems.into_iter().map(detail).collect())
        }
    }
}

impl From<ledger::Error> for ApiError {
    fn from(error: ledger::Error) -> Self {
        tracing::warn!(%error, "the ledger can't be asked");
        Self::unavailable("configuration can't be read at the moment; try again", KAFKA_RETRY_SEC)
    }
}

impl From<history_store::Error> for ApiError {
    fn from(error: history_store::Error) -> Self {
        tracing::warn!(%error, "the history can't be asked");
        Self::unavailable(
            "the delivery history can't be asked at the moment; try again",
            HISTORY_RETRY_SEC,
        )
    }
}

impl From<WriteError> for ApiError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Conflict { .. } => Self::conflict("it was changed by somebody else; read it again and repeat"),
            WriteError::Refused { code, message } => match code.as_str() {
                "not_found" => Self::new(Code::NotFound, message),
                "quota" | "exists" | "conflict" => Self::conflict(message),
                _ => Self::invalid("", message),
            },
            WriteError::NoClerk => Self::unavailable(
                "nobody decided in time, so it isn't known yet whether the change will be made; repeat it, with the same \
                 Idempotency-Key if it has one",
                CLERK_RETRY_SEC,
            ),
            WriteError::Kafka(kafka_log::Error::TooLarge { .. }) => Self::new(
                Code::PayloadTooLarge,
                "together this is more than a record may hold; make it smaller",
            ),
            WriteError::Kafka(error) => {
                tracing::warn!(%error, "a change can't be asked for");
                Self::unavailable("the change could not be asked for; try again", KAFKA_RETRY_SEC)
            }
            WriteError::Unseen(error) => {
                tracing::warn!(%error, "a change was made, and is not visible here");
                Self::unavailable(
                    "the change was made, but can't be shown yet; read it again",
                    KAFKA_RETRY_SEC,
                )
            }
            WriteError::Encode(error) => {
                tracing::error!(error, "a change can't be written");
                Self::new(
                    Code::Internal,
                    "this is a defect of Hookline; its log says more, under this request's id",
                )
            }
        }
    }
}
