//! A JSON object with a long array of entries: read entry by entry, so that one
//! bad entry costs itself alone and the document is never held twice.
//!
//! Nesting is bounded by the parser (128 levels) and memory by the file's size.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{BadEntry, Page, Place, SourceError, Update};

/// Reads the entries under `list` with `entry`, which adds to the page's
/// `unsupported`, and returns the object's other members beside the page.
pub(super) fn read(
    bytes: &[u8],
    list: &'static str,
    expected: &'static str,
    mut entry: impl FnMut(&Map<String, Value>, &mut u64) -> Result<Option<Update>, String>,
) -> Result<(Page, Map<String, Value>), SourceError> {
    let mut page = Page::default();
    let mut read_one = |number: u64, value: Value| {
        let update = match &value {
            Value::Object(value) => entry(value, &mut page.unsupported),
            _ => Err("not an object".to_owned()),
        };
        match update {
            Ok(update) => page.updates.extend(update),
            Err(reason) => page.bad.push(BadEntry { place: Place::Element(number), reason }),
        }
    };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let document = Document { list, others: Map::new(), found: false, entry: &mut read_one };
    let done = json.deserialize_map(document).and_then(|done| json.end().map(|()| done));
    let (others, found) = done.map_err(|error| {
        // The parser's own words may quote the file.
        let (line, column) = (error.line(), error.column());
        match error.classify() {
            serde_json::error::Category::Data if line <= 1 && column <= 1 => {
                SourceError::Foreign(expected)
            }
            _ => SourceError::Broken(format!("not JSON at line {line}, column {column}")),
        }
    })?;
    if others.get("error").is_some_and(|error| !error.is_null()) {
        return Err(SourceError::Message);
    }
    if !found {
        let message = ["message", "detail", "errors", "statusCode"];
        return Err(if message.iter().any(|key| others.contains_key(*key)) {
            SourceError::Message
        } else {
            SourceError::Foreign(expected)
        });
    }
    Ok((page, others))
}

/// The text of a member; numbers are written out, none when it is missing.
pub(super) fn text(entry: &Map<String, Value>, key: &str) -> Result<String, String> {
    match entry.get(key) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(_) => Err(format!("`{key}` is not a text")),
    }
}

/// A yes or no; no when it is missing.
pub(super) fn flag(entry: &Map<String, Value>, key: &str) -> Result<bool, String> {
    match entry.get(key) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(format!("`{key}` is not true or false")),
    }
}

struct Document<'a> {
    list: &'static str,
    others: Map<String, Value>,
    found: bool,
    entry: &'a mut dyn FnMut(u64, Value),
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = (Map<String, Value>, bool);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == self.list {
                if self.found {
                    return Err(A::Error::custom("two lists of entries"));
                }
                self.found = map.next_value_seed(Entries(self.entry))?;
            } else if self.others.len() < 64 {
                self.others.insert(key, map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok((self.others, self.found))
    }
}

struct Entries<'a>(&'a mut dyn FnMut(u64, Value));

impl<'de> DeserializeSeed<'de> for Entries<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<bool, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_> {
    /// Whether it was a list.
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of entries")
    }

    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<bool, A::Error> {
        let mut number = 0;
        while let Some(entry) = entries.next_element()? {
            number += 1;
            (self.0)(number, entry);
        }
        Ok(true)
    }
}
