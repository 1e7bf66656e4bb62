//! Adding, testing and removing destinations.

use std::path::PathBuf;

use afterglow_model::{
    AddDestination, AddedDestination, Connector, Destination, DestinationConfig, DestinationState, DestinationTest, Event,
    Evidence, FailureCode, SetConfig, SetCredential, Visibility, read_fingerprint,
};
use afterglow_queue::NewDestination;
use afterglow_system::Secret;
use afterglow_transfer::{Account, Transfer};
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
/// Further addresses of a destination: each may have to be waited for before the next is tried.
pub(crate) const FURTHER_ADDRESSES_MAX: usize = 4;

/// The name, if a new destination can have it.
pub(crate) async fn check_name(core: &Core, name: &str) -> Answer<String> {
    let name = name.trim().to_owned();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(Refusal::bad("bad_name", format!("A destination needs a name of at most {NAME_CHARS_MAX} characters.")));
    }
    if core.queue.destination(&name).await?.is_some() {
        return Err(Refusal::bad("name_taken", format!("There is a destination called {name} already. Choose another name.")));
    }
    Ok(name)
}

/// Adds a destination once a test upload has gone well.
pub(crate) async fn add(core: &Core, request: AddDestination) -> Answer<AddedDestination> {
    let request = sign_ins::applied(core, request)?;
    let name = check_name(core, &request.name).await?;
    let token = request.token.clone().filter(|token| !token.is_empty());
    let config = checked(request.connector, &request.config)?;
    let (url, mut access) = match request.connector {
        Connector::Resumable
        | Connector::Tus
        | Connector::Immich
        | Connector::Nextcloud
        | Connector::Webdav
        | Connector::S3
        | Connector::GooglePhotos => {
            let url = sign_ins::address(request.connector, &request.url)?;
            let account = Account { config, secret: token.clone(), ..Account::at(url.clone()) };
            (url, account.into())
        }
        Connector::Folder => {
            let dir = archives::folder(&request.url, || None)?;
            archives::mark(&dir).await?;
            let url = Url::from_file_path(&dir).map_err(|()| Refusal::internal("the folder has no URL"))?;
            (url.clone(), Account { config, ..Account::at(url) }.into())
        }
        Connector::Archive => {
            let dir = archives::folder(&request.url, || usual_archive(core))?;
            let access = core.archives.make(&dir).await?;
            (Url::from_file_path(&dir).map_err(|()| Refusal::internal("the folder has no URL"))?, access)
        }
    };
    let test = try_out(core, request.connector, &mut access.account, request.skip_test).await?;
    let test = test.map(|test| said(test, &name));
    let new = NewDestination {
        name,
        connector: request.connector,
        url: url.to_string(),
        config: access.account.config,
        capabilities: test.as_ref().map(|test| test.capabilities.clone()),
        has_credential: token.is_some(),
        app_id: None,
    };
    let destination = core.queue.add_destination(new, clock::wall()).await?;
    if let Some(token) = token
        && let Err(error) = core.secrets.set(&token_handle(&destination.id), Secret::new(token)).await
    {
        // Without its credential it is of no use, and would have the name that the person tries again with.
        core.queue.remove_destination(&destination.id, clock::wall()).await?;
        return Err(secret_refusal(error));
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
                FailureCode::CertificateChanged => Some(DestinationState::CertificateChanged),
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
            DestinationState::QuotaExceeded | DestinationState::AuthRequired | DestinationState::CertificateChanged => {
                core.queue.set_destination_state(&destination.id, DestinationState::Ready, None).await?;
                core.queue.release_destination(&destination.id).await?;
                changed(core).await;
            }
            DestinationState::Ready | DestinationState::Unreachable => {}
        }
    }
    Ok(())
}

/// Changes what the connector has to know, after a test with it: another certificate that is trusted, another wish.
pub(crate) async fn set_config(core: &Core, destination: &Destination, request: SetConfig) -> Answer<Destination> {
    let mut access = core.access(destination).await?;
    let known = &destination.config;
    access.account.config =
        DestinationConfig { former_addresses: known.former_addresses.clone(), ..checked(destination.connector, &request.config)? };
    if access.account.config.addresses != known.addresses {
        return Err(Refusal::bad("bad_config", "Addresses are changed by a call of their own, PUT …/addresses."));
    }
    try_out(core, destination.connector, &mut access.account, request.skip_test).await?;
    core.queue.set_config(&destination.id, access.account.config).await?;
    core.passes.follow_now();
    mended(core, destination).await
}

/// Gives a destination a new credential, after a test with it.
pub(crate) async fn set_credential(core: &Core, destination: &Destination, request: SetCredential) -> Answer<Destination> {
    let token = sign_ins::credential(core, destination, &request)?;
    let url = parse_url(&destination.url)?;
    let user = request.user.filter(|user| !user.trim().is_empty()).or_else(|| destination.config.user.clone());
    let config = DestinationConfig { user, ..destination.config.clone() };
    let account = Account { config, secret: Some(token.clone()), ..Account::at(url) };
    core.transfer.test(destination.connector, &account).await?;
    core.secrets.set(&token_handle(&destination.id), Secret::new(token)).await.map_err(secret_refusal)?;
    core.sign_ins.used(request.sign_in.as_ref());
    core.queue.set_has_credential(&destination.id).await?;
    core.queue.set_config(&destination.id, account.config).await?;
    mended(core, destination).await
}

/// What stood against a destination is mended: what waited for that goes on.
pub(crate) async fn mended(core: &Core, destination: &Destination) -> Answer<Destination> {
    core.queue.set_destination_state(&destination.id, DestinationState::Ready, None).await?;
    core.queue.release_destination(&destination.id).await?;
    changed(core).await;
    core.destination(destination.id.as_str()).await
}

/// Removes a destination. Its open jobs are cancelled; what was delivered stays where it is, and its receipts stay known.
pub(crate) async fn remove(core: &Core, destination: &Destination) -> Answer<()> {
    let access = core.access(destination).await;
    core.queue.remove_destination(&destination.id, clock::wall()).await?;
    changed(core).await;
    if let Ok(access) = access {
        core.transfer.sign_out(destination.connector, &access.account).await;
    }
    if destination.has_credential {
        core.secrets.delete(&token_handle(&destination.id)).await.map_err(secret_refusal)?;
    }
    Ok(())
}

/// Where an archive lies if the person names no place: beside everything else of an explicit home, else in the home folder.
fn usual_archive(core: &Core) -> Option<PathBuf> {
    let explicit = core.home.explicit.as_ref().map(|home| home.join("Archive"));
    explicit.or_else(|| dirs::home_dir().map(|home| home.join("Afterglow Archive"))).and_then(|dir| std::path::absolute(dir).ok())
}

/// What may not be sent at all is refused; the rest is tried out with a real small upload. What the server then says of itself is kept.
async fn try_out(core: &Core, connector: Connector, account: &mut Account, skip: bool) -> Answer<Option<DestinationTest>> {
    if account.socket.is_none() {
        Transfer::allow(connector, account)?;
    }
    account.config.identity = None;
    if skip {
        return Ok(None);
    }
    let test = core.transfer.test(connector, account).await?;
    if !account.config.addresses.is_empty() {
        account.config.identity = core.transfer.identify(connector, account).await?;
    }
    Ok(Some(test))
}

/// What a person has written, in the one spelling that is kept.
fn checked(connector: Connector, config: &DestinationConfig) -> Answer<DestinationConfig> {
    let certificate = match config.certificate.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => Some(read_fingerprint(text).ok_or_else(|| {
            Refusal::bad(
                "bad_certificate",
                format!("{text} is no fingerprint: give the SHA-256 that was shown, 64 hexadecimal digits."),
            )
        })?),
        None => None,
    };
    let by_http = !matches!(connector, Connector::Archive | Connector::Folder);
    if !by_http && (certificate.is_some() || config.cleartext || !config.addresses.is_empty()) {
        return Err(Refusal::bad("bad_config", "A folder has neither a certificate nor a further address."));
    }
    if config.albums && !connector.knows_assets() {
        return Err(Refusal::bad("bad_config", "Albums cannot be made at this kind of destination."));
    }
    if config.albums && config.visibility == Visibility::Locked {
        return Err(Refusal::bad("bad_config", "Locked photos are in no album. Choose one of the two."));
    }
    if config.visibility != Visibility::Timeline && !connector.knows_assets() {
        return Err(Refusal::bad("bad_config", "This kind of destination shows photos in one place only."));
    }
    if config.addresses.len() > FURTHER_ADDRESSES_MAX {
        return Err(Refusal::bad("bad_url", format!("A destination can have {FURTHER_ADDRESSES_MAX} further addresses.")));
    }
    let addresses = config.addresses.iter().map(|address| parse_url(address.trim()).map(String::from)).collect::<Answer<_>>()?;
    Ok(DestinationConfig { certificate, addresses, former_addresses: Vec::new(), ..config.clone() })
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
    let lack = if test.sentence.is_empty() { String::new() } else { format!(" {}", test.sentence) };
    DestinationTest { sentence: format!("{name} works: it {proof}. {resume}{room}{lack}"), ..test }
}

pub(crate) async fn changed(core: &Core) {
    core.tell(Event::DestinationsChanged);
    core.tell(Event::AppsChanged);
    core.command(Command::Reload).await;
}
