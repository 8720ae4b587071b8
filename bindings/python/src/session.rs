//! Films and live pictures, whose frames the host decodes.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use presend::Verdict;
use presend::limits::Incomplete;
use presend::session::{self, Settings};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::bytes::{Bytes, pixels};
use crate::guard::or_internal;
use crate::report::Report;

/// One film or live picture on its way. Frames come in order, from any thread.
#[pyclass(frozen, module = "presend")]
pub(crate) struct Session {
    /// For the report, should the session be lost.
    scanner: presend::Scanner,
    state: Mutex<State>,
}

enum State {
    Running(Box<session::Session>),
    /// A panic took it, when this was its verdict.
    Lost(Verdict),
    Ended,
}

impl Session {
    pub(crate) fn begin(
        scanner: &presend::Scanner,
        settings: Settings,
        limits: &presend::Limits,
    ) -> Self {
        let running = State::Running(Box::new(scanner.session(settings, limits)));
        Self { scanner: scanner.clone(), state: Mutex::new(running) }
    }

    /// Works on the session without the interpreter, and gives the verdict so far.
    fn with(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut session::Session) + Send,
    ) -> PyResult<&'static str> {
        let verdict = py.detach(|| {
            let mut state = self.lock();
            let running = match &mut *state {
                State::Running(running) => running,
                State::Lost(so_far) => return Some(self.lost(*so_far).verdict),
                State::Ended => return None,
            };
            let worked = or_internal(
                || {
                    work(running);
                    Ok(running.verdict())
                },
                Err,
            );
            let so_far = running.verdict();
            Some(worked.unwrap_or_else(|_| {
                *state = State::Lost(so_far);
                self.lost(so_far).verdict
            }))
        });
        verdict.map(Verdict::name).ok_or_else(ended)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A verdict never becomes milder, and what was found before is not undone.
    fn lost(&self, so_far: Verdict) -> presend::Report {
        let mut report = self.scanner.not_scanned(Incomplete::Internal);
        report.verdict = report.verdict.max(so_far);
        report
    }
}

fn ended() -> PyErr {
    PyValueError::new_err("the session has ended")
}

/// A time in a film, or between its frames.
pub(crate) fn time(ms: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(ms / 1000.0)
        .map_err(|_| PyValueError::new_err("a time is a number of milliseconds, 0 or more"))
}

#[pymethods]
impl Session {
    fn is_due(&self, py: Python<'_>, at_ms: f64) -> PyResult<bool> {
        let at = time(at_ms)?;
        py.detach(|| match &*self.lock() {
            State::Running(running) => Some(running.is_due(at)),
            State::Lost(_) => Some(false),
            State::Ended => None,
        })
        .ok_or_else(ended)
    }

    fn push_frame(
        &self,
        py: Python<'_>,
        frame: &Bound<'_, PyAny>,
        at_ms: f64,
    ) -> PyResult<&'static str> {
        match (pixels(frame), time(at_ms)) {
            (Ok(frame), Ok(at)) => self.with(py, |session| {
                session.push_frame(&frame, at);
            }),
            (Err(error), _) | (_, Err(error)) => {
                self.with(py, |session| {
                    session.leave_out_frame(Incomplete::Internal);
                })?;
                Err(error)
            }
        }
    }

    fn push_bytes(&self, py: Python<'_>, piece: &Bound<'_, PyAny>) -> PyResult<&'static str> {
        match Bytes::of(piece) {
            Ok(piece) => self.with(py, |session| session.push_bytes(piece.as_ref())),
            Err(error) => {
                self.with(py, |session| {
                    session.leave_out_bytes(Incomplete::Internal);
                })?;
                Err(error)
            }
        }
    }

    #[getter]
    fn verdict(&self, py: Python<'_>) -> PyResult<&'static str> {
        self.with(py, |_| ())
    }

    fn finish(&self, py: Python<'_>) -> PyResult<Report> {
        let report = py.detach(|| match std::mem::replace(&mut *self.lock(), State::Ended) {
            State::Running(running) => {
                let so_far = running.verdict();
                Some(or_internal(|| running.finish(), |_| self.lost(so_far)))
            }
            State::Lost(so_far) => Some(self.lost(so_far)),
            State::Ended => None,
        });
        report.map(Report::from).ok_or_else(ended)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        match self.verdict(py) {
            Ok(verdict) => format!("Session({verdict})"),
            Err(_) => "Session(ended)".into(),
        }
    }
}
