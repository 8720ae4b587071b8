//! The order of the stages.
//!
//! Exact digests, decode, perceptual hash, look-up, classifiers, policy. Bytes
//! never make a scan fail: what cannot be read is a finding, and the policy
//! decides. This is the only place that catches a panic.

use std::collections::BTreeSet;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use crate::classify::{Classifier, Scores};
use crate::frame::{Background, Frame};
use crate::hash::exact::Digester;
use crate::hash::views::ViewSet;
use crate::hash::{Algorithm, Algorithms};
use crate::limits::{Budget, Incomplete, Limits};
use crate::list::HashList;
use crate::media::{self, Fault, Fidelity};
use crate::policy::Policy;
use crate::verdict::{Clearance, Finding, Match, Media, Part, Report, Timings, Verdict};

mod looks;
mod search;

use looks::Looks;
use search::Search;

/// Scans media against lists, with classifiers, by a policy. One serves all
/// threads; clones share lists and models.
#[derive(Clone, Debug)]
pub struct Scanner {
    /// Held for as long as it takes to copy or to replace a pointer.
    lists: Arc<RwLock<Arc<[HashList]>>>,
    classifiers: Arc<[Classifier]>,
    policy: Arc<Policy>,
    views: ViewSet,
    fidelity: Fidelity,
    has_two_cores: bool,
}

/// The list does not replace one that the scanner has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// The scanner has no list of this id; a list more needs another scanner.
    #[error("the scanner has no list with the id `{0}`; build a scanner with it")]
    UnknownList(String),
    /// The list in use is a later edition, and stays.
    #[error("version {offered} of the list comes before version {in_use}, which is in use")]
    Older {
        /// The version in use.
        in_use: u64,
        /// The version that was offered.
        offered: u64,
    },
}

/// Gathers what a [`Scanner`] needs.
#[derive(Clone, Debug, Default)]
pub struct ScannerBuilder {
    lists: Vec<HashList>,
    classifiers: Vec<Classifier>,
    policy: Policy,
    views: ViewSet,
    fidelity: Fidelity,
}

/// The parts do not make a scanner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Two lists have one id, so a report could not say which one matched.
    #[error("two lists have the id `{0}`; load one of them")]
    SameList(String),
    /// Two models have one name, so a report could not say which one spoke.
    #[error("two models have the name `{0}`; load one of them")]
    SameModel(String),
    /// The policy wants a model to confirm what another flags.
    #[error(
        "the policy lets the model `{0}` confirm, and it is not loaded; load it, or take `confirm` out"
    )]
    NoModel(String),
    /// The policy waits for a label that the confirming model does not give.
    #[error("the policy lets a model confirm by the label `{0}`, which it does not give")]
    NoLabel(String),
    /// Every model that is loaded only confirms, so none would ever look.
    #[error("every loaded model only confirms; load one that looks at every frame")]
    NoFirstModel,
}

impl ScannerBuilder {
    /// Compares with one more list.
    #[must_use]
    pub fn list(mut self, list: HashList) -> Self {
        self.lists.push(list);
        self
    }

    /// Looks with one more model. One that the policy lets
    /// [confirm](crate::policy) runs only where another flags; all others run on
    /// every frame.
    #[must_use]
    pub fn classifier(mut self, classifier: Classifier) -> Self {
        self.classifiers.push(classifier);
        self
    }

    /// Decides by this policy instead of the preset `default`.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Looks up these views of every picture instead of nine.
    #[must_use]
    pub fn views(mut self, views: ViewSet) -> Self {
        self.views = views;
        self
    }

    /// Decodes pictures to this fidelity instead of [`Fidelity::Fast`].
    ///
    /// A fast scan decodes in full what is unusual, a picture whose scores lie so
    /// near a threshold that it matters, and one file of 64, chosen by its digest.
    #[must_use]
    pub fn fidelity(mut self, fidelity: Fidelity) -> Self {
        self.fidelity = fidelity;
        self
    }

    /// The scanner.
    ///
    /// # Errors
    /// [`BuildError`] when two lists share an id or two models a name, or when
    /// the models are not those that the policy needs.
    pub fn build(self) -> Result<Scanner, BuildError> {
        let Self { lists, classifiers, policy, views, fidelity } = self;
        if let Some(id) = repeated(lists.iter().map(HashList::id)) {
            return Err(BuildError::SameList(id.to_owned()));
        }
        let names = || classifiers.iter().map(name);
        if let Some(name) = repeated(names()) {
            return Err(BuildError::SameModel(name.to_owned()));
        }
        for (model, label) in policy.confirmations() {
            let Some(confirming) = classifiers.iter().find(|c| name(c) == model) else {
                return Err(BuildError::NoModel(model.to_owned()));
            };
            if !confirming.description().labels().any(|given| given == label) {
                return Err(BuildError::NoLabel(label.to_owned()));
            }
        }
        let has_two_cores = thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
        let lists = Arc::new(RwLock::new(lists.into()));
        let (classifiers, policy) = (classifiers.into(), Arc::new(policy));
        let scanner = Scanner { lists, classifiers, policy, views, fidelity, has_two_cores };
        let looks = scanner.classifiers.iter().any(|classifier| scanner.looks_first(classifier));
        if !scanner.classifiers.is_empty() && !looks {
            return Err(BuildError::NoFirstModel);
        }
        Ok(scanner)
    }
}

/// The first that stands a second time.
fn repeated<'n>(names: impl Iterator<Item = &'n str> + Clone) -> Option<&'n str> {
    names
        .clone()
        .enumerate()
        .find(|&(n, name)| names.clone().take(n).any(|other| other == name))
        .map(|(_, name)| name)
}

fn name(classifier: &Classifier) -> &str {
    &classifier.description().name
}

impl Scanner {
    /// A scanner without lists and models and with the preset policy `default`.
    pub fn builder() -> ScannerBuilder {
        ScannerBuilder::default()
    }

    /// The lists that the next scan compares with, for a host that shows them. One
    /// with exact digests alone finds no near copies; see [`HashList::algorithms`].
    pub fn lists(&self) -> Arc<[HashList]> {
        Arc::clone(&self.lists.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Compares with this edition of a list from now on, in the place of the one
    /// with its id; clones of the scanner do too. Scans that run end with the
    /// editions that they began with; nobody waits.
    ///
    /// # Errors
    /// [`ReloadError`] if the list has nothing to replace, or comes before what it
    /// would replace. All stays as it was.
    pub fn reload(&self, list: HashList) -> Result<(), ReloadError> {
        let mut current = self.lists.write().unwrap_or_else(PoisonError::into_inner);
        let mut lists = current.to_vec();
        let Some(old) = lists.iter_mut().find(|old| old.id() == list.id()) else {
            return Err(ReloadError::UnknownList(list.id().to_owned()));
        };
        if list.version() < old.version() {
            let (in_use, offered) = (old.version(), list.version());
            return Err(ReloadError::Older { in_use, offered });
        }
        *old = list;
        let old = mem::replace(&mut *current, lists.into());
        // Unloading a list takes its time; others may go on meanwhile.
        drop(current);
        drop(old);
        Ok(())
    }

    /// The models it looks with.
    pub fn classifiers(&self) -> &[Classifier] {
        &self.classifiers
    }

    /// Scans the bytes of a file, exactly as they would be sent.
    ///
    /// Never fails and never panics: what could not be looked at is a finding
    /// in the report. (A panic inside a codec is caught and becomes
    /// `incomplete.internal`; the host's panic hook runs all the same.)
    pub fn scan(&self, bytes: &[u8], limits: &Limits) -> Report {
        self.scan_within(bytes, Budget::start(limits))
    }

    /// Scans with what a budget has left.
    pub(crate) fn scan_within(&self, bytes: &[u8], budget: Budget) -> Report {
        self.run(budget, |scan| {
            scan.digest(bytes)?;
            scan.decode(bytes)
        })
    }

    /// The report of a scan that did not begin, for a host with a queue of its
    /// own: the policy decides as on any other scan, and no bytes are cleared.
    pub fn not_scanned(&self, reason: Incomplete) -> Report {
        self.run(Budget::start(&Limits::default()), |_| Err(reason.into()))
    }

    /// Scans pixels that the host decoded from `bytes` (HEIC, a video's
    /// frames), for media presend does not decode itself.
    ///
    /// Exact digests and the [`Clearance`] are those of `bytes`. Every frame is
    /// looked at; [`session`](Self::session) takes a film piece by piece and
    /// samples it.
    pub fn scan_frames<'f>(
        &self,
        bytes: &[u8],
        frames: impl IntoIterator<Item = Frame<'f>>,
        limits: &Limits,
    ) -> Report {
        self.run(Budget::start(limits), |scan| {
            scan.digest(bytes)?;
            frames.into_iter().try_for_each(|frame| scan.look_at_next(&frame))
        })
    }

    /// Whether the model runs on every frame: something follows from what it says.
    fn is_needed(&self, classifier: &Classifier) -> bool {
        let given = |label| classifier.description().labels().any(|other| other == label);
        self.looks_first(classifier) && self.policy.labels().any(given)
    }

    /// Whether the model looks by itself; the others confirm.
    fn looks_first(&self, classifier: &Classifier) -> bool {
        !self.policy.confirmations().any(|(model, _)| model == name(classifier))
    }

    /// The models, by number, that have to confirm these scores.
    fn to_confirm(&self, classifier: &Classifier, scores: &Scores) -> BTreeSet<usize> {
        let labels = classifier.description().labels().zip(scores.as_slice());
        let models =
            labels.filter_map(|(label, &score)| self.policy.confirming_model(label, score));
        models.filter_map(|model| self.classifiers.iter().position(|c| name(c) == model)).collect()
    }

    fn run(&self, budget: Budget, stages: impl FnOnce(&mut Scan) -> Result<(), Fault>) -> Report {
        let mut scan = Scan::new(self, budget);
        if scan.step(stages) {
            scan.expect_a_frame();
        }
        scan.report()
    }
}

/// One scan on its way. What it has found survives a panic.
pub(crate) struct Scan {
    scanner: Scanner,
    /// The editions that this scan compares with, from start to end.
    lists: Arc<[HashList]>,
    budget: Arc<Budget>,
    start: Duration,
    findings: Vec<Finding>,
    media: Option<Media>,
    frames: u32,
    bytes_read: u64,
    digester: Digester,
    blake3: Option<[u8; 32]>,
    timings: Timings,
    search: Search,
    looks: Looks,
}

impl Scan {
    pub(crate) fn new(scanner: &Scanner, budget: Budget) -> Self {
        let mut findings = Vec::new();
        let lists = scanner.lists();
        if lists.is_empty() {
            findings.push(Finding::NoData(Part::List));
        }
        let first = || scanner.classifiers.iter().filter(|c| scanner.looks_first(c));
        let given = |label| first().any(|c| c.description().labels().any(|other| other == label));
        if !scanner.policy.labels().all(given) {
            findings.push(Finding::NoData(Part::Model));
        }
        let used = lists.iter().map(HashList::algorithms);
        let always = [Algorithm::Blake3].into_iter().collect();
        let budget = Arc::new(budget);
        Self {
            scanner: scanner.clone(),
            start: budget.now(),
            findings,
            media: None,
            frames: 0,
            bytes_read: 0,
            digester: Digester::new(used.fold(always, Algorithms::union)),
            blake3: None,
            timings: Timings::default(),
            search: Search::new(&lists, scanner.views, &budget),
            looks: Looks::new(scanner, &budget),
            lists,
            budget,
        }
    }

    /// Does a part of the work and notes why it could not be done. Whether it was.
    pub(crate) fn step(&mut self, stages: impl FnOnce(&mut Self) -> Result<(), Fault>) -> bool {
        let outcome = catch_unwind(AssertUnwindSafe(|| stages(self)));
        // A panic takes nothing back that was found before it.
        for finding in mem::take(&mut self.search.findings) {
            self.find(finding);
        }
        match outcome.unwrap_or(Err(Incomplete::Internal.into())) {
            Ok(()) => return true,
            Err(Fault::Incomplete(reason)) => self.find(Finding::Incomplete(reason)),
            Err(Fault::Unsupported(media)) => self.find(Finding::Unsupported(media)),
        }
        false
    }

    /// Notes that the media showed nothing, if it did not.
    pub(crate) fn expect_a_frame(&mut self) {
        if self.frames == 0 {
            self.find(Finding::Incomplete(Incomplete::Malformed));
        }
    }

    /// What follows from all that was found so far.
    pub(crate) fn verdict(&self) -> Verdict {
        let findings = self.findings.iter().cloned().chain(self.looks.labels());
        self.scanner.policy.decide(findings.collect()).0
    }

    pub(crate) fn report(self) -> Report {
        let Self { scanner, budget, mut findings, mut timings, search, looks, .. } = self;
        findings.extend(looks.labels());
        timings.hash = search.hash_time;
        timings.views = search.views_time;
        timings.lookup += search.lookup_time;
        timings.classify = looks.time;
        let decided = budget.now();
        let (verdict, findings) = scanner.policy.decide(findings);
        let end = budget.now();
        timings.policy = end.saturating_sub(decided);
        timings.total = end.saturating_sub(self.start);
        Report {
            verdict,
            findings,
            clearance: Clearance::of(self.blake3),
            media: self.media,
            frames: self.frames,
            inferences: looks.inferences,
            timings,
        }
    }

    /// Whether the scan may go on.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        Ok(self.budget.check()?)
    }

    /// Whether it may go on and hold a copy of the frame.
    pub(crate) fn fits(&self, frame: &Frame<'_>) -> Result<(), Fault> {
        self.check()?;
        Ok(self.budget.reserve(frame.size()).map(drop)?)
    }

    /// Reads the file's next bytes.
    pub(crate) fn read(&mut self, piece: &[u8]) -> Result<(), Fault> {
        self.bytes_read = self.bytes_read.saturating_add(piece.len() as u64);
        self.budget.charge_input(self.bytes_read)?;
        let Self { digester, budget, timings, .. } = self;
        Ok(timed(budget, &mut timings.digest, || digester.update(piece, budget))?)
    }

    /// Looks up the digests of the bytes that were read: they are all.
    pub(crate) fn end_file(&mut self) {
        for digest in mem::take(&mut self.digester).finish() {
            if digest.algorithm() == Algorithm::Blake3 {
                self.blake3 = digest.as_bytes().try_into().ok();
            }
            for list in self.lists.iter() {
                let is_listed = || list.contains(&digest);
                if timed(&self.budget, &mut self.timings.lookup, is_listed) {
                    self.findings.push(matched(list, Match::Exact(digest.algorithm())));
                }
            }
        }
    }

    fn digest(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.read(bytes)?;
        self.end_file();
        Ok(())
    }

    fn decode(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let budget = &*Arc::clone(&self.budget);
        let fidelity = if self.is_drawn() { Fidelity::Full } else { self.scanner.fidelity };
        let open = || media::open_to_scan(bytes, fidelity, budget);
        let mut frames = timed(budget, &mut self.timings.sniff, open)?;
        let (format, width, height) = (frames.format(), frames.width(), frames.height());
        self.media = Some(Media { format, width, height, scale: 1 });
        let mut charged = Vec::new();
        let mut is_reduced = false;
        while let Some(frame) = timed(budget, &mut self.timings.decode, || frames.next()) {
            let frame = frame?;
            let (width, height) = (frame.original_width(), frame.original_height());
            if charged.is_empty() {
                self.media = Some(Media { format, width, height, scale: frame.scale() });
            }
            charged.push((width, height));
            is_reduced |= frame.scale() > 1;
            self.look_at(&frame)?;
        }
        if is_reduced && self.looks.is_close() {
            charged.into_iter().for_each(|(width, height)| budget.uncharge_frame(width, height));
            return self.look_again(bytes);
        }
        Ok(())
    }

    /// Whether the file is one of the few that are decoded in full whatever they
    /// look like. Its digest says so: a file that is passed on as it is may be found
    /// out by it, but whoever makes a file can make one that is not drawn.
    fn is_drawn(&self) -> bool {
        self.blake3.is_some_and(|digest| digest[0] < 256u16.div_ceil(DRAWN) as u8)
    }

    /// Classifies every pixel of a picture, in place of its means; what they have
    /// shown stands until all of it is done.
    fn look_again(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let budget = &*Arc::clone(&self.budget);
        let mut frames = media::open(bytes, budget)?;
        let mut again = self.looks.again();
        while let Some(frame) = timed(budget, &mut self.timings.decode, || frames.next()) {
            let frame = frame?;
            if let Some(media) = &mut self.media {
                media.scale = frame.scale();
            }
            again.look_at(&frame, backgrounds(&frame))?;
        }
        self.looks = again;
        Ok(())
    }

    /// Looks at a frame that somebody else decoded.
    pub(crate) fn look_at_next(&mut self, frame: &Frame<'_>) -> Result<(), Fault> {
        self.budget.charge_frame(frame.width(), frame.height())?;
        self.look_at(frame)
    }

    /// The same, while so many bytes of other frames are kept.
    pub(crate) fn look_at_beside(&mut self, frame: &Frame<'_>, kept: u64) -> Result<(), Fault> {
        let budget = Arc::clone(&self.budget);
        let _kept = budget.reserve(kept)?;
        self.look_at_next(frame)
    }

    fn look_at(&mut self, frame: &Frame<'_>) -> Result<(), Fault> {
        self.frames += 1;
        let number = self.frames - 1;
        let backgrounds = backgrounds(frame);
        let Self { search, looks, .. } = self;
        let perceptual = |list: &HashList| list.algorithms().iter().any(Algorithm::is_perceptual);
        let compares = self.lists.iter().any(perceptual);
        let (compared, looked) = if compares && looks.has_work() && self.scanner.has_two_cores {
            thread::scope(|scope| {
                let looks = scope.spawn(|| looks.look_at(frame, backgrounds));
                let compared = search.compare(frame, number, backgrounds);
                // A panic over there is one of this scan.
                (compared, looks.join().unwrap_or_else(|panic| resume_unwind(panic)))
            })
        } else {
            let compared =
                if compares { search.compare(frame, number, backgrounds) } else { Ok(()) };
            (compared, looks.look_at(frame, backgrounds))
        };
        Ok(compared.and(looked)?)
    }

    /// Notes a finding that is said once however often it is found.
    fn find(&mut self, finding: Finding) {
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }
}

/// What the frame has to be looked at on.
fn backgrounds(frame: &Frame<'_>) -> &'static [Background] {
    if frame.has_transparency() {
        &[Background::White, Background::Black, Background::Dropped]
    } else {
        &[Background::White]
    }
}

/// One file of so many is decoded in full.
const DRAWN: u16 = 64;

fn matched(list: &HashList, by: Match) -> Finding {
    Finding::Match { list: list.id().to_owned(), version: list.version(), by }
}

fn timed<T>(budget: &Budget, total: &mut Duration, stage: impl FnOnce() -> T) -> T {
    let start = budget.now();
    let result = stage();
    *total += budget.now().saturating_sub(start);
    result
}
