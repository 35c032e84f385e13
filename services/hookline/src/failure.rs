//! How a command ends when it fails: exit status 1, or 2 when it was called wrongly. What is said goes to stderr.

use std::io::ErrorKind;
use std::process::ExitCode;

/// The command line asks for what can't be: exit status 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

impl Usage {
    /// As an error of a command.
    pub fn error(message: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(Self(message.into()))
    }
}

/// It was said already, in the command's own output: exit status 1 without another word.
#[derive(Debug, thiserror::Error)]
#[error("failed")]
pub struct AlreadySaid;

/// Says what went wrong, and gives the exit status.
pub fn report(error: &anyhow::Error) -> ExitCode {
    let broken_pipe = error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|io| io.kind() == ErrorKind::BrokenPipe);
    if broken_pipe {
        // Whoever read our output has seen enough.
        return ExitCode::SUCCESS;
    }
    if !error.is::<AlreadySaid>() {
        eprintln!("hookline: {error:#}");
    }
    if error.is::<Usage>() {
        ExitCode::from(2)
    } else {
        ExitCode::FAILURE
    }
}
