//! Signing in in the browser: the person is asked by the server's own page, and what is given for the answer stays here, in memory, until
//! a destination is made of it. Callers know it by an id alone.

mod loopback;

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use afterglow_model::{AddDestination, BeginSignIn, Connector, Destination, SetCredential, SignIn, SignInId, SignInState};
use afterglow_transfer::{Account, OauthClient, SignedIn};
use tokio::task::AbortHandle;
use url::Url;

use self::loopback::Loopback;
use crate::{
    core::{Core, parse_url, secret_refusal, token_handle},
    error::{Answer, Refusal},
};

/// How long the person is waited for, and how long what came of it is kept for use: as long as Nextcloud keeps its question.
const LIFE: Duration = Duration::from_secs(20 * 60);

/// Sign-ins at once; a further one is refused.
const OPEN_MAX: usize = 8;

/// Where Google Photos is.
const GOOGLE_PHOTOS: &str = "https://photoslibrary.googleapis.com/";

/// The sign-ins under way, and those that are done and not used.
#[derive(Default)]
pub(crate) struct SignIns {
    open: Mutex<HashMap<SignInId, Open>>,
}

struct Open {
    connector: Connector,
    account: Account,
    /// None while the person is waited for.
    ended: Option<Result<SignedIn, String>>,
    task: AbortHandle,
}

/// The address of a destination; Google Photos has a usual one.
pub(crate) fn address(connector: Connector, url: &str) -> Answer<Url> {
    parse_url(if connector == Connector::GooglePhotos && url.trim().is_empty() { GOOGLE_PHOTOS } else { url })
}

/// Begins a sign-in. It goes on by itself, until its end or the service's.
pub(crate) async fn begin(core: &Arc<Core>, request: BeginSignIn) -> Answer<SignIn> {
    if core.sign_ins.open().len() >= OPEN_MAX {
        return Err(Refusal::bad("too_many_sign_ins", "Too many sign-ins wait for an answer. Finish or cancel one."));
    }
    let url = address(request.connector, &request.url)?;
    let account = Account { config: request.config.clone(), ..Account::at(url) };
    let transfer = core.transfer.clone();
    match request.connector {
        Connector::Nextcloud => {
            let login = transfer.begin_login(&account).await?;
            let (open_url, waiting) = (login.open_url.clone(), account.clone());
            let flow = async move { transfer.finish_login(&waiting, &login).await.map_err(|failure| failure.message) };
            Ok(core.sign_ins.start(core, request.connector, account, &open_url, flow))
        }
        Connector::GooglePhotos => {
            let client = oauth_client(core, &request).await?;
            let no_port =
                |error: std::io::Error| Refusal::internal(format!("No port for the browser's answer: {error}. Try again."));
            let loopback = Loopback::open().await.map_err(no_port)?;
            let consent = Arc::new(transfer.ask_consent(&account.url, client, &loopback.url().map_err(no_port)?));
            let open_url = consent.open_url.clone();
            let flow = async move {
                let code = loopback.code(consent.clone()).await;
                let code = code.map_err(|error| format!("The browser's answer could not be received: {error}. Sign in again."))?;
                transfer.redeem(&consent, code.map_err(|failure| failure.message)?).await.map_err(|failure| failure.message)
            };
            Ok(core.sign_ins.start(core, request.connector, account, &open_url, flow))
        }
        Connector::Resumable
        | Connector::Archive
        | Connector::Tus
        | Connector::Immich
        | Connector::Webdav
        | Connector::S3
        | Connector::Folder => Err(Refusal::bad("no_sign_in", "Only Nextcloud and Google Photos are signed in to in the browser.")),
    }
}

/// The request with what its sign-in gave, if it names one.
pub(crate) fn applied(core: &Core, mut request: AddDestination) -> Answer<AddDestination> {
    if let Some(id) = &request.sign_in {
        let (user, secret) = core.sign_ins.given(id, request.connector, &address(request.connector, &request.url)?)?;
        request.config.user = user.or(request.config.user);
        request.token = Some(secret);
    }
    Ok(request)
}

/// The new credential of a destination: what its sign-in gave, or what was entered.
pub(crate) fn credential(core: &Core, destination: &Destination, request: &SetCredential) -> Answer<String> {
    match (&request.sign_in, &request.token) {
        (Some(id), _) => {
            let (user, secret) = core.sign_ins.given(id, destination.connector, &parse_url(&destination.url)?)?;
            match user
                .filter(|user| destination.connector == Connector::Nextcloud && destination.config.user.as_ref() != Some(user))
            {
                Some(user) => Err(Refusal::bad(
                    "other_account",
                    format!("You signed in as {user}, and {} is another account's. Sign in there as before.", destination.name),
                )),
                None => Ok(secret),
            }
        }
        (None, Some(token)) => Ok(token.clone()),
        (None, None) => Err(Refusal::bad("no_credential", "Give a token, password or key, or sign in in the browser.")),
    }
}

/// The person's own OAuth client: the one that is given, or that of a destination that was signed in to before.
async fn oauth_client(core: &Core, request: &BeginSignIn) -> Answer<OauthClient> {
    let given = |text: &Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let id = given(&request.config.user);
    if let (Some(id), Some(secret)) = (&id, given(&request.client_secret)) {
        return Ok(OauthClient { id: id.clone(), secret });
    }
    let before = match &request.destination_id {
        // Its secret goes nowhere else.
        Some(before) if core.destination(before.as_str()).await?.url == address(request.connector, &request.url)?.as_str() => {
            core.secrets.get(&token_handle(before)).await.map_err(secret_refusal)?
        }
        Some(_) | None => None,
    };
    let client = before.and_then(|secret| OauthClient::of(secret.expose()));
    client.filter(|client| id.is_none_or(|id| id == client.id)).ok_or_else(|| {
        Refusal::bad("no_oauth_client", "Google Photos needs the id and the secret of an OAuth client of your own. Enter both.")
    })
}

impl SignIns {
    fn open(&self) -> MutexGuard<'_, HashMap<SignInId, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(
        &self,
        core: &Arc<Core>,
        connector: Connector,
        account: Account,
        open_url: &Url,
        flow: impl Future<Output = Result<SignedIn, String>> + Send + 'static,
    ) -> SignIn {
        let id = SignInId(uuid::Uuid::new_v4().simple().to_string());
        // The table is held until the task stands in it.
        let mut open = self.open();
        let task = tokio::spawn(live(core.clone(), id.clone(), flow)).abort_handle();
        open.insert(id.clone(), Open { connector, account, ended: None, task });
        SignIn { id, open_url: open_url.to_string() }
    }

    /// How a sign-in stands.
    pub(crate) fn state(&self, id: &SignInId) -> Answer<SignInState> {
        let open = self.open();
        Ok(match &open.get(id).ok_or_else(gone)?.ended {
            None => SignInState::Waiting,
            Some(Ok(SignedIn { user, .. })) => SignInState::Done { user: user.clone() },
            Some(Err(message)) => SignInState::Failed { message: message.clone() },
        })
    }

    /// What a sign-in that is done has given, only to where it was made.
    fn given(&self, id: &SignInId, connector: Connector, url: &Url) -> Answer<(Option<String>, String)> {
        let open = self.open();
        let sign_in = open.get(id).ok_or_else(gone)?;
        if sign_in.connector != connector || sign_in.account.url.origin() != url.origin() {
            return Err(Refusal::bad("other_address", "You signed in at another address. Sign in again."));
        }
        match &sign_in.ended {
            Some(Ok(SignedIn { user, secret })) => Ok((user.clone(), secret.clone())),
            Some(Err(message)) => Err(Refusal::bad("sign_in_failed", message.clone())),
            None => Err(Refusal::bad("sign_in_waits", "You have not signed in in the browser yet.")),
        }
    }

    /// A sign-in is a destination's now.
    pub(crate) fn used(&self, id: Option<&SignInId>) {
        if let Some(sign_in) = id.and_then(|id| self.open().remove(id)) {
            sign_in.task.abort();
        }
    }

    fn end(&self, id: &SignInId, ended: Result<SignedIn, String>) {
        if let Some(sign_in) = self.open().get_mut(id) {
            sign_in.ended = Some(ended);
        }
    }
}

/// Forgets a sign-in; what it gave is given back where that can be done.
pub(crate) async fn cancel(core: &Core, id: &SignInId) -> Answer<()> {
    let sign_in = core.sign_ins.open().remove(id).ok_or_else(gone)?;
    sign_in.task.abort();
    if let Some(Ok(SignedIn { secret, .. })) = sign_in.ended {
        let account = Account { secret: Some(secret), ..sign_in.account };
        core.transfer.sign_out(sign_in.connector, &account).await;
    }
    Ok(())
}

/// A sign-in from its beginning until nobody has used it in time.
async fn live(core: Arc<Core>, id: SignInId, flow: impl Future<Output = Result<SignedIn, String>>) {
    let waited = tokio::select! {
        waited = tokio::time::timeout(LIFE, flow) => waited,
        () = core.quit.cancelled() => return,
    };
    let ended = match waited {
        Ok(ended) => ended,
        Err(_) => Err("Nobody signed in within 20 minutes. Begin again.".to_owned()),
    };
    core.sign_ins.end(&id, ended);
    tokio::select! {
        () = tokio::time::sleep(LIFE) => {
            let forgotten = tokio::spawn(async move { cancel(&core, &id).await });
            drop(forgotten.await);
        }
        () = core.quit.cancelled() => {}
    }
}

fn gone() -> Refusal {
    Refusal::gone("This sign-in is not there any more; it may be too old. Sign in again.")
}
