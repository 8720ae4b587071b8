//! `presend-publish report`: a page about a release.

use std::path::PathBuf;

use clap::Args;

use crate::print;

#[derive(Args)]
pub(crate) struct Report {
    #[arg(long)]
    repository: PathBuf,
}

impl Report {
    pub(crate) fn run(self) -> Result<(), String> {
        print(b"")
    }
}
