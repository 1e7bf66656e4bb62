//! Connections: one pool for each way in which a server is reached.

use std::{path::PathBuf, sync::Arc, time::Duration};

use reqwest::{Client, Proxy, redirect};

use crate::{
    near::{self, NearNames},
    order::Account,
    proxies::Proxies,
    transfer::{SetupError, TransferOptions},
    trust::{Pinned, System},
};

/// A way to reach a server. Connections are shared by accounts with the same way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Line {
    /// A server inside this computer, at a Unix socket.
    Socket(PathBuf),
    /// Unencrypted: straight to an address nearby, past every proxy.
    Cleartext,
    /// TLS.
    Tls {
        /// The certificate that is believed beyond what the system says.
        pinned: Option<Pinned>,
        /// The server is this computer, so no proxy stands between.
        is_here: bool,
    },
}

impl Line {
    pub(crate) fn of(account: &Account) -> Self {
        if let Some(socket) = &account.socket {
            return Self::Socket(socket.clone());
        }
        if account.url.scheme() == "http" {
            return Self::Cleartext;
        }
        let or_vouched_for = !account.config.addresses.is_empty();
        let pinned = account.config.certificate.clone().map(|sha256| Pinned { sha256, or_vouched_for });
        Self::Tls { pinned, is_here: near::is_here(&account.url) }
    }

    /// HTTP/1.1 alone: uploads fill a connection each, and one connection shared by all of them would lose for all what it loses for one.
    pub(crate) fn client(&self, options: &TransferOptions, system: &System, proxies: &Arc<Proxies>) -> Result<Client, SetupError> {
        let builder = Client::builder()
            .user_agent(&options.user_agent)
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .connect_timeout(options.connect)
            .tcp_keepalive(options.stall / 2)
            // An idle connection costs the server and us; a batch is closer together than this.
            .pool_idle_timeout(Duration::from_secs(30));
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
        let builder = builder.tcp_user_timeout(options.stall);
        let pinned = match self {
            Self::Socket(_) | Self::Cleartext => None,
            Self::Tls { pinned, .. } => pinned.clone(),
        };
        let builder = builder.tls_backend_preconfigured(system.config(pinned)?);
        let builder = match self {
            #[cfg(unix)]
            Self::Socket(path) => builder.unix_socket(path.as_path()).no_proxy(),
            #[cfg(not(unix))]
            Self::Socket(_) => builder.no_proxy(),
            Self::Cleartext => builder.dns_resolver(NearNames).no_proxy(),
            Self::Tls { is_here: true, .. } => builder.no_proxy(),
            Self::Tls { is_here: false, .. } if proxies.are_asked_for() => {
                let proxies = proxies.clone();
                builder.proxy(Proxy::custom(move |url| proxies.of(url)))
            }
            // Those of the environment, or of the system where it has a place for them.
            Self::Tls { is_here: false, .. } => builder,
        };
        Ok(builder.build()?)
    }
}
