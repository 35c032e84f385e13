//! The signing secret that a caller brings: from a file, from stdin, or as a flag, where other users of the machine can
//! see it in the list of processes.

use crate::config::Secret;
use crate::failure::Usage;
use anyhow::Context as _;
use signing::SigningSecret;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// More is no secret.
const MOST_BYTES: u64 = 4096;

#[derive(Debug, clap::Args)]
pub struct SigningSecretFlags {
    /// A secret that receivers have already (whsec_…). Everybody on this machine can see it in `ps`: --signing-secret-file keeps it to yourself
    #[arg(long, value_name = "SECRET", value_parser = Secret::read, conflicts_with = "signing_secret_file")]
    signing_secret: Option<Secret>,
    /// A file that holds a secret that receivers have already (whsec_…); - is stdin
    #[arg(long, value_name = "FILE")]
    signing_secret_file: Option<PathBuf>,
}

impl SigningSecretFlags {
    /// The secret that the caller brought, if any.
    pub fn brought(&self) -> anyhow::Result<Option<String>> {
        let secret = match (&self.signing_secret, &self.signing_secret_file) {
            (Some(secret), _) => parse("--signing-secret", secret.reveal())?,
            (None, Some(path)) => parse("--signing-secret-file", read(path)?.trim())?,
            (None, None) => return Ok(None),
        };
        Ok(Some(secret.expose()))
    }
}

fn parse(flag: &str, text: &str) -> anyhow::Result<SigningSecret> {
    SigningSecret::parse(text).map_err(|error| Usage::error(format!("{flag}: {error}")))
}

fn read(path: &Path) -> anyhow::Result<String> {
    let (input, name): (Box<dyn Read>, _) = if path.as_os_str() == "-" {
        (Box::new(io::stdin()), "stdin".to_owned())
    } else {
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| format!("--signing-secret-file: can't open {name}"))?;
        (Box::new(file), name)
    };
    let mut text = String::new();
    input
        .take(MOST_BYTES)
        .read_to_string(&mut text)
        .with_context(|| format!("--signing-secret-file: can't read {name}"))?;
    Ok(text)
}
