//! Adding, testing and removing destinations.

use std::path::PathBuf;

use afterglow_model::{
    AddDestination, AddedDestination, Connector, Destination, DestinationState, DestinationTest, Event, Evidence, FailureCode,
    SetCredential,
};
use afterglow_queue::NewDestination;
use afterglow_system::Secret;
use afterglow_transfer::Account;
use url::Url;

use crate::{
    archives, clock,
    core::{Core, parse_url, secret_refusal, token_handle},
    engine::Command,
    error::{Answer, Refusal},
    sign_ins,
};

/// Longest name of a destination, in characters.
const NAME_CHARS_MAX: usize = 80;

/// Adds a destination once a test upload has gone well.
pub(crate) async fn add(core: &Core, request: AddDestination) -> Answer<AddedDestination> {
    let request = sign_ins::applied(core, request)?;
    let name = request.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(Refusal::bad("bad_name", format!("A destination needs a name of at most {NAME_CHARS_MAX} characters.")));
    }
    if core.queue.destination(&name).await?.is_some() {
        return Err(Refusal::bad("name_taken", format!("There is a destination called {name} already. Choose another name.")));
    }
    let token = request.token.clone().filter(|token| !token.is_empty());
    let (url, access) = match request.connector {
        Connector::Resumable
        | Connector::Tus
        | Connector::Immich
        | Connector::Nextcloud
        | Connector::Webdav
        | Connector::S3
        | Connector::GooglePhotos => {
            let url = sign_ins::address(request.connector, &request.url)?;
            let account = Account { config: request.config.clone(), secret: token.clone(), ..Account::at(url.clone()) };
            (url, account.into())
        }
        Connector::Folder => {
            let dir = archives::folder(&request.url, || None)?;
            archives::mark(&dir).await?;
            let url = Url::from_file_path(&dir).map_err(|()| Refusal::internal("the folder has no URL"))?;
            (url.clone(), Account { config: request.config.clone(), ..Account::at(url) }.into())
        }
        Connector::Archive => {
            let dir = archives::folder(&request.url, || usual_archive(core))?;
            let access = core.archives.make(&dir).await?;
            (Url::from_file_path(&dir).map_err(|()| Refusal::internal("the folder has no URL"))?, access)
        }
    };
    let test = if request.skip_test { None } else { Some(run_test(core, &request, &access.account).await?) };
    let new = NewDestination {
        name,
        connector: request.connector,
        url: url.to_string(),
        config: request.config.clone(),
        capabilities: test.as_ref().map(|test| test.capabilities.clone()),
        app_id: None,
    };
    let destination = core.queue.add_destination(new, clock::wall()).await?;
    if let Some(token) = token {
        core.secrets.set(&token_handle(&destination.id), Secret::new(token)).await.map_err(secret_refusal)?;
    }
    core.sign_ins.used(request.sign_in.as_ref());
    changed(core).await;
    Ok(AddedDestination { destination, test })
}

/// Tests a destination with a real small upload, and takes back what stood against it if it went well.
pub(crate) async fn test(core: &Core, destination: &Destination) -> Answer<DestinationTest> {
    let access = core.access(destination).await?;
    let tested = core.transfer.test(destination.connector, &access.account).await;
    match tested {
        Ok(test) => {
            let test = said(test, &destination.name);
            core.queue.set_capabilities(&destination.id, test.capabilities.clone()).await?;
            core.queue.set_destination_state(&destination.id, DestinationState::Ready, None).await?;
            core.queue.release_destination(&destination.id).await?;
            changed(core).await;
            Ok(test)
        }
        Err(failure) => {
            let state = match failure.code {
                FailureCode::AuthenticationRequired => Some(DestinationState::AuthRequired),
                FailureCode::QuotaExceeded => Some(DestinationState::QuotaExceeded),
                FailureCode::ConnectionLost | FailureCode::TimedOut => Some(DestinationState::Unreachable),
                _ => None,
            };
            if let Some(state) = state {
                core.queue.set_destination_state(&destination.id, state, Some(failure.clone())).await?;
                changed(core).await;
            }
            Err(failure.into())
        }
    }
}

/// The person has made room, or means to have mended it: destinations that stood still for them are tried again. One that is not mended
/// says so with the first attempt.
pub(crate) async fn try_again(core: &Core) -> Answer<()> {
    for destination in core.queue.destinations().await? {
        match destination.state {
            DestinationState::QuotaExceeded | DestinationState::AuthRequired => {
                core.queue.set_destination_state(&destination.id, DestinationState::Ready, None).await?;
                core.queue.release_destination(&destination.id).await?;
                changed(core).await;
            }
            DestinationState::Ready | DestinationState::Unreachable => {}
        }
    }
    Ok(())
}

/// Gives a destination a new credential, after a test with it.
pub(crate) async fn set_credential(core: &Core, destination: &Destination, request: &SetCredential) -> Answer<Destination> {
    let token = sign_ins::credential(core, destination, request)?;
    let url = parse_url(&destination.url)?;
    let account = Account { config: destination.config.clone(), secret: Some(token.clone()), ..Account::at(url) };
    core.transfer.test(destination.connector, &account).await?;
    core.secrets.set(&token_handle(&destination.id), Secret::new(token)).await.map_err(secret_refusal)?;
    core.sign_ins.used(request.sign_in.as_ref());
    core.queue.set_destination_state(&destination.id, DestinationState::Ready, None).await?;
    core.queue.release_destination(&destination.id).await?;
    changed(core).await;
    core.destination(destination.id.as_str()).await
}

/// Removes a destination. Its open jobs are cancelled; what was delivered stays where it is, and its receipts stay known.
pub(crate) async fn remove(core: &Core, destination: &Destination) -> Answer<()> {
    let access = core.access(destination).await;
    core.queue.remove_destination(&destination.id, clock::wall()).await?;
    core.secrets.delete(&token_handle(&destination.id)).await.map_err(secret_refusal)?;
    changed(core).await;
    if let Ok(access) = access {
        core.transfer.sign_out(destination.connector, &access.account).await;
    }
    Ok(())
}

/// Where an archive lies if the person names no place: beside everything else of an explicit home, else in the home folder.
fn usual_archive(core: &Core) -> Option<PathBuf> {
    let explicit = core.home.explicit.as_ref().map(|home| home.join("Archive"));
    explicit.or_else(|| dirs::home_dir().map(|home| home.join("Afterglow Archive"))).and_then(|dir| std::path::absolute(dir).ok())
}

async fn run_test(core: &Core, request: &AddDestination, account: &Account) -> Answer<DestinationTest> {
    let test = core.transfer.test(request.connector, account).await?;
    Ok(said(test, request.name.trim()))
}

fn said(test: DestinationTest, name: &str) -> DestinationTest {
    let proof = match test.capabilities.evidence {
        Evidence::Accepted => "accepts uploads, but proves nothing about them",
        Evidence::Sized => "confirms how many bytes it holds",
        Evidence::Hashed => "proves each delivery with a digest",
        Evidence::ReadBack => "lets each delivery be read back",
    };
    let resume = if test.capabilities.resumable { "An interrupted upload goes on where it stopped." } else { "It cannot resume." };
    let room = test.room.map_or_else(String::new, |room| format!(" There is room for {}.", afterglow_model::bytes(room)));
    DestinationTest { sentence: format!("{name} works: it {proof}. {resume}{room}"), ..test }
}

async fn changed(core: &Core) {
    core.tell(Event::DestinationsChanged);
    core.tell(Event::AppsChanged);
    core.command(Command::Reload).await;
}
