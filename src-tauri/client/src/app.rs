//! Another program's side: what the person granted, and nothing else.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use afterglow_model::{
    AppEvent, AppId, AssetCollection, AssetResource, Assets, Authorization, ChangeToken, Changed, CollectionId, Collections,
    CreateJob, Home, JobAction, JobId, JobIds, JobPage, PairRequest, Paired, PersistentChanges, RequestAuthorization, RetryJob,
    UploadJob,
};
use futures_util::Stream;
use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::{ClientError, call::Caller, events, home_from_env};

/// The key that a program keeps between its runs. Whoever has it is that program; the file is readable by its user alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredKey {
    /// The program's id.
    pub app_id: AppId,
    /// The key.
    pub key: String,
}

impl StoredKey {
    /// Reads a key; none if the file is not there.
    pub fn load(path: &Path) -> Result<Option<Self>, ClientError> {
        let file = |error| ClientError::File { path: path.to_owned(), error };
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| file(error.into())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(file(error)),
        }
    }

    /// Writes a key with mode 0600.
    pub fn save(&self, path: &Path) -> Result<(), ClientError> {
        let file = |error| ClientError::File { path: path.to_owned(), error };
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(file)?;
        }
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let bytes = serde_json::to_vec(self).map_err(|error| file(error.into()))?;
        options.open(path).and_then(|mut out| out.write_all(&bytes)).map_err(file)
    }
}

/// A paired program's connection.
#[derive(Debug, Clone)]
pub struct AppClient {
    caller: Caller,
}

impl AppClient {
    /// Asks the person to let this program in. Answers when they have, with a key to keep.
    ///
    /// # Errors
    /// Refused with `access_user_denied` if they said no, `user_cancelled` if they did not answer.
    pub async fn pair(home: &Home, request: &PairRequest) -> Result<(Self, Paired), ClientError> {
        let paired: Paired = Caller::new(&home.apps_socket(), None)?.json(Method::POST, "/v1/pair", Some(request)).await?;
        let caller = Caller::new(&home.apps_socket(), Some(paired.key.clone()))?;
        Ok((Self { caller }, paired))
    }

    /// Connects with a key from an earlier pairing.
    pub fn with_key(home: &Home, key: &StoredKey) -> Result<Self, ClientError> {
        Ok(Self { caller: Caller::new(&home.apps_socket(), Some(key.key.clone()))? })
    }

    /// Connects with the key in `path`; pairs and writes it there if there is none. `home` none means the environment's.
    pub async fn connect(home: Option<PathBuf>, path: &Path, request: &PairRequest) -> Result<Self, ClientError> {
        let home = home_from_env(home)?;
        if let Some(key) = StoredKey::load(path)? {
            return Self::with_key(&home, &key);
        }
        let (client, paired) = Self::pair(&home, request).await?;
        StoredKey { app_id: paired.app_id, key: paired.key }.save(path)?;
        Ok(client)
    }

    /// What the person answered; nobody is asked.
    pub async fn authorization(&self) -> Result<Authorization, ClientError> {
        self.caller.json(Method::GET, "/v1/authorization", None::<&()>).await
    }

    /// Asks the person, if they were not asked before or `url_bases` has new ones.
    pub async fn request_authorization(&self, request: &RequestAuthorization) -> Result<Authorization, ClientError> {
        self.caller.json(Method::POST, "/v1/authorization", Some(request)).await
    }

    /// Albums that hold something within the grant.
    pub async fn collections(&self) -> Result<Vec<AssetCollection>, ClientError> {
        Ok(self.caller.json::<(), Collections>(Method::GET, "/v1/collections", None).await?.collections)
    }

    /// Assets of an album within the grant, newest first.
    pub async fn assets(&self, collection: &CollectionId, offset: u64, limit: u64) -> Result<Assets, ClientError> {
        let path = format!("/v1/collections/{collection}/assets?offset={offset}&limit={limit}");
        self.caller.json(Method::GET, &path, None::<&()>).await
    }

    /// The files of an asset.
    pub async fn resources(&self, asset: &afterglow_model::AssetId) -> Result<Vec<AssetResource>, ClientError> {
        self.caller.json(Method::GET, &format!("/v1/assets/{asset}/resources"), None::<&()>).await
    }

    /// What changed within the grant since `since`; everything if none.
    pub async fn fetch_persistent_changes(&self, since: Option<&ChangeToken>) -> Result<PersistentChanges, ClientError> {
        let query = since.map(|token| format!("?since={}", token.0)).unwrap_or_default();
        self.caller.json(Method::GET, &format!("/v1/changes{query}"), None::<&()>).await
    }

    /// Hands over an upload. It goes on when this program has quit.
    pub async fn create_job(&self, job: &CreateJob) -> Result<UploadJob, ClientError> {
        self.caller.json(Method::POST, "/v1/jobs", Some(job)).await
    }

    /// This program's jobs.
    pub async fn fetch_jobs(&self, action: JobAction, cursor: Option<&str>) -> Result<JobPage, ClientError> {
        let action = serde_json::to_value(action).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
        let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        self.caller.json(Method::GET, &format!("/v1/jobs?action={action}{cursor}"), None::<&()>).await
    }

    /// Tries failed jobs again.
    pub async fn retry(&self, jobs: Vec<JobId>) -> Result<u64, ClientError> {
        self.change("/v1/jobs/retry", jobs).await
    }

    /// Tries a job again with another request: a URL that was signed anew, or fresh header fields.
    pub async fn retry_with(&self, job: &JobId, request: &RetryJob) -> Result<UploadJob, ClientError> {
        self.caller.json(Method::POST, &format!("/v1/jobs/{job}/retry"), Some(request)).await
    }

    /// Takes note of ended jobs.
    pub async fn acknowledge(&self, jobs: Vec<JobId>) -> Result<u64, ClientError> {
        self.change("/v1/jobs/acknowledge", jobs).await
    }

    /// Takes jobs back.
    pub async fn cancel(&self, jobs: Vec<JobId>) -> Result<u64, ClientError> {
        self.change("/v1/jobs/cancel", jobs).await
    }

    /// What happens to this program's jobs and grant: a snapshot first, then changes.
    pub async fn events(&self) -> Result<impl Stream<Item = Result<AppEvent, ClientError>> + Send + Unpin + use<>, ClientError> {
        events::events(&self.caller, "/v1/events").await
    }

    async fn change(&self, path: &str, job_ids: Vec<JobId>) -> Result<u64, ClientError> {
        Ok(self.caller.json::<_, Changed>(Method::POST, path, Some(&JobIds { job_ids })).await?.changed)
    }
}
