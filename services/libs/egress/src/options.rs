//! How the client is set up, and the files that this takes.

use crate::lookup::{Lookup, SystemLookup};
use crate::policy::Policy;
use crate::proxy::{Proxy, ProxyError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How the client is set up.
#[derive(Debug, Clone)]
pub struct Options {
    pub policy: Policy,
    /// PEM bundle that is trusted instead of the platform's certificates.
    pub ca_file: Option<PathBuf>,
    /// PEM files for mTLS towards receivers; both or neither.
    pub client_cert_file: Option<PathBuf>,
    pub client_key_file: Option<PathBuf>,
    /// Bounds name resolution, connection, a proxy's answer and TLS handshake together.
    pub connect_timeout: Duration,
    /// All requests go through it.
    pub proxy: Option<Proxy>,
    /// Where names' addresses come from.
    pub lookup: Arc<dyn Lookup>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            ca_file: None,
            client_cert_file: None,
            client_key_file: None,
            connect_timeout: Duration::from_secs(10),
            proxy: None,
            lookup: Arc::new(SystemLookup::default()),
        }
    }
}

/// Why the client can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    #[error("{key}: can't read {}: {source}", path.display())]
    Read {
        key: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{key}: {} is not usable PEM: {message}", path.display())]
    Pem {
        key: &'static str,
        path: PathBuf,
        message: String,
    },
    #[error("egress.client_cert_file and egress.client_key_file belong together: set both or neither")]
    HalfIdentity,
    #[error("the TLS set-up failed: {0}; install the platform's CA certificates or set egress.ca_file")]
    Tls(String),
    #[error("egress.proxy can't be used: {ProxyError}")]
    Proxy,
}

pub(crate) fn authorities(path: &Path) -> Result<Vec<reqwest::Certificate>, OptionsError> {
    const KEY: &str = "egress.ca_file";
    let refused = |message: String| OptionsError::Pem {
        key: KEY,
        path: path.to_owned(),
        message,
    };
    let pem = read(KEY, path)?;
    let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| refused(innermost(&error)))?;
    if certificates.is_empty() {
        Err(refused("it holds no certificate".to_owned()))
    } else {
        Ok(certificates)
    }
}

pub(crate) fn identity(options: &Options) -> Result<Option<reqwest::Identity>, OptionsError> {
    const KEY: &str = "egress.client_cert_file";
    let (certificate, key) = match (&options.client_cert_file, &options.client_key_file) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => (certificate, key),
        _ => return Err(OptionsError::HalfIdentity),
    };
    let mut pem = read(KEY, certificate)?;
    pem.push(b'\n');
    pem.extend(read("egress.client_key_file", key)?);
    let identity = reqwest::Identity::from_pem(&pem).map_err(|error| OptionsError::Pem {
        key: KEY,
        path: certificate.clone(),
        message: innermost(&error),
    })?;
    Ok(Some(identity))
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, OptionsError> {
    std::fs::read(path).map_err(|source| OptionsError::Read {
        key,
        path: path.to_owned(),
        source,
    })
}

pub(crate) fn innermost(error: &reqwest::Error) -> String {
    let first: &dyn std::error::Error = error;
    std::iter::successors(Some(first), |error| (**error).source())
        .last()
        .map_or_else(String::new, ToString::to_string)
}
