//! A scanner: lists, models and a policy that the host brings, and presend's own
//! threads.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use futures_channel::oneshot;
use presend::limits::Incomplete;
use presend::queue::{self, Queue};
use presend::scanner::ScannerBuilder;
use presend::session::Settings;
use presend::{CancelToken, Classifier, HashList, Model, Policy, Runtime};

use crate::idle::UnderWay;
use crate::report::Report;
use crate::session::{Film, Session, SessionSettings};
use crate::{Frame, Limits, PresendError};

/// Cancels scans. All threads may use it. It cannot be reset.
#[derive(Default, uniffi::Object)]
pub struct Cancel(pub(crate) CancelToken);

#[uniffi::export]
impl Cancel {
    /// One that was not cancelled.
    #[uniffi::constructor]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Asks every scan that was given it to stop: each ends soon, with the finding
    /// `incomplete.cancelled`.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

/// Gathers what a scanner needs.
#[derive(Default, uniffi::Object)]
pub struct Builder(Mutex<ScannerBuilder>);

#[uniffi::export]
impl Builder {
    /// Without lists and models and with the policy `default`.
    #[uniffi::constructor]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Compares with one more list, which is verified.
    pub fn list(&self, bytes: Vec<u8>) -> Result<(), PresendError> {
        let list = open(bytes)?;
        self.add(|parts| parts.list(list));
        Ok(())
    }

    /// Compares with one more list, which is read into memory and verified.
    pub fn list_file(&self, path: String) -> Result<(), PresendError> {
        self.list(read(&path)?)
    }

    /// Looks with one more model: the folder that holds its model.toml.
    pub fn model_folder(&self, path: String) -> Result<(), PresendError> {
        self.look_with(|| Model::read(Path::new(&path)))
    }

    /// Looks with one more model, from the files of its folder: model.toml, the ONNX
    /// file, and the golden inputs in the order in which model.toml names them.
    pub fn model(
        &self,
        model_toml: String,
        onnx: Vec<u8>,
        goldens: Vec<Vec<u8>>,
    ) -> Result<(), PresendError> {
        self.look_with(|| Model::new(&model_toml, onnx, goldens))
    }

    /// Decides by the policy in this text instead of `default`.
    pub fn policy(&self, toml: String) -> Result<(), PresendError> {
        let policy =
            Policy::parse(&toml).map_err(|error| PresendError::Policy(error.to_string()))?;
        self.add(|parts| parts.policy(policy));
        Ok(())
    }

    /// Decides by a built-in policy: `default`, `teen` or `off`.
    pub fn preset(&self, name: String) -> Result<(), PresendError> {
        let unknown = || PresendError::Policy("there is no built-in policy of this name".into());
        let policy = Policy::preset(&name).ok_or_else(unknown)?;
        self.add(|parts| parts.policy(policy));
        Ok(())
    }

    /// Makes a scanner and starts its threads, by default one for each processor.
    #[uniffi::method(default(threads = None))]
    pub fn build(&self, threads: Option<u32>) -> Result<Arc<Scanner>, PresendError> {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let scanner = parts.build().map_err(|error| PresendError::Parts(error.to_string()))?;
        let mut settings = queue::Settings::default();
        if let Some(threads) = threads.and_then(|n| usize::try_from(n).ok()?.try_into().ok()) {
            settings.threads = threads;
        }
        let queue = Queue::new(scanner, settings).map_err(|_| PresendError::NoThread)?;
        Ok(Arc::new(Scanner(Arc::new(queue))))
    }
}

impl Builder {
    fn add(&self, with: impl FnOnce(ScannerBuilder) -> ScannerBuilder) {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *parts = with(parts.clone());
    }

    fn look_with(
        &self,
        read: impl FnOnce() -> Result<Model, presend::classify::ModelError>,
    ) -> Result<(), PresendError> {
        let opened = read().and_then(|model| Classifier::open(&model, &Runtime::embedded()));
        let classifier = opened.map_err(|error| PresendError::Model(error.to_string()))?;
        self.add(|parts| parts.classifier(classifier));
        Ok(())
    }
}

/// Scans, on threads of its own. All threads may use it at the same time.
#[derive(uniffi::Object)]
pub struct Scanner(Arc<Queue>);

#[uniffi::export]
impl Scanner {
    /// Scans the bytes of a file, exactly as they would be sent.
    ///
    /// Never fails: what could not be looked at is a finding, and the policy decides.
    /// A host that gives up waiting may not stop the scan by that; the cancel does.
    #[uniffi::method(default(limits = None, cancel = None))]
    pub async fn scan(
        &self,
        bytes: Vec<u8>,
        limits: Option<Limits>,
        cancel: Option<Arc<Cancel>>,
    ) -> Arc<Report> {
        let cancel = cancel.map(|cancel| cancel.0.clone()).unwrap_or_default();
        let mut dropped = CancelOnDrop(Some(cancel.clone()));
        let (done, report) = oneshot::channel();
        let limits = limits.unwrap_or_default().with(cancel);
        let under_way = UnderWay::new();
        self.0.scan(bytes, limits, move |report| {
            drop(done.send(report));
            drop(under_way);
        });
        let report = report.await;
        dropped.0 = None;
        Report::of(report.unwrap_or_else(|_| self.0.scanner().not_scanned(Incomplete::Internal)))
    }

    /// The same on this thread, for a host with a pool of its own.
    #[uniffi::method(default(limits = None, cancel = None))]
    pub fn scan_here(
        &self,
        bytes: Vec<u8>,
        limits: Option<Limits>,
        cancel: Option<Arc<Cancel>>,
    ) -> Arc<Report> {
        let cancel = cancel.map(|cancel| cancel.0.clone()).unwrap_or_default();
        Report::of(self.0.scanner().scan(&bytes, &limits.unwrap_or_default().with(cancel)))
    }

    /// Scans pixels that the host decoded from the file's bytes, for media that
    /// presend does not decode itself (HEIC). The report clears the file's bytes.
    #[uniffi::method(default(limits = None, cancel = None))]
    pub async fn scan_frame(
        &self,
        frame: Arc<Frame>,
        bytes: Vec<u8>,
        limits: Option<Limits>,
        cancel: Option<Arc<Cancel>>,
    ) -> Arc<Report> {
        let cancel = cancel.map(|cancel| cancel.0.clone()).unwrap_or_default();
        let mut dropped = CancelOnDrop(Some(cancel.clone()));
        let limits = limits.unwrap_or_default().with(cancel);
        let session = self.0.scanner().session(Settings::default(), &limits);
        let film = Film::new(&self.0, session);
        let report = match film.scan(frame, bytes) {
            Ok(report) => report.await.ok(),
            Err(_) => None,
        };
        dropped.0 = None;
        report.unwrap_or_else(|| film.lost())
    }

    /// Begins a film or a live picture. The limits count over all of it: raise frames,
    /// pixels and input_bytes for a long one.
    #[uniffi::method(default(settings = None, limits = None, cancel = None))]
    pub fn session(
        &self,
        settings: Option<SessionSettings>,
        limits: Option<Limits>,
        cancel: Option<Arc<Cancel>>,
    ) -> Arc<Session> {
        let cancel = cancel.map(|cancel| cancel.0.clone()).unwrap_or_default();
        let limits = limits.unwrap_or_default().with(cancel);
        let settings = settings.unwrap_or_default().open();
        Session::new(&self.0, self.0.scanner().session(settings, &limits))
    }

    /// Compares with this edition of a list from now on, in the place of the one with
    /// its id. Scans that run end with the editions that they began with.
    pub fn reload(&self, bytes: Vec<u8>) -> Result<(), PresendError> {
        let reloaded = self.0.scanner().reload(open(bytes)?);
        reloaded.map_err(|error| PresendError::Parts(error.to_string()))
    }

    /// The same from a file.
    pub fn reload_file(&self, path: String) -> Result<(), PresendError> {
        self.reload(read(&path)?)
    }
}

/// Cancels unless it was taken out. Kotlin and Python drop what is no longer awaited.
struct CancelOnDrop(Option<CancelToken>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(cancel) = &self.0 {
            cancel.cancel();
        }
    }
}

fn read(path: &str) -> Result<Vec<u8>, PresendError> {
    // The system's reason without the path.
    fs::read(path).map_err(|error| PresendError::CannotRead(error.kind().to_string()))
}

fn open(bytes: Vec<u8>) -> Result<HashList, PresendError> {
    HashList::open(bytes).map_err(|error| PresendError::List(error.to_string()))
}
