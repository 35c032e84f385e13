//! Names that are slow hold up only names that are, too. Time is paused, so what takes no time waits for nothing.

use super::*;
use crate::lookup::SharedLookups;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::time::{Instant, sleep};

/// When the system gives up.
const GIVES_UP: Duration = Duration::from_secs(30);
const SECOND: Duration = Duration::from_secs(1);

/// Answers for every name at once, except for those of a dead name server.
#[derive(Debug, Default)]
struct System {
    server: Mutex<Server>,
    running: Arc<()>,
    most_running: AtomicUsize,
}

#[derive(Debug, Default, Clone, Copy)]
enum Server {
    #[default]
    Dead,
    Refuses,
    Answers,
}

impl Lookup for System {
    fn addresses(&self, name: &str) -> Addresses {
        let running = Arc::clone(&self.running);
        let count = Arc::strong_count(&running) - 1;
        self.most_running.fetch_max(count, Ordering::SeqCst);
        let server = match *self.server.lock() {
            server if name.starts_with("dead") => server,
            _ => Server::Answers,
        };
        Box::pin(async move {
            let _running = running;
            match server {
                Server::Dead => {
                    sleep(GIVES_UP).await;
                    Err(io::Error::from(io::ErrorKind::TimedOut))
                }
                Server::Refuses => Err(io::Error::from(io::ErrorKind::ConnectionRefused)),
                Server::Answers => Ok(vec![IpAddr::from([192, 0, 2, 1])]),
            }
        })
    }
}

fn over_a_dead_server() -> (SharedLookups, SystemLookup, Arc<System>) {
    let system = Arc::new(System::default());
    let lookup = SystemLookup::over(system.clone());
    let shared = SharedLookups::new(Arc::new(lookup.clone()), Duration::ZERO);
    (shared, lookup, system)
}

/// Asks for dead names, for requests that don't wait.
fn ask_for(lookups: &SharedLookups, numbers: Range<usize>) {
    for number in numbers {
        drop(lookups.join(&format!("dead-{number}.test")));
    }
}

/// How long it takes until a name that answers at once is known.
async fn time_for(lookups: &SharedLookups, name: &str) -> Duration {
    let asked = Instant::now();
    lookups.addresses(name).await.expect("it has an address");
    asked.elapsed()
}

#[tokio::test(start_paused = true)]
async fn names_that_never_answer_hold_up_nobody_elses() {
    let (lookups, _, _) = over_a_dead_server();
    // Nothing is known of them yet.
    for batch in 0..4 {
        ask_for(&lookups, batch * 300..(batch + 1) * 300);
        let time = time_for(&lookups, "quick.test").await;
        assert!(time < 3 * SECOND, "{time:?} in batch {batch}");
        while !lookups.flights.lock().is_empty() {
            sleep(SECOND).await;
        }
    }
    for second in 0..300 {
        ask_for(&lookups, 0..1200);
        for name in ["quick.test".to_owned(), format!("new-{second}.test")] {
            assert_eq!(time_for(&lookups, &name).await, Duration::ZERO, "{name} at {second} s");
        }
        sleep(SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn there_are_no_more_threads_than_places() {
    let (lookups, _, system) = over_a_dead_server();
    let most_running = || system.most_running.load(Ordering::SeqCst);
    ask_for(&lookups, 0..2000);
    sleep(5 * SECOND).await;
    assert_eq!(most_running(), QUICK_PLACES + OVERTIME_PLACES);
    for _ in 0..120 {
        ask_for(&lookups, 0..2000);
        sleep(SECOND).await;
    }
    let places = QUICK_PLACES + OVERTIME_PLACES + DOUBTFUL_PLACES + SLOW_PLACES;
    assert_eq!(most_running(), places);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_was_slow_once_does_not_wait_behind_those_that_always_are() {
    let (lookups, lookup, _) = over_a_dead_server();
    let add = |name: &str| lookup.lanes.slow_names.lock().add(name);
    for number in 0..SLOW_PLACES {
        (0..2).for_each(|_| add(&format!("dead-{number}.test")));
    }
    ["once.test", "twice.test", "twice.test"].into_iter().for_each(add);
    ask_for(&lookups, 0..SLOW_PLACES);
    assert_eq!(time_for(&lookups, "once.test").await, Duration::ZERO);
    assert!(time_for(&lookups, "twice.test").await >= GIVES_UP);
}

#[tokio::test(start_paused = true)]
async fn a_slow_name_that_becomes_quick_again_leaves_the_slow_ones() {
    let (lookups, lookup, system) = over_a_dead_server();
    for (server, times) in [
        (Server::Dead, 1),
        (Server::Dead, 2),
        (Server::Refuses, 2),
        (Server::Answers, 0),
    ] {
        *system.server.lock() = server;
        let answer = lookups.addresses("dead.test").await;
        assert_eq!(answer.is_ok(), times == 0);
        let known = lookup.lanes.slow_names.lock().times("dead.test");
        assert_eq!(known, times, "{server:?}");
    }
}

#[test]
fn all_of_a_process_share_the_places() {
    let (one, other) = (SystemLookup::default(), SystemLookup::default());
    assert!(Arc::ptr_eq(&one.lanes, &other.lanes));
}
