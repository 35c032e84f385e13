//! What `docs/PROMISES.md` says is proven: every test that it names must be there.

use std::collections::HashSet;

use super::Finding;

pub(super) const PATH: &str = "docs/PROMISES.md";

/// Names of the functions in a source file, each test among them.
pub(super) fn functions(text: &str) -> impl Iterator<Item = &str> {
    let after_fn = text
        .lines()
        .filter_map(|line| line.split_once("fn ").map(|(_, rest)| rest));
    after_fn.filter_map(|rest| rest.split(['(', '<']).next())
}

/// Tests named in the document that `known` doesn't hold. A name in backticks of at least three words is a test's.
pub(super) fn check(document: &str, known: &HashSet<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in document.lines().enumerate() {
        let quoted = line.split('`').skip(1).step_by(2);
        for name in quoted.filter(|name| is_test_name(name) && !known.contains(*name)) {
            let message =
                format!("there is no test `{name}`: a promise without a test is none; name the one that proves it");
            findings.push(Finding::new(PATH, number + 1, message));
        }
    }
    findings
}

fn is_test_name(name: &str) -> bool {
    let plain = name
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    plain && name.split('_').count() > 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_names_a_test_that_is_there() {
        let known = functions("async fn it_holds_by_all_means() {}\n")
            .map(str::to_owned)
            .collect();
        assert_eq!(
            check("It holds. `it_holds_by_all_means`, `auto_disabled`, `a.b`", &known),
            []
        );
        let findings = check("\nIt holds. `it_holds_by_no_means`", &known);
        assert_eq!((findings.len(), findings[0].line), (1, 2));
    }
}
