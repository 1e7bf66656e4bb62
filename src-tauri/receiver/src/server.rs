//! What the handlers of one receiver share.

use std::collections::HashSet;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio_util::sync::CancellationToken;

use crate::ReceiverOptions;
use crate::active::Active;
use crate::finish;
use crate::ledger::{Ledger, LedgerError, objects, uploads};
use crate::pairing::Pairing;
use crate::problem::Problem;
use crate::senders::Senders;
use crate::staging::Staged;
use crate::store::Store;

/// How long an upload stays available after its creation, open or complete (`max-age` of `Upload-Limit`).
pub(crate) const UPLOAD_AGE_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Open uploads that one sender may have; more are refused (draft-ietf-httpbis-resumable-upload-11, section "Security
/// Considerations").
pub(crate) const OPEN_UPLOADS_MAX: u32 = 10_000;
/// Files that may be on their way into their folders at once.
const PLACING_MAX: usize = 32;

/// A running receiver; clones share it.
#[derive(Clone)]
pub(crate) struct Server(Arc<Inner>);

impl std::ops::Deref for Server {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// See [`Server`].
pub(crate) struct Inner {
    pub(crate) senders: Senders,
    pub(crate) pairing: Pairing,
    pub(crate) ledger: Ledger,
    pub(crate) store: Store,
    pub(crate) active: Active,
    /// Cancelled when the receiver closes: transfers end, what came is kept.
    pub(crate) closing: CancellationToken,
    /// Largest file that is taken, in bytes.
    pub(crate) size_max: Option<u64>,
    /// How long a sender may pause inside a request.
    pub(crate) silence_max: Duration,
    staging: PathBuf,
    placing: [tokio::sync::Mutex<()>; PLACING_MAX],
    /// Keeps other receivers off the folder while this one lives.
    _lock: File,
}

impl Server {
    /// Takes the parts together. `lock` is held as long as any request runs.
    pub(crate) fn new(
        options: &ReceiverOptions,
        senders: Senders,
        pairing: Pairing,
        ledger: Ledger,
        store: Store,
        staging: PathBuf,
        lock: File,
    ) -> Self {
        let closing = CancellationToken::new();
        Self(Arc::new(Inner {
            senders,
            pairing,
            ledger,
            store,
            active: Active::new(closing.clone()),
            closing,
            size_max: options.max_size,
            silence_max: options.silence_max,
            staging,
            placing: std::array::from_fn(|_| tokio::sync::Mutex::default()),
            _lock: lock,
        }))
    }

    /// Brings disk and ledger together after whatever ended the last run: places what was recorded, drops what is too old, and
    /// removes staged files that belong to nothing.
    pub(crate) async fn recover(&self) -> Result<(), LedgerError> {
        let staged = std::fs::read_dir(&self.staging).into_iter().flatten().flatten();
        let staged: HashSet<String> = staged.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        self.ledger.write(move |transaction| objects::set_staged(transaction, &staged)).await?;
        for object in self.ledger.read(objects::to_place).await? {
            if let Err(problem) = finish::place(self, object).await {
                tracing::warn!(?problem, "a stored file is still in staging");
            }
        }
        self.expire().await?;
        let open = self.ledger.read(uploads::open).await?;
        let unplaced = self.ledger.read(objects::to_place).await?;
        let known: HashSet<String> = open.into_iter().chain(unplaced.into_iter().map(|object| object.staged)).collect();
        for entry in std::fs::read_dir(&self.staging).into_iter().flatten().flatten() {
            if !known.contains(entry.file_name().to_string_lossy().as_ref()) {
                Staged::new(entry.path()).remove();
            }
        }
        Ok(())
    }

    /// Ends uploads that are older than [`UPLOAD_AGE_MAX`].
    pub(crate) async fn expire(&self) -> Result<(), LedgerError> {
        let oldest_ms = self.now_ms() - UPLOAD_AGE_MAX.as_millis() as i64;
        for id in self.ledger.read(move |connection| uploads::older_than(connection, oldest_ms)).await? {
            let claim = self.active.claim(&id).await;
            let row = id.clone();
            self.ledger.write(move |transaction| uploads::delete(transaction, &row)).await?;
            Staged::new(self.staged_path(&id)).remove();
            self.active.forget(&id);
            drop(claim);
        }
        Ok(())
    }
}

impl Inner {
    /// Where the staged file of that name is.
    pub(crate) fn staged_path(&self, name: &str) -> PathBuf {
        self.staging.join(name)
    }

    /// Wall time in milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
    }

    /// The turn to move an object's file; one at a time for each object.
    pub(crate) async fn placing(&self, id: i64) -> tokio::sync::MutexGuard<'_, ()> {
        self.placing[id.unsigned_abs() as usize % PLACING_MAX].lock().await
    }

    /// Does `work` on a staged file where blocking is allowed, and gives the file back.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        mut staged: Staged,
        work: impl FnOnce(&mut Staged) -> T + Send + 'static,
    ) -> Result<(Staged, T), Problem> {
        let done = tokio::task::spawn_blocking(move || {
            let result = work(&mut staged);
            (staged, result)
        });
        done.await.map_err(|error| Problem::internal("work on a file ended early", error))
    }

    /// `Upload-Limit` for an upload of that age; the age of a new one is 0. `min-size=0` says that nothing else is limited.
    pub(crate) fn limits(&self, age_ms: i64) -> String {
        let left_s = (UPLOAD_AGE_MAX.as_millis() as i64 - age_ms).max(0) / 1000;
        let size = self.size_max.map_or_else(String::new, |max| format!("max-size={max}, "));
        format!("{size}min-size=0, max-age={left_s}")
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        Self::internal("the ledger could not be used", error)
    }
}
