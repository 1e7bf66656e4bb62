//! Other programs.

use afterglow_client::model::{
    AccessAnswer, App, AppLogEntry, AssetCollection, AssetId, AssetPage, AuthorizationStatus, Prompt, SetAccess, bytes, count,
};
use anyhow::Context;

use super::Call;
use crate::{Exit, args::AppCommand, output};

/// Tiles asked for in one go.
const PAGE: u64 = 500;

pub(super) async fn run(call: &Call, command: AppCommand) -> anyhow::Result<Exit> {
    match command {
        AppCommand::List => list(call).await?,
        AppCommand::Grant { app, full, album, asset } => {
            let answer = match (full, album, asset) {
                (true, ..) => AccessAnswer::Full,
                (false, Some(album), _) => AccessAnswer::Selected { asset_ids: members(call, &album).await? },
                (false, None, assets) if !assets.is_empty() => {
                    AccessAnswer::Selected { asset_ids: assets.into_iter().map(AssetId).collect() }
                }
                (false, None, _) => anyhow::bail!("say what it may see: --full, --album NAME or --asset ID"),
            };
            set(call, &app, answer).await?;
        }
        AppCommand::Revoke { app } => set(call, &app, AccessAnswer::Deny).await?,
        AppCommand::Log { app } => {
            let app = find(call, &app).await?;
            let log: Vec<AppLogEntry> = call.owner.get(&format!("/v1/apps/{}/log", app.id)).await?;
            if call.json {
                output::json(&log)?;
            } else {
                for entry in log {
                    let at = jiff::Timestamp::from_millisecond(entry.at.0).map(|at| at.to_string()).unwrap_or_default();
                    output::line(format!("{at}  {}", entry.sentence));
                }
            }
        }
    }
    Ok(Exit::Done)
}

async fn list(call: &Call) -> anyhow::Result<()> {
    let apps: Vec<App> = call.owner.get("/v1/apps").await?;
    if call.json {
        return output::json(&apps);
    }
    let rows: Vec<_> = apps
        .iter()
        .map(|app| [app.name.clone(), access(app), bytes(app.bytes_sent), app.executable.clone().unwrap_or_default()])
        .collect();
    output::table(["APP", "MAY SEE", "SENT", "PROGRAM"], &rows);
    Ok(())
}

fn access(app: &App) -> String {
    match app.status {
        AuthorizationStatus::NotDetermined => "asks".to_owned(),
        AuthorizationStatus::Denied => "nothing".to_owned(),
        AuthorizationStatus::Limited => count(app.selected, "selected item", "selected items"),
        AuthorizationStatus::Authorized => "full library".to_owned(),
    }
}

async fn set(call: &Call, name: &str, answer: AccessAnswer) -> anyhow::Result<()> {
    // A question that waits is answered first: the app that asks waits for just that.
    let prompts: Vec<Prompt> = call.owner.get("/v1/prompts").await?;
    let asked = prompts.into_iter().find(|prompt| prompt.app_name == name || prompt.app_id.as_str() == name);
    if let Some(prompt) = asked {
        call.owner.post::<()>(&format!("/v1/prompts/{}", prompt.id), &SetAccess { answer }).await?;
        if call.json {
            return output::json(&find(call, prompt.app_id.as_str()).await?);
        }
        output::line(format!("{} was answered.", prompt.app_name));
        return Ok(());
    }
    let app = find(call, name).await?;
    let app: App = call.owner.put(&format!("/v1/apps/{}/access", app.id), &SetAccess { answer }).await?;
    if call.json {
        return output::json(&app);
    }
    output::line(format!("{} may see: {}.", app.name, access(&app)));
    Ok(())
}

async fn find(call: &Call, name: &str) -> anyhow::Result<App> {
    let apps: Vec<App> = call.owner.get("/v1/apps").await?;
    let mut found = apps.into_iter().filter(|app| app.name == name || app.id.as_str() == name);
    let first = found.next().with_context(|| format!("there is no app called {name}: see `afterglow app list`"))?;
    anyhow::ensure!(found.next().is_none(), "more than one app is called {name}; use its id from `afterglow app list --json`");
    Ok(first)
}

async fn members(call: &Call, album: &str) -> anyhow::Result<Vec<AssetId>> {
    let albums: Vec<AssetCollection> = call.owner.get("/v1/collections").await?;
    let found = albums.into_iter().find(|other| other.id.as_str() == album || other.title.eq_ignore_ascii_case(album));
    let album = found.with_context(|| format!("there is no album called {album}: see `afterglow album list`"))?;
    let mut ids = Vec::new();
    loop {
        let path = format!("/v1/collections/{}/assets?offset={}&limit={PAGE}", album.id, ids.len());
        let page: AssetPage = call.owner.get(&path).await?;
        if page.assets.is_empty() {
            return Ok(ids);
        }
        ids.extend(page.assets.into_iter().map(|tile| tile.id));
    }
}
