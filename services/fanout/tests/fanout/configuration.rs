//! Whom an event is for, by the ledger as it was when the event was published.

use crate::bed::Bed;
use anyhow::{Context, Result};
use fanout::Source;
use schemas::ResourceScopes;

fn event(id: &str, tenant: &str, event_type: &str, data: &str) -> String {
    format!(r#"{{"id":"{id}","type":"{event_type}","tenant":"{tenant}","data":{data}}}"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_6_nothing_of_one_tenant_reaches_another() -> Result<()> {
    let bed = Bed::start().await?;
    let (a, b) = (bed.tenant("a", &["cases"]).await?, bed.tenant("b", &["cases"]).await?);
    let mut of_a = vec![
        bed.endpoint(&a, &["*"], |_| {}).await?,
        bed.endpoint(&a, &["cases.created"], |_| {}).await?,
    ];
    let mut of_b = vec![
        bed.endpoint(&b, &["*"], |_| {}).await?,
        bed.endpoint(&b, &["cases.*"], |_| {}).await?,
    ];
    of_a.sort();
    of_b.sort();
    let topic = bed.topic("tenants", 1).await?;
    let running = bed.fanout(vec![Source::new(topic.as_str())]).await?;
    bed.publish(&topic, event("same", &a, "cases.created", "{}")).await?;
    bed.publish(&topic, event("same", &b, "cases.created", "{}")).await?;
    bed.settled(&topic).await?;
    let deliveries = bed.lanes().await?;
    for (tenant, endpoints) in [(&a, &of_a), (&b, &of_b)] {
        let mut reached: Vec<_> = deliveries
            .iter()
            .filter(|d| d.record.tenant == *tenant)
            .map(|d| d.record.endpoint_id.clone())
            .collect();
        reached.sort();
        assert_eq!(&reached, endpoints);
    }
    let mut ids: Vec<_> = deliveries.iter().map(|d| &d.record.delivery_id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4, "one event id in two tenants is four deliveries");
    running.stop().await?;
    bed.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_and_resources_bound_what_a_wildcard_covers() -> Result<()> {
    let bed = Bed::start().await?;
    let tenant = bed.tenant("one", &["platform"]).await?;
    let vault_only = bed
        .endpoint(&tenant, &["*"], |e| e.required_scopes = vec!["vault".into()])
        .await?;
    let one_vault = bed
        .endpoint(&tenant, &["vault.*"], |e| {
            e.resource_scopes = Some(ResourceScopes {
                vault_ids: vec!["v_1".into()],
                matter_ids: vec![],
            });
        })
        .await?;
    let webhooks_only = bed
        .endpoint(&tenant, &["*"], |e| e.required_scopes = vec!["webhooks".into()])
        .await?;
    let topic = bed.topic("scopes", 1).await?;
    let running = bed.fanout(vec![Source::new(topic.as_str())]).await?;
    let upload = |vault: &str| format!(r#"{{"vaultId":"{vault}","objectId":"o","error":"e"}}"#);
    bed.publish(&topic, event("in", &tenant, "vault.upload.failed", &upload("v_1")))
        .await?;
    bed.publish(&topic, event("out", &tenant, "vault.upload.failed", &upload("v_2")))
        .await?;
    bed.settled(&topic).await?;
    let matched = bed.matched().await?;
    let of = |id: &str| {
        matched
            .iter()
            .find(|(event, ..)| event == id)
            .map(|(_, endpoints, _)| endpoints.clone())
    };
    let mut both = vec![vault_only.clone(), one_vault];
    both.sort();
    assert_eq!(of("in"), Some(both));
    assert_eq!(of("out"), Some(vec![vault_only]));
    assert!(
        matched
            .iter()
            .all(|(_, endpoints, _)| !endpoints.contains(&webhooks_only))
    );
    running.stop().await?;
    bed.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_made_before_an_event_was_published_gets_it() -> Result<()> {
    let bed = Bed::start().await?;
    let tenant = bed.tenant("one", &["cases"]).await?;
    let topic = bed.topic("barrier", 1).await?;
    let running = bed.fanout(vec![Source::new(topic.as_str())]).await?;
    let mut made = Vec::new();
    for round in 0..25 {
        // The writer waits for its own view, never for fan-out's, which is another.
        made.push(bed.endpoint(&tenant, &["cases.created"], |_| {}).await?);
        bed.publish(&topic, event(&format!("{round}"), &tenant, "cases.created", "{}"))
            .await?;
    }
    bed.settled(&topic).await?;
    let matched = bed.matched().await?;
    for (round, _) in made.iter().enumerate() {
        let (_, endpoints, _) = matched
            .iter()
            .find(|(id, ..)| *id == round.to_string())
            .context("each is logged")?;
        for endpoint in &made[..=round] {
            assert!(endpoints.contains(endpoint), "event {round} misses {endpoint}");
        }
    }
    running.stop().await?;
    bed.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_older_than_an_endpoint_is_not_for_it() -> Result<()> {
    let bed = Bed::start().await?;
    let tenant = bed.tenant("one", &["cases"]).await?;
    let in_an_hour = runtime::clock::now_ms() + 3_600_000;
    bed.endpoint(&tenant, &["*"], |e| e.created_at_ms = in_an_hour).await?;
    let within_tolerance = bed.endpoint(&tenant, &["*"], |e| e.created_at_ms += 2_000).await?;
    let topic = bed.topic("old", 1).await?;
    let running = bed.fanout(vec![Source::new(topic.as_str())]).await?;
    bed.publish(&topic, event("e", &tenant, "cases.created", "{}")).await?;
    bed.settled(&topic).await?;
    assert_eq!(bed.matched().await?[0].1, [within_tolerance]);
    running.stop().await?;
    bed.end().await
}
