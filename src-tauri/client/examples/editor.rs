//! An editor that hands over an upload and quits.
//!
//! ```text
//! cargo run -p afterglow-client --example editor -- --send-to URL [--token TOKEN] [--key FILE] [--home DIR]
//! ```
//!
//! The first run asks for access, hands over the newest photo it may see, and quits at once. The next run reads what became of it
//! and acknowledges it.
#![allow(clippy::print_stdout, reason = "an example talks to a person")]

use std::{collections::BTreeMap, path::PathBuf};

use afterglow_client::{
    AppClient,
    model::{CreateJob, DestinationRequest, JobAction, JobBody, JobState, PairRequest, SmartAlbum, UploadJobOptions},
};
use anyhow::{Context, Result, bail};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::from_args()?;
    let app = AppClient::connect(
        options.home,
        &options.key,
        &PairRequest { name: "Reel Editor".to_owned(), url_bases: vec![options.send_to.clone()] },
    )
    .await?;

    let ended = app.fetch_jobs(JobAction::Acknowledge, None).await?.jobs;
    for job in &ended {
        match (job.state, &job.receipt) {
            (JobState::Succeeded, Some(receipt)) => println!("{}: {}", job.filename, receipt.evidence.sentence()),
            _ => println!("{}: {}", job.filename, job.failure.as_ref().map_or("ended", |failure| failure.message.as_str())),
        }
    }
    if !ended.is_empty() {
        let acknowledged = app.acknowledge(ended.into_iter().map(|job| job.id).collect()).await?;
        println!("acknowledged {acknowledged}");
        return Ok(());
    }

    let newest = app.assets(&SmartAlbum::AllPhotos.id(), 0, 1).await?.assets;
    let Some(photo) = newest.first() else { bail!("no photo to see: was access given?") };
    let resources = app.resources(&photo.id).await?;
    let original = resources.first().context("the photo has no file")?;
    let headers: BTreeMap<_, _> =
        options.token.iter().map(|token| ("authorization".to_owned(), format!("Bearer {token}"))).collect();
    let job = app
        .create_job(&CreateJob {
            asset_id: photo.id.clone(),
            resource_id: original.id.clone(),
            destination: DestinationRequest { url: options.send_to, headers },
            body: JobBody::Resumable,
            after: None,
            client_reference: Some(format!("reel-{}", photo.id)),
            options: UploadJobOptions::default(),
        })
        .await?;
    println!("handed over {} as {}", job.filename, job.id);
    Ok(())
}

struct Options {
    send_to: String,
    token: Option<String>,
    key: PathBuf,
    home: Option<PathBuf>,
}

impl Options {
    fn from_args() -> Result<Self> {
        let mut given = BTreeMap::new();
        let mut args = std::env::args().skip(1);
        while let Some(name) = args.next() {
            given.insert(name.clone(), args.next().with_context(|| format!("{name} wants a value"))?);
        }
        Ok(Self {
            send_to: given.remove("--send-to").context("--send-to URL is missing")?,
            token: given.remove("--token"),
            key: given.remove("--key").map_or_else(|| PathBuf::from("editor-key.json"), PathBuf::from),
            home: given.remove("--home").map(PathBuf::from),
        })
    }
}
