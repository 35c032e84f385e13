//! Programs that must be on the machine: looked for, and installed with apt where this runs as root on Debian or
//! Ubuntu; elsewhere the error names the command to run. It never removes or upgrades anything.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, bail, ensure};

/// The path of `name` in `PATH`.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|candidate| candidate.is_file())
}

/// Installs packages, each given as alternatives of which the first that the distribution knows is taken. `what` says
/// in an error or a line of output what is missing.
pub fn install(what: &str, packages: &[&[&str]]) -> anyhow::Result<()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let first_choice: Vec<_> = packages
        .iter()
        .filter_map(|alternatives| alternatives.last().copied())
        .collect();
    let by_hand = format!("apt-get update && apt-get install -y {}", first_choice.join(" "));
    if find_program("apt-get").is_none() {
        bail!("missing: {what}. install it with your package manager (on Debian or Ubuntu: sudo sh -c '{by_hand}')");
    }
    if !is_root() {
        bail!("missing: {what}. install it with: sudo sh -c '{by_hand}'");
    }
    eprintln!("missing: {what}; running as root on Debian or Ubuntu, so it is installed now with apt-get");
    run(Command::new("apt-get").args(["update", "-q"]))?;
    let chosen: Vec<_> = packages
        .iter()
        .filter_map(|alternatives| first_known(alternatives))
        .collect();
    eprintln!("apt-get install -y {}", chosen.join(" "));
    let mut command = Command::new("apt-get");
    command
        .args(["install", "-y", "-q", "--no-install-recommends"])
        .args(&chosen);
    run(command.env("DEBIAN_FRONTEND", "noninteractive"))
}

/// Only asked where apt is, which is Linux: the owner of a process's entry in /proc is its effective user.
fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|entry| entry.uid() == 0)
}

fn first_known<'a>(alternatives: &[&'a str]) -> Option<&'a str> {
    let known = |name: &&&str| {
        let candidate = Command::new("apt-cache").args(["policy", name]).output();
        candidate.is_ok_and(|output| {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.contains("Candidate:") && !text.contains("Candidate: (none)")
        })
    };
    alternatives.iter().find(known).or(alternatives.last()).copied()
}

/// Runs apt with its output on standard error: standard output belongs to the task.
fn run(command: &mut Command) -> anyhow::Result<()> {
    let shown = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::from(std::io::stderr()))
        .spawn()
        .with_context(|| format!("cannot run {shown}"))?;
    let status = child.wait()?;
    ensure!(status.success(), "{shown} ended with {status}");
    Ok(())
}
