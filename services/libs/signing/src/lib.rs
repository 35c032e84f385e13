//! Standard Webhooks signatures, scheme `v1` (HMAC-SHA256): signing secrets, signing, and verifying as a receiver does.
//! Where a secret is kept and how it is encrypted is the ledger's business; headers' names are the dispatcher's.

mod secret;
mod v1;

pub use secret::{InvalidSecret, SigningSecret};
pub use v1::{VerifyError, sign_v1, verify};
