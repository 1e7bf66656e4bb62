//! The documents of the protocol, read and written (Amazon S3 API Reference, "ListParts", "CompleteMultipartUpload", …). Elements are
//! found by their name, whatever their namespace: not every store has the same.

use std::fmt::Write;

use roxmltree::{Document, Node};

/// A refusal.
#[derive(Debug, Default)]
pub(super) struct Error {
    pub(super) code: String,
    /// Where the bucket is, if that is what was wrong.
    pub(super) region: Option<String>,
}

/// A part that the server holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) number: u64,
    /// Its tag; not every store tells it again.
    pub(super) etag: Option<String>,
    pub(super) bytes: u64,
    /// Base64 of its SHA-256, if the server has checked it.
    pub(super) sha256: Option<String>,
}

/// A page of parts.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) parts: Vec<Part>,
    /// The last number of this page, if there is another.
    pub(super) next: Option<u64>,
}

pub(super) fn error(body: &[u8]) -> Option<Error> {
    read(body, "Error", |root| {
        Some(Error { code: text(root, "Code")?.to_owned(), region: text(root, "Region").map(str::to_owned) })
    })
}

pub(super) fn upload_id(body: &[u8]) -> Option<String> {
    read(body, "InitiateMultipartUpload", |root| text(root, "UploadId").filter(|id| !id.is_empty()).map(str::to_owned))
}

/// The checksum that the completed object was given, if the document says that it was completed.
pub(super) fn completed(body: &[u8]) -> Option<Option<String>> {
    read(body, "CompleteMultipartUpload", |root| Some(text(root, "ChecksumSHA256").map(str::to_owned)))
}

pub(super) fn parts(body: &[u8]) -> Option<Parts> {
    read(body, "ListParts", |root| {
        let parts = children(root, "Part").map(|part| {
            Some(Part {
                number: text(part, "PartNumber")?.parse().ok()?,
                etag: text(part, "ETag").map(str::to_owned),
                bytes: text(part, "Size")?.parse().ok()?,
                sha256: text(part, "ChecksumSHA256").map(str::to_owned),
            })
        });
        let parts = parts.collect::<Option<Vec<_>>>()?;
        let next = match text(root, "IsTruncated") {
            Some("true") => Some(text(root, "NextPartNumberMarker")?.parse().ok()?),
            Some(_) | None => None,
        };
        Some(Parts { parts, next })
    })
}

/// The uploads under way at `key`.
pub(super) fn uploads(body: &[u8], key: &str) -> Option<Vec<String>> {
    read(body, "ListMultipartUploads", |root| {
        let here = children(root, "Upload").filter(|upload| text(*upload, "Key") == Some(key));
        Some(here.filter_map(|upload| text(upload, "UploadId").map(str::to_owned)).collect())
    })
}

pub(super) fn completion(parts: &[Part]) -> String {
    let mut document = String::from("<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for Part { number, etag, sha256, .. } in parts {
        // Writing to a string cannot fail.
        let _ = write!(document, "<Part><PartNumber>{number}</PartNumber>");
        if let Some(etag) = etag {
            let _ = write!(document, "<ETag>{}</ETag>", escaped(etag));
        }
        if let Some(sha256) = sha256 {
            let _ = write!(document, "<ChecksumSHA256>{}</ChecksumSHA256>", escaped(sha256));
        }
        document.push_str("</Part>");
    }
    document.push_str("</CompleteMultipartUpload>");
    document
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn read<T>(body: &[u8], root: &str, take: impl FnOnce(Node<'_, '_>) -> Option<T>) -> Option<T> {
    // White space may come before the document, to keep the connection alive.
    let document = Document::parse(std::str::from_utf8(body).ok()?.trim()).ok()?;
    let found = document.root_element();
    let name = found.tag_name().name();
    // "Result" by the documents; not every store is so exact.
    let name = name.strip_suffix("Result").or_else(|| name.strip_suffix("Response")).unwrap_or(name);
    if name == root { take(found) } else { None }
}

fn children<'a, 'input>(node: Node<'a, 'input>, name: &'static str) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(move |child| child.tag_name().name() == name)
}

fn text<'a>(node: Node<'a, '_>, name: &'static str) -> Option<&'a str> {
    children(node, name).next()?.text().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_read_whatever_their_namespace() {
        let listed = br#"<?xml version="1.0"?>
            <ListPartsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>true</IsTruncated>
            <NextPartNumberMarker>1</NextPartNumberMarker>
            <Part><PartNumber>1</PartNumber><ETag>&quot;a&quot;</ETag><Size>5</Size></Part></ListPartsResult>"#;
        let listed = parts(listed).unwrap();
        assert_eq!(listed.parts, [Part { number: 1, etag: Some("\"a\"".to_owned()), bytes: 5, sha256: None }]);
        assert_eq!(listed.next, Some(1));
        assert!(completion(&listed.parts).contains("<ETag>&quot;a&quot;</ETag>"));
        let refused = b"  <Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>";
        assert_eq!(error(refused).unwrap().region.as_deref(), Some("eu-west-1"));
        assert!(completed(refused).is_none() && error(b"{}").is_none() && upload_id(b"<a/>").is_none());
    }
}
