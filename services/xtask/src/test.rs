//! `cargo xtask test`: all tests of the workspace against one real Kafka, and a last line with the sums, for scripts.

use std::io::{BufRead, BufReader, Write};
use std::process::{ExitCode, Stdio};

use anyhow::Context;
use brokers::Kafka;

use crate::processes::{self, Running};
use crate::{build, run};

/// Runs everything; `arguments` go to every test binary.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let programs = build::dev_programs()?;
    // Here rather than in the test that first needs it, where nobody sees that it takes a while.
    python_tools::python()?;
    postgres_server::ensure()?;
    let kafka = Kafka::obtain(1)?;
    eprintln!(
        "xtask: testing against {} at {}",
        kafka.description(),
        kafka.bootstrap()
    );
    let mut command = build::cargo();
    // `--tests`: all there are. Nobody has examples in docs, and to look for them takes a minute.
    command
        .args(["test", "--workspace", "--tests", "--no-fail-fast", "--"])
        .args(arguments)
        .env(brokers::BOOTSTRAP_VARIABLE, kafka.bootstrap())
        .env(run::BINARY_VARIABLE, programs.get("hookline")?)
        .stdout(Stdio::piped());
    let mut cargo = Running::start(&mut command)?;
    let output = cargo.child.stdout.take().context("cargo's standard output is piped")?;
    let sums = pass_on_and_add_up(BufReader::new(output), std::io::stdout())?;
    let status = cargo.wait()?;
    if !status.success() && sums.failed == 0 {
        eprintln!("xtask: no test failed, but cargo test ended with {status}: see above");
    }
    println!("{} passed, {} failed", sums.passed, sums.failed);
    Ok(processes::exit_code(status))
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Sums {
    passed: u64,
    failed: u64,
}

/// Writes each line as it comes.
fn pass_on_and_add_up(mut output: impl BufRead, mut shown: impl Write) -> anyhow::Result<Sums> {
    let mut sums = Sums::default();
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line)? > 0 {
        shown.write_all(&line)?;
        if let Some(result) = result_of_one_binary(&String::from_utf8_lossy(&line)) {
            sums.passed += result.passed;
            sums.failed += result.failed;
        }
        line.clear();
    }
    Ok(sums)
}

/// `test result: ok. 5 passed; 0 failed; 0 ignored; …`
fn result_of_one_binary(line: &str) -> Option<Sums> {
    let counts = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    let count = |name: &str| {
        let part = counts.split("; ").find_map(|part| part.strip_suffix(name))?;
        part.trim().parse().ok()
    };
    Some(Sums {
        passed: count(" passed")?,
        failed: count(" failed")?,
    })
}

#[cfg(test)]
mod tests {
    //! The test harness's lines.
    use super::*;

    #[test]
    fn results_add_up_over_binaries() {
        let output = "running 2 tests\n\
            test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
            noise\n\
            test result: FAILED. 10 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1s\n";
        let mut shown = Vec::new();
        let sums = pass_on_and_add_up(output.as_bytes(), &mut shown).expect("bytes can be read and written");
        assert_eq!(shown, output.as_bytes());
        assert_eq!(sums, Sums { passed: 15, failed: 2 });
    }
}
