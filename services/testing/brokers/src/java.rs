//! Finds Java 17 or newer, and installs it where that is possible without asking.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::provision;

const OLDEST: u32 = 17;
/// The first that the distribution has is taken.
pub(crate) const PACKAGES: &[&str] = &[
    "openjdk-21-jre-headless",
    "openjdk-17-jre-headless",
    "default-jre-headless",
];

/// The path of a `java` that can run Kafka.
pub(crate) fn ensure() -> anyhow::Result<PathBuf> {
    if let Some(java) = find() {
        return Ok(java);
    }
    provision::install("Java 17 or newer, which Apache Kafka runs on", &[PACKAGES])?;
    find().context("Java was installed, but no java of version 17 or newer is in JAVA_HOME, PATH or /usr/lib/jvm")
}

/// The path of a `java` that can run Kafka, when there is one.
pub(crate) fn find() -> Option<PathBuf> {
    let home = std::env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
    let installed = std::fs::read_dir("/usr/lib/jvm").into_iter().flatten().flatten();
    let installed = installed.map(|entry| entry.path().join("bin/java"));
    let candidates = home.into_iter().chain(provision::find_program("java")).chain(installed);
    candidates
        .into_iter()
        .find(|java| major_version(java).is_some_and(|version| version >= OLDEST))
}

fn major_version(java: &Path) -> Option<u32> {
    let output = Command::new(java).arg("-version").output().ok()?;
    parse_version(&String::from_utf8_lossy(&output.stderr))
}

/// `openjdk version "17.0.15" 2025-04-15`; Java 8 says `1.8.0_392`.
fn parse_version(text: &str) -> Option<u32> {
    let quoted = text.lines().find_map(|line| line.split_once("version \""))?.1;
    quoted.split(['.', '"', '-', '+']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    //! What several vendors print.
    use super::parse_version;

    #[test]
    fn versions_are_read() {
        assert_eq!(
            parse_version("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime"),
            Some(17)
        );
        assert_eq!(
            parse_version("Picked up X\nopenjdk version \"25\" 2025-09-16"),
            Some(25)
        );
        assert_eq!(parse_version("openjdk version \"22-ea\""), Some(22));
        assert_eq!(parse_version("java version \"1.8.0_392\""), Some(1));
        assert_eq!(parse_version("command not found"), None);
    }
}
