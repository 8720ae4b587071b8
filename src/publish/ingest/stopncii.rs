//! StopNCII.org: hashes that people made of their own pictures.
//!
//! A page of `FetchHashes` has `hashRecords`, `hasMoreRecords` and
//! `nextPageToken`. A record has `signalType` and `hashValue`, which name it,
//! `lastModtimestamp`, `hashStatus`, `caseNumbers` (each case and its status)
//! and `CSPFeedbacks` (each with `source` and `feedbackValue`). It replaces what
//! was known of the hash. A hash is withdrawn when its status says so or when
//! every case is.

use serde_json::{Map, Value};

use super::json::{self, flag, text};
use super::{
    Feedback, Hash, MAX_PARTS, Opinion, Page, Record, SourceError, Status, Update, id_of, name,
    time,
};
use crate::hash::Algorithm;
use crate::publish::feed::RowHash;

/// Reads a page of `FetchHashes`.
pub(super) fn read(bytes: &[u8]) -> Result<Page, SourceError> {
    let expected = "a page of FetchHashes, {\"hashRecords\": [...]}";
    let (mut page, others) = json::read(bytes, "hashRecords", expected, record)?;
    page.more = flag(&others, "hasMoreRecords").map_err(SourceError::Broken)?;
    Ok(page)
}

fn record(entry: &Map<String, Value>, unsupported: &mut u64) -> Result<Option<Update>, String> {
    let algorithm = match text(entry, "signalType")?.as_str() {
        "ImagePDQ" => Algorithm::Pdq,
        "VideoMD5" => Algorithm::Md5,
        "" => return Err("`signalType` is missing".to_owned()),
        _ => {
            *unsupported += 1;
            return Ok(None);
        }
    };
    let hash = RowHash::from_hex(algorithm, &text(entry, "hashValue")?)?;
    let cases = match entry.get("caseNumbers") {
        None | Some(Value::Null) => None,
        Some(Value::Object(cases)) => Some(cases),
        // What its server writes for no case at all.
        Some(Value::Array(cases)) if cases.is_empty() => None,
        Some(_) => return Err("`caseNumbers` is not an object".to_owned()),
    };
    let is_gone = |status: &str| matches!(status, "Withdrawn" | "Deleted");
    let all_gone = cases.is_some_and(|cases| {
        !cases.is_empty() && cases.values().all(|case| case.as_str().is_some_and(is_gone))
    });
    let status = match text(entry, "hashStatus")?.as_str() {
        gone if is_gone(gone) || all_gone => Status::Withdrawn,
        "Active" | "Received" => Status::Listed,
        "" => return Err("`hashStatus` is missing".to_owned()),
        _ => Status::Unconfirmed,
    };
    let mut feedback = Vec::new();
    if let Some(Value::Array(voices)) = entry.get("CSPFeedbacks") {
        for voice in voices.iter().take(MAX_PARTS + 1) {
            let voice = voice.as_object().ok_or("a feedback is not an object")?;
            let opinion = match text(voice, "feedbackValue")?.as_str() {
                "Blocked" => Opinion::For,
                "NotBlocked" => Opinion::Against,
                _ => continue,
            };
            let member = name("source", &text(voice, "source")?)?;
            feedback.push(Feedback { member, opinion, algorithm: None });
        }
    }
    if feedback.len() > MAX_PARTS {
        return Err(format!("more than {MAX_PARTS} feedbacks"));
    }
    let updated = time(&text(entry, "lastModtimestamp")?)?;
    let id = id_of(&hash);
    let hashes = vec![Hash { hash, quality: None }];
    let record = Record { status, updated, category: String::new(), hashes, feedback };
    Ok(Some(Update::Entry { member: String::new(), id, record }))
}
