//! Destinations and rules.

use std::time::Duration;

use afterglow_client::model::{
    AddDestination, AddRule, AddedDestination, Connector, Destination, DestinationConfig, DestinationState, DestinationTest,
    FoundReceiver, PairReceiver, Rule, SetConfig, SetCredential, Versions, Visibility, bytes,
};
use anyhow::Context;
use serde_json::Value;

use super::{Call, addresses, certificate, read_token, sign_in};
use crate::{
    Exit,
    args::{ConnectorArg, DestinationCommand, RuleCommand, Switch},
    output,
};

/// How long a receiver of a given name is searched for.
const SEARCH: Duration = Duration::from_secs(5);

pub(super) async fn run(call: &Call, command: DestinationCommand) -> anyhow::Result<Exit> {
    match command {
        DestinationCommand::Add { connector: ConnectorArg::Receiver, url, name, code, .. } => {
            let code = code.context("say the code that the receiver shows: --code 1234-5678")?;
            let url = receiver(call, &url.context("say its URL, or its name in `afterglow destination discover`")?).await?;
            let added: AddedDestination = call.owner.post("/v1/receivers", &PairReceiver { url, name, code }).await?;
            say_added(call, added)?;
        }
        DestinationCommand::Discover { timeout } => discovered(call, timeout).await?,
        DestinationCommand::Add {
            connector,
            url,
            name,
            code: _,
            user,
            folder,
            region,
            path_style,
            layout,
            read_back,
            albums,
            visibility,
            versions,
            also: addresses,
            trust_certificate: certificate,
            open,
            token_stdin,
            browser,
            no_test,
        } => {
            let (connector, url) = address(connector, url)?;
            let config = DestinationConfig {
                user: user.or(browser.client_id.clone()),
                folder,
                region,
                path_style,
                layout: layout.into(),
                read_back,
                versions: versions.into(),
                certificate,
                cleartext: open.cleartext,
                addresses,
                former_addresses: Vec::new(),
                identity: None,
                albums,
                visibility: visibility.into(),
            };
            let token = token_stdin.then(read_token).transpose()?;
            let sign_in = if browser.sign_in || connector == Connector::GooglePhotos {
                Some(sign_in::run(call, &browser, sign_in::To { connector, url: &url, config: &config, destination: None }).await?)
            } else {
                None
            };
            let request = AddDestination { connector, url, name, config, token, sign_in, skip_test: no_test };
            add(call, request).await?;
        }
        DestinationCommand::List => list(call).await?,
        DestinationCommand::Test { name } => {
            let id = find(call, &name).await?.id;
            let tested: Result<DestinationTest, _> = call.owner.post(&format!("/v1/destinations/{id}/test"), &Value::Null).await;
            let test = tested.map_err(|error| certificate::how_to_trust(error, &name))?;
            if call.json {
                output::json(&test)?;
            } else {
                output::line(test.sentence);
            }
        }
        DestinationCommand::SignIn { name, user, browser } => {
            let Destination { id, connector, url, mut config, .. } = find(call, &name).await?;
            let request = if browser.sign_in || connector == Connector::GooglePhotos {
                config.user = browser.client_id.clone().or(config.user);
                let to = sign_in::To { connector, url: &url, config: &config, destination: Some(&id) };
                SetCredential { user: None, token: None, sign_in: Some(sign_in::run(call, &browser, to).await?) }
            } else {
                SetCredential { user, token: Some(read_token()?), sign_in: None }
            };
            let signed_in: Result<Destination, _> = call.owner.put(&format!("/v1/destinations/{id}/credential"), &request).await;
            let destination = signed_in.map_err(|error| certificate::how_to_trust(error, &name))?;
            if call.json {
                output::json(&destination)?;
            } else {
                output::line(format!("{} accepted the new sign-in.", destination.name));
            }
        }
        DestinationCommand::Trust { name, sha256 } => {
            let found = find(call, &name).await?;
            let config = DestinationConfig { certificate: Some(sha256), ..found.config.clone() };
            configure(call, &found, config, format!("{name} is trusted by this certificate alone.")).await?;
        }
        DestinationCommand::Versions { name, versions } => {
            let found = find(call, &name).await?;
            let versions = Versions::from(versions);
            let config = DestinationConfig { versions, ..found.config.clone() };
            configure(call, &found, config, format!("{name} gets {} from now on.", versions_in_words(versions))).await?;
        }
        DestinationCommand::Albums { name, wish } => {
            let found = find(call, &name).await?;
            let config = DestinationConfig { albums: wish == Switch::On, ..found.config.clone() };
            let said = match wish {
                Switch::On => format!("{name} gets the library's albums from now on, with what was delivered."),
                Switch::Off => format!("{name} gets no albums any more. Those that are there stay."),
            };
            configure(call, &found, config, said).await?;
        }
        DestinationCommand::Visibility { name, visibility } => {
            let found = find(call, &name).await?;
            let visibility = Visibility::from(visibility);
            let shown = match visibility {
                Visibility::Timeline => "in the timeline",
                Visibility::Archive => "in the archive",
                Visibility::Locked => "in the locked folder",
            };
            let config = DestinationConfig { visibility, ..found.config.clone() };
            configure(call, &found, config, format!("{name} shows photos {shown} from now on.")).await?;
        }
        DestinationCommand::Address { name, command } => {
            let found = find(call, &name).await?;
            addresses::run(call, &found, command).await?;
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

/// Adds a destination. A certificate that nobody vouches for is shown, and asked about where somebody can answer.
async fn add(call: &Call, mut request: AddDestination) -> anyhow::Result<()> {
    let added: AddedDestination = match call.owner.post("/v1/destinations", &request).await {
        Ok(added) => added,
        Err(error) => {
            request.config.certificate = Some(certificate::trusted(error)?);
            call.owner.post("/v1/destinations", &request).await?
        }
    };
    say_added(call, added)
}

fn say_added(call: &Call, added: AddedDestination) -> anyhow::Result<()> {
    if call.json {
        return output::json(&added);
    }
    output::line(added.test.map_or_else(|| format!("{} is added, untested.", added.destination.name), |test| test.sentence));
    Ok(())
}

async fn search(call: &Call, time: Duration) -> anyhow::Result<Vec<FoundReceiver>> {
    Ok(call.owner.get(&format!("/v1/receivers?timeout_ms={}", time.as_millis())).await?)
}

async fn discovered(call: &Call, time: Duration) -> anyhow::Result<()> {
    let found = search(call, time).await?;
    if call.json {
        return output::json(&found);
    }
    if found.is_empty() {
        output::line("No receiver announces itself here. Start one there: afterglow receive --announce NAME …");
        return Ok(());
    }
    let rows: Vec<_> = found.into_iter().map(|found| [found.name, found.url]).collect();
    output::table(["NAME", "ADDRESS"], &rows);
    Ok(())
}

/// The URL of a receiver, by its URL or by the name that exactly one announces.
async fn receiver(call: &Call, named: &str) -> anyhow::Result<String> {
    if named.contains("://") {
        return Ok(named.to_owned());
    }
    let mut found = search(call, SEARCH).await?;
    found.retain(|found| found.name == named);
    match found.as_slice() {
        [one] => Ok(one.url.clone()),
        [] => anyhow::bail!("no receiver here calls itself {named}: see `afterglow destination discover`, or give its URL"),
        [_, ..] => {
            anyhow::bail!("several receivers call themselves {named}: give the URL of yours, see `afterglow destination discover`")
        }
    }
}

/// Changes what a destination's connector has to know.
async fn configure(call: &Call, found: &Destination, config: DestinationConfig, said: String) -> anyhow::Result<()> {
    let request = SetConfig { config, skip_test: false };
    let changed: Result<Destination, _> = call.owner.put(&format!("/v1/destinations/{}/config", found.id), &request).await;
    let changed = changed.map_err(|error| certificate::how_to_trust(error, &found.name))?;
    if call.json {
        return output::json(&changed);
    }
    output::line(said);
    Ok(())
}

fn versions_in_words(versions: Versions) -> &'static str {
    match versions {
        Versions::Both => "originals and edits",
        Versions::Originals => "originals alone",
        Versions::Edits => "edits, and originals where there is no edit,",
    }
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
        ConnectorArg::Receiver => Connector::Resumable,
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
            let addresses = destination.addresses().collect::<Vec<_>>().join(" ");
            [destination.name.clone(), kind(destination.connector), addresses, state(destination), delivered]
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
        DestinationState::CertificateChanged => "certificate changed",
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
