//! Google's way in for programs on a computer ("OAuth 2.0 for iOS & Desktop Apps"; RFC 6749, RFC 7636, RFC 8252), by an OAuth client that
//! the person has made: Google grants so few requests to one client that all of Afterglow could not share one.

use std::sync::Arc;

use afterglow_model::{Connector, Failure, FailureClass, FailureCode};
use futures_util::{FutureExt, future::BoxFuture};
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope,
    TokenResponse, TokenUrl,
    basic::{BasicClient, BasicErrorResponse, BasicErrorResponseType, BasicTokenResponse},
};
use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use url::{Url, form_urlencoded};

use crate::{
    destination::Setback, failure, order::Account, payload::Payload, sign_in::OauthClient, transfer::Shared, trial::failure_of,
    wire::Wire,
};

/// Adding photos and albums, and seeing and arranging what was added. Without the first nothing works.
const SCOPES: [&str; 3] = [
    "https://www.googleapis.com/auth/photoslibrary.appendonly",
    "https://www.googleapis.com/auth/photoslibrary.readonly.appcreateddata",
    "https://www.googleapis.com/auth/photoslibrary.edit.appcreateddata",
];

/// Where the API is; everything else speaks the protocol at places of its own.
const API_HOST: &str = "photoslibrary.googleapis.com";

/// What the secret store holds of a sign-in.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Grant {
    client_id: String,
    client_secret: String,
    refresh_token: String,
}

/// A page at which the person is asked, and what its answer has to fit.
pub struct Consent {
    /// To be opened in the browser.
    pub open_url: Url,
    endpoints: Endpoints,
    client: OauthClient,
    redirect: RedirectUrl,
    state: CsrfToken,
    verifier: String,
}

/// Where the person is asked and where tokens are given.
struct Endpoints {
    authorization: Url,
    token: Url,
    /// What is said of the API's host in sentences.
    host: String,
}

/// How requests of OAuth are made: as every request is.
struct Line {
    shared: Arc<Shared>,
    cancel: CancellationToken,
}

/// The request was not answered as OAuth answers.
#[derive(Debug, thiserror::Error)]
#[error("no answer of OAuth")]
struct Unanswered(Setback);

type Refused = RequestTokenError<Unanswered, BasicErrorResponse>;
type Client = BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

impl Grant {
    pub(crate) fn of(secret: &str) -> Option<Self> {
        serde_json::from_str(secret).ok()
    }

    pub(crate) fn client(&self) -> OauthClient {
        OauthClient { id: self.client_id.clone(), secret: self.client_secret.clone() }
    }

    /// A new access token, and the seconds for which it is good if Google says.
    pub(super) async fn refresh(
        &self,
        shared: Arc<Shared>,
        api: &Url,
        cancel: &CancellationToken,
    ) -> Result<(String, Option<u64>), Setback> {
        let endpoints = Endpoints::of(api);
        let client = endpoints.client(&self.client());
        let token = RefreshToken::new(self.refresh_token.clone());
        let line = Line { shared, cancel: cancel.clone() };
        let answered = client.exchange_refresh_token(&token).request_async(&line).boxed().await;
        let answer: BasicTokenResponse = answered.map_err(|refused| endpoints.setback(refused))?;
        Ok((answer.access_token().secret().clone(), answer.expires_in().map(|time| time.as_secs())))
    }
}

impl Endpoints {
    fn of(api: &Url) -> Self {
        let host = api.host_str().unwrap_or("The server").to_owned();
        let beside = |path: &str| {
            let mut url = api.clone();
            url.set_path(path);
            url
        };
        let (authorization, token) = (beside("/o/oauth2/v2/auth"), beside("/token"));
        if host != API_HOST {
            return Self { authorization, token, host };
        }
        let at = |url: Url, host: &str| Url::parse(&format!("https://{host}{}", url.path())).unwrap_or(url);
        Self { authorization: at(authorization, "accounts.google.com"), token: at(token, "oauth2.googleapis.com"), host }
    }

    fn client(&self, client: &OauthClient) -> Client {
        BasicClient::new(ClientId::new(client.id.clone()))
            .set_client_secret(ClientSecret::new(client.secret.clone()))
            .set_auth_type(AuthType::RequestBody)
            .set_auth_uri(AuthUrl::from_url(self.authorization.clone()))
            .set_token_uri(TokenUrl::from_url(self.token.clone()))
    }

    fn setback(&self, refused: Refused) -> Setback {
        let host = &self.host;
        match refused {
            RequestTokenError::Request(Unanswered(setback)) => setback,
            RequestTokenError::ServerResponse(said) => Setback::Failed(match said.error() {
                BasicErrorResponseType::InvalidGrant => must_sign_in(format!(
                    "{host} has ended this sign-in (invalid_grant). Sign in again; while the OAuth client is in testing, Google ends it \
                     after seven days."
                )),
                BasicErrorResponseType::InvalidClient | BasicErrorResponseType::UnauthorizedClient => must_sign_in(format!(
                    "{host} does not know this OAuth client ({said}). Check its id and secret, then sign in again."
                )),
                BasicErrorResponseType::InvalidRequest
                | BasicErrorResponseType::InvalidScope
                | BasicErrorResponseType::UnsupportedGrantType
                | BasicErrorResponseType::Extension(_) => {
                    must_sign_in(format!("{host} did not accept the sign-in ({said}). Sign in again."))
                }
            }),
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                Setback::Failed(failure::unexpected(host, "not in the way of OAuth"))
            }
        }
    }
}

impl Consent {
    /// Prepares the question; nothing is sent. `redirect` is where the browser brings the answer.
    pub(crate) fn new(api: &Url, client: OauthClient, redirect: &Url) -> Self {
        let endpoints = Endpoints::of(api);
        let redirect = RedirectUrl::from_url(redirect.clone());
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (open_url, state) = endpoints
            .client(&client)
            .set_redirect_uri(redirect.clone())
            .authorize_url(CsrfToken::new_random)
            .add_scopes(SCOPES.map(|scope| Scope::new(scope.to_owned())))
            .set_pkce_challenge(challenge)
            // A refresh token is given to programs that ask for one, and a second time only if the person is asked again.
            .add_extra_param("access_type", "offline")
            .add_extra_param("prompt", "consent")
            .url();
        Self { open_url, endpoints, client, redirect, state, verifier: verifier.into_secret() }
    }

    /// The code in what the browser brought; none if it belongs to another question, `Err` if the person or Google said no.
    pub fn code(&self, query: &str) -> Option<Result<String, Failure>> {
        let value =
            |wanted: &str| form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted).map(|(_, value)| value);
        if value("state")? != self.state.secret().as_str() {
            return None;
        }
        match (value("error"), value("code")) {
            (None, Some(code)) => Some(Ok(code.into_owned())),
            (Some(error), _) if error == "access_denied" => {
                Some(Err(must_sign_in("You did not let Afterglow add photos. Sign in again to change that.".to_owned())))
            }
            (Some(error), _) => {
                let error: String = error.chars().filter(|c| !c.is_control()).take(80).collect();
                Some(Err(must_sign_in(format!("{} did not let you sign in ({error}). Try again.", self.endpoints.host))))
            }
            (None, None) => None,
        }
    }

    /// Turns the code into what the secret store is to hold.
    pub(crate) async fn redeem(&self, shared: Arc<Shared>, code: String) -> Result<String, Failure> {
        let client = self.endpoints.client(&self.client).set_redirect_uri(self.redirect.clone());
        let line = Line { shared, cancel: CancellationToken::new() };
        let answered = client
            .exchange_code(AuthorizationCode::new(code))
            .set_pkce_verifier(PkceCodeVerifier::new(self.verifier.clone()))
            .request_async(&line)
            .boxed()
            .await;
        let answer: BasicTokenResponse = answered.map_err(|refused| failure_of(self.endpoints.setback(refused)))?;
        let host = &self.endpoints.host;
        // The person may untick what is asked for.
        if answer.scopes().is_some_and(|given| !given.iter().any(|scope| scope.as_str() == SCOPES[0])) {
            return Err(must_sign_in(format!("{host} was not allowed to add photos. Sign in again, and tick every box.")));
        }
        let Some(refresh_token) = answer.refresh_token() else {
            return Err(must_sign_in(format!(
                "{host} gave no lasting access. Make an OAuth client for a desktop app, then sign in again."
            )));
        };
        let OauthClient { id: client_id, secret: client_secret } = self.client.clone();
        let grant = Grant { client_id, client_secret, refresh_token: refresh_token.secret().clone() };
        serde_json::to_string(&grant).map_err(|error| failure::internal(&error.to_string()))
    }
}

impl<'c> AsyncHttpClient<'c> for Line {
    type Error = Unanswered;
    type Future = BoxFuture<'c, Result<HttpResponse, Unanswered>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async { self.ask(request).await.map_err(Unanswered) })
    }
}

impl Line {
    async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, Setback> {
        let (parts, body) = request.into_parts();
        let unusable = |_| Setback::Failed(failure::internal("an unreadable address of OAuth"));
        let url: Url = parts.uri.to_string().parse().map_err(unusable)?;
        let account = Account::at(url.clone());
        let wire = Wire::new(&self.shared, Connector::GooglePhotos, &account, &[], &self.cancel).map_err(Setback::Failed)?;
        let answer = wire.exchange(Method::POST, &url, parts.headers, Payload::Whole(body.into())).await?;
        // RFC 6749, section 5.2: only these are the protocol's word. Any other is about the moment, whatever its body says.
        let is_final = matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED);
        let tells =
            is_final && serde_json::from_slice(&answer.body).is_ok_and(|body: serde_json::Value| body.get("error").is_some());
        if answer.status != StatusCode::OK && !tells {
            let failure = answer.failure(wire.host());
            return Err(if failure::may_work_at_once(&failure) { Setback::Doubt(failure) } else { Setback::Failed(failure) });
        }
        let mut response = HttpResponse::new(answer.body);
        (*response.status_mut(), *response.headers_mut()) = (answer.status, answer.headers);
        Ok(response)
    }
}

pub(super) fn must_sign_in(message: String) -> Failure {
    failure::failure(FailureClass::NeedsUser, FailureCode::AuthenticationRequired, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consent(api: &str) -> Consent {
        let client = OauthClient { id: "id".to_owned(), secret: "secret".to_owned() };
        Consent::new(&api.parse().unwrap(), client, &"http://127.0.0.1:4711/".parse().unwrap())
    }

    #[test]
    fn only_googles_own_api_is_signed_in_to_at_google() {
        let at = |api: &str| consent(api).open_url[..url::Position::AfterPath].to_owned();
        assert_eq!(at("https://photoslibrary.googleapis.com/"), "https://accounts.google.com/o/oauth2/v2/auth");
        assert_eq!(at("http://127.0.0.1:80/"), "http://127.0.0.1/o/oauth2/v2/auth");
        assert_eq!(
            Endpoints::of(&"https://photoslibrary.googleapis.com/".parse().unwrap()).token.as_str(),
            "https://oauth2.googleapis.com/token"
        );
    }

    #[test]
    fn an_answer_to_another_question_is_none() {
        let consent = consent("https://photoslibrary.googleapis.com/");
        let state = consent.state.secret().clone();
        assert!(consent.code("").is_none());
        assert!(consent.code("state=other&code=4").is_none());
        assert!(consent.code("code=4").is_none());
        assert_eq!(consent.code(&format!("state={state}&code=4%2Fa")), Some(Ok("4/a".to_owned())));
        assert!(consent.code(&format!("state={state}&error=access_denied&code=4")).unwrap().is_err());
    }
}
