//! A report as a plain object of JavaScript, such as a Worker can post.
//!
//! The names are those of `presend scan --json`, in the case of JavaScript.

use std::time::Duration;

use js_sys::{Array, Object, Reflect, Uint8Array};
use presend::verdict::{Judged, Match};
use presend::{Finding, Report};
use wasm_bindgen::JsValue;

/// `Report` in `js/presend.d.ts`, its clearance as the bytes of a digest.
pub(crate) fn object(report: &Report) -> JsValue {
    let timings = &report.timings;
    let blake3 = report.clearance.blake3();
    record(&[
        ("verdict", report.verdict.name().into()),
        ("findings", report.findings.iter().map(finding).collect::<Array>().into()),
        ("blake3", blake3.map_or(JsValue::NULL, |d| Uint8Array::from(&d[..]).into())),
        (
            "media",
            report.media.map_or(JsValue::NULL, |media| {
                record(&[
                    ("format", media.format.name().into()),
                    ("width", media.width.into()),
                    ("height", media.height.into()),
                    ("scale", media.scale.into()),
                ])
            }),
        ),
        ("frames", report.frames.into()),
        ("inferences", report.inferences.into()),
        (
            "timings",
            record(&[
                ("digest", milliseconds(timings.digest)),
                ("sniff", milliseconds(timings.sniff)),
                ("decode", milliseconds(timings.decode)),
                ("hash", milliseconds(timings.hash)),
                ("views", milliseconds(timings.views)),
                ("lookup", milliseconds(timings.lookup)),
                ("classify", milliseconds(timings.classify)),
                ("policy", milliseconds(timings.policy)),
                ("total", milliseconds(timings.total)),
            ]),
        ),
    ])
}

fn finding(judged: &Judged) -> JsValue {
    let mut fields: Vec<(&str, JsValue)> = vec![
        ("code", judged.finding.code().into()),
        ("text", judged.finding.to_string().into()),
        ("verdict", judged.verdict.name().into()),
        ("rule", judged.rule.as_str().into()),
    ];
    match &judged.finding {
        Finding::Match { list, version, by } => {
            fields.push(("list", list.as_str().into()));
            fields.push(("listVersion", (*version as f64).into()));
            match by {
                Match::Exact(algorithm) => fields.push(("algorithm", algorithm.name().into())),
                Match::Near { view, frame } => {
                    fields.push(("view", view.name().into()));
                    fields.push(("frame", (*frame).into()));
                }
                _ => {}
            }
        }
        Finding::Label { model, version, label, score } => {
            fields.push(("model", model.as_str().into()));
            fields.push(("modelVersion", version.as_str().into()));
            fields.push(("label", label.as_str().into()));
            // As a decimal of three places, not as the f32 next to it.
            fields.push(("score", ((f64::from(*score) * 1000.0).round() / 1000.0).into()));
        }
        _ => {}
    }
    record(&fields)
}

/// An object with these properties.
pub(crate) fn record(fields: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (name, value) in fields {
        // Setting a property fails on frozen objects and proxies; this is neither.
        let _ = Reflect::set(&object, &JsValue::from_str(name), value);
    }
    object.into()
}

fn milliseconds(time: Duration) -> JsValue {
    (time.as_secs_f64() * 1000.0).into()
}
