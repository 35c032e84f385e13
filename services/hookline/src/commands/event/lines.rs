//! Lines of a file or of stdin, numbered, read on a thread of their own.

use anyhow::Context as _;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use tokio::sync::mpsc;

/// Lines read ahead.
const READ_AHEAD: usize = 1_000;
/// More than any event may have: a line without an end must not fill the memory.
const MAX_LINE_BYTES: u64 = 8 << 20;

/// A line and its number, from 1.
pub type Line = (u64, Vec<u8>);

/// Opens a file; stdin when there is none, or for `-`.
pub fn open(file: Option<&Path>) -> anyhow::Result<Box<dyn Read + Send>> {
    match file {
        Some(path) if path.as_os_str() != "-" => {
            let file = File::open(path).with_context(|| format!("can't read {}", path.display()))?;
            Ok(Box::new(file))
        }
        _ => Ok(Box::new(std::io::stdin())),
    }
}

/// Whether there is nothing on it.
pub fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

/// Reads on a thread of its own, because stdin blocks. Ends after the first error.
pub fn read(from: Box<dyn Read + Send>) -> mpsc::Receiver<std::io::Result<Line>> {
    let (sink, lines) = mpsc::channel(READ_AHEAD);
    std::thread::spawn(move || {
        let mut reader = BufReader::new(from);
        for number in 1.. {
            let line = read_line(&mut reader).transpose();
            let Some(line) = line else { return };
            let ended = line.is_err();
            if sink.blocking_send(line.map(|line| (number, line))).is_err() || ended {
                return;
            }
        }
    });
    lines
}

/// The next line without its end; what is beyond [`MAX_LINE_BYTES`] is read and dropped. `None` at the end.
fn read_line(reader: &mut impl BufRead) -> std::io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else {
        reader.skip_until(b'\n')?;
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_numbered_and_a_long_one_does_not_swallow_the_next() {
        let long = "x".repeat(usize::try_from(MAX_LINE_BYTES).expect("it fits") + 10);
        let text = format!("a\r\n\n{long}\nlast");
        let mut lines = read(Box::new(std::io::Cursor::new(text)));
        let mut read = Vec::new();
        while let Some(line) = lines.recv().await {
            let (number, line) = line.expect("memory can be read");
            read.push((number, line.len()));
        }
        assert_eq!(
            read,
            [
                (1, 1),
                (2, 0),
                (3, usize::try_from(MAX_LINE_BYTES).expect("it fits")),
                (4, 4)
            ]
        );
    }
}
