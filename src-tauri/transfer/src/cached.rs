//! A small file that lies in memory already, as most do that were just looked at: read at once, on the thread that asks.
//!
//! To hand it to a thread that may block costs more than to read it. The kernel is asked for what it can give without waiting for a disk:
//! a path whose every part it knows (`RESOLVE_CACHED`, openat2(2)) and bytes that it holds (`RWF_NOWAIT`, preadv2(2)). Opening a file that
//! lies on another machine asks that machine whatever is known here, so only folders that are known to lie on a disk of this one qualify.

use std::path::Path;

#[cfg(target_os = "linux")]
use crate::source::Source;
use crate::{buffers::Buffers, source::Whole};

/// Files that are read so at most, in bytes: to read and digest them takes a third of a millisecond where the processor knows SHA-256.
const BYTES_MAX: u64 = 512 << 10;

#[cfg(target_os = "linux")]
pub(crate) fn read(root: &Path, path: &Path, byte_count: u64, buffers: &Buffers) -> Option<Whole> {
    use rustix::io::ReadWriteFlags;

    if byte_count > BYTES_MAX {
        return None;
    }
    let source = Source::open_known(root, path)?;
    if source.pin().size != byte_count {
        return None;
    }
    let size = usize::try_from(byte_count).ok()?;
    let mut buffer = buffers.take(size);
    let content = &mut [std::io::IoSliceMut::new(buffer.sized(size))];
    let read = rustix::io::preadv2(source.file(), content, 0, ReadWriteFlags::NOWAIT).ok()?;
    if read == size { source.whole_of(buffer.freeze()).ok() } else { None }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn read(_: &Path, _: &Path, _: u64, _: &Buffers) -> Option<Whole> {
    None
}

/// Whether a folder lies on a disk of this computer. May block.
#[cfg(target_os = "linux")]
pub(crate) fn is_local(root: &Path) -> bool {
    /// ext2 to ext4, Btrfs, XFS, F2FS, tmpfs, bcachefs and ZFS (statfs(2); OpenZFS). What is not listed may be a network's.
    const LOCAL: [u64; 7] = [0xef53, 0x9123_683e, 0x5846_5342, 0xf2f5_2010, 0x0102_1994, 0xca45_1a4e, 0x2fc1_2fc1];
    rustix::fs::statfs(root).is_ok_and(|system| LOCAL.contains(&(system.f_type as u64 & 0xffff_ffff)))
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn is_local(_: &Path) -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_known_is_read_as_it_is_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::write(root.join("a.jpg"), b"a photo").unwrap();
        symlink(root.join("a.jpg"), root.join("link.jpg")).unwrap();
        let slow = crate::source::whole(root, Path::new("a.jpg"), 7, &Buffers::default()).unwrap();
        if let Some(quick) = read(root, &root.join("a.jpg"), 7, &Buffers::default()) {
            assert_eq!((quick.content, quick.digest), (slow.content, slow.digest));
            assert_eq!(quick.source.pin(), slow.source.pin());
        } else {
            eprintln!("SKIPPED: this kernel or file system reads nothing without waiting, so that was not compared");
        }
        for (path, byte_count) in [("a.jpg", 8), ("link.jpg", 7), ("../a.jpg", 7), (".", 7), ("none.jpg", 7)] {
            assert!(read(root, Path::new(path), byte_count, &Buffers::default()).is_none(), "{path}");
        }
    }
}
