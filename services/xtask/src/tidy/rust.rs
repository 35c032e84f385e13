//! Rules for Rust files: header, lengths, module names. What the compiler and clippy check is left to them.

use super::Finding;
use super::lexer::{code_only, item_end, line_of};

const MAX_FILE_LINES: usize = 400;
const MAX_FUNCTION_LINES: usize = 70;
/// A test's table of cases is data: it may be read past.
const MAX_TEST_FUNCTION_LINES: usize = 120;
pub(super) const VAGUE_NAMES: &[&str] = &["common", "core", "utils", "types", "helpers"];

pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    let code = code_only(text);
    let mut findings = Vec::new();
    findings.extend(header(path, text));
    findings.extend(module_file(path));
    findings.extend(examples_in_docs(path, text));
    findings.extend(file_length(path, text, &code));
    findings.extend(function_lengths(path, &code));
    findings.extend(inline_module_names(path, &code));
    findings
}

fn header(path: &str, text: &str) -> Option<Finding> {
    (!text.starts_with("//! ")).then(|| {
        let message = "a file begins with `//! `: what it is responsible for, and what it deliberately is not, so that a \
            reader knows whether to read on";
        Finding::new(path, 1, message)
    })
}

fn module_file(path: &str) -> Option<Finding> {
    path.ends_with("/mod.rs").then(|| {
        Finding::new(
            path,
            0,
            "write foo.rs beside foo/ instead of foo/mod.rs: ten open tabs called mod.rs help nobody",
        )
    })
}

/// `cargo xtask test` runs tests, and looks for none in docs.
fn examples_in_docs(path: &str, text: &str) -> Option<Finding> {
    let is_example = |line: &str| {
        let comment = line.trim_start();
        let comment = comment.strip_prefix("///").or_else(|| comment.strip_prefix("//!"));
        comment.is_some_and(|words| words.trim_start().starts_with("```"))
    };
    let found = text.lines().position(is_example)?;
    let message = "an example in docs is never run here: make it a test";
    Some(Finding::new(path, found + 1, message))
}

fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("tests.rs")
}

/// Tests don't count, whether they are files or modules.
fn file_length(path: &str, text: &str, code: &str) -> Option<Finding> {
    if is_test_file(path) {
        return None;
    }
    let mut lines = text.lines().count();
    let mut from = 0;
    while let Some(found) = code[from..].find("#[cfg(test)]") {
        let start = from + found;
        let (end, _) = item_end(code, start + "#[cfg(test)]".len());
        lines -= line_of(code, end - 1) - line_of(code, start) + 1;
        from = end;
    }
    (lines > MAX_FILE_LINES).then(|| {
        let message = format!(
            "{lines} lines of production code: past {MAX_FILE_LINES} a file holds more than one thing, look for the seam"
        );
        Finding::new(path, 0, message)
    })
}

fn function_lengths(path: &str, code: &str) -> Vec<Finding> {
    let most = if is_test_file(path) {
        MAX_TEST_FUNCTION_LINES
    } else {
        MAX_FUNCTION_LINES
    };
    let mut findings = Vec::new();
    for (start, name) in declarations(code, "fn ") {
        let (end, has_body) = item_end(code, start);
        let lines = line_of(code, end - 1) - line_of(code, start) + 1;
        if has_body && lines > most {
            let message =
                format!("fn {name} is {lines} lines long: past {most} nobody holds it in mind, look for the seam");
            findings.push(Finding::new(path, line_of(code, start), message));
        }
    }
    findings
}

/// Names of files and crates are the layout's and the manifests' business.
fn inline_module_names(path: &str, code: &str) -> Vec<Finding> {
    let vague = declarations(code, "mod ")
        .into_iter()
        .filter(|(_, name)| VAGUE_NAMES.contains(name));
    vague
        .map(|(start, name)| Finding::new(path, line_of(code, start), vague_name("module", name)))
        .collect()
}

pub(super) fn vague_name(kind: &str, name: &str) -> String {
    format!("a {kind} called {name} says nothing and attracts everything: name it after what it does")
}

/// Where `keyword` (with its space) declares something, and what.
pub(super) fn declarations<'a>(code: &'a str, keyword: &str) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices(keyword) {
        let before = code[..start].chars().next_back();
        let name = &code[start + keyword.len()..];
        let length = name
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(name.len());
        if length > 0 && !before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            found.push((start, &name[..length]));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    //! Each rule with a sample that breaks it, and one that doesn't.
    use super::*;

    const GOOD: &str = "//! Does this, not that.\n\nfn short() {}\n";

    fn messages(path: &str, text: &str) -> Vec<String> {
        check(path, text).into_iter().map(|finding| finding.message).collect()
    }

    fn only_message(path: &str, text: &str) -> String {
        let mut messages = messages(path, text);
        assert_eq!(messages.len(), 1, "{messages:?}");
        messages.remove(0)
    }

    #[test]
    fn a_good_file_has_no_findings() {
        assert_eq!(messages("services/x/src/lib.rs", GOOD), Vec::<String>::new());
    }

    #[test]
    fn a_missing_header_is_found() {
        assert!(only_message("services/x/src/lib.rs", "use std::io;\n").contains("begins with"));
    }

    #[test]
    fn mod_rs_is_found() {
        assert!(only_message("services/x/src/foo/mod.rs", GOOD).contains("foo.rs beside foo/"));
    }

    #[test]
    fn an_example_in_docs_is_found() {
        let fence = "`".repeat(3);
        let documented = format!("{GOOD}\n/// {fence}\n/// short();\n/// {fence}\nfn other() {{}}\n");
        assert!(only_message("services/x/src/lib.rs", &documented).contains("never run"));
    }

    #[test]
    fn a_long_file_is_found_unless_it_is_tests() {
        let long = format!("{GOOD}{}", "const A: u8 = 1;\n".repeat(400));
        assert!(only_message("services/x/src/lib.rs", &long).contains("403 lines"));
        assert_eq!(messages("services/x/src/foo/tests.rs", &long), Vec::<String>::new());
        assert_eq!(messages("services/x/tests/foo.rs", &long), Vec::<String>::new());
    }

    #[test]
    fn test_modules_do_not_count_but_what_follows_them_does() {
        let module = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "const A: u8 = 1;\n".repeat(400));
        assert_eq!(
            messages("services/x/src/lib.rs", &format!("{GOOD}{module}")),
            Vec::<String>::new()
        );
        let declared_first = format!("{GOOD}#[cfg(test)]\nmod tests;\n{}", "const A: u8 = 1;\n".repeat(400));
        assert!(only_message("services/x/src/lib.rs", &declared_first).contains("403 lines"));
    }

    #[test]
    fn a_long_function_is_found_with_its_line() {
        let long = format!(
            "{GOOD}impl X {{\n    fn long(&self) {{\n{}    }}\n}}\n",
            "        a();\n".repeat(69)
        );
        let findings = check("services/x/src/lib.rs", &long);
        assert_eq!((findings.len(), findings[0].line), (1, 5), "{findings:?}");
        assert!(findings[0].message.contains("fn long is 71 lines"), "{findings:?}");
    }

    #[test]
    fn braces_in_literals_do_not_lengthen_a_function() {
        let text = format!(
            "{GOOD}fn a() {{ f(\"{{\", '{{') }}\n{}",
            "const A: u8 = 1;\n".repeat(80)
        );
        assert_eq!(messages("services/x/src/lib.rs", &text), Vec::<String>::new());
    }

    #[test]
    fn a_vague_module_is_found() {
        let text = format!("{GOOD}pub(crate) mod utils {{}}\n");
        assert!(only_message("services/x/src/lib.rs", &text).contains("called utils"));
    }
}
