//! When faults come. A long storm has lulls, in which what has piled up is worked off: two cores that only ever start
//! processes and recover brokers' logs deliver nothing, and then nothing but the start is put to the test.

use std::time::Duration;

use tokio::time::Instant;

const LONG_STORM: Duration = Duration::from_secs(600);
const SQUALL: Duration = Duration::from_secs(75);
const LULL: Duration = Duration::from_secs(75);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Of one storm, from its beginning.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    began: Instant,
    has_lulls: bool,
}

impl Weather {
    /// A storm of this length begins.
    pub(crate) fn storm(length: Duration) -> Self {
        Self {
            began: Instant::now(),
            has_lulls: length >= LONG_STORM,
        }
    }

    pub(crate) fn is_long(self) -> bool {
        self.has_lulls
    }

    /// Whether there are faults now.
    pub(crate) fn blows(self) -> bool {
        !self.has_lulls || is_squall(self.began.elapsed())
    }

    /// Waits for the next squall, if there is a lull.
    pub(crate) async fn until_it_blows(self) {
        while !self.blows() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

fn is_squall(after: Duration) -> bool {
    after.as_millis() % (SQUALL + LULL).as_millis() < SQUALL.as_millis()
}

#[cfg(test)]
mod tests {
    //! Squalls and lulls.
    use super::*;

    #[test]
    fn squalls_and_lulls_take_turns() {
        let at = |seconds| is_squall(Duration::from_secs(seconds));
        assert!(at(0) && at(74) && !at(75) && !at(149) && at(150) && !at(230));
    }
}
