//! Connections: accepted, bounded in number and patience, and closed in good order.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::tls::{self, Begun};
use crate::Listen;

/// Connections at once; more wait in the system's queue.
const CONNECTIONS_MAX: usize = 1024;
/// A request's header must come within this time, which is also how long an idle connection is kept.
const HEADER_WAIT_MAX: Duration = Duration::from_secs(60);
/// How long it may take to agree on keys, at most.
const HANDSHAKE_WAIT_MAX: Duration = Duration::from_secs(10);
/// Longest header that is read.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Pause after a failed accept, which mostly means too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where connections come from.
pub(crate) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix {
        listener: tokio::net::UnixListener,
        _file: SocketFile,
    },
}

/// The file of a Unix socket, removed when nobody listens there any more.
#[cfg(unix)]
pub(crate) struct SocketFile(std::path::PathBuf);

#[cfg(unix)]
impl Drop for SocketFile {
    fn drop(&mut self) {
        // One that is left is replaced by the next receiver.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A connection.
#[cfg(unix)]
type Stream = tokio_util::either::Either<TcpStream, tokio::net::UnixStream>;
#[cfg(not(unix))]
type Stream = TcpStream;

impl Listener {
    /// Listens. Tells where, with the port that was taken.
    pub(crate) async fn bind(listen: &Listen) -> std::io::Result<(Self, Listen)> {
        match listen {
            Listen::Tls(address) => {
                let (listener, address) = tcp(address).await?;
                Ok((listener, Listen::Tls(address)))
            }
            Listen::Tcp(address) => {
                let (listener, address) = tcp(address).await?;
                Ok((listener, Listen::Tcp(address)))
            }
            #[cfg(unix)]
            Listen::Unix(path) => {
                use std::os::unix::fs::PermissionsExt as _;
                match std::fs::remove_file(path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                    Ok(()) | Err(_) => {}
                }
                let listener = tokio::net::UnixListener::bind(path)?;
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
                Ok((Self::Unix { listener, _file: SocketFile(path.clone()) }, listen.clone()))
            }
        }
    }

    async fn accept(&self) -> std::io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                #[cfg(unix)]
                let stream = Stream::Left(stream);
                Ok(stream)
            }
            #[cfg(unix)]
            Self::Unix { listener, .. } => Ok(Stream::Right(listener.accept().await?.0)),
        }
    }
}

async fn tcp(address: &SocketAddr) -> std::io::Result<(Listener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((Listener::Tcp(listener), address))
}

/// How one speaks with whoever has connected.
#[derive(Clone)]
pub(crate) struct Conversation {
    /// Without it, unencrypted.
    pub(crate) tls: Option<TlsAcceptor>,
    /// How long a sender may be silent.
    pub(crate) patience: Duration,
    pub(crate) router: Router,
    /// Cancelled when the receiver closes: running requests then end by themselves.
    pub(crate) closing: CancellationToken,
}

/// Serves until the receiver closes. `abort` ends connections at once.
pub(crate) async fn serve(listener: Listener, conversation: Conversation, connections: TaskTracker, abort: CancellationToken) {
    let room = std::sync::Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            () = conversation.closing.cancelled() => return,
            accepted = accept(&listener, &room) => accepted,
        };
        match accepted {
            Ok((stream, place)) => {
                let (conversation, abort) = (conversation.clone(), abort.clone());
                connections.spawn(async move {
                    tokio::select! {
                        () = abort.cancelled() => {}
                        () = conversation.begin(stream) => {}
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn accept(
    listener: &Listener,
    room: &std::sync::Arc<Semaphore>,
) -> std::io::Result<(Stream, tokio::sync::OwnedSemaphorePermit)> {
    let place = room.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    Ok((listener.accept().await?, place))
}

impl Conversation {
    async fn begin(self, stream: Stream) {
        let Some(acceptor) = &self.tls else { return converse(stream, self.router, self.closing).await };
        let begun = tokio::time::timeout(self.patience.min(HANDSHAKE_WAIT_MAX), tls::begin(stream, acceptor));
        match self.closing.run_until_cancelled(begun).await {
            Some(Ok(Ok(Begun::Encrypted(stream)))) => converse(stream, self.router, self.closing).await,
            Some(Ok(Ok(Begun::Open(stream)))) => converse(stream, super::only_encrypted(), self.closing).await,
            Some(Ok(Err(error))) => tracing::debug!(%error, "a connection was not encrypted"),
            Some(Err(_)) => tracing::debug!("a connection was not encrypted in time"),
            None => {}
        }
    }
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin + Send, router: Router, closing: CancellationToken) {
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_WAIT_MAX)
            .max_buf_size(HEADER_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}
