//! The streams of events: a snapshot first, then changes, bounded; what a slow listener lost is said.

use std::convert::Infallible;

use axum::response::sse::{self, KeepAlive, Sse};
use futures_util::{Stream, StreamExt, stream};
use serde::Serialize;
use tokio::sync::broadcast;
use tokio_stream::wrappers::{BroadcastStream, errors::BroadcastStreamRecvError};
use tokio_util::sync::CancellationToken;

/// Events of a channel as a response. `pick` leaves out what is not for this listener, `lost` says how many were missed.
pub(super) fn stream<T, E>(
    first: E,
    receiver: broadcast::Receiver<T>,
    quit: CancellationToken,
    pick: impl Fn(T) -> Option<E> + Send + 'static,
    lost: impl Fn(u64) -> E + Send + 'static,
) -> Sse<impl Stream<Item = Result<sse::Event, Infallible>>>
where
    T: Clone + Send + 'static,
    E: Serialize + Send + 'static,
{
    let later = BroadcastStream::new(receiver).filter_map(move |event| {
        std::future::ready(match event {
            Ok(event) => pick(event),
            Err(BroadcastStreamRecvError::Lagged(missed)) => Some(lost(missed)),
        })
    });
    let events = stream::once(std::future::ready(first)).chain(later).map(|event| {
        // Our own types always become JSON; an empty event would say that one did not.
        Ok(sse::Event::default().data(serde_json::to_string(&event).unwrap_or_default()))
    });
    Sse::new(events.take_until(async move { quit.cancelled().await })).keep_alive(KeepAlive::default())
}
