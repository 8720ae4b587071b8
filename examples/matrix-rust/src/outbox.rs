//! Where presend sits in a Matrix client: between the send button and the SDK.
//!
//! From `Room::send_attachment` on, the SDK encrypts and uploads; the send queue
//! first writes what it is given to the client's store, in the clear. So both
//! are called only with bytes that a scan has cleared. A thumbnail goes out as
//! a picture of its own and is scanned as one.
//!
//! While the person makes up their mind no bytes are held: the files are read
//! again before they are sent, and the clearance refuses any but those scanned.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use matrix_sdk::Room;
use matrix_sdk::attachment::{AttachmentConfig, AttachmentInfo, BaseImageInfo, Thumbnail};
use matrix_sdk::ruma::{OwnedEventId, UInt};
use matrix_sdk::send_queue::RoomSendQueueError;
use mime::Mime;
use presend::hook::PreSendHook;
use presend::verdict::NotScanned;
use presend::{Report, Verdict};

/// A picture to send, as files that others may still write to.
pub(crate) struct Picture {
    pub(crate) file: PathBuf,
    pub(crate) content_type: Mime,
    pub(crate) thumbnail: Option<PathBuf>,
}

/// What was scanned of a picture: the file's report, then the thumbnail's.
pub(crate) struct Scanned(Vec<Report>);

/// A picture that may go on: only [`Outbox::decide`] makes one.
pub(crate) struct MayGo(Scanned);

/// Why a picture was not sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotSent {
    #[error("blocked")]
    Blocked,
    #[error("declined")]
    Declined,
    #[error(transparent)]
    NotScanned(#[from] NotScanned),
    #[error(transparent)]
    File(#[from] io::Error),
    #[error(transparent)]
    Matrix(#[from] Box<matrix_sdk::Error>),
    #[error(transparent)]
    Queue(#[from] RoomSendQueueError),
}

impl From<matrix_sdk::Error> for NotSent {
    fn from(error: matrix_sdk::Error) -> Self {
        Self::Matrix(Box::new(error))
    }
}

impl Scanned {
    /// The report that decides.
    pub(crate) fn gravest(&self) -> &Report {
        self.0.iter().max_by_key(|report| report.verdict).expect("the file itself has a report")
    }
}

/// Sends pictures to one room.
pub(crate) struct Outbox {
    hook: PreSendHook,
    room: Room,
}

impl Outbox {
    pub(crate) fn new(hook: PreSendHook, room: Room) -> Self {
        Self { hook, room }
    }

    /// Scans the file and its thumbnail; nothing has been given to the SDK.
    pub(crate) async fn scan(&self, picture: &Picture) -> Result<Scanned, NotSent> {
        let mut reports = vec![self.hook.check(fs::read(&picture.file)?).await];
        if let Some(thumbnail) = &picture.thumbnail {
            reports.push(self.hook.check(fs::read(thumbnail)?).await);
        }
        Ok(Scanned(reports))
    }

    /// Whether the picture may go on. `ask` shows the person why it might not, and
    /// is the only place where time passes.
    pub(crate) fn decide(
        scanned: Scanned,
        ask: impl FnOnce(&Report) -> bool,
    ) -> Result<MayGo, NotSent> {
        let report = scanned.gravest();
        let goes_on = match report.verdict {
            Verdict::Allow => true,
            Verdict::Warn | Verdict::Ask => ask(report),
            Verdict::Block => return Err(NotSent::Blocked),
        };
        if goes_on { Ok(MayGo(scanned)) } else { Err(NotSent::Declined) }
    }

    /// Encrypts, uploads and sends it.
    pub(crate) async fn send(
        &self,
        picture: &Picture,
        may_go: &MayGo,
    ) -> Result<OwnedEventId, NotSent> {
        let (file, config) = cleared(picture, may_go)?;
        let name = name(&picture.file);
        Ok(self.room.send_attachment(name, &picture.content_type, file, config).await?.event_id)
    }

    /// Puts it into the SDK's send queue, which keeps it across restarts.
    pub(crate) async fn queue(&self, picture: &Picture, may_go: &MayGo) -> Result<(), NotSent> {
        let (file, config) = cleared(picture, may_go)?;
        let (name, kind) = (name(&picture.file), picture.content_type.clone());
        self.room.send_queue().send_attachment(name, kind, file, config).await?;
        Ok(())
    }
}

/// The very bytes that were scanned, for the SDK to take over.
fn cleared(
    picture: &Picture,
    MayGo(Scanned(reports)): &MayGo,
) -> Result<(Vec<u8>, AttachmentConfig), NotSent> {
    let mut reports = reports.iter();
    let mut read = |path: &Path| {
        let bytes = fs::read(path)?;
        reports.next().ok_or(NotScanned)?.clearance.check(&bytes)?;
        Ok::<_, NotSent>(bytes)
    };
    let file = read(&picture.file)?;
    let thumbnail = picture.thumbnail.as_deref().map(read).transpose()?;
    let size = |bytes: &[u8]| UInt::new_wrapping(bytes.len() as u64);
    let mut config = AttachmentConfig::new().info(AttachmentInfo::Image(BaseImageInfo {
        size: Some(size(&file)),
        ..Default::default()
    }));
    if let Some(data) = thumbnail {
        let (width, height) = (UInt::new_wrapping(320), UInt::new_wrapping(240));
        let (size, content_type) = (size(&data), mime::IMAGE_JPEG);
        config = config.thumbnail(Some(Thumbnail { data, content_type, width, height, size }));
    }
    Ok((file, config))
}

fn name(file: &Path) -> String {
    file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
