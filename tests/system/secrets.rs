//! The keyring that is not there, or does not answer.

use afterglow_system::{Secret, SecretError, Secrets, SecretsKind, SecretsOptions};

use crate::bus::with_session_bus;

async fn falls_back_to_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let options = SecretsOptions { file: dir.path().join("secrets.json"), use_keyring: true };
    let secrets = Secrets::open(options).await;
    assert_eq!(secrets.kind(), SecretsKind::File);
    assert!(matches!(secrets.get("a").await, Err(SecretError::KeyringMissing)), "it may be in the keyring");
    secrets.set("a", Secret::new("one")).await.unwrap();
    assert_eq!(secrets.get("a").await.unwrap(), Some(Secret::new("one")));
}

#[test]
fn without_a_keyring_the_file_is_used() {
    with_session_bus("secrets::without_a_keyring_the_file_is_used", |_bus| falls_back_to_the_file());
}

#[test]
fn a_keyring_that_hangs_is_left_alone() {
    with_session_bus("secrets::a_keyring_that_hangs_is_left_alone", |bus| async move {
        let _hung = bus.hung("org.freedesktop.secrets").await;
        falls_back_to_the_file().await;
    });
}
