//! The table of endpoint states in `docs/PROMISES.md`, row by row, for shared and for dedicated endpoints: what becomes
//! of deliveries that wait and of events that come later, while whoever knew the state goes away: the dispatcher by
//! SIGKILL, with another one taking over; or every process in order, to be started again.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use acceptance::{Door, Stage};
use harness::logbook::{Fate, Outcome};
use harness::{Answer, Behaviour, Options, Process, read_to_end, until};
use schemas::{DeadLetter, Health, OwnSchemas, codec};
use tokio::time::Instant;

const PATIENCE: Duration = Duration::from_secs(60);
/// Published before the states are set. They wait.
const WAITING: usize = 40;
/// Published while nobody owns the endpoints, and again when somebody else does.
const MORE: usize = 4;
const CIRCUIT_FAILURES: usize = 8;
const PROBE: Duration = Duration::from_secs(4);
/// More than the circuit and all probes of a test come to; fewer than what waits.
const DISABLING_FAILURES: usize = 30;

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Active,
    Paused,
    Disabled,
    Deleted,
    /// `auto_disabled` by a 410.
    Gone,
    /// `auto_disabled` by failures.
    Failing,
    /// Active, its circuit open.
    Open,
}

const STATES: [State; 7] = [
    State::Active,
    State::Paused,
    State::Disabled,
    State::Deleted,
    State::Gone,
    State::Failing,
    State::Open,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Batch {
    /// Matched before the state was set.
    Before,
    After,
}

impl State {
    /// What becomes of a delivery; None: there is none. Pending: until somebody makes the endpoint well.
    fn outcome(self, batch: Batch) -> Option<Outcome> {
        match (self, batch) {
            (Self::Active, _) => Some(Outcome::Delivered),
            (Self::Paused | Self::Open, _) => Some(Outcome::Pending),
            (Self::Gone | Self::Failing, _) | (Self::Disabled, Batch::Before) => Some(Outcome::Dead),
            (Self::Deleted, Batch::Before) => Some(Outcome::Cancelled),
            (Self::Disabled | Self::Deleted, Batch::After) => None,
        }
    }

    /// Why, when no attempt is made.
    fn reason(self) -> Option<&'static str> {
        match self {
            Self::Disabled | Self::Gone | Self::Failing => Some("endpoint_disabled"),
            Self::Deleted => Some("endpoint_deleted"),
            Self::Active | Self::Paused | Self::Open => None,
        }
    }

    fn behaviour(self) -> Behaviour {
        match self {
            Self::Failing => Behaviour::always(Answer {
                delay: Duration::from_millis(300),
                ..Answer::status(503)
            }),
            Self::Open => Behaviour::always(Answer::status(503)),
            Self::Gone => {
                // What failed before the 410 waits for its retry.
                let requests = AtomicUsize::new(0);
                Behaviour::by(move |_, _| match requests.fetch_add(1, Ordering::SeqCst) {
                    0 | 1 => Answer::status(503),
                    _ => Answer::status(410),
                })
            }
            Self::Active | Self::Paused | Self::Disabled | Self::Deleted => Behaviour::always(Answer::ok()),
        }
    }
}

struct Row {
    state: State,
    door: Door,
}

async fn rows(stage: &Stage) -> Vec<Row> {
    let mut rows = Vec::new();
    for (state, placement) in STATES
        .iter()
        .flat_map(|state| [(*state, "shared"), (*state, "dedicated")])
    {
        let path = format!("{state:?}-{placement}");
        let door = stage.door(&path, |endpoint| {
            endpoint.placement = placement.into();
            if matches!(state, State::Paused | State::Disabled | State::Deleted) {
                endpoint.status = "paused".into();
            }
            endpoint.max_in_flight = matches!(state, State::Gone | State::Open).then_some(1);
        });
        let door = door.await.expect("an endpoint");
        door.hook.behave(state.behaviour());
        rows.push(Row { state, door });
    }
    rows
}

fn doors_of<'a>(rows: &'a [Row], states: &[State]) -> Vec<&'a Door> {
    let of_these = rows.iter().filter(|row| states.contains(&row.state));
    of_these.map(|row| &row.door).collect()
}

/// Waits for the states that come about by answers: set in the ledger, written down in `health`.
async fn until_they_have_failed(stage: &Stage, rows: &[Row]) {
    until("they are disabled, their circuits open", PATIENCE, async || {
        let view = stage.direct.ledger().view();
        for door in doors_of(rows, &[State::Gone, State::Failing]) {
            let status = view.endpoint(&door.id).map(|endpoint| endpoint.status.as_str());
            if status != Some("auto_disabled") {
                return Err(format!("{} is {status:?}", door.hook.url()));
            }
        }
        let (connection, health) = (stage.installation.connection(), stage.installation.names().health());
        let records = read_to_end(&connection, &health).await.map_err(|e| e.to_string())?;
        let values = records.iter().filter_map(|record| record.value.as_deref());
        let written = values.filter_map(|value| codec::decode::<Health>(value, &OwnSchemas).ok());
        let open: HashSet<_> = written
            .filter(|h| h.circuit == "open")
            .map(|health| health.endpoint_id)
            .collect();
        let closed = doors_of(rows, &[State::Open])
            .into_iter()
            .find(|door| !open.contains(&door.id));
        closed.map_or(Ok(()), |door| Err(format!("{} has a closed circuit", door.hook.url())))
    })
    .await
    .expect("failed");
}

/// The states that somebody sets.
async fn set_states(stage: &Stage, rows: &[Row]) {
    for Row { state, door } in rows {
        let set = async |status: &'static str| stage.direct.change(&door.id, |e| e.status = status.to_owned()).await;
        match state {
            State::Paused => set("paused").await.expect("paused"),
            State::Disabled => set("disabled").await.expect("disabled"),
            State::Deleted => stage.direct.delete(&door.id).await.expect("deleted"),
            _ => {}
        }
    }
}

/// What isn't yet, or not any more, as the table says; `fates` by event and endpoint.
fn deviation(
    rows: &[Row],
    batches: &[(Batch, &[String])],
    fates: &BTreeMap<(&str, &str), &Fate>,
    letters: &HashSet<(String, String)>,
) -> Option<String> {
    for (row, (batch, ids)) in rows
        .iter()
        .flat_map(|row| batches.iter().map(move |batch| (row, *batch)))
    {
        let expected = row.state.outcome(batch);
        for id in ids {
            let fate = fates.get(&(id.as_str(), row.door.id.as_str()));
            let found = fate.map(|fate| fate.outcome());
            let words = || format!("{id} at {}: {fate:?}, not {expected:?}", row.door.hook.url());
            if found != expected {
                return Some(words());
            }
            let Some(fate) = fate else { continue };
            // Whose attempts have failed says why in its own way.
            let without_attempt = batch == Batch::After || matches!(row.state, State::Disabled | State::Deleted);
            let is_wrong = |reason: &str| fate.attempts > 0 || !fate.reasons.iter().eq([reason]);
            if without_attempt && row.state.reason().is_some_and(is_wrong) {
                return Some(words());
            }
            let is_letter = letters.contains(&(id.clone(), row.door.id.clone()));
            if is_letter != (expected == Some(Outcome::Dead)) {
                return Some(format!("{}; a dead letter: {is_letter}", words()));
            }
        }
    }
    None
}

/// (event, endpoint) of the dead letters.
async fn letters(stage: &Stage) -> anyhow::Result<HashSet<(String, String)>> {
    let (connection, dlq) = (stage.installation.connection(), stage.installation.names().dlq());
    let mut pairs = HashSet::new();
    for value in read_to_end(&connection, &dlq)
        .await?
        .into_iter()
        .filter_map(|r| r.value)
    {
        let letter: DeadLetter = codec::decode(&value, &OwnSchemas)?;
        pairs.insert((letter.delivery.event_id, letter.delivery.endpoint_id));
    }
    Ok(pairs)
}

async fn until_as_the_table_says(stage: &Stage, rows: &[Row], batches: &[(Batch, &[String])]) {
    until("everything is as the table says", PATIENCE, async || {
        let logbook = stage.installation.logbook().await.map_err(|e| format!("{e:#}"))?;
        let letters = letters(stage).await.map_err(|e| format!("{e:#}"))?;
        deviation(rows, batches, &logbook.by_pair(), &letters).map_or(Ok(()), Err)
    })
    .await
    .expect("as it says");
}

fn requests(rows: &[Row]) -> Vec<usize> {
    rows.iter().map(|row| row.door.hook.tally().requests).collect()
}

/// Nothing was sent since `before` but what the state lets through.
fn assert_silence(rows: &[Row], before: &[usize], since: Instant) {
    let probes = since.elapsed().as_secs() / PROBE.as_secs() + 1;
    for (row, (before, now)) in rows.iter().zip(before.iter().zip(requests(rows))) {
        let most = match row.state {
            State::Active => continue,
            State::Open => *before + probes as usize,
            _ => *before,
        };
        assert!(
            now <= most,
            "{now} requests, of at most {most}, to {}",
            row.door.hook.url()
        );
    }
}

/// Whoever serves the endpoints, and how that passes to others.
enum Passage {
    /// The dispatcher stands still while the states are set, and is killed.
    Takeover,
    /// All processes are asked to end, and started again.
    Restart,
}

impl Passage {
    /// Sets the states; when it returns, somebody else serves. Events published on the way.
    async fn walk(&self, stage: &mut Stage, rest: &mut Process, owner: &mut Process, rows: &[Row]) -> Vec<String> {
        match self {
            Self::Takeover => {
                owner.halt().expect("halted");
                set_states(stage, rows).await;
                let meanwhile = stage.publish(MORE).await.expect("published");
                owner.kill9().await.expect("killed");
                let heir = stage.installation.serve("heir", &["dispatcher"]);
                *owner = heir.await.expect("ready");
                meanwhile
            }
            Self::Restart => {
                set_states(stage, rows).await;
                for process in [&mut *owner, &mut *rest, &mut stage.api] {
                    process.terminate().await.expect("it ends in order");
                }
                let meanwhile = stage.publish(MORE).await.expect("published");
                for process in [&mut stage.api, rest, owner] {
                    process.restart(&[]).await.expect("it starts again");
                    process.ready().await.expect("ready");
                }
                meanwhile
            }
        }
    }
}

async fn hold_the_table(name: &str, passage: Passage) {
    let options = Options::new(name)
        .set("circuit.failures", CIRCUIT_FAILURES.to_string())
        .set("circuit.min_sec", "0")
        .set("circuit.probe_sec", format!("[{}]", PROBE.as_secs()))
        .set("auto_disable.failures", DISABLING_FAILURES.to_string())
        .set("auto_disable.without_success_sec", "0")
        .set("delivery.retry_schedule_sec", "[5,5,5,60,60,600]");
    let mut stage = Stage::set(options).await.expect("an installation");
    let rows = rows(&stage).await;
    let rest = stage.installation.serve("rest", &["fanout", "scheduler"]);
    let mut rest = rest.await.expect("ready");
    let mut owner = stage.installation.serve("owner", &["dispatcher"]).await.expect("ready");
    let active = doors_of(&rows, &[State::Active]);

    let waiting = stage.publish(WAITING).await.expect("published");
    stage.arrive(&waiting, &active).await.expect("others go on");
    until_they_have_failed(&stage, &rows).await;
    let mut after = passage.walk(&mut stage, &mut rest, &mut owner, &rows).await;
    let (before, since) = (requests(&rows), Instant::now());
    after.extend(stage.publish(MORE).await.expect("published"));
    stage.arrive(&after, &active).await.expect("others go on");
    until_as_the_table_says(&stage, &rows, &[(Batch::Before, &waiting), (Batch::After, &after)]).await;
    assert_silence(&rows, &before, since);

    // What waits, waits no longer than it has to.
    for row in &rows {
        match row.state {
            State::Paused => {
                assert_eq!(row.door.hook.tally().requests, 0, "sent to {}", row.door.hook.url());
                let activated = stage.direct.change(&row.door.id, |e| e.status = "active".into());
                activated.await.expect("active");
            }
            State::Open => row.door.hook.behave(Behaviour::always(Answer::ok())),
            _ => {}
        }
    }
    let whole: Vec<_> = waiting.into_iter().chain(after).collect();
    let flowing = doors_of(&rows, &[State::Paused, State::Open]);
    stage.arrive(&whole, &flowing).await.expect("what waited arrives");
    for door in doors_of(&rows, &[State::Paused]) {
        let is_first = door.hook.requests().iter().all(|request| request.attempt == 1);
        assert!(is_first, "waiting is no attempt: {}", door.hook.url());
    }
    let all: Vec<_> = rows.iter().map(|row| &row.door).collect();
    assert_eq!(stage.flaws(&all).1, 0, "badly signed");
    assert_eq!(stage.flaws(&flowing).0, 0, "came again");
    stage.strike(vec![rest, owner]).await.expect("ends in order");
}

#[tokio::test]
async fn invariant_1_the_table_of_states_holds_across_a_takeover() {
    hold_the_table("states-takeover", Passage::Takeover).await;
}

#[tokio::test]
async fn invariant_1_the_table_of_states_holds_across_a_restart_of_every_process() {
    hold_the_table("states-restart", Passage::Restart).await;
}
