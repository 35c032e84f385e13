//! The database can be lost: from the topic come the same rows, into SQLite and into Postgres. And a history that dies
//! with every batch still tells the truth.

use acceptance::Stage;
use harness::{Answer, Behaviour, Options, until};
use serde_json::Value;

use super::{PATIENCE, ROLES, asking::Asking};

const EVENTS: usize = 120;

#[tokio::test]
async fn a_lost_database_is_made_again_with_the_same_rows_in_sqlite_and_in_postgres() {
    let options = Options::new("rebuild").set("delivery.retry_schedule_sec", "[1]");
    let mut stage = Stage::set_with(options, &ROLES).await.expect("an installation");
    let rest = stage
        .installation
        .serve("rest", &["fanout", "dispatcher", "scheduler"])
        .await;
    let mut rest = rest.expect("ready");
    let good = stage.door("good", |_| ()).await.expect("an endpoint");
    let broken = stage.door("broken", |_| ()).await.expect("an endpoint");
    broken.hook.behave(Behaviour::always(Answer::status(503)));
    let mut ids = stage.publish(EVENTS).await.expect("published");
    // Dies in the middle, and reads on where the database stands.
    stage.api.kill9().await.expect("killed");
    ids.extend(stage.publish(EVENTS).await.expect("published"));
    stage.api.restart(&[]).await.expect("it starts again");
    stage.arrive(&ids, &[&good]).await.expect("they arrive");
    let first = settled_rows(&stage).await;
    assert_eq!(first.len(), EVENTS * 4);
    rest.terminate().await.expect("ends in order");

    let url = tokio::task::spawn_blocking(postgres_server::database).await;
    let url = url.expect("it doesn't panic").expect("Postgres");
    let file = format!("sqlite://{}/again.db", stage.installation.log_dir().display());
    for url in [file, url] {
        stage.api.terminate().await.expect("ends in order");
        stage.installation.set("history.url", &url);
        stage.api = stage.installation.serve("api-again", &ROLES).await.expect("ready");
        assert_eq!(settled_rows(&stage).await, first, "{url}");
    }
    stage.strike(Vec::new()).await.expect("ends in order");
}

/// All rows, once none is pending.
async fn settled_rows(stage: &Stage) -> Vec<Value> {
    let asking = Asking::with_all_scopes(stage).await;
    let mut rows = Vec::new();
    until("everything is in the history", PATIENCE, async || {
        rows = asking.list(&[]).await;
        let pending = rows.iter().filter(|row| row["status"] == "pending").count();
        if rows.len() == EVENTS * 4 && pending == 0 {
            Ok(())
        } else {
            Err(format!("{} rows, {pending} pending", rows.len()))
        }
    })
    .await
    .expect("the history is whole");
    rows
}
