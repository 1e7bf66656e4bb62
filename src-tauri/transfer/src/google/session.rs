//! What is remembered of an upload: in the fragment of its URL, which never leaves this computer.

use url::{Url, form_urlencoded};

/// An upload under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    /// The file's size.
    pub(super) byte_count: u64,
    /// The size of each request but the last; 0 for the whole file in one.
    pub(super) part_bytes: u64,
    /// The file's media type.
    pub(super) content_type: String,
    /// Google's name for the bytes, once it has all of them.
    pub(super) token: Option<String>,
}

impl Session {
    pub(super) fn on(&self, mut url: Url) -> Url {
        let mut fragment = form_urlencoded::Serializer::new(String::new());
        fragment.append_pair("bytes", &self.byte_count.to_string());
        fragment.append_pair("part", &self.part_bytes.to_string());
        fragment.append_pair("type", &self.content_type);
        if let Some(token) = &self.token {
            fragment.append_pair("token", token);
        }
        url.set_fragment(Some(&fragment.finish()));
        url
    }

    /// None for a URL that is no session of ours.
    pub(super) fn of(upload_url: &Url) -> Option<Self> {
        let pairs = || form_urlencoded::parse(upload_url.fragment().unwrap_or_default().as_bytes());
        let value = |wanted: &str| pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
        Some(Self {
            byte_count: value("bytes")?.parse().ok()?,
            part_bytes: value("part")?.parse().ok()?,
            content_type: value("type")?,
            token: value("token"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_holds_what_was_put_into_it() {
        let url: Url = "https://photos.example/v1/uploads?upload_id=AE-x&upload_protocol=resumable".parse().unwrap();
        for token in [None, Some("CAIS+/=&#_-".to_owned())] {
            let session = Session { byte_count: 3, part_bytes: 262_144, content_type: "image/jpeg".to_owned(), token };
            let with = session.on(url.clone());
            assert_eq!(Session::of(&with.as_str().parse().unwrap()), Some(session));
            assert_eq!(with[..url::Position::AfterQuery], url.as_str()[..]);
        }
        assert_eq!(Session::of(&url), None);
    }
}
