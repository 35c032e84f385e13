//! The published Python client of the native API against the real binary, unchanged, by base URL alone.

use std::path::Path;

use acceptance::Stage;
use harness::{ALL_SCOPES, Options};
use tokio::process::Command;

#[tokio::test]
async fn the_published_python_client_works_unchanged() {
    let making = tokio::task::spawn_blocking(python_tools::python);
    let options = Options::new("client").set("delivery.retry_schedule_sec", "[]");
    let stage = Stage::set_with(options, &["api", "history"]).await;
    let stage = stage.expect("an installation");
    let rest = stage
        .installation
        .serve("rest", &["fanout", "dispatcher", "scheduler"])
        .await;
    let rest = rest.expect("ready");
    let python = making.await.expect("it doesn't panic").expect("Python");
    let key = stage.direct.key(&stage.tenant, &ALL_SCOPES).await.expect("a key");
    let narrow = stage.direct.key(&stage.tenant, &["webhooks"]).await.expect("a key");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/published_client.py");
    let ended = Command::new(python)
        .arg(script)
        .arg(stage.api.api_url())
        .arg(narrow)
        .env("CASEDEV_API_KEY", key)
        .kill_on_drop(true)
        .output()
        .await
        .expect("it runs");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}\n{}", stage.api.log_tail());
    stage.strike(vec![rest]).await.expect("ends in order");
}
