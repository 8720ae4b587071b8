//! Which entries go on a list, and why.
//!
//! Rules are a TOML file that every organisation behind a list can read and
//! repeat:
//!
//! ```toml
//! sources-needed = 2
//! max-change-percent = 10
//!
//! [[source]]
//! name = "hotline"
//! organisation = "Example Hotline"
//! jurisdiction = "NL"
//!
//! [[category]]
//! name = "demo"
//! from = ["A1", "A2"]
//! ```
//!
//! An entry is on the list when enough independent sources say so in one
//! category: each of another organisation and, unless the rules say otherwise,
//! of another jurisdiction.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::feed::{Feed, Row, RowHash};
use super::ingest::{Opinion, Status};
use super::store::{Claim, Store, StoreError};
use crate::hash::Algorithm;
use crate::hash::pdq::LOW_QUALITY;
use crate::list::manifest::Choice;

/// The rules of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    sources_needed: usize,
    different_jurisdictions: bool,
    minimum_quality: u8,
    algorithms: BTreeSet<Algorithm>,
    max_change_percent: f64,
    disputes_to_exclude: usize,
    /// By source, and member where the rules name it.
    voices: BTreeMap<(String, Option<String>), Voice>,
    /// The feeds' categories to the list's; every category as it is when none.
    categories: Option<BTreeMap<String, String>>,
    /// How many sources a category needs, where it differs.
    needed: BTreeMap<String, usize>,
    /// The category of a source's entries that have none.
    fallback: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq)]
struct Voice {
    organisation: String,
    jurisdiction: String,
}

/// The text is not a rule file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RulesError {
    /// Not TOML, or with keys or values that are none of the rules'.
    #[error("{0}")]
    Syntax(String),
    /// Values that cannot be together.
    #[error("{0}")]
    Meaning(String),
}

/// The store does not give what the rules ask for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// A source that the rules count on was never taken in.
    #[error(
        "the rules name source {0}, of which nothing was ever taken in; ingest it or take it out of the rules"
    )]
    Source(String),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the rules make of a store.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Selection {
    /// The entries that go on the list, in the order of their hashes.
    pub feed: Feed,
    /// Hashes that the store holds.
    pub hashes: u64,
    /// Hashes that stay out, by what keeps them out.
    pub left_out: BTreeMap<Reason, u64>,
    /// Entries that each source stands by. Most count for several.
    pub sources: BTreeMap<String, u64>,
}

impl Selection {
    /// What the list's manifest says of it, with the file of rules.
    pub fn choice(&self, rules: &str) -> Choice {
        Choice {
            rules: blake3::hash(rules.as_bytes()).to_hex().to_string(),
            hashes: self.hashes,
            sources: self.sources.clone(),
            left_out: self.left_out.iter().map(|(why, n)| (why.name().to_owned(), *n)).collect(),
        }
    }
}

/// What keeps a hash off the list: the first that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// The rules do not allow its algorithm.
    Algorithm,
    /// Nobody stands by it any more.
    Withdrawn,
    /// Too many say that it does not belong there.
    Disputed,
    /// Nobody who stands by it counts: see the claims.
    NothingCounts,
    /// Too few independent sources.
    TooFewSources,
}

impl Reason {
    /// Every reason, in the order in which they apply.
    pub const ALL: [Self; 5] = [
        Self::Algorithm,
        Self::Withdrawn,
        Self::Disputed,
        Self::NothingCounts,
        Self::TooFewSources,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Algorithm => "algorithm",
            Self::Withdrawn => "withdrawn",
            Self::Disputed => "disputed",
            Self::NothingCounts => "nothing-counts",
            Self::TooFewSources => "too-few-sources",
        }
    }
}

/// Why a hash is on the list or off it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Judgement {
    /// The hash's algorithm.
    pub algorithm: &'static str,
    /// The list's category, when it is on the list.
    pub category: Option<String>,
    /// What keeps it off, when it is not.
    pub reason: Option<Reason>,
    /// Independent sources that count, by category.
    pub sources: BTreeMap<String, usize>,
    /// How many it needs, by category.
    pub needed: BTreeMap<String, usize>,
    /// Who says that it does not belong there.
    pub disputed_by: Vec<String>,
    /// How many of those keep a hash off; none when it does not matter.
    pub disputes_to_exclude: Option<usize>,
    /// What everyone says.
    pub claims: Vec<Judged>,
}

/// A claim and whether it counts.
#[derive(Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Judged {
    /// The source.
    pub source: String,
    /// Its member; empty for the source itself.
    pub member: String,
    /// The member's id for the entry.
    pub id: String,
    /// What it says.
    pub status: Status,
    /// When, in milliseconds since 1970.
    pub updated: Option<u64>,
    /// The member's category.
    pub category: String,
    /// The quality it tells.
    pub quality: Option<u8>,
    /// Who speaks, by the rules.
    pub organisation: Option<String>,
    /// From where, by the rules.
    pub jurisdiction: Option<String>,
    /// Why it does not count; it counts when none.
    pub passed_over: Option<PassedOver>,
}

/// Without the entry's name: where a source gives none, it is made of the hash.
impl fmt::Debug for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judged")
            .field("source", &self.source)
            .field("member", &self.member)
            .field("status", &self.status)
            .field("passed_over", &self.passed_over)
            .finish_non_exhaustive()
    }
}

/// Why a claim does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PassedOver {
    /// Taken back, missing, denied or not decided.
    Status,
    /// The rules do not name who speaks.
    Source,
    /// The rules have no such category.
    Category,
    /// The quality is below the rules' minimum.
    Quality,
}

impl Rules {
    /// Reads a rule file.
    ///
    /// # Errors
    /// [`RulesError`] names the key to mend.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        let file: File =
            toml::from_str(text).map_err(|error| RulesError::Syntax(error.to_string()))?;
        if file.sources_needed == 0 || file.category.iter().any(|c| c.sources_needed == Some(0)) {
            return wrong("`sources-needed` is at least 1".to_owned());
        }
        if !(LOW_QUALITY + 1..=100).contains(&file.minimum_quality) {
            return wrong(format!("`minimum-quality` is {} to 100", LOW_QUALITY + 1));
        }
        if !(0.0..=100.0).contains(&file.max_change_percent) {
            return wrong("`max-change-percent` is 0 to 100".to_owned());
        }
        let mut algorithms = BTreeSet::new();
        for name in &file.algorithms {
            match Algorithm::from_name(name) {
                Some(algorithm) => algorithms.insert(algorithm),
                None => return wrong(format!("`algorithms`: presend does not know `{name}`")),
            };
        }
        if algorithms.is_empty() {
            return wrong("`algorithms` names none".to_owned());
        }

        let (mut voices, mut fallback) = (BTreeMap::new(), BTreeMap::new());
        let mut homes: BTreeMap<String, String> = BTreeMap::new();
        let mut speak = |key: (String, Option<String>), organisation: &str, from: &str| {
            let (organisation, jurisdiction) = (organisation.trim(), from.trim());
            if organisation.is_empty() || jurisdiction.is_empty() {
                return wrong(format!("source `{}`: an empty organisation or jurisdiction", key.0));
            }
            let home = homes.entry(folded(organisation)).or_insert_with(|| folded(jurisdiction));
            if *home != folded(jurisdiction) {
                return wrong(format!("organisation `{organisation}` has two jurisdictions"));
            }
            let source = key.0.clone();
            let (organisation, jurisdiction) = (organisation.to_owned(), jurisdiction.to_owned());
            if voices.insert(key, Voice { organisation, jurisdiction }).is_some() {
                return wrong(format!("source `{source}` or a member of it stands there twice"));
            }
            Ok(())
        };
        let mut names = BTreeSet::new();
        for source in &file.source {
            if !names.insert(&source.name) {
                return wrong(format!("source `{}` stands there twice", source.name));
            }
            match (&source.organisation, &source.jurisdiction) {
                (Some(organisation), Some(jurisdiction)) => {
                    speak((source.name.clone(), None), organisation, jurisdiction)?;
                }
                (None, None) if !source.member.is_empty() => {}
                _ => {
                    return wrong(format!(
                        "source `{}` needs `organisation` and `jurisdiction`, or members that have them",
                        source.name
                    ));
                }
            }
            for Member { id, organisation, jurisdiction } in &source.member {
                speak((source.name.clone(), Some(id.clone())), organisation, jurisdiction)?;
            }
            if let Some(category) = &source.category {
                fallback.insert(source.name.clone(), category.clone());
            }
        }
        if voices.is_empty() {
            return wrong("no `[[source]]`".to_owned());
        }

        let (mut categories, mut needed) = (BTreeMap::new(), BTreeMap::new());
        for category in &file.category {
            if let Some(sources) = category.sources_needed {
                needed.insert(category.name.clone(), sources);
            }
            let own = std::slice::from_ref(&category.name);
            let from = if category.from.is_empty() { own } else { &category.from };
            for theirs in from {
                if categories.insert(theirs.clone(), category.name.clone()).is_some() {
                    return wrong(format!("category `{theirs}` stands in two places"));
                }
            }
        }
        Ok(Self {
            sources_needed: file.sources_needed,
            different_jurisdictions: file.different_jurisdictions,
            minimum_quality: file.minimum_quality,
            algorithms,
            max_change_percent: file.max_change_percent,
            disputes_to_exclude: file.disputes_to_exclude,
            voices,
            categories: (!file.category.is_empty()).then_some(categories),
            needed,
            fallback,
        })
    }

    /// How much of the last release may come or go, in percent of it.
    pub fn max_change_percent(&self) -> f64 {
        self.max_change_percent
    }

    /// Picks the entries of a store, telling `watch` now and then which part is
    /// done, from 0 to 1.
    ///
    /// # Errors
    /// [`SelectError`] when a source is missing or the store cannot be read.
    pub fn select(
        &self,
        store: &Store,
        watch: &mut dyn FnMut(f32),
    ) -> Result<Selection, SelectError> {
        let sources = store.sources()?;
        for (wanted, _) in self.voices.keys() {
            if !sources.iter().any(|(name, _)| name == wanted) {
                return Err(SelectError::Source(wanted.clone()));
            }
        }
        let total = store.len()?;
        let (mut selection, mut done) = (Selection::default(), 0);
        store.each_hash(|hash, claims| {
            let judgement = self.judge(&hash, claims);
            selection.hashes += 1;
            match (judgement.category, judgement.reason) {
                (Some(category), _) => {
                    let counts = |claim: &&Judged| {
                        claim.passed_over.is_none()
                            && self.category(claim).is_some_and(|of| of == category)
                    };
                    let claims = judgement.claims.iter().filter(counts);
                    let sources: BTreeSet<&str> = claims.map(|c| c.source.as_str()).collect();
                    for source in sources {
                        *selection.sources.entry(source.to_owned()).or_insert(0) += 1;
                    }
                    selection.feed.rows.push(Row { hash, category });
                }
                (None, reason) => {
                    let reason = reason.unwrap_or(Reason::NothingCounts);
                    *selection.left_out.entry(reason).or_insert(0) += 1;
                }
            }
            done += claims.len() as u64;
            if selection.hashes % WATCHED_HASHES == 0 {
                watch(done as f32 / total as f32);
            }
        })?;
        watch(1.0);
        Ok(selection)
    }

    /// Judges one hash by what is said of it.
    pub fn judge(&self, hash: &RowHash, claims: &[Claim]) -> Judgement {
        let judged: Vec<Judged> = claims.iter().map(|claim| self.weigh(hash, claim)).collect();
        // Organisations or jurisdictions, by category.
        let mut agreeing: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for claim in judged.iter().filter(|claim| claim.passed_over.is_none()) {
            let independent = if self.different_jurisdictions {
                &claim.jurisdiction
            } else {
                &claim.organisation
            };
            let category = self.category(claim).unwrap_or_default();
            agreeing.entry(category).or_default().extend(independent.as_deref().map(folded));
        }
        let sources: BTreeMap<_, _> =
            agreeing.into_iter().map(|(category, who)| (category, who.len())).collect();
        let needed: BTreeMap<_, _> = sources
            .keys()
            .map(|category| {
                let needed = self.needed.get(category).unwrap_or(&self.sources_needed);
                (category.clone(), *needed)
            })
            .collect();
        let disputed_by = disputed_by(hash, claims);
        let matters = self.disputes_to_exclude > 0;
        let enough = sources.iter().find(|(category, count)| **count >= needed[*category]);
        let stands = |claim: &Judged| !matches!(claim.status, Status::Withdrawn | Status::Missing);
        let reason = if !self.algorithms.contains(&hash.algorithm()) {
            Some(Reason::Algorithm)
        } else if !judged.iter().any(stands) {
            Some(Reason::Withdrawn)
        } else if matters && disputed_by.len() >= self.disputes_to_exclude {
            Some(Reason::Disputed)
        } else if sources.is_empty() {
            Some(Reason::NothingCounts)
        } else if enough.is_none() {
            Some(Reason::TooFewSources)
        } else {
            None
        };
        let category = enough.filter(|_| reason.is_none()).map(|(category, _)| category.clone());
        Judgement {
            algorithm: hash.algorithm().name(),
            category,
            reason,
            sources,
            needed,
            disputed_by,
            disputes_to_exclude: matters.then_some(self.disputes_to_exclude),
            claims: judged,
        }
    }

    fn weigh(&self, hash: &RowHash, claim: &Claim) -> Judged {
        let Claim { source, member, id, record } = claim;
        let voice = self
            .voices
            .get(&(source.clone(), Some(member.clone())))
            .or_else(|| self.voices.get(&(source.clone(), None)));
        let quality =
            record.hashes.iter().filter(|of| of.hash == *hash).filter_map(|of| of.quality).min();
        let mut judged = Judged {
            source: source.clone(),
            member: member.clone(),
            id: id.clone(),
            status: record.status,
            updated: record.updated,
            category: record.category.clone(),
            quality,
            organisation: voice.map(|voice| voice.organisation.clone()),
            jurisdiction: voice.map(|voice| voice.jurisdiction.clone()),
            passed_over: None,
        };
        judged.passed_over = if record.status != Status::Listed {
            Some(PassedOver::Status)
        } else if voice.is_none() {
            Some(PassedOver::Source)
        } else if self.category(&judged).is_none() {
            Some(PassedOver::Category)
        } else if quality.is_some_and(|quality| quality < self.minimum_quality) {
            Some(PassedOver::Quality)
        } else {
            None
        };
        judged
    }

    /// The list's category for a claim.
    fn category(&self, claim: &Judged) -> Option<String> {
        let theirs = match self.fallback.get(&claim.source) {
            Some(fallback) if claim.category.is_empty() => fallback,
            _ => &claim.category,
        };
        match &self.categories {
            None => Some(theirs.clone()),
            Some(categories) => categories.get(theirs).cloned(),
        }
    }
}

/// `NL` and `nl` are one place, however they are written.
fn folded(name: &str) -> String {
    name.to_lowercase()
}

fn wrong<T>(what: String) -> Result<T, RulesError> {
    Err(RulesError::Meaning(what))
}

/// Everyone who speaks against the hash: `source` or `source/member`. Who took
/// the entry back no longer says anything.
fn disputed_by(hash: &RowHash, claims: &[Claim]) -> Vec<String> {
    let mut against = BTreeSet::new();
    for Claim { source, member, record, .. } in claims {
        let name = |member: &str| match member {
            "" => source.clone(),
            _ => format!("{source}/{member}"),
        };
        match record.status {
            Status::Denied => {
                against.insert(name(member));
            }
            Status::Withdrawn | Status::Missing => continue,
            _ => {}
        }
        for voice in record.feedback.iter().filter(|voice| voice.opinion == Opinion::Against) {
            let of = voice.algorithm.as_deref();
            // A name that presend does not know may be another spelling of this one.
            let of = of.and_then(Algorithm::from_name);
            if of.is_none_or(|of| of == hash.algorithm()) {
                against.insert(name(&voice.member));
            }
        }
    }
    against.into_iter().collect()
}

/// The file, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    #[serde(default = "two")]
    sources_needed: usize,
    #[serde(default = "yes")]
    different_jurisdictions: bool,
    #[serde(default = "usable_quality")]
    minimum_quality: u8,
    #[serde(default = "every_algorithm")]
    algorithms: Vec<String>,
    #[serde(default = "ten_percent")]
    max_change_percent: f64,
    #[serde(default = "one")]
    disputes_to_exclude: usize,
    #[serde(default)]
    source: Vec<Source>,
    #[serde(default)]
    category: Vec<Category>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Source {
    name: String,
    organisation: Option<String>,
    jurisdiction: Option<String>,
    category: Option<String>,
    #[serde(default)]
    member: Vec<Member>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Member {
    id: String,
    organisation: String,
    jurisdiction: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Category {
    name: String,
    #[serde(default)]
    from: Vec<String>,
    sources_needed: Option<usize>,
}

fn one() -> usize {
    1
}

fn two() -> usize {
    2
}

fn yes() -> bool {
    true
}

fn usable_quality() -> u8 {
    LOW_QUALITY + 1
}

fn every_algorithm() -> Vec<String> {
    Algorithm::ALL.map(|algorithm| algorithm.name().to_owned()).into()
}

fn ten_percent() -> f64 {
    10.0
}

const WATCHED_HASHES: u64 = 4096;
