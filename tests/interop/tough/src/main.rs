//! The crate `tough` as somebody else's client and publisher.
//!
//!     interop-tough read REPOSITORY DATASTORE OUT NAME...
//!     interop-tough write REPOSITORY KEY.der FOLDER-OF-TARGETS
//!
//! `read` begins from `metadata/1.root.json`, prints the versions that it trusts
//! and fetches the targets. `write` makes a repository whose four roles have one
//! key, and prints nothing.

use std::collections::HashMap;
use std::error::Error;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SystemRandom;
use jiff::{Timestamp, ToSpan};
use tough::editor::signed::SignedRole;
use tough::editor::{RepositoryEditor, signed::PathExists};
use tough::key_source::{KeySource, LocalKeySource};
use tough::schema::{KeyHolder, RoleKeys, RoleType, Root};
use tough::{Prefix, RepositoryLoader, TargetName};
use url::Url;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["read", repository, store, out, ref names @ ..] => {
            read(Path::new(repository), Path::new(store), Path::new(out), names).await
        }
        ["write", repository, key, targets] => {
            write(Path::new(repository), Path::new(key), Path::new(targets)).await
        }
        _ => Err("read REPOSITORY DATASTORE OUT NAME... or write REPOSITORY KEY TARGETS".into()),
    }
}

async fn read(
    repository: &Path,
    store: &Path,
    out: &Path,
    names: &[&str],
) -> Result<(), Box<dyn Error>> {
    let folder = |name: &str| {
        let path = std::path::absolute(repository.join(name))?;
        Url::from_directory_path(path).map_err(|()| "no such folder".into())
    };
    let folder = |name| -> Result<Url, Box<dyn Error>> { folder(name) };
    let root = std::fs::read(repository.join("metadata/1.root.json"))?;
    let loaded = RepositoryLoader::new(&root, folder("metadata")?, folder("targets")?)
        .datastore(store)
        .load()
        .await?;
    for name in names {
        loaded.save_target(&TargetName::new(*name)?, out, Prefix::None).await?;
    }
    println!(
        "root {}, targets {}, snapshot {}, timestamp {}",
        loaded.root().signed.version,
        loaded.targets().signed.version,
        loaded.snapshot().signed.version,
        loaded.timestamp().signed.version
    );
    Ok(())
}

async fn write(repository: &Path, key: &Path, targets: &Path) -> Result<(), Box<dyn Error>> {
    let source =
        || -> Vec<Box<dyn KeySource>> { vec![Box::new(LocalKeySource { path: key.to_owned() })] };
    let signer = source()[0].as_sign().await.map_err(|error| error.to_string())?;
    let public = signer.tuf_key();
    let id = public.key_id()?;
    let one = NonZeroU64::MIN;
    // Whole seconds, as the specification has it; tough would write the fraction.
    let expires = Timestamp::from_second(Timestamp::now().as_second())? + (24 * 30).hours();
    let role = RoleKeys { keyids: vec![id.clone()], threshold: one, _extra: HashMap::new() };
    let roles = [RoleType::Root, RoleType::Targets, RoleType::Snapshot, RoleType::Timestamp];
    let root = Root {
        spec_version: "1.0.0".to_owned(),
        consistent_snapshot: true,
        version: one,
        expires,
        keys: HashMap::from([(id, public)]),
        roles: roles.map(|of| (of, role.clone())).into(),
        _extra: HashMap::new(),
    };
    let holder = KeyHolder::Root(root.clone());
    let signed = SignedRole::new(root, &holder, &source(), &SystemRandom::new()).await?;
    let metadata = repository.join("metadata");
    std::fs::create_dir_all(&metadata)?;
    signed.write(&metadata, true).await?;

    let files: Result<Vec<PathBuf>, _> =
        std::fs::read_dir(targets)?.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut editor = RepositoryEditor::new(metadata.join("1.root.json")).await?;
    editor
        .targets_expires(expires)?
        .targets_version(one)?
        .snapshot_expires(expires)
        .snapshot_version(one)
        .timestamp_expires(expires)
        .timestamp_version(one)
        .add_target_paths(files?)
        .await?;
    let signed = editor.sign(&source()).await?;
    signed.write(&metadata).await?;
    let folder = repository.join("targets");
    std::fs::create_dir_all(&folder)?;
    signed.copy_targets(targets, folder, PathExists::Fail).await?;
    Ok(())
}
