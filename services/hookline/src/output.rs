//! What commands print: tables for people, JSON for scripts. Times are RFC 3339, UTC, milliseconds.

use clap::ValueEnum;
use serde::Serialize;
use std::io::{self, Write};

/// `--output`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    #[default]
    Table,
    /// One document
    Json,
    /// One document a line
    Jsonl,
}

/// The flag that every command with a result has.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct OutputFlag {
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// One line of a list.
pub trait Row: Serialize {
    const HEADERS: &'static [&'static str];

    /// As many as there are headers.
    fn cells(&self) -> Vec<String>;
}

/// Prints a list.
pub fn list<R: Row>(output: Output, rows: &[R]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match output {
        Output::Json => {
            serde_json::to_writer_pretty(&mut out, rows).map_err(io::Error::from)?;
            writeln!(out)?;
        }
        Output::Jsonl => {
            for row in rows {
                serde_json::to_writer(&mut out, row).map_err(io::Error::from)?;
                writeln!(out)?;
            }
        }
        Output::Table => table(&mut out, R::HEADERS, &rows.iter().map(Row::cells).collect::<Vec<_>>())?,
    }
    out.flush()?;
    Ok(())
}

/// Prints one thing: `text` for people, `value` for scripts.
pub fn one(output: Output, value: &impl Serialize, text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match output {
        Output::Table => write!(out, "{text}")?,
        Output::Json => serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from)?,
        Output::Jsonl => serde_json::to_writer(&mut out, value).map_err(io::Error::from)?,
    }
    if output != Output::Table || !text.ends_with('\n') {
        writeln!(out)?;
    }
    out.flush()?;
    Ok(())
}

/// Prints a line.
pub fn line(text: impl std::fmt::Display) -> anyhow::Result<()> {
    writeln!(io::stdout().lock(), "{text}")?;
    Ok(())
}

fn table(out: &mut impl Write, headers: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let mut widths: Vec<usize> = headers.iter().map(|header| header.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let headers: Vec<String> = headers.iter().map(|header| (*header).to_owned()).collect();
    for row in std::iter::once(&headers).chain(rows) {
        let cells: Vec<_> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{}{cell:width$}", ""))
            .collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

/// Unix milliseconds as `2026-11-21T10:00:00.000Z`.
pub fn time(unix_ms: i64) -> String {
    runtime::clock::rfc3339(unix_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_milliseconds_and_z() {
        assert_eq!(time(1_795_255_200_007), "2026-11-21T10:00:00.007Z");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut out = Vec::new();
        let rows = [
            vec!["a".to_owned(), "x".to_owned()],
            vec!["ébène".to_owned(), String::new()],
        ];
        table(&mut out, &["ID", "NAME"], &rows).expect("memory takes everything");
        assert_eq!(String::from_utf8(out).expect("text"), "ID     NAME\na      x\nébène\n");
    }
}
