//! Who uploads: our program, the bare client, a peer.

use std::{path::Path, time::Duration};

use afterglow_model::AddedDestination;
use afterglow_tests::stage::Stage;
use anyhow::{Context, Result};
use tempfile::TempDir;
use tokio::process::Child;
use url::Url;

use super::{
    bare,
    files::Files,
    measure::{self, Figures, Meter},
    peers::Peer,
    server::{Kind, Server},
};
use crate::cost::{self, Cost};

/// Longest that an upload over a sound line may take.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) enum Client {
    /// The delivery of what is in the queue: beside a bare client, which has no library.
    Ours,
    /// From the order on: the files are found, read and taken into the library first.
    OursFromTheOrder,
    Bare,
    Peer(Peer),
}

impl Server {
    /// Everybody who can upload to it; ours first.
    pub(crate) fn clients(&self) -> Vec<Client> {
        let bare = (self.kind != Kind::Immich).then_some(Client::Bare);
        let peers = Peer::all(self.kind).into_iter().flatten().map(Client::Peer);
        [Client::Ours, Client::OursFromTheOrder].into_iter().chain(bare).chain(peers).collect()
    }
}

impl Client {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Ours => "afterglow",
            Self::OursFromTheOrder => " with add",
            Self::Bare => "bare client",
            Self::Peer(peer) => peer.name,
        }
    }

    /// Whether it has a way to go on after trouble.
    pub(crate) fn recovers(&self) -> bool {
        match self {
            Self::Ours | Self::Peer(_) => true,
            Self::OursFromTheOrder | Self::Bare => false,
        }
    }

    /// Uploads a set over a sound line, at whose end is `url`.
    pub(crate) async fn upload(&self, server: &Server, url: &Url, files: &Files) -> Result<Figures> {
        let state = tempfile::tempdir()?;
        match self {
            Self::Ours => ours(server, url, files, true).await,
            Self::OursFromTheOrder => ours(server, url, files, false).await,
            Self::Bare => measure::run(bare::command(server, url.as_str(), &files.folder())?, PATIENCE).await,
            Self::Peer(peer) => measure::run(peer.command(url, &files.folder(), state.path())?, PATIENCE).await,
        }
    }
}

/// To the last receipt: the service's part and the command line's.
async fn ours(server: &Server, url: &Url, files: &Files, queued_before: bool) -> Result<Figures> {
    let mut stage = told(server, url).await?;
    let pid = stage.service()?.pid();
    if queued_before {
        stage.does(&["pause"]).await?;
        order(&stage, &files.folder()).await?;
        let all = files.sizes.len() as u64;
        stage.until_status("all files in the queue", |status| status.jobs.registered == all).await?;
        cost::forget_peak(pid)?;
    }
    let meter = Meter::start(Some(pid))?;
    if queued_before {
        stage.does(&["resume"]).await?
    } else {
        order(&stage, &files.folder()).await?
    };
    if let Err(error) = stage.delivered().await {
        println!("  {error}\n{}", stage.does(&["why"]).await?);
    }
    let delivered = stage.status().await?.jobs.succeeded == files.sizes.len() as u64;
    meter.end(Cost::of(pid)?.peak, delivered)
}

/// A service that knows the server.
async fn told(server: &Server, url: &Url) -> Result<Stage> {
    let stage = Stage::new().await?;
    stage.owner()?.post::<AddedDestination>("/v1/destinations", &server.destination(url)).await?;
    Ok(stage)
}

async fn order(stage: &Stage, folder: &Path) -> Result<String> {
    let folder = folder.to_str().context("a name that is text")?;
    stage.does(&["add", folder, "--to", "Server"]).await
}

/// An upload that can be ended and begun again.
#[allow(clippy::large_enum_variant, reason = "there is one at a time")]
pub(crate) enum Work<'a> {
    Ours(Box<Stage>),
    Peer { peer: &'a Peer, url: Url, files: &'a Files, state: TempDir, child: Child },
}

impl<'a> Work<'a> {
    /// Begins to upload over a line at `url`; none for a client that cannot recover.
    pub(crate) async fn begin(client: &'a Client, server: &Server, url: &Url, files: &'a Files) -> Result<Option<Self>> {
        Ok(match client {
            Client::Ours => {
                let stage = told(server, url).await?;
                order(&stage, &files.folder()).await?;
                Some(Self::Ours(Box::new(stage)))
            }
            Client::Peer(peer) => {
                let state = tempfile::tempdir()?;
                let child = measure::start(peer.command(url, &files.folder(), state.path())?)?;
                Some(Self::Peer { peer, url: url.clone(), files, state, child })
            }
            Client::OursFromTheOrder | Client::Bare => None,
        })
    }

    /// Kills the process without warning, and starts it as before.
    pub(crate) async fn kill_and_restart(&mut self) -> Result<()> {
        match self {
            Self::Ours(stage) => {
                stage.service()?.kill()?;
                stage.serve().await?;
            }
            Self::Peer { peer, url, files, state, child } => {
                child.kill().await?;
                *child = measure::start(peer.command(url, &files.folder(), state.path())?)?;
            }
        }
        Ok(())
    }

    /// Waits for the end, which need not come, nor be a good one.
    pub(crate) async fn end(&mut self, patience: Duration) {
        let end = async {
            match self {
                Self::Ours(stage) => stage.delivered().await,
                Self::Peer { child, .. } => child.wait().await.map(drop).map_err(anyhow::Error::from),
            }
        };
        // What arrived is asked of the server, never of the client.
        let _ = tokio::time::timeout(patience, end).await;
    }
}
