//! Destinations and rules.

use afterglow_client::model::{
    AddDestination, AddRule, AddedDestination, Connector, Destination, DestinationConfig, DestinationState, DestinationTest, Rule,
    SetCredential, bytes,
};
use anyhow::Context;
use serde_json::Value;

use super::{Call, read_token, sign_in};
use crate::{
    Exit,
    args::{ConnectorArg, DestinationCommand, RuleCommand},
    output,
};

pub(super) async fn run(call: &Call, command: DestinationCommand) -> anyhow::Result<Exit> {
    match command {
        DestinationCommand::Add {
            connector,
            url,
            name,
            user,
            folder,
            region,
            path_style,
            read_back,
            token_stdin,
            browser,
            no_test,
        } => {
            let (connector, url) = address(connector, url)?;
            let config = DestinationConfig { user: user.or(browser.client_id.clone()), folder, region, path_style, read_back };
            let token = token_stdin.then(read_token).transpose()?;
            let sign_in = if browser.sign_in || connector == Connector::GooglePhotos {
                Some(sign_in::run(call, &browser, sign_in::To { connector, url: &url, config: &config, destination: None }).await?)
            } else {
                None
            };
            let request = AddDestination { connector, url, name, config, token, sign_in, skip_test: no_test };
            let added: AddedDestination = call.owner.post("/v1/destinations", &request).await?;
            if call.json {
                output::json(&added)?;
            } else {
                output::line(
                    added.test.map_or_else(|| format!("{} is added, untested.", added.destination.name), |test| test.sentence),
                );
            }
        }
        DestinationCommand::List => list(call).await?,
        DestinationCommand::Test { name } => {
            let id = find(call, &name).await?.id;
            let test: DestinationTest = call.owner.post(&format!("/v1/destinations/{id}/test"), &Value::Null).await?;
            if call.json {
                output::json(&test)?;
            } else {
                output::line(test.sentence);
            }
        }
        DestinationCommand::SignIn { name, browser } => {
            let Destination { id, connector, url, mut config, .. } = find(call, &name).await?;
            let request = if browser.sign_in || connector == Connector::GooglePhotos {
                config.user = browser.client_id.clone().or(config.user);
                let to = sign_in::To { connector, url: &url, config: &config, destination: Some(&id) };
                SetCredential { token: None, sign_in: Some(sign_in::run(call, &browser, to).await?) }
            } else {
                SetCredential { token: Some(read_token()?), sign_in: None }
            };
            let destination: Destination = call.owner.put(&format!("/v1/destinations/{id}/credential"), &request).await?;
            if call.json {
                output::json(&destination)?;
            } else {
                output::line(format!("{} accepted the new sign-in.", destination.name));
            }
        }
        DestinationCommand::Remove { name } => {
            let destination = find(call, &name).await?;
            call.owner.delete(&format!("/v1/destinations/{}", destination.id)).await?;
            if !call.json {
                output::line(format!("{} is removed. What was delivered stays there.", destination.name));
            }
        }
    }
    Ok(Exit::Done)
}

/// The connector, and its address as the service wants it.
fn address(connector: ConnectorArg, url: Option<String>) -> anyhow::Result<(Connector, String)> {
    let connector = match connector {
        ConnectorArg::Resumable => Connector::Resumable,
        ConnectorArg::Archive => Connector::Archive,
        ConnectorArg::Tus => Connector::Tus,
        ConnectorArg::Immich => Connector::Immich,
        ConnectorArg::Nextcloud => Connector::Nextcloud,
        ConnectorArg::Webdav => Connector::Webdav,
        ConnectorArg::S3 => Connector::S3,
        ConnectorArg::GooglePhotos => Connector::GooglePhotos,
        ConnectorArg::Folder => Connector::Folder,
    };
    let url = match (connector, url) {
        (Connector::Archive | Connector::GooglePhotos, None) => String::new(),
        (Connector::Folder, None) => anyhow::bail!("say which folder: afterglow destination add folder PATH --name NAME"),
        (Connector::Archive | Connector::Folder, Some(dir)) => std::path::absolute(dir)?.to_string_lossy().into_owned(),
        (
            Connector::Resumable
            | Connector::Tus
            | Connector::Immich
            | Connector::Nextcloud
            | Connector::Webdav
            | Connector::S3
            | Connector::GooglePhotos,
            url,
        ) => url.context("say its address: afterglow destination add KIND URL --name NAME")?,
    };
    Ok((connector, url))
}

async fn list(call: &Call) -> anyhow::Result<()> {
    let destinations: Vec<Destination> = call.owner.get("/v1/destinations").await?;
    if call.json {
        return output::json(&destinations);
    }
    if destinations.is_empty() {
        output::line("No destinations yet. Add one: afterglow destination add resumable URL --name NAME");
        return Ok(());
    }
    let rows: Vec<_> = destinations
        .iter()
        .map(|destination| {
            let delivered = format!("{} ({})", destination.delivered, bytes(destination.delivered_bytes));
            [destination.name.clone(), kind(destination.connector), destination.url.clone(), state(destination), delivered]
        })
        .collect();
    output::table(["NAME", "KIND", "ADDRESS", "STATE", "DELIVERED"], &rows);
    Ok(())
}

fn kind(connector: Connector) -> String {
    let word = match connector {
        Connector::Resumable => "resumable",
        Connector::Archive => "archive",
        Connector::Tus => "tus",
        Connector::Immich => "Immich",
        Connector::Nextcloud => "Nextcloud",
        Connector::Webdav => "WebDAV",
        Connector::S3 => "S3",
        Connector::GooglePhotos => "Google Photos",
        Connector::Folder => "folder",
    };
    word.to_owned()
}

fn state(destination: &Destination) -> String {
    let word = match destination.state {
        DestinationState::Ready => "ready",
        DestinationState::AuthRequired => "sign in again",
        DestinationState::Unreachable => "does not answer",
        DestinationState::QuotaExceeded => "no room left",
    };
    word.to_owned()
}

pub(super) async fn find(call: &Call, name: &str) -> anyhow::Result<Destination> {
    let destinations: Vec<Destination> = call.owner.get("/v1/destinations").await?;
    let found = destinations.into_iter().find(|destination| destination.name == name || destination.id.as_str() == name);
    found.with_context(|| format!("there is no destination called {name}: see `afterglow destination list`"))
}

pub(super) async fn rules(call: &Call, command: RuleCommand) -> anyhow::Result<Exit> {
    match command {
        RuleCommand::Add { album, to } => {
            let request = AddRule { collection_id: album.into(), destination_id: find(call, &to).await?.id };
            let rule: Rule = call.owner.post("/v1/rules", &request).await?;
            if call.json {
                output::json(&rule)?;
            } else {
                output::line(format!("{} is kept delivered to {to}.", rule.collection_title));
            }
        }
        RuleCommand::List => {
            let rules: Vec<Rule> = call.owner.get("/v1/rules").await?;
            if call.json {
                output::json(&rules)?;
            } else {
                let destinations: Vec<Destination> = call.owner.get("/v1/destinations").await?;
                let name = |rule: &Rule| {
                    let found = destinations.iter().find(|destination| destination.id == rule.destination_id);
                    found.map_or_else(String::new, |destination| destination.name.clone())
                };
                let rows: Vec<_> =
                    rules.iter().map(|rule| [rule.id.to_string(), rule.collection_title.clone(), name(rule)]).collect();
                output::table(["ID", "ALBUM", "TO"], &rows);
            }
        }
        RuleCommand::Remove { id } => {
            call.owner.delete(&format!("/v1/rules/{id}")).await?;
            if !call.json {
                output::line("The rule is removed. What was delivered stays.");
            }
        }
    }
    Ok(Exit::Done)
}
