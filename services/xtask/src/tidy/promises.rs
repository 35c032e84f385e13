//! What `docs/PROMISES.md` says is proven: every test that it names must be there and run, and every test of an
//! invariant must be named there.

use std::collections::HashSet;

use super::Finding;
use super::lexer::{code_only, line_of};
use super::rust::declarations;

pub(super) const PATH: &str = "docs/PROMISES.md";

/// Makes a test for each database of every function that is named in its brackets.
const MAKES_TESTS: &str = "on_both!(";

/// A test that runs with all others.
#[derive(Debug)]
pub(super) struct Test {
    path: String,
    line: usize,
    name: String,
}

/// Those of a source file.
pub(super) fn tests_in(path: &str, text: &str) -> Vec<Test> {
    let code = code_only(text);
    let functions = declarations(&code, "fn ")
        .into_iter()
        .filter(|(start, _)| is_test(&code[..*start]));
    let made = code.match_indices(MAKES_TESTS).flat_map(|(start, found)| {
        let named = code[start + found.len()..].split(')').next().unwrap_or_default();
        named.split_whitespace().map(move |name| (start, name))
    });
    let test = |(start, name): (usize, &str)| Test {
        path: path.to_owned(),
        line: line_of(&code, start),
        name: name.to_owned(),
    };
    functions.chain(made).map(test).collect()
}

/// Whether the attributes right before a `fn`, behind whatever ended last, make it a test, and one that isn't ignored.
fn is_test(before: &str) -> bool {
    let head = before.rsplit(['{', '}', ';']).next().unwrap_or_default();
    (head.contains("#[test]") || head.contains("#[tokio::test")) && !head.contains("#[ignore")
}

pub(super) fn check(document: &str, tests: &[Test]) -> Vec<Finding> {
    let mut findings = unproven(document, tests);
    findings.extend(unlisted(document, tests));
    findings
}

/// Tests named in the document that there aren't. A name in backticks of at least four words is a test's.
fn unproven(document: &str, tests: &[Test]) -> Vec<Finding> {
    let known: HashSet<&str> = tests.iter().map(|test| test.name.as_str()).collect();
    let unknown = named(document).filter(|(_, name)| is_test_name(name) && !known.contains(name));
    unknown
        .map(|(line, name)| {
            let message = format!(
                "there is no test `{name}` that runs (with `#[test]` or `#[tokio::test]`, without `#[ignore]`): a \
                promise without a test is none; name the one that proves it"
            );
            Finding::new(PATH, line, message)
        })
        .collect()
}

/// Tests of invariants that the document doesn't name.
fn unlisted(document: &str, tests: &[Test]) -> Vec<Finding> {
    let listed: HashSet<&str> = named(document).map(|(_, name)| name).collect();
    let missing = tests
        .iter()
        .filter(|test| is_of_invariant(&test.name) && !listed.contains(test.name.as_str()));
    missing
        .map(|Test { path, line, name }| {
            let message = format!(
                "`{name}` is not in {PATH}, so nobody learns what it proves: name it there, behind a sentence of its \
                invariant"
            );
            Finding::new(path, *line, message)
        })
        .collect()
}

/// What stands in backticks, and on which line.
fn named(document: &str) -> impl Iterator<Item = (usize, &str)> {
    document.lines().enumerate().flat_map(|(index, line)| {
        let quoted = line.split('`').skip(1).step_by(2);
        quoted.map(move |name| (index + 1, name))
    })
}

fn is_test_name(name: &str) -> bool {
    let plain = name
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    plain && name.split('_').count() > 3
}

fn is_of_invariant(name: &str) -> bool {
    let mut numbers = name.split("invariant_").skip(1);
    numbers.any(|number| number.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
#[test]
#[should_panic(
    expected = \"}\"
)]
// Why.
fn it_holds_by_all_means() {}

fn it_holds_by_no_test() {}

#[tokio::test(flavor = \"multi_thread\")]
#[ignore = \"a measurement\"]
async fn it_holds_when_asked_for() {}

#[tokio::test(flavor = \"multi_thread\")]
async fn it_holds_by_invariant_1() {}

on_both!(
    it_holds_on_both_databases
    invariant_2_on_both
);
";

    #[test]
    fn a_promise_names_a_test_that_runs() {
        let tests = tests_in("services/x/src/a.rs", SOURCE);
        let named = "It holds. `it_holds_by_all_means`, `it_holds_on_both_databases`, `auto_disabled`, `a.b`";
        assert_eq!(unproven(named, &tests), []);
        for name in ["it_holds_by_no_means", "it_holds_by_no_test", "it_holds_when_asked_for"] {
            let findings = unproven(&format!("\nIt holds. `{name}`"), &tests);
            assert_eq!((findings.len(), findings[0].line), (1, 2), "{name}");
        }
    }

    #[test]
    fn a_test_of_an_invariant_is_named() {
        let tests = tests_in("services/x/src/a.rs", SOURCE);
        let findings = check("1. It holds. `it_holds_by_invariant_1`", &tests);
        assert_eq!((findings.len(), findings[0].line), (1, 17));
        assert_eq!(findings[0].path, "services/x/src/a.rs");
        assert!(findings[0].message.contains("`invariant_2_on_both`"));
        let named = "1. `it_holds_by_invariant_1` 2. `invariant_2_on_both`";
        assert_eq!(check(named, &tests), []);
    }
}
