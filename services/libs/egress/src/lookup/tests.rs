//! Look-ups are shared while they run, and answers kept only as long as asked.

use super::*;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Answers after a second, each time with the next address; the first time it panics, if asked to.
#[derive(Debug, Default)]
struct Slow {
    asked: AtomicUsize,
    panics: bool,
}

impl Lookup for Slow {
    fn addresses(&self, name: &str) -> Addresses {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        let (panics, nothing) = (self.panics && number == 0, name == "nothing.test");
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(!panics, "as the test asked");
            let last = u8::try_from(number).expect("few look-ups");
            Ok((!nothing)
                .then(|| IpAddr::from(Ipv4Addr::new(192, 0, 2, last)))
                .into_iter()
                .collect())
        })
    }
}

fn shared(kept: Duration) -> (SharedLookups, Arc<Slow>) {
    let slow = Arc::new(Slow::default());
    (SharedLookups::new(slow.clone(), kept), slow)
}

fn last_octet(answer: &Answer) -> u8 {
    match answer.as_deref() {
        Ok([IpAddr::V4(address)]) => address.octets()[3],
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_the_same_name_shares_a_look_up_also_when_the_first_goes_away() {
    let (lookups, slow) = shared(Duration::ZERO);
    let first = tokio::time::timeout(Duration::from_millis(100), lookups.addresses("a.test")).await;
    assert!(first.is_err(), "it takes a second");
    let (one, two, other) = tokio::join!(
        lookups.addresses("a.test"),
        lookups.addresses("a.test"),
        lookups.addresses("nothing.test"),
    );
    assert_eq!((last_octet(&one), last_octet(&two)), (0, 0));
    assert_eq!(other.expect_err("no address").as_ref(), "it has no address");
    assert_eq!(slow.asked.load(Ordering::SeqCst), 2);
    tokio::task::yield_now().await;
    assert_eq!(last_octet(&lookups.addresses("a.test").await), 2, "nothing is kept");
    tokio::task::yield_now().await;
    assert!(lookups.flights.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn answers_are_kept_as_long_as_asked() {
    let (lookups, slow) = shared(Duration::from_secs(10));
    assert_eq!(last_octet(&lookups.addresses("a.test").await), 0);
    tokio::time::advance(Duration::from_secs(9)).await;
    assert_eq!(last_octet(&lookups.addresses("a.test").await), 0);
    tokio::time::advance(Duration::from_secs(2)).await;
    tokio::task::yield_now().await;
    assert_eq!(last_octet(&lookups.addresses("a.test").await), 1);
    assert_eq!(slow.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_look_up_that_panics_is_made_anew() {
    let slow = Arc::new(Slow {
        panics: true,
        ..Slow::default()
    });
    let lookups = SharedLookups::new(slow, Duration::ZERO);
    assert!(lookups.addresses("a.test").await.is_err());
    assert_eq!(last_octet(&lookups.addresses("a.test").await), 1);
}
