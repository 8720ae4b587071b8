//! Scans that are repeated in one process.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use presend::verdict::{Finding, Media};
use presend::{Limits, Report, Scanner};

use super::picture::{Class, Picture, Size};
use super::stage::{Stage, Times};
use crate::Failure;

/// One picture and its scans.
pub(crate) struct Scans {
    pub(crate) picture: Picture,
    pub(crate) bytes: usize,
    pub(crate) media: Media,
    pub(crate) frames: u32,
    pub(crate) times: Vec<Times>,
}

/// How much one number of threads gets done.
pub(crate) struct Throughput {
    pub(crate) threads: usize,
    pub(crate) scans: usize,
    pub(crate) pixels: u64,
    pub(crate) time: Duration,
}

/// Why a file is not measured with: its scan was not a whole one.
pub(crate) struct Unusable {
    pub(crate) name: String,
    pub(crate) code: String,
}

impl Scans {
    /// Scans a picture for the first time; that time is not kept.
    pub(crate) fn first(
        picture: Picture,
        scanner: &Scanner,
        limits: &Limits,
    ) -> Result<Result<Self, Unusable>, Failure> {
        let (report, _, bytes) = scan(&picture, scanner, limits)?;
        let partly = report.findings.iter().find(|judged| {
            matches!(judged.finding, Finding::Incomplete(_) | Finding::Unsupported(_))
        });
        let unusable = match (partly, report.media) {
            (Some(judged), _) => judged.finding.code(),
            (None, None) => "no picture".to_owned(),
            (None, Some(media)) => {
                let frames = report.frames;
                return Ok(Ok(Self { picture, bytes, media, frames, times: Vec::new() }));
            }
        };
        Ok(Err(Unusable { name: picture.name, code: unusable }))
    }

    /// Once more.
    pub(crate) fn again(&mut self, scanner: &Scanner, limits: &Limits) -> Result<(), Failure> {
        let (_, times, _) = scan(&self.picture, scanner, limits)?;
        self.times.push(times);
        Ok(())
    }

    pub(crate) fn class(&self) -> Class {
        let Media { format, width, height, .. } = self.media;
        Class { format: format.name(), size: Size::of(width, height) }
    }

    pub(crate) fn pixels(&self) -> u64 {
        u64::from(self.media.width) * u64::from(self.media.height) * u64::from(self.frames)
    }
}

/// Every picture `rounds` times, by so many threads.
pub(crate) fn throughput(
    all: &[Scans],
    threads: usize,
    rounds: usize,
    scanner: &Scanner,
    limits: &Limits,
) -> Result<Throughput, Failure> {
    let next = AtomicUsize::new(0);
    let scans = all.len() * rounds;
    let start = Instant::now();
    thread::scope(|scope| {
        let work = || {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= scans {
                    return Ok(());
                }
                scan(&all[n % all.len()].picture, scanner, limits)?;
            }
        };
        let working: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let ended = |thread: thread::ScopedJoinHandle<'_, Result<(), Failure>>| {
            thread
                .join()
                .unwrap_or_else(|_| Err(Failure::new("a thread that scanned has panicked")))
        };
        working.into_iter().try_for_each(ended)
    })?;
    let pixels = all.iter().map(Scans::pixels).sum::<u64>() * rounds as u64;
    Ok(Throughput { threads, scans, pixels, time: start.elapsed() })
}

/// How often every picture is scanned to fill `time` on one thread.
pub(crate) fn rounds(all: &[Scans], time: Duration) -> usize {
    let fastest = |scans: &Scans| scans.times.iter().map(|times| times.of(Stage::Total)).min();
    let round: Duration = all.iter().filter_map(fastest).sum();
    (time.as_secs_f64() / round.as_secs_f64().max(1e-6)).ceil().clamp(1.0, 10_000.0) as usize
}

fn scan(
    picture: &Picture,
    scanner: &Scanner,
    limits: &Limits,
) -> Result<(Report, Times, usize), Failure> {
    let start = Instant::now();
    let bytes = picture
        .read(limits.input_bytes)
        .map_err(|error| Failure::new(format!("{}: {error}", picture.name)))?;
    let read = start.elapsed();
    let report = scanner.scan(&bytes, limits);
    let times = Times::new(read, report.timings);
    Ok((report, times, bytes.len()))
}
