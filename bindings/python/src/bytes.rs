//! What Python hands over: a file's bytes, a path to them, or decoded pixels.
//!
//! `bytes` cannot change and is read where it lies. Everything else that lends a
//! buffer (NumPy and Arrow arrays, `bytearray`, `mmap`) may be written to while
//! the engine reads it without the interpreter, so it is copied before.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;

use presend::Frame;
use presend::frame::Layout;
use presend::limits::Incomplete;
use pyo3::buffer::{PyBuffer, PyUntypedBuffer};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyString};

/// The bytes of a file.
pub(crate) enum Bytes {
    Lent(PyBackedBytes),
    Own(Vec<u8>),
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Lent(bytes) => bytes,
            Self::Own(bytes) => bytes,
        }
    }
}

impl Bytes {
    /// Of `bytes` itself or of anything that lends a one-dimensional buffer.
    pub(crate) fn of(given: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self::within(given, u64::MAX)?.expect("no buffer has so many"))
    }

    /// The same, unless more than `most` would have to be copied.
    pub(crate) fn within(
        given: &Bound<'_, PyAny>,
        most: u64,
    ) -> PyResult<Result<Self, Incomplete>> {
        // NumPy's bytes_ is a `bytes` too, but one that has lost its last zeros.
        if let Ok(bytes) = given.cast_exact::<PyBytes>() {
            return Ok(Ok(Self::Lent(bytes.clone().into())));
        }
        let buffer = buffer(given)?;
        if buffer.len_bytes() as u64 > most {
            return Ok(Err(Incomplete::TooManyBytes));
        }
        if buffer.dimensions() != 1 {
            return Err(PyTypeError::new_err(
                "expected the bytes of a file, got an array of pixels",
            ));
        }
        copied(given.py(), buffer).map(|bytes| Ok(Self::Own(bytes)))
    }
}

/// One thing to hash.
pub(crate) enum Input {
    Path(PathBuf),
    Bytes(Bytes),
    Pixels(Frame<'static>),
    TooManyBytes,
    /// Arrow's null.
    Null,
}

impl From<Result<Bytes, Incomplete>> for Input {
    fn from(bytes: Result<Bytes, Incomplete>) -> Self {
        bytes.map_or(Self::TooManyBytes, Self::Bytes)
    }
}

impl Input {
    /// A path for `str` and `os.PathLike`; a file for bytes; pixels for an array of
    /// two or three dimensions; what an Arrow scalar holds. No more bytes than `most`
    /// are copied.
    pub(crate) fn of(given: &Bound<'_, PyAny>, most: u64) -> PyResult<Self> {
        if given.is_none() {
            return Ok(Self::Null);
        }
        if given.is_exact_instance_of::<PyBytes>() {
            return Bytes::within(given, most).map(Self::from);
        }
        if given.is_instance_of::<PyString>() || given.hasattr("__fspath__")? {
            return given.extract().map(Self::Path);
        }
        // An Arrow scalar: of text, which is a path, or of binary.
        if given.hasattr("as_buffer")? {
            if given.getattr("type")?.str()?.to_string_lossy().contains("string") {
                return Self::of(&given.call_method0("as_py")?, most);
            }
            let held = given.call_method0("as_buffer")?;
            if held.is_none() {
                return Ok(Self::Null);
            }
            return Bytes::within(&held, most).map(Self::from);
        }
        if buffer(given)?.dimensions() == 1 {
            return Bytes::within(given, most).map(Self::from);
        }
        pixels(given).map(Self::Pixels)
    }
}

/// A file's bytes, unless they are more than `most`.
pub(crate) fn read(path: &PathBuf, most: u64) -> Result<Vec<u8>, Unread> {
    let unread = |error: io::Error| Unread::Io(error.kind());
    // What is no file (a pipe, a device) may have no end.
    if !fs::metadata(path).map_err(unread)?.is_file() {
        return Err(Unread::Io(io::ErrorKind::InvalidInput));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(unread)?
        .take(most.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(unread)?;
    if bytes.len() as u64 > most {
        return Err(Unread::Incomplete(Incomplete::TooManyBytes));
    }
    Ok(bytes)
}

/// Why a path gave no bytes.
pub(crate) enum Unread {
    Io(io::ErrorKind),
    Incomplete(Incomplete),
}

/// uint8 pixels: (height, width) is luma, (height, width, channels) with 1, 2, 3
/// or 4 channels is luma, luma and alpha, RGB, RGBA.
pub(crate) fn pixels(given: &Bound<'_, PyAny>) -> PyResult<Frame<'static>> {
    let buffer = buffer(given)?;
    let (layout, width, height) = match *buffer.shape() {
        [height, width] | [height, width, 1] => (Layout::Luma8, width, height),
        [height, width, 2] => (Layout::LumaAlpha8, width, height),
        [height, width, 3] => (Layout::Rgb8, width, height),
        [height, width, 4] => (Layout::Rgba8, width, height),
        _ => {
            return Err(PyValueError::new_err(
                "a frame is an array of shape (height, width) or (height, width, 1 to 4 channels)",
            ));
        }
    };
    let side = |length: usize| {
        u32::try_from(length).map_err(|_| PyValueError::new_err("a frame's side is too long"))
    };
    let (width, height) = (side(width)?, side(height)?);
    let pixels = copied(given.py(), buffer)?;
    Frame::new(width, height, layout, pixels)
        .map_err(|error| PyValueError::new_err(error.to_string()))
}

fn buffer(given: &Bound<'_, PyAny>) -> PyResult<PyUntypedBuffer> {
    // Its elements would be read as bytes: only items of one byte are.
    let wrong = || {
        let name = given.get_type().name().map_or_else(|_| "?".into(), |name| name.to_string());
        PyTypeError::new_err(format!("expected bytes or an array of uint8, got {name}"))
    };
    let buffer = PyUntypedBuffer::get(given).map_err(|_| wrong())?;
    if buffer.item_size() != 1 || given.is_instance_of::<PyBytes>() {
        return Err(wrong());
    }
    Ok(buffer)
}

/// In C order, whatever the strides are.
fn copied(py: Python<'_>, buffer: PyUntypedBuffer) -> PyResult<Vec<u8>> {
    match buffer.as_typed::<u8>() {
        Ok(bytes) => bytes.to_vec(py),
        // Arrow says that its bytes are signed.
        Err(_) => {
            let signed: PyBuffer<i8> = buffer.into_typed()?;
            Ok(signed.to_vec(py)?.into_iter().map(i8::cast_unsigned).collect())
        }
    }
}
