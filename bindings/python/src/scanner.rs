//! The scanner: opened once, then asked by every thread.

use std::fs;
use std::path::PathBuf;

use presend::hash::views::ViewSet;
use presend::media::Fidelity;
use presend::session::Settings;
use presend::{Classifier, HashList, Model, Runtime, Verdict};
use pyo3::create_exception;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyIterator};

use crate::bytes::{Bytes, pixels};
use crate::compute;
use crate::limits::{CancelToken, Limits, gather};
use crate::report::Report;
use crate::session::{Session, time};

create_exception!(presend, Error, PyValueError);

fn failure(error: impl std::error::Error) -> PyErr {
    Error::new_err(error.to_string())
}

/// Scans pictures; one serves all threads.
#[pyclass(frozen, module = "presend")]
pub(crate) struct Scanner(presend::Scanner);

#[pymethods]
impl Scanner {
    #[new]
    #[pyo3(signature = (*, lists=vec![], models=vec![], policy=None, views=9, fidelity="fast"))]
    fn new(
        py: Python<'_>,
        lists: Vec<Bound<'_, PyAny>>,
        models: Vec<PathBuf>,
        policy: Option<&Policy>,
        views: u8,
        fidelity: &str,
    ) -> PyResult<Self> {
        let views = ViewSet::from_name(&views.to_string())
            .ok_or_else(|| PyValueError::new_err("views is 1, 9 or 25"))?;
        let mut builder = presend::Scanner::builder().views(views).fidelity(named(fidelity)?);
        for list in &lists {
            builder = builder.list(open(list)?);
        }
        py.detach(|| {
            for folder in models {
                let model = Model::read(&folder).map_err(failure)?;
                let classifier = Classifier::open(&model, &Runtime::embedded()).map_err(failure)?;
                builder = builder.classifier(classifier);
            }
            let policy = policy.map(|policy| policy.0.clone()).unwrap_or_default();
            builder.policy(policy).build().map(Self).map_err(failure)
        })
    }

    #[pyo3(signature = (data, *, deadline_ms=None, cancel=None, limits=None))]
    fn scan(
        &self,
        py: Python<'_>,
        data: &Bound<'_, PyAny>,
        deadline_ms: Option<f64>,
        cancel: Option<&CancelToken>,
        limits: Option<&Limits>,
    ) -> PyResult<Report> {
        let limits = gather(limits, deadline_ms, cancel)?;
        let bytes = match Bytes::within(data, limits.input_bytes)? {
            Ok(bytes) => bytes,
            Err(reason) => return Ok(self.0.not_scanned(reason).into()),
        };
        let scan = || self.0.scan(bytes.as_ref(), &limits);
        Ok(compute(py, scan, |reason| self.0.not_scanned(reason)).into())
    }

    #[pyo3(signature = (data, frames, *, deadline_ms=None, cancel=None, limits=None))]
    fn scan_frames(
        &self,
        py: Python<'_>,
        data: &Bound<'_, PyAny>,
        frames: &Bound<'_, PyAny>,
        deadline_ms: Option<f64>,
        cancel: Option<&CancelToken>,
        limits: Option<&Limits>,
    ) -> PyResult<Report> {
        let limits = gather(limits, deadline_ms, cancel)?;
        let bytes = match Bytes::within(data, limits.input_bytes)? {
            Ok(bytes) => bytes,
            Err(reason) => return Ok(self.0.not_scanned(reason).into()),
        };
        let frames: Py<PyIterator> = frames.try_iter()?.unbind();
        let mut raised = None;
        // A frame at a time is fetched, and Python's own threads go on meanwhile.
        let next = || {
            let fetched = Python::attach(|py| {
                let frame = frames.bind(py).clone().next()?;
                Some(frame.and_then(|frame| pixels(&frame)))
            });
            fetched?.map_err(|error| raised = Some(error)).ok()
        };
        let scan = || self.0.scan_frames(bytes.as_ref(), std::iter::from_fn(next), &limits);
        let report = compute(py, scan, |reason| self.0.not_scanned(reason));
        // The frames ended early: this report speaks of some of them only.
        raised.map_or(Ok(report.into()), Err)
    }

    #[pyo3(signature = (
        *, every_ms=1000.0, passed_over=120, deadline_ms=None, cancel=None, limits=None
    ))]
    fn session(
        &self,
        every_ms: f64,
        passed_over: u32,
        deadline_ms: Option<f64>,
        cancel: Option<&CancelToken>,
        limits: Option<&Limits>,
    ) -> PyResult<Session> {
        let settings = Settings { every: time(every_ms)?, passed_over };
        Ok(Session::begin(&self.0, settings, &gather(limits, deadline_ms, cancel)?))
    }

    fn reload(&self, list: &Bound<'_, PyAny>) -> PyResult<()> {
        self.0.reload(open(list)?).map_err(failure)
    }

    #[getter]
    fn lists(&self) -> Vec<(String, u64)> {
        self.0.lists().iter().map(|list| (list.id().to_owned(), list.version())).collect()
    }

    #[getter]
    fn models(&self) -> Vec<(String, String)> {
        let described = self.0.classifiers().iter().map(Classifier::description);
        described.map(|model| (model.name.clone(), model.version.clone())).collect()
    }

    fn __repr__(&self) -> String {
        format!("Scanner(lists={:?}, models={:?})", self.lists(), self.models())
    }
}

/// A list out of a file, or out of its bytes.
fn open(given: &Bound<'_, PyAny>) -> PyResult<HashList> {
    if given.is_instance_of::<PyBytes>() {
        return HashList::open(given.extract::<Vec<u8>>()?).map_err(failure);
    }
    let path: PathBuf = given.extract()?;
    given.py().detach(|| {
        let bytes = fs::read(path)
            .map_err(|error| PyOSError::new_err(format!("the list cannot be read: {error}")))?;
        HashList::open(bytes).map_err(failure)
    })
}

pub(crate) fn named(fidelity: &str) -> PyResult<Fidelity> {
    Fidelity::from_name(fidelity)
        .ok_or_else(|| PyValueError::new_err("fidelity is \"fast\" or \"full\""))
}

/// The host's rules.
#[pyclass(frozen, module = "presend")]
pub(crate) struct Policy(presend::Policy);

#[pymethods]
impl Policy {
    #[staticmethod]
    fn preset(name: &str) -> PyResult<Self> {
        presend::Policy::preset(name).map(Self).ok_or_else(|| {
            let names = presend::Policy::PRESETS.join(", ");
            PyValueError::new_err(format!("the presets are {names}"))
        })
    }

    #[staticmethod]
    fn parse(text: &str) -> PyResult<Self> {
        presend::Policy::parse(text).map(Self).map_err(failure)
    }

    fn at_most(&self, list: &str, verdict: &str) -> PyResult<Self> {
        let all = [Verdict::Allow, Verdict::Warn, Verdict::Ask, Verdict::Block];
        let verdict = all.into_iter().find(|known| known.name() == verdict).ok_or_else(|| {
            PyValueError::new_err("a verdict is \"allow\", \"warn\", \"ask\" or \"block\"")
        })?;
        Ok(Self(self.0.clone().at_most(list, verdict)))
    }
}
