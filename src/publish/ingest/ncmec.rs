//! NCMEC's hash sharing API, version 2.
//!
//! A page is `queryResult` with `images` and `videos`, in which each `image`,
//! `video`, `deletedImage` or `deletedVideo` has `id`, `member` (attribute
//! `id`), `timestamp`, perhaps `classification`, `fingerprints` (an element for
//! each algorithm) and `feedback`; then perhaps `paging` with `next`. Feedback is
//! `affirmativeFeedback` or `negativeFeedback` (attribute `type`: the
//! algorithm) around `member` elements. Whatever stands between those is passed
//! over, since public descriptions differ, and negative feedback without a
//! member counts as one unnamed voice.
//!
//! Document types are refused, so no entity is ever expanded.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};

use super::{
    BadEntry, Feedback, Hash, MAX_PARTS, Opinion, Page, Place, Record, SourceError, Status, Update,
    name, needed, time,
};
use crate::hash::Algorithm;
use crate::publish::feed::RowHash;

/// Reads a page of entries.
pub(super) fn read(bytes: &[u8]) -> Result<Page, SourceError> {
    let text = str::from_utf8(bytes)
        .map_err(|_| SourceError::Broken("not UTF-8".to_owned()))?
        .trim_start();
    if !text.starts_with('<') {
        return Err(SourceError::Foreign(EXPECTED));
    }
    let skipped = bytes.len() - text.len();
    let mut lines = Lines { bytes, at: 0, line: 1 };
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let (mut page, mut parts, mut counted) = (Page::default(), Parts::default(), 0);
    let mut path: Vec<String> = Vec::new();
    let mut root_closed = false;
    loop {
        let at = skipped + reader.buffer_position() as usize;
        let broken = |lines: &mut Lines, why: &str| {
            SourceError::Broken(format!("{why} at line {}", lines.line_of(at)))
        };
        let event = reader.read_event().map_err(|_| broken(&mut lines, "not XML"))?;
        match event {
            Event::Start(start) => {
                let tag = start.local_name().as_ref().to_owned();
                if path.is_empty() && root_closed {
                    return Err(broken(&mut lines, "a second document"));
                }
                if path.is_empty() && tag != "queryResult" {
                    return Err(match tag.to_ascii_lowercase().as_str() {
                        "html" => SourceError::WebPage,
                        "error" | "errorresponse" | "fault" => SourceError::Message,
                        _ => SourceError::Foreign(EXPECTED),
                    });
                }
                if path.len() == MAX_DEPTH {
                    return Err(broken(&mut lines, "nested too deeply"));
                }
                if path.len() == 1 {
                    let count = attribute(&start, "count").unwrap_or_default();
                    counted += count.parse::<u64>().unwrap_or(0);
                }
                path.push(tag);
                if path.len() == 3 && is_list(&path[1]) {
                    parts = Parts { at, ..Parts::default() };
                } else if path.len() > 3 && is_list(&path[1]) {
                    parts.start(&path[3..], &start);
                }
            }
            Event::End(_) => {
                if path.len() > 3 && is_list(&path[1]) {
                    parts.end(&path[3..]);
                } else if path.len() == 3 && is_list(&path[1]) {
                    let seen = std::mem::take(&mut parts);
                    let place = Place::Line(lines.line_of(seen.at));
                    counted = counted.saturating_sub(1);
                    match seen.finish(&path[2], &mut page.unsupported) {
                        Ok(update) => page.updates.push(update),
                        Err(reason) => page.bad.push(BadEntry { place, reason }),
                    }
                } else if path.len() == 3 && path[1] == "paging" && path[2] == "next" {
                    page.more |= !parts.text.trim().is_empty();
                }
                path.pop();
                root_closed |= path.is_empty();
                parts.text.clear();
            }
            Event::Text(text) if !path.is_empty() => parts.push(&text),
            Event::CData(text) if !path.is_empty() => parts.push(&text),
            Event::GeneralRef(reference) if !path.is_empty() => {
                let resolved = match reference.resolve_char_ref() {
                    Ok(Some(char)) => Some(char.to_string()),
                    Ok(None) => resolve_predefined_entity(&reference).map(str::to_owned),
                    Err(_) => None,
                };
                let resolved = resolved.ok_or_else(|| broken(&mut lines, "an unknown entity"))?;
                parts.push(&resolved);
            }
            Event::Text(text) if text.trim().is_empty() => {}
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::DocType(_) => return Err(broken(&mut lines, "a document type")),
            Event::Eof if path.is_empty() && root_closed => break,
            Event::Eof => return Err(broken(&mut lines, "the end comes too early")),
            _ => return Err(broken(&mut lines, "text outside the document")),
        }
    }
    if counted > 0 {
        let reason = format!("`count` promises {counted} entries that are not there");
        page.bad.push(BadEntry { place: Place::Line(lines.line_of(bytes.len())), reason });
    }
    Ok(page)
}

fn is_list(tag: &str) -> bool {
    matches!(tag, "images" | "videos")
}

/// An entry while it is read.
#[derive(Default)]
struct Parts {
    at: usize,
    text: String,
    too_long: bool,
    id: String,
    member: String,
    timestamp: String,
    classification: String,
    fingerprints: Vec<(String, String)>,
    feedback: Vec<Feedback>,
    /// The feedback that is open: which way, of what, and whether it has a member.
    voices: Option<(Opinion, String, bool)>,
    too_many: bool,
}

impl Parts {
    fn push(&mut self, text: &str) {
        if self.text.len() + text.len() > MAX_TEXT {
            self.too_long = true;
        } else {
            self.text += text;
        }
    }

    /// `path` is below the entry.
    fn start(&mut self, path: &[String], start: &BytesStart<'_>) {
        self.text.clear();
        match path {
            [tag] if tag == "member" => self.member = attribute(start, "id").unwrap_or_default(),
            [feedback, tag] if feedback == "feedback" => {
                let opinion = match tag.as_str() {
                    "affirmativeFeedback" => Opinion::For,
                    "negativeFeedback" => Opinion::Against,
                    _ => return,
                };
                let of = attribute(start, "type").unwrap_or_default().to_ascii_lowercase();
                self.voices = Some((opinion, of, false));
            }
            [.., tag] if tag == "member" => {
                let id = attribute(start, "id").unwrap_or_default();
                if let Some((opinion, of, named)) = &mut self.voices {
                    *named = true;
                    let voice = voice(id, *opinion, of);
                    self.say(voice);
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, path: &[String]) {
        let text = self.text.trim();
        match path {
            [tag] if tag == "id" => text.clone_into(&mut self.id),
            [tag] if tag == "timestamp" => text.clone_into(&mut self.timestamp),
            [tag] if tag == "classification" => text.clone_into(&mut self.classification),
            [parent, tag] if parent == "fingerprints" => {
                if self.fingerprints.len() < MAX_PARTS {
                    self.fingerprints.push((tag.to_ascii_lowercase(), text.to_owned()));
                } else {
                    self.too_many = true;
                }
            }
            [parent, _] if parent == "feedback" => {
                if let Some((Opinion::Against, of, false)) = self.voices.take() {
                    self.say(voice(String::new(), Opinion::Against, &of));
                }
            }
            _ => {}
        }
    }

    fn say(&mut self, voice: Feedback) {
        if self.feedback.len() < MAX_PARTS {
            self.feedback.push(voice);
        } else {
            self.too_many = true;
        }
    }

    fn finish(self, tag: &str, unsupported: &mut u64) -> Result<Update, String> {
        if self.too_long || self.too_many {
            return Err("the entry is too large".to_owned());
        }
        let id = needed("id", &self.id)?;
        let member = needed("member", &self.member)?;
        let updated = time(&self.timestamp)?;
        // An image and a video may have the same id.
        let kind = tag.strip_prefix("deleted").unwrap_or(tag).to_ascii_lowercase();
        if !matches!(kind.as_str(), "image" | "video") {
            return Err("neither an image nor a video".to_owned());
        }
        let id = format!("{kind}:{id}");
        if tag.starts_with("deleted") {
            return Ok(Update::Entry { member, id, record: Record::withdrawn(updated) });
        }
        let mut hashes = Vec::new();
        for (algorithm, hex) in &self.fingerprints {
            match Algorithm::from_name(algorithm) {
                Some(algorithm) => {
                    let hash = RowHash::from_hex(algorithm, hex)?;
                    hashes.push(Hash { hash, quality: None });
                }
                None => *unsupported += 1,
            }
        }
        let mut feedback = Vec::new();
        for voice in self.feedback {
            let member = name("member", &voice.member)?;
            let algorithm = voice.algorithm.map(|of| name("type", &of)).transpose()?;
            feedback.push(Feedback { member, algorithm, ..voice });
        }
        let category = name("classification", &self.classification)?;
        let record = Record { status: Status::Listed, updated, category, hashes, feedback };
        Ok(Update::Entry { member, id, record })
    }
}

fn voice(member: String, opinion: Opinion, of: &str) -> Feedback {
    Feedback { member, opinion, algorithm: (!of.is_empty()).then(|| of.to_owned()) }
}

fn attribute(start: &BytesStart<'_>, wanted: &str) -> Option<String> {
    let found = start.attributes().flatten();
    let mut found = found.filter(|attribute| attribute.key.local_name().as_ref() == wanted);
    let value = found.next()?.normalized_value(quick_xml::XmlVersion::Implicit1_0).ok()?;
    (value.len() <= MAX_TEXT).then(|| value.into_owned())
}

/// Counts lines forward, each once.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of a place that is not before the last one asked for, or nearly.
    fn line_of(&mut self, at: usize) -> u64 {
        if let Some(between) = self.bytes.get(self.at..at) {
            self.line += between.iter().filter(|&&byte| byte == b'\n').count() as u64;
            self.at = at;
        }
        self.line
    }
}

const EXPECTED: &str = "a page of NCMEC's entries, <queryResult>";

/// A page has seven levels.
const MAX_DEPTH: usize = 32;

/// The longest fingerprint, of video, has some kilobytes; it is not ours.
const MAX_TEXT: usize = 1 << 20;
