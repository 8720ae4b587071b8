//! What has become slower than in an earlier run.
//!
//! Compared are the medians of a stage, summed over the files of a class that
//! both runs scanned: one pass over them. A stage is slower, or faster, when
//! the sum has moved by more than the tolerance, when the scatter within the
//! two runs does not explain it (their intervals do not touch), and when the
//! change is more than a hundredth of the whole scan. What scatter between runs
//! there is, other programs above all, the tolerance has to cover.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::report::ms;
use super::stage::Stage;
use crate::table;

/// Two runs beside each other.
pub(crate) struct Comparison {
    pub(crate) tolerance: f64,
    /// Settings in which the runs differ: key, then, now.
    differences: Vec<(String, String, String)>,
    files: usize,
    changes: Vec<Change>,
}

struct Change {
    class: String,
    stage: Stage,
    then: f64,
    now: f64,
}

/// One stage's medians and the ends of their intervals, in microseconds.
#[derive(Clone, Copy, Default)]
struct Sum {
    p50: f64,
    low: f64,
    high: f64,
}

impl Comparison {
    /// None when the runs have no file in common. `tolerance` is in percent.
    pub(crate) fn of(then: &Value, now: &Value, tolerance: f64) -> Option<Self> {
        let earlier: BTreeMap<_, _> = files(then).map(|file| (identity(file), file)).collect();
        let mut classes: BTreeMap<String, Vec<(&Value, &Value)>> = BTreeMap::new();
        for file in files(now) {
            if let Some(earlier) = earlier.get(&identity(file)) {
                let class = format!("{}, {}", text(&file["format"]), text(&file["size"]));
                classes.entry(class).or_default().push((earlier, file));
            }
        }
        let files = classes.values().map(Vec::len).sum();
        let mut changes = Vec::new();
        for (class, pairs) in classes {
            let sums = |stage| {
                let then = Sum::of(pairs.iter().map(|(then, _)| *then), stage)?;
                Some((then, Sum::of(pairs.iter().map(|(_, now)| *now), stage)?))
            };
            let Some(total) = sums(Stage::Total) else { continue };
            let least = total.0.p50.min(total.1.p50) / 100.0;
            for stage in Stage::ALL {
                if let Some((then, now)) = sums(stage)
                    && then.moved(&now, tolerance, least)
                {
                    changes.push(Change {
                        class: class.clone(),
                        stage,
                        then: then.p50,
                        now: now.p50,
                    });
                }
            }
        }
        (files > 0).then(|| Self { tolerance, differences: differences(then, now), files, changes })
    }

    pub(crate) fn is_slower(&self) -> bool {
        self.changes.iter().any(Change::is_slower)
    }

    pub(crate) fn json(&self) -> Value {
        let changes = |slower| {
            let rows = self.changes.iter().filter(|change| change.is_slower() == slower);
            rows.map(Change::json).collect::<Vec<_>>()
        };
        json!({
            "tolerance_percent": self.tolerance,
            "files": self.files,
            "slower": changes(true),
            "faster": changes(false),
            "differences": self
                .differences
                .iter()
                .map(|(key, then, now)| json!({ "key": key, "then": then, "now": now }))
                .collect::<Vec<_>>(),
        })
    }

    pub(crate) fn text(&self, out: &mut impl Write) -> io::Result<()> {
        let (files, tolerance) = (self.files, self.tolerance);
        writeln!(out, "\nCompared on {files} files with a tolerance of {tolerance} %")?;
        for (key, then, now) in &self.differences {
            writeln!(out, "not alike: {key} was {then}, is {now}")?;
        }
        if self.changes.is_empty() {
            return writeln!(out, "nothing has become slower or faster");
        }
        let mut rows =
            vec![["", "stage", "then, ms", "now, ms", "change"].map(str::to_owned).to_vec()];
        for change in &self.changes {
            let word = if change.is_slower() { "slower" } else { "faster" };
            rows.push(vec![
                format!("{word}: {}", change.class),
                change.stage.name().to_owned(),
                ms(Some(change.then)),
                ms(Some(change.now)),
                format!("{:+.1} %", change.percent()),
            ]);
        }
        table::write(out, &rows)
    }
}

impl Change {
    fn is_slower(&self) -> bool {
        self.now > self.then
    }

    fn percent(&self) -> f64 {
        100.0 * (self.now - self.then) / self.then.max(f64::MIN_POSITIVE)
    }

    fn json(&self) -> Value {
        json!({
            "class": self.class,
            "stage": self.stage.name(),
            "then_us": self.then,
            "now_us": self.now,
            "percent": self.percent(),
        })
    }
}

impl Sum {
    /// None when a file has no such stage.
    fn of<'f>(mut files: impl Iterator<Item = &'f Value>, stage: Stage) -> Option<Self> {
        files.try_fold(Self::default(), |sum, file| {
            let spread = &file["warm_us"][stage.name()];
            let interval = &spread["p50_interval_99"];
            Some(Self {
                p50: sum.p50 + spread["p50"].as_f64()?,
                low: sum.low + interval[0].as_f64()?,
                high: sum.high + interval[1].as_f64()?,
            })
        })
    }

    fn moved(&self, now: &Self, tolerance: f64, least: f64) -> bool {
        let (low, high) = if now.p50 > self.p50 { (self, now) } else { (now, self) };
        high.p50 > low.p50 * (1.0 + tolerance / 100.0)
            && high.low > low.high
            && high.p50 - low.p50 > least
    }
}

/// The settings that both runs should share.
fn differences(then: &Value, now: &Value) -> Vec<(String, String, String)> {
    let keys = ["/build", "/machine/processor", "/machine/processors", "/scanner"];
    let keys = keys.into_iter().flat_map(|key| match now.pointer(key) {
        Some(Value::Object(inner)) => inner.keys().map(|name| format!("{key}/{name}")).collect(),
        _ => vec![key.to_owned()],
    });
    let shown =
        |run: &Value, key: &str| run.pointer(key).map_or_else(|| "unknown".to_owned(), text);
    keys.map(|key| (key[1..].replace('/', "."), shown(then, &key), shown(now, &key)))
        .filter(|(_, then, now)| then != now)
        .collect()
}

fn files(run: &Value) -> impl Iterator<Item = &Value> {
    run["files"].as_array().into_iter().flatten()
}

/// The same file in both runs, as far as its name and length tell.
fn identity(file: &Value) -> (String, u64) {
    (text(&file["path"]), file["bytes"].as_u64().unwrap_or(0))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of one file whose every stage has that median and interval.
    fn run(stage: Stage, p50: f64, low: f64, high: f64) -> Value {
        let mut stages = super::super::stage::by_stage(
            |_| json!({ "p50": 100.0, "p50_interval_99": [99.0, 101.0] }),
        );
        stages[stage.name()] = json!({ "p50": p50, "p50_interval_99": [low, high] });
        json!({ "files": [{
            "path": "a", "bytes": 1, "format": "jpeg", "size": "any", "warm_us": stages,
        }] })
    }

    fn changed(then: &Value, now: &Value) -> Vec<(Stage, bool)> {
        let compared = Comparison::of(then, now, 10.0).unwrap();
        compared.changes.iter().map(|change| (change.stage, change.is_slower())).collect()
    }

    #[test]
    fn what_moved_beyond_tolerance_and_scatter_is_told() {
        let then = run(Stage::Decode, 50.0, 49.0, 51.0);
        assert_eq!(changed(&then, &then), []);
        assert_eq!(changed(&then, &run(Stage::Decode, 54.0, 53.0, 55.0)), []);
        assert_eq!(changed(&then, &run(Stage::Decode, 60.0, 50.0, 70.0)), []);
        let slow = run(Stage::Decode, 60.0, 58.0, 62.0);
        assert_eq!(changed(&then, &slow), [(Stage::Decode, true)]);
        assert_eq!(changed(&slow, &then), [(Stage::Decode, false)]);
        assert!(Comparison::of(&then, &slow, 10.0).unwrap().is_slower());
        assert!(!Comparison::of(&slow, &then, 10.0).unwrap().is_slower());
    }

    #[test]
    fn a_stage_that_takes_nothing_is_not_compared() {
        let then = run(Stage::Policy, 0.1, 0.1, 0.1);
        assert_eq!(changed(&then, &run(Stage::Policy, 0.9, 0.9, 0.9)), []);
    }

    #[test]
    fn other_files_are_not_compared() {
        let mut other = run(Stage::Read, 1.0, 1.0, 1.0);
        other["files"][0]["bytes"] = 2.into();
        assert!(Comparison::of(&run(Stage::Read, 1.0, 1.0, 1.0), &other, 10.0).is_none());
    }
}
