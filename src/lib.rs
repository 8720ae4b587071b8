//! The check that a messenger runs on a picture *before* it encrypts and sends
//! it, on the sender's own device.
//!
//! A [`Scanner`] takes the bytes of a file and answers with a [`Report`]: the
//! picture is hashed with PDQ and compared with [lists](list) whose entries
//! nobody can read, a small [classifier](classify) looks at it, and a [`Policy`]
//! turns what was found into a [`Verdict`]. Nothing
//! leaves the device; this crate has no network code and logs nothing.
//!
//! ```
//! use presend::{HashList, Limits, Scanner, Verdict};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let list = HashList::open(std::fs::read("hashlists/demo/demo.presend")?)?;
//! let scanner = Scanner::builder().list(list).build()?;
//!
//! let bytes = std::fs::read("tests/data/media/test-picture.png")?;
//! let report = scanner.scan(&bytes, &Limits::default());
//!
//! assert_eq!(report.verdict, Verdict::Block);
//! let reason = report.reason().ok_or("no reason")?;
//! println!("{}: {} by rule {}", report.verdict, reason.finding.code(), reason.rule);
//!
//! // Just before encrypting: are these still the bytes that were scanned?
//! report.clearance.check(&bytes)?;
//! # Ok(())
//! # }
//! ```
//!
//! A film or a live picture goes through a [`Session`], frame by frame, from the
//! host's own decoder.
//!
//! # What it does not promise
//!
//! A person who controls the device can remove the check, and an adversary can
//! alter a picture until it no longer matches. Whoever holds a near copy of a
//! listed picture can ask whether it is listed. A match is a reason to stop and
//! explain, never a proof.
//!
//! # Features
//!
//! - `embedded` (default): runs classifiers in pure Rust, convolutional networks in
//!   code of its own and all others with `rten`.
//! - `onnxruntime`: runs them on a shared library of ONNX Runtime that the host
//!   names.
//! - `tokio`: the asynchronous [`hook`].
//! - `update`: fetching signed lists from a TUF repository ([`update`]), over a
//!   transport that the host gives.
//! - `log`: taking only lists that a public log holds ([`update::log`]).
//! - `publish`: building lists from feed rows ([`publish`]). A client does not
//!   need it.
//!
//! A panic in a codec becomes a finding, which needs `panic = "unwind"`: where an
//! application aborts, that scan ends it.

pub mod classify;
pub mod frame;
pub mod hash;
#[cfg(feature = "tokio")]
pub mod hook;
pub mod limits;
pub mod list;
pub mod media;
pub mod policy;
#[cfg(feature = "publish")]
pub mod publish;
pub mod queue;
pub mod scanner;
pub mod session;
#[cfg(feature = "update")]
pub mod update;
pub mod verdict;

pub use classify::{Classifier, Model, Runtime};
pub use frame::Frame;
pub use limits::{CancelToken, Limits};
pub use list::HashList;
pub use policy::Policy;
pub use scanner::{Scanner, ScannerBuilder};
pub use session::Session;
pub use verdict::{Clearance, Finding, Report, Verdict};

/// Its example in Rust is tested like those here.
#[cfg(doctest)]
#[doc = include_str!("../docs/embedding.md")]
struct Embedding;
