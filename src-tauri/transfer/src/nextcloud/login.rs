//! Signing in to Nextcloud in the browser ("Login flow v2" of its developer manual): the person says yes to a page of the server's own,
//! and the server makes a password for this computer alone. No password of the person's comes here.

use std::time::Duration;

use afterglow_model::{Connector, Failure, FailureClass, FailureCode};
use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{
    Method, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio_util::sync::CancellationToken;
use url::{Url, form_urlencoded};

use super::{OCS_APIREQUEST, server_of, user_id};
use crate::{
    dav::beneath,
    destination::Setback,
    failure,
    order::Account,
    payload::Payload,
    sign_in::SignedIn,
    transfer::Shared,
    trial::failure_of,
    wire::{Answer, Wire},
};

/// How often the server is asked whether the person has said yes.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// A page at which the person is asked, and where the answer is to be had.
pub struct Login {
    /// To be opened in the browser.
    pub open_url: Url,
    endpoint: Url,
    token: String,
}

/// What the secret store holds of a sign-in: a password of the server's own, and the name that it belongs to. Signed in by an e-mail
/// address, that is another than the name in paths. A password that was entered by hand stands in the store as it is.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Credential {
    login_name: String,
    app_password: String,
}

#[derive(Deserialize)]
struct Begun {
    poll: Poll,
    login: String,
}

#[derive(Deserialize)]
struct Poll {
    token: String,
    endpoint: String,
}

impl Credential {
    pub(crate) fn of(secret: &str) -> Option<Self> {
        serde_json::from_str(secret).ok()
    }

    /// The value of `Authorization`.
    pub(crate) fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.login_name, self.app_password)))
    }
}

impl Login {
    pub(crate) async fn begin(shared: &Shared, account: &Account) -> Result<Self, Failure> {
        let cancel = CancellationToken::new();
        let wire = Wire::new(shared, Connector::Nextcloud, account, &[], &cancel)?;
        let url = beneath(&server_of(wire.url()), ["index.php", "login", "v2"]);
        let answer = wire.exchange(Method::POST, &url, HeaderMap::new(), Payload::empty()).await.map_err(failure_of)?;
        if answer.status == StatusCode::NOT_FOUND {
            let message = format!("{} is no Nextcloud server at this address. Check the address.", wire.host());
            return Err(failure::failure(FailureClass::NeedsUser, FailureCode::ProtocolUnsupported, message));
        }
        let Begun { poll, login } = read(&wire, &answer).map_err(failure_of)?;
        // A browser opens more than web pages, and the token is as good as a password.
        let own = |named: &str| wire.resolve(&url, named).map_err(|_| elsewhere(wire.host(), named));
        Ok(Self { open_url: own(&login)?, endpoint: own(&poll.endpoint)?, token: poll.token })
    }

    /// Waits until the person has said yes.
    pub(crate) async fn finish(&self, shared: &Shared, account: &Account) -> Result<SignedIn, Failure> {
        let cancel = CancellationToken::new();
        let wire = Wire::new(shared, Connector::Nextcloud, account, &[], &cancel)?;
        // The server hands it out once.
        let credential = loop {
            match or_later(self.poll(&wire).await)? {
                Some(credential) => break credential,
                None => tokio::time::sleep(ASK_EVERY).await,
            }
        };
        let wire = Wire::new(shared, Connector::Nextcloud, account, &[("authorization", credential.basic())], &cancel)?;
        let user = loop {
            match or_later(user_id(&wire, &server_of(wire.url())).await.map(Some))? {
                Some(user) => break user,
                None => tokio::time::sleep(ASK_EVERY).await,
            }
        };
        let secret = serde_json::to_string(&credential).map_err(|error| failure::internal(&error.to_string()))?;
        Ok(SignedIn { user, secret })
    }

    /// None as long as the person has not said yes.
    async fn poll(&self, wire: &Wire<'_>) -> Result<Option<Credential>, Setback> {
        let mut headers = HeaderMap::with_capacity(2);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let form = form_urlencoded::Serializer::new(String::new()).append_pair("token", &self.token).finish();
        let answer = wire.exchange(Method::POST, &self.endpoint, headers, Payload::Whole(form.into())).await?;
        if answer.status == StatusCode::NOT_FOUND { Ok(None) } else { read(wire, &answer).map(Some) }
    }
}

/// Has the server forget a password that it made for a sign-in. Best effort; one that was entered by hand is the person's.
pub(crate) async fn sign_out(shared: &Shared, account: &Account) {
    let Some(credential) = account.secret.as_deref().and_then(Credential::of) else { return };
    let cancel = CancellationToken::new();
    let forget = async {
        let wire = Wire::new(shared, Connector::Nextcloud, account, &[("authorization", credential.basic())], &cancel)
            .map_err(Setback::Failed)?;
        let mut headers = HeaderMap::with_capacity(2);
        headers.insert(OCS_APIREQUEST, HeaderValue::from_static("true"));
        let url = beneath(&server_of(wire.url()), ["ocs", "v2.php", "core", "apppassword"]);
        wire.exchange(Method::DELETE, &url, headers, Payload::empty()).await
    };
    match forget.await {
        Ok(answer) if answer.status.is_success() => {}
        Ok(answer) => tracing::info!(status = %answer.status, "an app password was left at a Nextcloud server"),
        Err(setback) => tracing::info!(?setback, "an app password was left at a Nextcloud server"),
    }
}

fn read<T: DeserializeOwned>(wire: &Wire<'_>, answer: &Answer) -> Result<T, Setback> {
    if !answer.status.is_success() {
        return Err(Setback::Failed(answer.failure(wire.host())));
    }
    serde_json::from_slice(&answer.body)
        .map_err(|_| Setback::Failed(failure::unexpected(wire.host(), "not in the way that Nextcloud signs in")))
}

/// None where the same question may be answered later. Who waits for it says for how long.
fn or_later<T>(asked: Result<Option<T>, Setback>) -> Result<Option<T>, Failure> {
    match asked.map_err(failure_of) {
        Err(failure) if failure.class == FailureClass::Transient => Ok(None),
        answered => answered,
    }
}

fn elsewhere(host: &str, named: &str) -> Failure {
    let named: String = named.chars().filter(|c| !c.is_control()).take(80).collect();
    let message = format!(
        "{host} wants you to sign in at another address ({named}). Enter the server's own address, or have overwrite.cli.url and \
         overwriteprotocol corrected there."
    );
    failure::failure(FailureClass::NeedsUser, FailureCode::DestinationNotAllowed, message)
}
