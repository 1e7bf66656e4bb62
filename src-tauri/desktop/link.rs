//! The line to the service: calls one way, events the other.

use std::time::Duration;

use afterglow_client::{
    ClientError,
    model::{ApiError, Event, Home, OpenPane, Prompt},
    owner::Owner,
};
use futures_util::StreamExt;
use serde::Serialize;
use serde_json::Value;
use tauri::{AppHandle, Emitter, Manager};

use crate::windows::{self, Pane};

/// First and longest pause between two attempts to reach a service that went away.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// The service of one home.
pub(crate) struct Link {
    home: Home,
    owner: Owner,
}

/// Whether the service answers, as the windows are told.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Connection {
    connected: bool,
    message: Option<String>,
}

impl Link {
    /// A line to the service of this home; nothing is sent yet.
    pub(crate) fn new(home: &Home) -> Result<Self, ClientError> {
        Ok(Self { home: home.clone(), owner: Owner::new(home)? })
    }

    /// Passes a call on.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Result<Value, ApiError> {
        self.owner.call(method, path, body).await
    }

    /// Content type and bytes.
    pub(crate) async fn bytes(&self, path: &str) -> Result<(String, Vec<u8>), ApiError> {
        self.owner.bytes(path).await
    }

    /// Asks whether the service answers, and starts it if it does not run.
    pub(crate) async fn connect(&self) -> Connection {
        Connection::of(Owner::connect_or_start(&self.home).await)
    }

    /// Has the windows of another process show a pane. The service passes the wish on, and is started for it if need be.
    pub(crate) async fn open_elsewhere(&self, pane: Pane) -> Result<(), ClientError> {
        Owner::connect_or_start(&self.home).await?.post::<()>("/v1/open", &OpenPane { pane: pane.to_string() }).await
    }

    /// The folders that both ends agree on.
    pub(crate) fn home(&self) -> &Home {
        &self.home
    }
}

impl Connection {
    fn of(result: Result<Owner, ClientError>) -> Self {
        match result {
            Ok(_) => Self { connected: true, message: None },
            Err(error) => Self { connected: false, message: Some(error.to_string()) },
        }
    }
}

/// Passes the service's events on to every window, for as long as the windows are there. A service that was ended is not started
/// again by this: that is the person's to say.
pub(crate) async fn follow(app: AppHandle) {
    let link = app.state::<Link>();
    let mut connection = link.connect().await;
    let mut pause = PAUSE;
    loop {
        tell(&app, "afterglow-connection", &connection);
        if connection.connected {
            pause = PAUSE;
            forward(&app, &link.owner).await;
            tell(&app, "afterglow-connection", &Connection::of(Err(ClientError::NotRunning(link.home.owner_socket()))));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
        connection = Connection::of(Owner::connect(&link.home).await);
    }
}

async fn forward(app: &AppHandle, owner: &Owner) {
    let Ok(mut events) = owner.events().await else { return };
    while let Some(Ok(event)) = events.next().await {
        match &event {
            Event::Snapshot { status } => prompts(app, &status.prompts),
            Event::Prompts { prompts: waiting } => prompts(app, waiting),
            Event::Open { pane } => {
                if let Some(pane) = Pane::named(pane) {
                    shown(windows::show(app, pane));
                }
            }
            Event::Status { .. }
            | Event::JobsChanged { .. }
            | Event::Scan { .. }
            | Event::LibraryChanged
            | Event::DestinationsChanged
            | Event::AppsChanged
            | Event::SettingsChanged { .. }
            | Event::Overflow { .. } => {}
        }
        tell(app, "afterglow", &event);
    }
}

/// The prompt's window is there exactly while a question waits.
fn prompts(app: &AppHandle, waiting: &[Prompt]) {
    shown(if waiting.is_empty() { windows::close_prompt(app) } else { windows::show(app, Pane::Prompt) });
}

fn shown(result: tauri::Result<()>) {
    if let Err(error) = result {
        tracing::warn!(%error, "a window could not be shown or closed");
    }
}

fn tell(app: &AppHandle, name: &str, payload: &impl Serialize) {
    if let Err(error) = app.emit(name, payload) {
        tracing::warn!(%error, name, "the windows could not be told");
    }
}
