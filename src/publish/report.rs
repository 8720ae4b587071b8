//! What there is to say about the releases of a list: who signed which list, what
//! is in it and how it grew. All of it comes from the repository.

use serde::Serialize;

use super::release::{Scope, delta_of, list_version, scope_of};
use super::repository::{
    Document, Progress, Repository, RepositoryError, number, parsed, progress_of, target_facts,
};
use crate::list::manifest::Manifest;

/// Every release of a list, the first one first.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The list's id.
    pub id: String,
    /// Its releases.
    pub releases: Vec<Release>,
}

/// One release of a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Release {
    /// The list's version.
    pub version: u64,
    /// When the signatures expire.
    pub expires: String,
    /// Who has signed, by the newest root that the signatures suffice for.
    pub signing: Progress,
    /// SHA-256 of the list file.
    pub sha256: String,
    /// Bytes of the packed list.
    pub packed: u64,
    /// The deltas to this version: the version they are from, and their bytes.
    pub deltas: Vec<(u64, u64)>,
    /// Whether there is a proof that it is logged.
    pub logged: bool,
    /// What it asks a client for at most.
    pub scope: Scope,
    /// What its builder says of it.
    pub manifest: Manifest,
}

impl Repository {
    /// The releases of a list up to a version, by default the last.
    ///
    /// # Errors
    /// [`RepositoryError::List`] if there is no such release.
    pub fn report(&self, id: &str, version: Option<u64>) -> Result<Report, RepositoryError> {
        let current = self.current()?;
        let mut roots = Vec::new();
        for version in self.versions("root")?.into_iter().rev() {
            let bytes = self.read(&format!("metadata/{version}.root.json"))?;
            roots.extend(bytes.map(|bytes| Document { version, bytes }));
        }
        let mut releases: Vec<Release> = Vec::new();
        for number_of in self.versions("targets")? {
            let name = format!("metadata/{number_of}.targets.json");
            if number_of > current.version("targets") {
                break;
            }
            let Some(bytes) = self.read(&name)? else { continue };
            let (signed, _) = parsed(&name, &bytes)?;
            let targets = &signed["targets"];
            let Some(facts) = targets.get(format!("{id}.presend")) else { continue };
            if releases.last().is_some_and(|last| last.version >= list_version(facts)) {
                continue;
            }
            let document = Document { version: number_of, bytes };
            let judged =
                roots.iter().filter_map(|root| progress_of("targets", &document, root).ok());
            let Some(signing) = judged.into_iter().find(|judged| judged.enough) else { continue };
            let manifest = format!("{id}.manifest.json");
            let manifest = self.target(&manifest, &targets[&manifest])?;
            let deltas = target_facts(&signed).into_iter().filter_map(|(name, delta)| {
                let (from, to) = delta_of(id, &name)?;
                (to == list_version(facts)).then(|| (from, number(&delta["length"])))
            });
            releases.push(Release {
                version: list_version(facts),
                expires: signed["expires"].as_str().unwrap_or_default().to_owned(),
                signing,
                sha256: facts["hashes"]["sha256"].as_str().unwrap_or_default().to_owned(),
                packed: number(&targets[format!("{id}.packed")]["length"]),
                deltas: deltas.collect(),
                logged: targets.get(format!("{id}.sigsum")).is_some(),
                scope: scope_of(facts),
                manifest: serde_json::from_slice(&manifest)
                    .map_err(|_| RepositoryError::Damaged(format!("{id}.manifest.json")))?,
            });
        }
        if let Some(version) = version {
            releases.retain(|release| release.version <= version);
        }
        let is_there =
            releases.last().is_some_and(|last| version.is_none_or(|of| of == last.version));
        if !is_there {
            return Err(RepositoryError::List(format!(
                "{id}: no such version is released; `check` says what is"
            )));
        }
        Ok(Report { id: id.to_owned(), releases })
    }
}
