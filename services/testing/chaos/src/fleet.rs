//! The processes of a run: killed at random moments, started again, some of them with a crash point to die at.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use harness::{Installation, Process};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::crash_points;

const BEAT: Duration = Duration::from_millis(50);
/// How long a process that is to die at its crash point is left alone.
const ARMED_PATIENCE: Duration = Duration::from_secs(12);
const SIGKILL: i32 = 9;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Clerk,
    Fanout,
    Dispatcher,
    Scheduler,
}

const ROLES: [(Role, &str, usize, &[&str]); 4] = [
    (Role::Clerk, "api", 2, crash_points::CLERK),
    (Role::Fanout, "fanout", 2, crash_points::FANOUT),
    (Role::Dispatcher, "dispatcher", 3, crash_points::DISPATCHER),
    (Role::Scheduler, "scheduler", 2, crash_points::SCHEDULER),
];

/// What became of the processes.
#[derive(Debug, Default, Clone)]
pub(crate) struct Deaths {
    /// By SIGKILL from here, by role.
    pub(crate) killed: Vec<Role>,
    /// At which crash points.
    pub(crate) crashed: Vec<(Role, &'static str)>,
    /// Ended by themselves, which none may: what each said last.
    pub(crate) unasked: Vec<String>,
}

impl Deaths {
    pub(crate) fn count(&self) -> usize {
        self.killed.len() + self.crashed.len()
    }

    pub(crate) fn of(&self, role: Role) -> usize {
        let crashed = self.crashed.iter().map(|(role, _)| role);
        self.killed.iter().chain(crashed).filter(|died| **died == role).count()
    }
}

struct Member {
    process: Process,
    role: Role,
    /// Dead, and to be started at this time.
    start_at: Option<Instant>,
    /// Where it is to die, since when.
    armed: Option<(&'static str, Instant)>,
}

pub(crate) struct Fleet {
    members: Vec<Member>,
    random: StdRng,
    /// Next crash point of each role, by number.
    next_points: [usize; ROLES.len()],
    kill_at: Instant,
    deaths: Deaths,
}

impl Fleet {
    /// Starts every process and waits until all are ready.
    pub(crate) async fn start(installation: &Installation, seed: u64) -> anyhow::Result<Self> {
        let mut members = Vec::new();
        for (role, name, count, _) in ROLES {
            for number in 1..=count {
                members.push(Member {
                    process: installation.start_process(&format!("{name}-{number}"), &[name], &[])?,
                    role,
                    start_at: None,
                    armed: None,
                });
            }
        }
        for member in &mut members {
            member.process.ready().await?;
        }
        Ok(Self {
            members,
            random: StdRng::seed_from_u64(seed),
            next_points: [0; ROLES.len()],
            kill_at: Instant::now(),
            deaths: Deaths::default(),
        })
    }

    /// Kills while `storm` is true, and starts again what is dead until `stop`.
    pub(crate) async fn run(mut self, storm: watch::Receiver<bool>, stop: CancellationToken) -> anyhow::Result<Deaths> {
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(beats.tick()).await.is_some() {
            let is_storm = *storm.borrow();
            self.tend(is_storm).await?;
            if is_storm && Instant::now() >= self.kill_at {
                self.kill_one().await?;
            }
        }
        Ok(self.deaths)
    }

    /// Notes who died, and starts again whose time has come.
    async fn tend(&mut self, is_storm: bool) -> anyhow::Result<()> {
        for index in 0..self.members.len() {
            let member = &mut self.members[index];
            if member.process.is_running()? {
                continue;
            }
            let Some(start_at) = member.start_at else {
                self.note_end(index).await?;
                continue;
            };
            if !is_storm || Instant::now() >= start_at {
                self.start_again(index, is_storm).await?;
            }
        }
        Ok(())
    }

    /// It ended without being killed from here: at its crash point, or as none may.
    async fn note_end(&mut self, index: usize) -> anyhow::Result<()> {
        let member = &mut self.members[index];
        let status = member.process.end().await?;
        match member.armed.take() {
            Some((point, _)) if status.signal() == Some(SIGKILL) => {
                println!("chaos: {} died at {point}", member.process.name());
                self.deaths.crashed.push((member.role, point));
            }
            _ => {
                let said = format!(
                    "{} ended with {status}\n{}",
                    member.process.name(),
                    member.process.log_tail()
                );
                println!("chaos: {said}");
                self.deaths.unasked.push(said);
            }
        }
        self.note_death(index);
        Ok(())
    }

    /// It is started again after a moment.
    fn note_death(&mut self, index: usize) {
        let pause = Duration::from_millis(self.random.random_range(0..1500));
        self.members[index].start_at = Some(Instant::now() + pause);
    }

    /// Every second one gets a crash point, each in its turn, to die at one of its first times there.
    async fn start_again(&mut self, index: usize, is_storm: bool) -> anyhow::Result<()> {
        let member = &mut self.members[index];
        let (row, (.., points)) = ROLES
            .iter()
            .enumerate()
            .find(|(_, (role, ..))| *role == member.role)
            .expect("ROLES has every role");
        member.start_at = None;
        if !is_storm || self.random.random_bool(0.5) {
            member.armed = None;
            return member.process.restart(&[]).await;
        }
        let point = points[self.next_points[row] % points.len()];
        self.next_points[row] += 1;
        // A new clerk reads the ledger once.
        let most = if member.role == Role::Clerk { 1 } else { 4 };
        let at = format!("{point}:{}", self.random.random_range(1..=most));
        member.armed = Some((point, Instant::now()));
        member.process.restart(&[("HOOKLINE_CRASH_AT", &at)]).await
    }

    async fn kill_one(&mut self) -> anyhow::Result<()> {
        self.kill_at = Instant::now() + Duration::from_millis(self.random.random_range(800..2500));
        let may_be_killed = |member: &Member| {
            let waits_for_its_point = member.armed.is_some_and(|(_, since)| since.elapsed() < ARMED_PATIENCE);
            member.start_at.is_none() && !waits_for_its_point
        };
        let alive: Vec<_> = (0..self.members.len())
            .filter(|index| may_be_killed(&self.members[*index]))
            .collect();
        let Some(&index) = alive.choose(&mut self.random) else {
            return Ok(());
        };
        let member = &mut self.members[index];
        if !member.process.is_running()? {
            // It died just now, by itself: that is noted at the next beat.
            return Ok(());
        }
        println!("chaos: SIGKILL {}", member.process.name());
        member.process.kill9().await?;
        member.armed = None;
        self.deaths.killed.push(member.role);
        self.note_death(index);
        Ok(())
    }
}
