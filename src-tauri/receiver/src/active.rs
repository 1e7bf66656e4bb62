//! One request per upload at a time: a newer one ends the one that runs.
//!
//! The draft recommends so (draft-ietf-httpbis-resumable-upload-11, section "Concurrency"): a sender that asks again has given
//! up its previous request, even if the connection does not know it yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use crate::staging::Staged;

/// The uploads that were touched since the start. What is known of their files is kept, so that an append need not read them
/// again.
pub(crate) struct Active {
    seats: Mutex<HashMap<String, Seat>>,
    closing: CancellationToken,
}

struct Seat {
    staged: Arc<tokio::sync::Mutex<Option<Staged>>>,
    stop: Mutex<CancellationToken>,
}

/// The right to touch an upload, until it is dropped.
pub(crate) struct Claim {
    /// The upload's file, if it was read since the start.
    pub(crate) staged: OwnedMutexGuard<Option<Staged>>,
    /// Cancelled when a newer request wants the upload, or the receiver closes.
    pub(crate) stop: CancellationToken,
}

impl Active {
    /// No uploads. All claims stop when `closing` is cancelled.
    pub(crate) fn new(closing: CancellationToken) -> Self {
        Self { seats: Mutex::default(), closing }
    }

    /// Ends the request that holds the upload and waits until it has let go.
    pub(crate) async fn claim(&self, id: &str) -> Claim {
        let stop = self.closing.child_token();
        let staged = {
            let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
            let seat = seats
                .entry(id.to_owned())
                .or_insert_with(|| Seat { staged: Arc::default(), stop: Mutex::new(CancellationToken::new()) });
            let mut previous = seat.stop.lock().unwrap_or_else(PoisonError::into_inner);
            previous.cancel();
            *previous = stop.clone();
            seat.staged.clone()
        };
        Claim { staged: staged.lock_owned().await, stop }
    }

    /// Forgets an upload that has ended.
    pub(crate) fn forget(&self, id: &str) {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}
