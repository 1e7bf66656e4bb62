//! What was read from the store a moment ago.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::Secret;

/// How long a secret that was read is believed. Somebody else may have changed it in the keyring.
const BELIEVED_FOR: Duration = Duration::from_secs(5);

/// Secrets by their handles. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Recent(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Grows with each change of the store.
    version: Version,
    read: HashMap<String, (Secret, Instant)>,
}

/// What the store was when a reading of it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Version(u64);

impl Recent {
    /// A secret that was read lately, or else what to [keep](Self::keep) it with once it is read.
    pub(super) fn get(&self, handle: &str) -> Result<Secret, Version> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.read.get(handle) {
            Some((secret, at)) if at.elapsed() < BELIEVED_FOR => Ok(secret.clone()),
            Some(_) | None => Err(state.version),
        }
    }

    /// Keeps what was read, unless the store was changed in the meantime.
    pub(super) fn keep(&self, asked: Version, handle: &str, secret: &Secret) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.version == asked {
            state.read.retain(|_, (_, at)| at.elapsed() < BELIEVED_FOR);
            state.read.insert(handle.to_owned(), (secret.clone(), Instant::now()));
        }
    }

    /// The store changes.
    pub(super) fn forget(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.version.0 += 1;
        state.read.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_a_change_is_not_kept_after_it() {
        let (recent, secret) = (Recent::default(), Secret::new("one"));
        let asked = recent.get("a").unwrap_err();
        recent.keep(asked, "a", &secret);
        assert_eq!(recent.get("a"), Ok(secret.clone()));
        recent.forget();
        assert!(recent.get("a").is_err());
        recent.keep(asked, "a", &secret);
        assert!(recent.get("a").is_err());
    }
}
