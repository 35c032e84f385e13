//! What every answer has, and what the server does with heads of requests.

use crate::{client::exchange, support::World};
use anyhow::Result;

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_a_request_id_and_errors_have_one_shape() -> Result<()> {
    let world = World::start().await?;
    let named = world.client.with("x-request-id", "my-id_1.2");
    let answers = [
        named.get("/webhooks/v1/endpoints").await?,
        named.get("/nowhere").await?,
        named.send("PUT", "/webhooks/v1/endpoints", None).await?,
    ];
    for (answer, status) in answers.iter().zip([200, 404, 405]) {
        assert_eq!((answer.status, answer.header("x-request-id")), (status, "my-id_1.2"));
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    assert_eq!(answers[2].header("allow"), "POST,GET,HEAD");
    assert_eq!(answers[0].header("x-ratelimit-limit"), "200000");
    let unsound = world.client.with("x-request-id", "a b").get("/").await?;
    assert!(unsound.header("x-request-id").starts_with("req_"), "{unsound:?}");
    world.replica.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_are_bounded() -> Result<()> {
    let world = World::start().await?;
    let address = world.replica.address;
    let many: String = (0..100).map(|n| format!("x-{n}: 1\r\n")).collect();
    let request = format!("GET / HTTP/1.1\r\nhost: api\r\nconnection: close\r\n{many}\r\n");
    assert_eq!(exchange(address, request.as_bytes()).await?.status, 431);
    let long = "x".repeat(100_000);
    let request = format!("GET / HTTP/1.1\r\nhost: api\r\nx-long: {long}\r\n\r\n");
    assert_eq!(exchange(address, request.as_bytes()).await?.status, 431);
    let request = format!("GET /{long} HTTP/1.1\r\nhost: api\r\n\r\n");
    let status = exchange(address, request.as_bytes()).await?.status;
    assert!([414, 431].contains(&status), "{status}");
    world.replica.stop().await
}
