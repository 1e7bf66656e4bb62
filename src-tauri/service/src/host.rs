//! Facts about the machine's other programs and addresses, as far as the service needs them.

use std::{collections::BTreeSet, net::IpAddr, path::PathBuf};

use url::{Host, Url};

/// Whether a URL's host is this computer, so that no network stands between.
pub(crate) fn is_local(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    if url.scheme() == "file" {
        return true;
    }
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}

/// The program behind a process id, as the system names it. For showing to the person; a program of the same user can lie here.
pub(crate) fn executable(pid: i32) -> Option<String> {
    let path = std::fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    Some(path.to_string_lossy().into_owned())
}

/// Folders that probably hold photos.
pub(crate) fn picture_folders() -> Vec<PathBuf> {
    let home = dirs::home_dir();
    let usual = ["Pictures", "Photos", "DCIM"].iter().filter_map(|name| home.as_ref().map(|home| home.join(name)));
    let found: BTreeSet<PathBuf> = dirs::picture_dir().into_iter().chain(usual).filter(|path| path.is_dir()).collect();
    found.into_iter().collect()
}

/// The windows' program: beside ours, else by its name in `PATH`.
pub(crate) fn desktop_program() -> PathBuf {
    let name = format!("afterglow-desktop{}", std::env::consts::EXE_SUFFIX);
    std::env::current_exe()
        .ok()
        .and_then(|exe| exe.parent().map(|dir| dir.join(&name)))
        .filter(|path| path.is_file())
        .unwrap_or_else(|| PathBuf::from(name))
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn only_this_computer_is_local() {
        for local in [
            "http://127.0.0.1:8080/files",
            "http://[::1]/",
            "http://localhost/x",
            "https://archive.localhost",
            "file:///home/ada/Archive/",
        ] {
            assert!(is_local(local), "{local}");
        }
        for far in ["http://192.168.1.4/", "https://photos.example.com", "https://localhost.example.com", "no url"] {
            assert!(!is_local(far), "{far}");
        }
    }
}
