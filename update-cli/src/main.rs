//! `presend-update`: brings a store up to date with a repository over HTTP or in a
//! folder.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{CommandFactory, Parser};
use presend::HashList;
use presend::hash::views::ViewSet;
use presend::update::log::LogPolicy;
use presend::update::{Action, Answer, Folder, Release, Scope, Store, Transport, TufError};
use presend::update::{UpdateError, Updater};
use serde_json::json;

mod cache;
mod http;

use http::{Http, Settings};

/// Fetches the newest release of a hash list, verifies it, and takes it into use.
///
/// The store is a folder that `presend scan --list` takes. Whatever goes wrong, the list that
/// was in it stays in use. The first time, --root names the publisher's root.json, which must
/// have come by a way that you trust: all else follows from it.
///
/// Exit codes: 0 the list is the newest, 1 it is the last one that could be had (the repository
/// could not be reached, or its word has expired) and still usable, 2 what the repository offers
/// was refused, there is no list yet, or the command was used wrongly.
#[derive(Parser)]
#[command(name = "presend-update", version, arg_required_else_help = true)]
struct Cli {
    /// The folder that keeps the list and what is trusted; made if it is not there.
    #[arg(long, value_name = "DIR", required_unless_present = "completions")]
    store: Option<PathBuf>,
    /// Where the repository is: an https address, or a folder, of which `metadata/` and
    /// `targets/` are part.
    #[arg(long, value_name = "URL|DIR", required_unless_present = "completions")]
    from: Option<String>,
    /// The root metadata that all trust starts from; a store that has one keeps its own.
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// The list's name [default: that of the list in the store].
    #[arg(long, value_name = "NAME")]
    id: Option<String>,
    /// Refuse a list that asks for more than this.
    #[arg(long, value_name = "ACTION", default_value = "ask",
        value_parser = PossibleValuesParser::new(ACTIONS.map(Action::name)).map(|name| action(&name)))]
    most_action: Action,
    /// Refuse a list that asks for more views of a picture.
    #[arg(long, value_name = "SET", default_value = ViewSet::Nine.name(),
        value_parser = PossibleValuesParser::new(ViewSet::ALL.map(ViewSet::name))
            .map(|name| ViewSet::from_name(&name).unwrap_or_default()))]
    most_views: ViewSet,
    /// Refuse a list that asks for more probes a scan [default: what a scan makes anyway].
    #[arg(long, value_name = "N")]
    most_probes: Option<u64>,
    /// Refuse a list of more bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 512 << 20)]
    most_bytes: u64,
    /// Refuse a list that is not in a public log: a policy in Sigsum's format, with its logs and
    /// witnesses.
    #[arg(long, value_name = "POLICY", requires = "submitters")]
    require_log: Option<PathBuf>,
    /// The keys of who may put lists into the log, one a line, in hexadecimal or as OpenSSH
    /// writes them.
    #[arg(long, value_name = "KEYS", requires = "require_log")]
    submitters: Option<PathBuf>,
    /// Seconds for everything together.
    #[arg(long, value_name = "S", default_value_t = 600)]
    timeout: u64,
    /// Seconds without a byte after which a connection is given up.
    #[arg(long, value_name = "S", default_value_t = 20)]
    idle_timeout: u64,
    /// How often a request is repeated that may go well another time.
    #[arg(long, value_name = "N", default_value_t = 3)]
    retries: u32,
    /// The proxy, or `none` [default: ALL_PROXY, HTTPS_PROXY, HTTP_PROXY and NO_PROXY].
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// Trust these authorities for the connection instead of the common ones.
    #[arg(long, value_name = "PEM")]
    ca: Option<PathBuf>,
    /// Allow an http address that is not this machine. Nothing false is accepted that way, but
    /// everybody on the way sees which list is fetched.
    #[arg(long)]
    allow_http: bool,
    /// Print one JSON object instead of a line.
    #[arg(long)]
    json: bool,
    /// Show no progress.
    #[arg(long)]
    quiet: bool,
    /// Write a completion script for a shell to standard output, and do nothing else.
    #[arg(long, value_name = "SHELL", exclusive = true)]
    completions: Option<clap_complete::Shell>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.completions {
        Some(shell) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "presend-update", &mut script);
            print(&script).map(|()| ExitCode::SUCCESS)
        }
        None => cli.run(),
    };
    done.unwrap_or_else(|message| {
        // Where standard error cannot be written, the exit code has to do.
        let _ = writeln!(io::stderr(), "presend-update: {message}");
        ExitCode::from(2)
    })
}

impl Cli {
    fn run(&self) -> Result<ExitCode, String> {
        let (Some(folder), Some(from)) = (&self.store, &self.from) else {
            return Err("--store and --from are needed".into());
        };
        let at_store = |error: io::Error| format!("{}: {error}", folder.display());
        let store = Store::open(folder).map_err(at_store)?;
        if let Some(root) = &self.root {
            let bytes =
                std::fs::read(root).map_err(|error| format!("{}: {error}", root.display()))?;
            store.trust(&bytes).map_err(at_store)?;
        }
        let id = match &self.id {
            Some(id) => id.clone(),
            None => store
                .id()
                .map_err(at_store)?
                .ok_or_else(|| format!("{} has no list yet: name it by --id", folder.display()))?,
        };
        // Read before anything is fetched, so that a wrong policy is said first.
        self.log_policy()?;
        let (answer, traffic) = if from.contains("://") {
            let http = Http::new(from, folder, self.settings()?)?;
            let mut answer = self.update(&store, &http, &id)?;
            // What an earlier run left may be damaged: only what comes now counts.
            if matches!(answer, Answer::Refused(UpdateError::Repository(_)))
                && http.forgets_what_was_left()
            {
                answer = self.update(&store, &http, &id)?;
            }
            (answer, Some(http.traffic()))
        } else {
            (self.update(&store, &Folder::new(from), &id)?, None)
        };
        let release = store.release().map_err(at_store)?;
        self.tell(&id, &answer, release.as_ref(), &store, traffic)?;
        Ok(ExitCode::from(match answer {
            Answer::Updated | Answer::Current => 0,
            Answer::Stale(_) => 1,
            Answer::Refused(_) => 2,
        }))
    }

    fn update(&self, store: &Store, transport: &dyn Transport, id: &str) -> Result<Answer, String> {
        let scope = Scope {
            action: Some(self.most_action),
            views: Some(self.most_views),
            probes: self.most_probes.or(Scope::DEFAULT_CAP.probes),
        };
        let mut updater =
            Updater::new(store, transport, id).most_bytes(self.most_bytes).most_scope(scope);
        if let Some(policy) = self.log_policy()? {
            updater = updater.require_log(policy);
        }
        Ok(updater.update(SystemTime::now()))
    }

    fn log_policy(&self) -> Result<Option<LogPolicy>, String> {
        let (Some(policy), Some(submitters)) = (&self.require_log, &self.submitters) else {
            return Ok(None);
        };
        let read = |path: &PathBuf| {
            std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
        };
        let (policy, submitters) = (read(policy)?, read(submitters)?);
        LogPolicy::parse(&policy, &submitters).map(Some).map_err(|error| error.to_string())
    }

    fn settings(&self) -> Result<Settings, String> {
        let ca = self.ca.as_ref().map(|path| {
            std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
        });
        Ok(Settings {
            total: Duration::from_secs(self.timeout),
            idle: Duration::from_secs(self.idle_timeout),
            retries: self.retries,
            proxy: self.proxy.clone(),
            ca: ca.transpose()?,
            allow_http: self.allow_http,
            quiet: self.quiet || self.json,
        })
    }

    fn tell(
        &self,
        id: &str,
        answer: &Answer,
        release: Option<&Release>,
        store: &Store,
        traffic: Option<http::Traffic>,
    ) -> Result<(), String> {
        let in_use = in_use(store);
        let (word, reason) = match answer {
            Answer::Updated => ("updated", None),
            Answer::Current => ("current", None),
            Answer::Stale(error) => ("stale", Some(error)),
            Answer::Refused(error) => ("refused", Some(error)),
        };
        let reason = reason.map(|error| match error {
            UpdateError::Repository(TufError::NoRoot) => {
                format!("{error} and name it by --root")
            }
            UpdateError::WiderScope(member) => {
                format!("{error}; if you agree to it, say --most-{member}")
            }
            _ => error.to_string(),
        });
        let expires = release.and_then(|release| release.expires);
        let expires = expires.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        if self.json {
            let line = json!({
                "answer": word,
                "reason": reason,
                "id": in_use.as_ref().map_or(id, |list| list.id()),
                "version": in_use.as_ref().map(|list| list.version()),
                "expires": expires.map(|at| at.as_secs()),
                "scope": release.map(|release| serde_json::to_value(release.scope).ok()),
                "requests": traffic.map(|traffic| traffic.requests),
                "bytes": traffic.map(|traffic| traffic.bytes),
            });
            return print(format!("{line}\n").as_bytes());
        }
        let in_use = match in_use {
            Some(list) => format!("{} version {} is in use", list.id(), list.version()),
            None => format!("no list {id} is in use"),
        };
        let reason = reason.map_or(String::new(), |reason| format!(": {reason}"));
        print(format!("{word}: {in_use}{reason}\n").as_bytes())
    }
}

/// The list in use, if there is one that can be read.
fn in_use(store: &Store) -> Option<HashList> {
    HashList::open_unverified(store.list().ok()??).ok()
}

/// To standard output; a reader that has gone has read enough.
fn print(text: &[u8]) -> Result<(), String> {
    match io::stdout().write_all(text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
        _ => Ok(()),
    }
}

fn action(name: &str) -> Action {
    ACTIONS.into_iter().find(|action| action.name() == name).unwrap_or(Action::Warn)
}

const ACTIONS: [Action; 3] = [Action::Warn, Action::Ask, Action::Block];
