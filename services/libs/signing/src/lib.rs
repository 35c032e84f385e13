//! Standard Webhooks signatures: `v1` (HMAC-SHA256 with a shared secret) and `v1a` (ed25519, which receivers verify with a
//! public key). Secrets and keys, signing, and verifying as a receiver does. Where they are kept and how they are
//! encrypted is the ledger's business; headers' names are the dispatcher's.

mod key;
mod scheme;
mod secret;
mod v1;
mod v1a;
mod verify;

pub use key::{InvalidKey, PublicKey, SigningKey};
pub use scheme::{Scheme, UnknownScheme, sign};
pub use secret::{InvalidSecret, SigningSecret};
pub use v1::{sign_v1, verify};
pub use v1a::verify_v1a;
pub use verify::VerifyError;
