//! The process as the system sees it. Nothing where there is no /proc.

use std::fs;

/// Name, type, help and value.
type Sample = (&'static str, &'static str, &'static str, f64);

/// The kernel counts time in these for /proc on every architecture that Linux has.
const TICKS_PER_SECOND: f64 = 100.0;

pub fn read() -> Vec<Sample> {
    let Ok(stat) = fs::read_to_string("/proc/self/stat") else { return vec![] };
    // The second field is a name in parentheses, which may hold anything.
    let fields: Vec<f64> = stat
        .rsplit_once(") ")
        .map(|(_, rest)| rest.split_whitespace().map(|word| word.parse().unwrap_or_default()).collect())
        .unwrap_or_default();
    let field = |number: usize| fields.get(number).copied().unwrap_or_default();
    let (user, system, started, virtual_bytes) = (field(11), field(12), field(19), field(20));
    let open = fs::read_dir("/proc/self/fd").map(Iterator::count).unwrap_or_default();
    let cpu = (user + system) / TICKS_PER_SECOND;
    vec![
        ("process_cpu_seconds_total", "counter", "Processor time used.", cpu),
        ("process_open_fds", "gauge", "Open file descriptors.", open as f64),
        ("process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes()),
        ("process_virtual_memory_bytes", "gauge", "Virtual memory.", virtual_bytes),
        ("process_start_time_seconds", "gauge", "When the process began.", boot_seconds() + started / TICKS_PER_SECOND),
    ]
}

fn resident_bytes() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|word| word.parse::<f64>().ok()).unwrap_or_default() * 1024.0
}

fn boot_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    stat.lines().find_map(|line| line.strip_prefix("btime ")).and_then(|word| word.parse().ok()).unwrap_or_default()
}
