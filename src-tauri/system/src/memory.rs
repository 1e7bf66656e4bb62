//! How the allocator deals with memory, and giving it back to the system when a time of work begins or is over. One of the two files
//! here that call foreign functions.
//!
//! The service sleeps most of the day, and what it used last is not what it will use next. Two things stay behind otherwise: free blocks
//! that the allocator keeps for later (tens of megabytes after a large library was read), and the program's own code, of which each
//! page that was ever near to a used one counts as resident. Neither is lost: the next use of the code maps it again from the page cache.
#![cfg_attr(target_os = "linux", allow(unsafe_code, reason = "mallopt(3), malloc_trim(3) and madvise(2) have no safe form"))]

/// Has the allocator (GNU libc) keep little. To be called before the first thread starts.
///
/// By itself it makes up to eight pools for each processor, and what is free in one is of no use to a thread of another: here the
/// two threads of the async runtime and the one that writes the queue have one each, which all others share. After the first large piece that is freed it keeps every piece of that size in its pools, where it lies about between small ones
/// ("dynamic mmap threshold", mallopt(3)): here they always go back to the system at once, and who needs them often keeps his own. To set
/// that ends the adaptation of the other limit as well, below which the free end of a pool stays: at its default of 128 kB it would be given
/// back and taken again with every few photos.
pub fn keep_little() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for (option, value) in [(libc::M_ARENA_MAX, 3), (libc::M_MMAP_THRESHOLD, 256 << 10), (libc::M_TRIM_THRESHOLD, 4 << 20)] {
        // SAFETY: mallopt only sets a number of the allocator's, under its own lock.
        if unsafe { libc::mallopt(option, value) } == 0 {
            tracing::debug!(option, "the allocator does not take an option");
        }
    }
}

/// Gives back what can be had again. Takes about a millisecond; to be called when nothing is under way yet, or any more.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    trim();
    #[cfg(target_os = "linux")]
    if let Err(error) = unmap_code() {
        tracing::debug!(%error, "the program's code stays resident");
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn trim() {
    // SAFETY: malloc_trim takes the allocator's own locks, may be called from any thread at any time, and moves nothing.
    unsafe { libc::malloc_trim(0) };
}

/// Drops the mapped pages of all code, the program's and the libraries'. They come back from the page cache with the next use.
#[cfg(target_os = "linux")]
fn unmap_code() -> std::io::Result<()> {
    for line in std::fs::read_to_string("/proc/self/maps")?.lines() {
        let Some((start, end)) = code(line) else { continue };
        let at = std::ptr::with_exposed_provenance_mut(start);
        // SAFETY: the range is one mapping of this process, as the kernel has just told: private, executable and never written to, since
        // position-independent code has no text relocations. (Constants are another matter: the dynamic linker has relocated some and
        // then made them read-only.) So no page of it differs from the file, and MADV_DONTNEED only empties the page table: a later
        // access reads the same bytes again (madvise(2)). The program's file cannot change while it runs (ETXTBSY), and package
        // managers replace files instead of writing into them. A mapping that is gone meanwhile is an error to the kernel.
        unsafe { rustix::mm::madvise(at, end - start, rustix::mm::Advice::LinuxDontNeed) }?;
    }
    Ok(())
}

/// The range of a line of `/proc/pid/maps` (proc_pid_maps(5)) if it is code of a file.
#[cfg(target_os = "linux")]
fn code(line: &str) -> Option<(usize, usize)> {
    let mut fields = line.split_ascii_whitespace();
    let (range, rights) = (fields.next()?, fields.next()?);
    let path = fields.nth(3)?;
    if rights != "r-xp" || !path.starts_with('/') || line.ends_with(" (deleted)") {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    (start < end).then_some((start, end))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_code_is_dropped() {
        let program = "55d0c8a00000-55d0c8b00000 r-xp 00001000 fe:01 1311      /usr/bin/afterglow";
        assert_eq!(code(program), Some((0x55d0_c8a0_0000, 0x55d0_c8b0_0000)));
        for kept in [
            "55d0c8b10000-55d0c8b20000 r--p 00111000 fe:01 1311      /usr/bin/afterglow",
            "55d0c8b00000-55d0c8b10000 rw-p 00101000 fe:01 1311      /usr/bin/afterglow",
            "7f0000000000-7f0000010000 rw-s 00000000 fe:01 1312      /home/ada/queue.sqlite-shm",
            "7f0000000000-7f0000010000 r--s 00000000 fe:01 1312      /home/ada/queue.sqlite-shm",
            "7ffc00000000-7ffc00020000 rw-p 00000000 00:00 0         [stack]",
            "7ffc00030000-7ffc00032000 r-xp 00000000 00:00 0         [vdso]",
            "7f0000020000-7f0000030000 r--p 00000000 00:00 0",
            "55d0c8a00000-55d0c8b00000 r-xp 00001000 fe:01 1311      /usr/bin/afterglow (deleted)",
        ] {
            assert_eq!(code(kept), None, "{kept}");
        }
    }

    #[test]
    fn a_program_goes_on_as_before() {
        let kept: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
        give_back();
        assert!(kept.iter().enumerate().all(|(n, text)| *text == n.to_string()));
    }
}
