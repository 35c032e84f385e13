//! The receiver over real connections.

use super::*;
use crate::http_get;

async fn get(receiver: &Receiver, path: &str) -> anyhow::Result<u16> {
    Ok(http_get::get(receiver.address, path).await?.0)
}

#[tokio::test]
async fn answers_as_it_is_told_and_remembers() {
    let receiver = Receiver::start().await.expect("a free port");
    let hook = receiver.hook("flaky");
    hook.behave(Behaviour::flaky(2, 503));
    for expected in [503, 503, 200, 200] {
        assert_eq!(get(&receiver, "/flaky").await.expect("it answers"), expected);
    }
    assert_eq!(get(&receiver, "/nobody").await.expect("it answers"), 404);
    let tally = hook.tally();
    assert_eq!((tally.requests, tally.most_at_once), (4, 1));
    // None of them was signed, so none counts as delivered.
    assert_eq!((tally.bad_signatures, tally.delivered), (4, 0));
    assert_eq!(hook.most_within(Duration::from_secs(60)), 4);
    let statuses: Vec<_> = hook.requests().iter().map(|seen| seen.status).collect();
    assert_eq!(statuses, [Some(503), Some(503), Some(200), Some(200)]);
}

#[tokio::test]
async fn goes_down_and_comes_up_at_the_same_address() {
    let mut receiver = Receiver::down().expect("a free port");
    receiver.hook("x");
    assert!(get(&receiver, "/x").await.is_err(), "nobody listens yet");
    receiver.come_up().await.expect("its port is still free");
    assert_eq!(get(&receiver, "/x").await.expect("it answers"), 200);
    receiver.go_down().await;
    assert!(get(&receiver, "/x").await.is_err(), "nobody listens any more");
    receiver.come_up().await.expect("its port is still free");
    assert_eq!(get(&receiver, "/x").await.expect("it answers"), 200);
}

#[tokio::test]
async fn a_sender_that_gives_up_leaves_no_answer() {
    let receiver = Receiver::start().await.expect("a free port");
    let hook = receiver.hook("hanging");
    hook.behave(Behaviour::always(Answer::hang()));
    let request = tokio::time::timeout(Duration::from_millis(300), get(&receiver, "/hanging"));
    assert!(request.await.is_err(), "it never answers");
    let seen = hook.requests();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].status, None);
}
