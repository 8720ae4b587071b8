//! The ways from the list that a client has to the one that is signed, cheapest
//! first.
//!
//! Beside a list `ID.presend` a release may hold it packed, as `ID.packed`, and
//! what has changed between two editions, as `ID.FROM-TO.delta`: from one day to
//! the next, and over longer strides for whoever missed some. A way costs what the
//! signed lengths of its files say. What comes of it is the same file, with the
//! length and the hash that are signed for the list, or the way has led nowhere.

use std::collections::BTreeMap;

use super::tuf::{FileFacts, TargetName, Targets};

/// One way to a list, and what it costs.
pub(super) struct Way {
    pub(super) bytes: u64,
    pub(super) by: By,
}

/// The files of a way.
pub(super) enum By {
    /// What has changed, one after the other, from the list in use.
    Deltas(Vec<(TargetName, FileFacts)>),
    /// The list without what a reader makes itself.
    Packed(TargetName, FileFacts),
    /// The list as it is.
    Whole,
}

/// Every way worth going, cheapest first. None costs more than the list itself,
/// except the list itself.
pub(super) fn ways(
    signed: &Targets,
    id: &str,
    list: &FileFacts,
    from: Option<u64>,
    to: Option<u64>,
) -> Vec<Way> {
    let mut ways = Vec::new();
    if let (Some(from), Some(to)) = (from, to) {
        ways.extend(by_deltas(signed, id, from, to));
    }
    if let Some(name) = TargetName::new(&format!("{id}.packed"))
        && let Some(facts) = signed.file(&name)
    {
        ways.push(Way { bytes: facts.length(), by: By::Packed(name, facts.clone()) });
    }
    ways.retain(|way| way.bytes < list.length());
    ways.push(Way { bytes: list.length(), by: By::Whole });
    ways.sort_by_key(|way| way.bytes);
    ways
}

/// The cheapest chain from one edition to another.
fn by_deltas(signed: &Targets, id: &str, from: u64, to: u64) -> Option<Way> {
    let mut deltas: Vec<Delta<'_>> = signed
        .files()
        .filter_map(|(name, facts)| Delta::of(name, id, facts))
        .filter(|delta| from <= delta.from && delta.from < delta.to && delta.to <= to)
        .collect();
    deltas.sort_by_key(|delta| (delta.from, delta.to));
    // What the way to an edition costs, and the last delta on it. Deltas come in
    // the order of where they begin, so whatever leads there was seen before.
    let mut reached = BTreeMap::from([(from, (0u64, None))]);
    for delta in &deltas {
        let Some(&(bytes, _)) = reached.get(&delta.from) else { continue };
        let bytes = bytes.saturating_add(delta.facts.length());
        if reached.get(&delta.to).is_none_or(|&(known, _)| bytes < known) {
            reached.insert(delta.to, (bytes, Some(delta)));
        }
    }
    let bytes = reached.get(&to)?.0;
    let mut chain = Vec::new();
    let mut at = to;
    while let Some(&(_, Some(delta))) = reached.get(&at) {
        if chain.len() == MOST_DELTAS {
            return None;
        }
        chain.push((TargetName::new(delta.name)?, delta.facts.clone()));
        at = delta.from;
    }
    chain.reverse();
    (!chain.is_empty()).then_some(Way { bytes, by: By::Deltas(chain) })
}

/// A delta as its name says it.
struct Delta<'t> {
    name: &'t str,
    facts: &'t FileFacts,
    from: u64,
    to: u64,
}

impl<'t> Delta<'t> {
    fn of(name: &'t str, id: &str, facts: &'t FileFacts) -> Option<Self> {
        let editions = name.strip_prefix(id)?.strip_prefix('.')?.strip_suffix(".delta")?;
        let (from, to) = editions.split_once('-')?;
        Some(Self { name, facts, from: from.parse().ok()?, to: to.parse().ok()? })
    }
}

/// More than a release has days for, so that nobody has a client make a list over
/// and over.
const MOST_DELTAS: usize = 64;
