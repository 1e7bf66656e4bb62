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
    known: Mutex<HashMap<(Connector, Url), Note>>,
    notebook: Option<Box<dyn Notebook>>,
}

#[derive(Debug, Clone, Copy)]
struct Note {
    found: u8,
    /// What of it is kept.
    kept: Option<u8>,
}

impl Notes {
    pub(crate) fn of(kept: impl IntoIterator<Item = (Connector, Url, u8)>, notebook: Box<dyn Notebook>) -> Self {
        let note = |(connector, url, found)| ((connector, url), Note { found, kept: Some(found) });
        Self { known: Mutex::new(kept.into_iter().map(note).collect()), notebook: Some(notebook) }
    }

    pub(crate) fn get(&self, connector: Connector, url: &Url) -> Option<u8> {
        self.known().get(&(connector, url.clone())).map(|note| note.found)
    }

    /// Notes what was found, and has `lasting` kept.
    pub(crate) fn put(&self, connector: Connector, url: &Url, found: u8, lasting: Option<u8>) {
        // Held until it is handed over, so that what is kept is what came last.
        let mut known = self.known();
        let note = known.entry((connector, url.clone())).or_insert(Note { found, kept: None });
        note.found = found;
        if let (Some(lasting), Some(notebook)) = (lasting.filter(|lasting| note.kept != Some(*lasting)), &self.notebook) {
            note.kept = Some(lasting);
            notebook.keep(connector, url, lasting);
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<(Connector, Url), Note>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notes").field("known", &self.known()).finish_non_exhaustive()
    }
}
