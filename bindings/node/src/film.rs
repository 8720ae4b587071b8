//! A session's native side. JavaScript asks one thing at a time, so nobody waits for
//! the lock.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use napi::bindgen_prelude::{Object, ToNapiValue, Uint8ArraySlice};
use napi::{Env, Error, Result};
use napi_derive::napi;
use presend::frame::{Frame, Layout};
use presend::limits::Incomplete;
use presend::queue::Queue;
use presend::{Scanner, Session, Verdict};

use crate::report::Report;
use crate::{answer, milliseconds};

/// A film or a live picture on its way.
#[napi]
pub struct Film {
    /// None once it is finished.
    session: Arc<Mutex<Option<Session>>>,
    queue: Arc<Queue>,
}

impl Film {
    pub(crate) fn new(session: Session, queue: Arc<Queue>) -> Self {
        Self { session: Arc::new(Mutex::new(Some(session))), queue }
    }

    /// The promise of what `ask` makes of the session, or `lost` where there is none.
    fn ask<'e, T: ToNapiValue + Send + 'static>(
        &self,
        env: &'e Env,
        ask: impl FnOnce(Session) -> (Option<Session>, T) + Send + 'static,
        lost: impl FnOnce(&Scanner) -> T + Send + 'static,
    ) -> Result<Object<'e>> {
        let (deferred, promise) = env.create_deferred()?;
        let (session, scanner) = (Arc::clone(&self.session), self.queue.scanner().clone());
        let ask = move || {
            let mut session = session.lock().unwrap_or_else(PoisonError::into_inner);
            let asked = session.take().map(|taken| catch_unwind(AssertUnwindSafe(|| ask(taken))));
            Ok(match asked {
                Some(Ok((left, value))) => {
                    *session = left;
                    value
                }
                _ => lost(&scanner),
            })
        };
        self.queue.run(move |_| answer(deferred, ask));
        Ok(promise)
    }

    fn judge<'e>(
        &self,
        env: &'e Env,
        judge: impl FnOnce(&mut Session) + Send + 'static,
        leave_out: LeaveOut,
    ) -> Result<Object<'e>> {
        let ask = move |mut session: Session| {
            attempt(&mut session, judge, leave_out);
            let verdict = session.verdict().name();
            (Some(session), verdict)
        };
        self.ask(env, ask, |scanner| scanner.not_scanned(Incomplete::Internal).verdict.name())
    }

    fn leave_out(&self, leave_out: LeaveOut) -> &'static str {
        if let Some(session) = &mut *self.session.lock().unwrap_or_else(PoisonError::into_inner) {
            leave_out(session, Incomplete::Internal);
        }
        self.verdict()
    }
}

#[napi]
impl Film {
    /// So far.
    #[napi(catch_unwind)]
    pub fn verdict(&self) -> &'static str {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let internal = || self.queue.scanner().not_scanned(Incomplete::Internal).verdict;
        session.as_ref().map_or_else(internal, Session::verdict).name()
    }

    /// Whether a frame of this time, in milliseconds, would be looked at now.
    #[napi(catch_unwind)]
    pub fn is_due(&self, at_ms: f64) -> bool {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.as_ref().is_some_and(|session| session.is_due(milliseconds(at_ms)))
    }

    /// The promise of the verdict after one more frame, which is copied: four bytes a
    /// pixel (RGBA), three (RGB) or one (luma).
    ///
    /// # Errors
    /// The pixels are not so many, or Node can make no promise.
    #[napi(catch_unwind)]
    pub fn push_frame<'e>(
        &self,
        env: &'e Env,
        pixels: Uint8ArraySlice<'_>,
        width: u32,
        height: u32,
        at_ms: f64,
    ) -> Result<Object<'e>> {
        let count = u64::from(width) * u64::from(height);
        let layout = match (pixels.len() as u64).checked_div(count) {
            Some(1) => Layout::Luma8,
            Some(3) => Layout::Rgb8,
            _ => Layout::Rgba8,
        };
        let frame = Frame::new(width, height, layout, pixels.to_vec());
        let frame = frame.map_err(|error| Error::from_reason(error.to_string()))?;
        let push = move |session: &mut Session| {
            session.push_frame(&frame, milliseconds(at_ms));
        };
        self.judge(env, push, Session::leave_out_frame)
    }

    /// The promise of the verdict after more bytes of the file, which are copied.
    ///
    /// # Errors
    /// Node can make no promise.
    #[napi(catch_unwind)]
    pub fn push_bytes<'e>(&self, env: &'e Env, piece: Uint8ArraySlice<'_>) -> Result<Object<'e>> {
        let piece = piece.to_vec();
        self.judge(env, move |session| session.push_bytes(&piece), Session::leave_out_bytes)
    }

    /// A frame was not handed over, so nobody has seen it. The verdict so far.
    #[napi(catch_unwind)]
    pub fn leave_out_frame(&self) -> &'static str {
        self.leave_out(Session::leave_out_frame)
    }

    /// The same of the file's next bytes, and the report clears none.
    #[napi(catch_unwind)]
    pub fn leave_out_bytes(&self) -> &'static str {
        self.leave_out(Session::leave_out_bytes)
    }

    /// The promise of the report.
    ///
    /// # Errors
    /// Node can make no promise.
    #[napi(catch_unwind)]
    pub fn finish<'e>(&self, env: &'e Env) -> Result<Object<'e>> {
        let internal = |scanner: &Scanner| Report::of(&scanner.not_scanned(Incomplete::Internal));
        self.ask(env, |session| (None, Report::of(&session.finish())), internal)
    }
}

/// Notes that a frame or a piece of the file was not seen, and why.
type LeaveOut = fn(&mut Session, Incomplete) -> Verdict;

/// What panics was not done, and the session says so from then on.
fn attempt(session: &mut Session, work: impl FnOnce(&mut Session), leave_out: LeaveOut) {
    if catch_unwind(AssertUnwindSafe(|| work(session))).is_err() {
        leave_out(session, Incomplete::Internal);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use presend::session::Settings;
    use presend::{Finding, HashList, Limits};

    use super::*;

    #[test]
    fn a_panic_leaves_the_session_incomplete_and_what_was_found() {
        let frame = Frame::new(64, 64, Layout::Luma8, vec![128; 64 * 64]).unwrap();
        for leave_out in [Session::leave_out_frame as LeaveOut, Session::leave_out_bytes] {
            let list = concat!(env!("CARGO_MANIFEST_DIR"), "/../../hashlists/demo/demo.presend");
            let list = HashList::open(std::fs::read(list).unwrap()).unwrap();
            let scanner = Scanner::builder().list(list).build().unwrap();
            let mut session = scanner.session(Settings::default(), &Limits::default());
            assert_eq!(session.push_frame(&frame, Duration::ZERO), Verdict::Allow);
            attempt(&mut session, |_| panic!("in a step"), leave_out);
            assert_eq!(session.verdict(), Verdict::Ask);
            let report = session.finish();
            assert_eq!((report.verdict, report.frames), (Verdict::Ask, 1));
            let internal = Finding::Incomplete(Incomplete::Internal);
            assert!(report.findings.iter().any(|judged| judged.finding == internal));
        }
    }
}
