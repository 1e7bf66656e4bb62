//! What connectors have found out about servers, so that it is tried out once.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use afterglow_model::Connector;
use url::Url;

/// Where notes are kept from one run to the next. Must not block.
pub trait Notebook: Send + Sync {
    /// Keeps what was found out about a server where uploads are created at `url`, in the connector's own terms, in place of what was kept of
    /// it before.
    fn keep(&self, connector: Connector, url: &Url, found: u8);
}

/// The notes of this run, by the connector in whose terms they are and the URL where uploads are created.
#[derive(Default)]
pub(crate) struct Notes {
    known: Mutex<HashMap<(Connector, Url), u8>>,
    notebook: Option<Box<dyn Notebook>>,
}

impl Notes {
    pub(crate) fn of(kept: impl IntoIterator<Item = (Connector, Url, u8)>, notebook: Box<dyn Notebook>) -> Self {
        let known = kept.into_iter().map(|(connector, url, found)| ((connector, url), found)).collect();
        Self { known: Mutex::new(known), notebook: Some(notebook) }
    }

    pub(crate) fn get(&self, connector: Connector, url: &Url) -> Option<u8> {
        self.known().get(&(connector, url.clone())).copied()
    }

    pub(crate) fn put(&self, connector: Connector, url: &Url, found: u8) {
        let before = self.known().insert((connector, url.clone()), found);
        if before != Some(found)
            && outlives_a_run(connector)
            && let Some(notebook) = &self.notebook
        {
            notebook.keep(connector, url, found);
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<(Connector, Url), u8>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notes").field("known", &self.known()).finish_non_exhaustive()
    }
}

/// Whether a note is of use in a later run. What is asked for with a request that leaves nothing is asked for anew, since a server that
/// was updated in between may speak another version.
fn outlives_a_run(connector: Connector) -> bool {
    match connector {
        Connector::S3 | Connector::Webdav => true,
        Connector::Resumable
        | Connector::Archive
        | Connector::Tus
        | Connector::Nextcloud
        | Connector::Immich
        | Connector::GooglePhotos
        | Connector::Folder => false,
    }
}
