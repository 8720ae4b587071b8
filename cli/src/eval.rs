//! `presend eval`: what the hidden list finds, measured on a folder of photos.
//!
//! Every photo is changed in 54 ways and looked up in a list that holds it and
//! in one that does not, beside what an open list would say. See [`measure`]
//! for how, [`transform`] for the changes and [`report`] for the figures.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use clap::builder::PossibleValuesParser;
use indicatif::ProgressBar;

use crate::input::{self, steps};
use crate::{Failure, Outcome};

mod matching;
mod measure;
mod page;
mod photos;
mod ranks;
mod report;
mod shortened;
mod tally;
mod transform;

use matching::{SETS, ViewSet};
use measure::{Bench, Flipped};
use photos::{Photo, Unused};
use report::{ListFigures, Report, SetFigures};
use tally::Answered;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder of photos, with everything below it.
    #[arg(long, value_name = "DIR")]
    photos: PathBuf,
    /// Entries of a list, filled up with random hashes.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    entries: usize,
    /// How well entries are hidden against how much is found.
    #[arg(long, value_name = "P", default_value = "balanced",
        value_parser = PossibleValuesParser::new(matching::profiles()))]
    profile: String,
    /// Sets of views to look up by; several are separated by commas [default: all].
    #[arg(long, value_name = "SET", value_delimiter = ',',
        value_parser = PossibleValuesParser::new(SETS.iter().map(|set| set.name)))]
    views: Vec<String>,
    /// Photos looked at at the same time [default: one for each processor].
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Print every figure as JSON.
    #[arg(long)]
    json: bool,
    /// Write the report with its plots to FILE, a page that needs nothing else.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Args {
    /// Prints the figures, whatever they are: a weak list is no failure.
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let start = Instant::now();
        // Before the minutes of work that the page is to show.
        let page = self.html.as_ref().map(|file| {
            let page = std::fs::OpenOptions::new().create(true).append(true).open(file);
            page.map(|_| file).map_err(|error| Failure::at(file, error))
        });
        let page = page.transpose()?;
        let measured = self.measure()?;
        let report = Report { elapsed: start.elapsed(), ..measured };
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{}", report.json())?;
        } else {
            report.text(&mut out)?;
        }
        if let Some(file) = page {
            std::fs::write(file, report.html()).map_err(|error| Failure::at(file, error))?;
        }
        Ok(Outcome::Clean)
    }

    fn measure(&self) -> Result<Report, Failure> {
        photos::check(&self.photos)?;
        let jobs = self.jobs.or(thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        let (photos, unused) = self.read_photos(jobs);
        if photos.len() < 2 {
            let found = photos.len();
            return Err(Failure::at(
                &self.photos,
                format!("{found} usable photos; two are needed"),
            ));
        }
        let sets: Vec<&'static ViewSet> = SETS
            .iter()
            .filter(|set| self.views.is_empty() || self.views.iter().any(|name| name == set.name))
            .collect();
        let bar = steps("building two lists", 0);
        let bench = Bench::build(photos, sets, &self.profile, self.entries)?;
        bar.finish_and_clear();

        let bar = steps("copying and looking up photos", bench.photos.len());
        let all: Vec<usize> = (0..bench.photos.len()).collect();
        let copies = in_parallel(&all, jobs, &bar, |&photo| bench.look_up_copies(photo));
        let copies: Vec<_> =
            copies.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();

        let bar = steps("flipping bits", MOST_FLIPS);
        let rounds = FLIP_TRIALS.div_ceil(bench.photos.len());
        let flips: Vec<usize> = (1..=MOST_FLIPS).collect();
        let flips: Vec<Flipped> =
            in_parallel(&flips, jobs, &bar, |&flips| bench.random_flips(flips, rounds));

        let bar = steps("counting false matches", bench.sets.len());
        let band_bits = bench.halves[0].list.manifest.band_bits.into();
        let runs = in_parallel(&bench.sets, jobs, &bar, |set| {
            shortened::run(&set.probes().collect::<Vec<_>>(), band_bits)
        });

        let bar = steps("timing", bench.sets.len());
        let figures = bench.sets.iter().enumerate().zip(runs).map(|((n, set), shortened)| {
            bar.inc(1);
            SetFigures {
                name: set.name,
                views: set.views(),
                probes: set.all_probes(),
                answered: Answered::of(n, set, &copies),
                false_match_log2: bench.false_match_log2(set),
                shortened,
                times: bench.time(set, TIMED),
            }
        });
        let sets = figures.collect();
        bar.finish_and_clear();
        Ok(Report {
            folder: self.photos.display().to_string(),
            profile: self.profile.clone(),
            unused,
            sets,
            flips,
            ..Report::of(&bench, &copies)
        })
    }

    /// The photos that can be used, each once, and how many cannot.
    fn read_photos(&self, jobs: usize) -> (Vec<Photo>, BTreeMap<Unused, usize>) {
        let inputs = input::expand(std::slice::from_ref(&self.photos));
        let bar = steps("reading photos", inputs.len());
        let read = in_parallel(&inputs, jobs, &bar, |input| match input {
            Ok(input) => Photo::read(input),
            Err(_) => Err(Unused::Unreadable),
        });
        let mut photos: Vec<Photo> = Vec::new();
        let mut unused = BTreeMap::new();
        for photo in read {
            let repeated = |photo: &Photo| photos.iter().any(|earlier| earlier.resembles(photo));
            match photo {
                Ok(photo) if !repeated(&photo) => photos.push(photo),
                Ok(_) => *unused.entry(Unused::Repeated).or_insert(0) += 1,
                Err(reason) => *unused.entry(reason).or_insert(0) += 1,
            }
        }
        (photos, unused)
    }
}

impl Bench {
    fn lists(&self) -> Vec<ListFigures> {
        let figures = |half: &measure::Half| ListFigures {
            photos: half.photos(),
            manifest: half.list.manifest.clone(),
        };
        self.halves.iter().map(figures).collect()
    }

    fn false_match_log2(&self, set: &ViewSet) -> f64 {
        let each = self.halves.iter().map(|half| half.list.manifest.false_match_log2[set.name]);
        each.fold(f64::NEG_INFINITY, f64::max)
    }
}

/// The published threshold of PDQ: what an open list takes for a copy.
const THRESHOLD: u32 = 31;

/// Random flips are tried up to this distance, a little beyond the threshold.
const MOST_FLIPS: usize = 40;

/// Look-ups at each number of random flips, at least.
const FLIP_TRIALS: usize = 100;

/// Look-ups that are timed, at least: two of them decide the 99th percentile.
const TIMED: usize = 200;

/// What `work` makes of each item, in their order, on several threads.
fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    jobs: usize,
    bar: &ProgressBar,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..jobs.min(items.len()) {
            scope.spawn(|| {
                while let Some((n, item)) = {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    items.get(n).map(|item| (n, item))
                } {
                    let result = work(item);
                    bar.inc(1);
                    if let Ok(mut done) = done.lock() {
                        done.insert(n, result);
                    }
                }
            });
        }
    });
    bar.finish_and_clear();
    // A thread that panicked has ended the scope with its panic.
    done.into_inner().unwrap_or_default().into_values().collect()
}
