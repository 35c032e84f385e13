//! Which filters are well-formed, which a key may set, and what they match.

use super::*;
use proptest::prelude::*;

fn check(filters: &[&str], scopes: &[&str]) -> Result<Vec<Filter>, Vec<FilterRefusal>> {
    let filters: Vec<_> = filters.iter().map(|f| (*f).to_owned()).collect();
    validate(
        &filters,
        &Catalogs::builtin(),
        &["platform".to_owned(), "cases".to_owned()],
        scopes,
    )
}

#[test]
fn the_three_kinds_are_told_apart() {
    assert_eq!("*".parse(), Ok(Filter::All));
    assert_eq!("vault.ingest.*".parse(), Ok(Filter::Prefix("vault.ingest.".into())));
    assert_eq!(
        "work_item.execution.failed".parse(),
        Ok(Filter::Exact("work_item.execution.failed".into()))
    );
    assert_eq!(
        "assignments.billing-details.*".parse(),
        Ok(Filter::Prefix("assignments.billing-details.".into()))
    );
}

#[test]
fn malformed_filters_are_refused() {
    let long = "a".repeat(129);
    for text in [
        "", " ", ".", ".*", "**", "a*", "a.**", "a.*.b", "*.a", "a..b", "a.", ".a", "a b", "a.b ", "a.?", "ä.b",
        "a.*.*", &long,
    ] {
        assert!(
            matches!(text.parse::<Filter>(), Err(FilterError::Malformed(_))),
            "{text}"
        );
    }
    assert!("a".repeat(128).parse::<Filter>().is_ok());
}

#[test]
fn a_prefix_matches_what_lies_below_it() {
    let prefix: Filter = "vault.ingest.*".parse().expect("a filter");
    assert!(prefix.matches("vault.ingest.completed") && prefix.matches("vault.ingest.a.b"));
    assert!(
        !prefix.matches("vault.ingest") && !prefix.matches("vault.ingest.") && !prefix.matches("vault.ingestion.x")
    );
}

#[test]
fn unknown_types_are_refused_unless_below_an_open_family() {
    assert!(check(&["cases.tasks.created", "cases.*", "nobody.knows.*", "*"], &[]).is_ok());
    let refused = check(&["cases.created", "cases.invented", "case.created"], &[]).expect_err("two unknown types");
    assert_eq!(
        refused,
        [
            (Some(1), FilterError::UnknownType("cases.invented".into())),
            (Some(2), FilterError::UnknownType("case.created".into())),
        ]
    );
    assert!(!refused[0].1.is_permission());
}

#[test]
fn exact_types_need_their_scope_and_wildcards_do_not() {
    let refused = check(&["vault.*", "matter.created"], &["vault"]).expect_err("no scope");
    assert_eq!(refused.len(), 1);
    assert!(refused[0].1.is_permission());
    assert!(refused[0].1.to_string().contains("`legal`"));
    assert!(check(&["matter.created", "vault.ingest.failed"], &["legal", "vault"]).is_ok());
}

#[test]
fn their_number_is_bounded() {
    assert_eq!(check(&[], &[]), Err(vec![(None, FilterError::None)]));
    assert!(check(&["*"; 100], &[]).is_ok());
    assert_eq!(check(&["*"; 101], &[]), Err(vec![(None, FilterError::TooMany(101))]));
}

proptest! {
    #[test]
    fn what_parses_prints_as_it_was(text in r"[a-c.*_-]{0,12}") {
        if let Ok(filter) = text.parse::<Filter>() {
            prop_assert_eq!(filter.to_string(), text);
        }
    }

    #[test]
    fn parsing_never_panics(text in any::<String>()) {
        let _ = text.parse::<Filter>();
    }
}
