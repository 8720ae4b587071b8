//! A report as plain objects of JavaScript, with the names of
//! `presend scan --json` in the case of JavaScript. `js/presend.js` makes of them
//! what a host sees.

use std::time::Duration;

use napi::bindgen_prelude::Uint8ArraySlice;
use napi_derive::napi;
use presend::Finding as Found;
use presend::verdict::{self, Judged, Match};

/// `Report` in `js/presend.d.ts`.
#[napi(object, object_from_js = false)]
pub struct Report {
    /// The gravest verdict of all findings.
    pub verdict: &'static str,
    /// Everything found, gravest first.
    pub findings: Vec<Finding>,
    /// Ties the report to the scanned bytes.
    pub clearance: Clearance,
    /// What the content is, as far as it was recognised.
    pub media: Option<Media>,
    /// Displayed frames that were looked at.
    pub frames: u32,
    /// Inferences of all models together.
    pub inferences: u32,
    /// Where the time went.
    pub timings: Timings,
}

/// One thing that was found, and what follows from it.
#[napi(object, object_from_js = false)]
#[derive(Default)]
pub struct Finding {
    /// Stable.
    pub code: String,
    /// A sentence for people.
    pub text: String,
    /// What follows from it alone.
    pub verdict: &'static str,
    /// The rule that says so.
    pub rule: String,
    /// Of a match: the list.
    pub list: Option<String>,
    /// Of a match: the list's version.
    pub list_version: Option<f64>,
    /// Of an exact match: the digest's algorithm.
    pub algorithm: Option<&'static str>,
    /// Of a near match: the view.
    pub view: Option<&'static str>,
    /// Of a near match: the frame, from 0.
    pub frame: Option<u32>,
    /// Of a label: the model.
    pub model: Option<String>,
    /// Of a label: the model's version.
    pub model_version: Option<String>,
    /// The label.
    pub label: Option<String>,
    /// Of a label: 0 to 1.
    pub score: Option<f64>,
}

/// What the scanned content is.
#[napi(object, object_from_js = false)]
pub struct Media {
    /// The format, by content.
    pub format: &'static str,
    /// Pixels of the first frame, upright.
    pub width: u32,
    /// Pixels of the first frame, upright.
    pub height: u32,
    /// Rows and columns that one decoded pixel stood for.
    pub scale: u32,
}

/// Milliseconds that each stage took.
#[napi(object, object_from_js = false)]
pub struct Timings {
    /// Exact digests.
    pub digest: f64,
    /// Recognising the format.
    pub sniff: f64,
    /// Decoding.
    pub decode: f64,
    /// Perceptual hashes.
    pub hash: f64,
    /// Views.
    pub views: f64,
    /// Look-ups.
    pub lookup: f64,
    /// Models.
    pub classify: f64,
    /// The policy.
    pub policy: f64,
    /// From start to end.
    pub total: f64,
}

/// Ties a report to the scanned bytes.
#[napi]
pub struct Clearance(verdict::Clearance);

#[napi]
impl Clearance {
    /// Whether these are the bytes that were scanned.
    #[napi(catch_unwind)]
    pub fn holds(&self, bytes: Uint8ArraySlice<'_>) -> bool {
        self.0.check(&bytes).is_ok()
    }
}

impl Report {
    /// The engine's report.
    pub(crate) fn of(report: &presend::Report) -> Self {
        let timings = &report.timings;
        Self {
            verdict: report.verdict.name(),
            findings: report.findings.iter().map(Finding::of).collect(),
            clearance: Clearance(report.clearance.clone()),
            media: report.media.map(|media| Media {
                format: media.format.name(),
                width: media.width,
                height: media.height,
                scale: media.scale,
            }),
            frames: report.frames,
            inferences: report.inferences,
            timings: Timings {
                digest: milliseconds(timings.digest),
                sniff: milliseconds(timings.sniff),
                decode: milliseconds(timings.decode),
                hash: milliseconds(timings.hash),
                views: milliseconds(timings.views),
                lookup: milliseconds(timings.lookup),
                classify: milliseconds(timings.classify),
                policy: milliseconds(timings.policy),
                total: milliseconds(timings.total),
            },
        }
    }
}

impl Finding {
    fn of(judged: &Judged) -> Self {
        let mut finding = Self {
            code: judged.finding.code(),
            text: judged.finding.to_string(),
            verdict: judged.verdict.name(),
            rule: judged.rule.clone(),
            ..Self::default()
        };
        match &judged.finding {
            Found::Match { list, version, by } => {
                finding.list = Some(list.clone());
                finding.list_version = Some(*version as f64);
                match by {
                    Match::Exact(algorithm) => finding.algorithm = Some(algorithm.name()),
                    Match::Near { view, frame } => {
                        finding.view = Some(view.name());
                        finding.frame = Some(*frame);
                    }
                    _ => {}
                }
            }
            Found::Label { model, version, label, score } => {
                finding.model = Some(model.clone());
                finding.model_version = Some(version.clone());
                finding.label = Some(label.clone());
                // As a decimal of three places, not as the f32 next to it.
                finding.score = Some((f64::from(*score) * 1000.0).round() / 1000.0);
            }
            _ => {}
        }
        finding
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
