//! Whose certificate is believed: one that the system vouches for, or exactly the one that the person has seen and trusts.
//!
//! A pinned certificate is compared whole, by the SHA-256 of its DER form; names, dates and issuers in it mean nothing then, for nobody
//! vouches for them. That the server holds its key is verified in either case: the handshake is signed with it (RFC 8446, section 4.4.3).

use std::{fmt, sync::Arc};

use afterglow_model::Certificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use rustls_platform_verifier::Verifier;

use crate::certificate::{describe, fingerprint};

/// What the system trusts, read once for all connections.
#[derive(Debug, Clone)]
pub(crate) struct System {
    provider: Arc<CryptoProvider>,
    verifier: Arc<Verifier>,
}

/// Which certificate is believed beyond what the system says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Pinned {
    /// SHA-256 of its DER form, lower-case hexadecimal.
    pub(crate) sha256: String,
    /// One that the system vouches for is believed, too: for a server that has another address, with a certificate of its own.
    pub(crate) or_vouched_for: bool,
}

/// A certificate that is not believed.
#[derive(Debug, thiserror::Error)]
#[error("the certificate with SHA-256 {} is not trusted: {doubt}", certificate.sha256)]
pub(crate) struct Untrusted {
    pub(crate) certificate: Box<Certificate>,
    pub(crate) doubt: Doubt,
}

/// What stands against a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// It is not the one that is trusted.
    Changed,
    /// It is valid no more, or not yet.
    Dated,
    /// It was made for another name.
    OtherName,
    /// Nobody whom the system trusts vouches for it.
    Unvouched,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Changed => "another one is",
            Self::Dated => "it is not valid at this date",
            Self::OtherName => "it was made for another name",
            Self::Unvouched => "nobody vouches for it",
        })
    }
}

#[derive(Debug)]
struct Trust {
    system: System,
    pinned: Option<Pinned>,
}

impl System {
    pub(crate) fn new() -> Result<Self, rustls::Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        Ok(Self { verifier: Arc::new(Verifier::new(provider.clone())?), provider })
    }

    /// How TLS is spoken to a server.
    pub(crate) fn config(&self, pinned: Option<Pinned>) -> Result<ClientConfig, rustls::Error> {
        let trust = Trust { system: self.clone(), pinned };
        let config = ClientConfig::builder_with_provider(self.provider.clone()).with_safe_default_protocol_versions()?;
        Ok(config.dangerous().with_custom_certificate_verifier(Arc::new(trust)).with_no_client_auth())
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        issuers: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let untrusted = |doubt| {
            let error = OtherError(Arc::new(Untrusted { certificate: Box::new(describe(certificate)), doubt }));
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(error)))
        };
        if let Some(pinned) = &self.pinned {
            if fingerprint(certificate) == pinned.sha256 {
                return Ok(ServerCertVerified::assertion());
            }
            if !pinned.or_vouched_for {
                return untrusted(Doubt::Changed);
            }
        }
        match self.system.verifier.verify_server_cert(certificate, issuers, name, ocsp, now) {
            Ok(verified) => Ok(verified),
            Err(_) if self.pinned.is_some() => untrusted(Doubt::Changed),
            Err(rustls::Error::InvalidCertificate(error)) => untrusted(doubt(&error)),
            Err(error) => Err(error),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.system.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.system.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.system.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn doubt(error: &CertificateError) -> Doubt {
    match error {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Doubt::Dated,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Doubt::OtherName,
        _ => Doubt::Unvouched,
    }
}
