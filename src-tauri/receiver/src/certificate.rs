//! By what the receiver is known in the network: a key, and a certificate for it that nobody vouches for.
//!
//! Both are made once and kept in one file, so that neither is ever without the other. Senders hold to exactly this certificate, which
//! they have by pairing or by a person who compared its fingerprint; name and dates in it decide nothing. Hence one that cannot be read
//! is an error and not replaced: to every sender, another one would be a stranger in the receiver's place.

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::ReceiverError;
use crate::digest::Digest;
use crate::private;

/// A certificate, and how TLS is spoken with it.
pub(crate) struct Certificate {
    /// SHA-256 of its DER form, lower-case hexadecimal.
    pub(crate) sha256: String,
    pub(crate) config: Arc<ServerConfig>,
}

impl Certificate {
    /// That of the receiver's own folder.
    pub(crate) fn of_folder(folder: &Path) -> Result<Self, ReceiverError> {
        let path = folder.join("certificate.pem");
        kept(&path).and_then(|pem| Self::read(&pem)).map_err(|why| ReceiverError::Certificate { path, why: why.to_string() })
    }

    fn read(pem: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| "it holds no whole certificate")?;
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| "it holds no whole key")?;
        let sha256 = Digest::of(&certificate).hex();
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { sha256, config: Arc::new(config) })
    }
}

/// What the file holds; made if there is none.
fn kept(path: &Path) -> Result<String, Box<dyn Error + Send + Sync>> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = made()?;
            private::write(path, &made)?;
            Ok(made)
        }
        kept => Ok(kept?),
    }
}

fn made() -> Result<String, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut certificate = CertificateParams::new(["localhost".to_owned()])?;
    certificate.distinguished_name = DistinguishedName::new();
    certificate.distinguished_name.push(DnType::CommonName, "Afterglow receiver");
    // A clock that is wrong while this is made must not make it invalid; that it has no end is said so (RFC 5280, section 4.1.2.5).
    certificate.not_before = date_time_ymd(2020, 1, 1);
    certificate.not_after = date_time_ymd(9999, 12, 31);
    Ok(certificate.self_signed(&key)?.pem() + &key.serialize_pem())
}
