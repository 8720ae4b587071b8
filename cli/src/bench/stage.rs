//! The stages of a scan, and how long they took.

use std::time::Duration;

use presend::verdict::Timings;
use serde_json::{Map, Value, json};

use crate::quantile::quantile;

/// One part of what happens to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Reading the file, most likely from the system's cache.
    Read,
    Sniff,
    Decode,
    Digest,
    Hash,
    Views,
    LookUp,
    Classify,
    Policy,
    /// From the first byte read to the verdict.
    Total,
}

impl Stage {
    /// All of them; [`Stage::Total`] is the last.
    pub(crate) const ALL: [Self; 10] = [
        Self::Read,
        Self::Sniff,
        Self::Decode,
        Self::Digest,
        Self::Hash,
        Self::Views,
        Self::LookUp,
        Self::Classify,
        Self::Policy,
        Self::Total,
    ];

    /// All but the total.
    pub(crate) fn parts() -> &'static [Self] {
        &Self::ALL[..Self::ALL.len() - 1]
    }

    /// The name that `presend scan --json` gives it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Sniff => "sniff",
            Self::Decode => "decode",
            Self::Digest => "digest",
            Self::Hash => "hash",
            Self::Views => "views",
            Self::LookUp => "lookup",
            Self::Classify => "classify",
            Self::Policy => "policy",
            Self::Total => "total",
        }
    }
}

/// One scan, by stage.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    read: Duration,
    scan: Timings,
}

impl Times {
    pub(crate) fn new(read: Duration, scan: Timings) -> Self {
        Self { read, scan }
    }

    pub(crate) fn of(&self, stage: Stage) -> Duration {
        match stage {
            Stage::Read => self.read,
            Stage::Sniff => self.scan.sniff,
            Stage::Decode => self.scan.decode,
            Stage::Digest => self.scan.digest,
            Stage::Hash => self.scan.hash,
            Stage::Views => self.scan.views,
            Stage::LookUp => self.scan.lookup,
            Stage::Classify => self.scan.classify,
            Stage::Policy => self.scan.policy,
            Stage::Total => self.read + self.scan.total,
        }
    }

    pub(crate) fn json(&self) -> Value {
        by_stage(|stage| micros(self.of(stage)).into())
    }
}

/// How one quantity is distributed over many scans, in microseconds.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) p50: f64,
    /// Where the median of ever more scans would lie, with 99 % confidence, if
    /// they went on like these.
    pub(crate) p50_interval: (f64, f64),
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of at least one.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_unstable_by(f64::total_cmp);
        let at = |share| quantile(&values, share);
        // The ranks of a median are binomial: their deviation is half a root.
        let reach = NORMAL_99 / (2.0 * (values.len() as f64).sqrt());
        Some(Self {
            p50: at(0.5)?,
            p50_interval: (at((0.5 - reach).max(0.0))?, at((0.5 + reach).min(1.0))?),
            p90: at(0.9)?,
            p99: at(0.99)?,
            max: at(1.0)?,
        })
    }

    /// Of one stage in these scans.
    pub(crate) fn of_stage<'t>(
        stage: Stage,
        scans: impl IntoIterator<Item = &'t Times>,
    ) -> Option<Self> {
        Self::of(scans.into_iter().map(|times| micros(times.of(stage))))
    }

    pub(crate) fn json(&self) -> Value {
        let (low, high) = self.p50_interval;
        json!({
            "p50": self.p50,
            "p50_interval_99": [low, high],
            "p90": self.p90,
            "p99": self.p99,
            "max": self.max,
        })
    }
}

/// The spread of every stage.
pub(crate) fn spreads<'t>(scans: impl IntoIterator<Item = &'t Times> + Clone) -> Value {
    by_stage(|stage| Spread::of_stage(stage, scans.clone()).map(|spread| spread.json()).into())
}

/// An object with every stage.
pub(crate) fn by_stage(value: impl Fn(Stage) -> Value) -> Value {
    let pairs = Stage::ALL.map(|stage| (stage.name().to_owned(), value(stage)));
    Value::Object(Map::from_iter(pairs))
}

pub(crate) fn micros(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1000.0
}

/// Deviations that 99 % of a normal distribution lie within.
const NORMAL_99: f64 = 2.576;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_of_values_that_occur() {
        let spread = Spread::of((1..=100).rev().map(f64::from)).unwrap();
        assert_eq!((spread.p50, spread.p90, spread.p99, spread.max), (50.0, 90.0, 99.0, 100.0));
        // 50 +- 12.88 ranks.
        assert_eq!(spread.p50_interval, (38.0, 63.0));
        let one = Spread::of([7.0]).unwrap();
        assert_eq!((one.p50_interval, one.max), ((7.0, 7.0), 7.0));
        assert!(Spread::of([]).is_none());
    }
}
