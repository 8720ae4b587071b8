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

/// One thing that a scan found out.
#[derive(Clone, uniffi::Record)]
pub struct Finding {
    /// What follows from this finding alone.
    pub verdict: Verdict,
    /// A stable code, safe to log: `list.near`, `incomplete.truncated`, ...
    pub code: String,
    /// The rule of the policy that decided: `list.default.near`, ...
    pub rule: String,
    /// An English sentence, as safe to log as the code.
    pub text: String,
    /// The list's id, if a list matched.
    pub list: Option<String>,
    /// The list's version, if a list matched.
    pub list_version: Option<u64>,
    /// A classifier's score, 0 to 1. Keep it out of logs.
    pub score: Option<f32>,
}

impl Finding {
    fn of(judged: &verdict::Judged) -> Self {
        let (mut list, mut list_version, mut score) = (None, None, None);
        match &judged.finding {
            presend::Finding::Match { list: id, version, .. } => {
                (list, list_version) = (Some(id.clone()), Some(*version));
            }
            presend::Finding::Label { score: given, .. } => score = Some(*given),
            _ => {}
        }
        Self {
            verdict: judged.verdict.into(),
            code: judged.finding.code(),
            rule: judged.rule.clone(),
            text: judged.finding.to_string(),
            list,
            list_version,
            score,
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
    pub fn findings(&self) -> Vec<Finding> {
        self.0.findings.iter().map(Finding::of).collect()
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
