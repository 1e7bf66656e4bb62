//! Certificates that nobody vouches for, and addresses that nothing goes to.

use afterglow_model::{Connector, FailureClass, FailureCode};
use afterglow_tests::tls::TlsFront;
use afterglow_transfer::Account;

use crate::rig::{MIB, Rig};

/// A server behind TLS, with a certificate of its own making.
async fn behind_tls() -> (Rig, TlsFront) {
    let mut rig = Rig::new().await;
    let front = TlsFront::start(&rig.account.url).await.unwrap();
    rig.account = Account { secret: Some("secret".to_owned()), ..Account::at(front.over(&rig.account.url).unwrap()) };
    (rig, front)
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_shown_and_nothing_is_sent() {
    let (rig, front) = behind_tls().await;
    let refused = rig.transfer.test(Connector::Resumable, &rig.account).await.unwrap_err();
    assert_eq!(refused.code, FailureCode::TlsFailed);
    assert_eq!(refused.certificate.unwrap().sha256, front.fingerprint());
    assert_eq!(rig.server.truth().requests.len(), 0);
    // On the way such a certificate may be a portal's: it may pass by itself.
    let failed = rig.failed(&rig.file("a.jpg", 3000), FailureCode::TlsFailed).await;
    assert_eq!(failed.class, FailureClass::Transient);
    assert_eq!(rig.server.truth().requests.len(), 0);
}

#[tokio::test]
async fn the_trusted_certificate_is_believed_and_no_other() {
    let (mut rig, front) = behind_tls().await;
    rig.account.config.certificate = Some(front.fingerprint());
    let order = rig.file("a.jpg", 5 * MIB);
    rig.delivered(&order).await;
    let before = rig.stored_once(&order).requests.len();

    front.renew().unwrap();
    let changed = rig.failed(&rig.file("b.jpg", 3000), FailureCode::CertificateChanged).await;
    assert_eq!(changed.class, FailureClass::NeedsUser);
    assert_eq!(changed.certificate.unwrap().sha256, front.fingerprint());
    assert_eq!(rig.server.truth().requests.len(), before);

    rig.account.config.certificate = Some(front.fingerprint());
    rig.delivered(&rig.order("b.jpg")).await;
}

#[tokio::test]
async fn who_has_only_seen_the_certificate_is_not_believed() {
    let (mut rig, front) = behind_tls().await;
    rig.account.config.certificate = Some(front.fingerprint());
    front.pretend().unwrap();
    rig.failed(&rig.file("a.jpg", 3000), FailureCode::TlsFailed).await;
    assert_eq!(rig.server.truth().requests.len(), 0);
}

#[tokio::test]
async fn nothing_goes_unencrypted_beyond_the_local_network() {
    let mut rig = Rig::new().await;
    let order = rig.file("a.jpg", 3000);
    // Of TEST-NET-1 (RFC 5737), where nobody is.
    rig.account = Account::at("http://192.0.2.1/files".parse().unwrap());
    rig.account.config.cleartext = true;
    let refused = rig.failed(&order, FailureCode::DestinationNotAllowed).await;
    assert_eq!(refused.class, FailureClass::NeedsUser);
    rig.account = Account::at("http://nas.local/files".parse().unwrap());
    rig.failed(&order, FailureCode::Unencrypted).await;
}
