//! What a scan found, for the person and for a log.

use std::sync::Arc;

use presend::verdict;

use crate::PresendError;

/// What the host does with the media, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
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

impl From<presend::Verdict> for Verdict {
    fn from(verdict: presend::Verdict) -> Self {
        match verdict {
            presend::Verdict::Allow => Self::Allow,
            presend::Verdict::Warn => Self::Warn,
            presend::Verdict::Ask => Self::Ask,
            presend::Verdict::Block => Self::Block,
        }
    }
}

/// One thing that a scan found out. Printed as a whole it shows nothing.
#[derive(uniffi::Object)]
pub struct Finding(verdict::Judged);

#[uniffi::export]
impl Finding {
    /// What follows from this finding alone.
    pub fn verdict(&self) -> Verdict {
        self.0.verdict.into()
    }

    /// A stable code, safe to log: `list.near`, `incomplete.truncated`, ...
    pub fn code(&self) -> String {
        self.0.finding.code()
    }

    /// The rule of the policy that decided: `list.default.near`, ...
    pub fn rule(&self) -> String {
        self.0.rule.clone()
    }

    /// An English sentence, as safe to log as the code.
    pub fn text(&self) -> String {
        self.0.finding.to_string()
    }

    /// The list's id, if a list matched.
    pub fn list(&self) -> Option<String> {
        match &self.0.finding {
            presend::Finding::Match { list, .. } => Some(list.clone()),
            _ => None,
        }
    }

    /// The list's version, if a list matched.
    pub fn list_version(&self) -> Option<u64> {
        match self.0.finding {
            presend::Finding::Match { version, .. } => Some(version),
            _ => None,
        }
    }

    /// A classifier's score, 0 to 1. Keep it out of logs.
    pub fn score(&self) -> Option<f32> {
        match self.0.finding {
            presend::Finding::Label { score, .. } => Some(score),
            _ => None,
        }
    }
}

/// The answer to one scan.
#[derive(uniffi::Object)]
pub struct Report(presend::Report);

impl Report {
    pub(crate) fn of(report: presend::Report) -> Arc<Self> {
        Arc::new(Self(report))
    }
}

#[uniffi::export]
impl Report {
    /// The gravest verdict of all findings; allow if there is none.
    pub fn verdict(&self) -> Verdict {
        self.0.verdict.into()
    }

    /// Everything found, gravest first. The first one decided, unless the verdict is
    /// allow.
    pub fn findings(&self) -> Vec<Arc<Finding>> {
        self.0.findings.iter().cloned().map(|judged| Arc::new(Finding(judged))).collect()
    }

    /// Displayed frames that were looked at.
    pub fn frames(&self) -> u32 {
        self.0.frames
    }

    /// Microseconds from start to end.
    pub fn time_us(&self) -> u64 {
        u64::try_from(self.0.timings.total.as_micros()).unwrap_or(u64::MAX)
    }

    /// Checks that these are exactly the bytes that were scanned, just before they
    /// are encrypted.
    ///
    /// Fails for any others, and when the scan had not read them all: do not send.
    pub fn check(&self, bytes: Vec<u8>) -> Result<(), PresendError> {
        self.0.clearance.check(&bytes).map_err(|_| PresendError::NotScanned)
    }

    /// BLAKE3 of the scanned bytes, for a host that encrypts a file piece by piece
    /// and hashes it as it goes; none when they were not all read.
    pub fn blake3(&self) -> Option<Vec<u8>> {
        self.0.clearance.blake3().map(Vec::from)
    }
}
