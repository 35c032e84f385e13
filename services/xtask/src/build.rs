//! One way of building for every task, so that nothing is built twice: always the whole workspace, whose feature sets
//! are then the same. Says where the built programs are.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::processes::Running;
use crate::tools;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .components()
        .as_path()
        .to_owned()
}

/// A `cargo` of the same toolchain, started in the root.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.current_dir(root());
    // `cargo run` sets these for xtask alone.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Programs of a build, by name.
#[derive(Debug)]
pub(crate) struct Programs(BTreeMap<String, PathBuf>);

impl Programs {
    /// The path of a program that the workspace must have.
    pub(crate) fn get(&self, name: &str) -> anyhow::Result<&Path> {
        let path = self.0.get(name).map(PathBuf::as_path);
        path.with_context(|| format!("no package of the workspace has a program {name}"))
    }
}

/// Builds all programs of the workspace in the dev profile, which tests use too.
pub(crate) fn dev_programs() -> anyhow::Result<Programs> {
    build(&["--workspace", "--bins"])
}

/// Builds the named packages with optimization.
pub(crate) fn release_programs(packages: &[&str]) -> anyhow::Result<Programs> {
    let mut arguments = vec!["--release", "--bins"];
    for package in packages {
        arguments.extend(["--package", package]);
    }
    build(&arguments)
}

fn build(arguments: &[&str]) -> anyhow::Result<Programs> {
    tools::ensure()?;
    eprintln!("xtask: cargo build {}", arguments.join(" "));
    let mut command = cargo();
    command
        .arg("build")
        .args(arguments)
        .args(["--message-format", "json-render-diagnostics"]);
    let mut cargo = Running::start(command.stdout(Stdio::piped()))?;
    let messages = cargo.child.stdout.take().context("cargo's standard output is piped")?;
    let mut programs = BTreeMap::new();
    for line in BufReader::new(messages).lines() {
        programs.extend(executable(&line?));
    }
    let status = cargo.wait()?;
    if !status.success() {
        bail!("cargo build ended with {status}");
    }
    Ok(Programs(programs))
}

/// The name and path of the program that a message of cargo's tells of.
fn executable(message: &str) -> Option<(String, PathBuf)> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    let name = message["target"]["name"].as_str()?;
    let path = message["executable"].as_str()?;
    Some((name.to_owned(), PathBuf::from(path)))
}

#[cfg(test)]
mod tests {
    //! Cargo's messages.
    use super::*;

    #[test]
    fn only_artifacts_with_an_executable_count() {
        let program = r#"{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"x"},"executable":"/t/x"}"#;
        assert_eq!(executable(program), Some(("x".to_owned(), PathBuf::from("/t/x"))));
        let library = r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"x"},"executable":null}"#;
        assert_eq!(executable(library), None);
        assert_eq!(executable(r#"{"reason":"build-finished","success":true}"#), None);
        assert_eq!(executable("noise"), None);
    }

    #[test]
    fn the_root_holds_the_lock_file() {
        assert!(root().join("Cargo.lock").is_file());
    }
}
