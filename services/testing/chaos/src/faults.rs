//! What is done to a process, and how often which. Who it is done to is the fleet's business.

use std::fmt;
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;

/// Longer than a session (6 s): whoever stands still for that has lost what it owned.
const HALT_MS: std::ops::Range<u64> = 7_000..12_000;
/// One in five for much longer.
const LONG_HALT: Duration = Duration::from_secs(30);
/// How long it is away that was asked to end: a rolling restart, or a member that leaves and joins.
const RESTART_MS: std::ops::Range<u64> = 0..200;
const AWAY_MS: std::ops::Range<u64> = 3_000..10_000;

/// What is done to one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// SIGKILL.
    Kill,
    /// SIGSTOP, and SIGCONT after this time.
    Halt(Duration),
    /// SIGTERM; it is started again this long after it has ended.
    End(Duration),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill => write!(f, "SIGKILL"),
            Self::Halt(length) => write!(f, "SIGSTOP for {:.1} s", length.as_secs_f64()),
            Self::End(away) => write!(f, "SIGTERM, {:.1} s away,", away.as_secs_f64()),
        }
    }
}

/// Which faults there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Faults {
    /// None to processes, for runs whose brokers die.
    None,
    /// SIGKILL alone.
    Kills,
    /// Kills, halts, rolling restarts, leaving and joining.
    All,
}

impl Faults {
    pub(crate) fn choose(self, random: &mut StdRng) -> Option<Fault> {
        let mut ms = |range| Duration::from_millis(random.random_range(range));
        match self {
            Self::None => return None,
            Self::Kills => return Some(Fault::Kill),
            Self::All => {}
        }
        Some(match ms(0..10).as_millis() {
            0..5 => Fault::Kill,
            5 if ms(0..5).is_zero() => Fault::Halt(LONG_HALT),
            5 => Fault::Halt(ms(HALT_MS)),
            6 | 7 => Fault::End(ms(AWAY_MS)),
            _ => Fault::End(ms(RESTART_MS)),
        })
    }
}
