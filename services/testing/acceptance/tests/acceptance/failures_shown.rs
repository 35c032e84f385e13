//! What the API says of an endpoint whose receiver fails: its failures while it does, and none once it has recovered.

use acceptance::{Door, Stage};
use harness::{ALL_SCOPES, Answer, Behaviour, Options, until};
use serde_json::Value;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// One endpoint as GET shows it, and as the list does.
async fn shown(stage: &Stage, key: &str, door: &Door) -> Result<[Value; 2], reqwest::Error> {
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
    let get = async |path: String| {
        let url = format!("{}/webhooks/v1/endpoints{path}", stage.api.api_url());
        let answer = http.get(url).bearer_auth(key).send().await?;
        let text = answer.error_for_status()?.text().await?;
        Ok(serde_json::from_str::<Value>(&text).expect("JSON"))
    };
    let one = get(format!("/{}", door.id)).await?["endpoint"].take();
    let mut all = get(String::new()).await?["endpoints"].take();
    let mut listed = all.as_array_mut().into_iter().flatten();
    let listed = listed.find(|endpoint| endpoint["id"] == door.id.as_str());
    Ok([one, listed.map(Value::take).unwrap_or_default()])
}

/// Waits until both say at least so many failures; 0: none.
async fn until_failures(stage: &Stage, key: &str, door: &Door, at_least: i64) {
    until("the failures are shown", PATIENCE, async || {
        let both = shown(stage, key, door).await.map_err(|error| error.to_string())?;
        let fits = |endpoint: &Value| match endpoint["consecutiveFailureCount"].as_i64() {
            Some(0) => at_least == 0 && endpoint["lastFailureAt"].is_null(),
            Some(count) => at_least > 0 && count >= at_least && endpoint["lastFailureAt"].is_string(),
            None => false,
        };
        if both.iter().all(fits) {
            Ok(())
        } else {
            Err(format!("{both:?}"))
        }
    })
    .await
    .expect("shown");
}

#[tokio::test]
async fn failures_are_shown_while_a_receiver_fails_to_its_tenant_alone_and_are_gone_when_it_has_recovered() {
    let options = Options::new("failures-shown")
        .set(
            "delivery.retry_schedule_sec",
            "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]",
        )
        .set("circuit.failures", "3")
        .set("circuit.probe_sec", "[1]");
    let stage = Stage::set(options).await.expect("an installation");
    let key = stage.direct.key(&stage.tenant, &ALL_SCOPES).await.expect("a key");
    let failing = stage.door("failing", |_| ()).await.expect("an endpoint");
    failing.hook.behave(Behaviour::always(Answer::status(503)));
    let well = stage.door("well", |_| ()).await.expect("an endpoint");
    let other = stage
        .direct
        .tenant("Other", &["platform"], |_| ())
        .await
        .expect("a tenant");
    let others_key = stage.direct.key(&other, &ALL_SCOPES).await.expect("a key");
    let hook = stage.receiver.hook("other");
    let made = stage
        .direct
        .endpoint(&other, hook.url(), &["*"], |_| ())
        .await
        .expect("an endpoint");
    let others = Door {
        id: made.id,
        secret: made.secret,
        hook,
    };
    let roles = ["fanout", "scheduler", "dispatcher"];
    let rest = stage.installation.serve("rest", &roles).await.expect("ready");

    let ids = stage.publish(2).await.expect("published");
    until_failures(&stage, &key, &failing, 1).await;
    // Beyond those that open the circuit: probes count too.
    until_failures(&stage, &key, &failing, 4).await;
    stage.arrive(&ids, &[&well]).await.expect("others go on");
    until_failures(&stage, &key, &well, 0).await;
    until_failures(&stage, &others_key, &others, 0).await;
    let refused = shown(&stage, &others_key, &failing)
        .await
        .expect_err("another tenant's");
    assert_eq!(refused.status(), Some(reqwest::StatusCode::NOT_FOUND));

    failing.hook.behave(Behaviour::always(Answer::ok()));
    stage.arrive(&ids, &[&failing]).await.expect("all of it arrives");
    until_failures(&stage, &key, &failing, 0).await;
    stage.strike(vec![rest]).await.expect("ends in order");
}
