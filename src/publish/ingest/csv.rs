//! CSV: what a partner without an API sends, or an operator keeps by hand.
//!
//! A row is a line. Columns are found by name, in any order, others are passed over. `status` is
//! `listed` (or nothing), `unconfirmed`, `denied`, or `withdrawn`; a withdrawn
//! row needs the `id` or the hash. `disputed_by` names members, between
//! semicolons, who say that the entry does not belong on a list.
//!
//! Rows of one `id` (and `member`, and `updated`) are one entry with several hashes,
//! so they have to agree in all else: which of them is meant is not for us to guess.

use std::collections::HashMap;
use std::collections::hash_map;

use super::{
    BadEntry, Feedback, Hash, MAX_PARTS, Opinion, Page, Place, Record, SourceError, Status, Update,
    id_of, name, time,
};
use crate::publish::feed::{RowHash, csv_rows, read_algorithm, read_quality};

/// Reads a file.
pub(super) fn read(bytes: &[u8]) -> Result<Page, SourceError> {
    let mut records = csv_rows(bytes);
    let (_, header) = records.next().ok_or(SourceError::Empty)?;
    let columns = header.ok().and_then(|header| Columns::of(&header));
    let columns =
        columns.ok_or(SourceError::Foreign("a header with the columns `algorithm` and `hex`"))?;
    let mut page = Page::default();
    let mut entries: Vec<Row> = Vec::new();
    let mut places: HashMap<_, usize> = HashMap::new();
    for (line, record) in records {
        let taken = record.and_then(|record| columns.read(line, &record)).and_then(|row| {
            let name = (row.member.clone(), row.id.clone(), row.record.updated);
            match places.entry(name) {
                hash_map::Entry::Occupied(at) => entries[*at.get()].join(row),
                hash_map::Entry::Vacant(place) => {
                    place.insert(entries.len());
                    entries.push(row);
                    Ok(())
                }
            }
        });
        if let Err(reason) = taken {
            page.bad.push(BadEntry { place: Place::Line(line), reason });
        }
    }
    let update = |Row { member, id, record, .. }| Update::Entry { member, id, record };
    page.updates = entries.into_iter().map(update).collect();
    Ok(page)
}

/// An entry, by the line that it begins with.
struct Row {
    line: u64,
    member: String,
    id: String,
    record: Record,
}

impl Row {
    /// Takes in another row of the same entry.
    fn join(&mut self, row: Row) -> Result<(), String> {
        let Record { status, category, hashes, feedback, .. } = row.record;
        let kept = &mut self.record;
        let agrees =
            (kept.status, &kept.category, &kept.feedback) == (status, &category, &feedback);
        if !agrees {
            let line = self.line;
            return Err(format!("line {line} is of the same entry and says something else of it"));
        }
        for hash in hashes {
            if kept.hashes.iter().any(|other| other.hash == hash.hash && *other != hash) {
                return Err("the same hash has another `quality` in a row above".to_owned());
            }
            if kept.hashes.len() == MAX_PARTS {
                return Err(format!("more than {MAX_PARTS} rows are of the same entry"));
            }
            if !kept.hashes.contains(&hash) {
                kept.hashes.push(hash);
            }
        }
        Ok(())
    }
}

/// Where the columns are.
struct Columns {
    algorithm: usize,
    hex: usize,
    others: [Option<usize>; OTHERS.len()],
}

const OTHERS: [&str; 7] =
    ["category", "quality", "id", "member", "status", "updated", "disputed_by"];

impl Columns {
    fn of(header: &::csv::ByteRecord) -> Option<Self> {
        let find = |wanted: &str| {
            header.iter().position(|name| name.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes()))
        };
        Some(Self { algorithm: find("algorithm")?, hex: find("hex")?, others: OTHERS.map(find) })
    }

    fn read(&self, line: u64, row: &::csv::ByteRecord) -> Result<Row, String> {
        let text = |at: usize| {
            let cell = row.get(at).unwrap_or_default();
            str::from_utf8(cell).map(str::trim).map_err(|_| "not UTF-8".to_owned())
        };
        let mut others = [""; OTHERS.len()];
        for (cell, at) in others.iter_mut().zip(self.others) {
            *cell = at.map_or(Ok(""), text)?;
        }
        let [category, quality, id, member, status, updated, disputed_by] = others;
        let status = match status.to_ascii_lowercase().as_str() {
            "" | "listed" | "active" => Status::Listed,
            "unconfirmed" => Status::Unconfirmed,
            "denied" => Status::Denied,
            "withdrawn" | "deleted" => Status::Withdrawn,
            _ => {
                return Err("`status` is not listed, unconfirmed, denied or withdrawn".to_owned());
            }
        };
        let (algorithm, hex) = (text(self.algorithm)?, text(self.hex)?);
        let hash = if hex.is_empty() && !id.is_empty() && status == Status::Withdrawn {
            None
        } else {
            let hash = RowHash::from_hex(read_algorithm(algorithm)?, hex)?;
            Some(Hash { hash, quality: read_quality(quality)? })
        };
        let id = match &hash {
            Some(Hash { hash, .. }) if id.is_empty() => id_of(hash),
            _ => name("id", id)?,
        };
        let mut feedback = Vec::new();
        for member in disputed_by.split(';').map(str::trim).filter(|member| !member.is_empty()) {
            let member = name("disputed_by", member)?;
            feedback.push(Feedback { member, opinion: Opinion::Against, algorithm: None });
        }
        if feedback.len() > MAX_PARTS {
            return Err(format!("more than {MAX_PARTS} members dispute it"));
        }
        let (category, updated) = (name("category", category)?, time(updated)?);
        let record =
            Record { status, updated, category, hashes: hash.into_iter().collect(), feedback };
        Ok(Row { line, member: name("member", member)?, id, record })
    }
}
