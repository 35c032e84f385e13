//! Progress of long work, on a terminal and nowhere else.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(100);

/// One line on stderr that is written over.
#[derive(Debug)]
pub struct Progress {
    on_terminal: bool,
    shown: Option<Instant>,
}

impl Progress {
    pub fn new() -> Self {
        Self {
            on_terminal: std::io::stderr().is_terminal(),
            shown: None,
        }
    }

    /// Shows the text, at most ten times a second.
    pub fn show(&mut self, text: impl FnOnce() -> String) {
        let is_due = self.shown.is_none_or(|at| at.elapsed() >= EVERY);
        if self.on_terminal && is_due {
            self.shown = Some(Instant::now());
            let mut stderr = std::io::stderr().lock();
            // A terminal that takes no more text is no reason to stop working.
            let _ = write!(stderr, "\r\x1b[K{}", text()).and_then(|()| stderr.flush());
        }
    }
}

/// Clears the line, so that what follows stands alone.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            let mut stderr = std::io::stderr().lock();
            let _ = write!(stderr, "\r\x1b[K").and_then(|()| stderr.flush());
        }
    }
}
