//! The person's side: everything the windows and the command line may do.

use std::time::Duration;

use afterglow_model::{ApiError, Event, Home};
use futures_util::Stream;
use reqwest::Method;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{ClientError, call::Caller, events, start};

/// A connection to the service as its owner.
#[derive(Debug, Clone)]
pub struct Owner {
    caller: Caller,
}

impl Owner {
    /// Connects to a service that runs.
    ///
    /// # Errors
    /// [`ClientError::NotRunning`] if none does.
    pub async fn connect(home: &Home) -> Result<Self, ClientError> {
        let owner = Self::new(home)?;
        owner.get::<Value>("/v1/health").await?;
        Ok(owner)
    }

    /// Connects, after starting the service if none runs.
    pub async fn connect_or_start(home: &Home) -> Result<Self, ClientError> {
        match Self::connect(home).await {
            Err(ClientError::NotRunning(_)) => {
                start::start_service(home)?;
                Self::wait_until_running(home, Duration::from_secs(15)).await
            }
            other => other,
        }
    }

    /// A handle that connects with its first call.
    pub fn new(home: &Home) -> Result<Self, ClientError> {
        Ok(Self { caller: Caller::new(&home.owner_socket(), None)? })
    }

    /// Waits for a service that is being started.
    async fn wait_until_running(home: &Home, at_most: Duration) -> Result<Self, ClientError> {
        let until = tokio::time::Instant::now() + at_most;
        loop {
            match Self::connect(home).await {
                Err(ClientError::NotRunning(_)) if tokio::time::Instant::now() < until => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                other => return other,
            }
        }
    }

    /// `GET`.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.caller.json(Method::GET, path, None::<&()>).await
    }

    /// `POST`.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        self.caller.json(Method::POST, path, Some(body)).await
    }

    /// `PUT`.
    pub async fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        self.caller.json(Method::PUT, path, Some(body)).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Result<(), ClientError> {
        self.caller.json(Method::DELETE, path, None::<&()>).await
    }

    /// Any call, for a caller that passes on what another asks: the windows.
    ///
    /// # Errors
    /// What the service refused, or `not_running` / `connection` in the domain `request`.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Result<Value, ApiError> {
        let known = Method::from_bytes(method.as_bytes())
            .map_err(|_| ApiError::new("request", "bad_request", format!("{method} is no HTTP method")))?;
        self.caller.json(known, path, body.as_ref()).await.map_err(ClientError::into_api_error)
    }

    /// Bytes and their content type: a thumbnail.
    pub async fn bytes(&self, path: &str) -> Result<(String, Vec<u8>), ApiError> {
        let read = async {
            let response = self.caller.send(self.caller.request(Method::GET, path)).await?;
            let kind = response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
            let bytes = response.bytes().await.map_err(|error| ClientError::Broken(error.to_string()))?;
            Ok::<_, ClientError>((kind, bytes.to_vec()))
        };
        read.await.map_err(ClientError::into_api_error)
    }

    /// The stream of events: a snapshot first, then changes. Ends with the connection.
    pub async fn events(&self) -> Result<impl Stream<Item = Result<Event, ClientError>> + Send + Unpin + use<>, ClientError> {
        events::events(&self.caller, "/v1/events").await
    }
}
