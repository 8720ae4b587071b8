//! What a scan found and what became of it.
//!
//! A [`Report`] is safe to log: its codes are stable, and neither it nor any
//! `Debug` output holds a perceptual hash, a list's contents or a pixel. The
//! [`Clearance`] in it ties the verdict to the exact bytes that were scanned.

use std::fmt;
use std::time::Duration;

use crate::hash::Algorithm;
use crate::hash::views::Variant;
use crate::limits::Incomplete;
use crate::media::{Format, Unsupported};

/// What the host does with the media, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Send it.
    Allow,
    /// Tell the person, and send it unless they turn back.
    Warn,
    /// Send it only if the person confirms.
    Ask,
    /// Do not send it; show the person why.
    Block,
}

impl Verdict {
    /// Lower-case name: `allow`, `warn`, `ask` or `block`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Warn => "warn",
            Self::Ask => "ask",
            Self::Block => "block",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that a scan found out.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Finding {
    /// A list holds the file or a near copy of the picture.
    Match {
        /// The list's id.
        list: String,
        /// The list's version.
        version: u64,
        /// What met.
        by: Match,
    },
    /// A classifier gave a label a score: the highest of all frames that it ran on.
    Label {
        /// The model's name.
        model: String,
        /// The model's version.
        version: String,
        /// The label, as the model names it.
        label: String,
        /// 0 to 1, rounded to 1/1000.
        score: f32,
    },
    /// A frame has too little in it to be compared perceptually.
    LowQuality,
    /// Some of the media could not be looked at.
    Incomplete(Incomplete),
    /// presend cannot look into this kind of media.
    Unsupported(Unsupported),
    /// A part of the scan had nothing to look with.
    NoData(Part),
}

/// A part of the scan that needs data of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// Hash lists: none is loaded, so nothing was compared.
    List,
    /// Models: the policy has a rule for a label that no loaded model gives.
    Model,
}

impl Part {
    /// Lower-case name, the key in a policy file.
    pub fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Model => "model",
        }
    }
}

/// How a list and the media met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Match {
    /// The file itself is listed, by this digest of it.
    Exact(Algorithm),
    /// A near copy is listed.
    Near {
        /// What the view that matched supposes was done to the original.
        view: Variant,
        /// The displayed frame that matched, from 0.
        frame: u32,
    },
}

impl Finding {
    /// A stable code, safe to log, such as `list.near` or `incomplete.truncated`.
    pub fn code(&self) -> String {
        match self {
            Self::Match { by: Match::Exact(_), .. } => "list.exact".into(),
            Self::Match { by: Match::Near { .. }, .. } => "list.near".into(),
            Self::Label { label, .. } => format!("label.{label}"),
            Self::LowQuality => "low-quality".into(),
            Self::Incomplete(reason) => format!("incomplete.{}", reason.code()),
            Self::Unsupported(Unsupported { class, kind }) => format!("unsupported.{class}.{kind}"),
            Self::NoData(part) => format!("no-data.{}", part.name()),
        }
    }
}

/// A sentence for people, as safe to log as the code.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Match { list, version, by: Match::Exact(algorithm) } => {
                write!(f, "this file is in list {list} version {version} ({})", algorithm.name())
            }
            Self::Match { list, version, by: Match::Near { view, frame } } => {
                write!(f, "a near copy is in list {list} version {version} (view {}", view.name())?;
                if *frame > 0 { write!(f, ", frame {frame})") } else { f.write_str(")") }
            }
            Self::Label { model, version, label, .. } => {
                write!(f, "model {model} version {version} sees {label}")
            }
            Self::LowQuality => {
                f.write_str("too little in the picture to compare it with near copies")
            }
            Self::Incomplete(reason) => write!(f, "not looked at in full: {}", reason.code()),
            Self::Unsupported(Unsupported { class, kind }) => {
                write!(f, "presend cannot look into this kind of file: {class}, {kind}")
            }
            Self::NoData(Part::List) => f.write_str("no list is loaded"),
            Self::NoData(Part::Model) => {
                f.write_str("no model is loaded for a label that the policy has a rule for")
            }
        }
    }
}

/// The same sentence: a score says more about the media than a log should keep.
impl fmt::Debug for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Finding({self})")
    }
}

/// A finding and what the policy made of it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Judged {
    /// What was found.
    pub finding: Finding,
    /// What follows from it alone.
    pub verdict: Verdict,
    /// The rule of the policy that says so, such as `list.default.near`.
    pub rule: String,
}

/// The answer to one scan.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The gravest verdict of all findings; Allow if there is none.
    pub verdict: Verdict,
    /// Everything found, gravest first.
    pub findings: Vec<Judged>,
    /// Ties this report to the scanned bytes. Check it before encrypting.
    pub clearance: Clearance,
    /// What the content is, as far as it was recognised; none where the host
    /// decoded it.
    pub media: Option<Media>,
    /// Displayed frames that were looked at.
    pub frames: u32,
    /// Inferences of all models together.
    pub inferences: u32,
    /// Where the time went.
    pub timings: Timings,
}

impl Report {
    /// The finding that decided, and its rule; none when all is well.
    pub fn reason(&self) -> Option<&Judged> {
        self.findings.first().filter(|judged| judged.verdict > Verdict::Allow)
    }
}

/// What the scanned content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Media {
    /// The format, by content.
    pub format: Format,
    /// Width in pixels of the first frame, upright; the header's when none was decoded.
    pub width: u32,
    /// Height in pixels of the first frame, upright; the header's when none was decoded.
    pub height: u32,
    /// Rows and columns that one pixel stood for which was looked at, see
    /// [`Fidelity`](crate::media::Fidelity): 1, 2, 4 or 8.
    pub scale: u32,
}

/// Wall-clock time a stage took, over all frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timings {
    /// Exact digests of the file.
    pub digest: Duration,
    /// Recognising the format and reading its header.
    pub sniff: Duration,
    /// Decoding the frames.
    pub decode: Duration,
    /// Perceptual hashes.
    pub hash: Duration,
    /// Making the views that are looked up.
    pub views: Duration,
    /// Look-ups in the lists.
    pub lookup: Duration,
    /// Preparing frames for the models and running them.
    pub classify: Duration,
    /// The policy.
    pub policy: Duration,
    /// From start to end.
    pub total: Duration,
}

/// Proof of which bytes a report speaks of.
///
/// Between the scan and the encryption a file can be swapped. The host checks
/// the bytes it is about to encrypt: any others than those scanned are refused.
/// A thumbnail is a second picture and needs a scan of its own.
#[derive(Clone, PartialEq, Eq)]
pub struct Clearance(Option<blake3::Hash>);

/// The bytes are not the ones that were scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these bytes were not scanned; scan them before sending")]
pub struct NotScanned;

impl Clearance {
    pub(crate) fn of(digest: Option<[u8; 32]>) -> Self {
        Self(digest.map(blake3::Hash::from_bytes))
    }

    /// Checks that `bytes` are exactly those the report speaks of.
    ///
    /// # Errors
    /// [`NotScanned`] for any other bytes, and always when the scan ended before
    /// it had read them all (over the size limit, past the deadline, cancelled).
    pub fn check(&self, bytes: &[u8]) -> Result<(), NotScanned> {
        if self.0.is_some_and(|scanned| scanned == blake3::hash(bytes)) {
            Ok(())
        } else {
            Err(NotScanned)
        }
    }

    /// The same for a file that comes in pieces, in their order: a film need not
    /// be in memory. Encrypt nothing of it before this has seen all of it, or keep
    /// the last piece back until then.
    ///
    /// # Errors
    /// [`NotScanned`] as [`check`](Self::check) has it.
    pub fn check_pieces(
        &self,
        pieces: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Result<(), NotScanned> {
        let scanned = self.0.ok_or(NotScanned)?;
        let mut hasher = blake3::Hasher::new();
        for piece in pieces {
            hasher.update(piece.as_ref());
        }
        if scanned == hasher.finalize() { Ok(()) } else { Err(NotScanned) }
    }

    /// BLAKE3 of the scanned bytes; none when they were not all read.
    pub fn blake3(&self) -> Option<[u8; 32]> {
        self.0.map(|hash| *hash.as_bytes())
    }
}

/// Shows whether there is one.
impl fmt::Debug for Clearance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Clearance(..)" } else { "Clearance(none)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clearance_holds_for_its_bytes_alone() {
        let clearance = Clearance::of(Some(*blake3::hash(b"scanned").as_bytes()));
        assert_eq!(clearance.check(b"scanned"), Ok(()));
        assert_eq!(clearance.check(b"swapped"), Err(NotScanned));
        assert_eq!(clearance.check_pieces(["sca", "", "nned"]), Ok(()));
        assert_eq!(clearance.check_pieces(["sca", "nne"]), Err(NotScanned));
        assert_eq!(Clearance::of(None).check_pieces([""]), Err(NotScanned));
        assert_eq!(Clearance::of(None).check(b""), Err(NotScanned));
        assert_eq!(format!("{clearance:?}"), "Clearance(..)");
    }

    #[test]
    fn verdicts_are_ordered_by_gravity() {
        assert!(Verdict::Allow < Verdict::Warn && Verdict::Warn < Verdict::Ask);
        assert!(Verdict::Ask < Verdict::Block);
    }
}
