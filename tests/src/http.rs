//! Just enough of HTTP/1.1 to misbehave with precision: every byte that comes is counted before it is used.

use std::{collections::HashMap, io};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const HEAD_BYTES_MAX: usize = 64 * 1024;
const CHUNK_BYTES: usize = 16 * 1024;

/// The head of a request.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: HashMap<String, String>,
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(crate) fn integer(&self, name: &str) -> Option<u64> {
        self.header(name)?.parse().ok()
    }
}

/// A connection, and what of it was read too early.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    ahead: Vec<u8>,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, ahead: Vec::new() }
    }

    /// The next request's head; none once the client has gone.
    pub(crate) async fn head(&mut self) -> io::Result<Option<Head>> {
        loop {
            let mut fields = [httparse::EMPTY_HEADER; 64];
            let mut request = httparse::Request::new(&mut fields);
            let parsed = request.parse(&self.ahead).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            if let httparse::Status::Complete(length) = parsed {
                let headers = request
                    .headers
                    .iter()
                    .map(|field| (field.name.to_ascii_lowercase(), String::from_utf8_lossy(field.value).into_owned()));
                let head = Head {
                    method: request.method.unwrap_or_default().to_owned(),
                    path: request.path.unwrap_or_default().to_owned(),
                    headers: headers.collect(),
                };
                self.ahead.drain(..length);
                return Ok(Some(head));
            }
            if self.ahead.len() > HEAD_BYTES_MAX || self.stream.read_buf(&mut self.ahead).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// The next piece of content, of at most `most` bytes.
    pub(crate) async fn content(&mut self, most: u64) -> io::Result<Vec<u8>> {
        let most = usize::try_from(most).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
        if self.ahead.is_empty() {
            self.ahead.reserve(CHUNK_BYTES);
            if self.stream.read_buf(&mut self.ahead).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let length = most.min(self.ahead.len());
        Ok(self.ahead.drain(..length).collect())
    }

    /// Sends an answer; `fields` are lines without their ends.
    pub(crate) async fn answer(&mut self, status: &str, fields: &[String], body: impl AsRef<[u8]>) -> io::Result<()> {
        let body = body.as_ref();
        let mut text = format!("HTTP/1.1 {status}\r\n");
        for field in fields {
            text.push_str(field);
            text.push_str("\r\n");
        }
        if !status.starts_with("204") {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        let mut answer = text.into_bytes();
        answer.extend_from_slice(body);
        self.stream.write_all(&answer).await
    }

    pub(crate) async fn raw(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(text.as_bytes()).await
    }

    /// Ends politely: what was written arrives, what still comes is thrown away.
    pub(crate) async fn end(mut self) -> io::Result<()> {
        self.stream.shutdown().await?;
        let mut rest = vec![0; CHUNK_BYTES];
        while self.stream.read(&mut rest).await? > 0 {}
        Ok(())
    }

    /// Ends by a reset.
    pub(crate) fn reset(self) -> io::Result<()> {
        self.stream.set_zero_linger()
    }
}
