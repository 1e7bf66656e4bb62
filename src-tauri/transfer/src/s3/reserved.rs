//! Keys that deliveries under way are about to store under.
//!
//! Where a server knows no conditions, nothing but this keeps two photos of one name from each other that are on their way at once: both
//! would find the key free, and the later one would overwrite the earlier.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The keys that are reserved, of all servers.
#[derive(Debug, Default)]
pub(crate) struct Reserved(Mutex<HashMap<String, Holders>>);

/// Deliveries of one content; to store it twice under one key is to store it once.
#[derive(Debug)]
struct Holders {
    digest: [u8; 32],
    count: usize,
}

/// A key of a delivery, as long as this is kept.
pub(super) struct Reservation<'a> {
    reserved: &'a Reserved,
    place: String,
}

impl Reserved {
    /// Reserves a place at a server for a content; none if it is reserved for another.
    pub(super) fn take(&self, place: String, digest: &[u8; 32]) -> Option<Reservation<'_>> {
        let mut places = self.places();
        let holders = places.entry(place.clone()).or_insert(Holders { digest: *digest, count: 0 });
        if holders.digest != *digest {
            return None;
        }
        holders.count += 1;
        Some(Reservation { reserved: self, place })
    }

    fn places(&self) -> MutexGuard<'_, HashMap<String, Holders>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let mut places = self.reserved.places();
        if let Some(holders) = places.get_mut(&self.place) {
            holders.count -= 1;
            if holders.count == 0 {
                places.remove(&self.place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_for_one_content_until_its_last_delivery_ends() {
        let reserved = Reserved::default();
        let take = |digest: u8| reserved.take("a".to_owned(), &[digest; 32]);
        let (first, again) = (take(1), take(1));
        assert!(first.is_some() && again.is_some() && take(2).is_none());
        drop(first);
        assert!(take(2).is_none());
        drop(again);
        assert!(take(2).is_some() && take(1).is_some());
    }
}
