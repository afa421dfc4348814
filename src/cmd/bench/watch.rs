//! Time, processor time and memory of another process, from what Linux tells of it.

use crate::{Problem, Result, problem};
use std::{
    fs,
    io::Read,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// What a process took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measured {
    /// From its start to its end.
    pub(super) seconds: f64,
    /// On all processors, its own and the system's work for it.
    pub(super) processor: f64,
    /// The most memory it had; looked at every few milliseconds.
    pub(super) peak_mib: f64,
}

/// Runs a program to its end; returns what it took and what it said.
pub(super) fn measure(command: &mut Command) -> Result<(Measured, Vec<u8>)> {
    let name = command.get_program().to_owned();
    let failed = |e: std::io::Error| Problem::io("run", &name, &e);
    let before = children();
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let said = child.stdout.take().map(gathered);
    let complained = child.stderr.take().map(gathered);
    let status = format!("/proc/{}/status", child.id());
    let mut peak_mib = 0f64;
    let end = loop {
        peak_mib = peak_mib.max(super::peak_of(&status));
        if let Some(end) = child.try_wait().map_err(failed)? {
            break end;
        }
        std::thread::sleep(Duration::from_millis(4));
    };
    let seconds = start.elapsed().as_secs_f64();
    let text = |thread: Option<std::thread::JoinHandle<Vec<u8>>>| {
        thread.and_then(|t| t.join().ok()).unwrap_or_default()
    };
    let (said, complained) = (text(said), text(complained));
    if !end.success() {
        return problem(format!(
            "{} failed: {}",
            name.to_string_lossy(),
            String::from_utf8_lossy(&complained).trim()
        ))
        .fail();
    }
    let measured = Measured {
        seconds,
        processor: children() - before,
        peak_mib,
    };
    Ok((measured, said))
}

fn gathered(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut all = Vec::new();
        // What could not be read is not there; the exit status says whether that matters.
        let _ = pipe.read_to_end(&mut all);
        all
    })
}

/// Processor seconds of all children that have ended.
fn children() -> f64 {
    ticks(13)
}

/// Processor seconds of this process.
pub(super) fn own() -> f64 {
    ticks(11)
}

/// Two fields of proc(5) together, in hundredths on every Linux: 14 and 15 of the process, 16 and 17 of its children.
fn ticks(after_name_from: usize) -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = after_name
        .split_whitespace()
        .skip(after_name_from)
        .take(2)
        .filter_map(|n| n.parse::<f64>().ok())
        .sum();
    ticks / 100.0
}

/// Processor, cores and memory in words.
pub(super) fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpus
        .lines()
        .find_map(|l| l.strip_prefix("model name")?.split(':').nth(1));
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory.lines().find_map(|l| {
        let rest = l.strip_prefix("MemTotal:")?;
        rest.split_whitespace().next()?.parse::<f64>().ok()
    });
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{cores} cores ({}), {:.0} GiB",
        name.unwrap_or("unknown").trim(),
        kib.unwrap_or(0.0) / f64::from(1 << 20)
    )
}

/// Processes that ran or wanted to, on average over the last minute.
pub(super) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("?").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_measured_and_its_words_are_kept() {
        let (measured, said) =
            measure(Command::new("sh").args(["-c", "sleep 0.05; echo yes"])).unwrap();
        assert_eq!(said, b"yes\n");
        assert!(measured.seconds >= 0.05 && measured.peak_mib > 0.1);
        let failed = measure(Command::new("sh").args(["-c", "echo no >&2; exit 3"])).unwrap_err();
        assert!(failed.what.contains("no"), "{failed}");
    }
}
