//! Passwords and tokens, by handle.
//!
//! They are kept in the desktop's keyring (Secret Service) where there is one, else in a file that only its owner can read
//! ([`file`]). A stuck keyring holds up one thread of its own and nothing else: a caller waits at most [`ANSWER_TIME`] to read, and
//! to write as long as a person needs to unlock a keyring. No value appears in logs or in `Debug`.

mod file;
#[cfg(target_os = "linux")]
mod keyring;
mod recent;

use std::{collections::BTreeMap, fmt, io, path::PathBuf, sync::mpsc, thread, time::Duration};

use tokio::sync::oneshot;

use crate::ANSWER_TIME;
use file::FileStore;
use recent::Recent;

/// How long a person gets to unlock the keyring when something is written.
const UNLOCK_TIME: Duration = Duration::from_secs(60);

/// A password or token. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself; for the moment of use.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why a secret could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The store did not answer in time. It may be waiting for the person.
    #[error("the keyring does not answer; unlock it and try again")]
    NoAnswer,
    /// The keyring could not be had, and the file used instead does not hold this secret: it may lie in the keyring.
    #[error(
        "the keyring could not be reached and may hold this password; unlock it and restart the service, or enter the password again"
    )]
    KeyringMissing,
    /// The keyring said no.
    #[error("the keyring refused: {0}")]
    Keyring(String),
    /// The file could not be read or written.
    #[error("could not use the password file {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Where secrets are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretsKind {
    /// The desktop's keyring.
    Keyring,
    /// A file that only its owner can read.
    File,
    /// Nowhere: gone with the process. For tests.
    Memory,
}

/// Where secrets may be kept.
#[derive(Debug, Clone)]
pub struct SecretsOptions {
    /// The file to use without a keyring. Its folder is made if it is missing.
    pub file: PathBuf,
    /// Whether the desktop's keyring is asked first. False for a home of its own, which must not share secrets with others.
    pub use_keyring: bool,
}

/// The store. Clones share it; its thread ends with the last of them.
#[derive(Clone)]
pub struct Secrets {
    kind: SecretsKind,
    requests: mpsc::Sender<Request>,
    recent: Recent,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Secrets {
    /// Opens the keyring if it is wanted and answers within [`ANSWER_TIME`], else the file.
    pub async fn open(options: SecretsOptions) -> Self {
        let file = FileStore::new(options.file);
        if !options.use_keyring {
            return Self::over(SecretsKind::File, Store::File { file, stands_in: false });
        }
        match Self::open_keyring(file.clone()).await {
            Some(secrets) => secrets,
            None => {
                tracing::info!("no keyring answers; secrets are kept in a file");
                Self::over(SecretsKind::File, Store::File { file, stands_in: true })
            }
        }
    }

    /// A store that ends with the process, for tests.
    pub fn memory() -> Self {
        Self::over(SecretsKind::Memory, Store::Memory(BTreeMap::new()))
    }

    /// Where secrets are kept.
    pub fn kind(&self) -> SecretsKind {
        self.kind
    }

    /// The secret of `handle`; none if there is none. What was read in the last seconds is not read again, so that each of many small photos
    /// does not ask the store; a change made by this handle or a clone of it counts at once.
    ///
    /// # Errors
    /// See [`SecretError`]. [`SecretError::NoAnswer`] after [`ANSWER_TIME`], also while the keyring asks the person to unlock it;
    /// reading again later is right.
    pub async fn get(&self, handle: &str) -> Result<Option<Secret>, SecretError> {
        let asked = match self.recent.get(handle) {
            Ok(secret) => return Ok(Some(secret)),
            Err(asked) => asked,
        };
        let secret = self.ask(handle, Verb::Get, ANSWER_TIME).await?;
        if let Some(secret) = &secret {
            self.recent.keep(asked, handle, secret);
        }
        Ok(secret)
    }

    /// Keeps `secret` under `handle`, over what was there.
    ///
    /// # Errors
    /// See [`SecretError`]. Waits up to a minute for a person to unlock the keyring.
    pub async fn set(&self, handle: &str, secret: Secret) -> Result<(), SecretError> {
        self.change(handle, Verb::Set(secret)).await
    }

    /// Forgets the secret of `handle`, if there is one.
    ///
    /// # Errors
    /// See [`SecretError`]. Waits up to a minute for a person to unlock the keyring.
    pub async fn delete(&self, handle: &str) -> Result<(), SecretError> {
        self.change(handle, Verb::Delete).await
    }

    async fn change(&self, handle: &str, verb: Verb) -> Result<(), SecretError> {
        let changed = self.ask(handle, verb, UNLOCK_TIME).await.map(drop);
        // Also after an error: the store may have changed nevertheless.
        self.recent.forget();
        changed
    }

    async fn ask(&self, handle: &str, verb: Verb, at_most: Duration) -> Result<Option<Secret>, SecretError> {
        let (reply, answer) = oneshot::channel();
        let request = Request { handle: handle.to_owned(), verb, reply };
        self.requests.send(request).map_err(|_| SecretError::NoAnswer)?;
        match tokio::time::timeout(at_most, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(SecretError::NoAnswer),
        }
    }

    fn over(kind: SecretsKind, store: Store) -> Self {
        let (requests, inbox) = mpsc::channel();
        on_a_thread(move || serve(store, &inbox));
        Self { kind, requests, recent: Recent::default() }
    }

    #[cfg(target_os = "linux")]
    async fn open_keyring(file: FileStore) -> Option<Self> {
        let (requests, inbox) = mpsc::channel();
        let (opened, answer) = oneshot::channel();
        on_a_thread(move || match keyring::Keyring::open() {
            Ok(keyring) => {
                if opened.send(()).is_ok() {
                    serve(Store::Keyring { keyring, file }, &inbox);
                }
            }
            Err(error) => tracing::debug!(%error, "the keyring did not open"),
        });
        tokio::time::timeout(ANSWER_TIME, answer).await.ok()?.ok()?;
        Some(Self { kind: SecretsKind::Keyring, requests, recent: Recent::default() })
    }

    #[cfg(not(target_os = "linux"))]
    async fn open_keyring(_file: FileStore) -> Option<Self> {
        None
    }
}

struct Request {
    handle: String,
    verb: Verb,
    reply: oneshot::Sender<Result<Option<Secret>, SecretError>>,
}

enum Verb {
    Get,
    Set(Secret),
    Delete,
}

/// What the thread owns.
enum Store {
    /// The file is read too: it may hold what was written while the keyring could not be had.
    #[cfg(target_os = "linux")]
    Keyring {
        keyring: keyring::Keyring,
        file: FileStore,
    },
    /// `stands_in`: the keyring was wanted and could not be had, so what is missing here may be there.
    File {
        file: FileStore,
        stands_in: bool,
    },
    Memory(BTreeMap<String, Secret>),
}

impl Store {
    fn get(&self, handle: &str) -> Result<Option<Secret>, SecretError> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Keyring { keyring, file } => match file.get(handle)? {
                Some(secret) => Ok(Some(secret)),
                None => keyring.get(handle),
            },
            Self::File { file, stands_in } => match (file.get(handle)?, stands_in) {
                (None, true) => Err(SecretError::KeyringMissing),
                (secret, _) => Ok(secret),
            },
            Self::Memory(secrets) => Ok(secrets.get(handle).cloned()),
        }
    }

    /// Keeps the secret, or forgets it if there is none. The keyring is changed first: what stays behind in the file if that fails
    /// is still the newest that was kept.
    fn put(&mut self, handle: &str, secret: Option<Secret>) -> Result<(), SecretError> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Keyring { keyring, file } => {
                keyring.put(handle, secret)?;
                file.put(handle, None)
            }
            Self::File { file, stands_in: _ } => file.put(handle, secret),
            Self::Memory(secrets) => {
                match secret {
                    Some(secret) => secrets.insert(handle.to_owned(), secret),
                    None => secrets.remove(handle),
                };
                Ok(())
            }
        }
    }
}

fn serve(mut store: Store, inbox: &mpsc::Receiver<Request>) {
    for Request { handle, verb, reply } in inbox {
        let answer = match verb {
            Verb::Get => store.get(&handle),
            Verb::Set(secret) => store.put(&handle, Some(secret)).map(|()| None),
            Verb::Delete => store.put(&handle, None).map(|()| None),
        };
        // Nobody listens any more if it took too long.
        let _ = reply.send(answer);
    }
}

/// A thread of its own and not one of the runtime's: a keyring that hangs for ever must not keep the runtime from ending.
fn on_a_thread(work: impl FnOnce() + Send + 'static) {
    if let Err(error) = thread::Builder::new().name("secrets".to_owned()).spawn(work) {
        tracing::warn!(%error, "no thread for secrets; passwords cannot be read");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn secrets_come_back_are_replaced_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("deep/secrets.json");
        let stores = [Secrets::memory(), Secrets::open(SecretsOptions { file, use_keyring: false }).await];
        for secrets in stores {
            assert_eq!(secrets.get("a").await.unwrap(), None);
            secrets.set("a", Secret::new("one")).await.unwrap();
            secrets.set("b", Secret::new("other")).await.unwrap();
            secrets.set("a", Secret::new("two")).await.unwrap();
            assert_eq!(secrets.get("a").await.unwrap(), Some(Secret::new("two")));
            secrets.delete("a").await.unwrap();
            secrets.delete("a").await.unwrap();
            assert_eq!(secrets.get("a").await.unwrap(), None);
            assert_eq!(secrets.get("b").await.unwrap(), Some(Secret::new("other")));
        }
    }

    #[test]
    fn debug_shows_no_value() {
        assert!(!format!("{:?}", Secret::new("hunter2")).contains("hunter2"));
    }

    #[test]
    fn a_file_that_stands_in_for_the_keyring_does_not_claim_that_a_secret_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::File { file: FileStore::new(dir.path().join("secrets.json")), stands_in: true };
        assert!(matches!(store.get("a"), Err(SecretError::KeyringMissing)));
        store.put("a", Some(Secret::new("one"))).unwrap();
        assert_eq!(store.get("a").unwrap(), Some(Secret::new("one")));
    }
}
