//! A replay by a history that doesn't know yet what the log holds.

use acceptance::Stage;
use harness::logbook::Outcome;
use harness::{Options, until};
use serde_json::json;

use super::{PATIENCE, asking::Asking, id_of};

/// Enough for every partition of the log to get some.
const MEANWHILE: usize = 600;

#[tokio::test]
async fn a_replay_is_refused_while_the_history_lags_behind_the_log() {
    // A database that another process fills.
    let url = tokio::task::spawn_blocking(postgres_server::database).await;
    let url = url.expect("it doesn't panic").expect("Postgres");
    let options = Options::new("lagging")
        .set("delivery.retry_schedule_sec", "[]")
        .set("history.url", url);
    let stage = Stage::set_with(options, &["api"]).await.expect("an installation");
    let rest = stage
        .installation
        .serve("rest", &["fanout", "dispatcher", "scheduler"])
        .await;
    let rest = rest.expect("ready");
    let mut keeper = stage.installation.serve("keeper", &["history"]).await.expect("ready");
    let door = stage.door("door", |_| ()).await.expect("an endpoint");
    let asking = Asking::with_all_scopes(&stage).await;
    asking.json_soon(&["delivery", "list"]).await;
    stage.publish(1).await.expect("published");
    let mut id = String::new();
    until("the history has it", PATIENCE, async || {
        match asking.list(&["--status", "delivered"]).await.as_slice() {
            [row] => id = id_of(row).to_owned(),
            rows => return Err(format!("{rows:?}")),
        }
        Ok(())
    })
    .await
    .expect("the history says so");

    keeper.terminate().await.expect("ends in order");
    stage.publish(MEANWHILE).await.expect("published");
    stage
        .resolved(Outcome::Delivered, 1 + MEANWHILE)
        .await
        .expect("the log goes on");
    let path = format!("/deliveries/{id}/replay");
    let (status, answer) = asking.post(&path, "the-replay", &json!({})).await;
    assert_eq!(status, 503, "{answer}");
    assert!(answer.to_string().contains("lags behind"), "{answer}");

    keeper.restart(&[]).await.expect("it starts again");
    until("it is replayed", PATIENCE, async || {
        match asking.post(&path, "the-replay", &json!({})).await {
            (202, _) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await
    .expect("once the history has caught up");
    until("it arrives once more", PATIENCE, async || {
        let replayed = door.hook.requests().iter().filter(|request| request.replay).count();
        if replayed == 1 {
            Ok(())
        } else {
            Err(format!("{replayed} times"))
        }
    })
    .await
    .expect("it is sent");
    stage.strike(vec![rest, keeper]).await.expect("ends in order");
}
