//! The transfers of the service: what they find out about servers is kept in the queue's file, and the desktop tells them its proxy.

use std::sync::Arc;

use afterglow_model::{Connector, Timestamp};
use afterglow_queue::{Note, Queue};
use afterglow_transfer::{DesktopProxy, Notebook, Transfer, TransferOptions, Way};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{clock, error::ServeError};

/// After so long a server is tried out again: it may have been updated, or be another's by now.
const GOOD_FOR_MS: i64 = 30 * 24 * 3600 * 1000;

/// In their order, so that the last word stays.
struct InTheQueue(mpsc::UnboundedSender<Note>);

impl Notebook for InTheQueue {
    fn keep(&self, connector: Connector, url: &Url, found: u8) {
        // Nobody listens any more: the service ends, and it is tried out once more after the next start.
        let _ = self.0.send(Note { connector, url: url.to_string(), found });
    }
}

/// The settings of the person's desktop.
#[derive(Debug)]
struct Desktop;

impl DesktopProxy for Desktop {
    fn way(&self, url: &Url) -> Option<Way> {
        let proxy = afterglow_system::desktop_proxy(url).ok()?;
        Some(proxy.map_or(Way::Direct, Way::By))
    }
}

/// The transfers of the service, which know what was found out before; and what ends, once `quit` is cancelled, when all is kept.
pub(crate) async fn start(queue: &Queue, quit: &CancellationToken) -> Result<(Transfer, JoinHandle<()>), ServeError> {
    let options = TransferOptions {
        small_bytes: afterglow_queue::SMALL_BYTES,
        desktop_proxy: afterglow_system::NAMES_PROXIES.then(|| Arc::new(Desktop) as Arc<dyn DesktopProxy>),
        ..TransferOptions::default()
    };
    let notes = queue.notes(outdated()).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "what was found out about servers cannot be read; it is found out anew");
        Vec::new()
    });
    let kept = notes.into_iter().filter_map(|note| Some((note.connector, Url::parse(&note.url).ok()?, note.found)));
    let (notes, to_keep) = mpsc::unbounded_channel();
    let transfer = Transfer::remembering(options, kept, Box::new(InTheQueue(notes)))
        .map_err(|error| ServeError::Transfer(error.to_string()))?;
    Ok((transfer, tokio::spawn(keep(queue.clone(), to_keep, quit.clone()))))
}

async fn keep(queue: Queue, mut to_keep: mpsc::UnboundedReceiver<Note>, quit: CancellationToken) {
    loop {
        let note = tokio::select! {
            biased;
            note = to_keep.recv() => note,
            () = quit.cancelled() => None,
        };
        let Some(note) = note else { return };
        if let Err(error) = queue.note(note, clock::wall(), outdated()).await {
            tracing::warn!(%error, "what was found out about a server could not be kept");
        }
    }
}

fn outdated() -> Timestamp {
    clock::wall().plus_ms(-GOOD_FOR_MS)
}
