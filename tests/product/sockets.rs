//! Who can reach the service.

use std::{fs, os::unix::fs::PermissionsExt};

use afterglow_tests::{process::sockets_of, stage::Stage};

#[tokio::test]
async fn only_this_user_can_reach_it() {
    let mut stage = Stage::empty().unwrap();
    fs::create_dir_all(&stage.home.state).unwrap();
    fs::set_permissions(&stage.home.state, PermissionsExt::from_mode(0o755)).unwrap();
    stage.serve().await.unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(stage.home.runtime.clone()), 0o700);
    assert_eq!(mode(stage.home.state.clone()), 0o700);
    assert_eq!(mode(stage.home.owner_socket()), 0o600);
    assert_eq!(mode(stage.home.apps_socket()), 0o600);
}

#[tokio::test]
async fn it_listens_on_no_network() {
    let mut stage = Stage::new().await.unwrap();
    let own = sockets_of(stage.service().unwrap().pid()).unwrap();
    assert!(!own.is_empty(), "the Unix sockets at least");
    for table in ["tcp", "tcp6"] {
        // proc_pid_net(5): the fourth column is the state, 0A for a listener; the tenth the inode.
        let Ok(rows) = fs::read_to_string(format!("/proc/net/{table}")) else { continue };
        for row in rows.lines().skip(1) {
            let cells: Vec<&str> = row.split_whitespace().collect();
            let is_own = own.iter().any(|inode| inode == cells[9]);
            assert!(!(cells[3] == "0A" && is_own), "{row}");
        }
    }
}
