//! What leaves memory, and what stays for its endpoint to go on with.

use super::*;
use crate::{budget::Budget, shard::Slot, target::Status};
use delivery_core::outcome::Dialect;
use delivery_request::Head;
use ledger::{Keyring, entities, rotate_secret, seal_signing_secret};
use schemas::{Endpoint, samples};

const MAX_IN_FLIGHT: usize = 10;

fn keyring() -> Keyring {
    Keyring::new(&Keyring::generate_key(), &[]).expect("a generated key is valid")
}

fn endpoint() -> Endpoint {
    entities::new_endpoint("org_1", "https://example.com/", vec!["*".into()], 1)
}

fn target(id: &str) -> Arc<Target> {
    target_of(id, &endpoint(), &keyring())
}

fn target_of(id: &str, endpoint: &Endpoint, keyring: &Keyring) -> Arc<Target> {
    let client = egress::Client::new(egress::Options::default()).expect("the defaults are sound");
    Arc::new(Target {
        id: id.into(),
        tenant: "org_1".into(),
        version: 1,
        changed_at_ms: 1,
        status: Status::Active,
        dedicated_topic: None,
        destination: client.destination(&endpoint.url),
        head: Head::new(endpoint, "webhook-", keyring),
        max_in_flight: MAX_IN_FLIGHT,
        rate: None,
        timeout: Duration::from_secs(30),
        retry_schedule_sec: Arc::new([]),
        dialect: Dialect::Standard,
        disable_on_gone: true,
    })
}

/// Queues that have had so many deliveries for it for a minute.
fn waiting(target: &Arc<Target>, count: u64, class: Class) -> Queues {
    let budget = Budget::new(1 << 30);
    let mut queues = Queues::default();
    for seq in 0..count {
        let one = Waiting {
            delivery: samples::delivery(usize::try_from(seq).expect("a few"), &target.tenant, &target.id),
            slot: Slot { stream: 0, seq },
            share: budget.take_windowed(100),
            credit: None,
            since: Instant::now() - Duration::from_secs(60),
            class,
        };
        queues.push(target, one);
    }
    queues
}

/// Starts a request, and ends it after this time, as often as makes its mean time that.
fn end_after(queues: &mut Queues, target: &Arc<Target>, took: Duration) {
    for _ in 0..100 {
        queues.get_mut(&target.id).expect("it waits").in_flight += 1;
        queues.ended(&target.id, Some(took));
    }
}

fn limit() -> Instant {
    Instant::now() - Duration::from_secs(1)
}

#[test]
fn an_endpoint_keeps_what_it_gets_done_in_the_time_that_is_spared() {
    let target = target("wh_1");
    let mut queues = waiting(&target, 1_000, Class::Lanes);
    // Ten at once: 500 a second.
    end_after(&mut queues, &target, Duration::from_millis(20));
    let taken = queues.take_older(limit(), Duration::from_secs(1), usize::MAX);
    let left = queues.get(&target.id).expect("it waits").len();
    assert!((490..=510).contains(&left), "{left} stay");
    assert_eq!(taken.len() + left, 1_000);
    assert!(
        taken
            .iter()
            .map(|(waiting, _)| waiting.slot.seq)
            .eq(0..taken.len() as u64),
        "the oldest go, which is what lets a partition move on"
    );
    assert!(
        queues
            .take_older(limit(), Duration::from_secs(1), usize::MAX)
            .is_empty()
    );
    assert_eq!(queues.take_older(limit(), Duration::ZERO, usize::MAX).len(), left);
    assert_eq!(queues.get(&target.id).expect("it is known").bytes, 0);
}

#[test]
fn an_endpoint_that_stands_still_keeps_next_to_nothing() {
    let target = target("wh_1");
    let mut queues = waiting(&target, 1_000, Class::Lanes);
    end_after(&mut queues, &target, Duration::from_millis(1));
    let queue = queues.get_mut(&target.id).expect("it waits");
    queue.in_flight = MAX_IN_FLIGHT;
    // As short as the shard's own work may take: nothing is known of the endpoint.
    queue.moved_at = Instant::now() - STANDING / 2;
    assert!(
        queues
            .take_older(limit(), Duration::from_secs(2), usize::MAX)
            .is_empty()
    );
    queues.get_mut(&target.id).expect("it waits").moved_at = Instant::now() - Duration::from_secs(60);
    assert_eq!(
        queues.take_older(limit(), Duration::from_secs(2), usize::MAX).len(),
        1_000
    );
}

#[test]
fn a_portion_is_no_larger_and_dedicated_topics_keep_theirs() {
    let one = target("wh_1");
    let mut queues = waiting(&one, 1_000, Class::Returns);
    assert_eq!(queues.take_older(limit(), Duration::ZERO, 256).len(), 256);
    let mut queues = waiting(&one, 10, Class::Dedicated);
    assert!(queues.take_older(limit(), Duration::ZERO, 256).is_empty());
}

#[test]
fn what_cannot_be_signed_in_full_waits_for_the_old_secrets_expiry_or_until_it_is_mended() {
    let (own, strange) = (keyring(), keyring());
    let new = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let mut endpoint = endpoint();
    seal_signing_secret(&mut endpoint, &strange, new);
    let expires_at_ms = now_ms() + 3_600_000;
    let mut endpoint = rotate_secret(&endpoint, &strange, new, Some(expires_at_ms), 0).expect("it opens");
    seal_signing_secret(&mut endpoint, &own, new);
    let unread = target_of("wh_1", &endpoint, &own);
    let mut queues = waiting(&unread, 1, Class::Dedicated);
    assert!(!queues.any_ready() && queues.next_timer().is_some());

    endpoint.previous_signing_secret_expires_at_ms = Some(now_ms() - 1);
    let mended = target_of("wh_1", &endpoint, &own);
    queues.of(&mended);
    queues.ready(&mended.id);
    assert!(queues.next().is_some());
}
