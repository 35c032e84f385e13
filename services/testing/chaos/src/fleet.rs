//! The processes of a run: killed, halted for longer than their sessions and asked to end, all at random moments; started
//! again, some of them with a crash point to die at.

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
use crate::faults::{Fault, Faults};
use crate::weather::Weather;

const BEAT: Duration = Duration::from_millis(50);
/// How long a process that is to die at its crash point is left alone.
const ARMED_PATIENCE: Duration = Duration::from_secs(12);
/// Clerks are left alone once nobody has changed the ledger for so long, until somebody has: a takeover takes a session
/// and more, and on a busy machine none would live through it.
const CLERKLESS_PATIENCE: Duration = Duration::from_secs(20);
/// For the end that SIGTERM asks for: a drain takes at most `delivery.timeout_sec` + 5.
const END_PATIENCE: Duration = Duration::from_secs(40);
const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Clerk,
    Fanout,
    Dispatcher,
    Scheduler,
    History,
}

pub(crate) const DISPATCHERS: usize = 3;

const ROLES: [(Role, &str, usize, &[&str]); 5] = [
    (Role::Clerk, "api", 2, crash_points::CLERK),
    (Role::Fanout, "fanout", 2, crash_points::FANOUT),
    (Role::Dispatcher, "dispatcher", DISPATCHERS, crash_points::DISPATCHER),
    (Role::Scheduler, "scheduler", 2, crash_points::SCHEDULER),
    // One: its database is a file.
    (Role::History, "history", 1, crash_points::PROJECTION),
];

/// What was done to the processes, and what became of them.
#[derive(Debug, Default, Clone)]
pub(crate) struct Toll {
    /// By SIGKILL from here, by role.
    pub(crate) killed: Vec<Role>,
    /// At which crash points.
    pub(crate) crashed: Vec<(Role, &'static str)>,
    /// Stood still for longer than their sessions.
    pub(crate) halted: Vec<Role>,
    /// Ended in order when they were asked to.
    pub(crate) ended: Vec<Role>,
    /// Ended by themselves, or not as they must, which none may: what each said last.
    pub(crate) unasked: Vec<String>,
}

impl Toll {
    pub(crate) fn count(&self) -> usize {
        self.killed.len() + self.crashed.len()
    }

    /// Of this role that died or stood still.
    pub(crate) fn of(&self, role: Role) -> usize {
        let crashed = self.crashed.iter().map(|(role, _)| role);
        let all = self.killed.iter().chain(&self.halted).chain(crashed);
        all.filter(|harmed| **harmed == role).count()
    }
}

struct Member {
    process: Process,
    role: Role,
    /// Dead, and to be started at this time.
    start_at: Option<Instant>,
    /// Halted until then.
    resume_at: Option<Instant>,
    /// Asked to end at this time, and how long it stays away.
    ending: Option<(Instant, Duration)>,
    /// Where it is to die, since when.
    armed: Option<(&'static str, Instant)>,
}

pub(crate) struct Fleet {
    members: Vec<Member>,
    random: StdRng,
    /// Next crash point of each role, by number.
    next_points: [usize; ROLES.len()],
    faults: Faults,
    brokers_die: bool,
    next_fault_at: Instant,
    /// When the ledger was last changed.
    ledger_changed: watch::Receiver<Instant>,
    toll: Toll,
}

impl Fleet {
    /// Starts every process and waits until all are ready.
    pub(crate) async fn start(
        installation: &Installation,
        seed: u64,
        faults: Faults,
        brokers_die: bool,
        ledger_changed: watch::Receiver<Instant>,
    ) -> anyhow::Result<Self> {
        let mut members = Vec::new();
        for (role, name, count, _) in ROLES {
            for number in 1..=count {
                members.push(Member {
                    process: installation.start_process(&format!("{name}-{number}"), &[name], &[])?,
                    role,
                    start_at: None,
                    resume_at: None,
                    ending: None,
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
            faults,
            brokers_die,
            next_fault_at: Instant::now(),
            ledger_changed,
            toll: Toll::default(),
        })
    }

    /// Does harm while `storm` is true and it blows, and starts again what is dead until `stop`.
    pub(crate) async fn run(
        mut self,
        storm: watch::Receiver<bool>,
        weather: Weather,
        stop: CancellationToken,
    ) -> anyhow::Result<Toll> {
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(beats.tick()).await.is_some() {
            let is_storm = *storm.borrow() && weather.blows();
            self.tend(is_storm).await?;
            if is_storm && Instant::now() >= self.next_fault_at {
                self.harm_one().await?;
            }
        }
        Ok(self.toll)
    }

    /// Notes who died, and starts again whose time has come.
    async fn tend(&mut self, is_storm: bool) -> anyhow::Result<()> {
        for index in 0..self.members.len() {
            let member = &mut self.members[index];
            if member.process.is_running()? {
                self.tend_running(index, is_storm).await?;
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

    async fn tend_running(&mut self, index: usize, is_storm: bool) -> anyhow::Result<()> {
        let member = &mut self.members[index];
        if member.resume_at.is_some_and(|at| !is_storm || Instant::now() >= at) {
            println!("chaos: SIGCONT {}", member.process.name());
            member.process.resume()?;
            member.resume_at = None;
        }
        if member.ending.is_some_and(|(since, _)| since.elapsed() > END_PATIENCE) {
            let said = format!("{} doesn't end\n{}", member.process.name(), member.process.log_tail());
            println!("chaos: {said}");
            self.toll.unasked.push(said);
            member.process.kill9().await?;
            member.ending = None;
            self.toll.killed.push(member.role);
            self.stays_away(index);
        }
        Ok(())
    }

    /// It ended without being killed from here: as it was asked to, at its crash point, or as none may.
    async fn note_end(&mut self, index: usize) -> anyhow::Result<()> {
        let member = &mut self.members[index];
        let status = member.process.end().await?;
        match (member.ending.take(), member.armed.take()) {
            // The signal itself ends one that isn't listening for it yet.
            (Some((_, away)), _) if status.success() || status.signal() == Some(SIGTERM) => {
                self.toll.ended.push(member.role);
                member.start_at = Some(Instant::now() + away);
                return Ok(());
            }
            // Without brokers it leaves what is under way, as if it had been killed.
            (Some(_), _) if self.brokers_die && status.code() == Some(1) => {
                println!("chaos: {} ended without its brokers", member.process.name());
                self.toll.killed.push(member.role);
            }
            (_, Some((point, _))) if status.signal() == Some(SIGKILL) => {
                println!("chaos: {} died at {point}", member.process.name());
                self.toll.crashed.push((member.role, point));
            }
            _ => {
                let said = format!(
                    "{} ended with {status}\n{}",
                    member.process.name(),
                    member.process.log_tail()
                );
                println!("chaos: {said}");
                self.toll.unasked.push(said);
            }
        }
        self.stays_away(index);
        Ok(())
    }

    /// It is started again after a moment.
    fn stays_away(&mut self, index: usize) {
        let pause = Duration::from_millis(self.random.random_range(0..1500));
        self.members[index].start_at = Some(Instant::now() + pause);
    }

    /// Every second one gets a crash point, each in its turn, to die at one of its first times there.
    async fn start_again(&mut self, index: usize, is_storm: bool) -> anyhow::Result<()> {
        let is_spared = self.is_spared(self.members[index].role);
        let member = &mut self.members[index];
        let (row, (.., points)) = ROLES
            .iter()
            .enumerate()
            .find(|(_, (role, ..))| *role == member.role)
            .expect("ROLES has every role");
        member.start_at = None;
        if !is_storm || is_spared || self.random.random_bool(0.5) {
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

    fn is_spared(&self, role: Role) -> bool {
        role == Role::Clerk && self.ledger_changed.borrow().elapsed() > CLERKLESS_PATIENCE
    }

    async fn harm_one(&mut self) -> anyhow::Result<()> {
        self.next_fault_at = Instant::now() + Duration::from_millis(self.random.random_range(800..2500));
        let can_be_harmed = |member: &Member| {
            let waits_for_its_point = member.armed.is_some_and(|(_, since)| since.elapsed() < ARMED_PATIENCE);
            let is_free = member.start_at.is_none() && member.resume_at.is_none() && member.ending.is_none();
            is_free && !waits_for_its_point && !self.is_spared(member.role)
        };
        let free: Vec<_> = (0..self.members.len())
            .filter(|index| can_be_harmed(&self.members[*index]))
            .collect();
        let Some(&index) = free.choose(&mut self.random) else {
            return Ok(());
        };
        let Some(fault) = self.faults.choose(&mut self.random) else {
            return Ok(());
        };
        let member = &mut self.members[index];
        if !member.process.is_running()? {
            // It died just now, by itself: that is noted at the next beat.
            return Ok(());
        }
        println!("chaos: {fault} {}", member.process.name());
        match fault {
            Fault::Kill => {
                member.armed = None;
                member.process.kill9().await?;
                self.toll.killed.push(member.role);
                self.stays_away(index);
            }
            Fault::Halt(length) => {
                member.process.halt()?;
                self.toll.halted.push(member.role);
                member.resume_at = Some(Instant::now() + length);
            }
            Fault::End(away) => {
                member.process.ask_to_end()?;
                member.ending = Some((Instant::now(), away));
            }
        }
        Ok(())
    }
}
