//! From what partners send to a list: the operator's side.
//!
//! [`ingest`] reads their files into the [`store`], [`rules`] pick from it what
//! enough of them agree on; [`feed`] reads plain rows instead. Either way
//! [`build`](mod@build) turns the rows into a list file and its manifest, and
//! [`change`] says how far that is from the last one. The same rows, parameters
//! and salt give the same bytes, whatever the order of the rows. A
//! [`release`] puts lists into a [TUF repository](repository), where the
//! organisations of its [`roles`] sign them with their [keys](key).

pub mod build;
pub mod change;
pub mod check;
pub mod feed;
pub mod ingest;
pub mod key;
pub mod release;
pub mod report;
pub mod repository;
pub mod roles;
pub mod rules;
pub mod store;

mod work;

pub use build::{BuildError, Built, Parameters, build, build_watched};
pub use change::Change;
pub use feed::{BadRow, Feed, FeedError, Row, RowHash};
pub use ingest::Format;
pub use key::{KeyType, PrivateKey, PublicKey};
pub use release::{Edition, Scope};
pub use repository::{Repository, RepositoryError};
pub use roles::Roles;
pub use rules::Rules;
pub use store::Store;
