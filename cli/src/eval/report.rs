//! Everything that was measured, as JSON and as text.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use presend::list::manifest::Manifest;
use serde_json::{Value, json};

use super::measure::{Bench, Flipped, Looked};
use super::photos::Unused;
use super::ranks::RankFlips;
use super::shortened::Run;
use super::tally::{Answered, SetTally, Tally, beyond};
use super::transform::{self, Kind};
use crate::quantile::quantile;
use crate::table;

/// The figures of one evaluation.
pub(crate) struct Report {
    pub(crate) folder: String,
    pub(crate) profile: String,
    pub(crate) photos: usize,
    pub(crate) unused: BTreeMap<Unused, usize>,
    pub(crate) lists: Vec<ListFigures>,
    pub(crate) sets: Vec<SetFigures>,
    /// All copies.
    pub(crate) all: Tally,
    /// Copies of photos that the builder did not leave out, if it left out any.
    pub(crate) left_in: Option<(usize, Tally)>,
    pub(crate) kinds: Vec<(Kind, Tally)>,
    pub(crate) transformations: Vec<(&'static transform::Transformation, Tally)>,
    /// By the distance of the one hash.
    pub(crate) distances: BTreeMap<u32, Tally>,
    pub(crate) flips: Vec<Flipped>,
    /// Of the views of all copies by the largest set.
    pub(crate) ranks: RankFlips,
    pub(crate) elapsed: Duration,
}

/// One of the two lists.
pub(crate) struct ListFigures {
    pub(crate) photos: usize,
    /// What the builder says of it.
    pub(crate) manifest: Manifest,
}

/// One set of views.
pub(crate) struct SetFigures {
    pub(crate) name: &'static str,
    pub(crate) views: usize,
    pub(crate) probes: u64,
    pub(crate) answered: Answered,
    /// log2 of the bound for a whole scan, the larger of the two lists'.
    pub(crate) false_match_log2: f64,
    pub(crate) shortened: Run,
    /// Look-ups of what is not listed, ascending.
    pub(crate) times: Vec<Duration>,
}

impl Report {
    /// Sums up the look-ups.
    pub(crate) fn of(bench: &Bench, copies: &[Looked]) -> Self {
        let sets = bench.sets.len();
        let tally = |wanted: &dyn Fn(&Looked) -> bool| {
            Tally::of(sets, copies.iter().filter(|copy| wanted(copy)))
        };
        let left_in: Vec<bool> =
            (0..bench.photos.len()).map(|photo| bench.is_left_in(photo)).collect();
        let out = left_in.iter().filter(|&&is_in| !is_in).count();
        let mut by_distance: BTreeMap<u32, Vec<&Looked>> = BTreeMap::new();
        for copy in copies {
            if let Some(seen) = &copy.seen {
                by_distance.entry(seen.distance).or_default().push(copy);
            }
        }
        Self {
            folder: String::new(),
            profile: String::new(),
            photos: bench.photos.len(),
            unused: BTreeMap::new(),
            lists: bench.lists(),
            sets: Vec::new(),
            all: tally(&|_| true),
            left_in: (out > 0).then(|| (out, tally(&|copy| left_in[copy.photo]))),
            kinds: Kind::ALL
                .into_iter()
                .map(|kind| (kind, tally(&|copy| copy.transformation.kind == kind)))
                .collect(),
            transformations: transform::ALL
                .iter()
                .map(|one| (one, tally(&|copy| copy.transformation.name == one.name)))
                .collect(),
            distances: by_distance
                .into_iter()
                .map(|(distance, copies)| (distance, Tally::of(sets, copies)))
                .collect(),
            flips: Vec::new(),
            ranks: copies.iter().filter_map(|copy| copy.seen.as_ref()).fold(
                RankFlips::default(),
                |mut sum, seen| {
                    sum.add(&seen.flips);
                    sum
                },
            ),
            elapsed: Duration::ZERO,
        }
    }

    /// Bytes an entry, the larger of the two lists'.
    pub(crate) fn bytes_per_entry(&self) -> f64 {
        let each = self.lists.iter().map(|list| list.manifest.bytes_per_entry);
        each.fold(0.0, f64::max)
    }

    /// Every figure.
    pub(crate) fn json(&self) -> Value {
        let rows = |tallies: &mut dyn Iterator<Item = (&str, Option<Kind>, &Tally)>| -> Vec<Value> {
            tallies.map(|(name, kind, tally)| self.tally_json(name, kind, tally)).collect()
        };
        let distances = self.distances.iter().map(|(distance, tally)| {
            let mut row = self.tally_json("", None, tally);
            row["distance"] = (*distance).into();
            row
        });
        json!({
            "folder": self.folder,
            "photos": self.photos,
            "photos_not_used": self
                .unused
                .iter()
                .map(|(reason, count)| (reason.name().to_owned(), (*count).into()))
                .collect::<serde_json::Map<String, Value>>(),
            "profile": self.profile,
            "lists": self.lists.iter().map(ListFigures::json).collect::<Vec<_>>(),
            "bytes_per_entry": self.bytes_per_entry(),
            "views": self.sets.iter().map(|set| set.json(self.photos)).collect::<Vec<_>>(),
            "all": self.tally_json("all", None, &self.all),
            "left_in": self.left_in.as_ref().map(|(out, tally)| {
                json!({ "photos_left_out": out, "all": self.tally_json("all", None, tally) })
            }),
            "kinds": rows(&mut self.kinds.iter().map(|(kind, tally)| (kind.name(), None, tally))),
            "transformations": rows(
                &mut self.transformations.iter().map(|(one, t)| (one.name, Some(one.kind), t)),
            ),
            "distances": distances.collect::<Vec<_>>(),
            "random_flips": self
                .flips
                .iter()
                .map(|row| json!({
                    "distance": row.flips,
                    "trials": row.trials,
                    "found": self.by_set(&row.found),
                }))
                .collect::<Vec<_>>(),
            "bits_by_margin": self.ranks.json(),
            "seconds": self.elapsed.as_secs_f64(),
        })
    }

    fn by_set<T: Copy + Into<Value>>(&self, values: &[T]) -> serde_json::Map<String, Value> {
        let names = self.sets.iter().map(|set| set.name.to_owned());
        names.zip(values.iter().map(|&value| value.into())).collect()
    }

    fn tally_json(&self, name: &str, kind: Option<Kind>, tally: &Tally) -> Value {
        let each = |count: fn(&SetTally) -> usize| {
            self.by_set(&tally.sets.iter().map(count).collect::<Vec<_>>())
        };
        let mut row = json!({
            "copies": tally.copies,
            "low_quality": tally.low_quality,
            "found": {
                "open": tally.open,
                "open_by_views": each(|set| set.open),
                "hidden_by_views": each(|set| set.hidden),
                "hidden_by_views_of_open": each(|set| set.of_open),
            },
            "distance": {
                "p50": tally.distance(0.5),
                "p90": tally.distance(0.9),
                "max": tally.distance(1.0),
            },
        });
        if !name.is_empty() {
            row["name"] = name.into();
        }
        if let Some(kind) = kind {
            row["kind"] = kind.name().into();
        }
        row
    }

    /// A page of a terminal.
    pub(crate) fn text(&self, out: &mut impl Write) -> io::Result<()> {
        self.head(out)?;
        writeln!(out)?;
        let mut summary = vec![self.columns("% of the copies found")];
        summary.push(self.row("of those an open list finds", |column| column.of_open(&self.all)));
        for (kind, tally) in &self.kinds {
            summary.push(self.row(kind.name(), |column| column.of_all(tally)));
        }
        let all = format!("all {}", transform::ALL.len());
        summary.push(self.row(&all, |column| column.of_all(&self.all)));
        if let Some((out, tally)) = &self.left_in {
            let name = format!("all, without {out} photos left out");
            summary.push(self.row(&name, |column| column.of_all(tally)));
        }
        table::write(out, &summary)?;

        writeln!(out)?;
        let mut distances = vec![self.columns("% found, by distance")];
        for (from, to) in BINS {
            let copies: Vec<&Tally> = self.distances.range(from..=to).map(|(_, t)| t).collect();
            let total: usize = copies.iter().map(|tally| tally.copies).sum();
            let name = match to {
                256 => format!("{from} and more ({total} copies)"),
                _ => format!("{from} to {to} ({total} copies)"),
            };
            distances.push(self.row(&name, |column| {
                percent(copies.iter().map(|tally| column.found(tally)).sum(), total)
            }));
        }
        table::write(out, &distances)?;

        writeln!(out)?;
        let mut flips = vec![self.columns("% found after random flips")];
        for row in self.flips.iter().filter(|row| FLIPS_SHOWN.contains(&row.flips)) {
            let name = format!("{} bits ({} trials)", row.flips, row.trials);
            flips.push(self.row(&name, |column| match column {
                Column::Open => percent(usize::from(row.flips as u32 <= super::THRESHOLD), 1),
                Column::OpenBy(_) => String::new(),
                Column::HiddenBy(set) => percent(row.found[set], row.trials),
            }));
        }
        table::write(out, &flips)?;

        writeln!(out)?;
        let mut copies = vec![self.columns("% found, by transformation")];
        copies[0].splice(1..1, ["p50", "p90", "max"].map(|share| format!("dist {share}")));
        for (one, tally) in &self.transformations {
            let mut row = self.row(one.name, |column| column.of_all(tally));
            let shown = |share| tally.distance(share).map_or_else(dash, |d| d.to_string());
            row.splice(1..1, [0.5, 0.9, 1.0].map(shown));
            copies.push(row);
        }
        table::write(out, &copies)?;
        writeln!(out, "\n{:.0} s", self.elapsed.as_secs_f64())
    }

    fn head(&self, out: &mut impl Write) -> io::Result<()> {
        let unused: Vec<String> = self
            .unused
            .iter()
            .map(|(reason, count)| format!("{count} {}", reason.name()))
            .collect();
        let unused = match &unused[..] {
            [] => String::new(),
            some => format!(" ({} not used)", some.join(", ")),
        };
        writeln!(out, "{} photos{unused}, {} copies of each", self.photos, transform::ALL.len())?;
        for list in &self.lists {
            let manifest = &list.manifest;
            writeln!(
                out,
                "list    {}: {} entries of {}, {} of them photos; {:.2} bytes an entry; {} fingerprints of {} bits",
                self.profile,
                list.entries(),
                list.rows(),
                list.photos,
                manifest.bytes_per_entry,
                manifest.fingerprints,
                manifest.fingerprint_bits,
            )?;
            if let Some(work) = manifest.work {
                writeln!(
                    out,
                    "            guesses to uncover the first entry 2^{:.1}, 1 % 2^{:.1}, half 2^{:.1}; {} rows left out as guessed sooner",
                    work.first, work.percent, work.half, manifest.left_out.easily_guessed,
                )?;
            }
        }
        for set in &self.sets {
            let Answered { listed, held_out, held_out_scans, probes, .. } = &set.answered;
            writeln!(
                out,
                "views   {:>2}: p50 {} p99 {} probes; {} when nothing is found, p50 {} p99 {} us",
                set.name,
                shown(quantile(probes, 0.5)),
                shown(quantile(probes, 0.99)),
                set.probes,
                shown(quantile(&set.times, 0.5).map(|time| time.as_micros())),
                shown(quantile(&set.times, 0.99).map(|time| time.as_micros())),
            )?;
            let accepted: usize = listed.values().sum();
            writeln!(
                out,
                "            accepted {accepted}: {} beyond distance 31, {} beyond 48; held out {} of {held_out_scans}, {} beyond 31",
                beyond(listed, super::THRESHOLD),
                beyond(listed, FAR),
                held_out.values().sum::<usize>(),
                beyond(held_out, super::THRESHOLD),
            )?;
            let counted = set.shortened.counted.iter().find(|row| row.expected < 0.5);
            let counted = counted.map_or_else(String::new, |row| {
                format!(
                    "; with {} bits by Monte Carlo 2^{:.2} (2^{:.2} to 2^{:.2}), formula 2^{:.2}",
                    row.bits,
                    (f64::from(row.matched) / f64::from(set.shortened.scans)).log2(),
                    row.interval.0.log2(),
                    row.interval.1.log2(),
                    row.expected.log2(),
                )
            });
            writeln!(
                out,
                "            false match at most 2^{:.1} a scan{counted}",
                set.false_match_log2
            )?;
        }
        Ok(())
    }

    /// The columns of percentages: an open list with one hash, then each set
    /// of views. One view adds nothing to an open list.
    pub(crate) fn measured(&self) -> Vec<Column> {
        let sets = self.sets.iter().enumerate();
        let by_sets = sets.flat_map(|(n, set)| {
            let open = (set.views > 1).then_some(Column::OpenBy(n));
            open.into_iter().chain([Column::HiddenBy(n)])
        });
        std::iter::once(Column::Open).chain(by_sets).collect()
    }

    pub(crate) fn label(&self, column: Column) -> String {
        match column {
            Column::Open => "open".to_owned(),
            Column::OpenBy(n) => format!("open/{}", self.sets[n].name),
            Column::HiddenBy(n) => format!("hidden/{}", self.sets[n].name),
        }
    }

    fn columns(&self, title: &str) -> Vec<String> {
        let labels = self.measured().into_iter().map(|column| self.label(column));
        std::iter::once(title.to_owned()).chain(labels).collect()
    }

    fn row(&self, name: &str, cell: impl Fn(Column) -> String) -> Vec<String> {
        std::iter::once(name.to_owned()).chain(self.measured().into_iter().map(cell)).collect()
    }
}

/// One way of comparing. Numbers are indices of sets of views.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    /// An open list, one hash.
    Open,
    /// An open list, all views of a set.
    OpenBy(usize),
    /// The hidden list.
    HiddenBy(usize),
}

impl Column {
    pub(crate) fn found(self, tally: &Tally) -> usize {
        match self {
            Self::Open => tally.open,
            Self::OpenBy(set) => tally.sets[set].open,
            Self::HiddenBy(set) => tally.sets[set].hidden,
        }
    }

    pub(crate) fn of_all(self, tally: &Tally) -> String {
        percent(self.found(tally), tally.copies)
    }

    pub(crate) fn of_open(self, tally: &Tally) -> String {
        match self {
            Self::Open | Self::OpenBy(_) => percent(tally.open, tally.open),
            Self::HiddenBy(set) => percent(tally.sets[set].of_open, tally.open),
        }
    }
}

impl ListFigures {
    /// Entries that the builder left in.
    pub(crate) fn entries(&self) -> u64 {
        self.manifest.entries.values().sum()
    }

    /// Rows that it was built from.
    fn rows(&self) -> u64 {
        let out = &self.manifest.left_out;
        let out = out.bad + out.low_quality + out.duplicate + out.easily_guessed;
        self.entries() + out
    }

    fn json(&self) -> Value {
        json!({ "photos": self.photos, "manifest": self.manifest })
    }
}

impl SetFigures {
    fn json(&self, photos: usize) -> Value {
        let answered = &self.answered;
        let micros = |share| quantile(&self.times, share).map(|time| time.as_secs_f64() * 1e6);
        let distances = |counts: &BTreeMap<u32, usize>| {
            counts.iter().map(|(distance, count)| json!([distance, count])).collect::<Vec<_>>()
        };
        json!({
            "name": self.name,
            "views": self.views,
            "probes": {
                "not_listed": self.probes,
                "p50": quantile(&answered.probes, 0.5),
                "p99": quantile(&answered.probes, 0.99),
            },
            "lookup_us": { "lookups": self.times.len(), "p50": micros(0.5), "p99": micros(0.99) },
            "found_by_view": answered
                .views
                .iter()
                .map(|&(view, found)| (view.to_owned(), found.into()))
                .collect::<serde_json::Map<String, Value>>(),
            "found_within_log2_probes": answered.within,
            "accepted_distances": distances(&answered.listed),
            "accepted_beyond_31": beyond(&answered.listed, super::THRESHOLD),
            "accepted_beyond_48": beyond(&answered.listed, FAR),
            "held_out": {
                "photos": photos,
                "lookups": answered.held_out_scans,
                "open": answered.held_out_open,
                "accepted_distances": distances(&answered.held_out),
                "accepted_beyond_31": beyond(&answered.held_out, super::THRESHOLD),
                "accepted_beyond_48": beyond(&answered.held_out, FAR),
            },
            "false_match_log2": self.false_match_log2,
            "monte_carlo": self.shortened_json(),
        })
    }

    fn shortened_json(&self) -> Value {
        let run = &self.shortened;
        let counted = run.counted.iter().map(|row| {
            json!({
                "fingerprint_bits": row.bits,
                "matched": row.matched,
                "rate": f64::from(row.matched) / f64::from(run.scans),
                "interval_99": [row.interval.0, row.interval.1],
                "bound": row.bound,
                "formula": row.expected,
            })
        });
        json!({
            "scans": run.scans,
            "fingerprints": run.fingerprints,
            "probes": run.probes,
            "counted": counted.collect::<Vec<_>>(),
        })
    }
}

/// Accepted beyond this distance nobody would call a copy.
pub(crate) const FAR: u32 = 48;

/// Distances that are summed up together; the thresholds end one.
pub(crate) const BINS: [(u32, u32); 8] =
    [(0, 6), (7, 12), (13, 18), (19, 24), (25, 31), (32, 40), (41, 48), (49, 256)];

const FLIPS_SHOWN: [usize; 8] = [1, 4, 8, 12, 16, 20, 24, 31];

/// With one decimal; a dash of nothing.
pub(crate) fn percent(part: usize, whole: usize) -> String {
    if whole == 0 { dash() } else { format!("{:.1}", 100.0 * part as f64 / whole as f64) }
}

fn shown(value: Option<impl std::fmt::Display>) -> String {
    value.map_or_else(dash, |value| value.to_string())
}

fn dash() -> String {
    "-".to_owned()
}
