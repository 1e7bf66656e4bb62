//! TLS in front of a server, with certificates that nobody vouches for.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result};
use rcgen::{CertifiedKey, KeyPair};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::{ClientHello, ResolvesServerCert},
    sign,
};
use sha2::{Digest, Sha256};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;
use url::Url;

/// The front. It ends with this value.
#[derive(Debug)]
pub struct TlsFront {
    address: SocketAddr,
    shown: Arc<Shown>,
    renewed: watch::Sender<()>,
    accepting: JoinHandle<()>,
}

/// The certificate that is shown, with a key.
#[derive(Debug)]
struct Shown(Mutex<Arc<sign::CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<sign::CertifiedKey>> {
        Some(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl TlsFront {
    /// TLS to the host and port of `url`.
    pub async fn start(url: &Url) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let target = url.socket_addrs(|| None)?.first().copied().context("an address")?;
        let shown = Arc::new(Shown(Mutex::new(Arc::new(fresh()?))));
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(shown.clone());
        // Who comes again shows and sees everything anew.
        config.send_tls13_tickets = 0;
        let renewed = watch::Sender::new(());
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(accept(listener, TlsAcceptor::from(Arc::new(config)), target, renewed.clone()));
        Ok(Self { address, shown, renewed, accepting })
    }

    /// `url` as it is reached here.
    pub fn over(&self, url: &Url) -> Result<Url> {
        let path = url.path();
        Ok(Url::parse(&format!("https://{}{path}", self.address))?)
    }

    /// SHA-256 of the certificate that is shown, in lower-case hexadecimal.
    pub fn fingerprint(&self) -> String {
        let shown = self.shown.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let digest = shown.cert.first().map(Sha256::digest).unwrap_or_default();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Shows another certificate from now on; connections of before end.
    pub fn renew(&self) -> Result<()> {
        self.show(fresh()?);
        Ok(())
    }

    /// Shows the same certificate, without having its key: what somebody can do who has only seen it.
    pub fn pretend(&self) -> Result<()> {
        let certificate = self.shown.0.lock().unwrap_or_else(PoisonError::into_inner).cert.clone();
        self.show(sign::CertifiedKey::new(certificate, fresh()?.key));
        Ok(())
    }

    fn show(&self, certified: sign::CertifiedKey) {
        *self.shown.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(certified);
        self.renewed.send_replace(());
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.accepting.abort();
        self.renewed.send_replace(());
    }
}

fn fresh() -> Result<sign::CertifiedKey> {
    let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(KeyPair::serialize_der(&signing_key)));
    let certificates: Vec<CertificateDer<'static>> = vec![cert.der().clone()];
    Ok(sign::CertifiedKey::new(certificates, aws_lc_rs::sign::any_supported_type(&key)?))
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, target: SocketAddr, renewed: watch::Sender<()>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, mut renewed) = (acceptor.clone(), renewed.subscribe());
        tokio::spawn(async move {
            // Whoever does not believe the certificate goes; a server that is not there is a line that ends at once.
            let Ok(mut client) = acceptor.accept(stream).await else { return };
            let Ok(mut server) = TcpStream::connect(target).await else { return };
            tokio::select! {
                _ = renewed.changed() => {}
                _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
            }
        });
    }
}
