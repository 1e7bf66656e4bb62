//! The session of a described upload. The server knows none: it is the fragment of a URL, which never leaves this computer.

use url::{Url, form_urlencoded};

use crate::{
    destination::Content,
    driver::{base16, hex},
};

/// What a resumed upload has to know.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) content: Content,
    /// As the answer to each part said.
    pub(super) etags: Vec<String>,
}

impl Session {
    pub(super) fn url(&self, mut base: Url) -> Url {
        let mut fragment = form_urlencoded::Serializer::new(String::new());
        let content = &self.content;
        fragment
            .append_pair("bytes", &content.byte_count.to_string())
            .append_pair("name", &content.filename)
            .append_pair("sha256", &base16(&content.digest))
            .append_pair("key", &content.key);
        let optional = [
            ("type", content.content_type.clone()),
            ("created", content.created_ms.map(|ms| ms.to_string())),
            ("sha1", content.sha1.map(|sha1| base16(&sha1))),
        ];
        for (name, value) in optional {
            fragment.extend_pairs(value.map(|value| (name, value)));
        }
        fragment.extend_pairs(self.etags.iter().map(|etag| ("etag", etag)));
        base.set_fragment(Some(&fragment.finish()));
        base
    }

    /// The same after one more part.
    pub(super) fn url_with(&self, etag: &str, base: Url) -> Url {
        let mut next = self.clone();
        next.etags.push(etag.to_owned());
        next.url(base)
    }

    /// None for a URL that is no session of ours.
    pub(super) fn from(upload_url: &Url) -> Option<Self> {
        let pairs = || form_urlencoded::parse(upload_url.fragment().unwrap_or_default().as_bytes());
        let value = |wanted: &str| pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
        let sha1 = match value("sha1") {
            // Forty digits of the sixty-four that a SHA-256 has.
            Some(digits) => Some(hex(&format!("{digits:0<64}"))?.first_chunk().copied()?),
            None => None,
        };
        let content = Content {
            filename: value("name")?,
            content_type: value("type"),
            byte_count: value("bytes")?.parse().ok()?,
            digest: hex(&value("sha256")?)?,
            sha1,
            created_ms: value("created").and_then(|ms| ms.parse().ok()),
            companions: Default::default(),
            key: value("key")?,
        };
        let etags = pairs().filter(|(name, _)| name == "etag").map(|(_, etag)| etag.into_owned()).collect();
        Some(Self { content, etags })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn content() -> Content {
        Content {
            filename: "Grüße & \"1\".jpg".to_owned(),
            content_type: Some("image/jpeg".to_owned()),
            byte_count: 7,
            digest: [7; 32],
            sha1: Some([9; 20]),
            created_ms: Some(1_700_000_000_000),
            companions: Default::default(),
            key: "abc".to_owned(),
        }
    }

    #[test]
    fn a_session_remembers_the_file_and_what_the_parts_were_answered() {
        let base: Url = "https://bucket.example/key?signature=x".parse().unwrap();
        let first = Session { content: content(), etags: vec!["\"a&b\"".to_owned()] };
        let url: Url = first.url_with("", base).as_str().parse().unwrap();
        let again = Session::from(&url).unwrap();
        assert_eq!(again.etags, ["\"a&b\"", ""]);
        assert_eq!(format!("{:?}", again.content), format!("{:?}", first.content));
        assert!(Session::from(&"https://bucket.example/key#bytes=7".parse().unwrap()).is_none());
    }
}
