//! What verifying has in common for all schemes: the timestamp, and signatures among others in a header.

use base64::{Engine, engine::general_purpose::STANDARD};

/// Why a request is not to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    #[error("the timestamp is not a number of seconds")]
    Timestamp,
    #[error("the timestamp is too far from this clock: check both clocks, or refuse a replayed request")]
    Tolerance,
    #[error("no signature of the header fits any of the secrets")]
    Signature,
}

/// Whether the header's timestamp is near enough to this clock.
pub(crate) fn check_timestamp(timestamp: &str, now_s: i64, tolerance_s: i64) -> Result<(), VerifyError> {
    let timestamp_s: i64 = timestamp.parse().map_err(|_| VerifyError::Timestamp)?;
    if now_s.abs_diff(timestamp_s) > tolerance_s.unsigned_abs() {
        return Err(VerifyError::Tolerance);
    }
    Ok(())
}

/// The header's signatures of one scheme (`version` with its comma), decoded; what can't be read is passed over.
pub(crate) fn signatures_of(header: &str, version: &str) -> Vec<Vec<u8>> {
    header
        .split(' ')
        .filter_map(|signature| signature.strip_prefix(version))
        .filter_map(|encoded| STANDARD.decode(encoded).ok())
        .collect()
}
