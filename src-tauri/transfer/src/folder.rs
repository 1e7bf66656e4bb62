//! A folder or drive: files are written beside each other as they would lie on a server, in `folder/year/month`.
//!
//! A session is a file of its own, `.<name>.<key>.part`, beside the place of the file that it becomes; its size is the offset. It is
//! synced, given the file's name without replacing anything, and the folder is synced: a file that can be seen is whole, also after a
//! power cut. Bytes that this delivery has not written itself are read and compared first, since a power cut may leave a size without its
//! bytes.
//!
//! The folder carries a mark that was made when the person chose it. Without the mark nothing is written: it is the empty place of a
//! drive that is not connected. A delivery is proved by its size, or, where the person wants that, by reading it back from the drive.

mod beneath;
mod drive;

use std::{
    io,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use afterglow_model::{Capabilities, Evidence, Failure, Timestamp};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;
use url::Url;

use self::drive::{Place, Spot, append};
use crate::{
    destination::{Begun, Content, Destination, Held, Proof, Setback},
    failure,
    fields::Limits,
    name,
    order::Account,
    payload::{Pace, Payload, Pulse, Tap},
    transfer::Shared,
};

/// Written bytes are synced this often, so that a slow drive does not go silent at the end.
const SYNC_BYTES: u64 = 8 << 20;

/// What is left of a file's name in the name of its part, so that its key always fits. Bytes.
const PART_NAME_BYTES_MAX: usize = 200;

/// The chosen folder.
pub(crate) struct Folder<'a> {
    shared: &'a Shared,
    place: Place,
    /// Folders beneath the chosen one.
    within: Option<String>,
    reads_back: bool,
    cancel: &'a CancellationToken,
    /// Bytes of the part that this delivery has written itself, all from its first.
    written: AtomicU64,
    /// What was compared came from the drive, not from memory.
    from_drive: Arc<AtomicBool>,
}

impl<'a> Folder<'a> {
    /// `Err` if the account's URL is no folder's.
    pub(crate) fn new(shared: &'a Shared, account: &'a Account, cancel: &'a CancellationToken) -> Result<Self, Failure> {
        let root = Some(&account.url).filter(|url| url.scheme() == "file").and_then(|url| url.to_file_path().ok());
        let root = root.ok_or_else(|| failure::no_address(account.url.as_str()))?;
        let name = root.display().to_string();
        let place = Place { root, name, pulse: Arc::new(Pulse::new()), cancel: cancel.clone() };
        Ok(Self {
            shared,
            place,
            within: account.config.folder.clone(),
            reads_back: account.config.read_back,
            cancel,
            written: AtomicU64::new(0),
            from_drive: Arc::default(),
        })
    }

    /// Works on the drive, off the async workers, and leaves it if it goes silent.
    async fn on_drive<T: Send + 'static>(
        &self,
        work: impl FnOnce(Place) -> Result<T, Setback> + Send + 'static,
    ) -> Result<T, Setback> {
        self.place.pulse.beat();
        let place = self.place.clone();
        let working = tokio::task::spawn_blocking(move || work(place));
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Setback::Stopped),
            () = self.place.pulse.stalled(self.shared.options.stall) => Err(Setback::Doubt(failure::timed_out(&self.place.name))),
            done = working => done.map_err(|_| Setback::Failed(failure::internal("writing to a folder")))?,
        }
    }

    fn folders(&self, content: &Content) -> Vec<String> {
        name::folders(self.within.as_deref(), content.created_ms)
    }

    fn spot(&self, url: &Url) -> Result<Spot, Setback> {
        Spot::of(url, &self.place.root).ok_or_else(|| Setback::SessionGone(failure::lost_bytes(&self.place.name)))
    }

    /// Makes an empty part. One that a power cut takes away is begun anew.
    async fn part(&self, content: &Content) -> Result<Spot, Setback> {
        self.written.store(0, Ordering::Relaxed);
        let safe = name::safe(&content.filename);
        let name = format!(".{}.{}.part", name::start(&safe, PART_NAME_BYTES_MAX), content.key);
        let (part, byte_count) = (Spot { folders: self.folders(content), name }, content.byte_count);
        self.on_drive(move |place| {
            let dir = place.dir_or_new(&part.folders)?;
            if let Some(largest) = dir.largest_file().filter(|largest| *largest < byte_count) {
                return Err(Setback::Failed(failure::too_large(&place.name, largest)));
            }
            if dir.room().is_some_and(|room| room < byte_count) {
                return Err(place.setback(&io::ErrorKind::StorageFull.into()));
            }
            let created = match dir.create(&part.name) {
                // Of an attempt with the same key that nobody remembers.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    dir.remove(&part.name).and_then(|()| dir.create(&part.name))
                }
                created => created,
            };
            created.map_err(|error| place.setback(&error))?;
            Ok(part)
        })
        .await
    }

    /// Writes on, and says how far the part has come. What is to be `durable` is there after a power cut.
    async fn write(&self, part: Spot, offset: u64, payload: Payload, durable: bool) -> Result<u64, Setback> {
        let (_, file, size) = self.on_drive(move |place| place.part(&part)).await?;
        if size != offset {
            return Err(Setback::OffsetIs(size));
        }
        let tap = Arc::new(Tap {
            bandwidth: self.shared.bandwidth.clone(),
            sent: self.shared.sent.clone(),
            pace: Pace::default(),
            cancel: self.cancel.clone(),
            pulse: Pulse::new(),
        });
        let mut slices = pin!(tap.stream(payload));
        let (file, mut at, mut synced) = (Arc::new(file), offset, offset);
        while let Some(slice) = slices.next().await {
            let slice = match slice {
                Ok(slice) => slice,
                Err(_) if self.cancel.is_cancelled() => return Err(Setback::Stopped),
                // The driver knows why.
                Err(_) => return Err(Setback::Doubt(failure::internal("reading the file"))),
            };
            let end = at + slice.len() as u64;
            let sync = end - synced >= SYNC_BYTES;
            let file = file.clone();
            self.on_drive(move |place| append(&file, at, &slice, sync).map_err(|error| place.setback(&error))).await?;
            at = end;
            synced = if sync { end } else { synced };
        }
        if durable && synced < at {
            self.on_drive(move |place| append(&file, at, &[], true).map_err(|error| place.setback(&error))).await?;
        }
        // If this fits to what was written before, nobody else has written any of it.
        let _ = self.written.compare_exchange(offset, at, Ordering::Relaxed, Ordering::Relaxed);
        Ok(at)
    }

    async fn finish_part(&self, part: Spot, content: &Content) -> Result<Proof, Setback> {
        let is_ours = self.written.load(Ordering::Relaxed) == content.byte_count;
        let (reads_back, content, from_drive) = (self.reads_back, content.clone(), self.from_drive.clone());
        self.on_drive(move |place| {
            place.complete(&part, &content, reads_back || !is_ours, &from_drive)?;
            place.name(&part, &content, reads_back, &from_drive)
        })
        .await
    }
}

#[async_trait]
impl Destination for Folder<'_> {
    fn host(&self) -> &str {
        &self.place.name
    }

    async fn probe(&self) -> Result<Capabilities, Setback> {
        let max_size = self.on_drive(|place| {
            let root = place.root()?;
            root.ensure_writable().map_err(|error| place.setback(&error))?;
            Ok(root.largest_file())
        });
        let max_size = max_size.await?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Capabilities {
            evidence: if self.reads_back { Evidence::ReadBack } else { Evidence::Sized },
            max_size,
            max_append_size: None,
            resumable: true,
            server: None,
            probed_at: Timestamp(i64::try_from(now.as_millis()).unwrap_or(i64::MAX)),
        })
    }

    /// Always: what is there already is found by its name and content.
    fn takes_whole(&self, _evidence: Evidence) -> bool {
        true
    }

    fn digest_grade(&self) -> Evidence {
        if self.from_drive.load(Ordering::Relaxed) { Evidence::ReadBack } else { Evidence::Hashed }
    }

    async fn find(&self, content: &Content) -> Result<Option<Proof>, Setback> {
        let (folders, content, from_drive) = (self.folders(content), content.clone(), self.from_drive.clone());
        self.on_drive(move |place| match place.dir(&folders)? {
            Some(dir) => place.held(&dir, &folders, &content, &from_drive),
            None => Ok(None),
        })
        .await
    }

    async fn still_holds(&self, remote_id: &str, content: &Content) -> Result<Option<Proof>, Setback> {
        let Some(spot) = Url::parse(remote_id).ok().and_then(|url| Spot::of(&url, &self.place.root)) else { return Ok(None) };
        let (content, from_drive) = (content.clone(), self.from_drive.clone());
        self.on_drive(move |place| match place.dir(&spot.folders)? {
            Some(dir) => place.same(&dir, &spot, &content, &from_drive),
            None => Ok(None),
        })
        .await
    }

    async fn whole(&self, content: &Content, body: Bytes) -> Result<Proof, Setback> {
        if let Some(proof) = self.find(content).await? {
            return Ok(proof);
        }
        let part = self.part(content).await?;
        self.write(part.clone(), 0, Payload::Whole(body), false).await?;
        self.finish_part(part, content).await
    }

    async fn begin(&self, content: &Content) -> Result<Begun, Setback> {
        let part = self.part(content).await?;
        let upload_url =
            part.url(&self.place.root).ok_or_else(|| Setback::Failed(failure::internal("a part without an address")))?;
        Ok(Begun::Session { upload_url, offset: 0, limits: Limits::default() })
    }

    async fn offset(&self, upload_url: &Url) -> Result<Held, Setback> {
        let part = self.spot(upload_url)?;
        let (_, _, offset) = self.on_drive(move |place| place.part(&part)).await?;
        Ok(Held { offset, complete: false, digest: None, limits: Limits::default() })
    }

    async fn send(&self, upload_url: &Url, offset: u64, payload: Payload) -> Result<Option<u64>, Setback> {
        self.write(self.spot(upload_url)?, offset, payload, true).await.map(Some)
    }

    async fn finish(&self, upload_url: &Url, content: &Content) -> Result<Proof, Setback> {
        self.finish_part(self.spot(upload_url)?, content).await
    }

    async fn abort(&self, upload_url: &Url) {
        let Ok(part) = self.spot(upload_url) else { return };
        // Only ever a part of ours, whatever a journal says.
        if part.name.starts_with('.') && part.name.ends_with(".part") {
            let removed = self.on_drive(move |place| {
                let dir = place.dir(&part.folders)?;
                dir.map_or(Ok(()), |dir| dir.remove(&part.name)).map_err(|error| place.setback(&error))
            });
            if let Err(setback) = removed.await {
                tracing::debug!(folder = self.place.name, ?setback, "an abandoned part was left");
            }
        }
    }

    /// With the folders that are empty then.
    async fn remove(&self, remote_id: &str) {
        let Some(mut spot) = Url::parse(remote_id).ok().and_then(|url| Spot::of(&url, &self.place.root)) else { return };
        let removed = self.on_drive(move |place| {
            let Some(dir) = place.dir(&spot.folders)? else { return Ok(()) };
            dir.remove(&spot.name).map_err(|error| place.setback(&error))?;
            while let Some(empty) = spot.folders.pop() {
                let Some(parent) = place.dir(&spot.folders)? else { return Ok(()) };
                if parent.remove_empty(&empty).is_err() {
                    return Ok(());
                }
            }
            Ok(())
        });
        if let Err(setback) = removed.await {
            tracing::debug!(folder = self.place.name, ?setback, "a test file was left");
        }
    }
}
