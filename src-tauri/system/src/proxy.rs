//! The proxy that the desktop's settings name for an address.

use url::Url;

/// Whether it is asked for here. Elsewhere the HTTP client itself reads the settings, and is to be let do so.
pub const NAMES_PROXIES: bool = cfg!(target_os = "linux");

/// There is nobody who knows the desktop's settings, or no answer within [`ANSWER_TIME`](crate::ANSWER_TIME).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unanswered;

/// What the desktop names for a URL: none for a direct way. Blocks for [`ANSWER_TIME`](crate::ANSWER_TIME) at most.
///
/// # Errors
/// [`Unanswered`]; always where it [is not asked for](NAMES_PROXIES).
#[cfg(target_os = "linux")]
pub fn desktop_proxy(url: &Url) -> Result<Option<Url>, Unanswered> {
    let (named, answer) = std::sync::mpsc::channel();
    let url = url.to_string();
    let asking = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let found = runtime.map_err(|_| Unanswered).and_then(|runtime| runtime.block_on(portal::lookup(&url)));
        // Nobody waits any more: it has taken too long.
        let _ = named.send(found);
    };
    // Not on the caller's own: it may be one of few that carry everything, and D-Bus would have to be spoken on it.
    std::thread::Builder::new().name("proxy".to_owned()).spawn(asking).map_err(|_| Unanswered)?;
    answer.recv_timeout(crate::ANSWER_TIME).unwrap_or(Err(Unanswered))
}

/// Not to be asked for: see [`NAMES_PROXIES`].
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn desktop_proxy(_url: &Url) -> Result<Option<Url>, Unanswered> {
    Err(Unanswered)
}

#[cfg(target_os = "linux")]
mod portal {
    use zbus::Connection;

    use super::{Unanswered, Url, read};
    use crate::sensors::{PORTAL, PORTAL_PATH};

    /// `Lookup` of `org.freedesktop.portal.ProxyResolver`: the proxies to be tried, the best one first.
    pub(super) async fn lookup(url: &str) -> Result<Option<Url>, Unanswered> {
        let asked = async {
            let bus = Connection::session().await?;
            let interface = Some("org.freedesktop.portal.ProxyResolver");
            let answer = bus.call_method(Some(PORTAL), PORTAL_PATH, interface, "Lookup", &(url,)).await?;
            answer.body().deserialize::<Vec<String>>()
        };
        let proxies = asked.await.inspect_err(|error| tracing::debug!(%error, "the desktop names no proxy"));
        Ok(proxies.map_err(|_: zbus::Error| Unanswered)?.first().and_then(|best| read(best)))
    }
}

/// A proxy as GLib's resolvers write it, which `libproxy` does as well: `direct://`, `http://host:port`, `socks://host:port`.
#[cfg(any(target_os = "linux", test))]
fn read(proxy: &str) -> Option<Url> {
    let (scheme, rest) = proxy.split_once("://")?;
    let scheme = match scheme {
        "direct" => return None,
        // Names are resolved behind it: in front of it nobody may know them.
        "socks" | "socks5" => "socks5h",
        scheme => scheme,
    };
    Url::parse(&format!("{scheme}://{rest}")).ok().filter(Url::has_host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_read_as_the_desktop_writes_it() {
        let of = |proxy: &str| read(proxy).map(String::from);
        assert_eq!(of("direct://"), None);
        assert_eq!(of("http://proxy.example:3128").as_deref(), Some("http://proxy.example:3128/"));
        assert_eq!(of("socks://10.0.0.1:1080").as_deref(), Some("socks5h://10.0.0.1:1080"));
        assert_eq!(of("socks4://10.0.0.1:1080").as_deref(), Some("socks4://10.0.0.1:1080"));
        assert_eq!(of("proxy.example"), None);
        assert_eq!(of("http://"), None);
    }
}
