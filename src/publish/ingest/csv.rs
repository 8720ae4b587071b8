//! CSV: what a partner without an API sends, or an operator keeps by hand.
//!
//! A row is a line. Columns are found by name, in any order, others are passed over. `status` is
//! `listed` (or nothing), `unconfirmed`, `denied`, or `withdrawn`; a withdrawn
//! row needs the `id` or the hash. `disputed_by` names members, between
//! semicolons, who say that the entry does not belong on a list.

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
    for (line, record) in records {
        match record.and_then(|record| columns.read(&record)) {
            Ok(update) => page.updates.push(update),
            Err(reason) => page.bad.push(BadEntry { place: Place::Line(line), reason }),
        }
    }
    Ok(page)
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

    fn read(&self, row: &::csv::ByteRecord) -> Result<Update, String> {
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
        Ok(Update::Entry { member: name("member", member)?, id, record })
    }
}
