//! What a figure was measured on: cores, memory, load, and the processor time of a process. Linux's `/proc` alone.

use std::fs;

use anyhow::Context;

/// Units of processor times in `/proc`: Linux shows them in hundredths of a second on every platform (`proc(5)`,
/// `USER_HZ`).
const TICK_US: u64 = 10_000;

/// The machine in a line: processor, cores, memory.
pub(crate) fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let memory_kib = field("/proc/meminfo", "MemTotal")
        .and_then(|text| text.split(' ').next()?.parse::<u64>().ok())
        .unwrap_or(0);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{cores} cores ({model}), {} MiB of memory, Linux {}",
        memory_kib / 1024,
        kernel.trim()
    )
}

/// Load averages of 1, 5 and 15 minutes.
pub(crate) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// Processor time that a process has used, in microseconds, to a hundredth of a second.
pub(crate) fn cpu_us(pid: i32) -> anyhow::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the process is gone")?;
    cpu_of(&stat).with_context(|| format!("/proc/{pid}/stat is not as expected: {stat}"))
}

/// User and system time of a line of `/proc/<pid>/stat`; the program's name in it may hold anything.
fn cpu_of(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) * TICK_US)
}

/// Memory of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resident {
    pub(crate) now_bytes: u64,
    /// The most that it ever was.
    pub(crate) peak_bytes: u64,
}

/// What a process has in memory.
pub(crate) fn resident(pid: i32) -> anyhow::Result<Resident> {
    let path = format!("/proc/{pid}/status");
    let bytes = |name| {
        let kib = field(&path, name).and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok());
        kib.map(|kib| kib << 10)
            .with_context(|| format!("{path} has no {name}"))
    };
    Ok(Resident {
        now_bytes: bytes("VmRSS")?,
        peak_bytes: bytes("VmHWM")?,
    })
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    //! A line as the kernel writes it.
    use super::*;

    #[test]
    fn this_process_has_memory() {
        let resident = resident(std::process::id().cast_signed()).expect("it runs");
        assert!(resident.now_bytes > 0 && resident.peak_bytes >= resident.now_bytes);
    }

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 1000 0 5 0 123 45 0 0 20 0 9 0 1000 1 2";
        assert_eq!(cpu_of(stat), Some(1_680_000));
        assert_eq!(cpu_of("nonsense"), None);
    }
}
