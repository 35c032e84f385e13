//! What every answer has, and what the server does with heads of requests.

use crate::support::World;
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
async fn a_head_that_is_too_large_is_refused_in_the_shape_of_all_errors_as_far_as_it_is_read() -> Result<()> {
    let world = World::start().await?;
    let with = |bytes: usize| {
        let client = world
            .client
            .with("x-request-id", "large")
            .with("x-large", &"x".repeat(bytes));
        async move { client.get("/webhooks/v1/endpoints").await }
    };
    with(31 << 10).await?.expect(200);
    let refused = with(32 << 10).await?;
    refused.expect_error(431, "HEADERS_TOO_LARGE");
    assert_eq!(refused.header("x-request-id"), "large");
    let bare = with(300 << 10).await?;
    assert_eq!((bare.status, bare.body.as_str()), (431, ""));
    world.replica.stop().await
}
