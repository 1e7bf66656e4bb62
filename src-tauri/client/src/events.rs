//! Server-sent events (WHATWG HTML, section 9.2), as far as the service uses them: one `data:` line an event.

use futures_util::{Stream, StreamExt, stream};
use reqwest::Method;
use serde::de::DeserializeOwned;

use crate::{ClientError, call::Caller};

/// The longest line that is read. A snapshot of 1,000 waiting groups stays far under it.
const LINE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The events of `path`, until the connection ends.
pub(crate) async fn events<T: DeserializeOwned>(
    caller: &Caller,
    path: &str,
) -> Result<impl Stream<Item = Result<T, ClientError>> + Send + Unpin + use<T>, ClientError> {
    let response = caller.send(caller.request(Method::GET, path)).await?;
    let chunks = response.bytes_stream().boxed();
    Ok(stream::unfold((chunks, Vec::<u8>::new()), |(mut chunks, mut buffer)| async move {
        loop {
            if let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = buffer.drain(..=end).collect();
                let Some(data) = line.strip_prefix(b"data:") else { continue };
                let event = serde_json::from_slice(data).map_err(|error| ClientError::Broken(format!("event: {error}")));
                return Some((event, (chunks, buffer)));
            }
            if buffer.len() > LINE_BYTES_MAX {
                return None;
            }
            match chunks.next().await? {
                Ok(chunk) => buffer.extend_from_slice(&chunk),
                Err(error) => return Some((Err(ClientError::Broken(error.to_string())), (stream::empty().boxed(), Vec::new()))),
            }
        }
    })
    .boxed())
}
