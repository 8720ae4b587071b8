//! The example does what it shows: nothing leaves unchecked or in the clear.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::{Aead, KeyInit};
use presend::verdict::NotScanned;

use crate::read;

#[allow(dead_code, reason = "its main is the example's own")]
#[path = "../../examples/pre_send.rs"]
mod example;

use example::NotSent;

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(future)
}

fn bytes(path: &str) -> Arc<[u8]> {
    read(crate::root(path)).into()
}

#[test]
fn what_is_allowed_is_encrypted_and_decrypts_to_the_same_bytes() {
    let hook = example::open(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("list and model");
    let picture = bytes("tests/data/media/waves.jpg");
    let asked = |_: &_| panic!("an allowed picture is not asked about");
    let report = run(hook.check(Arc::clone(&picture)));
    example::decide(&report, asked).expect("allowed");
    let sealed = example::seal(&report, &picture).expect("the bytes that were scanned");
    assert!(!sealed.ciphertext.windows(16).any(|window| window == &picture[..16]));
    let cipher = XChaCha20Poly1305::new(&sealed.key);
    let opened = cipher.decrypt(&sealed.nonce, sealed.ciphertext.as_slice()).expect("its key");
    assert_eq!(opened, *picture);

    let swapped = bytes("tests/data/media/test-picture.png");
    let refused = example::seal(&report, &swapped).err();
    assert_eq!(refused, Some(NotSent::NotScanned(NotScanned)));
}

#[test]
fn what_is_blocked_or_declined_is_not_sent() {
    let hook = example::open(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("list and model");
    let check = |path, answer| {
        let report = run(hook.check(bytes(path)));
        example::decide(&report, |_| answer).map(|()| report.verdict)
    };
    let blocked = check("tests/data/media/test-picture-halved-q50.jpg", true);
    assert_eq!(blocked, Err(NotSent::Blocked));
    let unseen = "tests/data/broken/header-only.heic";
    assert_eq!(check(unseen, false), Err(NotSent::Declined));
    assert_eq!(check(unseen, true), Ok(presend::Verdict::Ask));
}
