//! Commands and flags of the contract that a later version brings: they are refused as that, not as misspelt. What is
//! here already refuses its later values by itself.

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use std::process::ExitCode;

/// Everywhere they may stand.
const COMMANDS: [&str; 3] = ["delivery", "replay", "show"];
const FLAGS: [&str; 2] = ["--on-exhausted", "--ordering"];

/// Says what is wrong with the command line, and gives the exit status. Help and version are no mistakes.
pub fn report(error: &Error) -> ExitCode {
    if let Some(name) = named(error) {
        eprintln!("hookline: `{name}` comes with a later version; `--help` shows what this one has");
        return ExitCode::from(2);
    }
    let printed = error.print();
    match (printed, error.use_stderr()) {
        (Ok(()), false) => ExitCode::SUCCESS,
        // The pipe was closed: whoever read has seen enough.
        (Err(_), false) => ExitCode::SUCCESS,
        (_, true) => ExitCode::from(2),
    }
}

/// The later command or flag that was asked for.
fn named(error: &Error) -> Option<&str> {
    let (kind, known) = match error.kind() {
        ErrorKind::InvalidSubcommand => (ContextKind::InvalidSubcommand, COMMANDS.as_slice()),
        ErrorKind::UnknownArgument => (ContextKind::InvalidArg, FLAGS.as_slice()),
        _ => return None,
    };
    let Some(ContextValue::String(name)) = error.get(kind) else {
        return None;
    };
    let name = name.split('=').next().unwrap_or_default();
    known.contains(&name).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Arguments;
    use clap::Parser;

    fn refused(line: &str) -> Error {
        Arguments::try_parse_from(line.split(' ')).expect_err("it is refused")
    }

    #[test]
    fn later_commands_and_flags_are_told_from_misspelt_ones() {
        for (line, name) in [
            ("hookline delivery list", "delivery"),
            ("hookline endpoint replay wh_1", "replay"),
            ("hookline event show evt_1", "show"),
            ("hookline endpoint update wh_1 --ordering endpoint", "--ordering"),
            ("hookline endpoint update wh_1 --on-exhausted=block", "--on-exhausted"),
        ] {
            assert_eq!(named(&refused(line)), Some(name), "{line}");
        }
        for line in [
            "hookline doctr",
            "hookline endpoint update wh_1 --odering x",
            "hookline dlq",
        ] {
            assert_eq!(named(&refused(line)), None, "{line}");
        }
    }
}
