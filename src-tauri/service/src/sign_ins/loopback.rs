//! Where the browser brings Google's answer (RFC 8252 section 7.3): a port of this computer that is open only while the person is asked.

use std::{io, sync::Arc, time::Duration};

use afterglow_model::Failure;
use afterglow_transfer::Consent;
use axum::{
    Router,
    extract::{RawQuery, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse},
};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::CancellationToken;
use url::Url;

/// A browser that keeps its connection open is left.
const GOODBYE: Duration = Duration::from_secs(2);

type Code = Result<String, Failure>;

/// The port.
pub(super) struct Loopback {
    listener: TcpListener,
}

#[derive(Clone)]
struct Page {
    consent: Arc<Consent>,
    codes: mpsc::Sender<Code>,
}

impl Loopback {
    pub(super) async fn open() -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(("127.0.0.1", 0)).await? })
    }

    /// Where the browser is to bring the answer.
    pub(super) fn url(&self) -> io::Result<Url> {
        let address = self.listener.local_addr()?;
        Url::parse(&format!("http://{address}/")).map_err(io::Error::other)
    }

    /// Waits for the answer to this question; others are turned away.
    pub(super) async fn code(self, consent: Arc<Consent>) -> io::Result<Code> {
        let (codes, mut come) = mpsc::channel(1);
        let page = Router::new().fallback(answer).with_state(Page { consent, codes });
        let enough = CancellationToken::new();
        let server = axum::serve(self.listener, page).with_graceful_shutdown(enough.clone().cancelled_owned());
        let server = server.into_future();
        tokio::pin!(server);
        let code = tokio::select! {
            ended = &mut server => return Err(ended.err().unwrap_or_else(|| io::ErrorKind::ConnectionAborted.into())),
            code = come.recv() => code.ok_or(io::ErrorKind::ConnectionAborted)?,
        };
        // The page that says so arrives.
        enough.cancel();
        let _ = tokio::time::timeout(GOODBYE, server).await;
        Ok(code)
    }
}

async fn answer(State(page): State<Page>, RawQuery(query): RawQuery) -> impl IntoResponse {
    let (status, sentence) = match page.consent.code(&query.unwrap_or_default()) {
        Some(code) => {
            // A second answer changes nothing.
            let _ = page.codes.try_send(code);
            (StatusCode::OK, "Afterglow has your answer. You can close this page.")
        }
        None => (StatusCode::NOT_FOUND, "Nothing is asked here."),
    };
    let html = format!("<!doctype html><meta charset=utf-8><title>Afterglow</title><p>{sentence}</p>");
    let fields = [(header::CACHE_CONTROL, "no-store"), (header::REFERRER_POLICY, "no-referrer"), (header::CONNECTION, "close")];
    (status, fields, Html(html))
}
