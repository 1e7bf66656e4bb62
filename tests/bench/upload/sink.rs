//! A server that costs next to nothing: it speaks the draft of resumable uploads, drops what it is sent, and says that it holds what it was
//! told of. What is measured against it is the client alone.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Result;
use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
    routing::{patch, post},
};
use futures_util::StreamExt;
use tokio::{net::TcpListener, task::JoinHandle};
use url::Url;

/// The server, on a port of its own. It ends when it is dropped.
pub(crate) struct Sink {
    address: SocketAddr,
    shared: Arc<Mutex<Held>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Held {
    /// Sizes of what is complete.
    files: Vec<u64>,
    /// Bytes of each upload under way, and what its digest was said to be.
    uploads: HashMap<u64, (u64, Option<HeaderValue>)>,
    begun: u64,
}

type Shared = State<Arc<Mutex<Held>>>;

fn held(shared: &Mutex<Held>) -> MutexGuard<'_, Held> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sink {
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, shared) = (listener.local_addr()?, Arc::new(Mutex::new(Held::default())));
        let router = Router::new()
            .route("/files", post(create).options(options))
            .route("/files/{id}", patch(append).head(ask).delete(forget))
            .with_state(shared.clone());
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                println!("  the sink ended: {error}");
            }
        });
        Ok(Self { address, shared, task })
    }

    pub(crate) fn url(&self) -> Result<Url> {
        Ok(format!("http://{}/files", self.address).parse()?)
    }

    pub(crate) fn empty(&self) {
        *held(&self.shared) = Held::default();
    }

    /// Sizes of what was uploaded.
    pub(crate) fn sizes(&self) -> Vec<u64> {
        held(&self.shared).files.clone()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn options() -> Response {
    [("Accept-Patch", "application/partial-upload"), ("Want-Repr-Digest", "sha-256=10")].into_response()
}

/// Bytes of a body, none of which is kept; none if it was cut.
async fn dropped(body: Body) -> Option<u64> {
    let (mut blocks, mut bytes) = (body.into_data_stream(), 0);
    while let Some(block) = blocks.next().await {
        bytes += block.ok()?.len() as u64;
    }
    Some(bytes)
}

fn completes(headers: &HeaderMap) -> bool {
    headers.get("upload-complete").is_some_and(|flag| flag == "?1")
}

fn complete(digest: Option<HeaderValue>, id: u64) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert("upload-complete", HeaderValue::from_static("?1"));
    if let Some(digest) = digest {
        headers.insert("repr-digest", digest);
    }
    (StatusCode::CREATED, headers, [("Location", format!("/files/{id}"))]).into_response()
}

async fn create(State(shared): Shared, headers: HeaderMap, body: Body) -> Response {
    let Some(bytes) = dropped(body).await else { return StatusCode::BAD_REQUEST.into_response() };
    let digest = headers.get("repr-digest").cloned();
    let mut held = held(&shared);
    held.begun += 1;
    let id = held.begun;
    if completes(&headers) {
        held.files.push(bytes);
        return complete(digest, id);
    }
    held.uploads.insert(id, (bytes, digest));
    (StatusCode::CREATED, [("Location", format!("/files/{id}")), ("Upload-Complete", "?0".to_owned())]).into_response()
}

async fn append(State(shared): Shared, Path(id): Path<u64>, headers: HeaderMap, body: Body) -> Response {
    let bytes = dropped(body).await;
    let mut held = held(&shared);
    let Some((so_far, digest)) = held.uploads.get_mut(&id) else { return StatusCode::NOT_FOUND.into_response() };
    *so_far += bytes.unwrap_or_default();
    let (so_far, digest) = (*so_far, digest.clone());
    if completes(&headers) {
        held.uploads.remove(&id);
        held.files.push(so_far);
        return complete(digest, id);
    }
    [("Upload-Offset", so_far.to_string()), ("Upload-Complete", "?0".to_owned())].into_response()
}

async fn ask(State(shared): Shared, Path(id): Path<u64>) -> Response {
    match held(&shared).uploads.get(&id) {
        Some((so_far, _)) => [("Upload-Offset", so_far.to_string()), ("Upload-Complete", "?0".to_owned())].into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The test of a destination removes its picture, whose size is of none of the files.
async fn forget(State(shared): Shared, Path(id): Path<u64>) -> StatusCode {
    held(&shared).uploads.remove(&id);
    StatusCode::NO_CONTENT
}
