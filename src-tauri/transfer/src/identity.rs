//! Who answers at an address, asked without a credential: so that none is given to a stranger.
//!
//! TLS proves it by the certificate. Without TLS a server is known again only by what it says of itself, where its protocol has such a
//! word: that keeps the password from whoever has the same private address in another network, not from one who means to deceive.

use afterglow_model::Connector;
use reqwest::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue, SET_COOKIE},
};
use serde_json::Value;
use url::Url;

use crate::{
    destination::Setback,
    failure,
    payload::Payload,
    wire::{Answer, Wire},
};

const OCS_APIREQUEST: HeaderName = HeaderName::from_static("ocs-apirequest");

/// Whether a server of this kind can say who it is to somebody without a credential.
pub(crate) fn is_told(connector: Connector) -> bool {
    match connector {
        Connector::Immich | Connector::Nextcloud => true,
        Connector::Resumable
        | Connector::Archive
        | Connector::Tus
        | Connector::Webdav
        | Connector::S3
        | Connector::GooglePhotos
        | Connector::Folder => false,
    }
}

/// The path at which a server begins, without its last `/`, whatever leads deeper in the address that the person has given.
pub(crate) fn root(connector: Connector, base: &Url) -> &str {
    let path = base.path().trim_end_matches('/');
    let until = |deeper: &str| path.find(deeper).unwrap_or(path.len());
    match connector {
        Connector::Immich => path.strip_suffix("/api").unwrap_or(path),
        Connector::Nextcloud => &path[..until("/remote.php").min(until("/index.php"))],
        Connector::Resumable
        | Connector::Archive
        | Connector::Tus
        | Connector::Webdav
        | Connector::S3
        | Connector::GooglePhotos
        | Connector::Folder => path,
    }
}

/// Asks who is there. None if the server does not say. `wire` carries no credential.
pub(crate) async fn ask(connector: Connector, wire: &Wire<'_>) -> Result<Option<String>, Setback> {
    let root = root(connector, wire.url());
    let mut url = wire.url().clone();
    let mut headers = HeaderMap::new();
    let method = match connector {
        Connector::Immich => {
            url.set_path(&format!("{root}/api/server/config"));
            Method::GET
        }
        Connector::Nextcloud => {
            url.set_path(&format!("{root}/ocs/v2.php/cloud/capabilities"));
            url.set_query(Some("format=json"));
            headers.insert(OCS_APIREQUEST, HeaderValue::from_static("true"));
            Method::GET
        }
        Connector::Resumable
        | Connector::Archive
        | Connector::Tus
        | Connector::Webdav
        | Connector::S3
        | Connector::GooglePhotos
        | Connector::Folder => Method::OPTIONS,
    };
    let answer = wire.exchange(method, &url, headers, Payload::empty()).await?;
    // A gateway answers for a server that is away.
    if answer.status.is_server_error() {
        return Err(Setback::Failed(answer.failure(wire.host())));
    }
    match connector {
        Connector::Immich => immich(&answer).ok_or_else(|| Setback::Failed(failure::stranger(wire.host()))),
        Connector::Nextcloud => Ok(nextcloud(&answer)),
        Connector::Resumable
        | Connector::Archive
        | Connector::Tus
        | Connector::Webdav
        | Connector::S3
        | Connector::GooglePhotos
        | Connector::Folder => Ok(None),
    }
}

/// `ServerConfigDto`: the domain that its administrator has given it, if one has. None for another server's answer.
fn immich(answer: &Answer) -> Option<Option<String>> {
    let config: Value = serde_json::from_slice(&answer.body).ok()?;
    let domain = config.get("externalDomain")?.as_str()?.trim_end_matches('/');
    Some((!domain.is_empty()).then(|| format!("immich {domain}")))
}

/// The id of the instance, which is the name of its session's cookie (`initSession` in the server's `lib/base.php`).
fn nextcloud(answer: &Answer) -> Option<String> {
    let cookies = answer.headers.get_all(SET_COOKIE).into_iter().filter_map(|cookie| cookie.to_str().ok());
    let names = cookies.filter_map(|cookie| cookie.split_once('=')).map(|(name, _)| name.trim());
    let is_id = |name: &&str| name.starts_with("oc") && name.len() >= 12 && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    names.into_iter().find(is_id).map(|id| format!("nextcloud {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_begins_above_what_leads_deeper() {
        let root = |connector, base: &str| root(connector, &base.parse().unwrap()).to_owned();
        assert_eq!(root(Connector::Immich, "https://a/photos/api/"), "/photos");
        assert_eq!(root(Connector::Immich, "https://a"), "");
        assert_eq!(root(Connector::Nextcloud, "https://a/cloud/remote.php/dav/files/anna"), "/cloud");
        assert_eq!(root(Connector::Nextcloud, "https://a/index.php/apps/files"), "");
        assert_eq!(root(Connector::Webdav, "https://a/dav/"), "/dav");
    }
}
