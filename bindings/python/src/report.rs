//! The answer to one scan, as Python objects that are safe to log.

use std::iter::from_fn;
use std::time::Duration;

use presend::verdict::{Judged, Match};
use presend::{Finding as Found, verdict};
use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyIterator};

use crate::bytes::Bytes;

create_exception!(presend, NotScanned, PyException);

/// What was found, and what the host does about it.
#[pyclass(frozen, module = "presend")]
pub(crate) struct Report(verdict::Report);

impl From<verdict::Report> for Report {
    fn from(report: verdict::Report) -> Self {
        Self(report)
    }
}

#[pymethods]
impl Report {
    #[getter]
    fn verdict(&self) -> &'static str {
        self.0.verdict.name()
    }

    #[getter]
    fn findings(&self) -> Vec<Finding> {
        self.0.findings.iter().cloned().map(Finding).collect()
    }

    #[getter]
    fn reason(&self) -> Option<Finding> {
        self.0.reason().cloned().map(Finding)
    }

    #[getter]
    fn clearance(&self) -> Clearance {
        Clearance(self.0.clearance.clone())
    }

    #[getter]
    fn media(&self) -> Option<Media> {
        self.0.media.map(Media)
    }

    #[getter]
    fn frames(&self) -> u32 {
        self.0.frames
    }

    #[getter]
    fn inferences(&self) -> u32 {
        self.0.inferences
    }

    #[getter]
    fn timings(&self) -> Timings {
        Timings(self.0.timings)
    }

    fn __repr__(&self) -> String {
        match self.0.reason() {
            Some(reason) => format!("Report({}, {})", self.0.verdict, reason.finding.code()),
            None => format!("Report({})", self.0.verdict),
        }
    }
}

/// One thing found, and the rule that judged it.
#[pyclass(frozen, module = "presend")]
pub(crate) struct Finding(Judged);

#[pymethods]
impl Finding {
    #[getter]
    fn code(&self) -> String {
        self.0.finding.code()
    }

    #[getter]
    fn verdict(&self) -> &'static str {
        self.0.verdict.name()
    }

    #[getter]
    fn rule(&self) -> &str {
        &self.0.rule
    }

    #[getter]
    fn list(&self) -> Option<(&str, u64)> {
        match &self.0.finding {
            Found::Match { list, version, .. } => Some((list, *version)),
            _ => None,
        }
    }

    #[getter]
    fn frame(&self) -> Option<u32> {
        match self.0.finding {
            Found::Match { by: Match::Near { frame, .. }, .. } => Some(frame),
            _ => None,
        }
    }

    #[getter]
    fn model(&self) -> Option<(&str, &str)> {
        match &self.0.finding {
            Found::Label { model, version, .. } => Some((model, version)),
            _ => None,
        }
    }

    #[getter]
    fn score(&self) -> Option<f32> {
        match self.0.finding {
            Found::Label { score, .. } => Some(score),
            _ => None,
        }
    }

    fn __str__(&self) -> String {
        self.0.finding.to_string()
    }

    fn __repr__(&self) -> String {
        format!("Finding({}, {}, {})", self.0.finding.code(), self.0.verdict, self.0.rule)
    }
}

/// Ties a report to the bytes that were scanned.
#[pyclass(frozen, module = "presend")]
pub(crate) struct Clearance(verdict::Clearance);

#[pymethods]
impl Clearance {
    fn check(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let bytes = Bytes::of(data)?;
        let checked = crate::compute(
            py,
            || self.0.check(bytes.as_ref()).map_err(|error| error.to_string()),
            |_| Err("the check was given up".into()),
        );
        checked.map_err(NotScanned::new_err)
    }

    fn check_pieces(&self, py: Python<'_>, pieces: &Bound<'_, PyAny>) -> PyResult<()> {
        let pieces: Py<PyIterator> = pieces.try_iter()?.unbind();
        let mut raised = None;
        let next = || {
            let fetched = Python::attach(|py| {
                let piece = pieces.bind(py).clone().next()?;
                Some(piece.and_then(|piece| Bytes::of(&piece)))
            });
            fetched?.map_err(|error| raised = Some(error)).ok()
        };
        let checked = crate::compute(
            py,
            || self.0.check_pieces(from_fn(next)).map_err(|error| error.to_string()),
            |_| Err("the check was given up".into()),
        );
        raised.map_or(Ok(()), Err)?;
        checked.map_err(NotScanned::new_err)
    }

    #[getter]
    fn blake3<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.0.blake3().map(|digest| PyBytes::new(py, &digest))
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}

/// What the content is.
#[pyclass(frozen, module = "presend")]
pub(crate) struct Media(verdict::Media);

#[pymethods]
impl Media {
    #[getter]
    fn format(&self) -> &'static str {
        self.0.format.name()
    }

    #[getter]
    fn width(&self) -> u32 {
        self.0.width
    }

    #[getter]
    fn height(&self) -> u32 {
        self.0.height
    }

    #[getter]
    fn scale(&self) -> u32 {
        self.0.scale
    }

    fn __repr__(&self) -> String {
        format!("Media({}, {}x{})", self.0.format.name(), self.0.width, self.0.height)
    }
}

/// Where the time went, in milliseconds.
#[pyclass(frozen, module = "presend")]
pub(crate) struct Timings(verdict::Timings);

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[pymethods]
impl Timings {
    #[getter]
    fn digest(&self) -> f64 {
        ms(self.0.digest)
    }

    #[getter]
    fn sniff(&self) -> f64 {
        ms(self.0.sniff)
    }

    #[getter]
    fn decode(&self) -> f64 {
        ms(self.0.decode)
    }

    #[getter]
    fn hash(&self) -> f64 {
        ms(self.0.hash)
    }

    #[getter]
    fn views(&self) -> f64 {
        ms(self.0.views)
    }

    #[getter]
    fn lookup(&self) -> f64 {
        ms(self.0.lookup)
    }

    #[getter]
    fn classify(&self) -> f64 {
        ms(self.0.classify)
    }

    #[getter]
    fn policy(&self) -> f64 {
        ms(self.0.policy)
    }

    #[getter]
    fn total(&self) -> f64 {
        ms(self.0.total)
    }

    fn __repr__(&self) -> String {
        format!("Timings(total={:.1} ms)", self.total())
    }
}
