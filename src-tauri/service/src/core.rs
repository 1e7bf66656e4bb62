//! What every handler has at hand. Nothing here is state of its own but the questions that wait for the person; the queue and the
//! library hold the rest.

use std::sync::Arc;

use afterglow_library::Library;
use afterglow_model::{
    App, AppEvent, AppId, Conditions, Connector, Destination, DestinationId, Event, Failure, FailureClass, FailureCode, Home,
    JobId, Status, Timestamp,
};
use afterglow_queue::{Queue, QueuedJob};
use afterglow_system::{SecretError, Secrets, Sensors};
use afterglow_transfer::{Account, Described, Transfer, filled_url};
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    apps::{allowed_url, requests::QUERY},
    archives::{self, Access, Archives},
    engine::Command,
    error::{Answer, Refusal},
    follow::Passes,
    live::Live,
    prompts::Prompts,
    sign_ins::SignIns,
    space::SpaceChecks,
};

/// Events that a listener may lag behind before it is told that it lost some.
pub(crate) const EVENTS_KEPT: usize = 256;

/// The parts of the service.
pub(crate) struct Core {
    pub(crate) home: Home,
    pub(crate) library: Library,
    pub(crate) queue: Queue,
    pub(crate) transfer: Transfer,
    pub(crate) archives: Archives,
    pub(crate) secrets: Secrets,
    /// Held from when a request of an app's is kept until a job names it, and while those are thrown away that no job names.
    pub(crate) requests: Mutex<()>,
    /// Held while the destination that stands for where an app sends is looked for or made.
    pub(crate) app_destinations: Mutex<()>,
    pub(crate) live: Arc<Live>,
    pub(crate) prompts: Prompts,
    pub(crate) sign_ins: SignIns,
    pub(crate) space_checks: SpaceChecks,
    pub(crate) passes: Passes,
    pub(crate) sensors: Sensors,
    pub(crate) conditions: watch::Receiver<Conditions>,
    pub(crate) status: watch::Receiver<Arc<Status>>,
    pub(crate) throughput: watch::Receiver<Vec<u64>>,
    pub(crate) present: watch::Receiver<Option<afterglow_queue::Run>>,
    pub(crate) notices: watch::Sender<bool>,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) app_events: broadcast::Sender<(AppId, AppEvent)>,
    pub(crate) quit: CancellationToken,
    pub(crate) started_at: Timestamp,
}

impl Core {
    /// Tells every listener. That nobody listens is no error.
    pub(crate) fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }

    /// Whether jobs may yet come by themselves: the library or a rule is being looked through.
    pub(crate) fn is_looking(&self) -> bool {
        self.library.is_scanning() || self.passes.are_due()
    }

    /// Sends the loop a command. A loop that has ended is ending the service; there is nobody left to tell.
    pub(crate) async fn command(&self, command: Command) {
        let _ = self.commands.send(command).await;
    }

    /// Waits until what was said so far is in the status; a second at most, and not while the service ends.
    pub(crate) async fn settled(&self) {
        let (told, heard) = tokio::sync::oneshot::channel();
        self.command(Command::Tell(told)).await;
        tokio::select! {
            _ = heard => {}
            () = tokio::time::sleep(std::time::Duration::from_secs(1)) => {}
            () = self.quit.cancelled() => {}
        }
    }

    /// The destination with this id or name.
    pub(crate) async fn destination(&self, id_or_name: &str) -> Answer<Destination> {
        self.queue.destination(id_or_name).await?.ok_or_else(|| Refusal::not_found("destination", id_or_name))
    }

    /// The app with this id.
    pub(crate) async fn app(&self, id: &AppId) -> Answer<App> {
        self.queue.app(id).await?.ok_or_else(|| Refusal::not_found("app", id))
    }

    /// Refuses ids that are no jobs', before anything is done with the others.
    pub(crate) async fn check_jobs(&self, ids: &[JobId]) -> Answer<()> {
        for id in ids {
            self.queue.job(id).await?.ok_or_else(|| Refusal::not_found("upload", id))?;
        }
        Ok(())
    }

    /// How a destination is reached with its credential.
    pub(crate) async fn access(&self, destination: &Destination) -> Answer<Access> {
        Ok(self.reach(destination).await?)
    }

    async fn reach(&self, destination: &Destination) -> Result<Access, Failure> {
        if destination.connector == Connector::Archive {
            return self.archives.reach(&archives::folder(&destination.url, || None).map_err(unfit)?).await;
        }
        let url = match destination.connector {
            // A folder's address was made from its path.
            Connector::Folder => Url::parse(&destination.url).map_err(|error| unfit(Refusal::internal(error.to_string())))?,
            Connector::Archive
            | Connector::Resumable
            | Connector::Tus
            | Connector::Immich
            | Connector::Nextcloud
            | Connector::Webdav
            | Connector::S3
            | Connector::GooglePhotos => parse_url(&destination.url).map_err(unfit)?,
        };
        let secret = match destination.has_credential {
            true => self.secrets.get(&token_handle(&destination.id)).await.map_err(|error| withheld(&error))?,
            false => None,
        };
        let secret = secret.map(|secret| secret.expose().to_owned());
        Ok(Account { config: destination.config.clone(), secret, ..Account::at(url) }.into())
    }

    /// How a job's destination is reached: an app's job may bring a URL and header fields of its own.
    ///
    /// # Errors
    /// Why the job cannot go now. What only waits for the secret store goes on by itself.
    pub(crate) async fn job_access(&self, job: &QueuedJob, destination: &Destination) -> Result<Access, Failure> {
        let mut access = self.reach(destination).await?;
        let account = &mut access.account;
        let after = match &job.after {
            Some(first) => self.queue.job(first).await.map_err(|error| unfit(error.into()))?.and_then(|first| first.response),
            None => None,
        };
        let mut fields: Vec<(String, String)> = match &job.headers_handle {
            Some(handle) => self.kept(handle, "What this job sends as header fields").await?,
            None => Vec::new(),
        };
        let query = fields.extract_if(.., |(name, _)| name == QUERY).next().map(|(_, query)| query);
        account.headers.extend(fields);
        if let Some(url) = &job.url {
            let url = query.map_or_else(|| url.clone(), |query| format!("{url}?{query}"));
            let app = self.queue.app(&job.app_id).await.map_err(|error| unfit(error.into()))?;
            let bases = app.map(|app| app.url_bases).unwrap_or_default();
            // An answer that was filled in can lead out of what the person allowed.
            let url = allowed_url(&filled_url(&url, after.as_ref())?, &bases).ok();
            account.url = url.filter(|url| url.origin() == account.url.origin()).ok_or_else(elsewhere)?;
        }
        if let Some(handle) = &job.body_handle {
            let body = self.kept(handle, "What this job is made of").await?;
            account.described = Some(Described { body, after });
        }
        Ok(access)
    }

    /// What an app's job has in the secret store.
    async fn kept<T: DeserializeOwned>(&self, handle: &str, what: &str) -> Result<T, Failure> {
        let kept = self.secrets.get(handle).await.map_err(|error| absent(&error))?;
        let kept = kept.ok_or_else(|| unfit(Refusal::internal(format!("{what} is gone from the secret store."))))?;
        serde_json::from_str(kept.expose()).map_err(|error| unfit(Refusal::internal(format!("{what} cannot be read: {error}"))))
    }
}

/// What nobody but the person can mend.
fn unfit(refusal: Refusal) -> Failure {
    failure(FailureClass::NeedsUser, FailureCode::Internal, refusal.error.message)
}

fn elsewhere() -> Failure {
    let message = "The answer to the upload before leads this one out of what the person allowed.".to_owned();
    failure(FailureClass::Permanent, FailureCode::DestinationNotAllowed, message)
}

/// The secret store gives nothing now: a keyring is locked until the person unlocks it, and then nothing more need be done.
fn absent(error: &SecretError) -> Failure {
    failure(FailureClass::Transient, FailureCode::ConnectionLost, format!("The secret store: {error}"))
}

/// The same for a destination's credential, which the person can also enter anew.
fn withheld(error: &SecretError) -> Failure {
    match error {
        SecretError::KeyringMissing => {
            failure(FailureClass::NeedsUser, FailureCode::AuthenticationRequired, format!("The secret store: {error}"))
        }
        SecretError::NoAnswer | SecretError::Keyring(_) | SecretError::File { .. } => absent(error),
    }
}

fn failure(class: FailureClass, code: FailureCode, message: String) -> Failure {
    Failure { class, code, message, retry_after_ms: None, certificate: None }
}

/// Where a destination's token is kept.
pub(crate) fn token_handle(destination: &DestinationId) -> String {
    format!("destination:{destination}")
}

pub(crate) fn secret_refusal(error: SecretError) -> Refusal {
    Refusal::internal(format!("The secret store: {error}"))
}

/// An absolute `http` or `https` URL with a host.
pub(crate) fn parse_url(text: &str) -> Answer<Url> {
    let url = Url::parse(text).map_err(|error| Refusal::bad("bad_url", format!("{text} is no URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(Refusal::bad("bad_url", format!("{text}: a destination is an http or https URL with a host.")));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refusal::bad("bad_url", "A password does not belong into the URL; give it as the token."));
    }
    Ok(url)
}
