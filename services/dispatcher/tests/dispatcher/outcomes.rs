//! What becomes of a delivery after each kind of answer.

use crate::{
    receiver::{Answer, Receiver},
    setup::World,
    tail::Tail,
};
use schemas::{AttemptResult, DeadLetter, Delivery, Endpoint, LogRecord};

/// One delivery after another to one path, and what was written about each.
struct Outcomes {
    world: World,
    receiver: Receiver,
    log: Tail<LogRecord>,
    retries: Tail<Delivery>,
    dead: Tail<DeadLetter>,
}

impl Outcomes {
    async fn new() -> Self {
        let world = World::new().await;
        Self {
            receiver: Receiver::start().await,
            log: world.log().await,
            retries: world.retries().await,
            dead: Tail::start(&world.connection, &[world.connection.names().dlq()]).await,
            world,
        }
    }

    async fn attempt(&self, delivery: &Delivery) -> schemas::AttemptLogged {
        let mine = |r: &LogRecord| {
            r.attempt
                .as_ref()
                .is_some_and(|a| a.delivery_id == delivery.delivery_id)
        };
        self.log.one(mine).await.record.attempt.expect("it was asked for")
    }

    /// The delivery was put into the retry topic that a wait of `wait_ms` takes first.
    async fn is_retried(&self, delivery: &Delivery, wait_ms: std::ops::Range<i64>) {
        let attempt = self.attempt(delivery).await;
        assert_eq!(attempt.result, AttemptResult::Retry);
        let written = self.retries.one(|d| d.delivery_id == delivery.delivery_id).await;
        let retried = &written.record;
        assert_eq!(retried.schedule_index, delivery.schedule_index + 1);
        assert_eq!(retried.attempts_made, delivery.attempts_made + 1);
        assert_eq!(retried.attempts.len(), delivery.attempts.len() + 1);
        assert_eq!(
            retried.attempts.last().map(|a| a.status_code),
            Some(attempt.status_code)
        );
        assert_eq!((retried.cause.as_str(), retried.hops), ("retry", 1));
        assert_eq!(
            (&retried.body, retried.matched_at_ms),
            (&delivery.body, delivery.matched_at_ms)
        );
        assert_eq!(Some(retried.due_at_ms), attempt.next_attempt_at_ms);
        let waits_ms = retried.due_at_ms - retried.wait_since_ms;
        assert!(wait_ms.contains(&waits_ms), "it waits {waits_ms} ms");
        let tier: i64 = written
            .topic
            .rsplit('.')
            .next()
            .and_then(|t| t.parse().ok())
            .expect("a tier");
        assert!(
            tier * 1000 <= waits_ms + 1000.max(waits_ms / 20),
            "the tier of {tier} s is too long"
        );
        let partition = delivery_core::murmur2::partition(delivery.endpoint_id.as_bytes(), 8);
        assert_eq!(written.partition, partition);
    }

    async fn is_dead(&self, delivery: &Delivery, reason: &str) -> DeadLetter {
        let attempt = self.attempt(delivery).await;
        assert_eq!(
            (attempt.result, attempt.reason.as_deref()),
            (AttemptResult::Dead, Some(reason))
        );
        let letter = self
            .dead
            .one(|l| l.delivery.delivery_id == delivery.delivery_id)
            .await
            .record;
        assert_eq!(letter.reason, reason);
        assert_eq!(letter.delivery.attempts_made, delivery.attempts_made + 1);
        assert_eq!(letter.delivery.body, delivery.body);
        letter
    }

    async fn end(self) {
        self.world.end().await;
    }
}

fn answers(status: u16, name: &'static str, value: &str) -> Answer {
    Answer {
        headers: vec![(name, value.to_owned())],
        ..Answer::status(status)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_dialect_has_its_table() {
    let outcomes = Outcomes::new().await;
    let Outcomes { world, receiver, .. } = &outcomes;
    let mut published = Vec::new();
    let elsewhere = receiver.url("/elsewhere");
    for dialect in ["standard", "retry_all"] {
        for status in [200, 204, 302, 400, 404, 408, 410, 429, 500, 503] {
            let path = format!("/{dialect}/{status}");
            receiver.answers(&path, answers(status, "location", &elsewhere));
            let endpoint: Endpoint = world
                .endpoint(receiver.url(&path), |e| {
                    e.dialect = dialect.into();
                    e.disable_on_gone = false;
                    e.retry_schedule_sec = Some(vec![5, 60]);
                })
                .await;
            published.push((dialect, status, world.delivery(&endpoint)));
        }
    }
    world
        .publish(&published.iter().map(|(_, _, d)| d.clone()).collect::<Vec<_>>())
        .await;
    let instance = world.instance().await;
    for (dialect, status, delivery) in &published {
        match (*dialect, *status) {
            (_, 200 | 204) => assert_eq!(outcomes.attempt(delivery).await.result, AttemptResult::Delivered),
            (_, 408 | 429 | 500 | 503) | ("retry_all", _) => outcomes.is_retried(delivery, 4_500..5_501).await,
            _ => {
                let letter = outcomes.is_dead(delivery, "rejected_by_receiver").await;
                assert_eq!(letter.delivery.attempts[0].status_code, Some(i32::from(*status)));
            }
        }
        assert_eq!(receiver.hits(&format!("/{dialect}/{status}")).len(), 1);
    }
    assert!(receiver.hits("/elsewhere").is_empty(), "no redirect is followed");
    instance.end().await;
    outcomes.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_retried_and_invariant_4_holds() {
    let outcomes = Outcomes::new().await;
    let Outcomes { world, receiver, .. } = &outcomes;
    let (never, _gate) = Answer::gated();
    receiver.answers("/never", never);
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let refused = format!("http://{}/", nobody.local_addr().expect("it is bound"));
    drop(nobody);
    let mut published = Vec::new();
    for url in [receiver.url("/never"), refused, "http://10.0.0.1/".to_owned()] {
        let endpoint = world.endpoint(url, |e| e.timeout_sec = Some(1)).await;
        published.push(world.delivery(&endpoint));
    }
    world.publish(&published).await;
    let instance = world.instance().await;
    for delivery in &published {
        outcomes.is_retried(delivery, 4_500..5_501).await;
        assert_eq!(outcomes.attempt(delivery).await.status_code, None);
    }
    let error = outcomes.attempt(&published[2]).await.error.expect("it says why");
    assert!(error.contains("not public"), "{error}");
    instance.end().await;
    outcomes.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_delays_the_next_attempt_and_only_the_first_4_kib_of_an_answer_are_kept() {
    let outcomes = Outcomes::new().await;
    let Outcomes { world, receiver, .. } = &outcomes;
    receiver.answers("/later", answers(503, "retry-after", "100"));
    receiver.answers("/sooner", answers(503, "retry-after", "1"));
    receiver.answers("/garbage", answers(503, "retry-after", "soon"));
    let long = Answer {
        body: b"x".repeat(100_000),
        ..Answer::status(500)
    };
    receiver.answers("/long", long);
    let mut published = Vec::new();
    for path in ["/later", "/sooner", "/garbage", "/long"] {
        let endpoint = world.endpoint(receiver.url(path), |_| ()).await;
        published.push(world.delivery(&endpoint));
    }
    world.publish(&published).await;
    let instance = world.instance().await;
    outcomes.is_retried(&published[0], 100_000..100_001).await;
    for delivery in &published[1..] {
        outcomes.is_retried(delivery, 4_500..5_501).await;
    }
    assert_eq!(outcomes.attempt(&published[3]).await.response_body.len(), 4096);
    instance.end().await;
    outcomes.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exhausted_or_too_old_is_dead() {
    let outcomes = Outcomes::new().await;
    let Outcomes { world, receiver, .. } = &outcomes;
    receiver.answers("/", Answer::status(500));
    let endpoint = world
        .endpoint(receiver.url("/"), |e| e.retry_schedule_sec = Some(vec![5, 60]))
        .await;
    let mut last = world.delivery(&endpoint);
    (last.schedule_index, last.attempts_made) = (2, 2);
    // A replay begins the schedule anew, whatever number its attempts have.
    let mut replayed = world.delivery(&endpoint);
    (replayed.schedule_index, replayed.attempts_made, replayed.generation) = (0, 7, 1);
    let mut old = world.delivery(&endpoint);
    old.matched_at_ms -= 8 * 86_400_000;
    world.publish(&[old.clone()]).await;
    world.give_back(&[last.clone(), replayed.clone()]).await;
    let instance = world.instance().await;
    outcomes.is_dead(&last, "retries_exhausted").await;
    outcomes.is_retried(&replayed, 4_500..5_501).await;
    let letter = outcomes
        .dead
        .one(|l| l.delivery.delivery_id == old.delivery_id)
        .await
        .record;
    assert_eq!((letter.reason.as_str(), letter.delivery.attempts_made), ("expired", 0));
    let logged = outcomes.log.one(|r| r.event_id == old.event_id).await.record;
    let settled = logged.settled.expect("it ended without an attempt");
    assert_eq!((settled.outcome.as_str(), settled.reason.as_str()), ("dead", "expired"));
    assert!(!receiver.ids("/").contains(&old.delivery_id));
    instance.end().await;
    outcomes.end().await;
}
