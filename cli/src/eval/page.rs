//! The report as a page.

use presend_page::plot::{Axis, Line, Plot, Stroke};
use presend_page::{self as page, cell, colour, escape, table};

use super::measure::Flipped;
use super::report::{BINS, Column, FAR, ListFigures, Report, percent};
use super::tally::{Tally, beyond};
use super::transform::{self, Kind};
use super::{MOST_FLIPS, THRESHOLD};
use crate::quantile::quantile;

impl Report {
    /// The page.
    pub(crate) fn html(&self) -> String {
        let parts = [
            self.opening(),
            self.summary(),
            self.by_distance(),
            self.by_transformation(),
            self.flipped(),
            self.false_matches(),
            self.accepted(),
            self.cost(),
        ];
        page::document(&format!("presend eval: {}", self.profile), &parts.join("\n"))
    }

    fn opening(&self) -> String {
        let unused: usize = self.unused.values().sum();
        let entries = self.lists.iter().map(ListFigures::entries).max().unwrap_or(0);
        format!(
            "<h1>What a hidden list finds, and what an open one would</h1>\
             <p class=\"soft\">{} photos ({unused} files not used), each changed in {} ways: {} \
             copies. Profile {}, {entries} entries. Each half of the photos is listed in turn, the \
             other half held out.</p>",
            self.photos,
            transform::ALL.len(),
            self.all.copies,
            escape(&self.profile),
        )
    }

    fn summary(&self) -> String {
        let mut rows = vec![self.shares("of those an open list finds", |c| c.of_open(&self.all))];
        for (kind, tally) in &self.kinds {
            rows.push(self.shares(kind.name(), |column| column.of_all(tally)));
        }
        let all = format!("all {} transformations", transform::ALL.len());
        rows.push(self.shares(&all, |column| column.of_all(&self.all)));
        if let Some((out, tally)) = &self.left_in {
            let name = format!("all, without {out} photos that the builder left out");
            rows.push(self.shares(&name, |column| column.of_all(tally)));
        }
        let table = table("Copies found, %", &self.heads("", self.measured()), &rows);
        format!(
            "<h2>Found</h2><p><b>open</b>: a plaintext list, one hash, Hamming distance {THRESHOLD} \
             at most. <b>open/n</b>: the same with n views of the picture. <b>hidden/n</b>: \
             the hidden list with n views.</p>{table}",
        )
    }

    fn by_distance(&self) -> String {
        let open = Line {
            label: "open".to_owned(),
            colour: "ink".to_owned(),
            stroke: Stroke::Dashed,
            points: vec![(0.0, 100.0), (31.0, 100.0), (31.0, 0.0), (60.0, 0.0)],
            bars: vec![],
        };
        let lines = self.sets.iter().enumerate().map(|(n, set)| Line {
            label: format!("hidden/{}", set.name),
            colour: colour(n),
            stroke: Stroke::Solid,
            points: self.distance_points(n),
            bars: vec![],
        });
        let plot = Plot {
            title: "Share of copies found, by the distance of the copy's hash to the photo's",
            x: Axis { label: "Hamming distance of the one hash", from: 0.0, to: 60.0, step: 10.0 },
            y: PERCENT,
            lines: std::iter::once(open).chain(lines).collect(),
        };
        let most = self.sets.iter().map(|set| set.answered.within.len()).max().unwrap_or(1) - 1;
        let by_probes = Plot {
            title: "Share of all copies found, by the number of keys tried",
            x: Axis { label: "log2 of the keys tried", from: 0.0, to: most as f64, step: 2.0 },
            y: Axis { label: "% of all copies found", ..PERCENT },
            lines: self
                .sets
                .iter()
                .enumerate()
                .map(|(n, set)| Line {
                    label: format!("hidden/{}", set.name),
                    colour: colour(n),
                    stroke: Stroke::Solid,
                    points: (0..)
                        .zip(&set.answered.within)
                        .map(|(log2, &found)| (f64::from(log2), share(found, self.all.copies)))
                        .collect(),
                    bars: vec![],
                })
                .collect(),
        };
        let rows: Vec<Vec<String>> = BINS
            .iter()
            .map(|&(from, to)| {
                let copies: Vec<&Tally> =
                    self.distances.range(from..=to).map(|(_, tally)| tally).collect();
                let total: usize = copies.iter().map(|tally| tally.copies).sum();
                let name =
                    if to == 256 { format!("{from} and more") } else { format!("{from} to {to}") };
                let mut row = self.shares(&name, |column| {
                    percent(copies.iter().map(|tally| column.found(tally)).sum(), total)
                });
                row.insert(1, total.to_string());
                row
            })
            .collect();
        let mut heads = self.heads("distance", self.measured());
        heads.insert(1, "copies".to_owned());
        format!(
            "<h2>By distance and by effort</h2><p>Each point stands for the copies of four \
             neighbouring distances, where there are five or more. A view can come nearer to the \
             entry than the one hash, so more views find something beyond {THRESHOLD}.</p>\
             <div class=\"plots\">{}{}</div>{}",
            plot.figure(),
            by_probes.figure(),
            table("Copies found, %, by the distance of the one hash", &heads, &rows),
        )
    }

    fn distance_points(&self, set: usize) -> Vec<(f64, f64)> {
        (0..60)
            .step_by(4)
            .filter_map(|from| {
                let near = self.distances.range(from..from + 4).map(|(_, tally)| tally);
                let (copies, found) = near.fold((0, 0), |(copies, found), tally| {
                    (copies + tally.copies, found + tally.sets[set].hidden)
                });
                (copies >= 5).then(|| (f64::from(from) + 1.5, share(found, copies)))
            })
            .collect()
    }

    fn by_transformation(&self) -> String {
        let mut rows = String::new();
        let mut last: Option<Kind> = None;
        let columns = self.measured();
        for (one, tally) in &self.transformations {
            if last != Some(one.kind) {
                last = Some(one.kind);
                let span = columns.len() + 3;
                rows += &format!(
                    "<tr class=\"kind\"><td colspan=\"{span}\">{}</td></tr>",
                    one.kind.name()
                );
            }
            let cells: String =
                columns.iter().map(|column| cell("td", &column.of_all(tally))).collect();
            let distance = tally.distance(0.5).map_or_else(|| "-".to_owned(), |d| d.to_string());
            rows += &format!(
                "<tr><td>{}</td><td class=\"bars\">{}</td>{cells}<td>{distance}</td></tr>",
                one.name,
                self.bars(tally),
            );
        }
        let mut heads = self.heads("transformation", columns);
        heads.insert(1, "found".to_owned());
        heads.push("distance".to_owned());
        let heads: String = heads.iter().map(|head| cell("th", head)).collect();
        let keys: String = self
            .sets
            .iter()
            .enumerate()
            .map(|(n, set)| {
                let colour = colour(n);
                format!(
                    "<span><svg class=\"mark\" viewBox=\"0 0 22 10\" aria-hidden=\"true\">\
                     <rect class=\"{colour}\" x=\"1\" y=\"3\" width=\"20\" height=\"4\"/></svg>\
                     hidden/{}</span> ",
                    set.name
                )
            })
            .collect();
        format!(
            "<h2>By transformation</h2><p class=\"key\">{keys}<span><svg class=\"mark\" \
             viewBox=\"0 0 22 10\" aria-hidden=\"true\"><rect class=\"ink\" x=\"10\" y=\"0\" \
             width=\"2\" height=\"10\"/></svg>open</span></p><div class=\"wide\"><table>\
             <caption>Copies found, %; distance: the median of the one hash's</caption>\
             <thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
        )
    }

    /// A bar for each set of views, and a mark where an open list is.
    fn bars(&self, tally: &Tally) -> String {
        let thick = 10.0 / tally.sets.len() as f64;
        let bars: String = tally
            .sets
            .iter()
            .enumerate()
            .map(|(n, set)| {
                format!(
                    "<rect class=\"{}\" y=\"{:.2}\" width=\"{:.1}\" height=\"{:.2}\"/>",
                    colour(n),
                    1.0 + n as f64 * thick,
                    share(set.hidden, tally.copies),
                    thick * 0.8,
                )
            })
            .collect();
        format!(
            "<svg viewBox=\"0 0 100 12\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
             <rect class=\"track\" y=\"1\" width=\"100\" height=\"10\"/>{bars}\
             <rect class=\"ink\" x=\"{:.1}\" width=\"1\" height=\"12\"/></svg>",
            share(tally.open, tally.copies) * 0.99,
        )
    }

    fn flipped(&self) -> String {
        let lines = self.sets.iter().enumerate().flat_map(|(n, set)| {
            let rate = |row: &Flipped| (row.flips as f64, share(row.found[n], row.trials));
            let flips = Line {
                label: format!("random flips, as hidden/{}", set.name),
                colour: colour(n),
                stroke: Stroke::Dotted,
                points: self.flips.iter().map(rate).collect(),
                bars: vec![],
            };
            let copies = Line {
                label: format!("copies, hidden/{}", set.name),
                colour: colour(n),
                stroke: Stroke::Solid,
                points: self.distance_points(n),
                bars: vec![],
            };
            [copies, flips]
        });
        let plot = Plot {
            title: "Share found after random bit flips, beside real copies at the same distance",
            x: Axis { label: "bits flipped", from: 0.0, to: MOST_FLIPS as f64, step: 5.0 },
            y: PERCENT,
            lines: lines.collect(),
        };
        let mut heads = self.heads("flips", self.hidden());
        heads.insert(1, "trials".to_owned());
        let rows: Vec<Vec<String>> = self
            .flips
            .iter()
            .filter(|row| row.flips == 1 || row.flips.is_multiple_of(4) || row.flips == 31)
            .map(|row| {
                let found = row.found.iter().map(|&found| percent(found, row.trials));
                [row.flips.to_string(), row.trials.to_string()].into_iter().chain(found).collect()
            })
            .collect();
        format!(
            "<h2>The weak spot</h2><p>The query flips its least certain bits first. Whoever flips \
             bits regardless of their margins, as no re-encoding does, is missed at distances where \
             an open list still finds everything up to {THRESHOLD}.</p><div class=\"plots\">{}</div>{}",
            plot.figure(),
            table("Listed hashes found after random flips, %", &heads, &rows),
        ) + &self.by_margin()
    }

    fn by_margin(&self) -> String {
        let rates = self.ranks.rates();
        let heads = (0..rates.len()).map(|part| (256 / rates.len() * part).to_string());
        let heads: Vec<String> =
            std::iter::once("margins from rank".to_owned()).chain(heads).collect();
        let rates = rates.map(|rate| format!("{:.1}", 100.0 * rate));
        let row = std::iter::once("differing, %".to_owned()).chain(rates).collect();
        let caption = format!(
            "Bits that differ from the photo's, least certain first, in {} views near it",
            self.ranks.views
        );
        table(&caption, &heads, &[row])
    }

    fn false_matches(&self) -> String {
        let counted = || self.sets.iter().flat_map(|set| &set.shortened.counted);
        let from = counted().map(|row| row.bits).min().unwrap_or(0);
        let to = counted().map(|row| row.bits).max().unwrap_or(1);
        let lines = self.sets.iter().enumerate().flat_map(|(n, set)| {
            let run = &set.shortened;
            let counted = run.counted.iter().filter(|row| row.matched > 0);
            let scans = f64::from(run.scans);
            [
                Line {
                    label: format!("formula/{}", set.name),
                    colour: colour(n),
                    stroke: Stroke::Dashed,
                    points: run
                        .counted
                        .iter()
                        .map(|row| (f64::from(row.bits), row.expected.log2()))
                        .collect(),
                    bars: vec![],
                },
                Line {
                    label: format!("counted/{}", set.name),
                    colour: colour(n),
                    stroke: Stroke::None,
                    points: counted
                        .clone()
                        .map(|row| (f64::from(row.bits), (f64::from(row.matched) / scans).log2()))
                        .collect(),
                    bars: counted
                        .map(|row| {
                            (f64::from(row.bits), row.interval.0.log2(), row.interval.1.log2())
                        })
                        .collect(),
                },
            ]
        });
        let plot = Plot {
            title: "False matches per picture with shortened fingerprints: counted, and by the formula",
            x: Axis {
                label: "bits of a fingerprint",
                from: f64::from(from),
                to: f64::from(to),
                step: 2.0,
            },
            y: Axis {
                label: "log2 of the false matches per picture",
                from: -8.0,
                to: 0.0,
                step: 2.0,
            },
            lines: lines.collect(),
        };
        let heads = ["views", "real bits", "formula", "held out", "accepted", "beyond 31"];
        let rows: Vec<Vec<String>> = self
            .sets
            .iter()
            .map(|set| {
                let bits = self.lists.iter().map(|list| list.manifest.fingerprint_bits).min();
                vec![
                    set.name.to_owned(),
                    bits.unwrap_or(0).to_string(),
                    format!("2^{:.1}", set.false_match_log2),
                    set.answered.held_out_scans.to_string(),
                    set.answered.held_out.values().sum::<usize>().to_string(),
                    beyond(&set.answered.held_out, THRESHOLD).to_string(),
                ]
            })
            .collect();
        format!(
            "<h2>False matches</h2><p>At the list's own length of fingerprint nobody waits for \
             one, so they are counted with shorter ones (random pictures and entries; bars: 99 % \
             confidence) and extended by the formula: fingerprints times keys over 2 to the bits. \
             Held out: copies of photos that are not in the list.</p><div class=\"plots\">{}</div>{}",
            plot.figure(),
            table("Per picture", &heads.map(str::to_owned), &rows),
        )
    }

    fn accepted(&self) -> String {
        let heads = ["views", "accepted", "up to 31", "32 to 48", "beyond 48"];
        let rows: Vec<Vec<String>> = self
            .sets
            .iter()
            .map(|set| {
                let listed = &set.answered.listed;
                let (all, over, far) = (
                    listed.values().sum::<usize>(),
                    beyond(listed, THRESHOLD),
                    beyond(listed, FAR),
                );
                vec![
                    set.name.to_owned(),
                    all.to_string(),
                    (all - over).to_string(),
                    (over - far).to_string(),
                    far.to_string(),
                ]
            })
            .collect();
        let by_view = self.sets.last().map_or_else(String::new, |set| {
            let views: Vec<Vec<String>> = set
                .answered
                .views
                .iter()
                .map(|(view, found)| vec![(*view).to_owned(), found.to_string()])
                .collect();
            let heads = ["view", "copies"].map(str::to_owned);
            table(&format!("Found first by which view of set {}", set.name), &heads, &views)
        });
        format!(
            "<h2>Accepted</h2><p>By the distance between the view that matched and the nearest \
             listed photo.</p>{}{by_view}",
            table("Copies of listed photos", &heads.map(str::to_owned), &rows)
        )
    }

    fn cost(&self) -> String {
        let heads =
            ["views", "keys p50", "keys p99", "when not listed", "us p50", "us p99", "look-ups"];
        let rows: Vec<Vec<String>> = self
            .sets
            .iter()
            .map(|set| {
                let keys = |share| quantile(&set.answered.probes, share).unwrap_or(0).to_string();
                let time = |share| {
                    quantile(&set.times, share).map_or(0, |time| time.as_micros()).to_string()
                };
                vec![
                    set.name.to_owned(),
                    keys(0.5),
                    keys(0.99),
                    set.probes.to_string(),
                    time(0.5),
                    time(0.99),
                    set.times.len().to_string(),
                ]
            })
            .collect();
        let list_heads = ["entries", "photos", "bytes", "bytes an entry", "fingerprints", "bits"];
        let lists: Vec<Vec<String>> = self
            .lists
            .iter()
            .map(|list| {
                let manifest = &list.manifest;
                vec![
                    list.entries().to_string(),
                    list.photos.to_string(),
                    manifest.bytes.to_string(),
                    format!("{:.2}", manifest.bytes_per_entry),
                    manifest.fingerprints.to_string(),
                    manifest.fingerprint_bits.to_string(),
                ]
            })
            .collect();
        let work_heads = ["rows left out", "the first", "1 %", "half"];
        let works: Vec<Vec<String>> = self
            .lists
            .iter()
            .filter_map(|list| {
                let work = list.manifest.work?;
                let guesses =
                    [work.first, work.percent, work.half].map(|work| format!("2^{work:.1}"));
                let out = list.manifest.left_out.easily_guessed.to_string();
                Some(std::iter::once(out).chain(guesses).collect())
            })
            .collect();
        format!(
            "<h2>Cost</h2><p>Keys until the answer for copies of listed photos, each view's own \
             rounded up to a power of two; time for look-ups of photos that are not listed, on one \
             core, views given.</p>{}{}{}",
            table("Look-ups", &heads.map(str::to_owned), &rows),
            table("The two lists", &list_heads.map(str::to_owned), &lists),
            table(
                "Guesses that uncover entries of the two lists, likely ones first",
                &work_heads.map(str::to_owned),
                &works
            ),
        )
    }

    fn hidden(&self) -> Vec<Column> {
        (0..self.sets.len()).map(Column::HiddenBy).collect()
    }

    fn heads(&self, first: &str, columns: Vec<Column>) -> Vec<String> {
        let labels = columns.into_iter().map(|column| self.label(column));
        std::iter::once(first.to_owned()).chain(labels).collect()
    }

    fn shares(&self, name: &str, cell: impl Fn(Column) -> String) -> Vec<String> {
        std::iter::once(name.to_owned()).chain(self.measured().into_iter().map(cell)).collect()
    }
}

fn share(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

const PERCENT: Axis<'static> = Axis { label: "% found", from: 0.0, to: 100.0, step: 20.0 };
