//! Whether a repository is what its clients need: role by role, list by list.

use std::collections::BTreeMap;
use std::io;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Value, json};

use super::release::{Scope, custom, delta_of, list_ids, list_version, scope_of};
use super::repository::{
    Current, DAY, Document, Memory, Progress, Repository, RepositoryError, number, parsed,
    progress_of, target_facts,
};
use super::roles::{self, NAMES, SPECIFICATION};
use crate::list::manifest::Manifest;
use crate::list::{HashList, delta};
use crate::update::Folder;
use crate::update::tuf::{self, TargetName, TufError, signing};

/// What a repository holds, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Checked {
    /// The metadata that clients fetch, root first; empty before the first release.
    pub roles: Vec<RoleState>,
    /// The lists that they find there.
    pub lists: Vec<ListState>,
    /// What waits for signatures.
    pub staged: Vec<Progress>,
    /// When it expires, by document.
    pub staged_expires: BTreeMap<String, String>,
    /// The lists of what waits.
    pub staged_lists: Vec<ListState>,
    /// What keeps clients from it, or from part of it.
    pub faults: Vec<String>,
}

/// The released metadata of one role.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RoleState {
    /// The role.
    pub role: &'static str,
    /// When it expires.
    pub expires: String,
    /// Whole days until then.
    pub days_left: u64,
    /// Who has signed.
    #[serde(flatten)]
    pub signing: Progress,
}

/// One list of a release.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ListState {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: u64,
    /// Bytes of its file.
    pub bytes: u64,
    /// SHA-256 of its file, as the organisations sign it.
    pub sha256: String,
    /// Bytes of the packed list.
    pub packed: u64,
    /// The deltas that lead to it, at once or by way of others.
    pub deltas: Vec<Delta>,
    /// Whether there is a proof that it is logged. It is not looked into here.
    pub logged: bool,
    /// What it asks a client for at most.
    pub scope: Scope,
    /// What its builder says of it.
    pub manifest: Manifest,
}

/// A way from one version of a list to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Delta {
    /// The version that it begins from.
    pub from: u64,
    /// The version that it makes.
    pub to: u64,
    /// Its bytes.
    pub bytes: u64,
    /// Whether it was tried: it makes the list that is released, of one that is
    /// still here.
    pub tried: bool,
}

impl Repository {
    /// Looks at everything that is released, as a new client would, and at what is
    /// staged.
    ///
    /// # Errors
    /// Only what keeps it from looking; what is wrong is among the faults.
    pub fn check(&self, now: SystemTime) -> Result<Checked, RepositoryError> {
        let mut checked = Checked::default();
        let current = self.current()?;
        if let Some(root) = &current.root {
            let documents =
                [&current.root, &current.targets, &current.snapshot, &current.timestamp];
            for (role, document) in NAMES.into_iter().zip(documents) {
                let Some(document) = document else { continue };
                checked.roles.push(state_of(role, document, root, now)?);
            }
        }
        if let Some(targets) = &current.targets {
            let (signed, _) = parsed("the targets metadata", &targets.bytes)?;
            if let Err(error) = self.as_a_client(&signed, now) {
                checked.faults.push(format!("a client would refuse the repository: {error}"));
            }
            let faults = &mut checked.faults;
            checked.lists = self.lists_of(&signed, &current, faults)?;
        }
        checked.faults.extend(self.foreign(now)?);
        for role in SIGNED {
            let Some(staged) = self.staged(role)? else { continue };
            let name = format!("{}.{role}.json", staged.version);
            let (signed, _) = parsed(&name, &staged.bytes)?;
            let expires = signed["expires"].as_str().unwrap_or_default();
            checked.staged_expires.insert(name, expires.to_owned());
        }
        match self.progress() {
            Err(RepositoryError::NothingStaged) => {}
            progress => checked.staged = progress?,
        }
        if let Some(staged) = self.staged("targets")? {
            let (signed, _) = parsed("the staged targets", &staged.bytes)?;
            let faults = &mut checked.faults;
            checked.staged_lists = self.lists_of(&signed, &current, faults)?;
        }
        Ok(checked)
    }

    /// What presend would not have staged so: delegations, an expiry of years, a
    /// version from nowhere. Who signs the rest signs that too.
    pub(super) fn foreign(&self, now: SystemTime) -> Result<Vec<String>, RepositoryError> {
        let current = self.current()?;
        let mut faults = Vec::new();
        for role in SIGNED {
            let Some(staged) = self.staged(role)? else { continue };
            let name = format!("{}.{role}.json", staged.version);
            let (signed, _) = parsed(&name, &staged.bytes)?;
            let days = roles::days(&self.next_root()?, role);
            let mut fault = |what: &str| faults.push(format!("staged/{name} {what}"));
            let is_header = signed["_type"] == role && signed["spec_version"] == SPECIFICATION;
            if !is_header {
                fault("is of another type or specification");
            }
            // The number of a release that broke off is free again.
            let next = self.highest(role)?.max(current.version(role)) + 1;
            let follows = current.version(role) + 1..=next;
            if signed["version"] != staged.version || !follows.contains(&staged.version) {
                fault("has a version that does not follow the last one");
            }
            let expires = signed["expires"].as_str().and_then(|text| signing::left(text, now));
            if expires.is_none_or(|left| left > (days + 1) * DAY) {
                fault(&format!("expires later than the {days} days that the root gives it"));
            }
            let fields: &[&str] = match role {
                "root" => &["consistent_snapshot", "keys", "roles"],
                _ => &["targets"],
            };
            for (field, _) in signed.as_object().into_iter().flatten() {
                if !FIELDS.contains(&field.as_str()) && !fields.contains(&field.as_str()) {
                    fault(&format!("has `{}`, which presend does not stage", field.escape_debug()));
                }
            }
            let ids = list_ids(&signed);
            for (target, facts) in target_facts(&signed) {
                if !is_staged_so(&target, &facts, &ids) {
                    let target = target.escape_debug();
                    fault(&format!("has the target `{target}` as presend does not stage it"));
                }
            }
        }
        Ok(faults)
    }

    /// Fetches everything with the update client, from the first root on.
    fn as_a_client(&self, signed: &Value, now: SystemTime) -> Result<(), TufError> {
        let first = self.read("metadata/1.root.json").ok().flatten().ok_or(TufError::NoRoot)?;
        let (folder, mut trusted) = (Folder::new(self.folder()), Memory::new(&first));
        let mut client = tuf::Repository::refresh(&folder, &mut trusted, now)?;
        for (name, _) in target_facts(signed) {
            let name = TargetName::new(&name).ok_or(TufError::NoTarget)?;
            let facts = client.find(&name)?;
            client.fetch(&name, &facts, &mut io::sink())?;
        }
        Ok(())
    }

    /// The lists of a release. What does not fit is a fault.
    fn lists_of(
        &self,
        signed: &Value,
        current: &Current,
        faults: &mut Vec<String>,
    ) -> Result<Vec<ListState>, RepositoryError> {
        let mut lists = Vec::new();
        for id in list_ids(signed) {
            match self.list_of(&id, signed, current, faults) {
                Ok(list) => lists.push(list),
                Err(RepositoryError::Damaged(what) | RepositoryError::List(what)) => {
                    faults.push(format!("{id}: {what} is missing or not what was signed"));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(lists)
    }

    fn list_of(
        &self,
        id: &str,
        signed: &Value,
        current: &Current,
        faults: &mut Vec<String>,
    ) -> Result<ListState, RepositoryError> {
        let of = |ending: &str| format!("{id}.{ending}");
        let facts = |name: &str| &signed["targets"][name];
        let file = |name: &str| self.target(name, facts(name));
        let name = of("presend");
        let (bytes, version) = (file(&name)?, list_version(facts(&name)));
        let wrong = |what: &str| RepositoryError::List(what.to_owned());
        let list = HashList::open(bytes.clone()).map_err(|_| wrong("the list"))?;
        let manifest: Manifest = serde_json::from_slice(&file(&of("manifest.json"))?)
            .map_err(|_| wrong("the manifest"))?;
        let mut fault = |holds: bool, what: &str| {
            if !holds {
                faults.push(format!("{id} version {version}: {what}"));
            }
        };
        fault(list.id() == id && list.version() == version, "the file is another list");
        let same = manifest.blake3 == blake3::hash(&bytes).to_hex().as_str();
        fault(same, "the manifest is of another list");
        let packed = file(&of("packed"))?;
        let unpacked = delta::unpack(&packed).is_ok_and(|unpacked| unpacked == bytes);
        fault(unpacked, "the packed list is another one");
        let history = self.history(id, current)?;
        let before = history.iter().rev().find(|(old, _)| *old < version).map(|(old, _)| *old);
        let compared = manifest.change.as_ref().map(|change| change.version);
        let is_compared = compared == before || compared.is_none() && manifest.choice.is_none();
        fault(before.is_none() || is_compared, "it is not compared with the release before it");
        let mut deltas = Vec::new();
        for (name, facts) in target_facts(signed) {
            let Some((from, to)) = delta_of(id, &name) else { continue };
            let delta = file(&name)?;
            let old = history.iter().find(|(old, _)| *old == from && to == version);
            let old = old.and_then(|(_, facts)| self.target(&of("presend"), facts).ok());
            if let Some(old) = &old {
                let made = HashList::open(old.clone()).ok();
                let made = made.and_then(|old| delta::apply(&old, &delta).ok());
                fault(made.as_ref() == Some(&bytes), "a delta does not lead to the list");
            }
            let bytes = number(&facts["length"]);
            deltas.push(Delta { from, to, bytes, tried: old.is_some() });
        }
        deltas.sort_by_key(|delta| (delta.to, delta.from));
        Ok(ListState {
            id: id.to_owned(),
            version,
            bytes: bytes.len() as u64,
            sha256: facts(&name)["hashes"]["sha256"].as_str().unwrap_or_default().to_owned(),
            packed: packed.len() as u64,
            deltas,
            logged: signed["targets"].get(of("sigsum")).is_some(),
            scope: scope_of(facts(&name)),
            manifest,
        })
    }
}

/// Whether a target has a name and facts as a release gives them.
fn is_staged_so(name: &str, facts: &Value, ids: &[String]) -> bool {
    let Some((id, ending)) = name.split_once('.') else { return false };
    let mut ours = json!({
        "length": number(&facts["length"]),
        "hashes": { "sha256": facts["hashes"]["sha256"] },
    });
    if ending == "presend" {
        let scope = scope_of(facts);
        if !scope.action.as_deref().is_none_or(|action| matches!(action, "warn" | "ask" | "block"))
        {
            return false;
        }
        ours["custom"] = custom(list_version(facts), &scope);
    }
    let is_known = matches!(ending, "presend" | "packed" | "manifest.json" | "sigsum")
        || delta_of(id, name).is_some();
    is_known && ids.iter().any(|of| of == id) && *facts == ours
}

/// What people sign.
const SIGNED: [&str; 2] = ["root", "targets"];

/// What every role's metadata has.
const FIELDS: [&str; 4] = ["_type", "spec_version", "version", "expires"];

fn state_of(
    role: &'static str,
    document: &Document,
    root: &Document,
    now: SystemTime,
) -> Result<RoleState, RepositoryError> {
    let (signed, _) = parsed(role, &document.bytes)?;
    Ok(RoleState {
        role,
        expires: signed["expires"].as_str().unwrap_or_default().to_owned(),
        days_left: document.left(now).unwrap_or(0) / DAY,
        signing: progress_of(role, document, root)?,
    })
}
