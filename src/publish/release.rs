//! Which files a release has: each list whole and packed, its manifest, and the
//! deltas that bring devices to it.
//!
//! A device that was away for a month would need thirty daily deltas. So every
//! seventh release of a list is an anchor, and there are deltas from anchor to
//! anchor too. What a delta is from and to stands in its name; a client finds its
//! way.

use std::collections::BTreeSet;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::repository::{
    Current, Repository, RepositoryError, facts, file_name, number, parsed, target_facts,
};
use super::roles::{self, SPECIFICATION};
use crate::list::delta::{self, DeltaError};
use crate::list::manifest::Manifest;
use crate::list::{HashList, ListError};
use crate::update::tuf::signing;

/// A built list that is to be released.
pub struct Edition {
    /// The list file.
    pub list: Vec<u8>,
    /// Its manifest, as the builder wrote it.
    pub manifest: Vec<u8>,
    /// A Sigsum proof that the list file is logged, if there is one.
    pub proof: Option<Vec<u8>>,
}

/// What a list asks a client for at most; the client has caps of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Scope {
    /// `warn`, `ask` or `block`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Views of a picture that are looked up: 1, 9 or 25.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub views: Option<u8>,
    /// Keys tried for one scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probes: Option<u64>,
}

/// What was staged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Staged {
    /// The document to sign: `2.targets.json`.
    pub document: String,
    /// The lists that are new in it.
    pub lists: Vec<StagedList>,
}

/// A new list of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StagedList {
    /// The list's id.
    pub id: String,
    /// Its version.
    pub version: u64,
    /// Bytes of the list file.
    pub bytes: u64,
    /// Bytes of the packed list.
    pub packed: u64,
    /// The deltas that are new: the version they are from, and their bytes.
    pub deltas: Vec<(u64, u64)>,
}

impl Repository {
    /// Stages the next release: new lists over those that are released. With no
    /// list it only has a later expiry.
    ///
    /// # Errors
    /// [`RepositoryError`] says what does not fit.
    pub fn stage_release(
        &self,
        editions: &[Edition],
        scope: &Scope,
        now: SystemTime,
        replace: bool,
    ) -> Result<Staged, RepositoryError> {
        let current = self.current()?;
        let days = roles::days(&self.next_root()?, "targets");
        let mut targets = match &current.targets {
            Some(released) => released_targets(&released.bytes)?,
            None => Map::new(),
        };
        if let Some(staged) = self.staged("targets")?
            && !replace
            && !parsed("", &staged.bytes)?.1.is_empty()
        {
            return Err(RepositoryError::Signed(format!("{}.targets.json", staged.version)));
        }
        let (mut lists, mut files) = (Vec::new(), Vec::new());
        for edition in editions {
            lists.push(self.stage_list(edition, scope, &current, &mut targets, &mut files)?);
        }
        if targets.is_empty() {
            return Err(RepositoryError::List("a first release needs a --list".to_owned()));
        }
        let version = self.highest("targets")?.max(current.version("targets")) + 1;
        let signed = json!({
            "_type": "targets",
            "spec_version": SPECIFICATION,
            "version": version,
            "expires": signing::expiry(now, days).ok_or(RepositoryError::Clock)?,
            "targets": targets,
        });
        let document = self.stage_with("targets", &signed, replace, &files)?;
        Ok(Staged { document, lists })
    }

    /// Puts an edition's files in place of those of the last one.
    fn stage_list(
        &self,
        edition: &Edition,
        scope: &Scope,
        current: &Current,
        targets: &mut Map<String, Value>,
        files: &mut Vec<(String, Vec<u8>)>,
    ) -> Result<StagedList, RepositoryError> {
        let wrong = |what: String| RepositoryError::List(what);
        let list = HashList::open(edition.list.clone()).map_err(|e| wrong(e.to_string()))?;
        let (id, version) = (list.id().to_owned(), list.version());
        let manifest: Manifest = serde_json::from_slice(&edition.manifest)
            .map_err(|_| wrong(format!("{id}: manifest.json is not the builder's")))?;
        if manifest.blake3 != blake3::hash(&edition.list).to_hex().as_str() {
            return Err(wrong(format!("{id}: manifest.json belongs to another list; build again")));
        }
        let history = self.history(&id, current)?;
        let released = history.last();
        if let Some((last, _)) = released.filter(|(last, _)| *last >= version) {
            return Err(wrong(format!(
                "{id}: version {version} does not follow version {last}, which is released; build it with --version {}",
                last + 1
            )));
        }
        if let Some((last, _)) = released {
            let with = match &manifest.change {
                Some(change) if change.version == *last => None,
                Some(change) => Some(format!("version {}", change.version)),
                None => manifest.choice.as_ref().map(|_| "no release".to_owned()),
            };
            if let Some(with) = with {
                return Err(wrong(format!(
                    "{id}: the build compares with {with}, and version {last} is released; build again with --last"
                )));
            }
        }

        let last_name = format!("{id}.presend");
        let old = targets.clone();
        targets.retain(|name, _| name.split_once('.').is_none_or(|(of, _)| of != id));
        let mut keep = |name: &str, bytes: &[u8]| {
            let facts = facts(bytes);
            files.push((file_name(name, &facts), bytes.to_owned()));
            facts
        };
        let mut entry = keep(&last_name, &edition.list);
        let before = old.get(&last_name).map(scope_of).unwrap_or_default();
        let scope = Scope {
            action: scope.action.clone().or(before.action),
            views: scope.views.or(before.views),
            probes: scope.probes.or(before.probes),
        };
        entry["custom"] = custom(version, &scope);
        targets.insert(last_name, entry);
        let packed = delta::pack(&list).map_err(|error| wrong(error.to_string()))?;
        let mut put = |name: String, bytes: &[u8]| {
            let facts = keep(&name, bytes);
            targets.insert(name, facts);
        };
        put(format!("{id}.manifest.json"), &edition.manifest);
        put(format!("{id}.packed"), &packed);
        if let Some(proof) = &edition.proof {
            put(format!("{id}.sigsum"), proof);
        }

        // From the release before, and from anchor to anchor.
        let number_of_this = history.len();
        let mut from: Vec<usize> = number_of_this.checked_sub(1).into_iter().collect();
        if number_of_this.is_multiple_of(ANCHOR_EVERY) && number_of_this > 0 {
            from.push(number_of_this - ANCHOR_EVERY);
        }
        let mut deltas = Vec::new();
        for &at in &from {
            let (old_version, facts) = &history[at];
            // What is not there any more gives no delta; the other ways remain.
            let Ok(bytes) = self.target(&format!("{id}.presend"), facts) else { continue };
            let old = HashList::open(bytes).map_err(|e: ListError| wrong(e.to_string()))?;
            let delta = match delta::diff(&old, &list) {
                Ok(delta) => delta,
                Err(DeltaError::OtherLength | DeltaError::Unrelated) => continue,
                Err(error) => return Err(wrong(format!("{id}: {error}"))),
            };
            if delta.len() < packed.len() {
                put(delta_name(&id, *old_version, version), &delta);
                deltas.push((*old_version, delta.len() as u64));
            }
        }
        let recent = history.iter().rev().take(KEPT_DELTAS - 1).map(|(version, _)| *version);
        let recent: BTreeSet<u64> = recent.chain([version]).collect();
        for (name, facts) in old {
            if let Some((_, to)) = delta_of(&id, &name)
                && recent.contains(&to)
            {
                targets.insert(name, facts);
            }
        }
        keep_ways(&id, version, targets);
        let (bytes, packed) = (list.size() as u64, packed.len() as u64);
        Ok(StagedList { id, version, bytes, packed, deltas })
    }

    /// The file of a list that was released with that version, if it is still here.
    ///
    /// # Errors
    /// When the repository cannot be read.
    pub fn released_list(
        &self,
        id: &str,
        version: u64,
    ) -> Result<Option<Vec<u8>>, RepositoryError> {
        let history = self.history(id, &self.current()?)?;
        let facts = history.iter().find(|(of, _)| *of == version);
        Ok(facts.and_then(|(_, facts)| self.target(&format!("{id}.presend"), facts).ok()))
    }

    /// Every release of a list up to the current one: its version and what is
    /// signed about its file.
    pub(super) fn history(
        &self,
        id: &str,
        current: &Current,
    ) -> Result<Vec<(u64, Value)>, RepositoryError> {
        let mut history: Vec<(u64, Value)> = Vec::new();
        for number in self.versions("targets")? {
            if number > current.version("targets") {
                break;
            }
            let name = format!("metadata/{number}.targets.json");
            let Some(bytes) = self.read(&name)? else { continue };
            let targets = released_targets(&bytes)?;
            if let Some(facts) = targets.get(&format!("{id}.presend"))
                && history.last().is_none_or(|(last, _)| *last < list_version(facts))
            {
                history.push((list_version(facts), facts.clone()));
            }
        }
        Ok(history)
    }

    /// Files of the lists that the next anchors' deltas begin from.
    pub(super) fn anchors(&self, current: &Current) -> Result<Vec<String>, RepositoryError> {
        let Some(released) = &current.targets else { return Ok(Vec::new()) };
        let mut files = Vec::new();
        for id in list_ids(&parsed("", &released.bytes)?.0) {
            let history = self.history(&id, current)?;
            let anchor = history.len().saturating_sub(1) / ANCHOR_EVERY * ANCHOR_EVERY;
            if let Some((_, facts)) = history.get(anchor) {
                let digest = facts["hashes"]["sha256"].as_str().unwrap_or_default();
                files.push(format!("{digest}.{id}.presend"));
            }
        }
        Ok(files)
    }
}

/// Drops deltas that lead nowhere: from them the newest version is not reached.
fn keep_ways(id: &str, newest: u64, targets: &mut Map<String, Value>) {
    let edges: Vec<_> = targets.keys().filter_map(|name| delta_of(id, name)).collect();
    let mut reach = BTreeSet::from([newest]);
    while edges.iter().any(|(from, to)| reach.contains(to) && reach.insert(*from)) {}
    targets.retain(|name, _| delta_of(id, name).is_none_or(|(_, to)| reach.contains(&to)));
}

/// The ids of the lists among the targets.
pub(super) fn list_ids(signed: &Value) -> Vec<String> {
    let names = target_facts(signed).into_iter();
    names.filter_map(|(name, _)| name.strip_suffix(".presend").map(str::to_owned)).collect()
}

/// A list's version, as its target says it.
pub(super) fn list_version(facts: &Value) -> u64 {
    number(&facts["custom"]["presend"]["version"])
}

/// What the target of a list file says of it beside its length and digest.
pub(super) fn custom(version: u64, scope: &Scope) -> Value {
    json!({ "presend": match *scope == Scope::default() {
        true => json!({ "version": version }),
        false => json!({ "version": version, "scope": scope }),
    } })
}

/// A list's scope, as its target says it.
pub(super) fn scope_of(facts: &Value) -> Scope {
    let scope = facts["custom"]["presend"]["scope"].clone();
    serde_json::from_value(scope).unwrap_or_default()
}

pub(super) fn delta_name(id: &str, from: u64, to: u64) -> String {
    format!("{id}.{from}-{to}.delta")
}

/// The versions that a target of that name leads from and to, if it is a delta.
pub(super) fn delta_of(id: &str, name: &str) -> Option<(u64, u64)> {
    let middle = name.strip_prefix(id)?.strip_prefix('.')?.strip_suffix(".delta")?;
    let (from, to) = middle.split_once('-')?;
    Some((from.parse().ok()?, to.parse().ok()?))
}

fn released_targets(bytes: &[u8]) -> Result<Map<String, Value>, RepositoryError> {
    match parsed("the targets metadata", bytes)?.0["targets"].take() {
        Value::Object(targets) => Ok(targets),
        _ => Err(RepositoryError::Damaged("the targets metadata".to_owned())),
    }
}

/// Releases from one anchor to the next: a week of daily ones.
const ANCHOR_EVERY: usize = 7;

/// Deltas to so many releases are kept: who was away for a month and a few days
/// has a way.
const KEPT_DELTAS: usize = 35;
