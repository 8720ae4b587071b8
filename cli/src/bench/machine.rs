//! The machine, and this process's memory, as far as the system tells.

use std::fs;
use std::thread;

use serde_json::{Value, json};

/// What the figures were measured on.
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) processors: usize,
    memory: Option<u64>,
    /// Processes at work over the last minute, before the first scan.
    load: Option<f64>,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let processor = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
            let named = |line: &str| {
                let (key, name) = line.split_once(':')?;
                matches!(key.trim(), "model name" | "Hardware").then(|| name.trim().to_owned())
            };
            text.lines().find_map(named)
        });
        let load = fs::read_to_string("/proc/loadavg").ok();
        Self {
            processor: processor.unwrap_or_else(|| "unnamed processor".to_owned()),
            processors: thread::available_parallelism().map_or(1, usize::from),
            memory: kilobytes("/proc/meminfo", "MemTotal:"),
            load: load.and_then(|text| text.split(' ').next()?.parse().ok()),
        }
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "processor": self.processor,
            "processors": self.processors,
            "memory_bytes": self.memory,
            "os": std::env::consts::OS,
            "arch": std::env::consts::ARCH,
            "load_before": self.load,
        })
    }
}

/// In a line, with how busy it was.
impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        write!(f, "{}, {} processors, {os} {arch}", self.processor, self.processors)?;
        match self.load {
            Some(load) => write!(f, ", load {load} before"),
            None => Ok(()),
        }
    }
}

/// The most memory that this process ever held.
pub(crate) fn peak() -> Option<u64> {
    kilobytes("/proc/self/status", "VmHWM:")
}

/// What this process holds now.
pub(crate) fn resident() -> Option<u64> {
    kilobytes("/proc/self/status", "VmRSS:")
}

/// Lets [`peak`] begin again from what is held now; none where it cannot.
pub(crate) fn forget_peak() -> Option<()> {
    fs::write("/proc/self/clear_refs", "5").ok()
}

fn kilobytes(file: &str, key: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kilobytes: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
