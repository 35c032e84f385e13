//! The HTTP API: how many endpoints a second are made and read through one replica and through three, and how many events
//! a second are published by it, beside what a plain Kafka producer makes of the same records in turns.

mod publishing;
mod replicas;

use std::process::ExitCode;
use std::time::Duration;

use publishing::Publishing;
use replicas::Replicas;

use crate::load::Load;
use crate::results::{self, Run};

/// Of the cases in which there are several.
const REPLICAS: usize = 3;
/// Of the last line's rate, and of its latencies.
const MANY_CLIENTS: usize = 64;
const ONE_CLIENT: usize = 1;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How long each case is measured
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Clients at once, each of which waits for an answer before it asks again
    #[arg(long, value_delimiter = ',', default_value = "1,8,64")]
    clients: Vec<usize>,
    /// Turns of API and plain producer
    #[arg(long, default_value_t = 3)]
    turns: usize,
    #[command(flatten)]
    results: results::Output,
}

/// One case of making or reading endpoints.
struct Case {
    what: &'static str,
    replicas: usize,
    clients: usize,
    load: Load,
}

/// Runs it, prints and writes the report.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let run = Run::begin("api");
    let time = Duration::from_secs(options.seconds);
    let mut replicas = Replicas::start().await?;
    let mut cases = endpoints(&replicas, &options).await?;
    let publishing = Publishing::measure(&replicas, options.turns, time).await?;
    replicas.grow(REPLICAS).await?;
    cases.extend(endpoints(&replicas, &options).await?);
    // Last: each leaves a topic behind.
    let load = replicas.create(ONE_CLIENT, "dedicated", time).await?;
    cases.push(Case {
        what: "create, with a topic of its own",
        replicas: REPLICAS,
        clients: ONE_CLIENT,
        load,
    });
    replicas.end().await?;

    let line = last_line(&cases, &publishing);
    let body = format!(
        "{}\n{}\n`{line}`\n\nEach client waits for an answer before it asks again, for {} s a case, after a tenth of that which isn't counted. A new\nendpoint is in the lanes unless the case says otherwise; tenants have one client each. The plain producer has `acks=all`,\nis idempotent, writes the same records to the same topic, and waits as the API's clients do: {}.\nRatios are the API's rate by that of the same turn. Clients, replicas and Kafka share the cores; processor time is that of\nall replicas. In the last line: creates a second of {MANY_CLIENTS} clients and latencies of one, through one replica.\n",
        table(&cases),
        publishing.table(),
        options.seconds,
        publishing::WAITING,
    );
    println!("{body}");
    let path = run.write(&options.results, &body)?;
    eprintln!("written to {}", path.display());
    println!("{line}");
    Ok(ExitCode::SUCCESS)
}

/// Makes and reads endpoints through as many replicas as there are.
async fn endpoints(replicas: &Replicas, options: &Options) -> anyhow::Result<Vec<Case>> {
    let time = Duration::from_secs(options.seconds);
    let mut cases = Vec::new();
    for &clients in &options.clients {
        let mut add = |what, load: Load| {
            let case = Case {
                what,
                replicas: replicas.count(),
                clients,
                load,
            };
            eprintln!("{}", row(&case).trim_end());
            cases.push(case);
        };
        add("create", replicas.create(clients, "shared", time).await?);
        add("get", replicas.get(clients, time).await?);
    }
    Ok(cases)
}

fn table(cases: &[Case]) -> String {
    let head = "| endpoints | replicas | clients | a second | p50 ms | p99 ms | most ms | CPU us each |\n|---|---|---|---|---|---|---|---|\n";
    head.to_owned() + &cases.iter().map(row).collect::<String>()
}

fn row(case: &Case) -> String {
    let Case {
        what,
        replicas,
        clients,
        load,
    } = case;
    format!(
        "| {what} | {replicas} | {clients} | {:.0} | {:.1} | {:.1} | {:.1} | {:.0} |\n",
        load.per_second(),
        load.percentile_ms(50),
        load.percentile_ms(99),
        load.percentile_ms(100),
        load.cpu_each_us(),
    )
}

/// For scripts; `-` for what wasn't measured.
fn last_line(cases: &[Case], publishing: &Publishing) -> String {
    let creates = |clients| {
        cases
            .iter()
            .find(move |case| case.what == "create" && case.replicas == 1 && case.clients == clients)
            .map(|case| &case.load)
    };
    let text = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
    format!(
        "api: creates_per_sec={} create_p50_ms={} create_p99_ms={} events_ratio_single={:.2} events_ratio_batch={:.2}",
        text(creates(MANY_CLIENTS).map(Load::per_second)),
        text(creates(ONE_CLIENT).map(|load| load.percentile_ms(50))),
        text(creates(ONE_CLIENT).map(|load| load.percentile_ms(99))),
        publishing.ratio_single(),
        publishing.ratio_batch(),
    )
}
