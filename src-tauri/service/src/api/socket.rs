//! The two sockets: who may connect, and how they are served.

use std::{os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use afterglow_model::{ApiError, Home};
use axum::{
    Router,
    extract::{ConnectInfo, DefaultBodyLimit, Request, State, connect_info::Connected},
    http::{Method, Uri, header::CONTENT_TYPE},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    serve::IncomingStream,
};
use rustix::process::getuid;
use tokio::net::UnixListener;

use super::{apps, owner};
use crate::{
    core::Core,
    error::{Refusal, ServeError},
};

/// Largest body from a window: a selection of 100,000 assets.
const OWNER_BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Largest body from an app.
const APPS_BODY_BYTES_MAX: usize = 256 * 1024;
/// Most of a refusal that is told.
const REFUSAL_BYTES_MAX: usize = 16 * 1024;

/// The listeners, before they are served.
pub(crate) struct Servers {
    owner: UnixListener,
    apps: UnixListener,
}

/// The program at the other end, by the kernel's word.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    uid: Option<u32>,
    pub(crate) pid: Option<i32>,
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        let credentials = stream.io().peer_cred().ok();
        Self { uid: credentials.as_ref().map(|peer| peer.uid()), pid: credentials.and_then(|peer| peer.pid()) }
    }
}

/// Opens both sockets with mode 0600. Call with the lock held: a socket that lies there is then a dead one.
pub(crate) fn listen(core: &Core) -> Result<Servers, ServeError> {
    Ok(Servers { owner: bind(&core.home.owner_socket())?, apps: bind(&core.home.apps_socket())? })
}

/// Takes the sockets away.
pub(crate) fn remove_sockets(home: &Home) {
    for path in [home.owner_socket(), home.apps_socket()] {
        // That one is gone already is as good.
        let _ = std::fs::remove_file(path);
    }
}

fn bind(path: &Path) -> Result<UnixListener, ServeError> {
    let failed = |error: std::io::Error| ServeError::Path { path: path.to_owned(), problem: error.to_string() };
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    // The folder is 0700 already; between bind and here nobody else could have come in.
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}

impl Servers {
    /// Serves both until the service ends.
    pub(crate) async fn serve(self, core: Arc<Core>) {
        let owner = owner::router().into_router().with_state(core.clone());
        let owner = guarded(owner.layer(middleware::from_fn_with_state(core.clone(), settled)), OWNER_BODY_BYTES_MAX);
        let apps = guarded(apps::router().into_router().with_state(core.clone()), APPS_BODY_BYTES_MAX);
        let owner = axum::serve(self.owner, owner.into_make_service_with_connect_info::<Peer>());
        let apps = axum::serve(self.apps, apps.into_make_service_with_connect_info::<Peer>());
        // Dropped with the task that runs this when the service ends.
        let (owner, apps) = tokio::join!(owner.into_future(), apps.into_future());
        for ended in [owner, apps] {
            if let Err(error) = ended {
                tracing::error!(%error, "a socket is no longer served");
            }
        }
    }
}

fn guarded(router: Router, body_bytes_max: usize) -> Router {
    let router = router.fallback(nothing_here).layer(DefaultBodyLimit::max(body_bytes_max));
    router.layer(middleware::from_fn(in_json)).layer(middleware::from_fn(same_user))
}

async fn nothing_here(method: Method, uri: Uri) -> Refusal {
    Refusal::not_found("call", format_args!("{method} {}", uri.path()))
}

/// Whatever refuses a call, such as a body that cannot be read, is told as every other error is.
async fn in_json(request: Request, next: Next) -> Response {
    let call = format!("{} {}", request.method(), request.uri().path());
    let response = next.run(request).await;
    let is_json = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if !response.status().is_client_error() || is_json {
        return response;
    }
    let status = response.status();
    let said = axum::body::to_bytes(response.into_body(), REFUSAL_BYTES_MAX).await.unwrap_or_default();
    let why = if said.is_empty() { status.to_string() } else { String::from_utf8_lossy(&said).into_owned() };
    let error = ApiError::new("request", "bad_request", format!("{call}: {why}"));
    Refusal { status, error }.into_response()
}

/// Answers an order once the status knows of it: who orders and then reads the status, or waits, must not see what was before.
async fn settled(State(core): State<Arc<Core>>, request: Request, next: Next) -> Response {
    let order = !request.method().is_safe();
    let response = next.run(request).await;
    if order && response.status().is_success() {
        core.settled().await;
    }
    response
}

/// Refuses whoever is not this user, should the folder's mode ever not have kept them out.
async fn same_user(ConnectInfo(peer): ConnectInfo<Peer>, request: Request, next: Next) -> Response {
    if peer.uid == Some(getuid().as_raw()) {
        return next.run(request).await;
    }
    Refusal::denied("This socket belongs to another user.").into_response()
}
