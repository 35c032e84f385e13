//! One run from its start to the verdict.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use harness::{Direct, Installation};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::broker_faults::{self, Outages};
use crate::cast::{self, Cast};
use crate::faults::Faults;
use crate::fleet::{Fleet, Toll};
use crate::history;
use crate::ledger_edits;
use crate::limits::{self, Changes};
use crate::manner::Manner;
use crate::recovery;
use crate::repeats::Repeats;
use crate::traffic::{self, Expected, Published};
use crate::verdict::{self, Summary};
use crate::weather::Weather;

/// Deliveries a second, when nobody says how long to publish.
const DELIVERIES_PER_SEC: usize = 150;
const LEAST_STORM: Duration = Duration::from_secs(15);
/// For this long at most an endpoint is paused: nobody's retries may end meanwhile.
const LONGEST_PAUSED: Duration = Duration::from_secs(60);
/// And down: it must not be disabled for that.
const LONGEST_DOWN: Duration = Duration::from_secs(20);
/// Who fails for longer than that is disabled.
const DISABLED_AFTER_SEC: &str = "35";
/// Of each dispatcher, for what waits: the least that can be configured, so that much has to be deferred.
const MEMORY_BYTES: &str = "1048576";
/// Nobody listens there: what can't be exported holds nothing up.
const NO_COLLECTOR: &str = "http://127.0.0.1:9";
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// What a run is like.
#[derive(Debug, Clone)]
pub struct Options {
    /// Pairs of event and endpoint to publish.
    pub deliveries: usize,
    pub seed: u64,
    pub endpoints: usize,
    /// How long it publishes and kills; left out: by the number of deliveries.
    pub storm: Option<Duration>,
    /// For how long after that nothing may come about while something is left to.
    pub calm: Duration,
    /// `dispatcher.max_in_flight`
    pub max_in_flight: usize,
    pub faults: Faults,
    /// Starts a cluster of three brokers for this run alone, whose nodes are killed too.
    pub kills_brokers: bool,
}

impl Options {
    /// 50 endpoints, everything else by the number of deliveries.
    pub fn new(deliveries: usize, seed: u64) -> Self {
        Self {
            deliveries,
            seed,
            endpoints: 50,
            storm: None,
            calm: Duration::from_secs(240),
            max_in_flight: 64,
            faults: Faults::All,
            kills_brokers: false,
        }
    }

    fn storm(&self) -> Duration {
        let by_number = Duration::from_secs((self.deliveries / DELIVERIES_PER_SEC) as u64).max(LEAST_STORM);
        self.storm.unwrap_or(by_number)
    }
}

/// Runs it. An error means that it could not be run; what was found is in the summary's violations.
pub async fn run(options: &Options) -> anyhow::Result<Summary> {
    let cluster = match options.kills_brokers {
        true => Some(broker_faults::start_cluster().await?),
        false => None,
    };
    let bootstrap = cluster.as_ref().map(|cluster| cluster.bootstrap().to_owned());
    let mut installation = install(options, bootstrap).await?;
    let summary = play(options, &installation, cluster.as_ref()).await;
    match &summary {
        Ok(summary) if summary.violations.is_empty() => installation.delete_topics().await?,
        _ => installation.keep_logs(),
    }
    summary
}

/// From the start of all processes to the verdict.
async fn play(
    options: &Options,
    installation: &Installation,
    cluster: Option<&Arc<brokers::Cluster>>,
) -> anyhow::Result<Summary> {
    let (changed, ledger_changed) = watch::channel(Instant::now());
    let fleet = Fleet::start(
        installation,
        options.seed,
        options.faults,
        options.kills_brokers,
        ledger_changed,
    )
    .await?;
    let direct = installation.direct().await?;
    let mut cast = Cast::assemble(&direct, options.endpoints, options.seed)
        .await
        .context("cannot make the endpoints")?;
    println!(
        "chaos: {} endpoints; logs in {}",
        cast.members.len(),
        installation.log_dir().display()
    );

    let repeats = Repeats::follow(installation).await?;
    let (storm, is_storm) = watch::channel(true);
    let stop = CancellationToken::new();
    let weather = Weather::storm(options.storm());
    let brokers = cluster.map(|cluster| {
        let faults = broker_faults::run(cluster.clone(), is_storm.clone(), weather, options.seed);
        tokio::spawn(faults)
    });
    let fleet = tokio::spawn(fleet.run(is_storm, weather, stop.clone()));
    let mut published = publish_in_storm(options, installation, &direct, &mut cast, &storm, changed).await?;
    println!(
        "chaos: {} events published, no more faults; waiting for what is left",
        published.len()
    );
    let outages = match brokers {
        Some(brokers) => brokers.await??,
        None => Outages::default(),
    };
    if cast::has_specials(options.endpoints) {
        published.extend(traffic::publish_late(installation, &cast, options.seed).await?);
    }
    let mut expected = traffic::expected(&cast, &published);
    let complete = settle(options, installation, &direct, &cast, &mut expected).await;
    stop.cancel();
    let toll: Toll = fleet.await??;
    show(&toll, outages);

    let changes = Changes::of(&toll, outages);
    let (lasting_duplicates, lasting_bound) = limits::lasting(&cast, changes);
    let bound = verdict::bound(&toll, outages, repeats.count().await?, options.max_in_flight);
    let mut summary = Summary {
        seed: options.seed,
        deliveries: options.deliveries,
        bound: bound + lasting_bound,
        lasting_duplicates,
        lasting_bound,
        broker_outages: outages.one + outages.all,
        ..Summary::default()
    };
    summary
        .violations
        .extend(complete.err().map(|error| format!("{error:#}")));
    summary.violations.extend(limits::exceeded(&cast, changes));
    verdict::judge(&mut summary, installation, &cast, &expected, &toll).await?;
    Ok(summary)
}

/// `brokers`: left out, those that everything in this process shares.
async fn install(options: &Options, brokers: Option<String>) -> anyhow::Result<Installation> {
    let mut settings = harness::Options::new("chaos")
        // Tries for about four minutes: nobody's patience may end while half of the processes are dead.
        .set(
            "delivery.retry_schedule_sec",
            "[1,1,1,2,2,2,4,4,8,8,16,16,16,16,16,16,16,32,32,32]",
        )
        .set("delivery.timeout_sec", "5")
        .set("egress.allow_networks", cast::ALLOWED)
        .set("dispatcher.max_in_flight", options.max_in_flight.to_string());
    if cast::has_specials(options.endpoints) {
        settings = settings
            .set("circuit.failures", "10")
            .set("circuit.min_sec", "3")
            .set("circuit.probe_sec", "[2]")
            .set("auto_disable.failures", "15")
            .set("dispatcher.max_buffered_bytes", MEMORY_BYTES)
            .set("otel.endpoint", NO_COLLECTOR)
            .set("auto_disable.without_success_sec", DISABLED_AFTER_SEC);
    }
    settings.brokers = brokers;
    Installation::start(settings).await
}

/// Until everything has come about: what arrives, what dies, and then what arrives because it is replayed.
async fn settle(
    options: &Options,
    installation: &Installation,
    direct: &Direct,
    cast: &Cast,
    expected: &mut Expected,
) -> anyhow::Result<()> {
    let come_about = async |expected: &Expected| {
        let (mut least, mut deadline) = (None, Instant::now() + options.calm);
        loop {
            let said = match missing(installation, cast, expected).await {
                Ok(None) => return Ok(()),
                Ok(Some(missing)) => {
                    if least.is_none_or(|least| missing.left < least) {
                        (least, deadline) = (Some(missing.left), Instant::now() + options.calm);
                    }
                    missing.said
                }
                // Brokers that have only just come back.
                Err(error) => format!("{error:#}"),
            };
            if Instant::now() > deadline {
                bail!("nothing more came about within {:?}: {said}", options.calm);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    come_about(expected).await?;
    recovery::run(installation, direct, cast, options.seed).await?;
    expected.recover(cast);
    come_about(expected).await
}

/// Publishes, while the ledger is edited, one endpoint is paused, and the receiver that is down comes up half way. The
/// storm ends with the last event: a change of the ledger may have to wait for that.
async fn publish_in_storm(
    options: &Options,
    installation: &Installation,
    direct: &Direct,
    cast: &mut Cast,
    storm: &watch::Sender<bool>,
    changed: watch::Sender<Instant>,
) -> anyhow::Result<Vec<Published>> {
    let edits_stop = CancellationToken::new();
    let edited = cast.members.iter().filter(|member| member.part.manner.is_edited());
    let ids = edited.map(|member| member.id.clone()).collect();
    let edits = tokio::spawn(ledger_edits::describe(direct.clone(), ids, changed, edits_stop.clone()));
    let is_pausable = |part: cast::Part| part.manner == Manner::Quick && !part.dedicated;
    let paused = cast.members.iter().find(|member| is_pausable(member.part));
    let paused = paused.context("too few endpoints for one to pause")?.id.clone();
    let half = Instant::now() + (options.storm() / 2).min(LONGEST_PAUSED);
    let up_at = Instant::now() + (options.storm() / 2).min(LONGEST_DOWN);
    let pausing = async {
        ledger_edits::set_status(direct, &paused, "paused").await?;
        tokio::time::sleep_until(half).await;
        ledger_edits::set_status(direct, &paused, "active").await
    };
    let mut down = std::mem::replace(&mut cast.down, harness::Receiver::down()?);
    let repairing = async {
        tokio::time::sleep_until(up_at).await;
        down.come_up().await
    };
    let over = CancellationToken::new();
    let publishing = async {
        let published = traffic::publish(installation, cast, options.deliveries, options.seed, options.storm()).await;
        storm.send_replace(false);
        over.cancel();
        published
    };
    let trouble = ledger_edits::trouble(direct, cast, options.storm(), &over);
    let (published, (), (), ()) = tokio::try_join!(publishing, pausing, repairing, trouble)?;
    cast.down = down;
    edits_stop.cancel();
    println!("chaos: {} changes of the ledger made", edits.await?);
    Ok(published)
}

/// Something that hasn't come about yet.
struct Missing {
    /// What is waited for, the last thing being 0, and how much of it.
    left: (u8, usize),
    said: String,
}

/// What hasn't come about yet. The log is only read when the receivers have everything.
async fn missing(installation: &Installation, cast: &Cast, expected: &Expected) -> anyhow::Result<Option<Missing>> {
    let of = |what, count, said| {
        Ok(Some(Missing {
            left: (what, count),
            said,
        }))
    };
    let late: Vec<_> = expected
        .arriving
        .iter()
        .filter(|(event, index)| !cast.members[*index].hook.has_delivered(event))
        .collect();
    if !late.is_empty() {
        let some = late.iter().take(5).map(|(event, index)| {
            let member = &cast.members[*index];
            format!("{event} for {} ({:?})", member.id, member.part)
        });
        let said = format!(
            "{} of {} have not arrived: {}",
            late.len(),
            expected.arriving.len(),
            some.collect::<Vec<_>>().join(", ")
        );
        return of(3, late.len(), said);
    }
    let dead = verdict::dead_letters(installation).await?;
    let buried = expected.dying.intersection(&dead).count();
    if buried < expected.dying.len() {
        let said = format!("{buried} of {} are dead letters", expected.dying.len());
        return of(2, expected.dying.len() - buried, said);
    }
    let logbook = installation.logbook().await?;
    let pending = logbook.count(harness::logbook::Outcome::Pending);
    if pending > 0 {
        return of(1, pending, format!("the log has {pending} deliveries unresolved"));
    }
    let differing = history::differences(installation, cast, &logbook).await?;
    match differing.first() {
        None => Ok(None),
        Some(first) => {
            let said = format!("the history differs in {}, such as {first}", differing.len());
            of(0, differing.len(), said)
        }
    }
}

fn show(toll: &Toll, outages: Outages) {
    let points: std::collections::BTreeSet<_> = toll.crashed.iter().map(|(_, point)| *point).collect();
    println!(
        "chaos: {} halted, {} ended in order; a broker was away {} times, all brokers {} times",
        toll.halted.len(),
        toll.ended.len(),
        outages.one,
        outages.all
    );
    println!(
        "chaos: {} killed, {} died at {} different crash points: {}",
        toll.killed.len(),
        toll.crashed.len(),
        points.len(),
        points.into_iter().collect::<Vec<_>>().join(", ")
    );
}
