//! `presend`: scans and hashes pictures from the command line, on the device,
//! without network code.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

mod bench;
mod chance;
mod encode;
mod eval;
mod hash;
mod input;
mod list;
mod model;
mod quantile;
mod scan;
mod table;

/// Checks pictures against hidden hash lists before they are encrypted and sent.
///
/// Exit codes: 0 all is well, 1 something was warned about, asked about or
/// blocked, or has become slower, 2 wrong usage, an unusable list or model, or an I/O error.
#[derive(Parser)]
#[command(name = "presend", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Scan files and folders and print a verdict for each file.
    Scan(scan::Args),
    /// Print the PDQ hash and quality of pictures.
    Hash(hash::Args),
    /// Measure on this device how long scans take, stage by stage.
    Bench(bench::Args),
    /// Measure on a folder of photos what the hidden list finds of their copies.
    Eval(eval::Args),
    /// Inspect a list: a file, or a store of `presend-update`.
    #[command(subcommand)]
    List(list::Command),
    /// Inspect a model's folder.
    #[command(subcommand)]
    Model(model::Command),
    /// Write the official test picture, which the demonstration list always holds.
    TestPicture {
        /// Where to write it (PNG).
        file: PathBuf,
    },
    /// Write a completion script for a shell to standard output.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// What a command came to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Clean,
    Flagged,
    Failed,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Scan(args) => args.run(),
        Command::Hash(args) => args.run(),
        Command::Bench(args) => args.run(),
        Command::Eval(args) => args.run(),
        Command::List(command) => command.run(),
        Command::Model(command) => command.run(),
        Command::TestPicture { file } => std::fs::write(&file, list::TEST_PICTURE)
            .map(|()| Outcome::Clean)
            .map_err(|error| Failure::at(&file, error)),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "presend", &mut script);
            io::stdout().write_all(&script).map(|()| Outcome::Clean).map_err(Failure::from)
        }
    };
    match done {
        Ok(Outcome::Clean) => ExitCode::SUCCESS,
        Ok(Outcome::Flagged) => ExitCode::from(1),
        Ok(Outcome::Failed) => ExitCode::from(2),
        Err(failure) => {
            if let Some(message) = failure.0 {
                eprintln!("presend: {message}");
            }
            ExitCode::from(2)
        }
    }
}

/// Why a command gave up; nothing to say when its reader has gone.
struct Failure(Option<String>);

impl Failure {
    fn new(message: impl Into<String>) -> Self {
        Self(Some(message.into()))
    }

    fn at(path: &std::path::Path, error: impl std::fmt::Display) -> Self {
        Self::new(format!("{}: {error}", path.display()))
    }
}

/// For writing to standard output.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let gone = error.kind() == io::ErrorKind::BrokenPipe;
        Self((!gone).then(|| format!("standard output: {error}")))
    }
}
