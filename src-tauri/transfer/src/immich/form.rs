//! The form by which a file is sent, and the session that remembers it.

use afterglow_model::Visibility;
use bytes::Bytes;
use url::{Url, form_urlencoded};

use crate::{
    destination::{Content, Setback},
    driver::base16,
    failure, name,
    order::Companions,
};

/// What a form says of a file.
#[derive(Debug, PartialEq)]
pub(super) struct Form {
    pub(super) sha1: String,
    pub(super) byte_count: u64,
    pub(super) filename: String,
    content_type: String,
    /// As ISO 8601 with an offset; servers 3 take no other.
    created: String,
    /// The asset that is the video of this Live Photo.
    paired_video: Option<String>,
    /// Where it is shown, if not among all.
    visibility: Option<String>,
}

impl Form {
    pub(super) fn of(content: &Content, visibility: Visibility) -> Result<Self, Setback> {
        let sha1 = content.sha1.ok_or_else(|| Setback::Failed(failure::internal("a file without its SHA-1")))?;
        let dated = content.created_ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        Ok(Self {
            sha1: base16(&sha1),
            byte_count: content.byte_count,
            filename: name::safe(&content.filename),
            content_type: content.content_type.clone().unwrap_or_else(|| "application/octet-stream".to_owned()),
            created: dated.unwrap_or_else(jiff::Timestamp::now).to_string(),
            paired_video: content.companions.paired_video.clone(),
            visibility: shown_in(visibility, &content.companions).map(str::to_owned),
        })
    }

    pub(super) fn url(&self, mut assets: Url) -> Url {
        let fragment = form_urlencoded::Serializer::new(String::new())
            .append_pair("sha1", &self.sha1)
            .append_pair("bytes", &self.byte_count.to_string())
            .append_pair("name", &self.filename)
            .append_pair("type", &self.content_type)
            .append_pair("created", &self.created)
            .extend_pairs(self.paired_video.iter().map(|video| ("video", video)))
            .extend_pairs(self.visibility.iter().map(|visibility| ("visibility", visibility)))
            .finish();
        assets.set_fragment(Some(&fragment));
        assets
    }

    /// None for a URL that is no session of ours.
    pub(super) fn from(upload_url: &Url) -> Option<Self> {
        let pairs = || form_urlencoded::parse(upload_url.fragment().unwrap_or_default().as_bytes());
        let value = |wanted: &str| pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
        Some(Self {
            sha1: value("sha1")?,
            byte_count: value("bytes")?.parse().ok()?,
            filename: value("name")?,
            content_type: value("type")?,
            created: value("created")?,
            paired_video: value("video"),
            visibility: value("visibility"),
        })
    }

    /// `AssetMediaCreateDto` as `multipart/form-data` (RFC 7578), before and after the file. The name goes before the file, since the
    /// server judges the file by it; `deviceAssetId` and `deviceId` are what servers 2 want and servers 3 pass over. The sidecar goes before
    /// the name, since the server would judge it by that name, too.
    pub(super) fn frame(&self, boundary: &str, sidecar: Option<&[u8]>) -> (Bytes, Bytes) {
        let fields = [
            ("deviceAssetId", self.sha1.as_str()),
            ("deviceId", "Afterglow"),
            ("fileCreatedAt", &self.created),
            ("fileModifiedAt", &self.created),
            ("filename", &self.filename),
        ];
        let video = self.paired_video.as_ref().map(|video| ("livePhotoVideoId", video.as_str()));
        let visibility = self.visibility.as_ref().map(|visibility| ("visibility", visibility.as_str()));
        // Servers disagree about other letters in the names of files; the field `filename` has them.
        let plain: String = self.filename.chars().map(|c| if c.is_ascii() { c } else { '_' }).collect();
        let file = |name: &str, filename: &str, kind: &str| {
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{filename}\"\r\nContent-Type: {kind}\r\n\r\n"
            )
        };
        let mut head = Vec::new();
        if let Some(sidecar) = sidecar {
            head.extend_from_slice(file("sidecarData", &format!("{plain}.xmp"), "application/rdf+xml").as_bytes());
            head.extend_from_slice(sidecar);
            head.extend_from_slice(b"\r\n");
        }
        for (name, value) in fields.into_iter().chain(video).chain(visibility) {
            let field = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            head.extend_from_slice(field.as_bytes());
        }
        head.extend_from_slice(file("assetData", &plain, &self.content_type).as_bytes());
        (head.into(), format!("\r\n--{boundary}--\r\n").into())
    }
}

/// The server hides a Live Photo's video once its still names it, but only one that is in the timeline: another is sent as hidden, so that
/// it is never shown where its still is not. A still that is locked already is out of a key's reach, and will not name it any more: the
/// video is locked beside it, since hidden it would be seen nowhere.
fn shown_in(visibility: Visibility, companions: &Companions) -> Option<&'static str> {
    match (visibility, companions.is_paired_video) {
        (Visibility::Timeline, _) => None,
        (Visibility::Locked, true) if companions.still.is_some() => Some("locked"),
        (Visibility::Archive | Visibility::Locked, true) => Some("hidden"),
        (Visibility::Archive, false) => Some("archive"),
        (Visibility::Locked, false) => Some("locked"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> Form {
        Form {
            sha1: "a9993e364706816aba3e25717850c26c9cd0d89d".to_owned(),
            byte_count: 3,
            filename: "Grüße & #1.jpg".to_owned(),
            content_type: "image/jpeg".to_owned(),
            created: "2023-11-14T22:13:20Z".to_owned(),
            paired_video: Some("asset-1".to_owned()),
            visibility: Some("archive".to_owned()),
        }
    }

    #[test]
    fn a_session_holds_what_the_form_says() {
        let url = form().url("https://photos.example/api/assets".parse().unwrap());
        assert_eq!(Form::from(&url.as_str().parse().unwrap()), Some(form()));
        assert_eq!(Form::from(&"https://photos.example/api/assets#sha1=x".parse().unwrap()), None);
    }
}
