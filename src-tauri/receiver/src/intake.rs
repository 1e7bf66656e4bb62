//! A request's content on its way into a staged file: streamed, hashed, in constant memory, and kept up to the byte at which it
//! was cut.

use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::problem::Problem;
use crate::staging::Staged;

/// Bytes of one request that are in memory before they go to disk together.
const BUFFER_BYTES: usize = 1024 * 1024;
/// A refused request's content up to this size is read to its end, so that the sender sees the answer and keeps its connection.
const DRAIN_BYTES_MAX: usize = 1024 * 1024;
/// How long such a rest may take.
const DRAIN_WAIT_MAX: Duration = Duration::from_secs(5);

/// How long a request that a newer one ends may pause before it is taken to have delivered all that was on its way. A broken
/// connection's last bytes are in the system's buffers already, and the newer request is about to ask how much there is.
const ON_ITS_WAY_WAIT_MAX: Duration = Duration::from_millis(50);
/// How long it may go on in all, if the sender does not stop.
const SUPERSEDED_WAIT_MAX: Duration = Duration::from_millis(500);

/// Why content ended early. What had come is kept.
#[derive(Debug)]
pub(crate) enum Interruption {
    /// The connection broke.
    Cut,
    /// A newer request wants the upload, or the receiver closes.
    Superseded,
    /// The sender went silent.
    Silent,
    /// More came than was allowed.
    TooLong,
    /// The disk failed.
    Disk(std::io::Error),
}

/// Adds `body` to `staged`, at most up to `length_max` bytes in all. `silence_max` is how long the sender may pause.
///
/// Returns the file as it is now, unless that is unknown after a failure of this program.
pub(crate) async fn receive(
    mut staged: Staged,
    body: Body,
    length_max: u64,
    stop: &CancellationToken,
    silence_max: Duration,
) -> (Option<Staged>, Result<(), Interruption>) {
    let mut content = body.into_data_stream().map(|chunk| chunk.map_err(|_| Interruption::Cut));
    let mut waiting = Vec::new();
    let mut bytes = 0;
    let mut superseded: Option<Instant> = None;
    loop {
        let next = match superseded {
            None => tokio::select! {
                biased;
                () = stop.cancelled() => {
                    superseded = Some(Instant::now() + SUPERSEDED_WAIT_MAX);
                    continue;
                }
                next = tokio::time::timeout(silence_max, content.next()) => next.unwrap_or(Some(Err(Interruption::Silent)))
            },
            Some(end) => {
                let wait = (Instant::now() + ON_ITS_WAY_WAIT_MAX).min(end);
                tokio::time::timeout_at(wait, content.next()).await.unwrap_or(Some(Err(Interruption::Superseded)))
            }
        }
        .transpose();
        let end = match next {
            Ok(Some(chunk)) if staged.length() + (bytes + chunk.len()) as u64 > length_max => Some(Err(Interruption::TooLong)),
            Ok(Some(chunk)) => {
                bytes += chunk.len();
                waiting.push(chunk);
                None
            }
            Ok(None) => Some(Ok(())),
            Err(interruption) => Some(Err(interruption)),
        };
        if bytes >= BUFFER_BYTES || (end.is_some() && bytes > 0) {
            bytes = 0;
            match append(staged, std::mem::take(&mut waiting)).await {
                (Some(grown), Ok(())) => staged = grown,
                (unchanged, Ok(())) => return (unchanged, Err(Interruption::Disk(std::io::Error::other("a writer ended early")))),
                (unchanged, Err(error)) => return (unchanged, Err(Interruption::Disk(error))),
            }
        }
        if let Some(end) = end {
            return (Some(staged), end);
        }
    }
}

async fn append(mut staged: Staged, chunks: Vec<Bytes>) -> (Option<Staged>, std::io::Result<()>) {
    let appended = tokio::task::spawn_blocking(move || {
        let result = staged.append(&chunks);
        (Some(staged), result)
    });
    appended.await.unwrap_or_else(|error| (None, Err(std::io::Error::other(error))))
}

/// Reads away what a refused request still sends, within bounds.
pub(crate) async fn drain(body: Body) {
    let mut content = body.into_data_stream();
    let read = async {
        let mut bytes = 0;
        while let Some(Ok(chunk)) = content.next().await {
            bytes += chunk.len();
            if bytes > DRAIN_BYTES_MAX {
                return;
            }
        }
    };
    // Either way the answer goes out now; without the rest, the connection is closed after it.
    let _ = tokio::time::timeout(DRAIN_WAIT_MAX, read).await;
}

impl Interruption {
    /// How a request that ended so is answered, if anybody still listens. Server errors invite the sender to ask for the offset
    /// and go on (draft-ietf-httpbis-resumable-upload-11, section "Upload Append").
    pub(crate) fn into_problem(self) -> Problem {
        let resume =
            |status, detail: &str| Problem::new(status, format!("{detail} What came is kept: ask for the offset and go on there."));
        match self {
            Self::Cut => resume(StatusCode::SERVICE_UNAVAILABLE, "The connection broke."),
            Self::Superseded => {
                resume(StatusCode::SERVICE_UNAVAILABLE, "Another request took this upload over, or the receiver is closing.")
            }
            Self::Silent => resume(StatusCode::REQUEST_TIMEOUT, "Nothing came for too long."),
            Self::TooLong => {
                Problem::inconsistent_length("More bytes came than the length that was told. The upload is discarded.")
            }
            Self::Disk(error) => Problem::from_io("a file could not be written", error),
        }
    }
}
