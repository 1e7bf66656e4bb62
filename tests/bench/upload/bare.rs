//! The least that an uploader of this stack can cost: it hashes a file while it is read, sends it in one request, and goes on. No
//! queue, no journal, no resuming, no proof. It runs as a process of its own, to be measured like the others.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result, ensure};
use reqwest::{Body, Client, RequestBuilder};
use sha2::{Digest, Sha256};

use super::server::{Kind, RECEIVER_TOKEN, Server};
use afterglow_tests::servers::{DAV_SECRET, DAV_USER};

/// The word that this program takes for it.
pub(crate) const WORD: &str = "bare";
/// Requests at once.
const AT_ONCE: usize = 8;
/// Files up to this size are read whole.
const WHOLE: u64 = 4 << 20;
/// Bytes read in one go of others: a system call's cost is lost in it.
const PIECE: usize = 256 * 1024;
/// Pieces read ahead of the line.
const AHEAD: usize = 4;

/// This program as the bare client.
pub(crate) fn command(server: &Server, url: &str, folder: &Path) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([WORD, server.kind.name(), url]).arg(folder);
    Ok(command)
}

/// Sends every file of a folder.
pub(crate) async fn run(words: &[String]) -> Result<()> {
    let [kind, url, folder] = words else { anyhow::bail!("say {WORD} SERVER URL FOLDER") };
    let kind = Kind::read(kind)?;
    let files = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>()?;
    let files = Arc::new(Mutex::new(files));
    let client = Client::new();
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE {
        let (files, client, url) = (files.clone(), client.clone(), url.clone());
        senders.spawn(async move {
            let next = || files.lock().unwrap_or_else(PoisonError::into_inner).pop();
            while let Some(file) = next() {
                send(&client, kind, &url, &file).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(sent) = senders.join_next().await {
        sent??;
    }
    Ok(())
}

async fn send(client: &Client, kind: Kind, url: &str, file: &Path) -> Result<()> {
    let name = file.file_name().and_then(|name| name.to_str()).context("a name")?;
    let len = std::fs::metadata(file)?.len();
    let path = file.to_owned();
    let (digest, body) = if len <= WHOLE {
        let bytes = tokio::task::spawn_blocking(move || std::fs::read(path)).await??;
        (Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect(), Body::from(bytes))
    } else {
        ("UNSIGNED-PAYLOAD".to_owned(), streamed(path))
    };
    let request = request(client, kind, url, name, len, &digest)?;
    let answer = request.header("Content-Length", len).body(body).send().await?;
    ensure!(answer.status().is_success(), "{name}: {}", answer.status());
    answer.bytes().await?;
    Ok(())
}

/// A file that is read and hashed by a thread of its own while it is sent.
fn streamed(path: PathBuf) -> Body {
    let (pieces, taken) = tokio::sync::mpsc::channel::<io::Result<Vec<u8>>>(AHEAD);
    tokio::task::spawn_blocking(move || {
        let mut hasher = Sha256::new();
        let mut read = || {
            let mut file = std::fs::File::open(&path)?;
            loop {
                let mut piece = vec![0; PIECE];
                match file.read(&mut piece)? {
                    0 => return Ok(()),
                    n => piece.truncate(n),
                }
                hasher.update(&piece);
                if pieces.blocking_send(Ok(piece)).is_err() {
                    return Ok(());
                }
            }
        };
        if let Err(error) = read() {
            // Whoever sends it has gone.
            let _ = pieces.blocking_send(Err(error));
        }
        std::hint::black_box(hasher.finalize());
    });
    Body::wrap_stream(futures_util::stream::unfold(taken, async |mut taken| taken.recv().await.map(|piece| (piece, taken))))
}

/// One request that creates the whole file.
fn request(client: &Client, kind: Kind, url: &str, name: &str, len: u64, digest: &str) -> Result<RequestBuilder> {
    let base = url.trim_end_matches('/');
    Ok(match kind {
        Kind::S3 => client.put(format!("{base}/{name}")).header("x-amz-content-sha256", digest),
        Kind::Webdav => client.put(format!("{base}/{name}")).basic_auth(DAV_USER, Some(DAV_SECRET)),
        Kind::Tus => client
            .post(base)
            .header("Tus-Resumable", "1.0.0")
            .header("Upload-Length", len)
            .header("Content-Type", "application/offset+octet-stream"),
        Kind::Sink | Kind::Resumable => client
            .post(url)
            .bearer_auth(RECEIVER_TOKEN)
            .header("Upload-Draft-Interop-Version", "8")
            .header("Upload-Complete", "?1")
            .header("Upload-Length", len)
            .header("Content-Type", "image/jpeg")
            .header("Content-Disposition", format!("attachment; filename=\"{name}\"")),
        Kind::Immich => anyhow::bail!("the bare client sends no forms"),
    })
}
