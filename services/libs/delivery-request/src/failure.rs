//! Why an attempt failed, in words for whoever owns the endpoint.

use egress::{Failure, Response};

const MAX_CHARS: usize = 256;

/// What went wrong, at most 256 characters; None for a 2xx.
#[must_use]
pub fn words(outcome: &Result<Response, Failure>) -> Option<String> {
    let text = match outcome {
        Ok(response) if response.status.is_success() => return None,
        Ok(response) if response.status.is_redirection() => {
            format!(
                "the receiver answered {}; redirects are not followed",
                response.status.as_u16()
            )
        }
        Ok(response) => format!("the receiver answered {}", response.status.as_u16()),
        Err(failure) => failure.message().to_owned(),
    };
    Some(text.chars().take(MAX_CHARS).collect())
}
