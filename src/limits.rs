//! What one scan may spend.
//!
//! Every input is hostile: a few hundred bytes can claim a picture of four
//! billion pixels. [`Limits`] are the host's settings, [`Budget`] is what one
//! scan has left of them. Readers charge the budget from a header *before* they
//! allocate, and ask it now and then whether the deadline has passed or the
//! host has cancelled.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The host's settings for one scan. The defaults suit a messenger on a phone:
///
/// ```
/// use presend::Limits;
/// use std::time::Duration;
///
/// let limits = Limits { time: Some(Duration::from_millis(300)), ..Limits::default() };
/// ```
///
/// Clones share the cancel token, which cannot be reset: give a scan that may
/// be cancelled a token of its own.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest input, in bytes. Default 64 MiB.
    pub input_bytes: u64,
    /// Pixels decoded in one scan, all frames together. Default 100 million. No side
    /// may be longer than 65,535, whatever stands here: few viewers show more, and
    /// work on a single row cannot be stopped.
    pub pixels: u64,
    /// Frames looked at in one scan. Default 64.
    pub frames: u32,
    /// Memory held for decoding at one time, in bytes. Default 512 MiB.
    pub memory: u64,
    /// Time from the start of the scan. Default none.
    pub time: Option<Duration>,
    /// Cancels the scan from another thread.
    pub cancel: CancelToken,
    /// Where the scan reads the time.
    pub clock: Clock,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            input_bytes: 64 << 20,
            pixels: 100_000_000,
            frames: 64,
            memory: 512 << 20,
            time: None,
            cancel: CancelToken::default(),
            clock: Clock::default(),
        }
    }
}

/// Why a scan could not see everything.
///
/// Each has a rule of its own in the policy; none is ever an Allow by accident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Incomplete {
    /// The file ends early; what could be decoded was looked at.
    Truncated,
    /// The file breaks the rules of its format.
    Malformed,
    /// The input is larger than [`Limits::input_bytes`].
    TooManyBytes,
    /// The picture is larger than [`Limits::pixels`], or a side longer than 65,535.
    TooManyPixels,
    /// The animation is longer than [`Limits::frames`].
    TooManyFrames,
    /// Decoding would need more than [`Limits::memory`].
    TooMuchMemory,
    /// [`Limits::time`] has passed.
    DeadlinePassed,
    /// The host cancelled the scan.
    Cancelled,
    /// Too many other scans were waiting.
    Busy,
    /// A defect in presend or a codec; the scan was given up.
    Internal,
}

impl Incomplete {
    /// Every reason, in the order of their codes in the documentation.
    pub const ALL: [Self; 10] = [
        Self::Truncated,
        Self::Malformed,
        Self::TooManyBytes,
        Self::TooManyPixels,
        Self::TooManyFrames,
        Self::TooMuchMemory,
        Self::DeadlinePassed,
        Self::Cancelled,
        Self::Busy,
        Self::Internal,
    ];

    /// A stable code, safe to log and used as the key in a policy file.
    pub fn code(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Malformed => "malformed",
            Self::TooManyBytes => "too-many-bytes",
            Self::TooManyPixels => "too-many-pixels",
            Self::TooManyFrames => "too-many-frames",
            Self::TooMuchMemory => "too-much-memory",
            Self::DeadlinePassed => "deadline-passed",
            Self::Cancelled => "cancelled",
            Self::Busy => "busy",
            Self::Internal => "internal",
        }
    }
}

/// Cancels a scan from another thread. Clones share one state.
#[derive(Clone, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// Asks every scan that carries this token to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether [`cancel`](Self::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CancelToken({})", self.is_cancelled())
    }
}

/// A monotonic clock: the time since a moment of its own choice.
///
/// Injected because not every host has [`Instant`] (a Web Worker has none) and
/// because a test must not wait.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Clock {
    /// A clock that reads `now`, which must never go backwards.
    pub fn new(now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time since the clock's start.
    pub fn now(&self) -> Duration {
        (self.0)()
    }
}

impl Default for Clock {
    /// Reads [`Instant`]. In a browser (`wasm32-unknown-unknown`), where that
    /// panics, it stands still and no deadline passes: a host there brings its own.
    fn default() -> Self {
        if cfg!(all(target_family = "wasm", target_os = "unknown")) {
            return Self::new(|| Duration::ZERO);
        }
        let start = Instant::now();
        Self::new(move || start.elapsed())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// What one scan has left of its [`Limits`].
#[derive(Debug)]
pub struct Budget {
    limits: Limits,
    deadline: Option<Duration>,
    pixels: AtomicU64,
    frames: AtomicU64,
    memory: AtomicU64,
}

impl Budget {
    /// Starts the clock.
    pub fn start(limits: &Limits) -> Self {
        Self {
            deadline: limits.time.map(|time| limits.clock.now().saturating_add(time)),
            limits: limits.clone(),
            pixels: AtomicU64::new(0),
            frames: AtomicU64::new(0),
            memory: AtomicU64::new(0),
        }
    }

    /// Charges the input itself: all of it that was read.
    pub fn charge_input(&self, bytes: u64) -> Result<(), Incomplete> {
        if bytes > self.limits.input_bytes {
            return Err(Incomplete::TooManyBytes);
        }
        Ok(())
    }

    /// Charges one frame of `width` x `height` pixels, before it is decoded.
    pub fn charge_frame(&self, width: u32, height: u32) -> Result<(), Incomplete> {
        self.check()?;
        if self.frames.fetch_add(1, Ordering::Relaxed) >= u64::from(self.limits.frames) {
            return Err(Incomplete::TooManyFrames);
        }
        if width.max(height) > LONGEST_SIDE {
            return Err(Incomplete::TooManyPixels);
        }
        let pixels = u64::from(width) * u64::from(height);
        let before = self.pixels.fetch_add(pixels, Ordering::Relaxed);
        if before.saturating_add(pixels) > self.limits.pixels {
            return Err(Incomplete::TooManyPixels);
        }
        Ok(())
    }

    /// Takes the charge for a frame back: it is decoded again, not another one.
    pub(crate) fn uncharge_frame(&self, width: u32, height: u32) {
        self.frames.fetch_sub(1, Ordering::Relaxed);
        self.pixels.fetch_sub(u64::from(width) * u64::from(height), Ordering::Relaxed);
    }

    /// Whether a picture of this size could be charged at all.
    pub fn fits(&self, width: u32, height: u32) -> Result<(), Incomplete> {
        let pixels = u64::from(width) * u64::from(height);
        if pixels > self.limits.pixels || width.max(height) > LONGEST_SIDE {
            return Err(Incomplete::TooManyPixels);
        }
        Ok(())
    }

    /// Frames that can be charged in all.
    pub(crate) fn most_frames(&self) -> u64 {
        self.limits.frames.into()
    }

    /// Reserves memory until the returned guard is dropped.
    pub fn reserve(&self, bytes: u64) -> Result<Reserved<'_>, Incomplete> {
        let before = self.memory.fetch_add(bytes, Ordering::Relaxed);
        let reserved = Reserved { budget: self, bytes };
        if before.saturating_add(bytes) > self.limits.memory {
            return Err(Incomplete::TooMuchMemory);
        }
        Ok(reserved)
    }

    /// Fails once the deadline has passed or the host has cancelled.
    pub fn check(&self) -> Result<(), Incomplete> {
        if self.limits.cancel.is_cancelled() {
            return Err(Incomplete::Cancelled);
        }
        if self.deadline.is_some_and(|deadline| self.limits.clock.now() >= deadline) {
            return Err(Incomplete::DeadlinePassed);
        }
        Ok(())
    }

    /// The scan's clock.
    pub fn now(&self) -> Duration {
        self.limits.clock.now()
    }
}

/// As long as a side of a JPEG or a GIF can be.
const LONGEST_SIDE: u32 = 65_535;

/// Memory that a [`Budget`] has set aside; given back when dropped.
#[derive(Debug)]
pub struct Reserved<'b> {
    budget: &'b Budget,
    bytes: u64,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.budget.memory.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_when_the_guard_is_dropped() {
        let budget = Budget::start(&Limits { memory: 100, ..Limits::default() });
        let held = budget.reserve(60).unwrap();
        assert_eq!(budget.reserve(60).unwrap_err(), Incomplete::TooMuchMemory);
        drop(held);
        budget.reserve(100).unwrap();
    }

    #[test]
    fn frames_and_pixels_add_up_over_one_scan() {
        let limits = Limits { pixels: 250, frames: 3, ..Limits::default() };
        let budget = Budget::start(&limits);
        budget.charge_frame(10, 10).unwrap();
        budget.charge_frame(10, 10).unwrap();
        assert_eq!(budget.charge_frame(10, 10), Err(Incomplete::TooManyPixels));
        assert_eq!(budget.charge_frame(1, 1), Err(Incomplete::TooManyFrames));
    }

    #[test]
    fn the_largest_claimed_picture_does_not_overflow() {
        let budget = Budget::start(&Limits::default());
        for _ in 0..4 {
            assert_eq!(budget.charge_frame(u32::MAX, u32::MAX), Err(Incomplete::TooManyPixels));
        }
        assert!(budget.reserve(u64::MAX).is_err());
    }

    #[test]
    fn a_side_beyond_what_a_jpeg_can_have_is_too_many_pixels() {
        let budget = Budget::start(&Limits::default());
        budget.charge_frame(65_535, 1).unwrap();
        assert_eq!(budget.charge_frame(65_536, 1), Err(Incomplete::TooManyPixels));
        assert_eq!(budget.fits(1, 65_536), Err(Incomplete::TooManyPixels));
    }

    #[test]
    fn the_deadline_follows_the_injected_clock() {
        let now = Arc::new(AtomicU64::new(0));
        let read = Arc::clone(&now);
        let budget = Budget::start(&Limits {
            time: Some(Duration::from_millis(5)),
            clock: Clock::new(move || Duration::from_millis(read.load(Ordering::Relaxed))),
            ..Limits::default()
        });
        now.store(4, Ordering::Relaxed);
        budget.check().unwrap();
        now.store(5, Ordering::Relaxed);
        assert_eq!(budget.check(), Err(Incomplete::DeadlinePassed));
    }
}
