//! What one scan may spend, and the way to stop it.

use pyo3::prelude::*;

use crate::session::time;

/// The largest input, picture, animation and memory that a scan takes on.
#[pyclass(frozen, module = "presend")]
#[derive(Clone)]
pub(crate) struct Limits(presend::Limits);

#[pymethods]
impl Limits {
    #[new]
    #[pyo3(signature = (*, input_bytes=None, pixels=None, frames=None, memory=None))]
    fn new(
        input_bytes: Option<u64>,
        pixels: Option<u64>,
        frames: Option<u32>,
        memory: Option<u64>,
    ) -> Self {
        let default = presend::Limits::default();
        Self(presend::Limits {
            input_bytes: input_bytes.unwrap_or(default.input_bytes),
            pixels: pixels.unwrap_or(default.pixels),
            frames: frames.unwrap_or(default.frames),
            memory: memory.unwrap_or(default.memory),
            ..default
        })
    }

    #[getter]
    fn input_bytes(&self) -> u64 {
        self.0.input_bytes
    }

    #[getter]
    fn pixels(&self) -> u64 {
        self.0.pixels
    }

    #[getter]
    fn frames(&self) -> u32 {
        self.0.frames
    }

    #[getter]
    fn memory(&self) -> u64 {
        self.0.memory
    }

    fn __repr__(&self) -> String {
        let presend::Limits { input_bytes, pixels, frames, memory, .. } = self.0;
        format!(
            "Limits(input_bytes={input_bytes}, pixels={pixels}, frames={frames}, memory={memory})"
        )
    }
}

/// Stops scans from another thread, for good.
#[pyclass(frozen, module = "presend")]
#[derive(Default)]
pub(crate) struct CancelToken(pub(crate) presend::CancelToken);

#[pymethods]
impl CancelToken {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    fn cancel(&self) {
        self.0.cancel();
    }

    #[getter]
    fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}

/// The engine's limits for one call.
pub(crate) fn gather(
    limits: Option<&Limits>,
    deadline_ms: Option<f64>,
    cancel: Option<&CancelToken>,
) -> PyResult<presend::Limits> {
    let time = deadline_ms.map(time).transpose()?;
    Ok(presend::Limits {
        time,
        cancel: cancel.map(|token| token.0.clone()).unwrap_or_default(),
        ..limits.map(|limits| limits.0.clone()).unwrap_or_default()
    })
}
