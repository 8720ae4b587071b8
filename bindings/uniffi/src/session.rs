//! Films and live pictures, frame by frame.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_channel::oneshot;
use presend::limits::Incomplete;
use presend::queue::Queue;
use presend::session::Settings;

use crate::idle::UnderWay;
use crate::report::{Report, Verdict};
use crate::{Frame, PresendError};

/// Which frames a session looks at, beside the first and the last.
#[derive(Clone, Debug, uniffi::Record)]
pub struct SessionSettings {
    /// Microseconds from one frame that is looked at to the next; 0 looks at all.
    #[uniffi(default = 1000000)]
    pub every_us: u64,
    /// Frames that are passed over in a row, at most.
    #[uniffi(default = 120)]
    pub passed_over: u32,
}

impl Default for SessionSettings {
    fn default() -> Self {
        let Settings { every, passed_over } = Settings::default();
        Self { every_us: every.as_micros().try_into().unwrap_or(u64::MAX), passed_over }
    }
}

impl SessionSettings {
    pub(crate) fn open(&self) -> Settings {
        let every = Duration::from_micros(self.every_us);
        Settings { every, passed_over: self.passed_over }
    }
}

/// A film or a live picture on its way. Await each call before the next.
#[derive(uniffi::Object)]
pub struct Session {
    queue: Arc<Queue>,
    state: Arc<Mutex<Option<presend::Session>>>,
}

#[uniffi::export]
impl Session {
    /// Whether a frame of this time would be looked at. A host whose frames are dear
    /// to convert asks first, and pushes those and the film's last.
    pub fn is_due(&self, at_us: u64) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.as_ref().is_some_and(|session| session.is_due(Duration::from_micros(at_us)))
    }

    /// Takes the next frame, shown so many microseconds after the film's start, and
    /// gives the verdict so far, which never becomes milder.
    pub async fn push_frame(&self, frame: Frame, at_us: u64) -> Result<Verdict, PresendError> {
        self.push(frame.open()?, at_us).await
    }

    /// Reads the next bytes of the file that the frames come from, as it would be
    /// sent. The report clears them.
    pub async fn push_bytes(&self, piece: Vec<u8>) -> Result<(), PresendError> {
        self.run(move |session| session.push_bytes(&piece)).await
    }

    /// Looks at the last frame and ends.
    pub async fn finish(&self) -> Result<Arc<Report>, PresendError> {
        let session = self.state.lock().unwrap_or_else(PoisonError::into_inner).take();
        let session = session.ok_or(PresendError::Ended)?;
        let (done, report) = oneshot::channel();
        let under_way = UnderWay::new();
        self.queue.run(move |_| {
            drop(done.send(session.finish()));
            drop(under_way);
        });
        let lost = |_| self.queue.scanner().not_scanned(Incomplete::Internal);
        Ok(Report::of(report.await.unwrap_or_else(lost)))
    }
}

impl Session {
    pub(crate) fn new(queue: &Arc<Queue>, session: presend::Session) -> Arc<Self> {
        let state = Arc::new(Mutex::new(Some(session)));
        Arc::new(Self { queue: Arc::clone(queue), state })
    }

    pub(crate) async fn push(
        &self,
        frame: presend::Frame<'static>,
        at_us: u64,
    ) -> Result<Verdict, PresendError> {
        let at = Duration::from_micros(at_us);
        self.run(move |session| session.push_frame(&frame, at).into()).await
    }

    /// On presend's threads. Where too many scans wait, on this one: a frame that was
    /// left out would be an unseen one.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut presend::Session) -> T + Send + 'static,
    ) -> Result<T, PresendError> {
        let (done, answer) = oneshot::channel();
        let (state, under_way) = (Arc::clone(&self.state), UnderWay::new());
        self.queue.run(move |_| {
            let session = || state.lock().unwrap_or_else(PoisonError::into_inner);
            // The host must not be called with the lock held.
            let answer = session().as_mut().map(work).ok_or(PresendError::Ended);
            drop(done.send(answer));
            drop(under_way);
        });
        answer.await.unwrap_or(Err(PresendError::Ended))
    }
}
