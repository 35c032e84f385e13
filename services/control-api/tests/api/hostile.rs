//! Hostile requests: each gets its 4xx in the contract's shape, and none changes anything.

mod rows;

use crate::{client::exchange, support::World};
use anyhow::{Context, Result};
use ledger::{Entity, entities};
use rows::{Body, Row};
use serde_json::json;

const ENDPOINTS: &str = "/webhooks/v1/endpoints";

/// What the rows' placeholders stand for.
struct Names {
    mine: String,
    theirs: String,
    expired: String,
    no_scope: String,
}

impl Names {
    fn fill(&self, text: &str) -> String {
        text.replace("{mine}", &self.mine)
            .replace("{theirs}", &self.theirs)
            .replace("{expired}", &self.expired)
            .replace("{no_scope}", &self.no_scope)
            .replace("{33k}", &"x".repeat(33 << 10))
            .replace("{300k}", &"x".repeat(300 << 10))
            .replace("{70 headers}", &many(70))
            .replace("{300 headers}", &many(300))
    }
}

fn many(count: usize) -> String {
    let headers: Vec<String> = (0..count).map(|n| format!("x-{n}: 1")).collect();
    headers.join("|")
}

async fn names(world: &World) -> Result<Names> {
    let body = json!({"url": "https://example.com", "eventTypeFilters": ["*"]});
    let id = |made: serde_json::Value| made["endpoint"]["id"].as_str().map(str::to_owned).context("an id");
    let past = Some(runtime::clock::now_ms() - 1);
    let (expired, plain) = entities::new_api_key(&world.tenant.id, vec!["webhooks".into()], past, 1);
    world.replica.writer.put(Entity::from(expired), Some(0)).await?;
    Ok(Names {
        mine: id(world.client.post(ENDPOINTS, &body).await?.expect(201))?,
        theirs: id(world.stranger().await?.post(ENDPOINTS, &body).await?.expect(201))?,
        expired: plain,
        no_scope: world.client_with(&["vault"]).await?.key,
    })
}

fn request(row: &Row, names: &Names, key: &str) -> Vec<u8> {
    let mut head = format!(
        "{} {} HTTP/1.1\r\nhost: api\r\nconnection: close\r\n",
        names.fill(row.method),
        names.fill(row.path)
    );
    let headers = names.fill(row.headers);
    if !headers.contains("authorization:") {
        head += &format!("authorization: Bearer {key}\r\n");
    }
    let body = match &row.body {
        Body::None => Vec::new(),
        Body::Text(text) => text.as_bytes().to_vec(),
        Body::Bytes(bytes) => bytes.to_vec(),
        Body::Made(make) => make().into_bytes(),
    };
    let has = |name: &str| headers.contains(name);
    if !body.is_empty() && !has("content-type:") {
        head += "content-type: application/json\r\n";
    }
    if !body.is_empty() && !has("content-length:") && !has("transfer-encoding:") {
        head += &format!("content-length: {}\r\n", body.len());
    }
    head += &headers
        .split('|')
        .filter(|line| !line.is_empty())
        .map(|line| format!("{line}\r\n"))
        .collect::<String>();
    [head.as_bytes(), b"\r\n", &body].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_hostile_request_gets_its_4xx_and_changes_nothing() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let store = history_store::Store::new(&format!("sqlite://{}/history.db", directory.path().display()))?;
    store.prepare("the tests").await?;
    let world = World::start_with(|options| options.history = Some(store)).await?;
    let names = names(&world).await?;
    let before = world.replica.ledger.barrier().await?.position();
    let rows = rows::all();
    assert!(rows.len() >= 150, "{} rows", rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        let answer = exchange(world.replica.address, &request(row, &names, &world.client.key)).await;
        let answer = answer.with_context(|| format!("{row:?}"))?;
        // What the HTTP parser itself refuses has no body.
        let code = if answer.body.is_empty() {
            String::new()
        } else {
            answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
        };
        let details = !row.code.starts_with("INVALID") || answer.json()["error"]["details"][0]["message"].is_string();
        if (answer.status, code.as_str()) != (row.status, row.code) || !details {
            wrong.push(format!("{row:?}\n    got {} {}", answer.status, answer.body));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n")
    );
    let after = world.replica.ledger.barrier().await?.position();
    assert_eq!(after, before, "something was changed");
    world
        .client
        .get(&format!("{ENDPOINTS}/{}", names.mine))
        .await?
        .expect(200);
    world.replica.stop().await
}
