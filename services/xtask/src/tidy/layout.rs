//! Rules for where files are and what they are called. It looks at paths only.

use super::Finding;
use super::rust::{VAGUE_NAMES, vague_name};

/// Beside dotfiles. A new one is a decision about the layout: add it here and to docs/CONTRIBUTING.md.
const TOP_LEVEL: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "Dockerfile",
    "LICENSE",
    "README.md",
    "docker-compose.yml",
    "docs",
    "helm",
    "loadtest",
    "rust-toolchain.toml",
    "schemas",
    "services",
];

pub(super) fn check(paths: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in paths {
        findings.extend(top_level(path));
        findings.extend(vague(path));
    }
    findings
}

fn top_level(path: &str) -> Option<Finding> {
    let entry = path.split('/').next().unwrap_or(path);
    let allowed = entry.starts_with('.') || TOP_LEVEL.contains(&entry);
    (!allowed).then(|| {
        let message = format!("{entry} is no entry of the top level: the listing there is the map of the repository");
        Finding::new(path, 0, message)
    })
}

fn vague(path: &str) -> Option<Finding> {
    let stem = path.strip_suffix(".rs")?;
    let name = stem.split('/').find(|name| VAGUE_NAMES.contains(name))?;
    Some(Finding::new(path, 0, vague_name("module or crate", name)))
}

#[cfg(test)]
mod tests {
    //! Each rule with a path that breaks it.
    use super::*;

    fn count(path: &str) -> usize {
        check(&[path.to_owned()]).len()
    }

    #[test]
    fn a_stray_top_level_entry_is_found() {
        assert_eq!(count("notes.txt"), 1);
        assert_eq!(count("scripts/build.sh"), 1);
        assert_eq!(count(".ci/run"), 0);
        assert_eq!(count("docs/adr/1.md"), 0);
    }

    #[test]
    fn a_vague_file_or_directory_is_found() {
        assert_eq!(count("services/x/src/helpers.rs"), 1);
        assert_eq!(count("services/libs/common/src/lib.rs"), 1);
        assert_eq!(count("services/libs/delivery-core/src/lib.rs"), 0);
    }
}
