//! Films and live pictures, frame by frame from the host's own decoder.
//!
//! A phone decodes video in hardware, and a call has no file at all, so the host
//! hands over the frames. A [`Session`] looks at about one a second of them and at
//! the last, within the limits of one scan, and has a verdict at any time.
//!
//! ```
//! use std::time::Duration;
//!
//! use presend::frame::{Frame, Layout};
//! use presend::session::Settings;
//! use presend::{HashList, Limits, Scanner, Verdict};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let list = HashList::open(std::fs::read("hashlists/demo/demo.presend")?)?;
//! let scanner = Scanner::builder().list(list).build()?;
//! # let film = b"the file".as_slice();
//! # let decoded = (0..60u64).map(|n| (vec![(n * 4) as u8; 64 * 64 * 4], Duration::from_millis(n * 40)));
//!
//! let mut session = scanner.session(Settings::default(), &Limits::default());
//! for (pixels, at) in decoded {
//!     let frame = Frame::new(64, 64, Layout::Rgba8, pixels)?;
//!     if session.push_frame(&frame, at) == Verdict::Block {
//!         break;
//!     }
//! }
//! for piece in film.chunks(1 << 20) {
//!     session.push_bytes(piece);
//! }
//! let report = session.finish();
//! assert_eq!(report.frames, 4); // at 0, 1 and 2 seconds, and the last
//! report.clearance.check_pieces(film.chunks(1 << 20))?;
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::time::Duration;

use crate::frame::Frame;
use crate::limits::{Budget, Incomplete, Limits};
use crate::scanner::{Scan, Scanner};
use crate::verdict::{Report, Verdict};

/// One film or live picture on its way. Send, not shared: frames come in order.
pub struct Session {
    scan: Scan,
    settings: Settings,
    /// The time of the last frame that was looked at, and of the last of all.
    looked_at: Option<Duration>,
    last_at: Duration,
    passed_over: u32,
    /// A copy of a frame: the last one, unless that was looked at.
    last: Option<Frame<'static>>,
    last_was_looked_at: bool,
    verdict: Verdict,
    /// Whether anything ended the looks, or the reading of the file.
    looks: bool,
    reads: bool,
    has_bytes: bool,
    /// Whether a frame was left out.
    left_out: bool,
}

/// Which frames a session looks at, beside the first and the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// From one frame that is looked at to the next. Default one second; zero
    /// looks at every frame.
    pub every: Duration,
    /// Frames that are passed over in a row, at most, whatever their times say:
    /// times come from the film, whose maker may have chosen them. Default 120.
    pub passed_over: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { every: Duration::from_secs(1), passed_over: 120 }
    }
}

impl Scanner {
    /// Begins a film or a live picture. It compares with the lists of this moment
    /// to its end.
    ///
    /// The limits are those of the whole session: [`Limits::frames`] and
    /// [`Limits::pixels`] count the frames that are looked at,
    /// [`Limits::time`] runs from here, and [`Limits::input_bytes`] is for the
    /// file's bytes. The defaults suit a minute of film in a small file.
    pub fn session(&self, settings: Settings, limits: &Limits) -> Session {
        let scan = Scan::new(self, Budget::start(limits));
        Session {
            verdict: scan.verdict(),
            scan,
            settings,
            looked_at: None,
            last_at: Duration::ZERO,
            passed_over: 0,
            last: None,
            last_was_looked_at: true,
            looks: true,
            reads: true,
            has_bytes: false,
            left_out: false,
        }
    }
}

impl Session {
    /// Whether a frame of this time would be looked at now. A host whose frames
    /// are dear to convert asks first, and pushes those and the film's last; those
    /// that it keeps to itself count for nothing.
    ///
    /// A frame whose time does not lie after the last one's is always due.
    pub fn is_due(&self, at: Duration) -> bool {
        let Some(looked_at) = self.looked_at else { return true };
        at <= self.last_at
            || at >= looked_at.saturating_add(self.settings.every)
            || self.passed_over >= self.settings.passed_over
    }

    /// Takes the next frame, which is shown `at` so long after the film's start,
    /// and gives the verdict so far. A frame that is not due is copied, in case it
    /// is the last.
    ///
    /// A verdict never becomes milder. Once the limits are used up, or the scan
    /// is cancelled, no more frames are looked at and the report says so.
    pub fn push_frame(&mut self, frame: &Frame<'_>, at: Duration) -> Verdict {
        if !self.looks {
            return self.verdict;
        }
        if self.is_due(at) {
            self.looked_at = Some(at);
            self.passed_over = 0;
            self.last_was_looked_at = true;
            let kept = self.last.as_ref().map_or(0, Frame::size);
            self.look_at(frame, kept);
        } else {
            self.passed_over = self.passed_over.saturating_add(1);
            self.last_was_looked_at = false;
            let last = &mut self.last;
            self.looks = self.scan.step(|scan| {
                scan.fits(frame)?;
                let buffer = last.take().map(Frame::into_pixels).unwrap_or_default();
                *last = Some(frame.copy_into(buffer));
                Ok(())
            });
            if !self.looks {
                self.verdict = self.scan.verdict();
            }
        }
        self.last_at = at;
        self.verdict
    }

    /// Reads the next bytes of the file that the frames come from, as it would be
    /// sent: at any time, in order, in pieces of any size. They are looked up by
    /// their exact digests, and the report clears them.
    ///
    /// They are read on even where no more frames can be looked at.
    pub fn push_bytes(&mut self, piece: &[u8]) {
        self.has_bytes = true;
        if self.reads {
            self.reads = self.scan.step(|scan| scan.read(piece));
            if !self.reads {
                self.verdict = self.scan.verdict();
            }
        }
    }

    /// Notes that a frame could not be handed over and why: there was no turn for it
    /// ([`Incomplete::Busy`]), or what prepared it panicked ([`Incomplete::Internal`]).
    /// Gives the verdict so far, which the reason now has its part in.
    ///
    /// It counts as a frame that came and was passed over: one that was kept in case
    /// it is the last is not the last any more. Nothing is computed here but the verdict.
    pub fn leave_out_frame(&mut self, reason: Incomplete) -> Verdict {
        self.left_out = true;
        self.passed_over = self.passed_over.saturating_add(1);
        self.last = None;
        self.last_was_looked_at = true;
        self.note(reason)
    }

    /// The same of the file's next bytes. Without them there are no digests, so no
    /// more are read and the report clears none.
    pub fn leave_out_bytes(&mut self, reason: Incomplete) -> Verdict {
        self.has_bytes = true;
        self.reads = false;
        self.note(reason)
    }

    fn note(&mut self, reason: Incomplete) -> Verdict {
        self.scan.step(|_| Err(reason.into()));
        self.verdict = self.scan.verdict();
        self.verdict
    }

    /// The verdict so far. That nothing was looked at yet is no part of it.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Looks at the last frame, and ends.
    ///
    /// A session without a frame, not even one that was left out, is
    /// `incomplete.malformed`. Without the file's
    /// bytes its report clears none, so [`Clearance::check`] refuses: a call has
    /// nothing to send.
    ///
    /// In the report, [`Match::Near`](crate::verdict::Match::Near) counts the
    /// frames that were looked at, and there is no [`media`](Report::media).
    ///
    /// [`Clearance::check`]: crate::Clearance::check
    pub fn finish(mut self) -> Report {
        match self.last.take() {
            Some(last) if self.looks && !self.last_was_looked_at => {
                self.look_at(&last, last.size());
            }
            _ => {}
        }
        if self.looks {
            self.scan.step(|scan| scan.check());
            if !self.left_out {
                self.scan.expect_a_frame();
            }
        }
        if self.reads && self.has_bytes {
            self.scan.step(|scan| {
                scan.end_file();
                Ok(())
            });
        }
        self.scan.report()
    }

    /// Looks at a frame, beside so many bytes that are kept meanwhile.
    fn look_at(&mut self, frame: &Frame<'_>, kept: u64) {
        self.looks = self.scan.step(|scan| scan.look_at_beside(frame, kept));
        self.verdict = self.scan.verdict();
    }
}

/// The verdict so far.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("verdict", &self.verdict).finish_non_exhaustive()
    }
}
