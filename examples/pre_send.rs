//! A messenger in small: scan, ask the person, check the clearance, and only
//! then encrypt.
//!
//! ```text
//! cargo run --release --example pre_send -- tests/data/media/waves.jpg sent.bin
//! ```
//!
//! writes the nonce and the ciphertext (XChaCha20-Poly1305) to `sent.bin`, and
//! the key to `sent.bin.key`, where a messenger would hand it to its session
//! with the recipient. Exits 1 when nothing was sent.

use std::error::Error;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::{env, fs};

use chacha20poly1305::aead::{Aead, Generate, Key, KeyInit};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use presend::hook::{PreSendHook, Settings};
use presend::verdict::NotScanned;
use presend::{Classifier, HashList, Model, Report, Runtime, Scanner, Verdict};

/// What goes to the server, and what goes to the recipient alone.
pub(crate) struct Sealed {
    pub(crate) nonce: XNonce,
    pub(crate) ciphertext: Vec<u8>,
    pub(crate) key: Key<XChaCha20Poly1305>,
}

/// Why nothing was sent.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum NotSent {
    #[error("blocked")]
    Blocked,
    #[error("not sent")]
    Declined,
    #[error(transparent)]
    NotScanned(#[from] NotScanned),
    #[error("the encryption failed")]
    Encryption,
}

/// Opens list and model once; the hook then serves every message.
pub(crate) fn open(root: &Path) -> Result<PreSendHook, Box<dyn Error>> {
    let list = HashList::open(fs::read(root.join("hashlists/demo/demo.presend"))?)?;
    let model = Model::read(&root.join("models/nsfwjs-mid-1"))?;
    let classifier = Classifier::open(&model, &Runtime::embedded())?;
    let scanner = Scanner::builder().list(list).classifier(classifier).build()?;
    Ok(PreSendHook::new(scanner, Settings::default()))
}

/// Whether the message may go on; `ask` shows the person why it might not.
pub(crate) fn decide(report: &Report, ask: impl FnOnce(&Report) -> bool) -> Result<(), NotSent> {
    let goes_on = match report.verdict {
        Verdict::Allow => true,
        Verdict::Warn | Verdict::Ask => ask(report),
        Verdict::Block => return Err(NotSent::Blocked),
    };
    if goes_on { Ok(()) } else { Err(NotSent::Declined) }
}

/// Encrypts the bytes that the report cleared, and no others.
pub(crate) fn seal(report: &Report, bytes: &[u8]) -> Result<Sealed, NotSent> {
    report.clearance.check(bytes)?;
    let (key, nonce) = (Key::<XChaCha20Poly1305>::generate(), XNonce::generate());
    let ciphertext =
        XChaCha20Poly1305::new(&key).encrypt(&nonce, bytes).map_err(|_| NotSent::Encryption)?;
    Ok(Sealed { nonce, ciphertext, key })
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [file, out] = &args[..] else {
        return Err("usage: pre_send FILE OUT".into());
    };
    let hook = open(Path::new(env!("CARGO_MANIFEST_DIR")))?;
    let bytes: Arc<[u8]> = fs::read(file)?.into();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    // Only the scan is awaited: the person may take a minute to answer.
    let report = runtime.block_on(hook.check(Arc::clone(&bytes)));
    match decide(&report, ask).and_then(|()| seal(&report, &bytes)) {
        Ok(sealed) => {
            fs::write(out, [sealed.nonce.as_slice(), &sealed.ciphertext].concat())?;
            fs::write(format!("{out}.key"), sealed.key)?;
            println!("sent: {} bytes of ciphertext", sealed.ciphertext.len());
            Ok(ExitCode::SUCCESS)
        }
        Err(reason) => {
            println!("{reason}");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Shows why and waits for an answer; anything but yes is no.
fn ask(report: &Report) -> bool {
    if let Some(reason) = report.reason() {
        println!("{}: {}", report.verdict, reason.finding);
    }
    print!("Send it all the same? [y/N] ");
    let mut answer = String::new();
    let read = io::stdout().flush().and_then(|()| io::stdin().lock().read_line(&mut answer));
    read.is_ok() && answer.trim().eq_ignore_ascii_case("y")
}
