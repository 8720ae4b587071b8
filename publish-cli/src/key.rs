//! `presend-publish keygen`, and how the other commands come by keys.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use presend::publish::{KeyType, PrivateKey, PublicKey};
use serde_json::json;
use zeroize::Zeroizing;

use crate::{at, print};

#[derive(Args)]
pub(crate) struct Keygen {
    /// NAME.pem and NAME.pub are written; a file that is there stays.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<PathBuf>,
    /// The signature scheme.
    #[arg(long = "type", value_name = "ed25519|ecdsa-p256", default_value = "ed25519", value_parser = key_type)]
    of: KeyType,
    #[command(flatten)]
    passphrase: Passphrase,
    /// Do without a passphrase: whoever reads the file can sign.
    #[arg(long, conflicts_with = "passphrase_file")]
    unencrypted: bool,
    /// Print what was made as JSON.
    #[arg(long)]
    json: bool,
}

/// Private keys in files.
#[derive(Args)]
pub(crate) struct Keys {
    /// A private key, as `keygen` or `openssl genpkey` writes it; may be repeated.
    #[arg(long = "key", value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    passphrase: Passphrase,
}

/// Where a passphrase comes from. It is never an argument: those are seen by
/// everybody on the machine.
#[derive(Args)]
struct Passphrase {
    /// Read the passphrase of the keys from the first line of FILE, or of standard input with
    /// `-` [default: asked for on the terminal].
    #[arg(long, value_name = "FILE|-")]
    passphrase_file: Option<PathBuf>,
}

impl Keygen {
    pub(crate) fn run(self) -> Result<(), String> {
        let pairs: Vec<(PathBuf, PathBuf)> =
            self.names.iter().map(|name| (ending(name, "pem"), ending(name, "pub"))).collect();
        let there = pairs.iter().flat_map(|(key, public)| [key, public]).find(|path| path.exists());
        if let Some(path) = there {
            return Err(at(
                path,
                &"is there already, and a key is never overwritten; take another name",
            ));
        }
        let passphrase = if self.unencrypted { None } else { Some(self.passphrase.new_one()?) };
        let mut made = Vec::new();
        for (path, public_path) in &pairs {
            let key = PrivateKey::generate(self.of).map_err(|error| at(path, &error))?;
            let pem = key.to_pem(passphrase.as_ref().map(|text| text.as_str()));
            let pem = pem.map_err(|error| at(path, &error))?;
            write_new(path, pem.as_bytes(), true)?;
            let public = key.public();
            write_new(public_path, public.to_json().as_bytes(), false)?;
            made.push(json!({
                "private": path.display().to_string(),
                "public": public_path.display().to_string(),
                "keyid": public.id(),
                "type": self.of.name(),
                "encrypted": passphrase.is_some(),
            }));
        }
        if self.json {
            return print(format!("{:#}\n", json!(made)).as_bytes());
        }
        let how = if passphrase.is_some() { "under a passphrase" } else { "not encrypted" };
        let lines: String = pairs
            .iter()
            .map(|(key, public)| {
                format!("{} ({how}), {}: {}\n", key.display(), public.display(), self.of.name())
            })
            .collect();
        print(lines.as_bytes())
    }
}

impl Keys {
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Opens them all, asking for passphrases where they are needed.
    pub(crate) fn read(&self) -> Result<Vec<PrivateKey>, String> {
        let mut given = None;
        let mut keys = Vec::new();
        for path in &self.files {
            let pem = read_secret(path)?;
            let key = if PrivateKey::is_encrypted(&pem) {
                let passphrase = match (&given, self.passphrase.passphrase_file.is_some()) {
                    (Some(passphrase), true) => passphrase,
                    _ => given.insert(self.passphrase.of(path)?),
                };
                PrivateKey::from_pem(&pem, Some(passphrase))
            } else {
                PrivateKey::from_pem(&pem, None)
            };
            keys.push(key.map_err(|error| at(path, &error))?);
        }
        Ok(keys)
    }
}

impl Passphrase {
    /// One for keys that are made: asked for twice.
    fn new_one(&self) -> Result<Zeroizing<String>, String> {
        if self.passphrase_file.is_some() {
            return self.in_file();
        }
        let first = ask("Passphrase for the new keys: ")?;
        if first.is_empty() {
            return Err("an empty passphrase protects nothing; say --unencrypted if that is meant"
                .to_owned());
        }
        let again = ask("The same again: ")?;
        if first == again { Ok(first) } else { Err("the two are not the same".to_owned()) }
    }

    /// The one of a key that is there.
    fn of(&self, key: &Path) -> Result<Zeroizing<String>, String> {
        match self.passphrase_file {
            Some(_) => self.in_file(),
            None => ask(&format!("Passphrase for {}: ", key.display())),
        }
    }

    fn in_file(&self) -> Result<Zeroizing<String>, String> {
        let path = self.passphrase_file.as_deref().unwrap_or(Path::new("-"));
        let text = if path == Path::new("-") {
            read_all(io::stdin()).map_err(|error| format!("standard input: {error}"))?
        } else {
            read_secret(path)?
        };
        let line = Zeroizing::new(text.lines().next().unwrap_or_default().to_owned());
        if line.is_empty() { Err(at(path, &"its first line is empty")) } else { Ok(line) }
    }
}

fn ask(what: &str) -> Result<Zeroizing<String>, String> {
    let answer = rpassword::prompt_password(what).map_err(|error| {
        format!("a passphrase is needed, and there is no terminal to ask on ({error}); say --passphrase-file")
    });
    answer.map(Zeroizing::new)
}

fn read_secret(path: &Path) -> Result<Zeroizing<String>, String> {
    File::open(path).and_then(read_all).map_err(|error| at(path, &error))
}

fn read_all(from: impl Read) -> io::Result<Zeroizing<String>> {
    // As large as it can get, so that nothing is left behind where it grew.
    let mut text = Zeroizing::new(String::with_capacity(LONGEST as usize));
    from.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}

/// Reads a public key, of this command or in PEM.
pub(crate) fn read_public(path: &Path) -> Result<PublicKey, String> {
    let text = std::fs::read_to_string(path).map_err(|error| at(path, &error))?;
    PublicKey::read(&text).map_err(|error| at(path, &error))
}

/// Writes a file that must not be there. A secret one is its owner's alone.
fn write_new(path: &Path, contents: &[u8], secret: bool) -> Result<(), String> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if secret {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = secret;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| at(folder, &error))?;
    }
    let write = |mut file: File| file.write_all(contents).and_then(|()| file.sync_all());
    options.open(path).and_then(write).map_err(|error| at(path, &error))
}

/// `name.pem` of `name`, which may have a dot of its own.
fn ending(name: &Path, ending: &str) -> PathBuf {
    let mut name = name.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

fn key_type(name: &str) -> Result<KeyType, String> {
    KeyType::from_name(name).ok_or_else(|| {
        let known: Vec<_> = KeyType::ALL.map(KeyType::name).into();
        format!("the types are {}", known.join(" and "))
    })
}

/// No key and no passphrase is longer.
const LONGEST: u64 = 1 << 14;
