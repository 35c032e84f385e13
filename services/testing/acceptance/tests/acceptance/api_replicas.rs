//! Three API replicas, eight clients that make, change and delete the same endpoints through all of them, and a clerk that
//! is killed meanwhile: no update is lost, what one replica answered every other knows, and a repeat with the same
//! `Idempotency-Key` is applied once.

#[path = "api_replicas/client.rs"]
mod client;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use client::{Client, NUMBER_OF_REPLICAS, Refusal};
use harness::{ALL_SCOPES, Direct, Installation, Options, Process, until};
use serde_json::json;
use tokio::sync::{Barrier, watch};
use tokio::task::JoinSet;

const CLIENTS: usize = 8;
/// Before anything is killed.
const CALM_ROUNDS: usize = 3;
const KILLS: usize = 2;
/// Of the clerks' group.
const SESSION: Duration = Duration::from_secs(6);
/// The group's rebalance, fencing of the predecessor, reading what was decided: on a machine with other work.
const TAKEOVER: Duration = Duration::from_secs(6);
const PATIENCE: Duration = Duration::from_secs(60);

/// What clients, and whoever kills, have in common.
struct Shared {
    /// Base URLs of the replicas; None while one is dead.
    doors: watch::Sender<Vec<Option<String>>>,
    /// Changes that were answered with success.
    writes: watch::Sender<usize>,
    key: String,
    step: Barrier,
    over: AtomicBool,
    /// Between the end of a round and the beginning of the next, the same for all.
    goes_on: AtomicBool,
    /// By round: the first answer to its creation.
    made: Mutex<BTreeMap<usize, String>>,
    /// Of the present round: deletions answered 204, and those whose answer was lost or a 503.
    deleted: AtomicUsize,
    doubtful_deletions: AtomicUsize,
    refusals: Mutex<Vec<Refusal>>,
}

impl Shared {
    fn new(key: String, processes: &[Process]) -> Self {
        let doors = processes.iter().map(|process| Some(process.api_url())).collect();
        Self {
            doors: watch::Sender::new(doors),
            writes: watch::Sender::new(0),
            key,
            step: Barrier::new(CLIENTS),
            over: AtomicBool::new(false),
            goes_on: AtomicBool::new(true),
            made: Mutex::default(),
            deleted: AtomicUsize::new(0),
            doubtful_deletions: AtomicUsize::new(0),
            refusals: Mutex::default(),
        }
    }

    /// Waits until `count` more changes were made.
    async fn more_writes(&self, count: usize) {
        let wanted = *self.writes.borrow() + count;
        let mut writes = self.writes.subscribe();
        let waiting = tokio::time::timeout(PATIENCE, writes.wait_for(|made| *made >= wanted));
        waiting
            .await
            .expect("changes go on being made")
            .expect("the sender is shared");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_update_is_lost_on_three_replicas_while_clerks_are_killed() {
    let options = Options::new("replicas").set("api.rate_per_sec", "100000");
    let installation = Installation::start(options).await.expect("an installation");
    let mut processes = Vec::new();
    for n in 0..NUMBER_OF_REPLICAS {
        let started = installation.start_process(&format!("api-{n}"), &["api"], &[]);
        processes.push(started.expect("it starts"));
    }
    for process in &mut processes {
        process.ready().await.expect("ready");
    }
    let direct = installation.direct().await.expect("the ledger");
    let tenant = direct.tenant("Acme", &["platform"], |_| ()).await.expect("a tenant");
    let key = direct.key(&tenant, &ALL_SCOPES).await.expect("a key");
    let shared = Arc::new(Shared::new(key, &processes));

    let began = Instant::now();
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(work(Client::new(number, shared.clone())));
    }
    let (killed, rounds) = tokio::join!(kill_clerks(&mut processes, &shared), all(&mut clients));

    let made = check_the_end(&shared, &direct, rounds).await;
    check_refusals(&shared, &killed);
    println!(
        "api replicas: {rounds} rounds in {:.1} s, {made} endpoints, {} changes, {} answers 503",
        began.elapsed().as_secs_f64(),
        *shared.writes.borrow(),
        shared.refusals.lock().expect("no holder panicked").len()
    );
    for mut process in processes {
        process.terminate().await.expect("it ends in order");
    }
    drop(direct);
    installation.delete_topics().await.expect("the topics are gone");
}

/// How many rounds the clients played. Fails with the first that does: the others would wait for it.
async fn all(clients: &mut JoinSet<usize>) -> usize {
    let mut rounds = 0;
    while let Some(ended) = clients.join_next().await {
        rounds = ended.expect("no client finds a fault");
    }
    rounds
}

/// Round after round; how many.
async fn work(mut client: Client) -> usize {
    let shared = client.shared.clone();
    let mut round = 0;
    loop {
        if shared.step.wait().await.is_leader() {
            let is_over = round >= CALM_ROUNDS && shared.over.load(Ordering::SeqCst);
            shared.goes_on.store(!is_over, Ordering::SeqCst);
            shared.deleted.store(0, Ordering::SeqCst);
            shared.doubtful_deletions.store(0, Ordering::SeqCst);
        }
        shared.step.wait().await;
        if !shared.goes_on.load(Ordering::SeqCst) {
            return round;
        }
        play(&mut client, round).await;
        round += 1;
    }
}

/// All clients make one endpoint together, change it against each other, and delete it together.
async fn play(client: &mut Client, round: usize) {
    let shared = client.shared.clone();
    let body = json!({"url": format!("https://example.com/{round}"), "eventTypeFilters": ["*"]});
    let answer = client.create(&body, &format!("round-{round}")).await;
    let first = {
        let mut made = shared.made.lock().expect("no holder panicked");
        made.entry(round).or_insert_with(|| answer.body.clone()).clone()
    };
    assert_eq!(
        answer.body, first,
        "one request, one answer, with one id and one secret"
    );
    let id = answer.json()["endpoint"]["id"].as_str().expect("an id").to_owned();

    client.add_own(&id).await;
    client.describe(&id).await;
    if round < CALM_ROUNDS {
        client.make_and_delete_own().await;
    }
    shared.step.wait().await;
    for (replica, endpoint) in client.get_everywhere(&id).await {
        let metadata = endpoint["metadata"].as_object().expect("an object");
        assert_eq!(
            metadata.len(),
            CLIENTS,
            "an update is lost at replica {replica}: {endpoint}"
        );
    }
    shared.step.wait().await;
    client.delete(&id).await;
    shared.step.wait().await;
    let deleted = shared.deleted.load(Ordering::SeqCst);
    let doubtful = shared.doubtful_deletions.load(Ordering::SeqCst);
    assert!(
        deleted == 1 || (deleted == 0 && doubtful > 0),
        "it was deleted {deleted} times in round {round}, {doubtful} answers were lost"
    );
}

/// Kills whoever is the clerk, waits for the next, and starts the dead one again. When they were killed.
async fn kill_clerks(processes: &mut [Process], shared: &Shared) -> Vec<Instant> {
    let mut killed = Vec::new();
    // Of the calm rounds, each client: the creation and its repeat, its own metadata and description, an endpoint of its own.
    shared.more_writes(CALM_ROUNDS * CLIENTS * 6 + CLIENTS / 2).await;
    for _ in 0..KILLS {
        let clerk = clerk_of(processes).await;
        shared.doors.send_modify(|doors| doors[clerk] = None);
        killed.push(Instant::now());
        processes[clerk].kill9().await.expect("killed");
        shared.more_writes(1).await;
        let heir = clerk_of(processes).await;
        println!(
            "api replicas: after the end of replica {clerk} the clerk is {heir}, and changes are made again after {:.1} s",
            killed.last().expect("one was").elapsed().as_secs_f64()
        );
        processes[clerk].restart(&[]).await.expect("it starts again");
        processes[clerk].ready().await.expect("ready");
        let url = processes[clerk].api_url();
        shared.doors.send_modify(|doors| doors[clerk] = Some(url));
        // The next one dies somewhere else in a round.
        shared.more_writes(CLIENTS + 5).await;
    }
    shared.over.store(true, Ordering::SeqCst);
    killed
}

async fn clerk_of(processes: &[Process]) -> usize {
    let mut found = None;
    until("there is a clerk", PATIENCE, async || {
        for (n, process) in processes.iter().enumerate() {
            let metrics = process.metrics().await.unwrap_or_default();
            let holds = |line: &str| line.starts_with("hookline_clerk_in_office") && line.ends_with(" 1");
            if metrics.lines().any(holds) {
                found = Some(n);
                return Ok(());
            }
        }
        Err("nobody is in office".to_owned())
    })
    .await
    .expect("one of them is the clerk");
    found.expect("it was found")
}

/// Nothing is left, nothing was made twice, and the first request's answer is still known. How many were made.
async fn check_the_end(shared: &Arc<Shared>, direct: &Direct, rounds: usize) -> usize {
    let mut client = Client::new(0, shared.clone());
    assert_eq!(client.list_everywhere().await, vec![0; NUMBER_OF_REPLICAS]);
    let body = json!({"url": "https://example.com/0", "eventTypeFilters": ["*"]});
    let again = client.repeat(&body, "round-0").await;
    assert_eq!(Some(&again), shared.made.lock().expect("no holder panicked").get(&0));
    let view = direct.ledger().barrier().await.expect("the ledger's end");
    // Markers of the deleted ones.
    let made = view.endpoints().count();
    assert_eq!(made, rounds + CALM_ROUNDS * CLIENTS, "nothing is made twice");
    made
}

/// Nobody is turned away but while there is no clerk.
fn check_refusals(shared: &Shared, killed: &[Instant]) {
    for refusal in shared.refusals.lock().expect("no holder panicked").iter() {
        let is_excused = killed
            .iter()
            .any(|at| refusal.answered >= *at && refusal.sent < *at + SESSION + TAKEOVER);
        assert!(
            is_excused,
            "503 while there was a clerk: {refusal:?}, killed at {killed:?}"
        );
    }
}
