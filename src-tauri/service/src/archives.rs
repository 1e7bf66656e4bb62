//! Archives on this computer: folders that the service itself receives into.
//!
//! A receiver listens at a Unix socket beside the service's own while something is sent there, and no longer: an idle service holds no
//! file on a drive that somebody may want to unplug. The service knows no receiver; the program that runs it brings one.

use std::{
    any::Any,
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use afterglow_model::{Failure, FailureClass, FailureCode};
use afterglow_transfer::Account;
use async_trait::async_trait;
use tokio::sync::Mutex;
use url::Url;

use crate::error::{Answer, Refusal};

/// The folder inside an archive, or another chosen folder, that says that it is one.
const MARK: &str = ".afterglow";

/// Who can receive.
#[async_trait]
pub trait ArchiveHost: Send + Sync {
    /// Receives into `dir`, which exists, at a Unix socket, until the answer is dropped.
    ///
    /// # Errors
    /// A sentence that says what stands against it.
    async fn receive(&self, dir: &Path, socket: &Path) -> Result<OpenArchive, String>;
}

/// A receiver that runs.
pub struct OpenArchive {
    /// Ends it when dropped.
    pub receiver: Box<dyn Any + Send + Sync>,
    /// What it wants as a bearer token.
    pub token: String,
}

/// How a destination is reached, and the receiver behind it if it is one of ours.
pub(crate) struct Access {
    pub(crate) account: Account,
    /// Keeps the receiver from being closed meanwhile.
    _archive: Option<Arc<OpenArchive>>,
}

impl From<Account> for Access {
    fn from(account: Account) -> Self {
        Self { account, _archive: None }
    }
}

/// The archives that are open.
pub(crate) struct Archives {
    host: Arc<dyn ArchiveHost>,
    runtime: PathBuf,
    open: Mutex<HashMap<PathBuf, Arc<OpenArchive>>>,
}

impl Archives {
    /// None open yet; sockets will lie in `runtime`.
    pub(crate) fn new(host: Arc<dyn ArchiveHost>, runtime: PathBuf) -> Self {
        Self { host, runtime, open: Mutex::default() }
    }

    /// Makes a folder into an archive. One that is an archive already stays as it is.
    pub(crate) async fn make(&self, dir: &Path) -> Answer<Access> {
        let refused = |error: std::io::Error| Refusal::bad("bad_folder", format!("{} cannot be used: {error}", dir.display()));
        tokio::fs::create_dir_all(dir.join(MARK)).await.map_err(refused)?;
        Ok(self.reach(dir).await?)
    }

    /// Opens an archive, unless it is open.
    ///
    /// # Errors
    /// A failure that goes away by itself: its folder is not there, or cannot be used now.
    pub(crate) async fn reach(&self, dir: &Path) -> Result<Access, Failure> {
        let mut open = self.open.lock().await;
        // A folder that was there and now is empty is the place where a drive was; nothing may be written there.
        if !tokio::fs::try_exists(dir.join(MARK)).await.unwrap_or(false) {
            open.remove(dir);
            return Err(away(format!("The folder {} of this archive is not there. Connect its drive to go on.", dir.display())));
        }
        let named = blake3::hash(dir.as_os_str().as_encoded_bytes()).to_hex();
        let socket = self.runtime.join(format!("archive-{}.sock", &named[..12]));
        let archive = match open.get(dir) {
            Some(archive) => archive.clone(),
            None => {
                let archive = Arc::new(self.host.receive(dir, &socket).await.map_err(away)?);
                open.insert(dir.to_owned(), archive.clone());
                archive
            }
        };
        let url = Url::parse("http://archive/files").map_err(|error| away(error.to_string()))?;
        let headers = vec![("authorization".to_owned(), format!("Bearer {}", archive.token))];
        Ok(Access { account: Account { headers, socket: Some(socket), ..Account::at(url) }, _archive: Some(archive) })
    }

    /// Closes what nobody sends to. To be called when nothing is under way.
    pub(crate) async fn rest(&self) {
        self.open.lock().await.retain(|_, archive| Arc::strong_count(archive) > 1);
    }
}

fn away(message: String) -> Failure {
    Failure { class: FailureClass::Transient, code: FailureCode::ConnectionLost, message, retry_after_ms: None, certificate: None }
}

/// Whether a folder is an archive or another chosen one.
pub(crate) fn is_marked(dir: &Path) -> bool {
    dir.join(MARK).is_dir()
}

/// Marks a folder as chosen, so that the empty place of its drive is not taken for it later. It has to be there already.
pub(crate) async fn mark(dir: &Path) -> Answer<()> {
    let sentence = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("The folder {} is not there. Make it, or connect its drive.", dir.display()),
        _ => format!("{} cannot be used: {error}", dir.display()),
    };
    match tokio::fs::create_dir(dir.join(MARK)).await {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(Refusal::bad("bad_folder", sentence(error))),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The folder that a person means: a path, a `file:` URL, or nothing for the usual place.
pub(crate) fn folder(text: &str, usual: impl FnOnce() -> Option<PathBuf>) -> Answer<PathBuf> {
    let text = text.trim();
    let dir = match Url::parse(text) {
        _ if text.is_empty() => usual(),
        Ok(url) if url.scheme() == "file" => url.to_file_path().ok(),
        Ok(_) | Err(_) => Some(PathBuf::from(text)),
    };
    let refused = || Refusal::bad("bad_folder", format!("{text} is no folder: give an absolute path."));
    dir.filter(|dir| dir.is_absolute()).ok_or_else(refused)
}
