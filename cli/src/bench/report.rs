//! Everything that was measured, as JSON and as text.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use super::cold::{Cold, OPENING};
use super::machine::Machine;
use super::picture::Class;
use super::stage::{Spread, Stage, Times, spreads};
use super::warm::{Scans, Throughput, Unusable};
use crate::table;

/// The figures of one run.
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// Lists, models, views and so on, as JSON.
    pub(crate) scanner: Value,
    pub(crate) scans: Vec<Scans>,
    pub(crate) unusable: Vec<Unusable>,
    pub(crate) cold: Vec<Cold>,
    pub(crate) throughput: Vec<Throughput>,
    pub(crate) peak: Option<u64>,
    pub(crate) elapsed: Duration,
}

/// What was compiled, and how.
pub(crate) const BUILD: &str = if cfg!(debug_assertions) { "debug" } else { "release" };

impl Report {
    /// The pictures of each class.
    pub(crate) fn classes(&self) -> BTreeMap<Class, Vec<&Scans>> {
        let mut classes: BTreeMap<Class, Vec<&Scans>> = BTreeMap::new();
        for scans in &self.scans {
            classes.entry(scans.class()).or_default().push(scans);
        }
        classes
    }

    pub(crate) fn json(&self) -> Value {
        let class = |(class, pictures): (Class, Vec<&Scans>)| {
            json!({
                "format": class.format,
                "size": class.size.name(),
                "files": pictures.len(),
                "scans": times(&pictures).count(),
                "warm_us": spreads(times(&pictures)),
            })
        };
        let all: Vec<&Scans> = self.scans.iter().collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "build": BUILD,
            "machine": self.machine.json(),
            "scanner": self.scanner,
            "files": self.scans.iter().map(Scans::json).collect::<Vec<_>>(),
            "unusable": self
                .unusable
                .iter()
                .map(|file| json!({ "path": file.name, "code": file.code }))
                .collect::<Vec<_>>(),
            "classes": self.classes().into_iter().map(class).collect::<Vec<_>>(),
            "all": { "scans": times(&all).count(), "warm_us": spreads(times(&all)) },
            "cold": self.cold.iter().map(Cold::json).collect::<Vec<_>>(),
            "throughput": self.throughput.iter().map(Throughput::json).collect::<Vec<_>>(),
            "peak_bytes": self.peak,
            "seconds": self.elapsed.as_secs_f64(),
        })
    }

    pub(crate) fn text(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{}", self.machine)?;
        writeln!(out, "{}", self.setting())?;
        writeln!(out, "\nWarm, ms: the medians of the stages, and quantiles of the total")?;
        table::write(out, &self.warm_rows())?;
        if !self.cold.is_empty() {
            let starts = self.cold.iter().map(|cold| cold.starts.len()).max().unwrap_or(0);
            writeln!(out, "\nCold: medians of {starts} new processes, ms; memory, MiB")?;
            table::write(out, &self.cold_rows())?;
        }
        if !self.throughput.is_empty() {
            writeln!(out, "\nThroughput")?;
            table::write(out, &self.throughput_rows())?;
        }
        if !self.unusable.is_empty() {
            writeln!(out, "\nNot measured")?;
        }
        self.unusable.iter().try_for_each(|file| writeln!(out, "{} ({})", file.name, file.code))
    }

    /// The command, the lists and the models, in a line.
    pub(crate) fn setting(&self) -> String {
        let named = |key: &str, thing: &str| {
            let one = |of: &Value| format!("{} {thing}", of["name"].as_str().unwrap_or("?"));
            let all: Vec<String> =
                self.scanner[key].as_array().into_iter().flatten().map(one).collect();
            if all.is_empty() { format!("no {thing}") } else { all.join(", ") }
        };
        let entries: u64 = self.scanner["lists"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|list| list["near_entries"].as_u64())
            .sum();
        format!(
            "presend {} ({BUILD}), {} ({entries} pictures), {} by {}, {} views, {} decode",
            env!("CARGO_PKG_VERSION"),
            named("lists", "list"),
            named("models", "model"),
            self.scanner["runtime"].as_str().unwrap_or("?"),
            self.scanner["views"].as_str().unwrap_or("?"),
            self.scanner["fidelity"].as_str().unwrap_or("?"),
        )
    }

    pub(crate) fn warm_rows(&self) -> Vec<Vec<String>> {
        let stages = Stage::parts().iter().map(|stage| stage.name());
        let heads = ["", "files", "scans"].into_iter().chain(stages);
        let heads = heads.chain(["total p50", "p90", "p99", "max"]).map(str::to_owned).collect();
        let mut rows = vec![heads];
        for (class, pictures) in self.classes() {
            let count = times(&pictures).count().to_string();
            let mut row = vec![class.to_string(), pictures.len().to_string(), count];
            let of = |stage| Spread::of_stage(stage, times(&pictures));
            row.extend(Stage::parts().iter().map(|&stage| ms(of(stage).map(|spread| spread.p50))));
            let total = of(Stage::Total);
            let quantiles: [fn(Spread) -> f64; 4] = [|s| s.p50, |s| s.p90, |s| s.p99, |s| s.max];
            row.extend(quantiles.map(|quantile| ms(total.map(quantile))));
            rows.push(row);
        }
        rows
    }

    pub(crate) fn cold_rows(&self) -> Vec<Vec<String>> {
        let heads = ["", "picture"].into_iter().chain(OPENING.map(|(_, name)| name));
        let heads = heads.chain(["first scan", "held", "added by scan", "peak"]);
        let mut rows = vec![heads.map(str::to_owned).collect()];
        for cold in &self.cold {
            let mut row = vec![cold.class.to_string(), cold.name.clone()];
            row.extend(OPENING.map(|(key, _)| ms(cold.opening(key).map(|spread| spread.p50))));
            row.push(ms(cold.stage(Stage::Total).map(|spread| spread.p50)));
            let keys = ["held_before_scan_bytes", "added_by_scan_bytes", "peak_bytes"];
            row.extend(keys.map(|key| mebibytes(cold.bytes(key))));
            rows.push(row);
        }
        rows
    }

    pub(crate) fn throughput_rows(&self) -> Vec<Vec<String>> {
        let heads = ["threads", "scans", "scans/s", "megapixels/s"].map(str::to_owned).to_vec();
        let row = |row: &Throughput| {
            let (scans, megapixels) = row.each_second();
            vec![
                row.threads.to_string(),
                row.scans.to_string(),
                format!("{scans:.1}"),
                format!("{megapixels:.1}"),
            ]
        };
        std::iter::once(heads).chain(self.throughput.iter().map(row)).collect()
    }
}

impl Scans {
    fn json(&self) -> Value {
        json!({
            "path": self.picture.name,
            "bytes": self.bytes,
            "format": self.media.format.name(),
            "width": self.media.width,
            "height": self.media.height,
            "frames": self.frames,
            "size": self.class().size.name(),
            "scans": self.times.len(),
            "warm_us": spreads(&self.times),
        })
    }
}

impl Throughput {
    /// Scans, and millions of pixels.
    pub(crate) fn each_second(&self) -> (f64, f64) {
        let seconds = self.time.as_secs_f64();
        (self.scans as f64 / seconds, self.pixels as f64 / 1e6 / seconds)
    }

    fn json(&self) -> Value {
        let (scans, megapixels) = self.each_second();
        json!({
            "threads": self.threads,
            "scans": self.scans,
            "seconds": self.time.as_secs_f64(),
            "scans_per_second": scans,
            "megapixels_per_second": megapixels,
        })
    }
}

/// Every scan of these pictures.
pub(crate) fn times<'s>(pictures: &'s [&'s Scans]) -> impl Iterator<Item = &'s Times> + Clone {
    pictures.iter().flat_map(|scans| &scans.times)
}

/// Microseconds as milliseconds, to three places that matter.
pub(crate) fn ms(micros: Option<f64>) -> String {
    match micros.map(|micros| micros / 1000.0) {
        None => "-".to_owned(),
        Some(ms) if ms < 1.0 => format!("{ms:.3}"),
        Some(ms) if ms < 10.0 => format!("{ms:.2}"),
        Some(ms) => format!("{ms:.1}"),
    }
}

fn mebibytes(bytes: Option<f64>) -> String {
    bytes.map_or_else(|| "-".to_owned(), |bytes| format!("{:.1}", bytes / f64::from(1 << 20)))
}
