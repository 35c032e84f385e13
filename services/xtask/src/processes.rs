//! Child processes that end with xtask, and signals that reach them. A child runs in a process group of its own: Ctrl-C
//! comes to xtask, which hands it on and cleans up when the child is gone.

use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use brokers::Reaper;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long an interrupted child may take to end what it started itself.
const GRACE: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct State {
    /// The process group that a signal is handed to.
    group: Option<Pid>,
    signals: u32,
}

static STATE: Mutex<State> = Mutex::new(State {
    group: None,
    signals: 0,
});
static CHANGED: Condvar = Condvar::new();

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on SIGINT, SIGTERM and SIGHUP end the running child instead of xtask; the third of them ends xtask at once
/// (reapers still end what it started).
pub(crate) fn handle_signals() -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot handle signals")?;
    std::thread::spawn(move || {
        for number in signals.forever() {
            let mut state = state();
            state.signals += 1;
            if state.signals >= 3 {
                std::process::exit(130);
            }
            if let (Some(group), Ok(signal)) = (state.group, Signal::try_from(number)) {
                // The group may have ended by itself meanwhile.
                let _ = killpg(group, signal);
            }
            CHANGED.notify_all();
            if state.signals == 1 {
                std::thread::spawn(kill_what_stays);
            }
        }
    });
    Ok(())
}

/// Something in the group may ignore signals, and hold the pipe that xtask reads.
fn kill_what_stays() {
    let waiting = CHANGED.wait_timeout_while(state(), GRACE, |state| state.group.is_some());
    let (state, _) = waiting.unwrap_or_else(PoisonError::into_inner);
    if let Some(group) = state.group {
        let _ = killpg(group, Signal::SIGKILL);
    }
}

/// An error once a signal has come: for between the steps of a task.
pub(crate) fn fail_if_interrupted() -> anyhow::Result<()> {
    if state().signals > 0 {
        bail!("interrupted");
    }
    Ok(())
}

/// Blocks until a signal comes.
pub(crate) fn wait_for_signal() {
    let mut state = state();
    while state.signals == 0 {
        state = CHANGED.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
}

/// A running child, killed with its group when this is dropped before [`Running::wait`].
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) child: Child,
    reaper: Reaper,
}

impl Running {
    /// Starts `command` in a group of its own, without standard input.
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        use std::os::unix::process::CommandExt;
        let reaper = Reaper::start(&[])?;
        // Held over the start: a signal comes either before it, or when the group is known.
        let mut state = state();
        if state.signals > 0 {
            bail!("interrupted");
        }
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot run {}", command.get_program().display()))?;
        let group = child.id().cast_signed();
        state.group = Some(Pid::from_raw(group));
        drop(state);
        let running = Self { child, reaper };
        running.reaper.watch(-group)?;
        Ok(running)
    }

    /// Waits for the child; what it left running in its group is killed.
    pub(crate) fn wait(mut self) -> anyhow::Result<ExitStatus> {
        let status = self.child.wait()?;
        state().group = None;
        CHANGED.notify_all();
        fail_if_interrupted()?;
        Ok(status)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = killpg(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGKILL);
        let _ = self.child.wait();
        let _ = self.reaper.forget(-self.child.id().cast_signed());
    }
}

/// Runs `command` to its end; a failure is a status, not an error.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<ExitStatus> {
    Running::start(command)?.wait()
}

/// The exit code of a task that is the run of one program.
pub(crate) fn exit_code(status: ExitStatus) -> ExitCode {
    match status.code() {
        Some(0) => ExitCode::SUCCESS,
        Some(code) => u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from),
        None => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    //! Children that end by themselves, and children that are ended.
    use super::*;

    #[test]
    fn the_exit_status_comes_back() {
        let status = run(Command::new("sh").args(["-c", "exit 7"])).expect("sh can be run");
        assert_eq!(status.code(), Some(7));
        assert_eq!(format!("{:?}", exit_code(status)), format!("{:?}", ExitCode::from(7)));
    }

    #[test]
    fn dropping_ends_the_child_and_what_it_started() {
        let mut command = Command::new("sh");
        let mut running = Running::start(command.args(["-c", "sleep 1000 & echo; wait"]).stdout(Stdio::piped()))
            .expect("sh can be run");
        let mut output = running.child.stdout.take().expect("it is piped");
        std::io::Read::read_exact(&mut output, &mut [0]).expect("the shell has started its own child");
        drop(running);
        // The end of the pipe: nobody is left who could write to it.
        std::io::Read::read_to_end(&mut output, &mut Vec::new()).expect("the pipe can be read");
    }
}
