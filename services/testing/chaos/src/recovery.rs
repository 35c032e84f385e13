//! After the storm: who was disabled for failing, whether its tenant was told, and the one that is mended: enabled again,
//! its dead letters replayed by a command that dies once on its way.

use std::time::Duration;

use anyhow::ensure;
use harness::{Answer, Behaviour, Direct, Installation, until};

use crate::cast::Cast;
use crate::crash_points;
use crate::manner::{Fate, Manner};

const PATIENCE: Duration = Duration::from_secs(120);

/// Until everything is asked for: it arrives after that.
pub(crate) async fn run(installation: &Installation, direct: &Direct, cast: &Cast, seed: u64) -> anyhow::Result<()> {
    if cast.witnesses.is_empty() {
        return Ok(());
    }
    until("who fails is disabled, and its tenant told", PATIENCE, async || {
        let told = told(direct, cast).await.map_err(|error| format!("{error:#}"))?;
        println!("chaos: {told} endpoints were disabled for their failures, and their tenants told");
        Ok(())
    })
    .await?;
    for member in cast.of_fate(|fate| fate == Fate::Recover) {
        member.hook.behave(Behaviour::always(Answer::ok()));
        until("it is enabled again", PATIENCE, async || {
            let enable = ["endpoint", "update", &member.id, "--direct", "--status", "active"];
            let enabled = installation.hookline(enable).await;
            enabled.map(drop).map_err(|error| format!("{error:#}"))
        })
        .await?;
        let replay = ["dlq", "replay", "--endpoint", &member.id];
        let point = crash_points::REPLAY[seed as usize % crash_points::REPLAY.len()];
        let killed = installation.run(&replay, &[("HOOKLINE_CRASH_AT", point)]).await?;
        println!(
            "chaos: a replay ended at {point} with {}, and is run again",
            killed.status
        );
        ensure!(!killed.status.success(), "the replay didn't come to {point}");
        installation.hookline(replay).await?;
    }
    Ok(())
}

/// How many are disabled: those that must be among them, and each announced to its tenant's witness.
async fn told(direct: &Direct, cast: &Cast) -> anyhow::Result<usize> {
    let view = direct.ledger().barrier().await?;
    for member in cast.of_manner(Manner::Failing) {
        let status = view.endpoint(&member.id).map(|endpoint| endpoint.status.as_str());
        ensure!(status == Some("auto_disabled"), "{} is {status:?}", member.id);
    }
    let mut count = 0;
    for witness in &cast.witnesses {
        let heard = witness.hook.delivered();
        let disabled = view.endpoints_of(&witness.tenant);
        for endpoint in disabled.filter(|endpoint| endpoint.status == "auto_disabled") {
            let begin = format!("evt_auto_disabled_{}_", endpoint.id);
            let is_told = heard.iter().any(|event| event.starts_with(&begin));
            ensure!(is_told, "nobody was told of {}", endpoint.id);
            count += 1;
        }
    }
    Ok(count)
}
