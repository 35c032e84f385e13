//! Rules for every text file: no loose ends, no address of one machine or of a registry. Strings that would match
//! themselves are written in two pieces here.

use super::Finding;

/// Paths that exist on one machine only.
const MACHINE_PATHS: &[&str] = &[concat!("/wo", "rk/"), concat!("../sh", "ared"), concat!("/ro", "ot/")];

/// Where packages come from is a setting of the machine that fetches them.
const REGISTRY_HOSTS: &[&str] = &[
    concat!("crates", ".io"),
    concat!("repo.maven", ".apache.org"),
    concat!("repo1", ".maven.org"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("registry.npmjs", ".org"),
    concat!("proxy.golang", ".org"),
];

const LOOSE_ENDS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME")];

/// The one source that the lock file may name.
const LOCK_SOURCE: &str = concat!("registry+https://github.com/rust-lang/crates", ".io-index");

pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    if path == "LICENSE" {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let message = if path == "Cargo.lock" {
            lock_source(line)
        } else {
            address(line).or_else(|| loose_end(path, line))
        };
        findings.extend(message.map(|message| Finding::new(path, index + 1, message)));
    }
    findings
}

fn address(line: &str) -> Option<String> {
    if let Some(path) = MACHINE_PATHS.iter().find(|path| line.contains(**path)) {
        return Some(format!(
            "{path} exists on one machine only: the repository stands alone"
        ));
    }
    let host = REGISTRY_HOSTS.iter().find(|host| line.contains(**host))?;
    Some(format!(
        "{host} is a registry: where packages come from is a setting of the machine, not of the repository"
    ))
}

fn lock_source(line: &str) -> Option<String> {
    let source = line.strip_prefix("source = ")?;
    (source.trim_matches('"') != LOCK_SOURCE)
        .then(|| format!("{source} would make every build depend on it: take the published crate"))
}

/// Data and generated files may hold any word.
fn loose_end(path: &str, line: &str) -> Option<String> {
    let written_by_hand = [".rs", ".md", ".toml", ".sh", ".yml", ".yaml"]
        .iter()
        .any(|suffix| path.ends_with(suffix));
    if !written_by_hand && !path.starts_with(".ci/") {
        return None;
    }
    let is_plain = |word: &&&str| {
        line.match_indices(**word).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + word.len()..].chars().next();
            let is_name = |c: char| c.is_alphanumeric() || c == '_';
            !before.is_some_and(is_name) && !after.is_some_and(|c| is_name(c) || c == '(')
        })
    };
    let word = LOOSE_ENDS.iter().find(is_plain)?;
    Some(format!(
        "{word} without a reason is never done: do it, open an issue, or write {word}(why it must wait)"
    ))
}

#[cfg(test)]
mod tests {
    //! Each rule with a line that breaks it.
    use super::*;

    fn count(path: &str, line: &str) -> usize {
        check(path, line).len()
    }

    #[test]
    fn a_loose_end_is_found_unless_it_has_a_reason() {
        let word = LOOSE_ENDS[0];
        assert_eq!(count("services/x/src/lib.rs", &format!("// {word}: later")), 1);
        assert_eq!(
            count(
                "services/x/src/lib.rs",
                &format!("// {word}(needs rdkafka 0.40): later")
            ),
            0
        );
        assert_eq!(count("services/x/src/lib.rs", &format!("// MY{word}_LIST")), 0);
        assert_eq!(count("schemas/catalogs/x.json", &format!("\"{word}\"")), 0);
        assert_eq!(count(".ci/run", &format!("# {}", LOOSE_ENDS[1])), 1);
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        for path in MACHINE_PATHS {
            assert_eq!(count("docs/x.md", &format!("see {path}file")), 1, "{path}");
        }
    }

    #[test]
    fn a_registry_is_found() {
        for host in REGISTRY_HOSTS {
            assert_eq!(count("README.md", &format!("https://{host}/x")), 1, "{host}");
        }
    }

    #[test]
    fn a_lock_file_with_another_source_is_found() {
        assert_eq!(count("Cargo.lock", &format!("source = \"{LOCK_SOURCE}\"")), 0);
        assert_eq!(
            count("Cargo.lock", "source = \"registry+https://mirror.example/index\""),
            1
        );
    }
}
