//! Crash points: named places, each between an acknowledgement and a commit, where a build with debug assertions kills
//! its own process when `HOOKLINE_CRASH_AT` says so. In release builds there is nothing.

/// Kills this process with SIGKILL, at once and without any cleaning up, when `HOOKLINE_CRASH_AT` is `name`, or
/// `name:n` and this is the n-th time (from 1) that the place is reached.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn crash_point(_name: &str) {}

/// Kills this process with SIGKILL, at once and without any cleaning up, when `HOOKLINE_CRASH_AT` is `name`, or
/// `name:n` and this is the n-th time (from 1) that the place is reached.
#[cfg(debug_assertions)]
pub fn crash_point(name: &str) {
    armed::reach(name);
}

#[cfg(debug_assertions)]
mod armed {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[derive(Debug, PartialEq, Eq)]
    pub(super) struct Target {
        pub name: String,
        /// From 1.
        pub time: u64,
    }

    /// `None` for a variable that is empty or whose number isn't one.
    pub(super) fn parse(value: &str) -> Option<Target> {
        let (name, time) = match value.rsplit_once(':') {
            Some((name, time)) => (name, time.parse().ok().filter(|time| *time > 0)?),
            None => (value, 1),
        };
        (!name.is_empty()).then(|| Target {
            name: name.to_owned(),
            time,
        })
    }

    pub(super) fn reach(name: &str) {
        static TARGET: OnceLock<Option<Target>> = OnceLock::new();
        static REACHED: AtomicU64 = AtomicU64::new(0);
        let target = TARGET.get_or_init(|| {
            let value = std::env::var("HOOKLINE_CRASH_AT").ok()?;
            let target = parse(&value);
            if target.is_none() {
                tracing::warn!(
                    value,
                    "HOOKLINE_CRASH_AT is ignored: it must be a crash point's name, or name:n"
                );
            }
            target
        });
        let Some(target) = target else { return };
        if target.name == name && REACHED.fetch_add(1, Ordering::SeqCst) + 1 == target.time {
            // Nothing after this line may run: the test is about exactly what was done before it.
            kill(Pid::this(), Signal::SIGKILL).expect("a process may always signal itself");
            loop {
                std::thread::park();
            }
        }
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    #[test]
    fn reads_a_name_and_a_time() {
        let target = |name: &str, time| {
            Some(armed::Target {
                name: name.into(),
                time,
            })
        };
        assert_eq!(armed::parse("fanout.produced"), target("fanout.produced", 1));
        assert_eq!(armed::parse("fanout.produced:3"), target("fanout.produced", 3));
        assert_eq!(
            (
                armed::parse(""),
                armed::parse("a:0"),
                armed::parse("a:x"),
                armed::parse(":1")
            ),
            (None, None, None, None)
        );
    }

    /// Not a test of its own: what the ones below run in a process of its own, by its exact name.
    #[test]
    #[ignore = "it is the child of the tests below"]
    fn child() {
        for time in 1..=3 {
            crash_point("other");
            crash_point("here");
            println!("passed {time}");
        }
    }

    fn run_child(crash_at: Option<&str>) -> (Option<i32>, usize) {
        let mut command = Command::new(std::env::current_exe().expect("a test knows its binary"));
        command
            .args(["--exact", "crash::tests::child", "--ignored", "--nocapture"])
            .env_remove("HOOKLINE_CRASH_AT");
        if let Some(value) = crash_at {
            command.env("HOOKLINE_CRASH_AT", value);
        }
        let output = command.output().expect("the test binary runs");
        (
            output.status.signal(),
            String::from_utf8_lossy(&output.stdout).matches("passed").count(),
        )
    }

    #[test]
    fn kills_at_the_named_place_the_first_time() {
        assert_eq!(run_child(Some("here")), (Some(9), 0));
    }

    #[test]
    fn kills_at_the_nth_time() {
        assert_eq!(run_child(Some("here:3")), (Some(9), 2));
    }

    #[test]
    fn does_nothing_elsewhere_or_unasked() {
        assert_eq!(run_child(Some("here:4")).0, None);
        assert_eq!(run_child(Some("nowhere")).0, None);
        assert_eq!(run_child(None).0, None);
    }
}
