//! Tech Against Terrorism's hash list.
//!
//! A page has `results`, `next` and `checkpoint`. A result has `id`,
//! `hash_digest`, `algorithm`, `ideology`, `file_type`, `deleted` and
//! `updated_on`, in seconds.

use serde_json::{Map, Value};

use super::json::{self, flag, text};
use super::{Hash, Page, Record, SourceError, Status, Update, name, needed, time};
use crate::hash::Algorithm;
use crate::publish::feed::RowHash;

/// Reads a page of the list.
pub(super) fn read(bytes: &[u8]) -> Result<Page, SourceError> {
    let expected = "a page of the hash list, {\"results\": [...]}";
    let (mut page, others) = json::read(bytes, "results", expected, result)?;
    page.more = others.get("next").is_some_and(|next| !next.is_null());
    Ok(page)
}

fn result(entry: &Map<String, Value>, unsupported: &mut u64) -> Result<Option<Update>, String> {
    let id = needed("id", &text(entry, "id")?)?;
    let updated = time(&text(entry, "updated_on")?)?;
    let member = String::new();
    if flag(entry, "deleted")? {
        return Ok(Some(Update::Entry { member, id, record: Record::withdrawn(updated) }));
    }
    let algorithm = needed("algorithm", &text(entry, "algorithm")?)?;
    let Some(algorithm) = Algorithm::from_name(&algorithm) else {
        *unsupported += 1;
        return Ok(None);
    };
    let hash = RowHash::from_hex(algorithm, &text(entry, "hash_digest")?)?;
    let record = Record {
        status: Status::Listed,
        updated,
        category: name("ideology", &text(entry, "ideology")?)?,
        hashes: vec![Hash { hash, quality: None }],
        feedback: Vec::new(),
    };
    Ok(Some(Update::Entry { member, id, record }))
}
