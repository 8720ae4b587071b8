//! `presend-publish check`: is the repository what its clients need, and is a
//! list what its inputs make?

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use clap::{ArgGroup, Args};
use presend::HashList;
use presend::publish::Parameters;
use presend::publish::check::{Checked, ListState, RoleState};
use presend::publish::repository::Progress;
use presend::publish::{Repository, Scope};
use serde_json::json;

use crate::build::{Inputs, salt};
use crate::release::{line, open_read_only, read_roles};
use crate::{at, print, working};

#[derive(Args)]
#[command(group = ArgGroup::new("from").args(["feed", "store"]).requires("rebuild"))]
pub(crate) struct Check {
    /// The repository, or a copy of it.
    #[arg(long, value_name = "DIR")]
    repository: PathBuf,
    /// Print what was found as JSON.
    #[arg(long)]
    json: bool,
    /// Compare the root, the staged one if one is staged, with the file of roles: sign only what
    /// says the same.
    #[arg(long, value_name = "FILE")]
    roles: Option<PathBuf>,
    /// The list to build again and compare, when there are several.
    #[arg(long, value_name = "ID", requires = "rebuild")]
    list: Option<String>,
    /// Build the list again from the same inputs, the staged one if one is staged: sign only if
    /// that gives the same bytes.
    #[arg(long, requires = "from")]
    rebuild: bool,
    /// Sign even if more has changed than the rules let through.
    #[arg(long, requires = "rebuild")]
    accept_change: bool,
    #[command(flatten)]
    inputs: Inputs,
}

impl Check {
    pub(crate) fn run(self) -> Result<ExitCode, String> {
        let repository = open_read_only(&self.repository)?;
        let bar = working("fetching as a client");
        let checked = repository.check(SystemTime::now());
        bar.finish_and_clear();
        let mut checked = checked.map_err(|error| at(&self.repository, &error))?;
        if checked.roles.is_empty() && checked.staged.is_empty() {
            return Err(at(&self.repository, &"nothing is released or staged here"));
        }
        let mut agreed = String::new();
        if let Some(path) = &self.roles {
            let says = repository.root_says(&read_roles(path)?);
            if says.map_err(|error| at(&self.repository, &error))? {
                agreed = format!("the root says what {} says\n", path.display());
            } else {
                checked.faults.push(format!(
                    "the root says something else than {}, so do not sign it",
                    path.display()
                ));
            }
        }
        let rebuilt = match self.rebuild {
            true => Some(self.rebuild(&repository, &checked)?),
            false => None,
        };
        if let Some(Rebuilt { differs, beyond, .. }) = &rebuilt {
            checked.faults.extend(differs.iter().chain(beyond).cloned());
        }
        let text = if self.json {
            let rebuilt = rebuilt.as_ref().map(|rebuilt| {
                json!({ "list": rebuilt.id, "version": rebuilt.version, "same": rebuilt.differs.is_none() })
            });
            format!("{:#}\n", json!({ "checked": checked, "rebuilt": rebuilt }))
        } else {
            in_lines(&checked, &agreed, rebuilt.as_ref())
        };
        print(text.as_bytes())?;
        Ok(ExitCode::from(u8::from(!checked.faults.is_empty())))
    }

    fn rebuild(&self, repository: &Repository, checked: &Checked) -> Result<Rebuilt, String> {
        let is_new = |list: &&ListState| !checked.lists.iter().any(|old| old.sha256 == list.sha256);
        let mut lists: Vec<&ListState> = checked.staged_lists.iter().filter(is_new).collect();
        if lists.is_empty() {
            lists = checked.lists.iter().collect();
        }
        if let Some(id) = &self.list {
            lists.retain(|list| list.id == *id);
        }
        let [list] = lists[..] else {
            let ids: Vec<&str> = lists.iter().map(|list| list.id.as_str()).collect();
            return Err(format!("which list is to be built again? Say --list: {}", ids.join(", ")));
        };
        let rows = self.inputs.read()?;
        let built = rows.build(&Parameters {
            id: list.id.clone(),
            version: list.version,
            profile: list.manifest.profile.clone(),
            salt: Some(salt(&list.manifest.salt)?),
        })?;
        let last = match &list.manifest.change {
            Some(change) => {
                let last = repository.released_list(&list.id, change.version);
                let last = last.map_err(|error| at(&self.repository, &error))?;
                last.map(HashList::open).transpose().map_err(|error| error.to_string())?
            }
            None => None,
        };
        let is_compared = last.is_some() || list.manifest.change.is_none();
        let mut built = rows.compared(built, last.as_ref())?;
        let mut signed = list.manifest.clone();
        if !is_compared {
            // The last release is not here to compare with.
            (signed.change, built.manifest.change) = (None, None);
        }
        let rules = |manifest: &presend::list::manifest::Manifest| {
            manifest.choice.as_ref().map(|choice| choice.rules.clone())
        };
        let differs = if built.manifest.blake3 != list.manifest.blake3 {
            let why = if rules(&built.manifest) != rules(&signed) {
                "the rules are another file"
            } else {
                "the store or the feeds hold something else"
            };
            Some(format!(
                "{} version {}: built again it is another list, so do not sign it: {why}",
                list.id, list.version
            ))
        } else if built.manifest != signed {
            Some(format!(
                "{} version {}: the list is the same, its manifest says something else",
                list.id, list.version
            ))
        } else {
            None
        };
        let beyond = rows.beyond(&list.manifest).filter(|_| !self.accept_change).map(|how| {
            format!(
                "{} version {}: {how}; if that is meant, say --accept-change",
                list.id, list.version
            )
        });
        Ok(Rebuilt { id: list.id.clone(), version: list.version, differs, beyond })
    }
}

/// What a list asks clients for at most.
fn scope(list: &ListState) -> String {
    let Scope { action, views, probes, .. } = &list.scope;
    let parts = [
        action.as_ref().map(|action| format!("action {action}")),
        views.map(|views| format!("views {views}")),
        probes.map(|probes| format!("probes {probes}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let parts = if parts.is_empty() { "no limit".to_owned() } else { parts.join(", ") };
    format!("asks clients for at most: {parts}")
}

/// What its builder says came and went.
fn change(list: &ListState) -> String {
    list.manifest.change.as_ref().map_or("compares with no release".to_owned(), |change| {
        let percent = change.percent();
        format!(
            "since version {}: {} of {} added, {} removed, {percent:.1} %",
            change.version, change.added, change.last, change.removed
        )
    })
}

/// Under the name of its role: not every document has a number in its file's name.
fn named(role: &RoleState) -> Progress {
    let version = role.signing.document.split('.').next().unwrap_or_default();
    let mut named = role.signing.clone();
    named.document = format!("{} {version}", role.role);
    named
}

/// What came of building a list again.
struct Rebuilt {
    id: String,
    version: u64,
    differs: Option<String>,
    beyond: Option<String>,
}

fn in_lines(checked: &Checked, agreed: &str, rebuilt: Option<&Rebuilt>) -> String {
    let mut text = String::new();
    for role in &checked.roles {
        let until = role.expires.split('T').next().unwrap_or_default();
        text += &format!("{}, until {until}\n", line(&named(role)));
    }
    for (what, lists) in [("", &checked.lists), ("staged: ", &checked.staged_lists)] {
        for list in lists {
            let entries: u64 = list.manifest.entries.values().sum();
            text += &format!(
                "{what}{} version {}: {entries} entries, {} bytes, packed {}, {} deltas{}\nsha256 {}\n",
                list.id,
                list.version,
                list.bytes,
                list.packed,
                list.deltas.len(),
                if list.logged { ", logged" } else { "" },
                list.sha256
            );
            if !what.is_empty() {
                text += &format!("{}\n{}\n", scope(list), change(list));
            }
        }
    }
    for staged in &checked.staged {
        let expires = checked.staged_expires.get(&staged.document);
        let until = expires.and_then(|expires| expires.split('T').next()).unwrap_or_default();
        text += &format!("staged/{}, until {until}\n", line(staged));
    }
    text += agreed;
    if let Some(Rebuilt { id, version, differs: None, .. }) = rebuilt {
        text += &format!("{id} version {version}: built again, the same bytes\n");
    }
    for fault in &checked.faults {
        text += &format!("wrong: {fault}\n");
    }
    text
}
