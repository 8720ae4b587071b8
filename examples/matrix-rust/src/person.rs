//! A person with a client: logs in, keeps in step with the server, and takes in
//! what others send.

use std::path::Path;
use std::time::Duration;

use matrix_sdk::config::SyncSettings;
use matrix_sdk::media::{MediaFormat, MediaRequestParameters};
use matrix_sdk::ruma::api::client::room::create_room::v3::{Request as CreateRoom, RoomPreset};
use matrix_sdk::ruma::events::room::MediaSource;
use matrix_sdk::ruma::events::room::encryption::RoomEncryptionEventContent;
use matrix_sdk::ruma::events::room::message::{MessageType, OriginalSyncRoomMessageEvent};
use matrix_sdk::ruma::events::{EmptyStateKey, InitialStateEvent};
use matrix_sdk::ruma::{OwnedEventId, RoomId, UserId};
use matrix_sdk::{Client, Room, RoomMemberships};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::sleep;

use crate::Failure;

#[derive(Deserialize)]
pub(crate) struct Account {
    pub(crate) user: String,
    password: String,
}

pub(crate) struct Person {
    pub(crate) client: Client,
}

/// A picture as it came in, decrypted.
#[derive(Debug, Serialize)]
pub(crate) struct Received {
    #[serde(skip)]
    pub(crate) event: OwnedEventId,
    pub(crate) files: Vec<Media>,
}

/// One file of it: where its ciphertext lies, and what it says in the clear.
#[derive(Debug, Serialize)]
pub(crate) struct Media {
    /// `mxc://server/id`
    uri: String,
    /// SHA-256 of the plaintext, in hexadecimal.
    plaintext: String,
}

impl Person {
    pub(crate) async fn log_in(
        homeserver: &str,
        account: &Account,
        store: &Path,
    ) -> Result<Self, Failure> {
        let client =
            Client::builder().homeserver_url(homeserver).sqlite_store(store, None).build().await?;
        client.matrix_auth().login_username(&account.user, &account.password).send().await?;
        client.sync_once(SyncSettings::default()).await?;
        Ok(Self { client })
    }

    /// An encrypted room with the other one in it.
    pub(crate) async fn room_with(&self, other: &Person) -> Result<Room, Failure> {
        let mut request = CreateRoom::new();
        request.preset = Some(RoomPreset::PrivateChat);
        request.invite = other.client.user_id().map(UserId::to_owned).into_iter().collect();
        let encrypted = RoomEncryptionEventContent::with_recommended_defaults();
        request.initial_state = vec![InitialStateEvent::new(EmptyStateKey, encrypted).to_raw_any()];
        let id = self.client.create_room(request).await?.room_id().to_owned();
        other.client.join_room_by_id(&id).await?;
        other.client.sync_once(SyncSettings::default()).await?;
        self.joined(&id).await
    }

    /// The room, once both are seen to be in it.
    async fn joined(&self, id: &RoomId) -> Result<Room, Failure> {
        loop {
            self.client.sync_once(SyncSettings::default().timeout(Duration::from_secs(1))).await?;
            let room = self.client.get_room(id).ok_or("the room is not there")?;
            if room.members(RoomMemberships::JOIN).await?.len() == 2 {
                // What is sent to a room that is not encrypted goes out in the clear.
                if !room.latest_encryption_state().await?.is_encrypted() {
                    return Err("the room is not encrypted".into());
                }
                return Ok(room);
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Keeps in step with the server for as long as the runtime lives.
    pub(crate) fn follow(&self) {
        let client = self.client.clone();
        tokio::spawn(async move { client.sync(SyncSettings::default()).await });
    }

    /// Everything with a picture in it that arrives from now on, fetched from the
    /// server and decrypted.
    pub(crate) fn pictures(&self) -> UnboundedReceiver<Result<Received, String>> {
        let (sender, receiver) = unbounded_channel();
        self.client.add_event_handler(
            move |event: OriginalSyncRoomMessageEvent, client: Client| {
                let sender = sender.clone();
                async move {
                    let received = receive(event, &client).await.map_err(|error| error.to_string());
                    // Nobody listens any more when the run is over.
                    let _ = sender.send(received);
                }
            },
        );
        receiver
    }
}

async fn receive(
    event: OriginalSyncRoomMessageEvent,
    client: &Client,
) -> Result<Received, Failure> {
    let MessageType::Image(image) = event.content.msgtype else {
        return Err("something other than a picture arrived".into());
    };
    let thumbnail = image.info.and_then(|info| info.thumbnail_source);
    let mut files = Vec::new();
    for source in [Some(image.source), thumbnail].into_iter().flatten() {
        let MediaSource::Encrypted(file) = &source else {
            return Err("a picture arrived in the clear".into());
        };
        let uri = file.url.to_string();
        let request = MediaRequestParameters { source, format: MediaFormat::File };
        let plaintext = client.media().get_media_content(&request, false).await?;
        files.push(Media { uri, plaintext: hex(&plaintext) });
    }
    Ok(Received { event: event.event_id, files })
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
