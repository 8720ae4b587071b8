//! presend for Node and Electron: the part in native code.
//!
//! `js/presend.js` is what a host sees; it keeps the queue, so that waiting costs
//! no thread. What is here copies the bytes while the JavaScript thread still holds
//! them, scans on threads of its own (libuv's four serve files and names, and one
//! scan on each would hold those up), and answers with plain objects.

use std::fs;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use napi::bindgen_prelude::{Either, Object, ToNapiValue, Uint8Array, Uint8ArraySlice};
use napi::{Env, Error, JsDeferred, Result};
use napi_derive::napi;
use presend::limits::Incomplete;
use presend::queue::{Queue, Settings};
use presend::{
    CancelToken, Classifier, HashList, Limits, Model, Policy, Runtime, Scanner, session,
};

use film::Film;
use report::Report;

mod film;
mod report;

#[cfg(panic = "abort")]
compile_error!(
    "presend-node turns a panic into `incomplete.internal`, which needs panic = \"unwind\""
);

/// What a scanner is made of.
#[napi(object)]
#[derive(Default)]
pub struct Parts {
    /// `.presend` files, or their bytes.
    pub lists: Vec<Either<String, Uint8Array>>,
    /// Models' folders.
    pub models: Vec<String>,
    /// A built-in policy's name, or the text of a policy file.
    pub policy: Option<String>,
    /// Threads that scan.
    pub threads: u32,
}

/// What one scan may spend, where it is not the default.
#[napi(object)]
#[derive(Clone, Default)]
pub struct Spending {
    /// Milliseconds from now.
    pub deadline_ms: Option<f64>,
    /// Largest input, in bytes.
    pub input_bytes: Option<f64>,
    /// Pixels decoded, all frames together.
    pub pixels: Option<f64>,
    /// Frames looked at.
    pub frames: Option<f64>,
    /// Bytes held for decoding at one time.
    pub memory_bytes: Option<f64>,
}

impl Spending {
    /// A cast from a float is saturating, and makes zero of NaN.
    fn limits(&self, cancel: CancelToken) -> Limits {
        let default = Limits::default();
        let or = |given: Option<f64>, default: u64| given.map_or(default, |given| given as u64);
        Limits {
            time: self.deadline_ms.map(milliseconds),
            input_bytes: or(self.input_bytes, default.input_bytes),
            pixels: or(self.pixels, default.pixels),
            frames: self.frames.map_or(default.frames, |frames| frames as u32),
            memory: or(self.memory_bytes, default.memory),
            cancel,
            ..default
        }
    }
}

/// A cast from a float is saturating, and makes zero of NaN.
fn milliseconds(time: f64) -> Duration {
    Duration::from_micros((time * 1000.0) as u64)
}

/// Stops a scan that runs.
#[napi]
#[derive(Default)]
pub struct Cancel(CancelToken);

#[napi]
impl Cancel {
    /// For one scan.
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// The scan ends soon, as `incomplete.cancelled`.
    #[napi]
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

/// An open scanner and its threads.
#[napi]
pub struct Native {
    queue: Arc<Queue>,
}

#[napi]
impl Native {
    /// The promise of the report of a scan of these bytes, which are copied.
    ///
    /// # Errors
    /// Node can make no promise.
    #[napi(catch_unwind)]
    pub fn scan<'e>(
        &self,
        env: &'e Env,
        bytes: Uint8ArraySlice<'_>,
        spending: Spending,
        cancel: &Cancel,
    ) -> Result<Object<'e>> {
        let (deferred, promise) = env.create_deferred()?;
        let limits = spending.limits(cancel.0.clone());
        let done = |report| answer(deferred, || Ok(Report::of(&report)));
        self.queue.scan(bytes.to_vec(), limits, done);
        Ok(promise)
    }

    /// Begins a film or a live picture: a look every so many milliseconds, and after
    /// so many frames that were passed over.
    #[napi(catch_unwind)]
    pub fn session(
        &self,
        spending: Spending,
        cancel: &Cancel,
        every_ms: f64,
        passed_over: u32,
    ) -> Film {
        let every = milliseconds(every_ms);
        let limits = spending.limits(cancel.0.clone());
        let session =
            self.queue.scanner().session(session::Settings { every, passed_over }, &limits);
        Film::new(session, Arc::clone(&self.queue))
    }

    /// The promise of the end of this: an edition of a list takes the place of the one
    /// with its id.
    ///
    /// # Errors
    /// Node can make no promise, or no thread starts.
    #[napi(catch_unwind)]
    pub fn reload<'e>(&self, env: &'e Env, list: Either<String, Uint8Array>) -> Result<Object<'e>> {
        let (list, scanner) = (Source::from(list), self.queue.scanner().clone());
        aside(env, move || Ok(scanner.reload(list.open()?)?))
    }

    /// The report of a scan that was not made: `busy`, `cancelled`,
    /// `deadline-passed`, or else `internal`.
    #[napi(catch_unwind)]
    pub fn not_scanned(&self, reason: String) -> Report {
        let named = Incomplete::ALL.into_iter().find(|named| named.code() == reason);
        Report::of(&self.queue.scanner().not_scanned(named.unwrap_or(Incomplete::Internal)))
    }
}

/// The promise of a scanner. Its files are read and its models tested elsewhere.
///
/// # Errors
/// Node can make no promise.
#[napi(catch_unwind)]
pub fn open<'e>(env: &'e Env, parts: Parts) -> Result<Object<'e>> {
    let Parts { lists, models, policy, threads } = parts;
    let lists: Vec<Source> = lists.into_iter().map(Source::from).collect();
    aside(env, move || {
        let scanner = scanner(lists, &models, policy.as_deref())?;
        let threads = NonZeroUsize::new(threads as usize).unwrap_or(NonZeroUsize::MIN);
        // JavaScript hands over no more scans than there are threads, and one frame or
        // piece of each session, so nothing is ever busy here.
        let settings = Settings { threads, waiting: usize::MAX, waiting_bytes: u64::MAX };
        let queue = Queue::new(scanner, settings)?;
        Ok(Native { queue: Arc::new(queue) })
    })
}

/// A list's file, or its bytes.
enum Source {
    Path(String),
    Bytes(Vec<u8>),
}

/// Copies the bytes: other threads must not see what JavaScript may still change.
impl From<Either<String, Uint8Array>> for Source {
    fn from(given: Either<String, Uint8Array>) -> Self {
        match given {
            Either::A(path) => Self::Path(path),
            Either::B(bytes) => Self::Bytes(bytes.to_vec()),
        }
    }
}

impl Source {
    fn open(self) -> std::result::Result<HashList, Box<dyn std::error::Error>> {
        let bytes = match self {
            Self::Path(path) => fs::read(path)?,
            Self::Bytes(bytes) => bytes,
        };
        Ok(HashList::open(bytes)?)
    }
}

fn scanner(
    lists: Vec<Source>,
    models: &[String],
    policy: Option<&str>,
) -> std::result::Result<Scanner, Box<dyn std::error::Error>> {
    let mut builder = Scanner::builder();
    for list in lists {
        builder = builder.list(list.open()?);
    }
    for folder in models {
        let model = Model::read(Path::new(folder))?;
        builder = builder.classifier(Classifier::open(&model, &Runtime::embedded())?);
    }
    if let Some(policy) = policy {
        let preset = Policy::preset(policy);
        builder = builder.policy(preset.map_or_else(|| Policy::parse(policy), Ok)?);
    }
    Ok(builder.build()?)
}

/// What a thread of ours answers with; the value is made on JavaScript's thread.
type Deferred<T> = JsDeferred<T, Box<dyn FnOnce(Env) -> Result<T> + Send>>;

/// The promise of what `make` gives on a thread of its own.
fn aside<'e, T: ToNapiValue + Send + 'static>(
    env: &'e Env,
    make: impl FnOnce() -> std::result::Result<T, Box<dyn std::error::Error>> + Send + 'static,
) -> Result<Object<'e>> {
    let (deferred, promise) = env.create_deferred()?;
    thread::Builder::new().name("presend-open".into()).spawn(|| answer(deferred, make))?;
    Ok(promise)
}

/// Settles the promise, which would be pending for ever if what makes the value panicked.
fn answer<T: ToNapiValue + Send + 'static>(
    deferred: Deferred<T>,
    make: impl FnOnce() -> std::result::Result<T, Box<dyn std::error::Error>>,
) {
    let made = catch_unwind(AssertUnwindSafe(make));
    match made.unwrap_or_else(|_| Err("presend has failed".into())) {
        Ok(value) => deferred.resolve(Box::new(move |_| Ok(value))),
        Err(error) => deferred.reject(Error::from_reason(error.to_string())),
    }
}
