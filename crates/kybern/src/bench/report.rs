//! The figures, as a table and as JSON.

use super::process::Memory;
use meta::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;

/// The figures of one work.
#[derive(Clone, Debug, Default)]
pub struct Row {
    pub name: String,
    pub calls: u64,
    pub errors: u64,
    pub elapsed: Duration,
    /// Per call, sorted.
    pub latencies: Vec<Duration>,
    /// Of the server, for all calls.
    pub cpu: Option<Duration>,
    /// Received.
    pub bytes: u64,
    /// Before and after.
    pub memory: Option<(Memory, Memory)>,
}

impl Row {
    pub fn once(name: &str, elapsed: Duration, cpu: Option<Duration>) -> Row {
        Row { name: name.to_owned(), calls: 1, elapsed, latencies: vec![elapsed], cpu, ..Row::default() }
    }

    fn quantile(&self, part: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get((last as f64 * part).round() as usize).copied().unwrap_or_default()
    }

    fn per_second(&self) -> f64 {
        self.calls as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Of the server per call, in microseconds.
    fn cpu_us(&self) -> Option<f64> {
        self.cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / self.calls.max(1) as f64)
    }
}

/// All figures of a run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
    /// (when, now, peak), in KiB.
    memory: Vec<(String, u64, u64)>,
    /// Of the process that is running, so far.
    peak_kib: u64,
    /// Memory over the encoded size of all objects.
    per_stored_byte: Option<f64>,
}

impl Report {
    pub fn add(&mut self, row: Row) {
        self.peak_kib = self.peak_kib.max(row.memory.map_or(0, |(_, after)| after.peak_kib));
        self.rows.push(row);
    }

    pub fn add_memory(&mut self, when: &str, memory: Memory) {
        self.peak_kib = self.peak_kib.max(memory.peak_kib);
        self.memory.push((when.to_owned(), memory.now_kib, self.peak_kib));
    }

    /// Another process is measured from here on.
    pub fn forget_peak(&mut self) {
        self.peak_kib = 0;
    }

    /// `stored` is the encoded size of all objects.
    pub fn set_stored(&mut self, memory: Memory, stored: u64) {
        self.per_stored_byte = (stored > 0).then(|| memory.now_kib as f64 * 1024.0 / stored as f64);
    }

    pub fn table(&self) -> String {
        let mut out = String::from(
            "| work | calls | per second | p50 | p99 | p99.9 | max | server CPU per call | bytes per call | MiB before, after, peak | errors |\n\
             |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        );
        for row in &self.rows {
            let cpu = row.cpu_us().map_or("".into(), time_text);
            let time = |part| time_text(row.quantile(part).as_secs_f64() * 1e6);
            let (name, calls, rate, errors) = (&row.name, row.calls, row.per_second(), row.errors);
            let (times, bytes) = ([0.5, 0.99, 0.999, 1.0].map(time).join(" | "), row.bytes / row.calls.max(1));
            let memory = row.memory.map_or(String::new(), |(before, after)| {
                format!("{}, {}, {}", before.now_kib / 1024, after.now_kib / 1024, after.peak_kib / 1024)
            });
            let line = format!("| {name} | {calls} | {rate:.0} | {times} | {cpu} | {bytes} | {memory} | {errors} |");
            // Writing to a string does not fail.
            let _ = writeln!(out, "{line}");
        }
        for (when, now, peak) in &self.memory {
            let _ = writeln!(out, "\nmemory {when}: {} MiB, peak {} MiB", now / 1024, peak / 1024);
        }
        if let Some(ratio) = self.per_stored_byte {
            let _ = writeln!(out, "\nmemory per stored byte: {ratio:.2}");
        }
        out
    }

    pub fn json(&self) -> Vec<u8> {
        let rows = self.rows.iter().map(|row| {
            let mut value = Value::object();
            value.set("name", row.name.as_str());
            value.set("calls", Value::Int(row.calls.cast_signed()));
            value.set("errors", Value::Int(row.errors.cast_signed()));
            value.set("seconds", Value::Float(row.elapsed.as_secs_f64()));
            value.set("p50_us", Value::Float(row.quantile(0.5).as_secs_f64() * 1e6));
            value.set("p99_us", Value::Float(row.quantile(0.99).as_secs_f64() * 1e6));
            value.set("p999_us", Value::Float(row.quantile(0.999).as_secs_f64() * 1e6));
            value.set("max_us", Value::Float(row.quantile(1.0).as_secs_f64() * 1e6));
            value.set("cpu_us", row.cpu_us().map_or(Value::Null, Value::Float));
            value.set("bytes", Value::Int(row.bytes.cast_signed()));
            if let Some((before, after)) = row.memory {
                value.set("before_kib", Value::Int(before.now_kib.cast_signed()));
                value.set("after_kib", Value::Int(after.now_kib.cast_signed()));
                value.set("peak_kib", Value::Int(after.peak_kib.cast_signed()));
            }
            value
        });
        let memory = self.memory.iter().map(|(when, now, peak)| {
            let mut value = Value::object();
            value.set("when", when.as_str());
            value.set("now_kib", Value::Int(now.cast_signed()));
            value.set("peak_kib", Value::Int(peak.cast_signed()));
            value
        });
        let mut report = Value::object();
        report.set("works", Value::Array(rows.collect()));
        report.set("memory", Value::Array(memory.collect()));
        report.set("memory_per_stored_byte", self.per_stored_byte.map_or(Value::Null, Value::Float));
        json::to_vec(&report)
    }
}

fn time_text(us: f64) -> String {
    match us {
        us if us < 1000.0 => format!("{us:.1} µs"),
        us if us < 1e6 => format!("{:.2} ms", us / 1e3),
        us => format!("{:.2} s", us / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_rates_and_quantiles() {
        let mut report = Report::default();
        let latencies = (1..=100).map(Duration::from_micros).collect();
        let cpu = Some(Duration::from_millis(1));
        let (name, elapsed) = ("get".to_owned(), Duration::from_millis(10));
        let memory = |now_kib, peak_kib| Memory { now_kib, peak_kib };
        let around = Some((memory(1024, 1024), memory(2048, 8192)));
        report.add(Row { name, calls: 100, errors: 1, elapsed, latencies, cpu, bytes: 5000, memory: around });
        report.add_memory("idle", memory(2048, 4096));
        report.set_stored(memory(2048, 4096), 1 << 20);
        let table = report.table();
        assert!(
            table.contains(
                "| get | 100 | 10000 | 51.0 µs | 99.0 µs | 100.0 µs | 100.0 µs | 10.0 µs | 50 | 1, 2, 8 | 1 |"
            ),
            "{table}"
        );
        assert!(table.contains("memory idle: 2 MiB, peak 8 MiB"), "{table}");
        assert!(table.contains("memory per stored byte: 2.00"), "{table}");
        let parsed = json::parse(&report.json()).unwrap().value;
        assert_eq!(parsed["works"].items()[0]["calls"].int(), 100);
    }
}
