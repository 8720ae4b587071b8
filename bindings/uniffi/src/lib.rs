//! presend for Kotlin, Swift and Python.
//!
//! A thin layer over the engine's public interface, from which UniFFI makes the
//! three. What takes long is asynchronous and runs on presend's own threads: an
//! `async fn` that computed itself would run on the host's and stop its loop.

#[cfg(panic = "abort")]
compile_error!("a panic must become an error, which needs panic = \"unwind\"");

use std::sync::Arc;
use std::time::Duration;

mod idle;
mod report;
mod scanner;
mod session;

pub use idle::wait_until_idle;
pub use report::{Finding, Report, Verdict};
pub use scanner::{Builder, Cancel, Scanner};
pub use session::{Session, SessionSettings};

uniffi::setup_scaffolding!("presend");

/// Why a call did not do its work. That is no verdict: ask the person.
#[derive(Debug, thiserror::Error, uniffi::Error)]
#[uniffi(flat_error)]
#[non_exhaustive]
pub enum PresendError {
    /// The bytes are not a hash list that this version can use.
    #[error("{0}")]
    List(String),
    /// The files are not a model that this version can use.
    #[error("{0}")]
    Model(String),
    /// The text is not a policy, or no built-in one has the name.
    #[error("{0}")]
    Policy(String),
    /// The parts do not make a scanner, or the list does not replace one.
    #[error("{0}")]
    Parts(String),
    /// A file cannot be read.
    #[error("the file cannot be read: {0}")]
    CannotRead(String),
    /// The pixels do not make a picture.
    #[error("{0}")]
    Frame(String),
    /// The bytes are not those that were scanned: do not send them.
    #[error("these bytes were not scanned; scan them before sending")]
    NotScanned,
    /// The session has ended.
    #[error("the session has ended")]
    Ended,
    /// The system has no thread more.
    #[error("the system has no thread more")]
    NoThread,
}

/// What one scan may spend; what is left out has the engine's default.
#[derive(Clone, Debug, Default, uniffi::Record)]
pub struct Limits {
    /// Milliseconds from the call to the deadline, the wait for a thread included.
    /// Default: none.
    #[uniffi(default = None)]
    pub time_ms: Option<u64>,
    /// Largest file, in bytes. Default 64 MiB.
    #[uniffi(default = None)]
    pub input_bytes: Option<u64>,
    /// Pixels of all frames together. Default 100 million.
    #[uniffi(default = None)]
    pub pixels: Option<u64>,
    /// Frames. Default 64.
    #[uniffi(default = None)]
    pub frames: Option<u32>,
    /// Memory for decoding, in bytes. Default 512 MiB.
    #[uniffi(default = None)]
    pub memory: Option<u64>,
}

impl Limits {
    fn with(self, cancel: presend::CancelToken) -> presend::Limits {
        let default = presend::Limits::default();
        presend::Limits {
            time: self.time_ms.map(Duration::from_millis),
            input_bytes: self.input_bytes.unwrap_or(default.input_bytes),
            pixels: self.pixels.unwrap_or(default.pixels),
            frames: self.frames.unwrap_or(default.frames),
            memory: self.memory.unwrap_or(default.memory),
            cancel,
            ..default
        }
    }
}

/// The channels of a pixel, in memory order, 8 bits each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Layout {
    /// Luma.
    Luma,
    /// Luma, straight alpha.
    LumaAlpha,
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue, straight (not premultiplied) alpha.
    Rgba,
}

/// Pixels that the host decoded. They are copied once, and no text shows them.
#[derive(uniffi::Object)]
pub struct Frame(presend::Frame<'static>);

impl Frame {
    fn size(&self) -> u64 {
        let pixels = u64::from(self.0.width()) * u64::from(self.0.height());
        pixels * self.0.layout().channels() as u64
    }
}

#[uniffi::export]
impl Frame {
    /// Rows from top to bottom, nothing between them: width x height x channels bytes.
    /// The orientation says how the rows are turned to be upright: EXIF's, 1 to 8.
    #[uniffi::constructor(default(orientation = 1))]
    pub fn new(
        pixels: Vec<u8>,
        width: u32,
        height: u32,
        layout: Layout,
        orientation: u8,
    ) -> Result<Arc<Self>, PresendError> {
        let layout = match layout {
            Layout::Luma => presend::frame::Layout::Luma8,
            Layout::LumaAlpha => presend::frame::Layout::LumaAlpha8,
            Layout::Rgb => presend::frame::Layout::Rgb8,
            Layout::Rgba => presend::frame::Layout::Rgba8,
        };
        let orientation = presend::frame::Orientation::from_exif(orientation)
            .ok_or_else(|| PresendError::Frame("the orientation must be 1 to 8".into()))?;
        let frame = presend::Frame::new(width, height, layout, pixels);
        let frame = frame.map_err(|error| PresendError::Frame(error.to_string()))?;
        Ok(Arc::new(Self(frame.with_orientation(orientation))))
    }
}
