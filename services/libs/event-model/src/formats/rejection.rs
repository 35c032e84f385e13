//! Why a record is no event. Deliberately without the reasons that need configuration (`unknown_tenant`,
//! `unknown_type`, `contract_broken`): fan-out gives those.

/// The record goes to the `rejected` topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct ParseError {
    /// `unreadable`: not of the format at all. `too_large`. `invalid`: of the format, but a field is missing or wrong.
    pub reason: &'static str,
    /// What is wrong and where; at most 300 characters.
    pub message: String,
    /// The field that is wrong, by the format's name for it; None: the whole.
    pub field: Option<&'static str>,
    /// As far as it could be read.
    pub tenant: Option<String>,
    /// As far as it could be read.
    pub event_type: Option<String>,
}

impl ParseError {
    pub(super) fn unreadable(message: String, tenant: Option<String>) -> Self {
        Self {
            reason: "unreadable",
            message: short(message),
            field: None,
            tenant,
            event_type: None,
        }
    }

    pub(super) fn too_large(bytes: usize, limit_bytes: usize, tenant: Option<String>) -> Self {
        let message = format!("the value has {bytes} bytes, the limit is {limit_bytes} (delivery.max_payload_bytes)");
        Self {
            reason: "too_large",
            message,
            field: None,
            tenant,
            event_type: None,
        }
    }

    pub(super) fn invalid(
        field: &'static str,
        message: String,
        tenant: Option<String>,
        event_type: Option<String>,
    ) -> Self {
        Self {
            reason: "invalid",
            message: short(message),
            field: Some(field),
            tenant,
            event_type,
        }
    }
}

fn short(message: String) -> String {
    match message.char_indices().nth(300) {
        Some((end, _)) => message[..end].to_owned(),
        None => message,
    }
}
