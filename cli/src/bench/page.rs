//! The report as a page.

use presend_page::plot::{Axis, Line, Plot, Stroke};
use presend_page::{cell, colour, document, escape, table};

use super::picture::Class;
use super::report::{Report, ms, times};
use super::stage::{Spread, Stage, micros};
use super::warm::{Scans, Throughput};

impl Report {
    /// The page.
    pub(crate) fn html(&self) -> String {
        let mut parts = vec![
            format!(
                "<h1>How long scans take</h1><p class=\"soft\">{}.<br/>{}.</p>",
                escape(&self.machine.to_string()),
                escape(&self.setting()),
            ),
            self.stages(),
            self.histogram(),
        ];
        if !self.cold.is_empty() {
            parts.push(format!(
                "<h2>Cold</h2><p>New processes that open everything and scan one picture. The \
                 files come from the system's cache. Memory: what the process held before the \
                 scan, what the scan added, the most of the whole process.</p>{}",
                of_rows("Medians, ms and MiB", &self.cold_rows())
            ));
        }
        if !self.throughput.is_empty() {
            parts.push(self.by_threads());
        }
        document("presend bench", &parts.join("\n"))
    }

    /// A bar for each class, as long as all its stages together.
    fn stages(&self) -> String {
        let keys: String = Stage::parts()
            .iter()
            .enumerate()
            .map(|(n, stage)| {
                format!(
                    "<span><svg class=\"mark\" viewBox=\"0 0 22 10\" aria-hidden=\"true\">\
                     <rect class=\"{}\" x=\"1\" y=\"1\" width=\"20\" height=\"8\"/></svg>{}</span> ",
                    colour(n),
                    stage.name()
                )
            })
            .collect();
        let rows: String = self.classes().iter().map(|(class, of)| stacked(class, of)).collect();
        let heads: String =
            ["", "stages", "total, ms"].iter().map(|head| cell("th", head)).collect();
        format!(
            "<h2>Where the time goes</h2><p class=\"key\">{keys}</p><div class=\"wide\"><table>\
             <caption>Shares of a warm scan: the medians of its stages</caption>\
             <thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>{}",
            of_rows("Warm scans, ms", &self.warm_rows())
        )
    }

    /// Of all warm scans, on a logarithmic axis, the classes stacked.
    fn histogram(&self) -> String {
        let classes = self.classes();
        let totals = |pictures: &[&Scans]| -> Vec<f64> {
            times(pictures).map(|times| micros(times.of(Stage::Total)).max(1.0)).collect()
        };
        let totals: Vec<(Class, Vec<f64>)> =
            classes.iter().map(|(&class, pictures)| (class, totals(pictures))).collect();
        let all = || totals.iter().flat_map(|(_, times)| times).copied();
        let bin = |micros: f64| (micros.log2() * BINS_AN_OCTAVE).floor() as i64;
        let (first, last) = (all().map(bin).min().unwrap_or(0), all().map(bin).max().unwrap_or(0));
        let bins = (last - first + 1) as usize;
        let mut counts = vec![vec![0_usize; totals.len()]; bins];
        for (class, (_, times)) in totals.iter().enumerate() {
            for &micros in times {
                counts[(bin(micros) - first) as usize][class] += 1;
            }
        }
        let most = counts.iter().map(|bin| bin.iter().sum::<usize>()).max().unwrap_or(1).max(1);
        let wide = WIDTH / bins as f64;
        let mut svg = String::new();
        for (n, counts) in counts.iter().enumerate() {
            let mut y = HEIGHT;
            for (class, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                let high = HEIGHT * count as f64 / most as f64;
                y -= high;
                svg += &format!(
                    "<rect class=\"{}\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{high:.1}\"/>",
                    colour(class),
                    n as f64 * wide,
                    wide * 0.92,
                );
            }
        }
        for n in (0..bins).step_by(bins.div_ceil(8)) {
            let from = ((first + n as i64) as f64 / BINS_AN_OCTAVE).exp2();
            svg += &format!(
                "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                n as f64 * wide,
                HEIGHT + 13.0,
                ms(Some(from))
            );
        }
        let keys: String = totals
            .iter()
            .enumerate()
            .map(|(n, (class, _))| {
                format!(
                    "<span><svg class=\"mark\" viewBox=\"0 0 22 10\" aria-hidden=\"true\">\
                     <rect class=\"{}\" x=\"1\" y=\"1\" width=\"20\" height=\"8\"/></svg>{}</span> ",
                    colour(n),
                    escape(&class.to_string())
                )
            })
            .collect();
        format!(
            "<h2>Latency</h2><p>Warm scans by their total time in ms, four bars to each doubling; \
             the highest stands for {most} scans.</p><figure><svg class=\"plot\" \
             viewBox=\"0 0 {WIDTH} {below}\" role=\"img\" aria-label=\"Histogram of the total time \
             of a scan\">{svg}</svg><figcaption class=\"key\">{keys}</figcaption></figure>",
            below = HEIGHT + 18.0,
        )
    }

    fn by_threads(&self) -> String {
        let most = self.throughput.iter().map(|row| row.threads).max().unwrap_or(1) as f64;
        let highest =
            |each: fn(&Throughput) -> f64| self.throughput.iter().map(each).fold(1.0, f64::max);
        let scans = |row: &Throughput| row.each_second().0;
        let top = 10_f64.powf(highest(scans).log10().ceil());
        let top = [0.2, 0.5, 1.0].map(|part| part * top).into_iter().find(|&t| t >= highest(scans));
        let top = top.unwrap_or(1.0);
        let line = Line {
            label: "scans a second".to_owned(),
            colour: colour(0),
            stroke: Stroke::Solid,
            points: self.throughput.iter().map(|row| (row.threads as f64, scans(row))).collect(),
            bars: vec![],
        };
        let plot = Plot {
            title: "Scans a second, by the number of threads",
            x: Axis { label: "threads", from: 0.0, to: most, step: (most / 8.0).ceil() },
            y: Axis { label: "scans a second", from: 0.0, to: top, step: top / 5.0 },
            lines: vec![line],
        };
        format!(
            "<h2>Throughput</h2><p>All files in turn. A model's own threads are shared by all \
             scans.</p><div class=\"plots\">{}</div>{}",
            plot.figure(),
            of_rows("By the threads that scan", &self.throughput_rows())
        )
    }
}

fn stacked(class: &Class, pictures: &[&Scans]) -> String {
    let median = |stage| Spread::of_stage(stage, times(pictures)).map_or(0.0, |spread| spread.p50);
    let parts: Vec<f64> = Stage::parts().iter().map(|&stage| median(stage)).collect();
    let sum: f64 = parts.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    let mut x = 0.0;
    let mut bars = String::new();
    for (n, part) in parts.iter().enumerate() {
        let wide = 100.0 * part / sum;
        bars += &format!(
            "<rect class=\"{}\" x=\"{x:.2}\" y=\"1\" width=\"{wide:.2}\" height=\"10\"/>",
            colour(n)
        );
        x += wide;
    }
    format!(
        "<tr><td>{}</td><td class=\"stack\"><svg viewBox=\"0 0 100 12\" \
         preserveAspectRatio=\"none\" role=\"img\" aria-label=\"Stages of {0}\">{bars}</svg></td>\
         <td>{}</td></tr>",
        escape(&class.to_string()),
        ms(Some(median(Stage::Total)))
    )
}

/// The first row is the head.
fn of_rows(caption: &str, rows: &[Vec<String>]) -> String {
    rows.split_first().map_or_else(String::new, |(heads, rows)| table(caption, heads, rows))
}

const BINS_AN_OCTAVE: f64 = 4.0;
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 150.0;
