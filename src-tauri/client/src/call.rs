//! One call over a Unix socket.

use std::path::{Path, PathBuf};

use afterglow_model::ApiError;
use reqwest::{Method, RequestBuilder, Response};
use serde::{Serialize, de::DeserializeOwned};

use crate::ClientError;

/// Calls one socket.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    socket: PathBuf,
    http: reqwest::Client,
    key: Option<String>,
}

impl Caller {
    pub(crate) fn new(socket: &Path, key: Option<String>) -> Result<Self, ClientError> {
        let http = reqwest::Client::builder()
            .unix_socket(socket)
            .no_proxy()
            .build()
            .map_err(|error| ClientError::Broken(error.to_string()))?;
        Ok(Self { socket: socket.to_owned(), http, key })
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        // The host is not looked up: the socket is the address.
        let request = self.http.request(method, format!("http://afterglow{path}"));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// Sends, and hands back a successful answer.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let response = request.send().await.map_err(|error| {
            if error.is_connect() { ClientError::NotRunning(self.socket.clone()) } else { ClientError::Broken(error.to_string()) }
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = response.bytes().await.unwrap_or_default();
        Err(ClientError::Refused(serde_json::from_slice(&body).unwrap_or_else(|_| {
            let text = String::from_utf8_lossy(&body);
            ApiError::new("request", "unexpected_answer", format!("The service answered {status}: {text}"))
        })))
    }

    pub(crate) async fn json<B: Serialize + ?Sized, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
    ) -> Result<T, ClientError> {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = self.send(request).await?;
        let bytes = response.bytes().await.map_err(|error| ClientError::Broken(error.to_string()))?;
        // 204 has no body; `null` stands for it, so that `()` and `Option` can be asked for.
        let bytes: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
        serde_json::from_slice(bytes).map_err(|error| ClientError::Broken(format!("{path}: {error}")))
    }
}
