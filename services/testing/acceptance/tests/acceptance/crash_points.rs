//! SIGKILL at every boundary between an acknowledgement and a commit, one role after the other. Each role's process dies
//! at one point after the other, meets what its predecessor left, and at the end everything has arrived.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use acceptance::{Door, Stage};
use harness::logbook::Outcome;
use harness::{Behaviour, Options, Process, until};

const EVENTS: usize = 10;

/// A static member takes its partitions back at once; its predecessor isn't waited for.
fn options(name: &str) -> Options {
    Options::new(name)
        .set("kafka.instance_id", "only")
        .set("delivery.retry_schedule_sec", "[1,1,1,1,1,1]")
}

/// Starts it again to die at `point`.
async fn arm(process: &mut Process, point: &str) {
    process
        .restart(&[("HOOKLINE_CRASH_AT", point)])
        .await
        .expect("it starts again");
}

async fn dies(process: &mut Process, point: &str) {
    let status = process
        .end()
        .await
        .unwrap_or_else(|error| panic!("at {point}: {error:#}"));
    assert_eq!(
        status.signal(),
        Some(9),
        "it must die at {point}, but: {status}\n{}",
        process.log_tail()
    );
}

/// Everything arrived, the log has it resolved, and at most `bound` deliveries came again.
async fn assert_complete(stage: &Stage, ids: &[String], doors: &[&Door], bound: usize) {
    stage.arrive(ids, doors).await.expect("nothing is lost (invariant 1)");
    stage
        .resolved(Outcome::Delivered, ids.len() * doors.len())
        .await
        .expect("the log resolves each to one outcome (invariant 1)");
    let (again, bad_signatures) = stage.flaws(doors);
    assert_eq!(bad_signatures, 0);
    assert!(again <= bound, "{again} came again, of at most {bound}");
}

async fn dedicated_and_shared(stage: &Stage) -> [Door; 2] {
    let dedicated = stage.door("dedicated", |endpoint| endpoint.placement = "dedicated".into());
    let shared = stage.door("shared", |endpoint| endpoint.placement = "shared".into());
    let (dedicated, shared) = tokio::join!(dedicated, shared);
    [dedicated.expect("an endpoint"), shared.expect("an endpoint")]
}

#[tokio::test]
async fn invariant_2_fanout_dies_at_every_crash_point() {
    let stage = Stage::set(options("crash-fanout")).await.expect("an installation");
    let [dedicated, shared] = dedicated_and_shared(&stage).await;
    let rest = stage
        .installation
        .serve("rest", &["dispatcher", "scheduler"])
        .await
        .expect("ready");
    let mut fanout = stage.installation.serve("fanout", &["fanout"]).await.expect("ready");
    fanout.kill9().await.expect("killed");
    let mut ids = Vec::new();
    for point in chaos::crash_points::FANOUT {
        arm(&mut fanout, point).await;
        ids.extend(stage.publish(EVENTS).await.expect("published"));
        dies(&mut fanout, point).await;
    }
    fanout.restart(&[]).await.expect("it starts again");
    // What fan-out writes again, the dispatcher that lives on has in its recent set.
    assert_complete(&stage, &ids, &[&dedicated, &shared], 0).await;
    stage.strike(vec![fanout, rest]).await.expect("ends in order");
}

/// Who reads an event again may find that its endpoint matches no more: then nobody but the first delivery's record brings an
/// end to what the log calls pending.
#[tokio::test]
async fn invariant_1_a_match_is_logged_only_once_its_delivery_is_written() {
    let stage = Stage::set(options("logged-last")).await.expect("an installation");
    let [dedicated, shared] = dedicated_and_shared(&stage).await;
    let mut fanout = stage.installation.serve("fanout", &["fanout"]).await.expect("ready");
    fanout.kill9().await.expect("killed");
    arm(&mut fanout, "fanout.before_log").await;
    let ids = stage.publish(1).await.expect("published");
    dies(&mut fanout, "fanout.before_log").await;
    let logbook = stage.installation.logbook().await.expect("the log");
    assert!(logbook.deliveries.is_empty(), "the log knows of them already");
    for door in [&dedicated, &shared] {
        let disabled = stage
            .direct
            .change(&door.id, |endpoint| endpoint.status = "disabled".into());
        disabled.await.expect("disabled");
    }
    fanout.restart(&[]).await.expect("it starts again");
    let rest = stage.installation.serve("rest", &["dispatcher", "scheduler"]);
    let rest = rest.await.expect("ready");
    for door in [&dedicated, &shared] {
        stage
            .fate(&ids[0], &door.id, Outcome::Dead)
            .await
            .expect("what was written comes to its end");
    }
    stage.strike(vec![fanout, rest]).await.expect("ends in order");
}

#[tokio::test]
async fn invariant_2_dispatcher_dies_at_every_crash_point() {
    const MAX_IN_FLIGHT: usize = 4;
    let options = options("crash-dispatcher").set("dispatcher.max_in_flight", MAX_IN_FLIGHT.to_string());
    let stage = Stage::set(options).await.expect("an installation");
    let [dedicated, shared] = dedicated_and_shared(&stage).await;
    shared.hook.behave(Behaviour::flaky(1, 503));
    // Paused, its deliveries are written aside.
    let paused = stage.door("paused", |endpoint| {
        endpoint.placement = "shared".into();
        endpoint.status = "paused".into();
    });
    let paused = paused.await.expect("an endpoint");
    let rest = stage
        .installation
        .serve("rest", &["fanout", "scheduler"])
        .await
        .expect("ready");
    let mut dispatcher = stage
        .installation
        .serve("dispatcher", &["dispatcher"])
        .await
        .expect("ready");
    dispatcher.kill9().await.expect("killed");
    let mut ids = Vec::new();
    for point in chaos::crash_points::DISPATCHER {
        arm(&mut dispatcher, point).await;
        ids.extend(stage.publish(EVENTS).await.expect("published"));
        dies(&mut dispatcher, point).await;
    }
    dispatcher.restart(&[]).await.expect("it starts again");
    let activating = stage
        .direct
        .change(&paused.id, |endpoint| endpoint.status = "active".into());
    activating.await.expect("active");
    let bound = chaos::crash_points::DISPATCHER.len() * MAX_IN_FLIGHT;
    assert_complete(&stage, &ids, &[&dedicated, &shared, &paused], bound).await;
    stage.strike(vec![dispatcher, rest]).await.expect("ends in order");
}

#[tokio::test]
async fn invariant_2_scheduler_dies_at_every_crash_point() {
    let stage = Stage::set(options("crash-scheduler")).await.expect("an installation");
    let [dedicated, shared] = dedicated_and_shared(&stage).await;
    dedicated.hook.behave(Behaviour::flaky(2, 503));
    shared.hook.behave(Behaviour::flaky(1, 503));
    let rest = stage
        .installation
        .serve("rest", &["fanout", "dispatcher"])
        .await
        .expect("ready");
    let mut scheduler = stage
        .installation
        .serve("scheduler", &["scheduler"])
        .await
        .expect("ready");
    scheduler.kill9().await.expect("killed");
    let mut ids = Vec::new();
    for point in chaos::crash_points::SCHEDULER {
        arm(&mut scheduler, point).await;
        ids.extend(stage.publish(EVENTS).await.expect("published"));
        dies(&mut scheduler, point).await;
    }
    scheduler.restart(&[]).await.expect("it starts again");
    // One transaction a batch: a crash forks no retry chain.
    assert_complete(&stage, &ids, &[&dedicated, &shared], 0).await;
    for (door, attempts) in [(&dedicated, 3), (&shared, 2)] {
        assert_eq!(
            door.hook.tally().requests,
            ids.len() * attempts,
            "no attempt is made twice"
        );
    }
    stage.strike(vec![scheduler, rest]).await.expect("ends in order");
}

#[tokio::test]
async fn clerk_dies_at_every_crash_point_and_no_change_is_lost_or_made_twice() {
    let mut stage = Stage::set(options("crash-clerk")).await.expect("an installation");
    let [dedicated, shared] = dedicated_and_shared(&stage).await;
    let roles = ["fanout", "dispatcher", "scheduler"];
    let rest = stage.installation.serve("rest", &roles).await.expect("ready");
    let version = |stage: &Stage| {
        stage
            .direct
            .ledger()
            .view()
            .endpoint(&shared.id)
            .map(|endpoint| endpoint.version)
    };
    let before = version(&stage).expect("it was made");
    stage.api.kill9().await.expect("killed");
    let mut ids = Vec::new();
    for point in chaos::crash_points::CLERK {
        arm(&mut stage.api, point).await;
        let direct = stage.direct.clone();
        let change = until("the change is made", Duration::from_secs(90), async || {
            let change = direct.change(&shared.id, |endpoint| endpoint.description = Some((*point).to_owned()));
            let made = change.await.map_err(|error| format!("{error:#}"));
            let view = direct.ledger().barrier().await.map_err(|error| error.to_string())?;
            let description = view
                .endpoint(&shared.id)
                .and_then(|endpoint| endpoint.description.clone());
            if description.as_deref() == Some(point) {
                Ok(())
            } else {
                made
            }
        });
        let api = &mut stage.api;
        let death = async {
            dies(api, point).await;
            api.restart(&[]).await.expect("it starts again");
        };
        let ((), changed) = tokio::join!(death, change);
        changed.unwrap_or_else(|error| panic!("at {point}: {error:#}"));
        api.kill9().await.expect("killed");
    }
    // Nobody decides changes now: deliveries go on.
    ids.extend(stage.publish(EVENTS).await.expect("published"));
    assert_complete(&stage, &ids, &[&dedicated, &shared], 0).await;
    let points = i64::try_from(chaos::crash_points::CLERK.len()).expect("a few");
    assert_eq!(version(&stage), Some(before + points), "one version a change");
    stage.api.restart(&[]).await.expect("it starts again");
    stage.api.ready().await.expect("ready");
    stage.strike(vec![rest]).await.expect("ends in order");
}
