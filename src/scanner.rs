//! The order of the stages.
//!
//! Exact digests, decode, perceptual hash, look-up, policy. Bytes never make a
//! scan fail: what cannot be read is a finding, and the policy decides. This is
//! the only place that catches a panic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::frame::{Background, Frame};
use crate::hash::pdq::{LOW_QUALITY, Pdq};
use crate::hash::views::{Dihedral, View};
use crate::hash::{Algorithm, Algorithms, PerceptualHash, exact};
use crate::limits::{Budget, Incomplete, Limits};
use crate::list::bands::Probes;
use crate::list::{HashList, PROBES_PER_VIEW};
use crate::media::{self, Fault};
use crate::policy::Policy;
use crate::verdict::{Clearance, Finding, Match, Media, Report, Timings};

/// Scans media against lists and a policy. One serves all threads.
#[derive(Clone, Debug)]
pub struct Scanner {
    lists: Vec<HashList>,
    policy: Policy,
}

/// Gathers what a [`Scanner`] needs.
#[derive(Clone, Debug, Default)]
pub struct ScannerBuilder {
    lists: Vec<HashList>,
    policy: Policy,
}

/// The parts do not make a scanner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Two lists have one id, so a report could not say which one matched.
    #[error("two lists have the id `{0}`; load one of them")]
    SameList(String),
}

impl ScannerBuilder {
    /// Compares with one more list.
    #[must_use]
    pub fn list(mut self, list: HashList) -> Self {
        self.lists.push(list);
        self
    }

    /// Decides by this policy instead of the preset `default`.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The scanner.
    ///
    /// # Errors
    /// [`BuildError::SameList`] when two lists share an id.
    pub fn build(self) -> Result<Scanner, BuildError> {
        for (n, list) in self.lists.iter().enumerate() {
            if self.lists[..n].iter().any(|other| other.id() == list.id()) {
                return Err(BuildError::SameList(list.id().to_owned()));
            }
        }
        Ok(Scanner { lists: self.lists, policy: self.policy })
    }
}

impl Scanner {
    /// A scanner without lists and with the preset policy `default`.
    pub fn builder() -> ScannerBuilder {
        ScannerBuilder::default()
    }

    /// The lists it compares with, for a host that shows them. One with exact
    /// digests alone finds no near copies; see [`HashList::algorithms`].
    pub fn lists(&self) -> &[HashList] {
        &self.lists
    }

    /// Scans the bytes of a file, exactly as they would be sent.
    ///
    /// Never fails and never panics: what could not be looked at is a finding
    /// in the report. (A panic inside a codec is caught and becomes
    /// `incomplete.internal`; the host's panic hook runs all the same.)
    pub fn scan(&self, bytes: &[u8], limits: &Limits) -> Report {
        let budget = Budget::start(limits);
        self.run(bytes, &budget, |scan| scan.decode(bytes))
    }

    /// Scans pixels that the host decoded from `bytes` (HEIC, a video's
    /// frames), for media presend does not decode itself.
    ///
    /// Exact digests and the [`Clearance`] are those of `bytes`.
    pub fn scan_frames<'f>(
        &self,
        bytes: &[u8],
        frames: impl IntoIterator<Item = Frame<'f>>,
        limits: &Limits,
    ) -> Report {
        let budget = Budget::start(limits);
        self.run(bytes, &budget, |scan| {
            for frame in frames {
                budget.charge_frame(frame.width(), frame.height())?;
                scan.look_at(&frame)?;
            }
            Ok(())
        })
    }

    fn run(
        &self,
        bytes: &[u8],
        budget: &Budget,
        frames: impl FnOnce(&mut Scan<'_>) -> Result<(), Fault>,
    ) -> Report {
        let start = budget.now();
        let mut scan = Scan::new(&self.lists, budget);
        let stages = AssertUnwindSafe(|| {
            let outcome = scan.digest(bytes).and_then(|()| frames(&mut scan));
            scan.finish(outcome);
        });
        if catch_unwind(stages).is_err() {
            scan.find(Finding::Incomplete(Incomplete::Internal));
        }
        let (findings, mut timings) = (scan.findings, scan.timings);
        let decided = budget.now();
        let (verdict, findings) = self.policy.decide(findings);
        let end = budget.now();
        timings.policy = end.saturating_sub(decided);
        timings.total = end.saturating_sub(start);
        Report {
            verdict,
            findings,
            clearance: Clearance::of(scan.blake3),
            media: scan.media,
            frames: scan.frames,
            timings,
        }
    }
}

/// One scan on its way. What it has found survives a panic.
struct Scan<'s> {
    lists: &'s [HashList],
    budget: &'s Budget,
    findings: Vec<Finding>,
    /// For each list, whether a near match was found.
    near: Vec<bool>,
    media: Option<Media>,
    frames: u32,
    blake3: Option<[u8; 32]>,
    timings: Timings,
    /// Hashes looked up last; a still moment of an animation is not looked up again.
    seen: Vec<PerceptualHash>,
}

impl<'s> Scan<'s> {
    fn new(lists: &'s [HashList], budget: &'s Budget) -> Self {
        let findings = if lists.is_empty() { vec![Finding::NoData] } else { vec![] };
        Self {
            lists,
            budget,
            findings,
            near: vec![false; lists.len()],
            media: None,
            frames: 0,
            blake3: None,
            timings: Timings::default(),
            seen: Vec::new(),
        }
    }

    fn digest(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.budget.charge_input(bytes.len())?;
        let used = self.lists.iter().map(HashList::algorithms);
        let always = [Algorithm::Blake3].into_iter().collect();
        let wanted = used.fold(always, Algorithms::union);
        let digests = timed(self.budget, &mut self.timings.digest, || {
            exact::digests(bytes, wanted, self.budget)
        })?;
        for digest in &digests {
            if digest.algorithm() == Algorithm::Blake3 {
                self.blake3 = digest.as_bytes().try_into().ok();
            }
            for list in self.lists {
                if timed(self.budget, &mut self.timings.lookup, || list.contains(digest)) {
                    self.findings.push(matched(list, Match::Exact(digest.algorithm())));
                }
            }
        }
        Ok(())
    }

    fn decode(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let budget = self.budget;
        let mut frames = timed(budget, &mut self.timings.decode, || media::open(bytes, budget))?;
        let (format, width, height) = (frames.format(), frames.width(), frames.height());
        self.media = Some(Media { format, width, height });
        while let Some(frame) = timed(budget, &mut self.timings.decode, || frames.next()) {
            let frame = frame?;
            self.media = Some(Media { format, width: frame.width(), height: frame.height() });
            self.look_at(&frame)?;
        }
        Ok(())
    }

    fn look_at(&mut self, frame: &Frame<'_>) -> Result<(), Fault> {
        self.frames += 1;
        if self.lists.iter().all(|list| !list.algorithms().iter().any(Algorithm::is_perceptual)) {
            return Ok(());
        }
        let backgrounds: &[Background] = if frame.has_transparency() {
            &[Background::White, Background::Black]
        } else {
            &[Background::White]
        };
        let mut hashes = Vec::new();
        for &background in backgrounds {
            let budget = self.budget;
            let pdq = timed(budget, &mut self.timings.hash, || Pdq::of(frame, background, budget))?;
            if pdq.quality() <= LOW_QUALITY {
                self.find(Finding::LowQuality);
                continue;
            }
            let hash = pdq.hash();
            if !self.seen.contains(&hash) && !hashes.contains(&hash) {
                self.look_up(&pdq)?;
            }
            hashes.push(hash);
        }
        self.seen = hashes;
        Ok(())
    }

    fn look_up(&mut self, pdq: &Pdq) -> Result<(), Fault> {
        let start = self.budget.now();
        let outcome = Dihedral::ALL.into_iter().try_for_each(|symmetry| {
            self.budget.check()?;
            let view = View::dihedral(pdq, symmetry);
            // One set of probes for all lists of a profile.
            let mut made: Vec<Probes> = Vec::new();
            for (list, near) in self.lists.iter().zip(&mut self.near) {
                if *near {
                    continue;
                }
                let bits = list.header().band_bits;
                let known = made.iter().position(|probes| probes.band_bits() == bits);
                let probes = known.unwrap_or_else(|| {
                    made.push(list.probes(&view, PROBES_PER_VIEW));
                    made.len() - 1
                });
                if list.contains_any(&made[probes]) {
                    *near = true;
                    let by = Match::Near { view: symmetry, frame: self.frames - 1 };
                    self.findings.push(matched(list, by));
                }
            }
            Ok(())
        });
        self.timings.lookup += self.budget.now().saturating_sub(start);
        outcome
    }

    fn finish(&mut self, outcome: Result<(), Fault>) {
        match outcome {
            Ok(()) if self.frames == 0 => self.find(Finding::Incomplete(Incomplete::Malformed)),
            Ok(()) => {}
            Err(Fault::Incomplete(reason)) => self.find(Finding::Incomplete(reason)),
            Err(Fault::Unsupported(media)) => self.find(Finding::Unsupported(media)),
        }
    }

    /// Notes a finding that is said once however often it is found.
    fn find(&mut self, finding: Finding) {
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }
}

fn matched(list: &HashList, by: Match) -> Finding {
    Finding::Match { list: list.id().to_owned(), version: list.version(), by }
}

fn timed<T>(budget: &Budget, total: &mut Duration, stage: impl FnOnce() -> T) -> T {
    let start = budget.now();
    let result = stage();
    *total += budget.now().saturating_sub(start);
    result
}
