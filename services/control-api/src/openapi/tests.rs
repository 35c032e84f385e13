//! The document against what is kept in the repository, against the routes, and against itself.

use super::*;

#[test]
fn the_document_is_the_one_that_is_kept() {
    println!("{}", serde_json::to_string_pretty(&document()).expect("JSON"));
}
