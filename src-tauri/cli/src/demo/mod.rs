//! `afterglow demo`: everything at work, end to end, in a home of its own. Real files, the real service and the receiving server that is
//! built into it; at the end every stored file is read and compared.

mod draw;
mod exif;
mod proof;
mod sample;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use afterglow_client::{
    home_from_env,
    model::{
        AddDestination, AddRule, AddSource, AddedDestination, Connector, Destination, Home, JobPage, Settings, SmartAlbum, Source,
        bytes, count,
    },
    owner::Owner,
};
use anyhow::{Context, bail};
use serde_json::Value;

use crate::{Exit, args::DemoArgs, commands::wait, output};

/// What the demo's destination is called.
const ARCHIVE: &str = "Archive";
/// The demo gives up on what does not end: a person would not wait longer either.
const TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// The folders of the demo.
struct Places {
    home: Home,
    photos: PathBuf,
    archive: PathBuf,
}

/// Runs the demo.
pub(crate) async fn run(home: Option<PathBuf>, args: DemoArgs) -> anyhow::Result<Exit> {
    let places = Places::new(home, args.photos.as_deref())?;
    if args.photos.is_none() {
        let drawn = sample::library(&places.photos)?;
        if drawn > 0 {
            output::line(format!("Drew {} in {}", count(drawn, "sample file", "sample files"), places.photos.display()));
        }
    }
    let owner = Owner::connect_or_start(&places.home).await?;
    output::line("The background service runs.");
    let started = std::time::Instant::now();
    set_up(&owner, &places).await?;
    let window = !args.no_window && has_display();
    if window {
        owner.post::<()>("/v1/open", &afterglow_client::model::OpenPane { pane: "library".to_owned() }).await?;
        output::line("A window opens. Close it whenever you like: the uploads go on.");
    }
    let exit = wait::run(&owner, Some(TIMEOUT), false).await?;
    if exit != Exit::Done {
        output::line(format!("Ask why: {} why", command(&places.home)));
        return Ok(exit);
    }
    report(&owner, &places, started.elapsed()).await?;
    if window && !args.stop {
        output::line(format!("The window and the service stay. To end the service: {} quit", command(&places.home)));
    } else {
        owner.post::<()>("/v1/quit", &Value::Null).await?;
    }
    Ok(Exit::Done)
}

impl Places {
    fn new(home: Option<PathBuf>, photos: Option<&Path>) -> anyhow::Result<Self> {
        let explicit = home.or_else(|| std::env::var_os("AFTERGLOW_HOME").map(PathBuf::from));
        let base = std::path::absolute(explicit.unwrap_or_else(|| PathBuf::from(".afterglow/demo")))?;
        std::fs::create_dir_all(&base).with_context(|| format!("{}", base.display()))?;
        let photos = match photos {
            Some(dir) => {
                let dir = std::path::absolute(dir)?;
                anyhow::ensure!(dir.is_dir(), "{} is no folder", dir.display());
                dir
            }
            None => base.join("Photos"),
        };
        Ok(Self { photos, archive: base.join("Archive"), home: home_from_env(Some(base))? })
    }
}

/// Gives the service the folder, the destination and the rule, unless an earlier demo did.
async fn set_up(owner: &Owner, places: &Places) -> anyhow::Result<()> {
    let settings: Settings = owner.get("/v1/settings").await?;
    owner.put::<Settings>("/v1/settings", &Settings { onboarded: true, gather_minutes: 0, ..settings }).await?;
    let destinations: Vec<Destination> = owner.get("/v1/destinations").await?;
    let destination = match destinations.into_iter().find(|destination| destination.name == ARCHIVE) {
        Some(known) => known,
        None => {
            let request = AddDestination {
                connector: Connector::Archive,
                config: Default::default(),
                url: places.archive.to_string_lossy().into_owned(),
                name: ARCHIVE.to_owned(),
                token: None,
                sign_in: None,
                skip_test: false,
            };
            let added: AddedDestination = owner.post("/v1/destinations", &request).await?;
            if let Some(test) = added.test {
                output::line(test.sentence);
            }
            output::line(format!("A receiving server inside the service keeps what arrives in {}", places.archive.display()));
            added.destination
        }
    };
    let path = places.photos.to_string_lossy().into_owned();
    let sources: Vec<Source> = owner.get("/v1/sources").await?;
    if !sources.iter().any(|source| source.path == path) {
        owner.post::<Source>("/v1/sources", &AddSource { path }).await?;
    }
    let rule = AddRule { collection_id: SmartAlbum::AllPhotos.id(), destination_id: destination.id };
    owner.post::<Value>("/v1/rules", &rule).await?;
    output::line(format!("The rule is made: All Photos are kept delivered to {ARCHIVE}."));
    Ok(())
}

/// Says what was delivered, and proves it by reading every stored file.
async fn report(owner: &Owner, places: &Places, took: Duration) -> anyhow::Result<()> {
    let mut receipts = Vec::new();
    let mut cursor = None;
    loop {
        let after = cursor.map(|cursor: String| format!("&cursor={cursor}")).unwrap_or_default();
        let page: JobPage = owner.get(&format!("/v1/jobs?state=succeeded&limit=1000{after}")).await?;
        receipts.extend(page.jobs.into_iter().filter_map(|job| job.receipt));
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    let proof = proof::compare(&places.archive, &receipts)?;
    if !proof.missing.is_empty() {
        bail!(
            "{} not in the archive as they were sent: {}",
            count(proof.missing.len() as u64, "file is", "files are"),
            proof.missing.join(", ")
        );
    }
    output::line(format!(
        "{} ({}) delivered and verified in {:.1} s: every one was read in the archive and has the SHA-256 of its original.",
        count(proof.files, "file", "files"),
        bytes(proof.bytes),
        took.as_secs_f64()
    ));
    output::line(format!("  photos   {}", places.photos.display()));
    output::line(format!("  archive  {}", places.archive.display()));
    output::line(format!("  look     {} status · {0} jobs · {0} open", command(&places.home)));
    Ok(())
}

/// How a person calls this program for this home.
fn command(home: &Home) -> String {
    let program = std::env::current_exe().map_or_else(|_| "afterglow".to_owned(), |exe| exe.display().to_string());
    match &home.explicit {
        Some(dir) => format!("{program} --home {}", dir.display()),
        None => program,
    }
}

fn has_display() -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}
