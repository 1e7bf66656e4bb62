//! How much room an account has left (RFC 4331).

use bytes::Bytes;
use reqwest::{
    Method, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use roxmltree::Document;
use url::Url;

use crate::{destination::Setback, failure, payload::Payload, wire::Wire};

const DEPTH: HeaderName = HeaderName::from_static("depth");

const QUESTION: &str = concat!(
    r#"<?xml version="1.0" encoding="utf-8"?>"#,
    r#"<propfind xmlns="DAV:"><prop><quota-available-bytes/></prop></propfind>"#
);

/// Bytes that may still be stored beneath a folder; none if there is no limit or the server does not tell.
pub(super) async fn room(wire: &Wire<'_>, folder: &Url) -> Result<Option<u64>, Setback> {
    let method = Method::from_bytes(b"PROPFIND").map_err(|_| Setback::Failed(failure::internal("an unsendable method")))?;
    let mut headers = HeaderMap::with_capacity(3);
    headers.insert(DEPTH, HeaderValue::from_static("0"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml; charset=utf-8"));
    let answer = wire.exchange(method, folder, headers, Payload::Whole(Bytes::from_static(QUESTION.as_bytes()))).await?;
    Ok(if answer.status == StatusCode::MULTI_STATUS { stated(&answer.body) } else { None })
}

/// A property that is not there stands without content in the answer; -3 says that there is no limit.
fn stated(body: &[u8]) -> Option<u64> {
    let document = Document::parse(std::str::from_utf8(body).ok()?).ok()?;
    document.descendants().find(|node| node.has_tag_name(("DAV:", "quota-available-bytes")))?.text()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::stated;

    #[test]
    fn only_a_limit_is_a_number() {
        let answer = |value: &str| {
            let property = format!("<d:quota-available-bytes>{value}</d:quota-available-bytes>");
            stated(format!("<d:multistatus xmlns:d=\"DAV:\"><d:prop>{property}</d:prop></d:multistatus>").as_bytes())
        };
        assert_eq!(answer("1048576"), Some(1_048_576));
        assert_eq!([answer("-3"), answer(""), answer("a lot"), stated(b"<x/>"), stated(b"no")], [None; 5]);
    }
}
