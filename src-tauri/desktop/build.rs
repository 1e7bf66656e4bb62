//! Tells Tauri where this package keeps its capabilities, since its manifest stands at the root of the repository, and Cargo what the
//! program is made of beside its source.

fn main() {
    println!("cargo:rerun-if-changed=src-tauri/desktop/capabilities");
    println!("cargo:rerun-if-changed=tauri.conf.json");
    // The pages are compiled in; without this a new build of them would not be.
    println!("cargo:rerun-if-changed=ui/dist");
    let attributes = tauri_build::Attributes::new().capabilities_path_pattern("src-tauri/desktop/capabilities/*.json");
    if let Err(error) = tauri_build::try_build(attributes) {
        println!("cargo:warning={error:#}");
        std::process::exit(1);
    }
}
