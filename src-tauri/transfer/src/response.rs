//! What of a server's answer an app is handed back.

use std::collections::BTreeMap;

use afterglow_model::JobResponse;

use crate::wire::Answer;

/// Of an answer, so much is kept for the app, in bytes.
const BODY_BYTES_MAX: usize = 16 * 1024;
const HEADER_BYTES_MAX: usize = 8 * 1024;

/// As much of the answer as is kept. Cookies are not handed on: nobody but the client that they were set for may use them.
pub(crate) fn kept(answer: &Answer) -> JobResponse {
    let mut headers = BTreeMap::new();
    let mut left = HEADER_BYTES_MAX;
    for (name, value) in &answer.headers {
        let Ok(value) = value.to_str() else { continue };
        let length = name.as_str().len() + value.len();
        if name != "set-cookie" && length <= left {
            left -= length;
            headers.insert(name.as_str().to_owned(), value.to_owned());
        }
    }
    let body = &answer.body[..answer.body.len().min(BODY_BYTES_MAX)];
    JobResponse {
        status: answer.status.as_u16(),
        headers,
        body: String::from_utf8_lossy(body).into_owned(),
        truncated: answer.is_cut || answer.body.len() > BODY_BYTES_MAX,
    }
}
