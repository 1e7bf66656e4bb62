//! The demo's own proof, independent of what the service believes: the stored files are read and hashed.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read},
    path::Path,
};

use afterglow_client::model::Receipt;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// What was found.
pub(super) struct Proof {
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// Names of deliveries whose bytes are not in the archive.
    pub(super) missing: Vec<String>,
}

/// Looks for every receipt's bytes in the archive.
pub(super) fn compare(archive: &Path, receipts: &[Receipt]) -> io::Result<Proof> {
    let mut stored = HashMap::new();
    collect(archive, &mut stored)?;
    let mut proof = Proof { files: 0, bytes: 0, missing: Vec::new() };
    for receipt in receipts {
        match stored.get(&receipt.sha256) {
            Some(size) if *size == receipt.byte_count => {
                proof.files += 1;
                proof.bytes += size;
            }
            Some(_) | None => proof.missing.push(receipt.remote_id.clone()),
        }
    }
    Ok(proof)
}

fn collect(dir: &Path, stored: &mut HashMap<String, u64>) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        // What begins with a dot is the receiver's own.
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&entry.path(), stored)?;
        } else if kind.is_file() {
            let (digest, size) = hash(&entry.path())?;
            stored.insert(digest, size);
        }
    }
    Ok(())
}

fn hash(path: &Path) -> io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut block = vec![0; 256 * 1024];
    let mut size = 0;
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            break;
        }
        hash.update(&block[..read]);
        size += read as u64;
    }
    Ok((HEXLOWER.encode(&hash.finalize()), size))
}
