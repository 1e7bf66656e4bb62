//! The servers that are uploaded to.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use afterglow_model::{AddDestination, Connector, DestinationConfig};
use afterglow_tests::{
    model_server::ModelServer,
    servers::{self, DAV_SECRET, DAV_USER, Running},
    stage::{Receiver, Stage, files_below},
};
use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use url::Url;

#[allow(dead_code, clippy::unwrap_used, reason = "a test's model of a server, of which only the serving is needed here")]
#[path = "../../conformance/connectors/immich/server.rs"]
mod immich;

use self::immich::ImmichServer;
use super::sink::Sink;

pub(crate) const BUCKET: &str = "pictures";
pub(crate) const S3_KEY: &str = "AKIDEXAMPLE";
pub(crate) const S3_SECRET: &str = "canary-secret";
/// What [`Stage::receiver`] is started with.
pub(crate) const RECEIVER_TOKEN: &str = "a token";
pub(crate) use self::immich::KEY as IMMICH_KEY;

/// The protocols of servers here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sink,
    S3,
    Tus,
    Webdav,
    Resumable,
    Immich,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] = [Self::Sink, Self::S3, Self::Tus, Self::Webdav, Self::Resumable, Self::Immich];

    pub(crate) fn read(name: &str) -> Result<Self> {
        let names = Self::ALL.map(Self::name).join(", ");
        Self::ALL.into_iter().find(|kind| kind.name() == name).with_context(|| format!("no server {name}: say one of {names}"))
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sink => "sink",
            Self::S3 => "s3",
            Self::Tus => "tus",
            Self::Webdav => "webdav",
            Self::Resumable => "resumable",
            Self::Immich => "immich",
        }
    }
}

/// A server under way, and where it keeps things.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    dir: TempDir,
    at: Place,
}

enum Place {
    Sink(Sink),
    /// One that keeps its files in `files`.
    Folder(Running),
    Moto(Running),
    Receiver(Box<(Stage, Receiver)>),
    Immich(ModelServer<ImmichServer>),
}

impl Server {
    /// Starts it; none if it is not installed.
    pub(crate) async fn start(kind: Kind) -> Result<Option<Self>> {
        let dir = tempfile::tempdir()?;
        let files = dir.path().join("files");
        fs::create_dir(&files)?;
        // Apache does not serve as the user that it was started by.
        for open in [dir.path(), &files] {
            fs::set_permissions(open, fs::Permissions::from_mode(0o777))?;
        }
        let at = match kind {
            Kind::Sink => Some(Place::Sink(Sink::start().await?)),
            Kind::S3 => servers::moto(BUCKET).await?.map(Place::Moto),
            Kind::Tus => servers::tus(&files, u64::MAX >> 12).await?.map(Place::Folder),
            Kind::Webdav => servers::apache(dir.path(), &files).await?.map(Place::Folder),
            Kind::Resumable => Some(receiver().await?),
            Kind::Immich => Some(Place::Immich(ModelServer::start(ImmichServer::default()).await?)),
        };
        Ok(at.map(|at| Self { kind, dir, at }))
    }

    pub(crate) fn title(&self) -> &'static str {
        match self.kind {
            Kind::Sink => "a server that costs nothing (resumable uploads, IETF draft)",
            Kind::S3 => "S3: moto (keeps the clients waiting: compare processor time)",
            Kind::Tus => "tus 1.0: @tus/server",
            Kind::Webdav => "WebDAV: Apache mod_dav",
            Kind::Resumable => "resumable uploads (IETF draft): afterglow receive",
            Kind::Immich => "Immich: the model server of the tests",
        }
    }

    /// Where uploads go.
    pub(crate) fn url(&self) -> Result<Url> {
        Ok(match &self.at {
            Place::Folder(running) if self.kind == Kind::Tus => format!("{}/files", running.origin()).parse()?,
            Place::Folder(running) => running.origin().parse()?,
            Place::Moto(running) => format!("{}/{BUCKET}", running.origin()).parse()?,
            Place::Receiver(place) => place.1.url.clone(),
            Place::Sink(sink) => sink.url()?,
            Place::Immich(server) => server.origin().parse()?,
        })
    }

    /// Forgets everything.
    pub(crate) async fn empty(&mut self) -> Result<()> {
        match &mut self.at {
            Place::Folder(_) => {
                for entry in fs::read_dir(self.dir.path().join("files"))? {
                    let path = entry?.path();
                    if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
                }
            }
            Place::Moto(running) => {
                let client = reqwest::Client::new();
                client.post(format!("{}/moto-api/reset", running.origin())).send().await?.error_for_status()?;
                client.put(format!("{}/{BUCKET}", running.origin())).send().await?.error_for_status()?;
            }
            // What it stored is in its ledger too.
            at @ Place::Receiver(_) => *at = receiver().await?,
            Place::Immich(server) => server.with(|server| *server = ImmichServer::default()),
            Place::Sink(sink) => sink.empty(),
        }
        Ok(())
    }

    /// Whether it has files of all these sizes.
    pub(crate) async fn holds(&self, sizes: &[u64]) -> Result<bool> {
        let mut stored = self.stored().await?;
        Ok(sizes.iter().all(|size| stored.iter().position(|has| has == size).map(|at| stored.swap_remove(at)).is_some()))
    }

    async fn stored(&self) -> Result<Vec<u64>> {
        Ok(match &self.at {
            Place::Folder(_) => sizes(&self.dir.path().join("files"))?,
            Place::Receiver(place) => sizes(&place.1.dir)?,
            Place::Sink(sink) => sink.sizes(),
            Place::Moto(running) => listed(&format!("{}/{BUCKET}", running.origin())).await?,
            Place::Immich(server) => server.with(|server| server.assets.values().map(|asset| asset.bytes.len() as u64).collect()),
        })
    }

    /// The destination at `url`, as our program is told of it.
    pub(crate) fn destination(&self, url: &Url) -> AddDestination {
        let user = |user: &str| DestinationConfig { user: Some(user.to_owned()), ..Default::default() };
        let (connector, config, token) = match self.kind {
            Kind::S3 => (Connector::S3, DestinationConfig { path_style: Some(true), ..user(S3_KEY) }, Some(S3_SECRET)),
            Kind::Tus => (Connector::Tus, DestinationConfig::default(), None),
            Kind::Webdav => (Connector::Webdav, user(DAV_USER), Some(DAV_SECRET)),
            Kind::Sink | Kind::Resumable => (Connector::Resumable, DestinationConfig::default(), Some(RECEIVER_TOKEN)),
            Kind::Immich => (Connector::Immich, DestinationConfig::default(), Some(IMMICH_KEY)),
        };
        let token = token.map(str::to_owned);
        AddDestination {
            connector,
            config,
            url: url.to_string(),
            name: "Server".to_owned(),
            token,
            sign_in: None,
            skip_test: false,
        }
    }
}

async fn receiver() -> Result<Place> {
    let stage = Stage::empty()?;
    let receiver = stage.receiver("archive").await?;
    Ok(Place::Receiver(Box::new((stage, receiver))))
}

/// Sizes of the files beneath a folder, without descriptions beside them.
fn sizes(dir: &Path) -> Result<Vec<u64>> {
    let files = files_below(dir)?.into_values().filter(|path: &PathBuf| path.extension().is_none_or(|kind| kind != "json"));
    files.map(|path| Ok(fs::metadata(path)?.len())).collect()
}

/// Sizes of a bucket's objects (`ListObjectsV2`).
async fn listed(bucket: &str) -> Result<Vec<u64>> {
    let (client, mut sizes, mut after) = (reqwest::Client::new(), Vec::new(), String::new());
    loop {
        let asked = client.get(bucket).query(&[("list-type", "2"), ("start-after", &after)]);
        let page = asked.send().await?.error_for_status()?.text().await?;
        let all = |name: &str| {
            let (open, close) = (format!("<{name}>"), format!("</{name}>"));
            page.split(&open).skip(1).filter_map(|rest| Some(rest.split_once(&close)?.0.to_owned())).collect::<Vec<_>>()
        };
        for size in all("Size") {
            sizes.push(size.parse()?);
        }
        match all("Key").pop() {
            Some(last) if page.contains("<IsTruncated>true") => after = last,
            Some(_) | None => return Ok(sizes),
        }
        if sizes.len() > 1_000_000 {
            bail!("a list without an end");
        }
    }
}
