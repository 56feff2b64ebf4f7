//! The figures, as a table and as JSON.

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
}

impl Report {
    pub fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    pub fn add_memory(&mut self, when: &str, now_kib: u64, peak_kib: u64) {
        self.memory.push((when.to_owned(), now_kib, peak_kib));
    }

    pub fn table(&self) -> String {
        let mut out = String::from(
            "| work | calls | per second | p50 | p99 | server CPU per call | bytes per call | errors |\n\
             |---|---:|---:|---:|---:|---:|---:|---:|\n",
        );
        for row in &self.rows {
            let cpu = row.cpu_us().map_or("".into(), time_text);
            let time = |part| time_text(row.quantile(part).as_secs_f64() * 1e6);
            let (name, calls, rate, errors) = (&row.name, row.calls, row.per_second(), row.errors);
            let (p50, p99, bytes) = (time(0.5), time(0.99), row.bytes / row.calls.max(1));
            let line = format!("| {name} | {calls} | {rate:.0} | {p50} | {p99} | {cpu} | {bytes} | {errors} |");
            // Writing to a string does not fail.
            let _ = writeln!(out, "{line}");
        }
        for (when, now, peak) in &self.memory {
            let _ = writeln!(out, "\nmemory {when}: {} MiB, peak {} MiB", now / 1024, peak / 1024);
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
            value.set("cpu_us", row.cpu_us().map_or(Value::Null, Value::Float));
            value.set("bytes", Value::Int(row.bytes.cast_signed()));
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
        report.add(Row { name, calls: 100, errors: 1, elapsed, latencies, cpu, bytes: 5000 });
        report.add_memory("idle", 2048, 4096);
        let table = report.table();
        assert!(table.contains("| get | 100 | 10000 | 51.0 µs | 99.0 µs | 10.0 µs | 50 | 1 |"), "{table}");
        assert!(table.contains("memory idle: 2 MiB, peak 4 MiB"));
        let parsed = json::parse(&report.json()).unwrap().value;
        assert_eq!(parsed["works"].items()[0]["calls"].int(), 100);
    }
}
