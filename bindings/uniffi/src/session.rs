//! Films and live pictures, frame by frame.
//!
//! What the host asks for is done in that order on presend's threads, also what it no
//! longer awaits: a step that was overtaken, or dropped, would be a frame that nobody
//! has seen. Nothing is ever computed on the host's own thread; where presend's have
//! no turn, the step is left out and the session says so.

use std::collections::VecDeque;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_channel::oneshot::{self, Receiver, Sender};
use presend::limits::Incomplete;
use presend::queue::{Held, Queue};
use presend::session::Settings;

use crate::idle::UnderWay;
use crate::report::{Report, Verdict};
use crate::{Frame, PresendError};

/// Which frames a session looks at, beside the first and the last.
#[derive(Clone, Debug, uniffi::Record)]
pub struct SessionSettings {
    /// Microseconds from one frame that is looked at to the next; 0 looks at all.
    #[uniffi(default = 1000000)]
    pub every_us: u64,
    /// Frames that are passed over in a row, at most.
    #[uniffi(default = 120)]
    pub passed_over: u32,
}

impl Default for SessionSettings {
    fn default() -> Self {
        let Settings { every, passed_over } = Settings::default();
        Self { every_us: every.as_micros().try_into().unwrap_or(u64::MAX), passed_over }
    }
}

impl SessionSettings {
    pub(crate) fn open(&self) -> Settings {
        let every = Duration::from_micros(self.every_us);
        Settings { every, passed_over: self.passed_over }
    }
}

/// A film or a live picture on its way. Await each call before the next: only a few
/// may wait, and no more bytes than the scanner's queue takes. What is too much is left
/// out, as `incomplete.busy`.
#[derive(uniffi::Object)]
pub struct Session(Arc<Film>);

#[uniffi::export]
impl Session {
    /// Whether a frame of this time would be looked at. A host whose frames are dear
    /// to convert asks first, and pushes those and the film's last. While another
    /// frame is looked at, every frame is due.
    pub fn is_due(&self, at_us: u64) -> bool {
        let state = self.0.state();
        let at = Duration::from_micros(at_us);
        !state.has_ended && state.session.as_ref().is_none_or(|session| session.is_due(at))
    }

    /// Takes the next frame, shown so many microseconds after the film's start, and
    /// gives the verdict so far, which never becomes milder.
    ///
    /// A frame that is no longer awaited is looked at all the same. Where presend's
    /// threads have no turn for it, the session is `incomplete.busy` from then on.
    pub async fn push_frame(&self, frame: Arc<Frame>, at_us: u64) -> Result<Verdict, PresendError> {
        let work = Work::Frame(frame, Duration::from_micros(at_us));
        self.0.push(work)?.await.map_err(|_| PresendError::Ended)
    }

    /// Notes that there was a frame which the host could not decode or hand over, and
    /// gives the verdict so far: the session is `incomplete.internal`.
    pub async fn leave_out_frame(&self) -> Result<Verdict, PresendError> {
        self.0.push(Work::NoFrame(Incomplete::Internal))?.await.map_err(|_| PresendError::Ended)
    }

    /// Reads the next bytes of the file that the frames come from, as it would be
    /// sent. The report clears them, unless a piece had no turn.
    pub async fn push_bytes(&self, piece: Vec<u8>) -> Result<(), PresendError> {
        let verdict = self.0.push(Work::Bytes(piece))?.await;
        verdict.map(drop).map_err(|_| PresendError::Ended)
    }

    /// Looks at the last frame and ends, when all before it is done.
    pub async fn finish(&self) -> Result<Arc<Report>, PresendError> {
        let report = self.0.finish()?.await;
        Ok(report.unwrap_or_else(|_| self.0.lost()))
    }
}

impl Session {
    pub(crate) fn new(queue: &Arc<Queue>, session: presend::Session) -> Arc<Self> {
        Arc::new(Self(Film::new(queue, session)))
    }
}

/// What a session has to do, and who does it.
pub(crate) struct Film {
    queue: Arc<Queue>,
    state: Mutex<State>,
}

struct State {
    /// With the thread that is at work, or gone with the report.
    session: Option<presend::Session>,
    /// What it has come to so far.
    verdict: presend::Verdict,
    waiting: VecDeque<Step>,
    is_at_work: bool,
    has_ended: bool,
}

/// What was asked for, and who awaits it. The bytes are held as long as the work waits;
/// the mark goes after the answer.
enum Step {
    Push(Work, Option<Held>, Sender<Verdict>, UnderWay),
    Finish(Sender<Arc<Report>>, UnderWay),
}

enum Work {
    Frame(Arc<Frame>, Duration),
    Bytes(Vec<u8>),
    NoFrame(Incomplete),
    NoBytes(Incomplete),
}

impl Work {
    /// Bytes that it holds while it waits.
    fn size(&self) -> u64 {
        match self {
            Self::Frame(frame, _) => frame.size(),
            Self::Bytes(piece) => piece.len() as u64,
            Self::NoFrame(_) | Self::NoBytes(_) => 0,
        }
    }

    fn left_out(&self, reason: Incomplete) -> Self {
        match self {
            Self::Frame(..) => Self::NoFrame(reason),
            Self::Bytes(_) => Self::NoBytes(reason),
            Self::NoFrame(earlier) => Self::NoFrame(*earlier),
            Self::NoBytes(earlier) => Self::NoBytes(*earlier),
        }
    }

    fn take_part(self, session: &mut presend::Session) {
        match self {
            Self::Frame(frame, at) => drop(session.push_frame(&frame.0, at)),
            Self::Bytes(piece) => session.push_bytes(&piece),
            Self::NoFrame(reason) => drop(session.leave_out_frame(reason)),
            Self::NoBytes(reason) => drop(session.leave_out_bytes(reason)),
        }
    }
}

impl Film {
    pub(crate) fn new(queue: &Arc<Queue>, session: presend::Session) -> Arc<Self> {
        let state = State {
            verdict: session.verdict(),
            session: Some(session),
            waiting: VecDeque::new(),
            is_at_work: false,
            has_ended: false,
        };
        Arc::new(Self { queue: Arc::clone(queue), state: Mutex::new(state) })
    }

    fn push(self: &Arc<Self>, work: Work) -> Result<Receiver<Verdict>, PresendError> {
        let held = self.queue.hold(work.size());
        let work = if held.is_some() { work } else { work.left_out(Incomplete::Busy) };
        self.push_held(work, held)
    }

    fn push_held(
        self: &Arc<Self>,
        work: Work,
        held: Option<Held>,
    ) -> Result<Receiver<Verdict>, PresendError> {
        let (answer, answered) = oneshot::channel();
        let is_left_out = matches!(work, Work::NoFrame(_) | Work::NoBytes(_));
        self.ask(is_left_out, |is_full| {
            let (work, held) =
                if is_full { (work.left_out(Incomplete::Busy), None) } else { (work, held) };
            Step::Push(work, held, answer, UnderWay::new())
        })?;
        Ok(answered)
    }

    fn finish(self: &Arc<Self>) -> Result<Receiver<Arc<Report>>, PresendError> {
        let (answer, answered) = oneshot::channel();
        self.ask(false, |_| Step::Finish(answer, UnderWay::new()))?;
        Ok(answered)
    }

    /// A whole film: one frame and its file, which wait together or not at all.
    pub(crate) fn scan(
        self: &Arc<Self>,
        frame: Arc<Frame>,
        bytes: Vec<u8>,
    ) -> Result<Receiver<Arc<Report>>, PresendError> {
        let works = [Work::Bytes(bytes), Work::Frame(frame, Duration::ZERO)];
        let mut held = self.queue.hold(works.iter().map(Work::size).sum());
        let fits = held.is_some();
        for work in works {
            let work = if fits { work } else { work.left_out(Incomplete::Busy) };
            // Of these two the report tells all.
            drop(self.push_held(work, held.take())?);
        }
        self.finish()
    }

    /// The report of a session that is gone, no milder than it was.
    pub(crate) fn lost(&self) -> Arc<Report> {
        let mut report = self.queue.scanner().not_scanned(Incomplete::Internal);
        report.verdict = report.verdict.max(self.state().verdict);
        Report::of(report)
    }

    /// Queues a step, which is told whether too many wait. One that computes nothing is
    /// done here where it is the first.
    fn ask(
        self: &Arc<Self>,
        computes_nothing: bool,
        step: impl FnOnce(bool) -> Step,
    ) -> Result<(), PresendError> {
        let mut state = self.state();
        if state.has_ended {
            return Err(PresendError::Ended);
        }
        let step = step(state.waiting.len() >= MOST_WAITING);
        state.has_ended = matches!(step, Step::Finish(..));
        state.waiting.push_back(step);
        if mem::replace(&mut state.is_at_work, true) {
            return Ok(());
        }
        drop(state);
        if computes_nothing {
            self.work(Err(Incomplete::Busy));
        } else {
            let film = Arc::clone(self);
            self.queue.run(move |turn| film.work(turn));
        }
        Ok(())
    }

    /// Does what waits, or where there is no turn leaves it out, which computes nothing.
    fn work(&self, turn: Result<(), Incomplete>) {
        while let Some((session, step)) = self.next() {
            // A panic in a waker is the host's. A session that is gone answers nobody.
            drop(catch_unwind(AssertUnwindSafe(|| {
                let Some(mut session) = session else { return };
                match step {
                    Step::Push(work, held, answer, _under_way) => {
                        drop(held);
                        let lost = work.left_out(Incomplete::Internal);
                        let work = match turn {
                            Ok(()) => work,
                            Err(reason) => work.left_out(reason),
                        };
                        attempt(&mut session, |session| work.take_part(session), lost);
                        let verdict = session.verdict();
                        let mut state = self.state();
                        (state.session, state.verdict) = (Some(session), verdict);
                        drop(state);
                        // Who no longer awaits it has dropped the other end.
                        let _ = answer.send(verdict.into());
                    }
                    Step::Finish(answer, _under_way) => {
                        if let Err(reason) = turn {
                            session.leave_out_frame(reason);
                        }
                        drop(answer.send(Report::of(session.finish())));
                    }
                }
            })));
        }
    }

    fn next(&self) -> Option<(Option<presend::Session>, Step)> {
        let mut state = self.state();
        let step = state.waiting.pop_front();
        state.is_at_work = step.is_some();
        step.map(|step| (state.session.take(), step))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What panics was not done, and the session says so from then on.
fn attempt(session: &mut presend::Session, work: impl FnOnce(&mut presend::Session), lost: Work) {
    if catch_unwind(AssertUnwindSafe(|| work(session))).is_err() {
        lost.take_part(session);
    }
}

/// Each holds a frame or a piece of the file.
const MOST_WAITING: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroUsize;
    use std::sync::mpsc::{self, channel};

    use futures_executor::block_on;
    use presend::queue;
    use presend::{HashList, Limits, Scanner};

    use crate::Layout;

    fn queue() -> Arc<Queue> {
        queue_of(1, u64::MAX)
    }

    fn queue_of(waiting: usize, waiting_bytes: u64) -> Arc<Queue> {
        let list = concat!(env!("CARGO_MANIFEST_DIR"), "/../../hashlists/demo/demo.presend");
        let list = HashList::open(std::fs::read(list).unwrap()).unwrap();
        let scanner = Scanner::builder().list(list).build().unwrap();
        let settings = queue::Settings { threads: NonZeroUsize::MIN, waiting, waiting_bytes };
        Arc::new(Queue::new(scanner, settings).unwrap())
    }

    fn film(queue: &Arc<Queue>) -> Arc<Film> {
        let session = queue.scanner().session(Settings::default(), &Limits::default());
        Film::new(queue, session)
    }

    /// Takes the only thread until the sender is dropped.
    fn hold(queue: &Queue) -> mpsc::Sender<()> {
        let (go, goes) = channel::<()>();
        let (begun, has_begun) = channel();
        queue.run(move |_| {
            begun.send(()).unwrap();
            goes.recv().unwrap_err();
        });
        has_begun.recv().unwrap();
        go
    }

    /// Takes the only place to wait, too. What it gives second waits until there is one.
    fn fill(queue: &Queue) -> (mpsc::Sender<()>, impl FnOnce()) {
        let go = hold(queue);
        let (free, is_free) = channel();
        queue.run(move |_| free.send(()).unwrap());
        (go, move || is_free.recv().unwrap())
    }

    fn frame(seconds: u64) -> Work {
        let pixels = (0..64 * 64).map(|n| ((n % 64 * 3) ^ (n / 64 * 5)) as u8).collect();
        let frame = Frame::new(pixels, 64, 64, Layout::Luma, 1).unwrap();
        Work::Frame(frame, Duration::from_secs(seconds))
    }

    /// The official test picture, decoded.
    fn listed() -> Arc<Frame> {
        use presend::frame::Background;
        use presend::limits::Budget;

        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/media/test-picture.png");
        let (bytes, budget) = (std::fs::read(path).unwrap(), Budget::start(&Limits::default()));
        let mut frames = presend::media::open(&bytes, &budget).unwrap();
        let frame = frames.next().unwrap().unwrap();
        let (width, height) = (frame.width(), frame.height());
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let pixels = places.flat_map(|(x, y)| frame.rgb(x, y, Background::White)).collect();
        Frame::new(pixels, width, height, Layout::Rgb, 1).unwrap()
    }

    fn codes(report: &Report) -> Vec<String> {
        let codes = report.findings().into_iter().map(|finding| finding.code());
        codes.filter(|code| !code.starts_with("no-data")).collect()
    }

    fn own(codes: &[&str]) -> Vec<String> {
        codes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_frame_without_a_turn_is_left_out_here_and_the_session_says_so() {
        let queue = queue();
        let film = film(&queue);
        assert_eq!(block_on(film.push(frame(0)).unwrap()), Ok(Verdict::Allow));
        let (go, is_free) = fill(&queue);
        let answer = film.push(frame(1)).unwrap().try_recv();
        assert_eq!(answer, Ok(Some(Verdict::Ask)), "answered before it returned");
        drop(go);
        is_free();
        assert_eq!(block_on(film.push(frame(2)).unwrap()), Ok(Verdict::Ask));
        let report = block_on(film.finish().unwrap()).unwrap();
        assert_eq!((codes(&report), report.frames()), (vec!["incomplete.busy".into()], 2));
    }

    #[test]
    fn frames_and_pieces_that_wait_are_weighed() {
        for other in [frame(0), Work::Bytes(vec![0; 2])] {
            let queue = queue_of(64, 64 * 64 + 1);
            let (waits, busy) = (film(&queue), film(&queue));
            let go = hold(&queue);
            let frame = waits.push(frame(0)).unwrap();
            assert_eq!(busy.push(other).unwrap().try_recv(), Ok(Some(Verdict::Ask)));
            drop(go);
            assert_eq!(block_on(frame), Ok(Verdict::Allow));
        }
    }

    #[test]
    fn every_step_of_a_burst_is_weighed() {
        let queue = queue_of(64, 2 * 64 * 64);
        let film = film(&queue);
        let go = hold(&queue);
        let pushed: Vec<_> = (0..4).map(|n| film.push(frame(n)).unwrap()).collect();
        drop(go);
        let verdicts = pushed.into_iter().map(|push| block_on(push).unwrap());
        let [allow, ask] = [Verdict::Allow, Verdict::Ask];
        assert_eq!(verdicts.collect::<Vec<_>>(), [allow, allow, ask, ask]);
        assert_eq!(block_on(film.finish().unwrap()).unwrap().frames(), 2);
    }

    #[test]
    fn a_frame_waits_with_its_file_or_not_at_all() {
        let Work::Frame(frame, _) = frame(0) else { unreachable!() };
        for (bytes, codes_of_it, frames) in [(4, vec![], 1), (5, vec!["incomplete.busy"], 0)] {
            let queue = queue_of(64, 1 + 64 * 64 + 4);
            let go = hold(&queue);
            let waits = film(&queue).push(Work::Bytes(vec![0])).unwrap();
            let report = film(&queue).scan(Arc::clone(&frame), vec![0; bytes]).unwrap();
            drop(go);
            assert_eq!(block_on(waits), Ok(Verdict::Allow));
            let report = block_on(report).unwrap();
            assert_eq!((codes(&report), report.frames()), (own(&codes_of_it), frames));
            assert_eq!(report.blake3().is_some(), frames == 1);
        }
    }

    #[test]
    fn a_piece_without_a_turn_clears_nothing() {
        let queue = queue();
        let film = film(&queue);
        block_on(film.push(frame(0)).unwrap()).unwrap();
        let (go, is_free) = fill(&queue);
        let answer = film.push(Work::Bytes(b"the ".to_vec())).unwrap().try_recv();
        assert_eq!(answer, Ok(Some(Verdict::Ask)));
        drop(go);
        is_free();
        block_on(film.push(Work::Bytes(b"film".to_vec())).unwrap()).unwrap();
        let report = block_on(film.finish().unwrap()).unwrap();
        assert_eq!((codes(&report), report.blake3()), (vec!["incomplete.busy".into()], None));
    }

    #[test]
    fn an_end_without_a_turn_answers_at_once_and_no_milder() {
        let queue = queue();
        let film = film(&queue);
        block_on(film.push(frame(0)).unwrap()).unwrap();
        // Kept, in case it is the last: it would be looked at now.
        block_on(film.push(Work::Frame(listed(), Duration::from_millis(1))).unwrap()).unwrap();
        let _held = fill(&queue);
        let report = film.finish().unwrap().try_recv().unwrap().expect("before it returned");
        assert_eq!((codes(&report), report.frames()), (vec!["incomplete.busy".into()], 1));

        let film = self::film(&self::queue());
        let blocked = film.push(Work::Frame(listed(), Duration::ZERO)).unwrap();
        assert_eq!(block_on(blocked), Ok(Verdict::Block));
        let _held = fill(&film.queue);
        let report = film.finish().unwrap().try_recv().unwrap().expect("before it returned");
        assert_eq!(report.verdict(), Verdict::Block);
    }

    #[test]
    fn what_nobody_awaits_any_more_is_done_before_the_end() {
        let queue = queue();
        let film = film(&queue);
        let go = hold(&queue);
        drop(film.push(Work::Frame(listed(), Duration::ZERO)).unwrap());
        let end = film.finish().unwrap();
        assert!(film.push(frame(1)).is_err(), "it has ended");
        drop(go);
        let report = block_on(end).unwrap();
        assert_eq!((report.verdict(), report.frames()), (Verdict::Block, 1));
    }

    #[test]
    fn no_more_than_a_few_steps_of_a_session_wait() {
        let queue = queue();
        let film = film(&queue);
        let go = hold(&queue);
        let pushed: Vec<_> = (0..20).map(|n| film.push(frame(n)).unwrap()).collect();
        drop(go);
        let verdicts: Vec<_> = pushed.into_iter().map(|push| block_on(push).unwrap()).collect();
        assert_eq!(verdicts[..8], [Verdict::Allow; 8]);
        assert_eq!(verdicts[8..], [Verdict::Ask; 12]);
        let report = block_on(film.finish().unwrap()).unwrap();
        assert_eq!((codes(&report), report.frames()), (vec!["incomplete.busy".into()], 8));
    }

    #[test]
    fn a_frame_that_panics_makes_the_session_incomplete() {
        let mut session = queue().scanner().session(Settings::default(), &Limits::default());
        frame(0).take_part(&mut session);
        assert_eq!(session.verdict(), presend::Verdict::Allow);
        let lost = frame(1).left_out(Incomplete::Internal);
        attempt(&mut session, |_| panic!("in a frame"), lost);
        assert_eq!(session.verdict(), presend::Verdict::Ask);
        frame(2).take_part(&mut session);
        assert_eq!(codes(&Report::of(session.finish())), ["incomplete.internal"]);
    }

    #[test]
    fn a_report_that_is_lost_is_no_milder_than_the_session_was() {
        let film = film(&queue());
        block_on(film.push(Work::Frame(listed(), Duration::ZERO)).unwrap()).unwrap();
        let report = film.lost();
        assert_eq!(
            (report.verdict(), codes(&report)),
            (Verdict::Block, own(&["incomplete.internal"]))
        );
    }

    #[test]
    fn a_frame_that_the_host_cannot_hand_over_was_not_seen() {
        let session = Session(film(&queue()));
        assert_eq!(block_on(session.leave_out_frame()).ok(), Some(Verdict::Ask));
        let report = block_on(session.finish()).unwrap();
        assert_eq!(codes(&report), ["incomplete.internal"]);
    }

    #[test]
    fn nothing_is_computed_where_it_is_asked_for() {
        let queue = queue();
        let film = film(&queue);
        let go = hold(&queue);
        let mut frame = film.push(frame(0)).unwrap();
        assert!(frame.try_recv().unwrap().is_none(), "the thread is taken");
        assert!(Session(Arc::clone(&film)).is_due(1), "and this does not wait for it");
        drop(go);
        assert_eq!(block_on(frame), Ok(Verdict::Allow));
    }
}
