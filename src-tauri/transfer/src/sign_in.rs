//! Signing in in the browser: what each way in asks and answers. Who waits for the person, and for how long, is the caller's business.

use std::fmt;

use afterglow_model::{Connector, Failure};
use url::Url;

use crate::{
    google::oauth::{Consent, Grant},
    nextcloud::login::{self, Login},
    order::Account,
    transfer::Transfer,
};

/// A program as Google knows it, made by the person in the Google Cloud console. `Debug` does not show its secret.
#[derive(Clone)]
pub struct OauthClient {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
}

/// What a sign-in has given. `Debug` does not show the secret.
pub struct SignedIn {
    /// The account's name, if the server tells.
    pub user: Option<String>,
    /// What [`Account::secret`](crate::Account::secret) has to be from now on.
    pub secret: String,
}

impl fmt::Debug for OauthClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OauthClient").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedIn").field("user", &self.user).finish_non_exhaustive()
    }
}

impl OauthClient {
    /// The client of an earlier sign-in, from what the secret store holds of it.
    pub fn of(secret: &str) -> Option<Self> {
        Grant::of(secret).map(|grant| grant.client())
    }
}

impl Transfer {
    /// Asks a Nextcloud server for a page at which the person can say yes.
    ///
    /// # Errors
    /// What stands against it, in a sentence.
    pub async fn begin_login(&self, account: &Account) -> Result<Login, Failure> {
        Login::begin(&self.shared, account).await
    }

    /// Waits until the person has said yes. It ends with an answer; the caller says for how long it may take.
    ///
    /// # Errors
    /// What stands against it, in a sentence.
    pub async fn finish_login(&self, account: &Account, login: &Login) -> Result<SignedIn, Failure> {
        login.finish(&self.shared, account).await
    }

    /// Prepares Google's question to the person. Nothing is sent; `redirect` is where the browser brings the answer.
    pub fn ask_consent(&self, api: &Url, client: OauthClient, redirect: &Url) -> Consent {
        Consent::new(api, client, redirect)
    }

    /// Turns the [code](Consent::code) that the browser brought into lasting access.
    ///
    /// # Errors
    /// What stands against it, in a sentence.
    pub async fn redeem(&self, consent: &Consent, code: String) -> Result<SignedIn, Failure> {
        Ok(SignedIn { user: None, secret: consent.redeem(self.shared.clone(), code).await? })
    }

    /// Has the server forget what it made for a sign-in. Best effort. Google's access is not taken back: that would end it for every
    /// destination of the same OAuth client.
    pub async fn sign_out(&self, connector: Connector, account: &Account) {
        match connector {
            Connector::Nextcloud => login::sign_out(&self.shared, account).await,
            Connector::Resumable
            | Connector::Archive
            | Connector::Tus
            | Connector::Immich
            | Connector::Webdav
            | Connector::S3
            | Connector::GooglePhotos
            | Connector::Folder => {}
        }
    }
}
