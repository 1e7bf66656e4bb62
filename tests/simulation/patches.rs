//! The faults that are kept as patches against the product's own code. Whether each is caught is for `./dev simulate --patches` to say, which
//! builds the product anew for each; that they still apply is looked at here.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

fn patches() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("simulate/faults");
    let mut patches: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    patches.sort();
    patches
}

#[test]
fn every_patch_still_applies() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let patches = patches();
    assert!(patches.len() >= 10, "only {} patches", patches.len());
    for patch in patches {
        let check = Command::new("git").args(["apply", "--check"]).arg(&patch).current_dir(&root).output();
        match check {
            Ok(output) => {
                let told = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{} does not apply any more: write it anew.\n{told}", patch.display());
            }
            Err(error) => {
                eprintln!("SKIPPED: whether the planted patches apply: git is missing ({error})");
                return;
            }
        }
    }
}
