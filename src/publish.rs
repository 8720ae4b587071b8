//! From feed rows to a list: the operator's side.
//!
//! [`feed`] reads and validates rows, [`build`](mod@build) turns them into a list file and
//! its manifest. The same rows, parameters and salt give the same bytes,
//! whatever the order of the rows.

pub mod build;
pub mod feed;

mod work;

pub use build::{BuildError, Built, Parameters, build, build_watched};
pub use feed::{BadRow, Feed, FeedError, Row};
