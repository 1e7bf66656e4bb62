//! Memory for what is read of files, used again for the next photo or block.
//!
//! The allocator has two ways with pieces so large, both dear. It takes each from the system and gives it back, and the kernel fills it
//! with zeros every time; or it keeps them among everything else, where it tidies up with each that is freed, soon every hole is a little too
//! small, and a third of the memory of a service at work lies idle.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Smaller ones are the allocator's.
const KEPT_BYTES_MIN: usize = 8 << 10;
/// What lies ready at most, in bytes.
const READY_BYTES_MAX: usize = 4 << 20;

/// The buffers that lie ready.
#[derive(Debug, Clone, Default)]
pub(crate) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

/// A buffer to be filled. It goes back when it is dropped, or all that was made of it.
#[derive(Debug)]
pub(crate) struct Buffer {
    content: Vec<u8>,
    /// None: it is the allocator's.
    home: Option<Buffers>,
}

impl Buffers {
    /// A buffer that has room for `size` bytes.
    pub(crate) fn take(&self, size: usize) -> Buffer {
        if size < KEPT_BYTES_MIN {
            return Buffer { content: Vec::with_capacity(size), home: None };
        }
        // A little more than is asked for, so that one photo's buffer fits another's.
        let made = || Vec::with_capacity(size.next_multiple_of(size.next_power_of_two() / 8));
        Buffer { content: self.find(size).unwrap_or_else(made), home: Some(self.clone()) }
    }

    /// Of those that are large enough the smallest, and none that would lie half empty.
    fn find(&self, size: usize) -> Option<Vec<u8>> {
        let mut ready = self.ready();
        let fits = |buffer: &Vec<u8>| (size..=2 * size).contains(&buffer.capacity());
        let found = ready.iter().enumerate().filter(|(_, buffer)| fits(buffer)).min_by_key(|(_, buffer)| buffer.capacity());
        let at = found.map(|(at, _)| at)?;
        Some(ready.swap_remove(at))
    }

    fn put_back(&self, content: Vec<u8>) {
        let mut ready = self.ready();
        ready.push(content);
        while ready.iter().map(Vec::capacity).sum::<usize>() > READY_BYTES_MAX {
            ready.remove(0);
        }
    }

    /// Lets go of all that lie ready.
    pub(crate) fn clear(&self) {
        self.ready().clear();
    }

    fn ready(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buffer {
    /// The buffer with this length, to be written over: what it holds is what it was used for last.
    pub(crate) fn sized(&mut self, length: usize) -> &mut [u8] {
        self.content.resize(length, 0);
        &mut self.content
    }

    /// The content, to be shared.
    pub(crate) fn freeze(mut self) -> Bytes {
        if self.home.is_some() { Bytes::from_owner(self) } else { std::mem::take(&mut self.content).into() }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.content
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(home) = self.home.take() {
            home.put_back(std::mem::take(&mut self.content));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(buffers: &Buffers, size: usize, with: u8) -> Bytes {
        let mut buffer = buffers.take(size);
        assert!(buffer.content.capacity() >= size);
        buffer.sized(size).fill(with);
        buffer.freeze()
    }

    fn ready(buffers: &Buffers) -> Vec<usize> {
        buffers.ready().iter().map(Vec::capacity).collect()
    }

    #[test]
    fn a_buffer_serves_one_photo_after_another() {
        let buffers = Buffers::default();
        let (size, with) = (100_000, 7);
        let first = filled(&buffers, size, with);
        let (at, part) = (first.as_ptr(), first.slice(10..20));
        drop(first);
        assert_ne!(filled(&buffers, size, 1).as_ptr(), at, "a part of it is still on its way");
        assert_eq!(part, [with; 10][..]);
        drop(part);
        let next = filled(&buffers, size - 100, 9);
        assert!(next.iter().all(|byte| *byte == 9) && next.len() == size - 100);
        drop(next);
        assert_eq!(ready(&buffers).len(), 2, "as many as were in use at once");
        buffers.clear();
        assert!(ready(&buffers).is_empty());
    }

    #[test]
    fn what_lies_ready_is_bounded_and_small_ones_are_not_kept() {
        let buffers = Buffers::default();
        let many: Vec<_> = (2..40).map(|n| filled(&buffers, n << 16, 0)).collect();
        drop(many);
        let kept = ready(&buffers);
        assert!(!kept.is_empty() && kept.iter().sum::<usize>() <= READY_BYTES_MAX, "{kept:?}");
        let before = kept.len();
        drop(filled(&buffers, KEPT_BYTES_MIN - 1, 0));
        assert_eq!(ready(&buffers).len(), before);
        let far_smaller = filled(&buffers, KEPT_BYTES_MIN, 0);
        assert_eq!(ready(&buffers).len(), before, "a buffer many times as large is not taken for it: {}", far_smaller.len());
    }
}
