//! Meta's ThreatExchange.
//!
//! A page of `threat_updates` is `{"data": [...], "paging": {...}}`. Each element
//! is an indicator: `id`, `indicator` (the hash), `type` (`HASH_PDQ`, ...),
//! `last_updated`, `should_delete`, and `descriptors.data`, in which each owner
//! gives its `status` (`MALICIOUS`, `NON_MALICIOUS`, ...), `tags` and the
//! `reactions` of others (`key` and a list of app ids as `value`). An update
//! replaces all that was known of the indicator. A tombstone has
//! `should_delete`, or, as Meta's own client takes it, no `descriptors`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::json::{self, flag, text};
use super::{
    BadEntry, Feedback, Hash, MAX_PARTS, Opinion, Page, Place, Record, SourceError, Status, Update,
    id_of, name, needed, time,
};
use crate::hash::Algorithm;
use crate::publish::feed::{RowHash, read_algorithm};

/// Reads a page of `threat_updates`.
pub(super) fn read_updates(bytes: &[u8]) -> Result<Page, SourceError> {
    let expected = "a page of threat_updates, {\"data\": [...]}";
    let (mut page, others) = json::read(bytes, "data", expected, indicator)?;
    let paging = others.get("paging");
    page.more = paging.and_then(|paging| paging.get("next")).is_some_and(|next| !next.is_null());
    Ok(page)
}

/// Reads the lines `pdq <hex>` of the tools.
pub(super) fn read_lines(bytes: &[u8]) -> Result<Page, SourceError> {
    let mut page = Page::default();
    for (number, line) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
        let line = str::from_utf8(line).unwrap_or("?").trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words = line.split_whitespace();
        let row = match (words.next(), words.next(), words.next()) {
            (Some(algorithm), Some(hex), None) => {
                read_algorithm(algorithm).and_then(|algorithm| RowHash::from_hex(algorithm, hex))
            }
            _ => Err("expected an algorithm and a hash".to_owned()),
        };
        match row {
            Ok(hash) => page.updates.push(Update::Entry {
                member: String::new(),
                id: id_of(&hash),
                record: Record {
                    status: Status::Listed,
                    updated: None,
                    category: String::new(),
                    hashes: vec![Hash { hash, quality: None }],
                    feedback: Vec::new(),
                },
            }),
            Err(reason) => page.bad.push(BadEntry { place: Place::Line(number), reason }),
        }
    }
    if page.updates.is_empty() && page.bad.is_empty() {
        return Err(SourceError::Empty);
    }
    Ok(page)
}

fn indicator(entry: &Map<String, Value>, unsupported: &mut u64) -> Result<Option<Update>, String> {
    let id = needed("id", &text(entry, "id")?)?;
    let updated = time(&text(entry, "last_updated")?)?;
    let descriptors = entry.get("descriptors").filter(|descriptors| !descriptors.is_null());
    if flag(entry, "should_delete")? || descriptors.is_none() {
        return Ok(Some(Update::Indicator { id, updated, members: Vec::new() }));
    }
    let algorithm = match text(entry, "type")?.as_str() {
        "HASH_PDQ" => Algorithm::Pdq,
        "HASH_MD5" => Algorithm::Md5,
        "HASH_SHA1" => Algorithm::Sha1,
        "HASH_SHA256" => Algorithm::Sha256,
        "" => return Err("`type` is missing".to_owned()),
        _ => {
            *unsupported += 1;
            return Ok(None);
        }
    };
    let hash = RowHash::from_hex(algorithm, &text(entry, "indicator")?)?;
    let descriptors = descriptors.and_then(|descriptors| descriptors.get("data")?.as_array());
    let descriptors = descriptors.ok_or("`descriptors` has no list `data`")?;
    let mut members = BTreeMap::new();
    let mut feedback = BTreeMap::new();
    for descriptor in descriptors {
        let descriptor = descriptor.as_object().ok_or("a descriptor is not an object")?;
        reactions(descriptor, &mut feedback)?;
        // Meta shows some descriptors without their owner: nobody to count.
        let Some(owner) = descriptor.get("owner").and_then(Value::as_object) else {
            *unsupported += 1;
            continue;
        };
        let owner = needed("owner.id", &text(owner, "id")?)?;
        let status = match text(descriptor, "status")?.as_str() {
            "MALICIOUS" => Status::Listed,
            "NON_MALICIOUS" => Status::Denied,
            _ => Status::Unconfirmed,
        };
        let record = Record {
            status,
            updated,
            category: first_tag(descriptor)?,
            hashes: vec![Hash { hash: hash.clone(), quality: None }],
            feedback: Vec::new(),
        };
        members.insert(owner, record);
        if members.len() + feedback.len() > MAX_PARTS {
            return Err(format!("more than {MAX_PARTS} descriptors and reactions"));
        }
    }
    // Who has a descriptor has spoken there. Feedback is of the indicator: one
    // record carries it.
    feedback.retain(|member, _| !members.contains_key(member));
    if let Some(record) = members.values_mut().next() {
        record.feedback = feedback
            .into_iter()
            .map(|(member, opinion)| Feedback { member, opinion, algorithm: None })
            .collect();
    }
    Ok(Some(Update::Indicator { id, updated, members: members.into_iter().collect() }))
}

/// `HELPFUL` is for it; `DISAGREE_WITH_TAGS` is against it and outweighs.
fn reactions(
    descriptor: &Map<String, Value>,
    feedback: &mut BTreeMap<String, Opinion>,
) -> Result<(), String> {
    let Some(Value::Array(reactions)) = descriptor.get("reactions") else { return Ok(()) };
    for reaction in reactions {
        let reaction = reaction.as_object().ok_or("a reaction is not an object")?;
        let opinion = match text(reaction, "key")?.as_str() {
            "HELPFUL" => Opinion::For,
            "DISAGREE_WITH_TAGS" => Opinion::Against,
            _ => continue,
        };
        for member in text(reaction, "value")?.split(',').filter(|member| !member.is_empty()) {
            let kept = feedback.entry(name("reactions", member)?).or_insert(opinion);
            if opinion == Opinion::Against {
                *kept = opinion;
            }
        }
    }
    Ok(())
}

/// Tags are the nearest to a category: the first in alphabetical order.
fn first_tag(descriptor: &Map<String, Value>) -> Result<String, String> {
    let tags = match descriptor.get("tags") {
        Some(Value::Object(tags)) => tags.get("data").and_then(Value::as_array),
        Some(Value::Array(tags)) => Some(tags),
        _ => None,
    };
    let tags = tags.into_iter().flatten();
    let tags = tags.filter_map(|tag| tag.as_str().or_else(|| tag.get("text")?.as_str()));
    name("tags", tags.min().unwrap_or_default())
}
