//! Rates and concurrency of endpoints whose dispatchers come and go: what `docs/PROMISES.md` says of them, measured where
//! the requests arrive.

use std::time::Duration;

use acceptance::{Door, Stage};
use harness::logbook::Outcome;
use harness::{Answer, Behaviour, Options, Process};
use schemas::Limit;
use tokio_util::sync::CancellationToken;

/// Waits from the first moment on, so that all endpoints are as busy as they may be.
const BACKLOG: usize = 150;
/// Published each second, as much as the quickest endpoint gets.
const PER_SEC: usize = 50;
/// Requests in one dispatcher, started or not yet committed.
const IN_FLIGHT: usize = 24;
const SPANS_SEC: [u64; 4] = [1, 2, 5, 10];

struct Bound {
    name: &'static str,
    placement: &'static str,
    per_second: f64,
    burst: i32,
    max_in_flight: usize,
    answers_after: Duration,
}

const BOUNDS: [Bound; 3] = [
    Bound {
        name: "bursty",
        placement: "shared",
        per_second: 40.0,
        burst: 20,
        max_in_flight: 8,
        answers_after: Duration::from_millis(100),
    },
    Bound {
        name: "even",
        placement: "dedicated",
        per_second: 50.0,
        burst: 1,
        max_in_flight: 8,
        answers_after: Duration::from_millis(50),
    },
    // Its concurrency is what limits it.
    Bound {
        name: "narrow",
        placement: "shared",
        per_second: 200.0,
        burst: 10,
        max_in_flight: 2,
        answers_after: Duration::from_millis(40),
    },
];

impl Bound {
    async fn door(&self, stage: &Stage) -> Door {
        let door = stage.door(self.name, |endpoint| {
            endpoint.placement = self.placement.into();
            endpoint.max_in_flight = i32::try_from(self.max_in_flight).ok();
            endpoint.rate_limit = Some(Limit {
                per_second: self.per_second,
                burst: self.burst,
            });
        });
        let door = door.await.expect("an endpoint");
        door.hook.behave(Behaviour::always(Answer::slow(self.answers_after)));
        door
    }

    /// Most arrivals in a span, whoever sends: each owner begins with an empty bucket, so owners together start no more
    /// than one would; and what was under way when the span began.
    fn most_within(&self, span: Duration) -> usize {
        (self.per_second * span.as_secs_f64()) as usize + self.burst as usize + self.max_in_flight
    }

    fn check(&self, door: &Door) {
        let tally = door.hook.tally();
        let spans = SPANS_SEC.map(Duration::from_secs);
        let measured = spans.map(|span| (span, door.hook.most_within(span), self.most_within(span)));
        let words = measured.map(|(span, most, bound)| format!("{most} of {bound} in {} s", span.as_secs()));
        println!(
            "limits: {}: at most {}; {} of {} at once; {} requests, {} repeats",
            self.name,
            words.join(", "),
            tally.most_at_once,
            self.max_in_flight,
            tally.requests,
            tally.duplicates
        );
        for (span, most, bound) in measured {
            assert!(
                most <= bound,
                "{}: {most} requests within {span:?}, of at most {bound}",
                self.name
            );
        }
        assert!(
            tally.most_at_once <= self.max_in_flight,
            "{}: {} requests at once, of at most {}",
            self.name,
            tally.most_at_once,
            self.max_in_flight
        );
    }
}

/// What one dispatcher goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leave {
    InOrder,
    Killed,
}

/// Who leaves, one after the other.
const LEAVES: [(usize, Leave); 5] = [
    (0, Leave::InOrder),
    (1, Leave::Killed),
    (2, Leave::InOrder),
    (0, Leave::Killed),
    (1, Leave::InOrder),
];

/// Leaves and joins again.
async fn come_and_go(dispatcher: &mut Process, leave: Leave) {
    match leave {
        Leave::InOrder => drop(dispatcher.terminate().await.expect("it ends in order")),
        Leave::Killed => dispatcher.kill9().await.expect("killed"),
    }
    dispatcher.restart(&[]).await.expect("it starts again");
    dispatcher.ready().await.expect("ready");
}

#[tokio::test]
async fn invariant_3_rates_and_concurrency_hold_while_dispatchers_come_and_go() {
    let mut options = Options::new("limits").set("dispatcher.max_in_flight", IN_FLIGHT.to_string());
    options.lanes = 3;
    let stage = Stage::set(options).await.expect("an installation");
    let mut doors = Vec::new();
    for bound in &BOUNDS {
        doors.push(bound.door(&stage).await);
    }
    let doors: Vec<_> = doors.iter().collect();
    let rest = stage.installation.serve("rest", &["fanout", "scheduler"]);
    let rest = rest.await.expect("ready");
    let mut dispatchers = vec![stage.installation.serve("one", &["dispatcher"]).await.expect("ready")];
    let mut ids = stage.publish(BACKLOG).await.expect("published");
    stage.arrive(&ids[..1], &doors).await.expect("it has begun");
    let stop = CancellationToken::new();
    let coming_and_going = async {
        for name in ["two", "three"] {
            dispatchers.push(stage.installation.serve(name, &["dispatcher"]).await.expect("ready"));
        }
        for (index, leave) in LEAVES {
            come_and_go(&mut dispatchers[index], leave).await;
        }
        stop.cancel();
    };
    let loading = stage.publish_until(&stop, PER_SEC / 5, Duration::from_millis(200));
    let (more, ()) = tokio::join!(loading, coming_and_going);
    ids.extend(more.expect("published"));
    stage.arrive(&ids, &doors).await.expect("nothing is lost (invariant 1)");
    stage
        .resolved(Outcome::Delivered, ids.len() * doors.len())
        .await
        .expect("the log resolves each to one outcome (invariant 1)");
    for (bound, door) in BOUNDS.iter().zip(&doors) {
        bound.check(door);
    }
    let kills = LEAVES.iter().filter(|(_, leave)| *leave == Leave::Killed).count();
    let (again, bad_signatures) = stage.flaws(&doors);
    println!(
        "limits: {again} came again, of at most {} in flight in what was killed",
        kills * IN_FLIGHT
    );
    assert_eq!(bad_signatures, 0);
    assert!(again <= kills * IN_FLIGHT, "{again} came again");
    dispatchers.push(rest);
    stage.strike(dispatchers).await.expect("ends in order");
}
