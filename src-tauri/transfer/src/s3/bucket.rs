//! A bucket: where its objects are, how they are named, and how requests for them are signed.
//!
//! Requests are presigned by AWS Signature Version 4 (Amazon S3 API Reference, "Authenticating Requests: Using Query Parameters"), so
//! that no secret is in them and content need not be read before it is sent. A signature is as good as a key for a while: a signed URL
//! is made for one request and never kept, shown or logged.

use afterglow_model::{Failure, Layout};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use reqwest::Method;
use rusty_s3::signing;
use url::Url;

use super::refusal;
use crate::{destination::Content, failure, name, order::Account};

/// Everything but the unreserved characters of RFC 3986 is encoded in what is signed.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How long a signed request may take until the server has its head. Seconds.
const SIGNED_FOR_S: u64 = 3600;

const REGION: &str = "us-east-1";

/// Where to, and as whom.
pub(super) struct Bucket {
    /// The bucket itself, without a prefix.
    root: Url,
    /// The parts of the address beyond the bucket.
    prefix: Vec<String>,
    folder: Option<String>,
    layout: Layout,
    region: String,
    key_id: String,
    secret: String,
}

impl Bucket {
    /// The bucket of an account: the first part of the address's path, or a label of its host's name if there is no path or if the
    /// account says so.
    pub(super) fn of(account: &Account) -> Result<Self, Failure> {
        let host = account.url.host_str().unwrap_or("The server");
        let (Some(key_id), Some(secret)) = (&account.config.user, &account.secret) else {
            return Err(refusal::no_key(host));
        };
        let parts = account.url.path_segments().into_iter().flatten().filter(|part| !part.is_empty());
        let mut prefix: Vec<String> = parts.map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned()).collect();
        let is_named = matches!(account.url.host(), Some(url::Host::Domain(_)));
        let path_style = account.config.path_style.unwrap_or(!prefix.is_empty() || !is_named);
        let mut root = account.url.clone();
        root.set_query(None);
        root.set_fragment(None);
        root.set_path("/");
        if path_style {
            if prefix.is_empty() {
                return Err(refusal::no_bucket_named(host));
            }
            root.set_path(&utf8_percent_encode(&prefix.remove(0), ENCODED).to_string());
        }
        let region = account.config.region.as_deref().map(str::trim).filter(|region| !region.is_empty()).unwrap_or(REGION);
        let (key_id, secret) = (key_id.trim().to_owned(), secret.trim().to_owned());
        let (folder, layout) = (account.config.folder.clone(), account.config.layout);
        Ok(Self { root, prefix, folder, layout, region: region.to_owned(), key_id, secret })
    }

    /// The region that requests are signed for.
    pub(super) fn region(&self) -> &str {
        &self.region
    }

    /// The bucket itself.
    pub(super) fn root(&self) -> &Url {
        &self.root
    }

    /// The keys under which a content may be stored, in the order in which they are tried.
    pub(super) fn keys(&self, content: &Content) -> Vec<String> {
        match self.layout {
            Layout::Names => {
                let folders = name::folders(self.folder.as_deref(), content.created_ms);
                let names = name::candidates(&content.filename, &content.digest);
                names.into_iter().map(|name| self.key(folders.iter().chain([&name]))).collect()
            }
            Layout::Content => {
                let (within, parts) = (self.within(), name::by_content(&content.filename, &content.digest));
                vec![self.key(within.iter().chain(&parts))]
            }
        }
    }

    fn key<'a>(&'a self, parts: impl Iterator<Item = &'a String>) -> String {
        self.prefix.iter().chain(parts).map(String::as_str).collect::<Vec<_>>().join("/")
    }

    /// The parts of the folder, without those of a date.
    fn within(&self) -> Vec<String> {
        let mut folders = name::folders(self.folder.as_deref(), None);
        folders.pop();
        folders
    }

    /// The key of an object that is written and removed to learn what the server does.
    pub(super) fn probe_key(&self) -> String {
        self.key(self.within().iter().chain([&".afterglow-probe".to_owned()]))
    }

    /// An object's URL, unsigned.
    pub(super) fn object(&self, key: &str) -> Url {
        let mut url = self.root.clone();
        let parts = key.split('/').map(|part| utf8_percent_encode(part, ENCODED).to_string());
        let path = parts.collect::<Vec<_>>().join("/");
        url.set_path(&format!("{}/{path}", self.root.path().trim_end_matches('/')));
        url
    }

    /// The key of an object's URL.
    pub(super) fn key_of(&self, object: &Url) -> String {
        let path = object.path().strip_prefix(self.root.path().trim_end_matches('/')).unwrap_or(object.path());
        percent_decode_str(path.trim_start_matches('/')).decode_utf8_lossy().into_owned()
    }

    /// `url` with `query` and a signature over both, the method, and `headers`, whose names are in lower case.
    pub(super) fn signed(
        &self,
        method: &Method,
        url: &Url,
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Result<Url, Failure> {
        let method = match *method {
            Method::HEAD => rusty_s3::Method::Head,
            Method::GET => rusty_s3::Method::Get,
            Method::PUT => rusty_s3::Method::Put,
            Method::POST => rusty_s3::Method::Post,
            Method::DELETE => rusty_s3::Method::Delete,
            _ => return Err(failure::internal("an unknown method was to be signed")),
        };
        let (mut query, mut headers) = (query.to_vec(), headers.to_vec());
        query.sort_unstable();
        headers.sort_unstable();
        let mut bare = url.clone();
        bare.set_query(None);
        bare.set_fragment(None);
        let now = jiff::Timestamp::now();
        let (query, headers) = (query.iter().copied(), headers.iter().copied());
        Ok(signing::sign(&now, method, bare, &self.key_id, &self.secret, None, &self.region, SIGNED_FOR_S, query, headers))
    }
}

#[cfg(test)]
mod tests {
    use afterglow_model::DestinationConfig;

    use super::*;

    fn bucket(url: &str, config: DestinationConfig) -> Result<Bucket, Failure> {
        let config = DestinationConfig { user: Some("id".to_owned()), ..config };
        Bucket::of(&Account { config, secret: Some("secret".to_owned()), ..Account::at(url.parse().unwrap()) })
    }

    fn content(filename: &str) -> Content {
        Content {
            filename: filename.to_owned(),
            content_type: None,
            byte_count: 1,
            digest: [0xab; 32],
            sha1: None,
            created_ms: Some(1_700_000_000_000),
            companions: Default::default(),
            key: String::new(),
        }
    }

    #[test]
    fn the_bucket_is_in_the_path_or_in_the_host() {
        let folder = DestinationConfig { folder: Some("Photos/Mine".to_owned()), ..DestinationConfig::default() };
        for (url, config, object) in [
            ("https://s3.example/pictures", DestinationConfig::default(), "https://s3.example/pictures/2023/11/a%20%28b%29.jpg"),
            (
                "https://s3.example/pictures/deep/",
                folder.clone(),
                "https://s3.example/pictures/deep/Photos/Mine/2023/11/a%20%28b%29.jpg",
            ),
            ("https://pictures.s3.example/", folder, "https://pictures.s3.example/Photos/Mine/2023/11/a%20%28b%29.jpg"),
            (
                "https://pictures.s3.example/deep",
                DestinationConfig { path_style: Some(false), ..DestinationConfig::default() },
                "https://pictures.s3.example/deep/2023/11/a%20%28b%29.jpg",
            ),
        ] {
            let bucket = bucket(url, config).unwrap();
            let keys = bucket.keys(&content("a (b).jpg"));
            assert_eq!(bucket.object(&keys[0]).as_str(), object);
            assert_eq!(bucket.key_of(&bucket.object(&keys[0])), keys[0]);
            assert!(keys[1].ends_with("/a (b) (abababab).jpg"), "{keys:?}");
        }
        assert!(bucket("http://127.0.0.1:9000/", DestinationConfig::default()).is_err());
    }

    #[test]
    fn a_key_by_content_knows_neither_name_nor_date() {
        let config =
            DestinationConfig { layout: Layout::Content, folder: Some("Photos/Mine".to_owned()), ..DestinationConfig::default() };
        let bucket = bucket("https://s3.example/pictures/deep", config).unwrap();
        let key = format!("deep/Photos/Mine/sha256/ab/{}", "ab".repeat(32));
        assert_eq!(bucket.keys(&content("a (b).JPG")), [format!("{key}.jpg")]);
        assert_eq!(bucket.keys(&Content { created_ms: None, ..content("../x.jpg") }), [format!("{key}.jpg")]);
        assert_eq!(bucket.keys(&content("no extension")), [key]);
    }

    #[test]
    fn a_signature_is_what_the_documents_say() {
        // Amazon S3 API Reference, "Authenticating Requests: Using Query Parameters", its example with another path style.
        let bucket = bucket("https://examplebucket.s3.amazonaws.com/", DestinationConfig::default()).unwrap();
        let signed =
            bucket.signed(&Method::GET, &bucket.object("test.txt"), &[("uploads", "")], &[("if-none-match", "*")]).unwrap();
        let pairs: std::collections::HashMap<_, _> = signed.query_pairs().into_owned().collect();
        assert_eq!(pairs["X-Amz-SignedHeaders"], "host;if-none-match");
        assert!(pairs["X-Amz-Credential"].starts_with("id/") && pairs["X-Amz-Credential"].ends_with("/us-east-1/s3/aws4_request"));
        assert!(!signed.as_str().contains("secret"));
    }
}
