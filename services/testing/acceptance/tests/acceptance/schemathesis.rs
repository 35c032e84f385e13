//! The HTTP API against its own OpenAPI document: whatever schemathesis makes of it gets a documented answer and never a
//! 5xx.

use std::path::Path;

use acceptance::Stage;
use harness::{ALL_SCOPES, Options};
use tokio::process::Command;

/// Beside its own code.
const HOOKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/schemathesis_hooks.py");
/// What is valid by the schemas alone may still be refused, such as a URL that the egress policy forbids. And a POST that is
/// repeated with its `Idempotency-Key` names what it made, though that was deleted since.
const NOT_ASKED: &str = "positive_data_acceptance,ensure_resource_availability";
const EXAMPLES: &str = "10";
const SEED: &str = "1";
/// With more threads than one, CPython 3.11 trips over its own parser now and then.
const WORKERS: &str = "1";

/// `paths`: which of the document's, as the program's own option.
async fn run(python: &Path, url: &str, key: &str, paths: [&str; 2]) -> Result<(), String> {
    let authorization = format!("Authorization: Bearer {key}");
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let ended = Command::new(python)
        .args(["-m", "schemathesis.cli", "--no-color", "run"])
        .arg(format!("{url}/openapi.json"))
        .args(["--header", &authorization])
        .args(paths)
        .args(["--exclude-checks", NOT_ASKED])
        .args([
            "--max-examples",
            EXAMPLES,
            "--seed",
            SEED,
            "--workers",
            WORKERS,
            "--no-shrink",
        ])
        .args([
            "--generation-database",
            "none",
            "--generation-with-security-parameters",
            "false",
        ])
        .args(["--request-timeout", "30", "--continue-on-failure"])
        .env("SCHEMATHESIS_HOOKS", HOOKS)
        .current_dir(directory.path())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| error.to_string())?;
    if ended.status.success() {
        return Ok(());
    }
    let texts = [ended.stdout, ended.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Err(texts.concat())
}

#[tokio::test]
async fn no_request_gets_a_5xx_or_an_answer_that_is_not_documented() {
    let making = tokio::task::spawn_blocking(python_tools::python);
    let options = Options::new("openapi")
        .set("api.rate_per_sec", "100000")
        .set("api.operator_key", "the-operator");
    let stage = Stage::set_with(options, &["api", "history"]).await;
    let stage = stage.expect("an installation");
    let python = making.await.expect("it doesn't panic").expect("Python");
    let key = stage.direct.key(&stage.tenant, &ALL_SCOPES).await.expect("a key");
    let url = stage.api.api_url();
    let (tenants, operators) = tokio::join!(
        run(&python, &url, &key, ["--exclude-path-regex", "^/admin/"]),
        run(&python, &url, "the-operator", ["--include-path-regex", "^/admin/"]),
    );
    for (who, found) in [("a tenant's key", tenants), ("the operator's key", operators)] {
        if let Err(said) = found {
            panic!("with {who}:\n{said}\n{}", stage.api.log_tail());
        }
    }
    stage.strike(Vec::new()).await.expect("ends in order");
}
