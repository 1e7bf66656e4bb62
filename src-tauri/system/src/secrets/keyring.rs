//! Secrets in the desktop's keyring: the Secret Service API 0.2 (freedesktop.org), spoken by GNOME Keyring, KWallet and KeePassXC.

use std::sync::Arc;

use keyring_core::{Entry, Error, api::CredentialStoreApi};
use zbus_secret_service_keyring_store::Store;

use super::{Secret, SecretError};

/// The `service` attribute of our items.
const SERVICE: &str = "Afterglow";

/// An open session with the keyring. Every call blocks, as long as a person takes to unlock it.
pub(super) struct Keyring {
    store: Arc<Store>,
}

impl Keyring {
    pub(super) fn open() -> Result<Self, SecretError> {
        let store = Store::new().map_err(refused)?;
        Ok(Self { store })
    }

    pub(super) fn get(&self, handle: &str) -> Result<Option<Secret>, SecretError> {
        match self.entry(handle)?.get_password() {
            Ok(value) => Ok(Some(Secret(value))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(refused(error)),
        }
    }

    pub(super) fn put(&self, handle: &str, secret: Option<Secret>) -> Result<(), SecretError> {
        let entry = self.entry(handle)?;
        let done = match secret {
            Some(Secret(value)) => entry.set_password(&value),
            None => entry.delete_credential(),
        };
        match done {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(refused(error)),
        }
    }

    fn entry(&self, handle: &str) -> Result<Entry, SecretError> {
        self.store.build(SERVICE, handle, None).map_err(refused)
    }
}

/// The display of some errors holds what was read, so those are named only.
fn refused(error: Error) -> SecretError {
    SecretError::Keyring(match error {
        Error::BadEncoding(_) | Error::BadDataFormat(..) => "what it holds is no text".to_owned(),
        error => error.to_string(),
    })
}
