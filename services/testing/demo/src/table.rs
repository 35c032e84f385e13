//! The live table: drawn over and over on a terminal, elsewhere a line every few seconds and the table once at the end.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::time::Duration;

use tokio::time::Instant;

use crate::stage::Stage;
use crate::watch::{Standing, Watch};

const REDRAW: Duration = Duration::from_millis(250);
const SAY: Duration = Duration::from_secs(3);

/// Shows how it stands until `is_done`, or until `timeout` has passed: then false.
pub async fn show_until(
    stage: &Stage,
    watch: &Watch,
    timeout: Duration,
    is_done: impl Fn(&Watch) -> bool,
) -> anyhow::Result<bool> {
    let begin = Instant::now();
    let terminal = std::io::stdout().is_terminal();
    let mut tick = tokio::time::interval(REDRAW);
    let mut drawn_lines = 0;
    let mut said = begin;
    loop {
        tick.tick().await;
        let done = is_done(watch);
        let over = done || begin.elapsed() > timeout;
        if terminal || over {
            let table = draw(stage, watch);
            let mut out = std::io::stdout().lock();
            if drawn_lines > 0 {
                write!(out, "\x1b[{drawn_lines}A\x1b[J")?;
            }
            // Without line wrap: a narrow window must not change how many lines there are.
            let (no_wrap, wrap) = if terminal { ("\x1b[?7l", "\x1b[?7h") } else { ("", "") };
            write!(out, "{no_wrap}{table}{wrap}")?;
            out.flush()?;
            drawn_lines = table.lines().count();
        } else if said.elapsed() > SAY {
            said = Instant::now();
            println!("  {:>3} s  {}", begin.elapsed().as_secs(), summary(&watch.standings()));
        }
        if over {
            return Ok(done);
        }
    }
}

fn summary(standings: &[Standing]) -> String {
    let sum = |of: fn(&Standing) -> usize| standings.iter().map(of).sum::<usize>();
    format!(
        "{} of {} delivered, {} waiting, {} dead, {} requests made",
        sum(|standing| standing.delivered),
        sum(|standing| standing.expected),
        sum(Standing::waiting),
        sum(|standing| standing.dead),
        sum(|standing| standing.tally.requests),
    )
}

fn draw(stage: &Stage, watch: &Watch) -> String {
    let standings = watch.standings();
    let mut table = format!(
        "  {:<11}{:<28}{:<10}{:>9}{:>10}{:>8}{:>6}{:>9}\n",
        "endpoint", "what it does", "topic", "expected", "delivered", "waiting", "dead", "requests"
    );
    for (endpoint, standing) in stage.endpoints.iter().zip(&standings) {
        let plan = &endpoint.plan;
        let topic = if plan.has_own_topic() { "its own" } else { "lanes" };
        writeln!(
            table,
            "  {:<11}{:<28}{:<10}{:>9}{:>10}{:>8}{:>6}{:>9}",
            plan.name,
            plan.shows,
            topic,
            standing.expected,
            standing.delivered,
            standing.waiting(),
            standing.dead,
            standing.tally.requests
        )
        .expect("a String takes everything");
    }
    writeln!(
        table,
        "  {}; {} records rejected",
        summary(&standings),
        watch.rejected()
    )
    .expect("a String takes everything");
    table
}
