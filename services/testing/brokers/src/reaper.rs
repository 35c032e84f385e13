//! Ends processes and removes what they leave when the process that started them is gone, whatever ended it: a return,
//! a panic, Ctrl-C, SIGKILL. Not a supervisor: it restarts nothing.
//!
//! A small shell waits on a pipe whose other end only this process holds. The kernel closes that end when the process
//! dies, which needs no signal handler and doesn't depend on which thread started what.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::Context;

/// Reads `add`/`del` lines until the pipe ends, then kills what is left and runs its arguments as the last command.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
pids=
while read -r verb pid; do
    case $verb in
        add) pids="$pids $pid" ;;
        del) kept=; for p in $pids; do [ "$p" = "$pid" ] || kept="$kept $p"; done; pids=$kept ;;
    esac
done
for p in $pids; do kill -s KILL -- "$p" 2>/dev/null; done
[ $# -eq 0 ] && exit 0
"$@" || { sleep 1; "$@"; }
"#;

/// Watches processes on behalf of this one. Dropping it ends them and runs the last command, and waits for that.
#[derive(Debug)]
pub struct Reaper {
    shell: Child,
    pipe: Mutex<Option<ChildStdin>>,
}

impl Reaper {
    /// `last_command` (may be empty) runs once, after everything watched was killed.
    pub fn start(last_command: &[OsString]) -> anyhow::Result<Self> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "hookline-reaper"])
            .args(last_command)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start /bin/sh, which ends brokers when this process dies")?;
        let pipe = shell.stdin.take();
        Ok(Self {
            shell,
            pipe: Mutex::new(pipe),
        })
    }

    /// Kills `pid` when this process is gone; a negative number means the whole process group.
    pub fn watch(&self, pid: i32) -> anyhow::Result<()> {
        self.tell("add", pid)
    }

    /// Forgets `pid`, which has ended and may come to name another process.
    pub fn forget(&self, pid: i32) -> anyhow::Result<()> {
        self.tell("del", pid)
    }

    fn tell(&self, verb: &str, pid: i32) -> anyhow::Result<()> {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        let pipe = pipe.as_mut().context("the reaper has been ended already")?;
        // One write a line: lines from several threads don't mix.
        pipe.write_all(format!("{verb} {pid}\n").as_bytes())
            .context("the reaper is gone: somebody killed the shell `hookline-reaper`")
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        drop(self.pipe.lock().unwrap_or_else(PoisonError::into_inner).take());
        // A reaper that cannot be waited for still does its work by itself.
        let _ = self.shell.wait();
    }
}
