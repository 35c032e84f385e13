//! `cargo xtask tidy`: what clippy can't say. Each rule is a pure function from a file's path and text to findings, and
//! each finding says why the rule exists. It changes nothing.

mod layout;
mod lexer;
mod manifests;
mod promises;
mod rust;
mod text;

use std::process::{Command, ExitCode};

use anyhow::{Context, ensure};

use crate::build;

/// Something to mend. Lines count from 1; 0 means the whole file.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    line: usize,
    message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            message: message.into(),
        }
    }
}

/// Checks every file that git tracks or would track.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let paths = paths()?;
    let mut findings = layout::check(&paths);
    let (mut tests, mut promised) = (Vec::new(), String::new());
    for path in &paths {
        let bytes = std::fs::read(build::root().join(path)).with_context(|| format!("cannot read {path}"))?;
        if let Ok(text) = String::from_utf8(bytes) {
            findings.extend(check_file(path, &text));
            if path.ends_with(".rs") {
                tests.extend(promises::tests_in(path, &text));
            } else if path == promises::PATH {
                promised = text;
            }
        }
    }
    findings.extend(promises::check(&promised, &tests));
    for Finding { path, line, message } in &findings {
        eprintln!("{path}:{line}: {message}");
    }
    if findings.is_empty() {
        println!("tidy: {} files are in order", paths.len());
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("tidy: {} to mend", findings.len());
    Ok(ExitCode::FAILURE)
}

fn check_file(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = text::check(path, text);
    if path.ends_with(".rs") {
        findings.extend(rust::check(path, text));
    }
    if path.ends_with("Cargo.toml") && path != "Cargo.toml" {
        findings.extend(manifests::check(path, text));
    }
    findings
}

/// Tracked and not ignored files, relative to the root; build output is neither.
fn paths() -> anyhow::Result<Vec<String>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "--deduplicate",
            "-z",
        ])
        .current_dir(build::root())
        .output()
        .context("cannot run git, which lists the files to check")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "git ls-files ended with {}: {complaint}",
        output.status
    );
    let listed = String::from_utf8(output.stdout).context("a path is not UTF-8")?;
    let mut paths: Vec<_> = listed
        .split('\0')
        .filter(|path| !path.is_empty())
        .map(str::to_owned)
        .collect();
    paths.retain(|path| build::root().join(path).is_file());
    paths.sort();
    Ok(paths)
}
