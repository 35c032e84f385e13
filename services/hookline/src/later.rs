//! Flags of the contract that a later version brings: they are refused as that, not as misspelt. What is
//! here already refuses its later values by itself.

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use std::process::ExitCode;

/// Everywhere they may stand.
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

/// The later flag that was asked for.
fn named(error: &Error) -> Option<&str> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let name = name.split('=').next().unwrap_or_default();
    FLAGS.contains(&name).then_some(name)
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
    fn later_flags_are_told_from_misspelt_ones() {
        for (line, name) in [
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
